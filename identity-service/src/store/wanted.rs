//! What is wanted, and how it changes: writes and members.

use jiff::Timestamp;
use serde_json::Value;

use super::{AttributeChange, Brake, Brakes, Origin, Usable};
use crate::{
    id::{Kind, ResourceId},
    index::Key,
    record::Record,
};

/// One atomic change of one resource.
#[derive(Debug, Clone)]
pub struct Write {
    /// User or group.
    pub kind: Kind,
    /// The resource.
    pub id: ResourceId,
    /// What to do.
    pub action: Action,
    /// The version that the caller saw, if it insists on it.
    pub if_version: Option<u64>,
    /// Whether members that do not exist are kept rather than refused.
    pub keep_unknown_members: bool,
    /// Makes a repeat harmless.
    pub request: Option<RequestKey>,
    /// Whether the user may be used, before and after.
    pub usable: Usable,
    /// The tenant's brakes.
    pub brakes: Brakes,
    /// Whether a deletion only disables the account, so that it counts as a deactivation.
    pub deletion_disables: bool,
    /// The time of the change.
    pub now: Timestamp,
    /// The trace that asked for it, see [`traces::asked`](super::traces::asked): kept with the work.
    pub traceparent: Option<String>,
    /// What the action changes in the document, for the log.
    pub diff: Vec<AttributeChange>,
    /// Who asked for it, for the log.
    pub origin: Option<Origin>,
}

/// What a [`Write`] does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Creates the resource.
    Create {
        /// The canonical document.
        document: Value,
        /// The document's keys.
        keys: Vec<Key>,
        /// The members of a group, each once.
        members: Vec<ResourceId>,
    },
    /// Changes document, members, or both.
    Update {
        /// The new document, if it is another.
        document: Option<DocumentChange>,
        /// The change of members, if any.
        members: Option<MemberChange>,
    },
    /// Deletes the resource.
    Delete {
        /// The `document_version` that `keys` were taken from.
        expected: u64,
        /// The document's keys.
        keys: Vec<Key>,
    },
}

/// A new document in place of one that was read.
#[derive(Debug, Clone)]
pub struct DocumentChange {
    /// The `document_version` that the change was computed from.
    pub expected: u64,
    /// The new canonical document.
    pub document: Value,
    /// The keys of the document that was read.
    pub old_keys: Vec<Key>,
    /// The keys of the new document.
    pub new_keys: Vec<Key>,
    /// The names of the attributes that differ, for the log.
    pub attributes: Vec<String>,
}

/// A change of a group's members. Adding a present member and removing an absent one change nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberChange {
    /// Whether all members not in `add` go.
    pub replace: bool,
    /// Members that shall be in, each once.
    pub add: Vec<ResourceId>,
    /// Members that shall be out, each once, none of them in `add`.
    pub remove: Vec<ResourceId>,
}

impl MemberChange {
    /// Everybody whom the change names.
    pub fn named(&self) -> impl Iterator<Item = ResourceId> + '_ {
        self.add.iter().chain(&self.remove).copied()
    }
}

/// A caller's `request_id` with a digest of what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The caller's id.
    pub id: String,
    /// SHA-256 of the request.
    pub digest: [u8; 32],
}

/// What came of a [`Write`].
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The resource after the write; before it, for a deletion.
    pub record: Record,
    /// Whether anything changed.
    pub changed: bool,
    /// How many members a `replace` took out.
    pub replaced_out: u64,
    /// The brake that came on for this write: what it takes away is held.
    pub braked: Option<Brake>,
}

/// Where a listing begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// After skipping so many.
    Offset(u64),
    /// After this resource.
    After(ResourceId),
}

/// Which resources a reader asks for.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Those of these ids that exist, in the order given.
    Ids(&'a [ResourceId]),
    /// Those under a key of an index, ascending, at most so many.
    Key(&'a Key, usize),
    /// Those from a place on, in the order of creation, at most so many.
    Listed(From, usize),
}

/// Resources that were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// The resources, in the order asked for.
    pub seen: Vec<Seen>,
    /// Whether there may be more after the last of them.
    pub more: bool,
}

/// A resource and what it is in, as both were at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The resource.
    pub record: Record,
    /// The groups that it is a direct member of.
    pub groups: Groups,
}

/// The first of a member's groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// The groups, ascending.
    pub records: Vec<Record>,
    /// Whether there may be more after the last of them.
    pub more: bool,
}

impl Seen {
    /// A resource whose groups were not read.
    pub const fn alone(record: Record) -> Self {
        Self {
            record,
            groups: Groups::unread(),
        }
    }
}

impl Groups {
    /// Groups that nobody asked for.
    pub const fn unread() -> Self {
        Self {
            records: Vec::new(),
            more: true,
        }
    }
}

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The member's id.
    pub id: ResourceId,
    /// What it is; `None` for a kept id that is no resource.
    pub kind: Option<Kind>,
}
