//! Taking back what the Platform does not have: pre-images, and the steps that restore them.
//!
//! A pre-image is what a resource was when it was last applied. It is kept from the first change since until all is applied
//! again, and its names are reserved meanwhile, so that they can be given back. What is restored is delivered like any other
//! change: what the Platform was told before it refused may have been half done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AttributeChange, Origin};
use crate::{
    id::{Kind, ResourceId},
    index::Key,
    record::Record,
};

/// What a resource was when it was last applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreImage {
    /// The document version of the first change since; 0 when that is not known.
    pub first: u64,
    /// The folded names that it had: no other resource may take them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The resource; `None` when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

/// What is to be taken back, and on which condition.
#[derive(Debug, Clone)]
pub struct Revert {
    /// User or group.
    pub kind: Kind,
    /// The resource or tombstone.
    pub id: ResourceId,
    /// The document version of what is taken back; of a tombstone, its version.
    pub expected: u64,
    /// Whether it is taken back only if it is the one change since the last that was applied, and was refused. Else an
    /// operator discards it, which is logged.
    pub only_if_refused: bool,
    /// The keys of the present document; none for a tombstone.
    pub old_keys: Vec<Key>,
    /// The keys of the document that is restored; none where there was none.
    pub new_keys: Vec<Key>,
    /// The names of the attributes that differ, for the log.
    pub attributes: Vec<String>,
    /// What that changes in the document, for the log.
    pub diff: Vec<AttributeChange>,
    /// Who asked for it, for the log.
    pub origin: Option<Origin>,
    /// The request id under which the change was answered: that answer is no longer true.
    pub request: Option<String>,
    /// The time of the change.
    pub now: Timestamp,
    /// The trace that asked for it, see [`traces::asked`](super::traces::asked).
    pub traceparent: Option<String>,
}

/// What came of a [`Revert`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reverted {
    /// The resource is again what it was, in a new version.
    Restored(Record),
    /// The resource is gone again.
    Removed,
    /// Nothing was taken back.
    Not(WhyNot),
}

impl WhyNot {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Moved => "it changed meanwhile",
            Self::Unknown => "what was last applied is not known",
            Self::UnderWay => "it is being delivered this moment; try again",
            Self::Referred => "another resource refers to it; delete it instead",
            Self::NameTaken => "another resource has its former name",
        }
    }
}

/// Why nothing was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNot {
    /// It is not, or no longer, what was to be taken back.
    Moved,
    /// What was last applied is not known.
    Unknown,
    /// It is being delivered this moment, or a call for it may still take effect.
    UnderWay,
    /// Another resource refers to what would be gone.
    Referred,
    /// Another resource has its former name.
    NameTaken,
}
