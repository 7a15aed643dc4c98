//! A tenant's log: what changed, what became of each delivery, what operators did. One list, written in the same step as
//! what it tells of, only ever added to, and bounded by length and age. The change feed and the audit trail are two ways to
//! read it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Failure;
use crate::id::{Kind, ResourceId};

/// How many members the entry of a change names at most; of more it has the counts alone.
pub const MEMBERS_NAMED: usize = 100;

/// How long entries are kept, unless that is set: 90 days.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A stretch of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The entries, oldest first.
    pub entries: Vec<LogEntry>,
    /// The position up to which entries are gone.
    pub trimmed: u64,
    /// The position of the newest change that is gone; 0 when none is. Who read less than that has missed a change.
    pub changes_trimmed: u64,
}

/// One entry of the log. It may hold personal data: never log one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The entry's position; ascends by one within a tenant.
    #[serde(skip)]
    pub position: u64,
    /// When it was written, by the clock of who wrote it.
    pub at: Timestamp,
    /// What it tells.
    #[serde(flatten)]
    pub what: Logged,
}

/// What an entry tells of. Each is known by the first of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Logged {
    /// A resource changed.
    Change(Change),
    /// A delivery ended.
    Outcome(Outcome),
    /// An operator acted.
    Act(Act),
}

impl Logged {
    /// The resource that it is about, if it is about one.
    pub fn resource(&self) -> Option<ResourceId> {
        match self {
            Self::Change(change) => Some(change.id),
            Self::Outcome(outcome) => Some(outcome.id),
            Self::Act(act) => act.resource.map(|resource| resource.id),
        }
    }
}

/// A change of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happened.
    pub what: ChangeKind,
    /// User or group.
    pub kind: Kind,
    /// The resource.
    pub id: ResourceId,
    /// Its version after the change.
    pub version: u64,
    /// The attributes that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// What changed in the document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<AttributeChange>,
    /// Which members came and went, if any did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<MembersChange>,
    /// Who asked for it, as far as that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// What happened to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It came into being.
    Created,
    /// Attributes or members changed.
    Updated,
    /// It is gone.
    Deleted,
}

/// One attribute before and after a change: opaque JSON texts, which the caller computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeChange {
    /// The attribute; one of an extension with the URN and a colon before it.
    pub path: String,
    /// Its value before; `None` when it had none, or `left_out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Its value after; `None` when it has none, or `left_out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether the values are left out: they are too large, or nobody may see them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
}

/// The members that came and went with a change: those that really did, whatever was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersChange {
    /// How many came.
    pub added: u64,
    /// How many went.
    pub removed: u64,
    /// Who came, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_ids: Vec<ResourceId>,
    /// Who went, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_ids: Vec<ResourceId>,
    /// Whether the ids are left out: they are more than [`MEMBERS_NAMED`], or were staged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ids_left_out: bool,
}

/// Who asked for something. Each part is what the caller said of itself, and absent where it said nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The credential's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The id of the SCIM request, as the gateway's answer and log have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The SCIM client's own id of its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    /// The SCIM client's id of what the request belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The W3C trace id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// How a delivery ended. What ended as before, and changed nothing, has no entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How.
    pub outcome: Verdict,
    /// User or group.
    pub kind: Kind,
    /// The resource or tombstone.
    pub id: ResourceId,
    /// The version that was applied before; 0 when none was.
    pub from_version: u64,
    /// The version that the delivery was of.
    pub to_version: u64,
    /// Why it failed, in the Platform's words; of an applied group, why some of its members did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What would be written, where nothing may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned: Vec<String>,
    /// How many members of a group were put in or out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub members_applied: u64,
    /// How many members of a group were refused.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub members_refused: u64,
    /// The W3C trace id of the delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How a delivery ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The Platform matches, but for members that were refused.
    Applied,
    /// The Platform, or a rule, said no; also where it said so of a group's members alone.
    Refused,
    /// Nothing was decided.
    Later,
    /// A brake is on. Of a deleted user the account was disabled.
    Held,
    /// Nothing may be written; `planned` is what would be.
    Planned,
}

/// What a delivery was of, told with its settlement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    /// The version of the record; `None` of a removal, or when it is not known: then the present one counts.
    pub version: Option<u64>,
    /// The W3C trace id of the delivery.
    pub trace_id: Option<String>,
}

/// What an operator did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What.
    pub act: Deed,
    /// To which resource or tombstone; `None` when to the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Subject>,
    /// Who, in their own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why, in their own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who, as far as the call said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// What was done to a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialAct {
    /// What, and to which one.
    pub what: String,
    /// Who did it.
    pub origin: Option<Origin>,
}

/// What may be done by an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// A delivery was made due at once.
    Retry,
    /// What was held went on.
    Release,
    /// What was held or refused was taken back.
    Discard,
    /// The tenant was paused.
    Pause,
    /// The tenant was paused no longer.
    Resume,
    /// What another hand changed on the Platform was had delivered once more, by an operator or by schedule.
    Repair,
    /// A Platform object was made the resource's.
    Relink,
    /// A credential was made, changed or revoked.
    Credential,
}

/// The resource or tombstone that something was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// User or group.
    pub kind: Kind,
    /// Which.
    pub id: ResourceId,
}
