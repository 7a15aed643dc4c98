//! What a change does to a document, for the log: each attribute before and after, as JSON.

use scim::{Attribute, Mutability, ResourceSchema, Returned};
use serde_json::Value;

use crate::store::AttributeChange;

/// The largest value that is told, and how much all values of a change may have, in bytes: a log of long photographs would be
/// larger than what it is about.
const LARGEST_VALUE: usize = 8 << 10;
const ALL_VALUES: usize = 32 << 10;

/// What differs between two documents, `null` where there is none. What nobody may read is named and not told.
pub(super) fn diff(schema: &ResourceSchema, old: &Value, new: &Value) -> Vec<AttributeChange> {
    let mut left = ALL_VALUES;
    let mut changes = Vec::new();
    for name in names(old, new) {
        if name == "schemas" {
            continue;
        }
        let (before, after) = (old.get(&name), new.get(&name));
        let extension = schema.extensions.iter().find(|extension| extension.id == name);
        let Some(extension) = extension else {
            let secret = schema.attribute(&name).is_some_and(is_secret);
            changes.extend(change(name, before, after, secret, &mut left));
            continue;
        };
        let (old, new) = (before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null));
        for part in names(old, new) {
            let secret = extension.attribute(&part).is_some_and(is_secret);
            let path = format!("{name}:{part}");
            changes.extend(change(path, old.get(&part), new.get(&part), secret, &mut left));
        }
    }
    changes
}

/// The names of what either has, in order, each once.
pub(super) fn names(old: &Value, new: &Value) -> Vec<String> {
    let of = |value: &Value| {
        let maps = value.as_object().into_iter();
        maps.flat_map(serde_json::Map::keys).cloned().collect::<Vec<_>>()
    };
    let mut names = [of(old), of(new)].concat();
    names.sort_unstable();
    names.dedup();
    names
}

fn change(
    path: String,
    before: Option<&Value>,
    after: Option<&Value>,
    secret: bool,
    left: &mut usize,
) -> Option<AttributeChange> {
    if before == after {
        return None;
    }
    let (before, after) = (before.map(Value::to_string), after.map(Value::to_string));
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let lengths = [length(&before), length(&after)];
    let all: usize = lengths.iter().sum();
    let left_out = secret || all > *left || lengths.iter().any(|length| *length > LARGEST_VALUE);
    if left_out {
        return Some(AttributeChange {
            path,
            before: None,
            after: None,
            left_out,
        });
    }
    *left -= all;
    Some(AttributeChange {
        path,
        before,
        after,
        left_out,
    })
}

/// Whether nobody may read an attribute, or a part of it.
fn is_secret(attribute: &Attribute) -> bool {
    attribute.returned == Returned::Never
        || attribute.mutability == Mutability::WriteOnly
        || attribute.sub_attributes.iter().any(is_secret)
}

#[cfg(test)]
mod tests {
    use scim::{Declaration, ResourceType, Schemas};
    use serde_json::json;

    use super::*;

    const URN: &str = "urn:example:badge:2.0:User";

    fn told(old: &Value, new: &Value) -> Value {
        let text = json!([{"id": URN, "name": "Badge", "attributes": [
            {"name": "number", "type": "string"},
            {"name": "pin", "type": "string", "mutability": "writeOnly"},
        ]}]);
        let schemas = Declaration::read(&text.to_string())
            .and_then(Schemas::with_extensions)
            .unwrap();
        json!(diff(schemas.resource(ResourceType::User), old, new))
    }

    #[test]
    fn a_change_is_told_by_attribute_before_and_after() {
        let old = json!({"userName": "odile", "title": "Lead", "active": true, "name": {"familyName": "M"}});
        let new = json!({"userName": "odile", "nickName": "O", "active": false, "name": {"familyName": "N"}});
        let expected = json!([
            {"path": "active", "before": "true", "after": "false"},
            {"path": "name", "before": r#"{"familyName":"M"}"#, "after": r#"{"familyName":"N"}"#},
            {"path": "nickName", "after": r#""O""#},
            {"path": "title", "before": r#""Lead""#},
        ]);
        assert_eq!(told(&old, &new), expected);
        assert_eq!(told(&old, &old), json!([]));
    }

    #[test]
    fn parts_of_extensions_are_told_by_themselves_and_secrets_are_not() {
        let old = json!({URN: {"number": "7", "pin": "1234"}});
        let new = json!({URN: {"number": "8", "pin": "4321"}});
        let expected = json!([
            {"path": format!("{URN}:number"), "before": r#""7""#, "after": r#""8""#},
            {"path": format!("{URN}:pin"), "left_out": true},
        ]);
        assert_eq!(told(&old, &new), expected);
        let gone = told(&new, &Value::Null);
        assert!(!gone.to_string().contains("4321"), "{gone}");
        assert_eq!(gone[0]["before"], json!(r#""8""#));
    }

    #[test]
    fn values_are_bounded_each_and_together() {
        let long = "x".repeat(LARGEST_VALUE);
        let told = told(&json!({"title": long}), &json!({"title": "Lead"}));
        assert_eq!(told, json!([{"path": "title", "left_out": true}]));
        let many = |text: &str| {
            let names = (b'a'..=b'z').map(|name| (char::from(name).to_string(), json!(text.repeat(2_000))));
            Value::Object(names.collect())
        };
        let changes = diff(Schemas::builtin().resource(ResourceType::User), &many("x"), &many("y"));
        let told = changes.iter().filter(|change| !change.left_out).count();
        assert_eq!((changes.len(), told), (26, 8));
        // Those that are left out leave room for none that follow and are small.
        assert!(json!(changes).to_string().len() < 2 * ALL_VALUES);
    }
}
