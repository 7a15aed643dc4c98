//! The outbox: a set of names that need work, and when each is due.

mod claim;
mod settle;
mod told;
mod waiting;

use jiff::Timestamp;
use redb::{ReadableTable, WriteTransaction};

pub(super) use self::{
    claim::{claim, record_intent, release_leases, renew, rewind, subject},
    settle::settle,
    waiting::{hold, wait_for, wake_waiters},
};
use super::{
    chores, log, pending,
    tables::{Counter, Failed, REST_AGES, Tables, WORK, from_json, millis, to_json},
    tombstone,
};
use crate::{
    id::{Kind, ResourceId},
    store::{Brake, Chore, Deed, Link, Origin, Stage, Subject, Work, WorkState, Write, traces},
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
    let (old, work) = marked(tables, tenant, kind, id, now, traceparent)?;
    put(tables, tenant, id.as_u128(), old.as_ref(), &work)
}

/// Says that a write made work: whether it takes access away, and whether a brake is on (`Some(None)`: no longer).
pub(super) fn change(
    tables: &mut Tables<'_>,
    tenant: &str,
    write: &Write,
    urgent: bool,
    braked: Option<Option<Brake>>,
) -> Result<(), Failed> {
    let (kind, id, trace) = (write.kind, write.id, write.traceparent.as_deref());
    let (old, mut work) = marked(tables, tenant, kind, id, write.now, trace)?;
    work.urgent |= urgent;
    if let Some(braked) = braked {
        work.braked = braked;
        work.released = false;
        work.state = WorkState::Pending;
    }
    // A brake on the removal of a user lets the account be disabled first.
    let allows_nothing = work.braked == Some(Brake::Deactivations) || kind == Kind::Group;
    if work.braked.is_some() && work.lease.is_none() && allows_nothing {
        work.state = WorkState::Held;
    }
    put(tables, tenant, id.as_u128(), old.as_ref(), &work)
}

/// The work as it was, and as it is when a resource needs work now.
fn marked(
    tables: &mut Tables<'_>,
    tenant: &str,
    kind: Kind,
    id: ResourceId,
    now: Timestamp,
    traceparent: Option<&str>,
) -> Result<(Option<Work>, Work), Failed> {
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
            urgent: false,
            braked: None,
            released: false,
            state: WorkState::Pending,
            plan: Vec::new(),
            failure: None,
            traceparent: None,
        },
    };
    work.stamp = stamp;
    work.plan = Vec::new();
    if work.not_before.is_none() {
        work.attempts = 0;
    }
    // What a brake holds is let go by a person, or by a change that takes back what it held.
    if work.state != WorkState::Held || work.braked.is_none() {
        work.state = WorkState::Pending;
    }
    if work.lease.is_none() {
        let earliest = [work.not_before, work.held_until].into_iter().flatten().max();
        work.due = earliest.map_or(now, |earliest| earliest.max(now));
    }
    if let Some(traceparent) = traceparent {
        work.traceparent = Some(traces::joined(traceparent, work.traceparent.as_deref()));
    }
    Ok((old, work))
}

/// Lets what is held go on, and logs who did; `false` when nothing of it is held.
pub(super) fn release(
    tables: &mut Tables<'_>,
    tenant: &str,
    id: ResourceId,
    origin: Option<&Origin>,
    now: Timestamp,
) -> Result<bool, Failed> {
    let Some(old) = tables.work(tenant, id.as_u128())? else {
        return Ok(false);
    };
    let has_held_members = old.kind == Kind::Group && pending::has(tables, tenant, id, Stage::Held)?;
    if old.braked.is_none() && !has_held_members {
        return Ok(false);
    }
    let free = Work {
        braked: None,
        released: true,
        state: WorkState::Pending,
        not_before: None,
        failure: None,
        ..old.clone()
    };
    put(tables, tenant, id.as_u128(), Some(&old), &free)?;
    mark(tables, tenant, old.kind, id, now, None)?;
    if has_held_members {
        chores::begin(tables, tenant, Chore::Release, id, now)?;
    }
    let released = Subject { kind: old.kind, id };
    log::act(tables, tenant, Deed::Release, released, origin, now)?;
    Ok(true)
}

/// Forgets a resource's work and gives it.
pub(super) fn remove(tables: &mut Tables<'_>, tenant: &str, id: u128) -> Result<Option<Work>, Failed> {
    let Some(work) = tables.work(tenant, id)? else {
        return Ok(None);
    };
    tables.dirty = true;
    tables.work.remove((tenant, id))?;
    leave_order(tables, tenant, id, &work)?;
    leave_state(tables, tenant, id, &work)?;
    leave_ages(tables, tenant, id, &work)?;
    Ok(Some(work))
}

/// Puts a resource's work off.
pub(super) fn postpone(tables: &mut Tables<'_>, tenant: &str, id: u128, due: Timestamp) -> Result<(), Failed> {
    let Some(old) = tables.work(tenant, id)? else {
        return Ok(());
    };
    put(tables, tenant, id, Some(&old), &Work { due, ..old.clone() })
}

/// Makes work due now, applied or not, and logs who did.
pub(super) fn retry(
    tables: &mut Tables<'_>,
    tenant: &str,
    id: ResourceId,
    origin: Option<&Origin>,
    now: Timestamp,
) -> Result<bool, Failed> {
    let Some(kind) = forget_applied(tables, tenant, id)? else {
        return Ok(false);
    };
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
    log::act(tables, tenant, Deed::Retry, Subject { kind, id }, origin, now)?;
    Ok(true)
}

