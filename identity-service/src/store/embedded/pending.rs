//! Members whose wanted state the Platform has not confirmed yet.
//!
//! An unconfirmed member stands in a *stage*: ready (it has an account, so it can be put in or out), waiting (it has none
//! yet) or refused (the Platform said no, in that round). When refused members are to be tried again the group's round
//! moves on, and those of earlier rounds count as ready: none of them needs to be touched. Whether a member shall be in or
//! out is not stored: that is the membership itself, as it is when the delivery runs.

use redb::ReadableTable;

use super::tables::{Counter, Failed, Tables};
use crate::{id::ResourceId, store::Stage};

/// Notes that a member came. One that is no resource has no account, even if a tombstone of the id still has one.
pub(super) fn join(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
    known: bool,
    stamp: &mut Option<u64>,
) -> Result<(), Failed> {
    if known {
        return unconfirm(tables, tenant, group, member, stamp);
    }
    let stamp = stamp_of(tables, tenant, stamp)?;
    stand(tables, tenant, group, member, Stage::Waiting, stamp)
}

/// Notes that a member left. One without an account was never put in, so there is nothing to take out: noting it would
/// keep the group waiting for an account that may never be.
pub(super) fn leave(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
    stamp: &mut Option<u64>,
) -> Result<(), Failed> {
    match tables.link(tenant, member.as_u128())?.platform_id {
        Some(_) => unconfirm(tables, tenant, group, member, stamp),
        None => confirm(tables, tenant, group, member),
    }
}

/// Notes that a member's state on the Platform is not what is wanted, or not known to be.
pub(super) fn unconfirm(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
    stamp: &mut Option<u64>,
) -> Result<(), Failed> {
    let stamp = stamp_of(tables, tenant, stamp)?;
    let stage = match tables.link(tenant, member.as_u128())?.platform_id {
        Some(_) => Stage::Ready,
        None => Stage::Waiting,
    };
    stand(tables, tenant, group, member, stage, stamp)
}

/// The stamp that the members of one step share.
fn stamp_of(tables: &mut Tables<'_>, tenant: &str, stamp: &mut Option<u64>) -> Result<u64, Failed> {
    match stamp {
        Some(stamp) => Ok(*stamp),
        None => Ok(*stamp.insert(tables.add(tenant, Counter::Stamp, 1)?)),
    }
}

/// Puts an unconfirmed member into a stage.
pub(super) fn stand(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
    stage: Stage,
    stamp: u64,
) -> Result<(), Failed> {
    confirm(tables, tenant, group, member)?;
    let (group, member, stage) = (group.as_u128(), member.as_u128(), stage.number());
    tables.dirty = true;
    tables.pending.insert((tenant, group, stage, member), stamp)?;
    tables.pending_of.insert((tenant, member, group), stage)?;
    let count = count(&tables.pending_counts, tenant, group)? + 1;
    tables.pending_counts.insert((tenant, group), count)?;
    Ok(())
}

/// Notes that there is nothing left to do about a member.
pub(super) fn confirm(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
) -> Result<(), Failed> {
    let (group, member) = (group.as_u128(), member.as_u128());
    let stage = tables
        .pending_of
        .remove((tenant, member, group))?
        .map(|stage| stage.value());
    let Some(stage) = stage else { return Ok(()) };
    tables.dirty = true;
    tables.pending.remove((tenant, group, stage, member))?;
    match count(&tables.pending_counts, tenant, group)?.saturating_sub(1) {
        0 => drop(tables.pending_counts.remove((tenant, group))?),
        count => drop(tables.pending_counts.insert((tenant, group), count)?),
    }
    Ok(())
}

