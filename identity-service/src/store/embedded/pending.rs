//! Members whose wanted state the Platform has not confirmed yet.
//!
//! An unconfirmed member stands in a *stage*: ready (it has an account, so it can be put in or out), waiting (it has none
//! yet) or refused (the Platform said no). Whether it shall be in or out is not stored: that is the membership itself, as
//! it is when the delivery runs.

use redb::ReadableTable;

use super::tables::{Counter, Failed, Tables};
use crate::id::ResourceId;

/// Where an unconfirmed member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    Ready = 0,
    Waiting = 1,
    Refused = 2,
}

impl Stage {
    fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Ready,
            2 => Self::Refused,
            _ => Self::Waiting,
        }
    }
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
    tables.dirty = true;
    let stamp = match stamp {
        Some(stamp) => *stamp,
        None => *stamp.insert(tables.add(tenant, Counter::Stamp, 1)?),
    };
    let stage = match tables.link(tenant, member.as_u128())?.platform_id {
        Some(_) => Stage::Ready,
        None => Stage::Waiting,
    };
    confirm(tables, tenant, group, member)?;
    tables
        .pending
        .insert((tenant, group.as_u128(), stage as u8, member.as_u128()), stamp)?;
    tables
        .pending_of
        .insert((tenant, member.as_u128(), group.as_u128()), stage as u8)?;
    Ok(())
}

/// Notes that there is nothing left to do about a member.
pub(super) fn confirm(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
) -> Result<(), Failed> {
    let stage = tables
        .pending_of
        .remove((tenant, member.as_u128(), group.as_u128()))?
        .map(|stage| stage.value());
    if let Some(stage) = stage {
        tables.dirty = true;
        tables
            .pending
            .remove((tenant, group.as_u128(), stage, member.as_u128()))?;
    }
    Ok(())
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

/// Moves an unconfirmed member to another stage.
pub(super) fn restage(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
    stage: Stage,
) -> Result<(), Failed> {
    let Some(stamp) = stamp(tables, tenant, group, member)? else {
        return Ok(());
    };
    confirm(tables, tenant, group, member)?;
    tables
        .pending
        .insert((tenant, group.as_u128(), stage as u8, member.as_u128()), stamp)?;
    tables
        .pending_of
        .insert((tenant, member.as_u128(), group.as_u128()), stage as u8)?;
    Ok(())
}

/// A group's unconfirmed members of one stage, with their stamps.
pub(super) fn members(
    tables: &Tables<'_>,
    tenant: &str,
    group: ResourceId,
    stage: Stage,
    limit: usize,
) -> Result<Vec<(ResourceId, u64)>, Failed> {
    let range = (tenant, group.as_u128(), stage as u8, 0)..=(tenant, group.as_u128(), stage as u8, u128::MAX);
    let mut members = Vec::new();
    for entry in tables.pending.range(range)?.take(limit) {
        let (key, stamp) = entry?;
        members.push((ResourceId::from_u128(key.value().3), stamp.value()));
    }
    Ok(members)
}

/// The groups in which a member is unconfirmed, with its stage in each.
pub(super) fn groups(
    tables: &Tables<'_>,
    tenant: &str,
    member: ResourceId,
) -> Result<Vec<(ResourceId, Stage)>, Failed> {
    let mut groups = Vec::new();
    for entry in tables
        .pending_of
        .range((tenant, member.as_u128(), 0)..=(tenant, member.as_u128(), u128::MAX))?
    {
        let (key, stage) = entry?;
        groups.push((ResourceId::from_u128(key.value().2), Stage::from_number(stage.value())));
    }
    Ok(groups)
}

/// What was to be done about a deleted user's account is now to be done about its successor's, which is the same.
pub(super) fn rename(tables: &mut Tables<'_>, tenant: &str, old: ResourceId, new: ResourceId) -> Result<(), Failed> {
    let mut stamp = None;
    for (group, _) in groups(tables, tenant, old)? {
        confirm(tables, tenant, group, old)?;
        unconfirm(tables, tenant, group, new, &mut stamp)?;
    }
    Ok(())
}
