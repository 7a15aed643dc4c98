//! A resource as it is kept: its document and what the service knows of it.
//!
//! The document is the canonical SCIM JSON without what is kept elsewhere: `id`, `meta`, a user's `groups`, a group's
//! `members`. This module knows the shape of a record, not where it lies.

use jiff::Timestamp;
use scim::ResourceType;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::id::{Kind, ResourceId};

/// A stored user or group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The resource's id.
    pub id: ResourceId,
    /// User or group.
    pub kind: Kind,
    /// Moves by one whenever something changed, members included. Starts at 1.
    pub version: u64,
    /// The version at which the document last changed. Writers of the document compare this one, so that a storm of
    /// membership changes does not keep them waiting.
    pub document_version: u64,
    /// When the resource came into being.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// The number of members of a group.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub member_count: u64,
    /// The canonical attributes.
    pub document: Value,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record {
    /// A resource that has just come into being.
    pub fn new(id: ResourceId, kind: Kind, document: Value, now: Timestamp) -> Self {
        Self {
            id,
            kind,
            version: 1,
            document_version: 1,
            created: now,
            modified: now,
            member_count: 0,
            document,
        }
    }

    /// The weak entity tag of the present version.
    pub fn etag(&self) -> String {
        etag(self.version)
    }

    /// The whole resource as SCIM shows it, but for `groups`, `members` and addresses.
    pub fn into_resource(mut self) -> Value {
        let mut resource = self.take_document();
        self.describe(&mut resource);
        Value::Object(resource)
    }

    /// Shows the whole resource to `look`, without a copy of it.
    pub fn look<T>(&mut self, look: impl FnOnce(&Value) -> T) -> T {
        let mut resource = self.take_document();
        self.describe(&mut resource);
        let mut resource = Value::Object(resource);
        let seen = look(&resource);
        if let Some(map) = resource.as_object_mut() {
            DESCRIBED.iter().for_each(|name| drop(map.remove(*name)));
        }
        self.document = resource;
        seen
    }

    fn take_document(&mut self) -> Map<String, Value> {
        match self.document.take() {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// Adds what the service knows of the resource to its document.
    fn describe(&self, resource: &mut Map<String, Value>) {
        let [id, meta] = DESCRIBED.map(str::to_owned);
        resource.insert(id, Value::String(self.id.to_string()));
        resource.insert(
            meta,
            json!({
                "resourceType": self.kind.name(),
                "created": format!("{:.3}", self.created),
                "lastModified": format!("{:.3}", self.modified),
                "version": etag(self.version),
            }),
        );
    }

    /// About how many bytes the record takes, as text or as a message.
    pub fn bytes(&self) -> usize {
        bytes(&self.document) + 256
    }

    /// The resource as its message.
    pub fn into_message<T: DeserializeOwned>(self) -> Result<T, Malformed> {
        serde_path_to_error::deserialize(self.into_resource()).map_err(|error| Malformed {
            path: error.path().to_string(),
        })
    }

    /// A string attribute of the document.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.document.get(attribute)?.as_str()
    }
}

/// What a document does not have, and a resource does.
const DESCRIBED: [&str; 2] = ["id", "meta"];

/// About how many bytes a JSON value takes, as text or as a message; never much less.
pub fn bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 12,
        Value::String(text) => text.len() + 4,
        Value::Array(values) => 2 + values.iter().map(bytes).sum::<usize>(),
        Value::Object(map) => {
            2 + map
                .iter()
                .map(|(name, value)| name.len() + 4 + bytes(value))
                .sum::<usize>()
        }
    }
}

/// A stored resource does not fit its message. It says where, never what stands there: that may be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored resource is not what its schema says, at `{path}`")]
pub struct Malformed {
    /// The attribute.
    pub path: String,
}

/// The weak entity tag of a version (RFC 7644 §3.14).
pub fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// The version that an entity tag names; weak and strong forms compare alike here, since a PATCH may only use weak ones.
pub fn version_of_etag(tag: &str) -> Option<u64> {
    tag.trim()
        .strip_prefix("W/")
        .unwrap_or(tag.trim())
        .strip_prefix('"')?
        .strip_suffix('"')?
        .parse()
        .ok()
}

impl From<Kind> for ResourceType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::User => Self::User,
            Kind::Group => Self::Group,
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::resource::v1::User;

    use super::*;

    #[test]
    fn a_look_leaves_the_record_as_it_was() {
        let document = json!({"userName": "odile", "emails": [{"value": "a@x"}]});
        let mut record = Record::new(ResourceId::generate(), Kind::User, document, Timestamp::UNIX_EPOCH);
        let before = record.clone();
        let seen = record.look(Value::clone);
        assert_eq!(record, before);
        assert!(record.bytes() > record.document.to_string().len());
        assert_eq!(seen, before.into_resource());
    }

    #[test]
    fn a_malformed_resource_is_told_of_by_its_path_alone() {
        let document = json!({"userName": "odile", "emails": [{"value": "odile@x", "primary": "odile"}]});
        let record = Record::new(ResourceId::generate(), Kind::User, document, Timestamp::UNIX_EPOCH);
        let error = record.into_message::<User>().unwrap_err();
        assert_eq!(error.path, "emails[0].primary");
        assert!(!format!("{error} {error:?}").contains("odile"), "{error:?}");
    }

    #[test]
    fn an_entity_tag_names_its_version() {
        for (tag, version) in [
            ("W/\"7\"", Some(7)),
            ("\"7\"", Some(7)),
            (" W/\"12\" ", Some(12)),
            ("7", None),
            ("W/\"x\"", None),
            ("*", None),
        ] {
            assert_eq!(version_of_etag(tag), version, "{tag}");
        }
        assert_eq!(version_of_etag(&etag(u64::MAX)), Some(u64::MAX));
    }
}
