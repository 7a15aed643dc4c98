//! The outbox: a set of names that need work, and when each is due.

mod claim;
mod settle;
mod waiting;

use jiff::Timestamp;
use redb::ReadableTable;

pub(super) use self::{
    claim::{claim, record_intent, release_leases, renew, subject},
    settle::settle,
    waiting::{hold, wait_for, wake_waiters},
};
use super::{
    tables::{Counter, Failed, Tables, millis, to_json},
    tombstone,
};
use crate::{
    id::{Kind, ResourceId},
    store::{Link, Work, WorkState},
};

/// Says that a resource needs work now. Work under a lease stays where it is; its settlement sees the newer stamp. A change
/// is worth a try of its own, but not while the Platform wants a pause.
pub(super) fn mark(
    tables: &mut Tables<'_>,
    tenant: &str,
    kind: Kind,
    id: ResourceId,
    now: Timestamp,
    traceparent: Option<&str>,
) -> Result<(), Failed> {
    let stamp = tables.add(tenant, Counter::Stamp, 1)?;
    let old = tables.work(tenant, id.as_u128())?;
    let mut work = match &old {
        Some(work) => work.clone(),
        None => Work {
            kind,
            stamp,
            due: now,
            not_before: None,
            held_until: None,
            held_by: None,
            refused_due: None,
            refused_round: 0,
            lease: None,
            attempts: 0,
            since: now,
            state: WorkState::Pending,
            failure: None,
            traceparent: None,
        },
    };
    work.stamp = stamp;
    if work.not_before.is_none() {
        work.attempts = 0;
    }
    work.state = WorkState::Pending;
    if work.lease.is_none() {
        let earliest = [work.not_before, work.held_until].into_iter().flatten().max();
        work.due = earliest.map_or(now, |earliest| earliest.max(now));
    }
    if let Some(traceparent) = traceparent {
        work.traceparent = Some(traceparent.to_owned());
    }
    put(tables, tenant, id.as_u128(), old.as_ref(), &work)
}

/// Forgets a resource's work and gives it.
pub(super) fn remove(tables: &mut Tables<'_>, tenant: &str, id: u128) -> Result<Option<Work>, Failed> {
    let Some(work) = tables.work(tenant, id)? else {
        return Ok(None);
    };
    tables.dirty = true;
    tables.work.remove((tenant, id))?;
    tables.due.remove((tenant, millis(work.due), id))?;
    tables.work_states.remove((tenant, work.state.number(), id))?;
    tables.add(tenant, counter(work.state), -1)?;
    Ok(Some(work))
}

/// Puts a resource's work off.
pub(super) fn postpone(tables: &mut Tables<'_>, tenant: &str, id: u128, due: Timestamp) -> Result<(), Failed> {
    let Some(old) = tables.work(tenant, id)? else {
        return Ok(());
    };
    put(tables, tenant, id, Some(&old), &Work { due, ..old.clone() })
}

/// Makes work due now, applied or not.
pub(super) fn retry(tables: &mut Tables<'_>, tenant: &str, id: ResourceId, now: Timestamp) -> Result<bool, Failed> {
    let mut kind = tombstone::read(&tables.tombstones, tenant, id.as_u128())?.map(|tombstone| tombstone.kind);
    for candidate in Kind::ALL {
        if tables
            .records
            .get((tenant, candidate.number(), id.as_u128()))?
            .is_some()
        {
            kind = Some(candidate);
        }
    }
    let Some(kind) = kind else { return Ok(false) };
    let link = tables.link(tenant, id.as_u128())?;
    if link.applied_document != 0 {
        tables.put_link(
            tenant,
            kind.number(),
            id.as_u128(),
            &Link {
                applied_document: 0,
                ..link
            },
        )?;
    }
    // Whoever asks for a try wants it now, whatever the Platform asked for.
    if let Some(old) = tables.work(tenant, id.as_u128())? {
        let mut work = Work {
            not_before: None,
            ..old.clone()
        };
        work.retry_refused();
        put(tables, tenant, id.as_u128(), Some(&old), &work)?;
    }
    mark(tables, tenant, kind, id, now, None)?;
    Ok(true)
}

/// Keeps a piece of work in place of another, with its place in the order of the work.
pub(super) fn put(
    tables: &mut Tables<'_>,
    tenant: &str,
    id: u128,
    old: Option<&Work>,
    new: &Work,
) -> Result<(), Failed> {
    tables.dirty = true;
    if old.map(|old| old.state) != Some(new.state) {
        if let Some(old) = old {
            tables.work_states.remove((tenant, old.state.number(), id))?;
            tables.add(tenant, counter(old.state), -1)?;
        }
        tables.work_states.insert((tenant, new.state.number(), id), ())?;
        tables.add(tenant, counter(new.state), 1)?;
    }
    if let Some(old) = old {
        tables.due.remove((tenant, millis(old.due), id))?;
    }
    tables.due.insert((tenant, millis(new.due), id), ())?;
    tables.work.insert((tenant, id), to_json(new).as_slice())?;
    Ok(())
}

fn counter(state: WorkState) -> Counter {
    match state {
        WorkState::Pending => Counter::Pending,
        WorkState::Refused => Counter::Refused,
    }
}
