//! Groups: the Platform's list, streamed, and each group of ours compared by its name.

use proto::{
    adapter::v1::{ExpectGroupsRequest, ListPlatformGroupsRequest, PlatformGroup},
    resource::v1::Group,
};

use super::{
    DriftKind,
    run::{Run, Stopped, next},
};
use crate::id::{Kind, ResourceId};

impl Run<'_> {
    /// Compares all groups by their names. Gives those that are listed, ascending.
    pub(super) async fn groups(&mut self) -> Result<Vec<ResourceId>, Stopped> {
        let request = ListPlatformGroupsRequest {
            tenant: self.tenant.to_string(),
        };
        let mut list = self
            .shared
            .adapter
            .clone()
            .list_platform_groups(request)
            .await?
            .into_inner();
        let mut seen = Vec::new();
        while let Some(batch) = next(&mut list).await? {
            for some in batch.groups.chunks(super::run::PAGE) {
                self.some_groups(some, &mut seen).await?;
            }
        }
        seen.sort_unstable();
        seen.dedup();
        Ok(seen)
    }

    async fn some_groups(&mut self, listed: &[PlatformGroup], seen: &mut Vec<ResourceId>) -> Result<(), Stopped> {
        let ids: Vec<_> = listed.iter().map(|group| group.platform_id.clone()).collect();
        let owners = self.shared.store.owned(self.tenant, Kind::Group, &ids).await?;
        let (mut groups, mut asked) = (Vec::new(), Vec::new());
        for (listed, owner) in listed.iter().zip(owners) {
            let Some(owner) = owner else {
                self.report.counts.unmanaged_groups += 1;
                continue;
            };
            seen.push(owner.id);
            match owner.record {
                Some(record) if owner.at_rest && self.was_at_rest(&record) => match record.into_message::<Group>() {
                    Ok(group) => {
                        groups.push(group);
                        asked.push((owner.id, listed));
                    }
                    Err(_) => self.report.counts.unreadable += 1,
                },
                // It is skipped where its members would be compared.
                _ => {}
            }
        }
        if groups.is_empty() {
            return Ok(());
        }
        let request = ExpectGroupsRequest {
            tenant: self.tenant.to_string(),
            groups,
        };
        let answer = self.shared.adapter.clone().expect_groups(request).await?.into_inner();
        for ((id, listed), expected) in asked.into_iter().zip(answer.expected) {
            let Some(expected) = expected.group else {
                self.report.counts.unreadable += 1;
                continue;
            };
            if listed.name.trim() != expected.name {
                let repaired = self.redeliver(id, false, false).await?;
                let changed = DriftKind::Changed(vec!["name"]);
                self.found(Kind::Group, id, &listed.platform_id, changed, repaired)
                    .await?;
            }
        }
        Ok(())
    }
}
