//! How much of each there is: in a file, in its last line, in a store.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::{Kind, Tenant},
    store::{Entry, MOVED_AT_ONCE, Store, StoreError},
};

/// How many entries of each kind; memberships and unconfirmed members are counted one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Users.
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Members of groups.
    pub memberships: u64,
    /// Links to Platform objects.
    pub links: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Members whose wanted state is not confirmed.
    pub unconfirmed: u64,
    /// Pieces of work.
    pub work: u64,
    /// Resources that wait for another.
    pub waiting: u64,
    /// What is left to be done in batches.
    pub chores: u64,
}

impl Counts {
    /// Counts an entry.
    pub fn add(&mut self, entry: &Entry) {
        let (count, by) = match entry {
            Entry::Counters { .. } | Entry::Import(_) => return,
            Entry::Resource(record) if record.kind == Kind::User => (&mut self.users, 1),
            Entry::Resource(_) => (&mut self.groups, 1),
            Entry::Members { members, .. } => (&mut self.memberships, members.len()),
            Entry::Link { .. } => (&mut self.links, 1),
            Entry::Tombstone { .. } => (&mut self.tombstones, 1),
            Entry::Unconfirmed { members, .. } => (&mut self.unconfirmed, members.len()),
            Entry::Work { .. } => (&mut self.work, 1),
            Entry::Waiting { .. } => (&mut self.waiting, 1),
            Entry::Chore { .. } => (&mut self.chores, 1),
        };
        *count += by as u64;
    }

    /// Counts what is in a store, entry by entry; `looked` hears how many there were so far.
    pub(super) async fn of(store: &dyn Store, tenant: &Tenant, looked: impl Fn(&Self)) -> Result<Self, StoreError> {
        let (mut counts, mut after) = (Self::default(), None);
        loop {
            let (entries, next) = store.export(tenant, after, MOVED_AT_ONCE).await?;
            entries.iter().for_each(|entry| counts.add(entry));
            looked(&counts);
            match next {
                Some(_) => after = next,
                None => return Ok(counts),
            }
        }
    }

    /// All of them.
    pub(super) fn total(&self) -> u64 {
        self.rows().iter().map(|(_, count)| count).sum()
    }

    fn rows(&self) -> [(&'static str, u64); 9] {
        [
            ("users", self.users),
            ("groups", self.groups),
            ("memberships", self.memberships),
            ("links", self.links),
            ("tombstones", self.tombstones),
            ("unconfirmed members", self.unconfirmed),
            ("pieces of work", self.work),
            ("waiting", self.waiting),
            ("chores", self.chores),
        ]
    }
}

/// A line for each kind.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows()
            .iter()
            .try_for_each(|(name, count)| writeln!(f, "{name:20} {count:>12}"))
    }
}
