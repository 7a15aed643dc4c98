//! Members: the Platform's list of each group, and the set that was applied, walked side by side.

use std::iter::Peekable;

use jiff::Timestamp;
use proto::{
    adapter::v1::{ListPlatformGroupMembersRequest, RemovePlatformGroupMembersRequest},
    error::{Details, ErrorReason},
};

use super::{
    DriftKind,
    report::MOST_FOREIGN,
    run::{PAGE, Run, Stopped, next},
};
use crate::{
    id::{Kind, ResourceId},
    record::Record,
    store::{From, MOVED_AT_ONCE},
};

/// How many foreign members one comparison takes out of a group; the rest is the next one's.
const MOST_REMOVED: usize = 1_000;
/// How many are taken out by one call: each is looked at first, and all of that at the pace of calls that can wait.
const REMOVED_AT_ONCE: usize = 20;

/// What the Platform says of a group's members.
#[derive(Default)]
struct Listed {
    /// The users and tombstones whose accounts are in, ascending, each once.
    ours: Vec<ResourceId>,
    foreign: u64,
    /// The accounts among them, up to a number.
    foreign_accounts: Vec<String>,
}

/// How the members differ.
#[derive(Default)]
struct Differing {
    missing: Vec<ResourceId>,
    extra: Vec<ResourceId>,
}

