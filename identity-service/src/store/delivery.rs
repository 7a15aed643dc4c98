//! What is still to be delivered: claims, orders, settlements, links.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Brake;
use crate::{
    id::{Kind, ResourceId, Tenant},
    record::Record,
};

/// A piece of work under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The tenant.
    pub tenant: Tenant,
    /// User or group.
    pub kind: Kind,
    /// The resource or tombstone.
    pub id: ResourceId,
    /// Proves that the lease is this one.
    pub token: u64,
    /// The work's stamp when it was claimed; a newer change moves it.
    pub stamp: u64,
    /// Tries since the last success, this one not counted.
    pub attempts: u32,
    /// When the oldest change not yet applied was made.
    pub since: Timestamp,
    /// The brake that is on: it allows what is less than what is wanted, or nothing.
    pub braked: Option<Brake>,
    /// Whether a person let it go on: no brake comes on for it any more.
    pub released: bool,
    /// The traces of the changes that it is to deliver, see [`traces`](super::traces).
    pub traceparent: Option<String>,
}

/// What [`Store::claim`](super::Store::claim) gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// The work taken.
    pub claims: Vec<Claim>,
    /// When the next work is due that was not taken.
    pub next_due: Option<Timestamp>,
}

/// What a claimed piece of work is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The resource; `None` when it was deleted and its removal is what is wanted.
    pub record: Option<Record>,
    /// What is known of the Platform object.
    pub link: Link,
    /// Members whose wanted state is not confirmed and that have an account.
    pub batch: Vec<PendingMember>,
}

/// A member whose state on the Platform is not confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMember {
    /// The member.
    pub id: ResourceId,
    /// Tells this change of the member from a later one.
    pub stamp: u64,
    /// Whether it shall be in.
    pub wanted: bool,
    /// Its Platform account.
    pub platform_id: String,
}

/// What ties a resource to its Platform object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The object's id; `None` before there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_id: Option<String>,
    /// The interface that wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub backend: String,
    /// Names under which a create call may have been sent. An engine keeps them in a form of its own.
    #[serde(skip)]
    pub intents: Vec<String>,
    /// The resource's version when it was last applied; 0 when it never was.
    #[serde(default)]
    pub applied_version: u64,
    /// The document's version when it was last applied; 0 when it never was.
    #[serde(default)]
    pub applied_document: u64,
    /// Whether the account of a user was left disabled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// Who owns a Platform object, or has the intent to create it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The resource or tombstone.
    pub id: ResourceId,
    /// Whether there is nothing left to deliver for the owner, so that it will keep the object.
    pub at_rest: bool,
}

/// What came of noting an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// It is noted: a create call of that name may be sent now.
    Noted,
    /// The claim no longer holds, or the resource was deleted meanwhile: nothing may be created.
    Void,
    /// Another resource has noted the name, and its delivery is under way: it may be creating the object this moment.
    Taken(ResourceId),
}

/// What came of making an object a resource's by a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relinked {
    /// It is its own, and due.
    Done,
    /// A delivery of it is under way.
    UnderWay,
    /// There is no such resource, it has an object, or somebody owns the object.
    NotThis,
}

/// How a claim ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each delivery under way, never a list"
)]
pub enum Settlement {
    /// The Platform matches.
    Applied(Applied),
    /// Nothing was decided; try again then, or when there is a newer change.
    Postponed {
        /// Why.
        failure: Failure,
        /// When.
        retry_at: Timestamp,
        /// Not before then, whatever changes.
        not_before: Option<Timestamp>,
        /// The resource whose delivery makes a try worthwhile sooner, if it is one of ours.
        waits_for: Option<ResourceId>,
        /// The intents that turned out void: nothing was created under those names, or what stands there is another's.
        void_intents: Vec<String>,
    },
    /// A brake is on: a person must release it. What it allows was done.
    Held(Held),
    /// Nothing may be written, and this is what would be: each write in words, at least one.
    Planned(Vec<String>),
    /// The Platform, or a rule, said no.
    Refused {
        /// Why.
        failure: Failure,
        /// When it is tried again all the same.
        retry_at: Timestamp,
        /// The intents that turned out void: nothing was created under those names, or what stands there is another's.
        void_intents: Vec<String>,
    },
}

/// What a brake allowed of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The object's id and the interface that wrote it, if something was done about it.
    pub object: Option<(String, String)>,
    /// Whether the account was left disabled.
    pub disabled: bool,
    /// The brake that came on with this delivery, if it was not on before.
    pub brake: Option<Brake>,
}

