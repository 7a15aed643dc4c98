//! What a step leaves to be done in batches, so that no step grows with the size of a group: a chore is noted in the step
//! that causes it, begun there, and gone on with until nothing of it is left. What is still to be swept shows nowhere:
//! readers ask whether the group exists.

use jiff::Timestamp;
use redb::{ReadableTable, Table};

use super::{
    log, pending, revert,
    tables::{CHORES, Failed, Reading, Tables},
    work, write,
};
use crate::{
    id::{Kind, ResourceId},
    index::Index,
    store::{Chore, Stage},
};

/// How many entries one step touches at most.
const BATCH: usize = 1_000;

/// Begins a chore; what is more than a batch is left for [`sweep`].
pub(super) fn begin(
    tables: &mut Tables<'_>,
    tenant: &str,
    chore: Chore,
    id: ResourceId,
    now: Timestamp,
) -> Result<(), Failed> {
    advance(tables, tenant, chore, id, 0, now)?;
    Ok(())
}

/// Takes out what the log no longer keeps, or goes on with one of a tenant's chores; how many entries it touched, 0 when there is nothing to do.
pub(super) fn sweep(tables: &mut Tables<'_>, tenant: &str, now: Timestamp) -> Result<usize, Failed> {
    let trimmed = log::trim(tables, tenant, now, BATCH)?;
    if trimmed > 0 {
        return Ok(trimmed);
    }
    let Some((number, id, cursor)) = first(&tables.chores, tenant)? else {
        return Ok(0);
    };
    let Some(chore) = Chore::from_number(number) else {
        return Ok(0);
    };
    // A chore that finds nothing left was done all the same.
    Ok(advance(tables, tenant, chore, ResourceId::from_u128(id), cursor, now)?.max(1))
}

fn advance(
    tables: &mut Tables<'_>,
    tenant: &str,
    chore: Chore,
    id: ResourceId,
    cursor: u128,
    now: Timestamp,
) -> Result<usize, Failed> {
    let mut stamp = None;
    let batch = match chore {
        Chore::Dissolve => return dissolve(tables, tenant, id),
        Chore::Reports => reports(tables, tenant, id, cursor)?,
        Chore::JoinAgain => page(&tables.groups_of, tenant, id, cursor)?,
        Chore::Ready => page(&tables.pending_of, tenant, id, cursor)?,
        Chore::Refill => page(&tables.members, tenant, id, cursor)?,
        Chore::Release => return release(tables, tenant, id, now),
        Chore::Restore => return put_back(tables, tenant, id, now),
    };
    for other in &batch {
        let other = ResourceId::from_u128(*other);
        match touch(tables, tenant, chore, id, other, &mut stamp, now) {
            // One that cannot be read must hold up neither the others nor the step that has them touched.
            Err(Failed::Corrupt(what, problem)) => {
                tracing::error!(scim.resource.id = %other, problem, "a {what} cannot be read; it is left alone");
            }
            touched => touched?,
        }
    }
    // The step that begins it has the group's work in hand.
    if chore == Chore::Refill && cursor > 0 && !batch.is_empty() {
        work::mark(tables, tenant, Kind::Group, id, now, None)?;
    }
    let next = batch.last().map_or(cursor, |last| last.saturating_add(1));
    note(tables, tenant, chore, id, batch.len(), next)
}

/// Does what a chore is about to one of those it concerns.
fn touch(
    tables: &mut Tables<'_>,
    tenant: &str,
    chore: Chore,
    id: ResourceId,
    other: ResourceId,
    stamp: &mut Option<u64>,
    now: Timestamp,
) -> Result<(), Failed> {
    match chore {
        Chore::Dissolve | Chore::Release | Chore::Restore => Ok(()),
        Chore::Reports if other == id => Ok(()),
        Chore::Reports => work::mark(tables, tenant, Kind::User, other, now, None),
        Chore::JoinAgain | Chore::Ready => {
            match chore {
                Chore::Ready => pending::restage(tables, tenant, other, id, Stage::Ready)?,
                _ => pending::unconfirm(tables, tenant, other, id, stamp)?,
            }
            // A group that is gone, and may be brought back, has nothing to be delivered until then.
            if is_group(tables, tenant, other)? {
                work::mark(tables, tenant, Kind::Group, other, now, None)?;
            }
            Ok(())
        }
        Chore::Refill => pending::unconfirm(tables, tenant, id, other, stamp),
    }
}

/// Keeps in mind where to go on, or that nothing is left.
fn note(
    tables: &mut Tables<'_>,
    tenant: &str,
    chore: Chore,
    id: ResourceId,
    touched: usize,
    cursor: u128,
) -> Result<usize, Failed> {
    let key = (tenant, chore.number(), id.as_u128());
    tables.dirty = true;
    if touched < BATCH {
        tables.chores.remove(key)?;
    } else {
        tables.chores.insert(key, cursor)?;
    }
    Ok(touched)
}