/// Has what was applied delivered once more, and logs who did; `false` when something is to be delivered already.
pub(super) fn repair(
    tables: &mut Tables<'_>,
    tenant: &str,
    id: ResourceId,
    urgent: bool,
    origin: Option<&Origin>,
    now: Timestamp,
) -> Result<bool, Failed> {
    if tables.work(tenant, id.as_u128())?.is_some() {
        return Ok(false);
    }
    let Some(kind) = forget_applied(tables, tenant, id)? else {
        return Ok(false);
    };
    mark_urgent(tables, tenant, kind, id, urgent, now)?;
    log::act(tables, tenant, Deed::Repair, Subject { kind, id }, origin, now)?;
    Ok(true)
}

/// Says that a resource needs work now, and perhaps that it takes access away.
pub(super) fn mark_urgent(
    tables: &mut Tables<'_>,
    tenant: &str,
    kind: Kind,
    id: ResourceId,
    urgent: bool,
    now: Timestamp,
) -> Result<(), Failed> {
    let (old, mut work) = marked(tables, tenant, kind, id, now, None)?;
    work.urgent |= urgent;
    put(tables, tenant, id.as_u128(), old.as_ref(), &work)
}

/// Forgets that a document was applied, so that it is delivered whole; gives what it is of, if there is such a resource.
fn forget_applied(tables: &mut Tables<'_>, tenant: &str, id: ResourceId) -> Result<Option<Kind>, Failed> {
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
    let Some(kind) = kind else { return Ok(None) };
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
    Ok(Some(kind))
}

/// Makes up to so many pieces of work due that are only planned; gives how many.
pub(super) fn deliver_planned(
    tables: &mut Tables<'_>,
    tenant: &str,
    now: Timestamp,
    limit: usize,
) -> Result<usize, Failed> {
    let planned = WorkState::Planned.number();
    let range = (tenant, planned, 0)..=(tenant, planned, u128::MAX);
    let mut ids = Vec::new();
    for entry in tables.work_states.range(range)?.take(limit) {
        ids.push(entry?.0.value().2);
    }
    for id in &ids {
        if let Some(work) = tables.work(tenant, *id)? {
            mark(tables, tenant, work.kind, ResourceId::from_u128(*id), now, None)?;
        }
    }
    Ok(ids.len())
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
            leave_state(tables, tenant, id, old)?;
        }
        tables.work_states.insert((tenant, new.state.number(), id), ())?;
        tables.add(tenant, counter(new.state), 1)?;
    }
    let age = |work: &Work| (work.state, work.held_by(), work.since);
    if old.map(age) != Some(age(new)) {
        if let Some(old) = old {
            leave_ages(tables, tenant, id, old)?;
        }
        match at_rest(new) {
            None => tables.ages.insert((tenant, millis(new.since), id), ())?,
            Some(why) => tables.rest_ages.insert((tenant, why, millis(new.since), id), ())?,
        };
    }
    if let Some(old) = old {
        leave_order(tables, tenant, id, old)?;
    }
    if new.state.has_a_time() {
        order(tables, new.urgent).insert((tenant, millis(new.due), id), ())?;
    }
    tables.work.insert((tenant, id), to_json(new).as_slice())?;
    Ok(())
}

/// The order in which work of that urgency is taken.
fn order<'t, 's>(tables: &'s mut Tables<'t>, urgent: bool) -> &'s mut redb::Table<'t, (&'static str, u64, u128), ()> {
    if urgent { &mut tables.urgent } else { &mut tables.due }
}

fn leave_order(tables: &mut Tables<'_>, tenant: &str, id: u128, work: &Work) -> Result<(), Failed> {
    order(tables, work.urgent).remove((tenant, millis(work.due), id))?;
    Ok(())
}

fn leave_state(tables: &mut Tables<'_>, tenant: &str, id: u128, work: &Work) -> Result<(), Failed> {
    tables.work_states.remove((tenant, work.state.number(), id))?;
    tables.add(tenant, counter(work.state), -1)?;
    Ok(())
}

fn leave_ages(tables: &mut Tables<'_>, tenant: &str, id: u128, work: &Work) -> Result<(), Failed> {
    match at_rest(work) {
        None => tables.ages.remove((tenant, millis(work.since), id))?,
        Some(why) => tables.rest_ages.remove((tenant, why, millis(work.since), id))?,
    };
    Ok(())
}

/// Why work is not tried for now, as a number in keys: refused, planned, or held by which brake; `None` while it is pending.
/// Never change a number.
pub(super) fn at_rest(work: &Work) -> Option<u8> {
    match work.state {
        WorkState::Pending => None,
        WorkState::Refused => Some(REFUSED),
        WorkState::Planned => Some(PLANNED),
        WorkState::Held => work.held_by().map(held_by),
    }
}

/// The numbers of [`at_rest`].
pub(super) const REFUSED: u8 = 1;
pub(super) const PLANNED: u8 = 2;
pub(super) fn held_by(brake: Brake) -> u8 {
    match brake {
        Brake::Removals => 3,
        Brake::Deactivations => 4,
        Brake::Alarm => 5,
    }
}

/// Puts the work of a file that has none of it in order by its age, as [`put`] does.
pub(super) fn order_by_age(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let (work, mut rest_ages) = (transaction.open_table(WORK)?, transaction.open_table(REST_AGES)?);
    for entry in work.iter()? {
        let (key, value) = entry?;
        let (tenant, id) = key.value();
        // What cannot be read is told of when its turn comes.
        let Ok(work) = from_json::<Work>(value.value(), "piece of work") else {
            continue;
        };
        if let Some(why) = at_rest(&work) {
            rest_ages.insert((tenant, why, millis(work.since), id), ())?;
        }
    }
    Ok(())
}

fn counter(state: WorkState) -> Counter {
    match state {
        WorkState::Pending => Counter::Pending,
        WorkState::Refused => Counter::Refused,
        WorkState::Held => Counter::Held,
        WorkState::Planned => Counter::Planned,
    }
}