/// The Platform matches an [`Order`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The object's id and the interface that wrote it; `None` when the object is gone.
    pub object: Option<(String, String)>,
    /// The record's versions that were applied: `version`, `document_version`.
    pub versions: (u64, u64),
    /// The document that was applied, in case it is no longer the present one.
    pub document: Option<Value>,
    /// The folded names of that document.
    pub names: Vec<String>,
    /// Whether the account of a user was left disabled.
    pub disabled: bool,
    /// The members of the batch that are confirmed.
    pub confirmed: Vec<PendingMember>,
    /// The members of the batch that the Platform refused.
    pub refused: Vec<PendingMember>,
    /// Why they were refused.
    pub refused_because: Option<Failure>,
    /// A resource that has no Platform object yet and that this one refers to: it is delivered again when that one has.
    pub waits_for: Option<ResourceId>,
    /// When to look again at what is refused or waiting.
    pub retry_at: Option<Timestamp>,
    /// When to go on with the members of a group that are ready by now; no change makes that sooner. At once when absent.
    pub more_at: Option<Timestamp>,
    /// Until when the work stays, and is not due, though nothing of it is left: what comes by then is gathered.
    pub gather_until: Option<Timestamp>,
    /// When to try again should the object turn out to be another resource's.
    pub contested_until: Option<Timestamp>,
    /// All that was wanted at that moment was delivered: what is still to be done came later, but for what is refused or waits.
    pub caught_up: Option<Timestamp>,
}

/// Why a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The reason, as a name of the contract's `ErrorReason`.
    pub reason: String,
    /// The reason in words, the Platform's where it had any.
    pub message: String,
}

/// Whether work is being tried or waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkState {
    /// To be delivered, or tried again.
    Pending,
    /// Refused; tried again slowly.
    Refused,
    /// A brake is on; not tried before it is released.
    Held,
    /// Nothing may be written, and what would be is known; not tried before something changes or it may.
    Planned,
}

impl WorkState {
    /// The state's number in the store's keys. Never change one.
    pub fn number(self) -> u8 {
        match self {
            Self::Pending => 1,
            Self::Refused => 2,
            Self::Held => 3,
            Self::Planned => 4,
        }
    }

    /// Whether it is tried again when its time comes.
    pub fn has_a_time(self) -> bool {
        matches!(self, Self::Pending | Self::Refused)
    }
}

/// The delivery state of one resource or tombstone.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// User or group.
    pub kind: Kind,
    /// The resource or tombstone.
    pub id: ResourceId,
    /// Present version; the last one, for a tombstone.
    pub version: u64,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// What is known of the Platform object.
    pub link: Link,
    /// The work; `None` when there is none, so that all is applied.
    pub work: Option<Work>,
    /// Members whose wanted state is not confirmed.
    pub pending_members: u64,
}

/// A piece of work in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// User or group.
    pub kind: Kind,
    /// Moves with every change, so that a settlement can tell whether there was a newer one.
    pub stamp: u64,
    /// When it is due; while it is leased, when the lease ends.
    pub due: Timestamp,
    /// Not before then, whatever changes: a pause was asked for. A success lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Not before then, whatever changes: a delivery to the same Platform object may be under way until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// The claim whose end lifts `held_until` sooner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<u64>,
    /// When the refused members of a group are tried again, if it has any. No change moves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_due: Option<Timestamp>,
    /// Moves when refused members are to be tried again: those of earlier rounds then count as ready.
    #[serde(default)]
    pub refused_round: u64,
    /// The present lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<u64>,
    /// Tries since the last success, or since a change that was worth a try of its own.
    pub attempts: u32,
    /// When the oldest change not yet applied was made.
    pub since: Timestamp,
    /// Whether it takes access away, and so comes before everything that does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urgent: bool,
    /// The brake that is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub braked: Option<Brake>,
    /// Whether a person let it go on, so that no brake comes on for what is wanted now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// Pending, refused, held or planned.
    pub state: WorkState,
    /// What would be written, where it is planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<String>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The traces of the changes that it is to deliver, see [`traces`](super::traces).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Work {
    /// The work under no lease and held by none, due when that would have ended: what was begun may be under way till then.
    pub fn without_lease(self) -> Self {
        Self {
            lease: None,
            held_until: None,
            held_by: None,
            ..self
        }
    }

    /// The brake that holds it, if it is held. A group that has held members and no brake of its own is held as they are.
    pub fn held_by(&self) -> Option<Brake> {
        (self.state == WorkState::Held).then(|| self.braked.unwrap_or(Brake::Removals))
    }

    /// Has the refused members of a group tried again.
    pub fn retry_refused(&mut self) {
        self.refused_round += 1;
        self.refused_due = None;
    }
}

/// Counts of one tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Users.
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Resources with work pending.
    pub pending: u64,
    /// Resources whose work was refused.
    pub refused: u64,
    /// Resources whose work a brake holds.
    pub held: u64,
    /// Resources of which is only known what would be written.
    pub planned: u64,
    /// When the oldest change was made that is still pending.
    pub oldest_pending: Option<Timestamp>,
    /// The same of what is refused.
    pub oldest_refused: Option<Timestamp>,
    /// The same of what is only planned.
    pub oldest_planned: Option<Timestamp>,
    /// The same of what each brake holds, in the order of [`Brake::ALL`].
    pub oldest_held: [Option<Timestamp>; Brake::ALL.len()],
}
