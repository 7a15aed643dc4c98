//! Which attributes are indexed, and under which keys a document stands in the indexes.
//!
//! Keys are case-folded: an index finds candidates, and the filter itself, which knows each attribute's case rule,
//! decides. The store keeps the keys it is given and knows nothing of attributes.

use scim::fold_case;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::Kind;

/// An index over the resources of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Index {
    /// A user's `userName`, a group's `displayName`: no two resources have the same.
    Name,
    /// `externalId`.
    ExternalId,
    /// A user's `displayName`.
    DisplayName,
    /// Each value of `emails`.
    Email,
    /// A user's manager, by id.
    Manager,
}

impl Index {
    /// The index's number in the store's keys. Never change one.
    pub fn number(self) -> u8 {
        match self {
            Self::Name => 1,
            Self::ExternalId => 2,
            Self::DisplayName => 3,
            Self::Email => 4,
            Self::Manager => 5,
        }
    }
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The index.
    pub index: Index,
    /// The case-folded value.
    pub value: String,
}

impl Key {
    /// The key under which `value` stands in `index`.
    pub fn new(index: Index, value: &str) -> Self {
        Self {
            index,
            value: fold_case(value),
        }
    }
}

/// The key of the name under which no other resource of this kind may stand.
pub fn name_key(kind: Kind, document: &Value) -> Option<Key> {
    let name = document.get(name_attribute(kind))?.as_str()?;
    Some(Key::new(Index::Name, name))
}

/// The folded names of a document, under which no other resource may stand.
pub fn names(kind: Kind, document: Option<&Value>) -> Vec<String> {
    let key = document.and_then(|document| name_key(kind, document));
    key.into_iter().map(|key| key.value).collect()
}

/// The attribute that names a resource of this kind, uniquely.
pub fn name_attribute(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "userName",
        Kind::Group => "displayName",
    }
}

/// The keys of a document, sorted, each once.
pub fn keys(kind: Kind, document: &Value) -> Vec<Key> {
    let mut keys = Vec::with_capacity(6);
    let mut add = |index, value: Option<&Value>| {
        if let Some(value) = value.and_then(Value::as_str) {
            keys.push(Key::new(index, value));
        }
    };
    add(Index::Name, document.get(name_attribute(kind)));
    add(Index::ExternalId, document.get("externalId"));
    if kind == Kind::User {
        add(Index::DisplayName, document.get("displayName"));
        for email in document.get("emails").and_then(Value::as_array).into_iter().flatten() {
            add(Index::Email, email.get("value"));
        }
        add(
            Index::Manager,
            document
                .get(scim::URN_ENTERPRISE_USER)
                .and_then(|enterprise| enterprise.pointer("/manager/value")),
        );
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_stands_under_each_of_its_look_ups_once() {
        let user = json!({
            "userName": "Odile@Kestrelworks.example",
            "externalId": "OM",
            "emails": [{"value": "a@x"}, {"value": "A@X"}, {"type": "work"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "m1"}},
        });
        let found: Vec<_> = keys(Kind::User, &user)
            .into_iter()
            .map(|key| (key.index, key.value))
            .collect();
        assert_eq!(
            found,
            [
                (Index::Name, "odile@kestrelworks.example".to_owned()),
                (Index::ExternalId, "om".to_owned()),
                (Index::Email, "a@x".to_owned()),
                (Index::Manager, "m1".to_owned()),
            ]
        );
    }
}
