//! Memberships as sets, both ways.

use std::collections::HashSet;

use jiff::Timestamp;
use redb::ReadableTable;

use super::{
    chores, pending,
    tables::{Failed, Tables},
};
use crate::{
    id::{Kind, ResourceId},
    store::{Chore, MEMBERS_NAMED, MemberChange, MembersChange, WriteError},
};

/// Which members came and went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) added: u64,
    pub(super) removed: u64,
    /// As many as the log may name, and one more.
    came: Vec<ResourceId>,
    /// All who went.
    pub(super) gone: Vec<ResourceId>,
}

impl Moved {
    pub(super) fn came(&mut self, member: ResourceId) {
        self.added += 1;
        if self.came.len() <= MEMBERS_NAMED {
            self.came.push(member);
        }
    }

    pub(super) fn went(&mut self, member: ResourceId) {
        self.removed += 1;
        self.gone.push(member);
    }

    /// One that went alone.
    pub(super) fn left(member: ResourceId) -> Self {
        let mut moved = Self::default();
        moved.went(member);
        moved
    }

    /// What the log tells of it.
    pub(super) fn told(mut self) -> Option<MembersChange> {
        let all = self.added + self.removed;
        if all == 0 {
            return None;
        }
        let ids_left_out = all > MEMBERS_NAMED as u64;
        if ids_left_out {
            self.came.clear();
            self.gone.clear();
        }
        self.came.sort_unstable();
        self.gone.sort_unstable();
        Some(MembersChange {
            added: self.added,
            removed: self.removed,
            added_ids: self.came,
            removed_ids: self.gone,
            ids_left_out,
        })
    }
}

/// What each id is, or which of them cannot be a member.
pub(super) fn check(
    tables: &Tables<'_>,
    tenant: &str,
    ids: &[ResourceId],
    keep_unknown: bool,
) -> Result<Result<Vec<u8>, WriteError>, Failed> {
    let mut kinds = Vec::with_capacity(ids.len());
    for id in ids {
        let is = |kind: Kind| Ok::<_, Failed>(tables.records.get((tenant, kind.number(), id.as_u128()))?.is_some());
        if is(Kind::User)? {
            kinds.push(Kind::User.number());
        } else if is(Kind::Group)? {
            return Ok(Err(WriteError::NestedGroup(*id)));
        } else if keep_unknown {
            kinds.push(0);
        } else {
            return Ok(Err(WriteError::UnknownMember(*id)));
        }
    }
    Ok(Ok(kinds))
}

/// Applies a change that was checked; `kinds` are those of `change.add`.
pub(super) fn apply(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    change: &MemberChange,
    kinds: &[u8],
) -> Result<Moved, Failed> {
    let mut moved = Moved::default();
    let mut stamp = None;
    let mut out = change.remove.clone();
    if change.replace {
        let stay: HashSet<ResourceId> = change.add.iter().copied().collect();
        out = all(tables, tenant, group)?
            .into_iter()
            .filter(|member| !stay.contains(member))
            .collect();
    }
    for (member, kind) in change.add.iter().zip(kinds) {
        let key = (tenant, group.as_u128(), member.as_u128());
        if tables.members.get(key)?.is_some() {
            continue;
        }
        tables.members.insert(key, kind)?;
        tables
            .groups_of
            .insert((tenant, member.as_u128(), group.as_u128()), ())?;
        moved.came(*member);
        pending::join(tables, tenant, group, *member, *kind != 0, &mut stamp)?;
    }
    for member in out {
        if tables
            .members
            .remove((tenant, group.as_u128(), member.as_u128()))?
            .is_none()
        {
            continue;
        }
        tables.groups_of.remove((tenant, member.as_u128(), group.as_u128()))?;
        moved.went(member);
        pending::leave(tables, tenant, group, member, &mut stamp)?;
    }
    Ok(moved)
}

/// Takes a deleted resource out of every group; gives the groups.
pub(super) fn leave_all(tables: &mut Tables<'_>, tenant: &str, member: ResourceId) -> Result<Vec<ResourceId>, Failed> {
    let groups = groups_of(tables, tenant, member)?;
    let mut stamp = None;
    // Nor is it in one any more that is gone and may be brought back.
    for group in every_group(tables, tenant, member)? {
        tables.members.remove((tenant, group, member.as_u128()))?;
        tables.groups_of.remove((tenant, member.as_u128(), group))?;
        pending::leave(tables, tenant, ResourceId::from_u128(group), member, &mut stamp)?;
    }
    Ok(groups)
}

/// Removes all traces of a deleted group's members, a batch now and the rest by and by.
pub(super) fn dissolve(tables: &mut Tables<'_>, tenant: &str, group: ResourceId, now: Timestamp) -> Result<(), Failed> {
    chores::begin(tables, tenant, Chore::Dissolve, group, now)
}

/// Every member of a group.
pub(super) fn all(tables: &Tables<'_>, tenant: &str, group: ResourceId) -> Result<Vec<ResourceId>, Failed> {
    let mut members = Vec::new();
    for entry in tables
        .members
        .range((tenant, group.as_u128(), 0)..=(tenant, group.as_u128(), u128::MAX))?
    {
        members.push(ResourceId::from_u128(entry?.0.value().2));
    }
    Ok(members)
}

/// Makes a membership the other one; gives by how much the group grew.
pub(super) fn flip(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    member: ResourceId,
) -> Result<i64, Failed> {
    let key = (tenant, group.as_u128(), member.as_u128());
    if tables.members.remove(key)?.is_some() {
        tables.groups_of.remove((tenant, member.as_u128(), group.as_u128()))?;
        return Ok(-1);
    }
    // Who is gone is put in nowhere.
    if tables
        .records
        .get((tenant, Kind::User.number(), member.as_u128()))?
        .is_none()
    {
        return Ok(0);
    }
    tables.members.insert(key, Kind::User.number())?;
    tables
        .groups_of
        .insert((tenant, member.as_u128(), group.as_u128()), ())?;
    Ok(1)
}

fn every_group(tables: &Tables<'_>, tenant: &str, member: ResourceId) -> Result<Vec<u128>, Failed> {
    let range = (tenant, member.as_u128(), 0)..=(tenant, member.as_u128(), u128::MAX);
    let mut groups = Vec::new();
    for entry in tables.groups_of.range(range)? {
        groups.push(entry?.0.value().2);
    }
    Ok(groups)
}

/// Every group of a member.
pub(super) fn groups_of(tables: &Tables<'_>, tenant: &str, member: ResourceId) -> Result<Vec<ResourceId>, Failed> {
    let mut groups = Vec::new();
    for group in every_group(tables, tenant, member)? {
        // What a deleted group left is still to be swept.
        if tables.records.get((tenant, Kind::Group.number(), group))?.is_some() {
            groups.push(ResourceId::from_u128(group));
        }
    }
    Ok(groups)
}
