//! What a comparison with the Platform asks of a store.

use crate::{id::ResourceId, record::Record};

/// The resource or tombstone that owns a Platform object, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Owned {
    /// The resource or tombstone.
    pub id: ResourceId,
    /// The resource; `None` when it was deleted.
    pub record: Option<Record>,
    /// Whether the account of a user was left disabled.
    pub disabled: bool,
    /// Whether there is nothing left to deliver, so that what is wanted was applied. What cannot be read is never at rest.
    pub at_rest: bool,
}
