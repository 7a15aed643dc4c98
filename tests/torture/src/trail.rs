//! The audit trail, from its beginning: it tells of every change there was, who asked for it, and what became of it on the
//! Platform. It is held against the change feed, which is held against what Entra was promised.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use proto::identity::v1::{
    AuditEntry, AuditOutcome, ChangeKind, ChangeRecord, ExportAuditRequest, OutcomeRecord, audit_entry::Record,
    audit_service_client::AuditServiceClient,
};

use crate::{PATIENCE, changes::Changes};

/// What the trail tells of one resource, oldest first.
#[derive(Debug, Default)]
struct Told {
    changes: Vec<ChangeRecord>,
    /// The outcomes, each with how many changes stood before it.
    outcomes: Vec<(usize, OutcomeRecord)>,
}

/// The entries by resource.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    told: BTreeMap<String, Told>,
    positions: Vec<String>,
}

impl Trail {
    /// Reads all of a tenant's.
    pub(crate) async fn read(identity_url: &str, tenant: &str) -> Result<Self> {
        let connection = service_runtime::connect(identity_url, PATIENCE)?;
        let request = ExportAuditRequest {
            tenant: tenant.to_owned(),
            ..ExportAuditRequest::default()
        };
        let mut export = AuditServiceClient::new(connection)
            .export_audit(request)
            .await?
            .into_inner();
        let mut trail = Self::default();
        while let Some(message) = export.message().await? {
            trail.add(message.entry.context("the trail has an entry that is empty")?);
        }
        Ok(trail)
    }

    fn add(&mut self, entry: AuditEntry) {
        self.positions.push(entry.position);
        match entry.record {
            Some(Record::Change(change)) => {
                let told = self.told.entry(change.resource_id.clone()).or_default();
                told.changes.push(change);
            }
            Some(Record::Outcome(outcome)) => {
                let told = self.told.entry(outcome.resource_id.clone()).or_default();
                told.outcomes.push((told.changes.len(), outcome));
            }
            Some(Record::OperatorAct(_)) | None => {}
        }
    }

    /// The resources that it tells of.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.told.keys().map(String::as_str)
    }

    /// The credentials by which changes were asked for.
    pub(crate) fn credentials(&self) -> BTreeSet<String> {
        let changes = self.told.values().flat_map(|told| &told.changes);
        changes.filter_map(|change| change.origin.clone()?.credential).collect()
    }

    /// All that it tells of changes, as text: values too, where the tenant has them told.
    pub(crate) fn text(&self) -> String {
        let changes = self.told.values().flat_map(|told| &told.changes);
        changes.map(|change| format!("{change:?}\n")).collect()
    }

    /// What the trail does not tell. Everything is applied, and nothing is left to be done.
    pub(crate) fn findings(&self, feed: &Changes) -> Vec<String> {
        let mut findings = Vec::new();
        if self.positions.windows(2).any(|two| two[0] == two[1]) {
            findings.push("two entries have one position".to_owned());
        }
        let known: BTreeSet<&str> = feed.each().map(|(id, _)| id).collect();
        for id in self.told.keys().filter(|id| !known.contains(id.as_str())) {
            findings.push(format!("it tells of {id}, of which the feed does not"));
        }
        for (id, changes) in feed.each() {
            let nothing = Told::default();
            let told = self.told.get(id).unwrap_or(&nothing);
            let of_feed = changes.iter().map(|change| (change.kind, change.version));
            if !told
                .changes
                .iter()
                .map(|change| (change.kind, change.version))
                .eq(of_feed)
            {
                findings.push(format!(
                    "of {id} it tells other changes than the feed: {:?}",
                    told.changes
                ));
            }
            findings.extend(told.changes.iter().filter_map(of_nobody));
            findings.extend(told.end(id));
        }
        findings
    }
}

