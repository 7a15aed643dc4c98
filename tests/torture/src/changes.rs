//! The change feed, from its beginning: whatever Entra was promised stands in it, once and in order (P1, P3).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result};
use entra_simulator::{Acknowledged, RequestKind};
use proto::identity::v1::{
    Change, ChangeKind, DeliveryState, GetDeliveryRequest, WatchChangesRequest,
    change_service_client::ChangeServiceClient, delivery_service_client::DeliveryServiceClient,
};
use tokio::time::timeout;

use crate::PATIENCE;

/// A watch that is silent for so long has told what there is; it looks by itself once a second.
const SILENCE: Duration = Duration::from_secs(5);

/// The changes of each resource, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Changes(BTreeMap<String, Vec<Change>>);

impl Changes {
    /// Reads all of a tenant's.
    pub(crate) async fn read(identity_url: &str, tenant: &str) -> Result<Self> {
        let connection = service_runtime::connect(identity_url, PATIENCE)?;
        let mut client = ChangeServiceClient::new(connection);
        let request = WatchChangesRequest {
            tenant: tenant.to_owned(),
            resume_token: Some(String::new()),
        };
        let mut feed = client.watch_changes(request).await?.into_inner();
        let mut changes = Self::default();
        // Nothing changes any more, so that a watch that falls silent has told all. (Tokens do not tell: other entries of the log
        // have positions, too.)
        while let Ok(message) = timeout(SILENCE, feed.message()).await {
            let message = message?.context("the change feed ended")?;
            changes.extend(message.change);
        }
        Ok(changes)
    }

    /// Each resource that there ever was, with its changes, oldest first.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, &[Change])> {
        self.0.iter().map(|(id, changes)| (id.as_str(), changes.as_slice()))
    }

    /// What is wrong with the feed by itself, and what was promised and is not in it.
    pub(crate) fn findings(&self, promises: &[Acknowledged]) -> Vec<String> {
        let mut findings: Vec<String> = self
            .0
            .iter()
            .filter_map(|(id, changes)| disorder(id, changes))
            .collect();
        for Acknowledged { kind, id, etag } in promises {
            let changes = self.0.get(id).map_or(&[][..], Vec::as_slice);
            let is_kept = if is_deletion(*kind) {
                is_deleted(changes)
            } else {
                let version = etag.as_deref().and_then(version);
                changes.iter().any(|change| Some(change.version) == version)
            };
            if !is_kept {
                findings.push(format!(
                    "answered with success, and not in the change feed: {kind} {id} {etag:?}"
                ));
            }
        }
        findings
    }

    /// The resources that were not deleted, with their versions.
    fn present(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().filter_map(|(id, changes)| {
            let last = changes.last().filter(|_| !is_deleted(changes))?;
            Some((id.as_str(), last.version))
        })
    }

    /// Resources whose last change is not applied on the Platform, as identity-service itself says; and the ids of all that is
    /// linked there.
    pub(crate) async fn applied(&self, identity_url: &str, tenant: &str) -> Result<(Vec<String>, BTreeSet<String>)> {
        let connection = service_runtime::connect(identity_url, PATIENCE)?;
        let mut client = DeliveryServiceClient::new(connection);
        let (mut findings, mut links) = (Vec::new(), BTreeSet::new());
        for (id, version) in self.present() {
            let request = GetDeliveryRequest {
                tenant: tenant.to_owned(),
                resource_id: id.to_owned(),
            };
            let delivery = client.get_delivery(request).await?.into_inner().delivery;
            let delivery = delivery.context("a delivery was answered without one")?;
            let is_applied = delivery.state() == DeliveryState::Applied
                && delivery.version == version
                && delivery.applied_version == version
                && delivery.pending_members == 0;
            if !is_applied {
                findings.push(format!(
                    "version {version} is the last in the change feed: {delivery:?}"
                ));
            }
            links.extend(delivery.platform_id);
        }
        Ok((findings, links))
    }

    /// How many users and groups there ever were.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of them were deleted without Entra's having heard that it did so.
    pub(crate) fn unheard_deletions(&self, promises: &[Acknowledged]) -> usize {
        let by_entra = promises.iter().filter(|promise| is_deletion(promise.kind));
        let by_entra: BTreeSet<&str> = by_entra.map(|promise| promise.id.as_str()).collect();
        let deleted = self.0.iter().filter(|(_, changes)| is_deleted(changes));
        deleted.filter(|(id, _)| !by_entra.contains(id.as_str())).count()
    }
}

