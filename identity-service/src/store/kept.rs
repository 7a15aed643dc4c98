//! What every engine keeps beside what it shows: links with the folded forms of their intents, tombstones, the stages of
//! unconfirmed members, chores. An engine lays them out as it likes; a move from one engine to another takes them along.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Link;
use crate::id::Kind;

/// A link as it is kept.
///
/// It has each intent with its folded form: the caller folds, since a script of another engine could not fold a name that
/// it reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLink {
    /// What is shown of it, but for the intents.
    #[serde(flatten)]
    pub link: Link,
    /// The names under which a create call may have been sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intents: Vec<KeptIntent>,
}

/// A name under which a create call may have been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptIntent {
    /// The name as it was sent.
    pub name: String,
    /// The case-folded name, under which the intent is looked up.
    pub folded: String,
}

impl KeptLink {
    /// The link as callers see it.
    pub fn shown(self) -> Link {
        Link {
            intents: self.intents.into_iter().map(|intent| intent.name).collect(),
            ..self.link
        }
    }
}

/// What stays of a deleted resource until its removal is applied, and, where deletion only disables, for as long as the
/// account exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// User or group.
    pub kind: Kind,
    /// The folded name it had.
    pub name: String,
    /// The version of the deletion.
    pub version: u64,
    /// When it was deleted.
    pub at: Timestamp,
}

/// Where an unconfirmed member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It has an account, so it can be put in or out.
    Ready,
    /// It has no account yet.
    Waiting,
    /// The Platform said no, in that round.
    Refused(u64),
    /// It left with many others, and a brake is on.
    Held,
}

/// The number of [`Stage::Held`]: no round comes that far.
const HELD_STAGE: u64 = 1 << 40;

impl Stage {
    /// The stage's number in the store's keys. Never change one.
    pub fn number(self) -> u64 {
        match self {
            Self::Ready => 0,
            Self::Waiting => 1,
            Self::Refused(round) => round.saturating_add(2),
            Self::Held => HELD_STAGE,
        }
    }

    /// The stage of that number.
    pub fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Ready,
            1 => Self::Waiting,
            HELD_STAGE => Self::Held,
            round => Self::Refused(round - 2),
        }
    }
}

/// What a step left to be done about a resource in batches. Never change a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Chore {
    /// Forget the memberships of a deleted group.
    Dissolve = 1,
    /// Deliver those anew who report to a user: its account is another, or gone.
    Reports = 2,
    /// Put a user into its groups anew: its account is another.
    JoinAgain = 3,
    /// Deliver the groups in which a user is unconfirmed: it has an account now.
    Ready = 4,
    /// Put a group's members in anew: its object is another.
    Refill = 5,
    /// Take those members out of a group whom a brake held.
    Release = 11,
    /// Put those members into a group again whom a brake held.
    Restore = 12,
}

impl Chore {
    /// Every chore.
    pub const ALL: [Self; 7] = [
        Self::Dissolve,
        Self::Reports,
        Self::JoinAgain,
        Self::Ready,
        Self::Refill,
        Self::Release,
        Self::Restore,
    ];

    /// The chore's number in the store's keys.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The chore of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|chore| chore.number() == number)
    }
}