impl Told {
    /// What is wrong with the end of it: the last version was applied, and so was the removal of what had ever been applied.
    fn end(&self, id: &str) -> Option<String> {
        let last = self.changes.last()?;
        let applied = |from: usize| {
            let later = self.outcomes.iter().filter(move |(after, _)| *after >= from);
            later
                .map(|(_, outcome)| outcome)
                .filter(|outcome| outcome.outcome() == AuditOutcome::Applied)
        };
        let is_told = if last.kind() == ChangeKind::Deleted {
            applied(0).next().is_none() || applied(self.changes.len()).next().is_some()
        } else {
            applied(0).any(|outcome| outcome.to_version == last.version)
        };
        (!is_told).then(|| {
            let outcomes = &self.outcomes;
            format!(
                "of {id} it does not tell that version {} was applied: {outcomes:?}",
                last.version
            )
        })
    }
}

/// Every change of a campaign is asked for by Entra, with a credential.
fn of_nobody(change: &ChangeRecord) -> Option<String> {
    let origin = change.origin.clone().unwrap_or_default();
    let is_told = origin.credential.is_some() && origin.request_id.is_some();
    (!is_told).then(|| {
        let ChangeRecord {
            resource_id, version, ..
        } = change;
        format!("it does not tell who asked for version {version} of {resource_id}: {origin:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::identity::v1::{Change, Origin};

    fn change(kind: ChangeKind, version: u64) -> ChangeRecord {
        let origin = Origin {
            credential: Some("bearer-1".to_owned()),
            request_id: Some("r".to_owned()),
            ..Origin::default()
        };
        ChangeRecord {
            kind: kind as i32,
            resource_id: "a".to_owned(),
            version,
            origin: Some(origin),
            ..ChangeRecord::default()
        }
    }

    fn applied(to_version: u64) -> OutcomeRecord {
        OutcomeRecord {
            outcome: AuditOutcome::Applied as i32,
            resource_id: "a".to_owned(),
            to_version,
            ..OutcomeRecord::default()
        }
    }

    fn findings(entries: impl IntoIterator<Item = Record>, feed: &[(ChangeKind, u64)]) -> usize {
        let mut trail = Trail::default();
        for (position, record) in entries.into_iter().enumerate() {
            trail.add(AuditEntry {
                position: position.to_string(),
                record: Some(record),
                ..AuditEntry::default()
            });
        }
        let feed = feed.iter().map(|(kind, version)| Change {
            kind: *kind as i32,
            resource_id: "a".to_owned(),
            version: *version,
            ..Change::default()
        });
        trail.findings(&feed.collect()).len()
    }

    #[test]
    fn a_whole_trail_is_without_findings_and_each_gap_is_one() {
        use ChangeKind::{Created, Deleted, Updated};
        let (created, updated, deleted) = (change(Created, 1), change(Updated, 2), change(Deleted, 3));
        let feed = [(Created, 1), (Updated, 2), (Deleted, 3)];
        let whole = || {
            [
                Record::Change(created.clone()),
                Record::Outcome(applied(1)),
                Record::Change(updated.clone()),
                Record::Outcome(applied(2)),
                Record::Change(deleted.clone()),
                Record::Outcome(applied(3)),
            ]
        };
        assert_eq!(findings(whole(), &feed), 0);
        assert_eq!(findings(whole().into_iter().take(4), &feed[..2]), 0);
        for (missing, what) in [(2, "a change"), (5, "the removal")] {
            let entries = whole().into_iter().enumerate().filter(|(at, _)| *at != missing);
            assert_eq!(findings(entries.map(|(_, entry)| entry), &feed), 1, "{what}");
        }
        assert_eq!(findings(whole().into_iter().take(3), &feed[..2]), 1, "the last version");
        let never = [Record::Change(created.clone()), Record::Change(change(Deleted, 2))];
        assert_eq!(findings(never, &[(Created, 1), (Deleted, 2)]), 0, "it was never there");
        let mut nobodys = created.clone();
        nobodys.origin = None;
        assert_eq!(
            findings([Record::Change(nobodys), Record::Outcome(applied(1))], &feed[..1]),
            1
        );
    }
}
