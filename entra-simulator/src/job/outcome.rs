//! What a job tells of its work: progress while it goes on, actions and the escrow when a cycle is over.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// How far a long piece of work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, for a person.
    pub phase: &'static str,
    /// Pieces done.
    pub done: usize,
    /// Pieces in all.
    pub total: usize,
}

/// Told of each piece of work that is done.
pub type ProgressFn = Arc<dyn Fn(Progress) + Send + Sync>;

/// What was done for one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It was created.
    Created,
    /// Attributes were changed.
    Updated,
    /// It was disabled.
    Disabled,
    /// It was deleted.
    Deleted,
    /// The endpoint had everything already.
    Unchanged,
    /// It is out of scope, or was disabled before it was ever provisioned.
    Skipped,
}

/// An object that failed and will be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escrowed {
    /// "user" or "group".
    pub kind: String,
    /// Entra's id of the object.
    pub object_id: String,
    /// Its name in the directory.
    pub name: String,
    /// What was attempted.
    pub attempted: String,
    /// Why it failed, the last time.
    pub reason: Failure,
    /// In how many cycles it has failed.
    pub attempts: u32,
}

impl fmt::Display for Escrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {} failed {} time(s): {}",
            self.kind, self.name, self.attempted, self.attempts, self.reason
        )
    }
}

/// What one cycle did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CycleReport {
    /// What this cycle was for; set by the rehearsal.
    pub label: String,
    /// Users by what was done for them; users not evaluated are not counted.
    pub users: BTreeMap<Action, usize>,
    /// Groups by what was done for them.
    pub groups: BTreeMap<Action, usize>,
    /// Managers set or cleared.
    pub managers: usize,
    /// Members put into groups.
    pub members_added: usize,
    /// Members taken out of groups.
    pub members_removed: usize,
    /// Requests of all kinds.
    pub requests: u64,
    /// Requests that change something.
    pub writes: u64,
    /// How long it took.
    pub duration: Duration,
    /// The objects that are to be tried again.
    pub escrow: Vec<Escrowed>,
}