/// How many of a group's members are unconfirmed.
pub(super) fn count(
    counts: &impl ReadableTable<(&'static str, u128), u64>,
    tenant: &str,
    group: u128,
) -> Result<u64, Failed> {
    Ok(counts.get((tenant, group))?.map_or(0, |count| count.value()))
}

/// The stamp under which a member is unconfirmed, if it is.
pub(super) fn stamp(
    tables: &Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
) -> Result<Option<u64>, Failed> {
    let Some(stage) = tables
        .pending_of
        .get((tenant, member.as_u128(), group.as_u128()))?
        .map(|stage| stage.value())
    else {
        return Ok(None);
    };
    Ok(tables
        .pending
        .get((tenant, group.as_u128(), stage, member.as_u128()))?
        .map(|stamp| stamp.value()))
}

/// Where a member stands, and its stamp, if it is unconfirmed.
pub(super) fn stage(
    pending: &impl ReadableTable<(&'static str, u128, u64, u128), u64>,
    pending_of: &impl ReadableTable<(&'static str, u128, u128), u64>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
) -> Result<Option<(Stage, u64)>, Failed> {
    let Some(stage) = pending_of.get((tenant, member.as_u128(), group.as_u128()))? else {
        return Ok(None);
    };
    let stage = stage.value();
    let stamp = pending.get((tenant, group.as_u128(), stage, member.as_u128()))?;
    Ok(stamp.map(|stamp| (Stage::from_number(stage), stamp.value())))
}

/// The stamp under which the Platform refused a member, if it did.
pub(super) fn refused_stamp(
    tables: &Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
) -> Result<Option<u64>, Failed> {
    let stage = stage(&tables.pending, &tables.pending_of, tenant, group, member)?;
    Ok(stage.and_then(|(stage, stamp)| matches!(stage, Stage::Refused(_)).then_some(stamp)))
}

/// Moves an unconfirmed member to another stage.
pub(super) fn restage(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
    stage: Stage,
) -> Result<(), Failed> {
    match stamp(tables, tenant, group, member)? {
        Some(stamp) => stand(tables, tenant, group, member, stage, stamp),
        None => Ok(()),
    }
}

/// A group's unconfirmed members that can be put in or out in this round, with their stamps.
pub(super) fn ready(
    pending: &impl ReadableTable<(&'static str, u128, u64, u128), u64>,
    tenant: &str,
    group: ResourceId,
    round: u64,
    limit: usize,
) -> Result<Vec<(ResourceId, u64)>, Failed> {
    let group = group.as_u128();
    let fresh = (tenant, group, Stage::Ready.number(), 0)..=(tenant, group, Stage::Ready.number(), u128::MAX);
    let refused_before =
        (tenant, group, Stage::Refused(0).number(), 0)..(tenant, group, Stage::Refused(round).number(), 0);
    let mut members = Vec::new();
    for entry in pending.range(fresh)?.chain(pending.range(refused_before)?).take(limit) {
        let (key, stamp) = entry?;
        members.push((ResourceId::from_u128(key.value().3), stamp.value()));
    }
    Ok(members)
}

/// Whether a group has unconfirmed members in a stage.
pub(super) fn has(tables: &Tables<'_>, tenant: &str, group: ResourceId, stage: Stage) -> Result<bool, Failed> {
    let (group, stage) = (group.as_u128(), stage.number());
    let mut members = tables
        .pending
        .range((tenant, group, stage, 0)..=(tenant, group, stage, u128::MAX))?;
    Ok(members.next().transpose()?.is_some())
}

/// The groups in which a member is unconfirmed, be they deleted.
pub(super) fn groups(tables: &Tables<'_>, tenant: &str, member: ResourceId) -> Result<Vec<ResourceId>, Failed> {
    let mut groups = Vec::new();
    for entry in tables
        .pending_of
        .range((tenant, member.as_u128(), 0)..=(tenant, member.as_u128(), u128::MAX))?
    {
        groups.push(ResourceId::from_u128(entry?.0.value().2));
    }
    Ok(groups)
}

/// What was to be done about a deleted user's account is now to be done about its successor's, which is the same.
pub(super) fn rename(tables: &mut Tables<'_>, tenant: &str, old: ResourceId, new: ResourceId) -> Result<(), Failed> {
    let mut stamp = None;
    for group in groups(tables, tenant, old)? {
        confirm(tables, tenant, group, old)?;
        unconfirm(tables, tenant, group, new, &mut stamp)?;
    }
    Ok(())
}
