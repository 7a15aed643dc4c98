//! Names of things: tenants, resources, kinds of resource. Each has a type of its own, so that none passes for another.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of a user or group: a UUID, issued in version 7, so that ids sort by creation. Shown in lower case, read in
/// any case (Q12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(Uuid);

impl ResourceId {
    /// A new id. Ids made by one process ascend, also within a millisecond.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id as a number, in the order of the ids; the store's key.
    pub fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// The id of that number.
    pub fn from_u128(number: u128) -> Self {
        Self(Uuid::from_u128(number))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for ResourceId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Only the hyphenated form is an id of ours: `urn:uuid:…` or braces would make two texts name one resource.
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(NotAnId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
    }
}

/// The text is no resource id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a resource id: ids are UUIDs such as 018f2f3e-0000-7000-8000-000000000001")]
pub struct NotAnId;

/// The name of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant of that name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kind of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A user.
    User,
    /// A group.
    Group,
}

impl Kind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// The kind's number in the store's keys. Never change one.
    pub fn number(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Group => 2,
        }
    }

    /// The kind of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The SCIM resource type's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_any_case_and_shown_in_lower_case() {
        let id: ResourceId = "018F2F3E-0000-7000-8000-00000000ABCD".parse().unwrap();
        assert_eq!(id.to_string(), "018f2f3e-0000-7000-8000-00000000abcd");
        assert_eq!(ResourceId::from_u128(id.as_u128()), id);
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        for text in [
            "",
            "x",
            "018f2f3e000070008000000000000001",
            "urn:uuid:018f2f3e-0000-7000-8000-000000000001",
            "{018f2f3e-0000-7000-8000-000000000001}",
        ] {
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_ascend() {
        let ids: Vec<_> = (0..1000).map(|_| ResourceId::generate()).collect();
        assert!(ids.is_sorted());
    }
}
