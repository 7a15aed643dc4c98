//! Work that waits until another resource's delivery gets on.

use std::time::Duration;

use jiff::Timestamp;
use redb::ReadableTable;

use super::{mark, postpone, put};
use crate::{
    id::ResourceId,
    store::{
        Claim, Work,
        embedded::tables::{Failed, Tables},
    },
};

/// How long a group waits for its deleted namesake before it looks for itself.
const NAMESAKE_WAIT: Duration = Duration::from_secs(60);

/// Lets a resource's work wait until another's delivery gets on.
pub(in crate::store::embedded) fn wait_for(
    tables: &mut Tables<'_>,
    tenant: &str,
    on: ResourceId,
    waiter: ResourceId,
    now: Timestamp,
) -> Result<(), Failed> {
    tables.dirty = true;
    tables.waiting.insert((tenant, on.as_u128(), waiter.as_u128()), ())?;
    postpone(tables, tenant, waiter.as_u128(), now + NAMESAKE_WAIT)
}

/// Puts a resource's work off until another's claim has ended, at the latest until then, and lets no change make it due
/// sooner.
pub(in crate::store::embedded) fn hold(
    tables: &mut Tables<'_>,
    tenant: &str,
    on: ResourceId,
    waiter: ResourceId,
    until: Timestamp,
    token: u64,
) -> Result<(), Failed> {
    let id = waiter.as_u128();
    let Some(old) = tables.work(tenant, id)? else {
        return Ok(());
    };
    tables.waiting.insert((tenant, on.as_u128(), id), ())?;
    let held = Work {
        due: until,
        held_until: Some(until),
        held_by: Some(token),
        ..old.clone()
    };
    put(tables, tenant, id, Some(&old), &held)
}

/// Ends every hold on account of a claim that has ended: of those who took the resource over, and of those who took it
/// over from them.
pub(super) fn release(tables: &mut Tables<'_>, tenant: &str, claim: &Claim, now: Timestamp) -> Result<(), Failed> {
    let mut ended = vec![claim.id.as_u128()];
    while let Some(on) = ended.pop() {
        for waiter in waiters(tables, tenant, on)? {
            let old = tables.work(tenant, waiter)?;
            // A claim that was lost frees nobody: who took the work after it may still be at it.
            if old.as_ref().is_some_and(|work| work.held_by != Some(claim.token)) {
                continue;
            }
            tables.dirty = true;
            tables.waiting.remove((tenant, on, waiter))?;
            let Some(old) = old else {
                ended.push(waiter);
                continue;
            };
            let free = Work {
                held_until: None,
                held_by: None,
                ..old.clone()
            };
            put(tables, tenant, waiter, Some(&old), &free)?;
            mark(tables, tenant, old.kind, ResourceId::from_u128(waiter), now, None)?;
        }
    }
    Ok(())
}

fn waiters(tables: &Tables<'_>, tenant: &str, on: u128) -> Result<Vec<u128>, Failed> {
    let mut waiters = Vec::new();
    for entry in tables.waiting.range((tenant, on, 0)..=(tenant, on, u128::MAX))? {
        waiters.push(entry?.0.value().2);
    }
    Ok(waiters)
}

/// Makes everything due that waits for a resource.
pub(in crate::store::embedded) fn wake_waiters(
    tables: &mut Tables<'_>,
    tenant: &str,
    on: ResourceId,
    now: Timestamp,
) -> Result<(), Failed> {
    for waiter in waiters(tables, tenant, on.as_u128())? {
        tables.waiting.remove((tenant, on.as_u128(), waiter))?;
        if let Some(work) = tables.work(tenant, waiter)? {
            mark(tables, tenant, work.kind, ResourceId::from_u128(waiter), now, None)?;
        }
    }
    Ok(())
}
