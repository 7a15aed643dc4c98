//! The brakes: what was let through in the last hour, and pauses.

use jiff::Timestamp;
use redb::ReadableTable;

use super::{
    log,
    tables::{Counter, Failed, PAUSES, Reading, Tables, get, millis, to_json},
};
use crate::store::{Act, Brake, Deed, Limit, Logged, Origin, Pause};

/// What counts against a limit, in milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1000;
/// How many old entries one step forgets at most.
const FORGET_AT_ONCE: usize = 1_000;

/// Whether so many more may pass a brake, which are then counted. Without a limit all may.
pub(super) fn pass(
    tables: &mut Tables<'_>,
    tenant: &str,
    brake: Brake,
    limit: Option<Limit>,
    weight: u64,
    now: Timestamp,
) -> Result<bool, Failed> {
    let Some(limit) = limit.filter(|_| weight > 0) else {
        return Ok(true);
    };
    forget(tables, tenant, brake, millis(now).saturating_sub(HOUR_MS))?;
    let passed = tables.counter(tenant, counter(brake))?;
    if passed + weight > limit.of(tables.counter(tenant, Counter::Users)?) {
        return Ok(false);
    }
    let stamp = tables.add(tenant, Counter::Stamp, 1)?;
    tables
        .brakes
        .insert((tenant, number(brake), millis(now), stamp), weight)?;
    tables.set(tenant, counter(brake), passed + weight)?;
    Ok(true)
}

/// Forgets what passed before then.
fn forget(tables: &mut Tables<'_>, tenant: &str, brake: Brake, before: u64) -> Result<(), Failed> {
    let mut old = Vec::new();
    let range = (tenant, number(brake), 0, 0)..(tenant, number(brake), before, 0);
    for entry in tables.brakes.range(range)?.take(FORGET_AT_ONCE) {
        let (key, weight) = entry?;
        let (_, _, at, stamp) = key.value();
        old.push((at, stamp, weight.value()));
    }
    for (at, stamp, weight) in old {
        tables.brakes.remove((tenant, number(brake), at, stamp))?;
        let left = tables.counter(tenant, counter(brake))?.saturating_sub(weight);
        tables.set(tenant, counter(brake), left)?;
    }
    Ok(())
}

fn number(brake: Brake) -> u8 {
    match brake {
        Brake::Removals => 1,
        Brake::Deactivations => 2,
    }
}

fn counter(brake: Brake) -> Counter {
    match brake {
        Brake::Removals => Counter::RemovalsPassed,
        Brake::Deactivations => Counter::DeactivationsPassed,
    }
}

/// Pauses a tenant, or ends its pause, and logs who did.
pub(super) fn change_pause(
    tables: &mut Tables<'_>,
    tenant: &str,
    pause: Option<&Pause>,
    origin: Option<&Origin>,
    now: Timestamp,
) -> Result<(), Failed> {
    let was_paused = tables.pauses.get(tenant)?.is_some();
    set_pause(tables, tenant, pause)?;
    let deed = match pause {
        Some(_) => Deed::Pause,
        None if was_paused => Deed::Resume,
        None => return Ok(()),
    };
    let act = Act {
        act: deed,
        resource: None,
        by: pause.map(|pause| pause.by.clone()).unwrap_or_default(),
        reason: pause.map(|pause| pause.reason.clone()).unwrap_or_default(),
        origin: origin.cloned(),
    };
    log::append(tables, tenant, Logged::Act(act), now)
}

/// Pauses a tenant, or ends its pause, as an import does.
pub(super) fn set_pause(tables: &mut Tables<'_>, tenant: &str, pause: Option<&Pause>) -> Result<(), Failed> {
    tables.dirty = true;
    match pause {
        Some(pause) => drop(tables.pauses.insert(tenant, to_json(pause).as_slice())?),
        None => drop(tables.pauses.remove(tenant)?),
    }
    Ok(())
}

impl Reading {
    /// Why a tenant is paused, if it is.
    pub(super) fn pause(&self, tenant: &str) -> Result<Option<Pause>, Failed> {
        get(&self.table(PAUSES)?, tenant, "pause")
    }
}