fn is_group(tables: &Tables<'_>, tenant: &str, id: ResourceId) -> Result<bool, Failed> {
    let key = (tenant, Kind::Group.number(), id.as_u128());
    Ok(tables.records.get(key)?.is_some())
}

/// A batch of what stands beside an id, from a cursor on.
fn page<V: redb::Value + 'static>(
    table: &Table<'_, (&'static str, u128, u128), V>,
    tenant: &str,
    id: ResourceId,
    cursor: u128,
) -> Result<Vec<u128>, Failed> {
    let mut others = Vec::new();
    let range = (tenant, id.as_u128(), cursor)..=(tenant, id.as_u128(), u128::MAX);
    for entry in table.range(range)?.take(BATCH) {
        others.push(entry?.0.value().2);
    }
    Ok(others)
}

/// Whether anybody reports to a user.
pub(super) fn has_reports(tables: &Tables<'_>, tenant: &str, manager: ResourceId) -> Result<bool, Failed> {
    let others = reports(tables, tenant, manager, 0)?;
    Ok(others.into_iter().any(|report| report != manager.as_u128()))
}

/// A batch of a user's reports, from a cursor on.
fn reports(tables: &Tables<'_>, tenant: &str, manager: ResourceId, cursor: u128) -> Result<Vec<u128>, Failed> {
    // Ids are lower case, which is their folded form.
    let value = manager.to_string();
    let (kind, index) = (Kind::User.number(), Index::Manager.number());
    let range = (tenant, kind, index, value.as_str(), cursor)..=(tenant, kind, index, value.as_str(), u128::MAX);
    let mut reports = Vec::new();
    for entry in tables.lookups.range(range)?.take(BATCH) {
        reports.push(entry?.0.value().4);
    }
    Ok(reports)
}

/// Forgets up to a batch of a deleted group's members, confirmed or not.
fn dissolve(tables: &mut Tables<'_>, tenant: &str, id: ResourceId) -> Result<usize, Failed> {
    let group = id.as_u128();
    let members = page(&tables.members, tenant, id, 0)?;
    for member in &members {
        tables.members.remove((tenant, group, *member))?;
        tables.groups_of.remove((tenant, *member, group))?;
    }
    let mut pending = Vec::new();
    for entry in tables
        .pending
        .range((tenant, group, 0, 0)..=(tenant, group, u64::MAX, u128::MAX))?
        .take(BATCH - members.len())
    {
        let (_, _, stage, member) = entry?.0.value();
        pending.push((stage, member));
    }
    tables.pending_counts.remove((tenant, group))?;
    for (stage, member) in &pending {
        tables.pending.remove((tenant, group, *stage, *member))?;
        tables.pending_of.remove((tenant, *member, group))?;
    }
    note(tables, tenant, Chore::Dissolve, id, members.len() + pending.len(), 0)
}

/// A batch of a group's held members.
fn held(tables: &Tables<'_>, tenant: &str, id: ResourceId) -> Result<Vec<ResourceId>, Failed> {
    let (group, stage) = (id.as_u128(), Stage::Held.number());
    let range = (tenant, group, stage, 0)..=(tenant, group, stage, u128::MAX);
    let mut held = Vec::new();
    for entry in tables.pending.range(range)?.take(BATCH) {
        held.push(ResourceId::from_u128(entry?.0.value().3));
    }
    Ok(held)
}

/// Puts up to a batch of a group's held members in again.
fn put_back(tables: &mut Tables<'_>, tenant: &str, id: ResourceId, now: Timestamp) -> Result<usize, Failed> {
    let held = held(tables, tenant, id)?;
    if let Some(record) = write::read(tables, tenant, Kind::Group, id)? {
        revert::put_back(tables, tenant, record, &held, None, now)?;
    }
    note(tables, tenant, Chore::Restore, id, held.len(), 0)
}

/// Lets up to a batch of a group's held members be taken out.
fn release(tables: &mut Tables<'_>, tenant: &str, id: ResourceId, now: Timestamp) -> Result<usize, Failed> {
    let held = held(tables, tenant, id)?;
    for member in &held {
        pending::restage(tables, tenant, id, *member, Stage::Ready)?;
    }
    if !held.is_empty() && is_group(tables, tenant, id)? {
        work::mark(tables, tenant, Kind::Group, id, now, None)?;
    }
    note(tables, tenant, Chore::Release, id, held.len(), 0)
}

fn first(
    chores: &impl ReadableTable<(&'static str, u8, u128), u128>,
    tenant: &str,
) -> Result<Option<(u8, u128, u128)>, Failed> {
    let mut all = chores.range((tenant, 0, 0)..=(tenant, u8::MAX, u128::MAX))?;
    let Some(entry) = all.next() else { return Ok(None) };
    let (key, cursor) = entry?;
    let (_, chore, id) = key.value();
    Ok(Some((chore, id, cursor.value())))
}

impl Reading {
    /// Whether a tenant has chores left.
    pub(super) fn has_chores(&self, tenant: &str) -> Result<bool, Failed> {
        Ok(first(&self.table(CHORES)?, tenant)?.is_some())
    }
}
