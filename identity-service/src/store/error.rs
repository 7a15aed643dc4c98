//! Why a store could not do what it was asked.

use crate::id::ResourceId;

/// The store failed; nothing was written, or the caller cannot know. Repeating the step is harmless.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The engine could not read or write.
    #[error("the store cannot {doing}")]
    Engine {
        /// What was being tried.
        doing: &'static str,
        /// The engine's own error.
        #[source]
        source: std::sync::Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Something read back is not what this version writes.
    #[error("the store holds a {what} that cannot be read: {problem}")]
    Corrupt {
        /// The kind of entry.
        what: &'static str,
        /// Where it goes wrong; no value, since it may be personal.
        problem: String,
    },
    /// What was to be put into the store does not go together with what is there, or with itself.
    #[error("the {what} does not fit: {problem}")]
    Unfit {
        /// The kind of entry.
        what: &'static str,
        /// Why; no value, since it may be personal.
        problem: String,
    },
    /// The store is being closed, or has failed for good.
    #[error("the store is closed")]
    Closed,
}

/// Why a [`Write`](super::Write) wrote nothing.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// No such resource.
    #[error("no such resource")]
    NotFound,
    /// Another resource of the kind has the name.
    #[error("the name is taken")]
    NameTaken,
    /// Another resource gives the name up by a change that is not applied yet, and may have to take it back.
    #[error("the name is reserved for {0}")]
    NameReserved(ResourceId),
    /// The resource is not at the version that the caller insists on.
    #[error("the resource is at version {present}")]
    VersionMismatch {
        /// The version it is at.
        present: u64,
    },
    /// The document moved since it was read: read again, compute again.
    #[error("the document changed meanwhile")]
    DocumentMoved,
    /// A member is no resource.
    #[error("member {0} does not exist")]
    UnknownMember(ResourceId),
    /// A member is a group.
    #[error("member {0} is a group")]
    NestedGroup(ResourceId),
    /// The request id was used for something else.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
