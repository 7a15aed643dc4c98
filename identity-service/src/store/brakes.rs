//! The brakes: how many accounts and memberships may go in an hour, for accidents that a person should look at first. What is
//! beyond is *held*: kept as it is wanted, and not delivered before somebody releases it.
//!
//! A brake is looked at in the step that makes the change, so that what counts is what was asked for, not when the Platform
//! could be reached.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::Kind;

/// How many members one change must take out, at least, to count.
pub const MANY_MEMBERS: u64 = 20;
/// The share of a group's members that one change must take out to count, in percent.
pub const MANY_MEMBERS_PERCENT: u64 = 20;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Brake {
    /// Users and groups deleted, and members taken out of a group by the many.
    Removals,
    /// Users who may no longer be used.
    Deactivations,
    /// Users and groups deleted while the Platform's list of them is not believed. It counts nothing, and comes on when the removal is
    /// delivered, not when it is asked for.
    Alarm,
}

impl Brake {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Removals, Self::Deactivations, Self::Alarm];

    /// The brake's name, in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Removals => "removals",
            Self::Deactivations => "deactivations",
            Self::Alarm => "alarm",
        }
    }
}

/// How many are let through in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many in any case.
    pub least: u64,
    /// Or this share of the tenant's users, where that is more.
    pub percent: u64,
}

impl Limit {
    /// The limit where there are so many users.
    pub fn of(self, users: u64) -> u64 {
        self.least.max(users.saturating_mul(self.percent) / 100)
    }
}

/// The brakes of a tenant; one that is absent lets everything through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Brakes {
    /// See [`Brake::Removals`].
    pub removals: Option<Limit>,
    /// See [`Brake::Deactivations`].
    pub deactivations: Option<Limit>,
}

/// Whether the person may be used before and after a write; of a group, `true` both times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usable {
    /// Before the write; of what is created, `false`.
    pub before: bool,
    /// After the write; of what is deleted, `false`.
    pub after: bool,
}

impl Usable {
    /// Nothing about it changes.
    pub const ALWAYS: Self = Self {
        before: true,
        after: true,
    };

    /// Whether the write takes the right away.
    pub fn ends(self) -> bool {
        self.before && !self.after
    }
}

/// How many members a deletion or a change of members counts for; 0 when it does not count.
pub(super) fn weight(kind: Kind, members: u64, out: u64, deletes: bool) -> u64 {
    let many = out >= MANY_MEMBERS && out.saturating_mul(100) > members.saturating_mul(MANY_MEMBERS_PERCENT);
    match (kind, deletes) {
        (Kind::User, _) => u64::from(deletes),
        (Kind::Group, _) if many => out,
        (Kind::Group, deletes) => u64::from(deletes),
    }
}

/// Why nothing of a tenant is delivered for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Who paused it, as they said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why, as they said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
