//! What a step leaves to be done in batches, so that no step grows with the size of a group: a chore is noted in the step
//! that causes it, begun there, and gone on with until nothing of it is left. What is still to be swept shows nowhere:
//! readers ask whether the group exists.

use redb::ReadableTable;

use super::{
    tables::{CHORES, Failed, Reading, Tables},
    work,
};
use crate::{
    id::{Kind, ResourceId},
    index::Index,
};
use jiff::Timestamp;

/// How many entries one step touches at most.
const BATCH: usize = 1_000;

/// What is to be done about a resource. Never change a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Chore {
    /// Forget the memberships of a deleted group.
    Dissolve = 1,
    /// Deliver those anew who report to a user: its account is another, or gone.
    Reports = 2,
}

/// Begins a chore; what is more than a batch is left for [`sweep`].
pub(super) fn begin(
    tables: &mut Tables<'_>,
    tenant: &str,
    chore: Chore,
    id: ResourceId,
    now: Timestamp,
) -> Result<(), Failed> {
    advance(tables, tenant, chore, id.as_u128(), 0, now)?;
    Ok(())
}

/// Goes on with a tenant's oldest chore; how many entries it touched, 0 when there is nothing to do.
pub(super) fn sweep(tables: &mut Tables<'_>, tenant: &str, now: Timestamp) -> Result<usize, Failed> {
    let next = first(&tables.chores, tenant)?;
    let Some((number, id, cursor)) = next else { return Ok(0) };
    let chore = match number {
        1 => Chore::Dissolve,
        _ => Chore::Reports,
    };
    // A chore that finds nothing left was done all the same.
    Ok(advance(tables, tenant, chore, id, cursor, now)?.max(1))
}

fn advance(
    tables: &mut Tables<'_>,
    tenant: &str,
    chore: Chore,
    id: u128,
    cursor: u128,
    now: Timestamp,
) -> Result<usize, Failed> {
    let (touched, cursor) = match chore {
        Chore::Dissolve => (dissolve(tables, tenant, id)?, 0),
        Chore::Reports => redeliver_reports(tables, tenant, id, cursor, now)?,
    };
    let key = (tenant, chore as u8, id);
    tables.dirty = true;
    if touched < BATCH {
        tables.chores.remove(key)?;
    } else {
        tables.chores.insert(key, cursor)?;
    }
    Ok(touched)
}

/// Forgets up to a batch of a deleted group's members, confirmed or not.
fn dissolve(tables: &mut Tables<'_>, tenant: &str, group: u128) -> Result<usize, Failed> {
    let mut members = Vec::new();
    for entry in tables
        .members
        .range((tenant, group, 0)..=(tenant, group, u128::MAX))?
        .take(BATCH)
    {
        members.push(entry?.0.value().2);
    }
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
    for (stage, member) in &pending {
        tables.pending.remove((tenant, group, *stage, *member))?;
        tables.pending_of.remove((tenant, *member, group))?;
    }
    Ok(members.len() + pending.len())
}

/// Marks up to a batch of a user's reports; where to go on.
fn redeliver_reports(
    tables: &mut Tables<'_>,
    tenant: &str,
    manager: u128,
    cursor: u128,
    now: Timestamp,
) -> Result<(usize, u128), Failed> {
    // Ids are lower case, which is their folded form.
    let value = ResourceId::from_u128(manager).to_string();
    let (kind, index) = (Kind::User.number(), Index::Manager.number());
    let mut reports = Vec::new();
    for entry in tables
        .lookups
        .range((tenant, kind, index, value.as_str(), cursor)..=(tenant, kind, index, value.as_str(), u128::MAX))?
        .take(BATCH)
    {
        reports.push(entry?.0.value().4);
    }
    for report in reports.iter().filter(|report| **report != manager) {
        work::mark(tables, tenant, Kind::User, ResourceId::from_u128(*report), now, None)?;
    }
    let next = reports.last().map_or(cursor, |last| last.saturating_add(1));
    Ok((reports.len(), next))
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
