//! What a tenant's state looks like on its way from one engine to another: one entry for each thing that is kept, in words
//! that no engine needs to translate. The lines of an export are these entries; see docs/moving.md.
//!
//! Left behind are the log, whose new id tells its readers to begin anew, the answers to request ids, leases, and
//! what waits to be swept and shows nowhere.

use serde::{Deserialize, Serialize};

use super::{Chore, KeptLink, Pause, PreImage, Stage, Tombstone, Work};
use crate::{
    id::{Kind, ResourceId},
    record::Record,
};

/// How many items one step of an export or an import touches at most.
pub const MOVED_AT_ONCE: usize = 1_000;

/// One thing that a store keeps of a tenant. It may hold personal data: never log one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Numbers that must not go back.
    Counters {
        /// The newest stamp or token given out: new ones are higher.
        stamp: u64,
        /// Why nothing of the tenant is delivered, if it is paused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pause: Option<Pause>,
        /// Who may call, if anybody was ever made a credential: hashes of secrets, and the keys that tokens are signed by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credentials: Option<String>,
    },
    /// A user or group. Its keys are those of its document.
    Resource(Record),
    /// Members of a group, at most [`MOVED_AT_ONCE`]: ids and kinds, none for a kept id that is no resource. Of a deleted group,
    /// those it gets back if that is discarded.
    Members {
        /// The group.
        group: ResourceId,
        /// The members.
        members: Vec<(ResourceId, Option<Kind>)>,
    },
    /// What ties a resource or tombstone to its Platform object.
    Link {
        /// The resource or tombstone.
        id: ResourceId,
        /// User or group.
        kind: Kind,
        /// The link.
        link: KeptLink,
    },
    /// What is left of a deleted resource.
    Tombstone {
        /// The resource that was.
        id: ResourceId,
        /// Whether a new resource of the name meets this one: of several it is the newest.
        newest: bool,
        /// The tombstone.
        tombstone: Tombstone,
    },
    /// Members of a group whose wanted state is not confirmed, at most [`MOVED_AT_ONCE`]: ids, stages, stamps.
    Unconfirmed {
        /// The group.
        group: ResourceId,
        /// The members, some of which may have left the group.
        members: Vec<(ResourceId, Stage, u64)>,
    },
    /// What is to be delivered. It is under no lease and held by none: what was is due when that would have ended.
    Work {
        /// The resource or tombstone.
        id: ResourceId,
        /// The work.
        work: Work,
        /// What the resource was when it was last applied, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Box<KeptImage>>,
    },
    /// A resource whose work is due when another's delivery gets on.
    Waiting {
        /// The resource or tombstone that is waited for.
        on: ResourceId,
        /// Who waits.
        waiter: ResourceId,
    },
    /// What a step left to be done in batches.
    Chore {
        /// What is to be done.
        chore: Chore,
        /// About which resource.
        id: ResourceId,
        /// The last one that it was done to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<ResourceId>,
    },
    /// How far an import is. It is in no export: an import writes it beside what it brings, and the store keeps the newest.
    Import(ImportMark),
}

/// A pre-image as a store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptImage {
    /// The pre-image.
    #[serde(flatten)]
    pub image: PreImage,
    /// Those of its names that are reserved for the resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<String>,
}

impl Entry {
    /// How many items the entry counts for in a step.
    pub fn items(&self) -> usize {
        match self {
            Self::Members { members, .. } => members.len().max(1),
            Self::Unconfirmed { members, .. } => members.len().max(1),
            _ => 1,
        }
    }
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportMark {
    /// Tells the file from any other: the SHA-256 in its last line.
    pub source: String,
    /// How many of its lines are in the store.
    pub lines: u64,
    /// Whether that is all: the store then forgets the mark.
    pub complete: bool,
}

/// Where an export goes on: the engine's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExportCursor(pub String);

#[cfg(test)]
mod tests {
    use serde_json::{from_str, json, to_string, to_value};

    use super::*;

    #[test]
    fn a_line_reads_as_it_was_written() {
        let id = ResourceId::from_u128(1);
        let shown = "00000000-0000-0000-0000-000000000001";
        let entries = [
            (
                Entry::Counters {
                    stamp: 7,
                    pause: None,
                    credentials: None,
                },
                json!({"counters": {"stamp": 7}}),
            ),
            (
                Entry::Members {
                    group: id,
                    members: vec![(id, Some(Kind::User)), (id, None)],
                },
                json!({"members": {"group": shown, "members": [[shown, "user"], [shown, null]]}}),
            ),
            (
                Entry::Unconfirmed {
                    group: id,
                    members: vec![(id, Stage::Ready, 3), (id, Stage::Refused(2), 4)],
                },
                json!({"unconfirmed": {"group": shown, "members": [[shown, "ready", 3], [shown, {"refused": 2}, 4]]}}),
            ),
            (
                Entry::Link {
                    id,
                    kind: Kind::Group,
                    link: KeptLink::default(),
                },
                json!({"link": {"id": shown, "kind": "group", "link": {"applied_version": 0, "applied_document": 0}}}),
            ),
            (
                Entry::Chore {
                    chore: Chore::JoinAgain,
                    id,
                    after: None,
                },
                json!({"chore": {"chore": "join_again", "id": shown}}),
            ),
        ];
        for (entry, line) in entries {
            assert_eq!(to_value(&entry).unwrap(), line);
            assert_eq!(from_str::<Entry>(&to_string(&entry).unwrap()).unwrap(), entry);
        }
    }
}
