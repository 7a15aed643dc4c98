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
    let (Some(limit), Some(counted)) = (limit.filter(|_| weight > 0), counted(brake)) else {
        return Ok(true);
    };
    let (number, counter) = counted;
    forget(tables, tenant, counted, millis(now).saturating_sub(HOUR_MS))?;
    let passed = tables.counter(tenant, counter)?;
    if passed + weight > limit.of(tables.counter(tenant, Counter::Users)?) {
        return Ok(false);
    }
    let stamp = tables.add(tenant, Counter::Stamp, 1)?;
    tables.brakes.insert((tenant, number, millis(now), stamp), weight)?;
    tables.set(tenant, counter, passed + weight)?;
    Ok(true)
}

/// Forgets what passed before then.
fn forget(tables: &mut Tables<'_>, tenant: &str, (number, counter): (u8, Counter), before: u64) -> Result<(), Failed> {
    let mut old = Vec::new();
    let range = (tenant, number, 0, 0)..(tenant, number, before, 0);
    for entry in tables.brakes.range(range)?.take(FORGET_AT_ONCE) {
        let (key, weight) = entry?;
        let (_, _, at, stamp) = key.value();
        old.push((at, stamp, weight.value()));
    }
    for (at, stamp, weight) in old {
        tables.brakes.remove((tenant, number, at, stamp))?;
        let left = tables.counter(tenant, counter)?.saturating_sub(weight);
        tables.set(tenant, counter, left)?;
    }
    Ok(())
}

/// A brake's number in the keys, and the counter of what passed it, if it counts anything.
fn counted(brake: Brake) -> Option<(u8, Counter)> {
    match brake {
        Brake::Removals => Some((1, Counter::RemovalsPassed)),
        Brake::Deactivations => Some((2, Counter::DeactivationsPassed)),
        Brake::Alarm => None,
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
