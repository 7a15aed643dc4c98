//! A provisioning job: what Entra remembers between cycles, and the cycles themselves.
//!
//! The order of a cycle is Entra's: connection test, users, groups, then references (managers, members). An object
//! that fails goes into the escrow and is evaluated again in the next cycle, by match first if it has no link; the
//! others go on.

mod evaluation;
mod groups;
mod memory;
mod on_demand;
mod outcome;
mod references;
mod users;
mod worker;

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use crate::{
    client::Client,
    directory::Directory,
    error::{Error, Failure},
};
pub(crate) use memory::Memory;
use memory::UserMemory;
pub use on_demand::OnDemandReport;
pub use outcome::{Action, CycleReport, Escrowed, Progress, ProgressFn};
use worker::Worker;

/// A provisioning job for one SCIM endpoint. A cycle that is begun is to be awaited to its end: what it works on is
/// out of the job's memory meanwhile.
pub struct Job {
    client: Client,
    memory: Memory,
    /// Set by a restart: the next cycle reads everything it matches.
    reread: bool,
    progress: Option<ProgressFn>,
}

impl Job {
    /// A job that has never run.
    pub fn new(client: Client) -> Self {
        Self::with_memory(client, Memory::default())
    }

    pub(crate) fn with_memory(client: Client, memory: Memory) -> Self {
        Self {
            client,
            memory,
            reread: false,
            progress: None,
        }
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Calls this for every piece of work that is done from now on.
    pub fn on_progress(&mut self, progress: ProgressFn) {
        self.progress = Some(progress);
    }

    /// The client of the job, with its tally.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The SCIM id that the job has linked to a directory object.
    pub fn linked(&self, object_id: &str) -> Option<&str> {
        let user = self.memory.users.get(object_id).and_then(|user| user.link.as_ref());
        let link = user.or_else(|| self.memory.groups.get(object_id).and_then(|group| group.link.as_ref()));
        link.map(|link| link.id.as_str())
    }

    /// The objects that are to be tried again.
    pub fn escrow(&self) -> impl Iterator<Item = &Escrowed> {
        self.memory.escrow.values()
    }

    /// Forgets links and watermark, as a restart with full reset does: the next cycle matches and reads everything
    /// (R03 or R04, then R05). References already sent are not asked for again, because Entra never asks for them.
    pub fn restart(&mut self) {
        let Memory {
            users, groups, escrow, ..
        } = &mut self.memory;
        for (id, user) in users.iter_mut() {
            user.source = None;
            // A deletion that is still to be done needs its link.
            if !escrow.contains_key(id) {
                user.link = None;
            }
        }
        for (id, group) in groups.iter_mut() {
            group.source = None;
            if !escrow.contains_key(id) {
                group.link = None;
            }
        }
        self.reread = true;
    }

    /// Runs one cycle. The first is the initial cycle; later ones touch only what changed in the directory since,
    /// and what is in the escrow.
    pub async fn cycle(&mut self, directory: &Directory) -> Result<CycleReport, Error> {
        let before = self.client.counts();
        let started = Instant::now();
        let worker = Worker::new(&self.client);
        worker.test_connection().await?;

        let mut report = CycleReport::default();
        let earlier = std::mem::take(&mut self.memory.escrow);
        let reread = std::mem::take(&mut self.reread);
        self.evaluate_users(directory, &worker, &earlier, reread, &mut report)
            .await;
        self.evaluate_groups(directory, &worker, &earlier, reread, &mut report)
            .await;
        self.send_managers(directory, &worker, &mut report).await;
        self.send_members(directory, &worker, &mut report).await;

        for (id, escrowed) in &mut self.memory.escrow {
            escrowed.attempts += earlier.get(id).map_or(0, |earlier| earlier.attempts);
            tracing::debug!(object = %id, attempts = escrowed.attempts, "object in escrow");
        }
        if worker.is_quarantined() {
            return Err(Error::Quarantined);
        }
        let counts = self.client.counts();
        report.requests = counts.requests() - before.requests();
        report.writes = counts.writes() - before.writes();
        report.duration = started.elapsed();
        report.escrow = self.memory.escrow.values().cloned().collect();
        Ok(report)
    }

    fn put_in_escrow(&mut self, kind: &str, id: &str, name: String, attempted: &str, reason: Failure) {
        let escrowed = Escrowed {
            kind: kind.to_owned(),
            object_id: id.to_owned(),
            name,
            attempted: attempted.to_owned(),
            reason,
            attempts: 1,
        };
        // The first failure of a cycle is the telling one.
        self.memory.escrow.entry(id.to_owned()).or_insert(escrowed);
    }

    fn tell(&self, progress: Progress) {
        if let Some(told) = &self.progress {
            told(progress);
        }
    }

    /// The SCIM values that this job has brought about for a user, by path; none if it never provisioned the user.
    pub(crate) fn ledger(&self, object_id: &str) -> Option<&BTreeMap<String, String>> {
        self.memory
            .users
            .get(object_id)
            .map(|memory| &memory.ledger)
            .filter(|ledger| !ledger.is_empty())
    }

    /// Login names of users whom the endpoint still has, and who are nobody's any more.
    pub(crate) fn left_behind(&self) -> &BTreeSet<String> {
        &self.memory.left_behind
    }

    /// The users this job has provisioned and not deleted.
    pub(crate) fn provisioned(&self) -> BTreeSet<&str> {
        self.memory
            .users
            .iter()
            .filter(|(_, user)| !user.ledger.is_empty())
            .map(|(id, _)| id.as_str())
            .collect()
    }
}