impl Run<'_> {
    /// Compares the members of every group that is listed.
    pub(super) async fn memberships(&mut self, listed: &[ResourceId]) -> Result<(), Stopped> {
        let mut from = From::Offset(0);
        loop {
            let page = self.shared.store.list(self.tenant, Kind::Group, from, PAGE).await?;
            let last = page.last().filter(|_| page.len() == PAGE).map(|group| group.id);
            for group in page {
                if listed.binary_search(&group.id).is_ok() {
                    self.members_of(&group).await?;
                }
            }
            match last {
                Some(last) => from = From::After(last),
                None => return Ok(()),
            }
        }
    }

    async fn members_of(&mut self, group: &Record) -> Result<(), Stopped> {
        let Some(platform_id) = self.object(group).await? else {
            self.report.counts.skipped += 1;
            return Ok(());
        };
        let listed = match self.listed_members(&platform_id).await {
            Ok(listed) => listed,
            Err(Stopped::List { reason, .. }) if is_about_group(reason) => {
                self.report.counts.unreadable += 1;
                return Ok(());
            }
            Err(stopped) => return Err(stopped),
        };
        let differing = self.differing(group.id, &listed.ours).await?;
        // What changed meanwhile is on its way, and says nothing of another's hand.
        if self.object(group).await?.is_none() {
            self.report.counts.skipped += 1;
            return Ok(());
        }
        self.report.counts.groups += 1;
        self.report.counts.members += listed.ours.len() as u64 + listed.foreign;
        self.tell_members(group, &platform_id, listed, differing).await
    }

    /// Reads the Platform's list of a group's members.
    async fn listed_members(&self, platform_id: &str) -> Result<Listed, Stopped> {
        let request = ListPlatformGroupMembersRequest {
            tenant: self.tenant.to_string(),
            platform_id: platform_id.to_owned(),
        };
        let list = self.shared.adapter.clone().list_platform_group_members(request).await;
        let (mut list, mut listed) = (list?.into_inner(), Listed::default());
        while let Some(batch) = next(&mut list).await? {
            listed.foreign += u64::try_from(batch.others).unwrap_or(0);
            let owners = self
                .shared
                .store
                .owned(self.tenant, Kind::User, &batch.user_ids)
                .await?;
            for (platform_id, owner) in batch.user_ids.into_iter().zip(owners) {
                match owner {
                    Some(owner) => listed.ours.push(owner.id),
                    None => {
                        listed.foreign += 1;
                        if listed.foreign_accounts.len() < MOST_REMOVED {
                            listed.foreign_accounts.push(platform_id);
                        }
                    }
                }
            }
        }
        listed.ours.sort_unstable();
        listed.ours.dedup();
        Ok(listed)
    }

    /// Walks the members as they are wanted beside those that are listed: both ascend.
    async fn differing(&self, group: ResourceId, listed: &[ResourceId]) -> Result<Differing, Stopped> {
        let mut differing = Differing::default();
        let mut listed = listed.iter().copied().peekable();
        let mut after = None;
        loop {
            let page = self.shared.store.members(self.tenant, group, after, PAGE).await?;
            for member in &page {
                differing.extra.extend(before(&mut listed, member.id));
                let is_in = listed.next_if_eq(&member.id).is_some();
                // A kept id that is no resource has no account; who is gone is put in again with a new one.
                if !is_in && member.kind.is_some() && self.should_be_in(member.id) {
                    differing.missing.push(member.id);
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.id),
                _ => break,
            }
        }
        differing.extra.extend(listed);
        differing.extra.retain(|id| !self.was_pending(*id));
        Ok(differing)
    }

    fn should_be_in(&self, member: ResourceId) -> bool {
        !self.was_pending(member) && self.users_gone.binary_search(&member).is_err()
    }

    async fn tell_members(
        &mut self,
        group: &Record,
        platform_id: &str,
        listed: Listed,
        differing: Differing,
    ) -> Result<(), Stopped> {
        let Differing { missing, extra } = differing;
        let counts = (missing.len() as u64, extra.len() as u64);
        // Who is to be taken out counts for the alarm, whoever it is.
        let foreign = if self.report.removes_foreign { listed.foreign } else { 0 };
        let sharp = self.alarm(
            Kind::Group,
            Some(group.id),
            group.member_count,
            counts.0,
            counts.1 + foreign,
        );
        let repaired = self.repairs(sharp);
        if repaired {
            for some in [&missing, &extra]
                .into_iter()
                .flat_map(|some| some.chunks(MOVED_AT_ONCE))
            {
                let store = &self.shared.store;
                store
                    .doubt_members(self.tenant, group.id, some, self.origin.as_ref(), Timestamp::now())
                    .await?;
            }
            self.shared.wake.ring();
        }
        let missing = missing.into_iter().map(DriftKind::MemberMissing);
        for kind in missing.chain(extra.into_iter().map(DriftKind::MemberExtra)) {
            self.found(Kind::Group, group.id, platform_id, kind, repaired).await?;
        }
        if listed.foreign > 0 {
            let mut some = listed.foreign_accounts;
            let removed = if repaired {
                self.remove_foreign(group.id, platform_id, &some).await?
            } else {
                0
            };
            some.truncate(MOST_FOREIGN);
            let foreign = DriftKind::ForeignMembers(listed.foreign, removed, some);
            let all = removed == listed.foreign;
            self.found(Kind::Group, group.id, platform_id, foreign, all).await?;
        }
        Ok(())
    }

    /// Takes accounts that are not ours out of a group, where the tenant wants that; gives how many. It is no delivery: no
    /// resource of ours wants it. A pause holds it up, too. What fails is found again by the next comparison.
    async fn remove_foreign(&self, group: ResourceId, platform_id: &str, accounts: &[String]) -> Result<u64, Stopped> {
        let (store, tenant) = (&self.shared.store, self.tenant);
        let wanted = self.report.removes_foreign && !accounts.is_empty();
        if !wanted || store.pause(tenant).await?.is_some() {
            return Ok(0);
        }
        let (origin, now) = (self.origin.as_ref(), Timestamp::now());
        store.log_repair(tenant, group, origin, now).await?;
        let mut removed = 0;
        for some in accounts.chunks(REMOVED_AT_ONCE) {
            // One of them may have become ours meanwhile.
            let owners = store.owned(tenant, Kind::User, some).await?;
            let foreign = some.iter().zip(owners).filter(|(_, owner)| owner.is_none());
            let request = RemovePlatformGroupMembersRequest {
                tenant: tenant.to_string(),
                resource_id: group.to_string(),
                platform_id: platform_id.to_owned(),
                user_ids: foreign.map(|(id, _)| id.clone()).collect(),
            };
            let asked = request.user_ids.len();
            let mut adapter = self.shared.adapter.clone();
            match adapter.remove_platform_group_members(request).await {
                Ok(answer) => removed += asked.saturating_sub(answer.into_inner().refused.len()) as u64,
                Err(status) => {
                    let reason = Details::of(&status).map_or("unreachable", |details| details.reason.name());
                    tracing::warn!(scim.tenant = %tenant, scim.resource.id = %group, reason, "foreign members stay in");
                    break;
                }
            }
        }
        Ok(removed)
    }
}

/// Those that come before an id.
fn before<I: Iterator<Item = ResourceId>>(listed: &mut Peekable<I>, id: ResourceId) -> Vec<ResourceId> {
    std::iter::from_fn(|| listed.next_if(|one| *one < id)).collect()
}

/// Whether a list failed for a reason of this group's, and others may be read.
fn is_about_group(reason: &str) -> bool {
    use ErrorReason::{PlatformNotExposed, PlatformRefused};
    [PlatformNotExposed, PlatformRefused]
        .into_iter()
        .any(|one| one.name() == reason)
}