impl Extend<Change> for Changes {
    fn extend<I: IntoIterator<Item = Change>>(&mut self, changes: I) {
        for change in changes {
            self.0.entry(change.resource_id.clone()).or_default().push(change);
        }
    }
}

impl FromIterator<Change> for Changes {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        let mut all = Self::default();
        all.extend(changes);
        all
    }
}

fn is_deletion(kind: RequestKind) -> bool {
    matches!(kind, RequestKind::DeleteUser | RequestKind::DeleteGroup)
}

fn is_deleted(changes: &[Change]) -> bool {
    changes.last().is_some_and(|last| last.kind() == ChangeKind::Deleted)
}

/// A resource is created once, its versions follow one another, and nothing follows its deletion.
fn disorder(id: &str, changes: &[Change]) -> Option<String> {
    let versions: Vec<u64> = changes.iter().map(|change| change.version).collect();
    let kinds: Vec<ChangeKind> = changes.iter().map(Change::kind).collect();
    let last = kinds.len() - 1;
    let in_order = versions.iter().copied().eq(1..=versions.len() as u64)
        && kinds.iter().enumerate().all(|(at, kind)| match kind {
            ChangeKind::Created => at == 0,
            ChangeKind::Deleted => at == last && at > 0,
            ChangeKind::Updated => at > 0,
            ChangeKind::Unspecified => false,
        });
    (!in_order).then(|| format!("the change feed is out of order for {id}: {kinds:?} with versions {versions:?}"))
}

/// The number in a weak entity tag.
fn version(etag: &str) -> Option<u64> {
    etag.strip_prefix("W/\"")?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(of: &[(&str, ChangeKind, u64)]) -> Changes {
        let changes = of.iter().map(|(id, kind, version)| Change {
            kind: *kind as i32,
            resource_id: (*id).to_owned(),
            version: *version,
            ..Change::default()
        });
        changes.collect()
    }

    fn promise(kind: RequestKind, id: &str, etag: Option<&str>) -> Acknowledged {
        Acknowledged {
            kind,
            id: id.to_owned(),
            etag: etag.map(str::to_owned),
        }
    }

    #[test]
    fn a_promise_that_is_not_in_the_feed_is_found() {
        use ChangeKind::{Created, Deleted, Updated};
        let feed = changes(&[
            ("a", Created, 1),
            ("a", Updated, 2),
            ("b", Created, 1),
            ("b", Deleted, 2),
        ]);
        let kept = [
            promise(RequestKind::CreateUser, "a", Some("W/\"1\"")),
            promise(RequestKind::UpdateUser, "a", Some("W/\"2\"")),
            promise(RequestKind::DeleteUser, "b", None),
        ];
        assert_eq!(feed.findings(&kept), [""; 0]);
        for broken in [
            promise(RequestKind::UpdateUser, "a", Some("W/\"3\"")),
            promise(RequestKind::UpdateUser, "a", None),
            promise(RequestKind::DeleteUser, "a", None),
            promise(RequestKind::CreateUser, "c", Some("W/\"1\"")),
        ] {
            assert_eq!(feed.findings(&[broken]).len(), 1);
        }
        assert_eq!(feed.present().collect::<Vec<_>>(), [("a", 2)]);
        assert_eq!(
            (feed.unheard_deletions(&kept), feed.unheard_deletions(&kept[..2])),
            (0, 1)
        );
    }

    #[test]
    fn disorder_is_found() {
        use ChangeKind::{Created, Deleted, Updated};
        for disorder in [
            &[("a", Created, 1), ("a", Updated, 3)][..],
            &[("a", Created, 1), ("a", Updated, 2), ("a", Updated, 2)],
            &[("a", Created, 1), ("a", Created, 2)],
            &[("a", Created, 1), ("a", Deleted, 2), ("a", Updated, 3)],
            &[("a", Updated, 1)],
        ] {
            assert_eq!(changes(disorder).findings(&[]).len(), 1, "{disorder:?}");
        }
    }
}
