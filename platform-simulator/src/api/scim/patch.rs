//! PATCH of a user, done on its SCIM document (RFC 7644, 3.5.2). The document is turned back into an account elsewhere.

use serde_json::{Map, Value, json};

use super::Refusal;
use super::filter::{Condition, Path, path};
use crate::api::params::member;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Add,
    Replace,
    Remove,
}

/// One operation, as it came.
pub(super) struct Step<'a> {
    pub(super) verb: Verb,
    pub(super) path: Option<Path>,
    pub(super) value: &'a Value,
}

/// The operations of a body.
pub(super) fn steps(body: &Value) -> Result<Vec<Step<'_>>, Refusal> {
    let operations = member(body, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| Refusal::bad("invalidSyntax", "Operations are missing."))?;
    operations.iter().map(step).collect()
}

fn step(operation: &Value) -> Result<Step<'_>, Refusal> {
    let verb = member(operation, "op").and_then(Value::as_str).unwrap_or_default();
    let verb = match verb.to_ascii_lowercase().as_str() {
        "add" => Verb::Add,
        "replace" => Verb::Replace,
        "remove" => Verb::Remove,
        _ => return Err(Refusal::bad("invalidSyntax", "An operation is add, replace or remove.")),
    };
    let target = match member(operation, "path") {
        None | Some(Value::Null) => None,
        Some(text) => Some(read(text.as_str().unwrap_or_default())?),
    };
    if verb == Verb::Remove && target.is_none() {
        return Err(Refusal::bad("noTarget", "To remove takes a path."));
    }
    Ok(Step {
        verb,
        path: target,
        value: member(operation, "value").unwrap_or(&Value::Null),
    })
}

fn read(text: &str) -> Result<Path, Refusal> {
    path(text).ok_or_else(|| Refusal::bad("invalidPath", "The path cannot be read."))
}

/// Carries an operation out on a document.
pub(super) fn apply(document: &mut Map<String, Value>, step: &Step<'_>) -> Result<(), Refusal> {
    if let Some(path) = &step.path {
        set(document, path, step.verb, step.value);
        return Ok(());
    }
    let Value::Object(values) = step.value else {
        return Err(Refusal::bad("invalidValue", "Without a path, the value is an object."));
    };
    // A name may be a path, as Entra sends it.
    for (name, value) in values {
        set(document, &read(name)?, step.verb, value);
    }
    Ok(())
}

fn set(document: &mut Map<String, Value>, path: &Path, verb: Verb, value: &Value) {
    let name = key(document, &path.attribute);
    if !path.of.is_empty() {
        let values = document.entry(name).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            set_some(values, path, verb, value);
        }
        return;
    }
    let Some(part) = &path.part else {
        match (verb, document.get_mut(&name)) {
            (Verb::Remove, _) => drop(document.remove(&name)),
            (Verb::Add, Some(Value::Array(values))) => values.extend(many(value)),
            (_, Some(Value::Object(parts))) if value.is_object() => {
                parts.extend(value.as_object().cloned().unwrap_or_default());
            }
            _ => drop(document.insert(name, value.clone())),
        }
        return;
    };
    match document.entry(name).or_insert_with(|| json!({})) {
        Value::Object(parts) => set_part(parts, part, verb, value),
        Value::Array(values) => {
            let objects = values.iter_mut().filter_map(Value::as_object_mut);
            objects.for_each(|parts| set_part(parts, part, verb, value));
        }
        _ => {}
    }
}

/// Of a list, the values that the path's filter is about; one that is missing is made where it is to be set.
fn set_some(values: &mut Vec<Value>, path: &Path, verb: Verb, value: &Value) {
    let meant = |entry: &Value| path.of.iter().all(|condition| holds(condition, entry));
    let Some(part) = &path.part else {
        if verb == Verb::Remove {
            values.retain(|entry| !meant(entry));
        } else {
            let given = value.as_object();
            let some = values.iter_mut().filter(|entry| meant(entry));
            for entry in some.filter_map(Value::as_object_mut) {
                entry.extend(given.cloned().unwrap_or_default());
            }
        }
        return;
    };
    if verb != Verb::Remove && !values.iter().any(meant) {
        let parts = path
            .of
            .iter()
            .map(|condition| (condition.path.attribute.clone(), condition.value.clone()));
        values.push(Value::Object(parts.collect()));
    }
    let some = values.iter_mut().filter(|entry| meant(entry));
    for entry in some.filter_map(Value::as_object_mut) {
        set_part(entry, part, verb, value);
    }
}

fn set_part(parts: &mut Map<String, Value>, part: &str, verb: Verb, value: &Value) {
    let name = key(parts, part);
    if verb == Verb::Remove {
        parts.remove(&name);
    } else {
        parts.insert(name, value.clone());
    }
}

fn holds(condition: &Condition, entry: &Value) -> bool {
    member(entry, &condition.path.attribute).is_some_and(|value| match (value, &condition.value) {
        (Value::String(one), Value::String(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    })
}

/// The name as the object spells it.
fn key(object: &Map<String, Value>, name: &str) -> String {
    let found = object.keys().find(|key| key.eq_ignore_ascii_case(name));
    found.cloned().unwrap_or_else(|| name.to_owned())
}

fn many(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        single => vec![single.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(document: Value, operations: &Value) -> Value {
        let Value::Object(mut document) = document else {
            panic!()
        };
        let body = json!({ "Operations": operations });
        for step in steps(&body).ok().unwrap() {
            apply(&mut document, &step).ok().unwrap();
        }
        Value::Object(document)
    }

    #[test]
    fn values_are_set_by_their_path() {
        let before = json!({ "name": { "givenName": "Ada" }, "emails": [{ "type": "work", "value": "a@x" }] });
        let after = patched(
            before,
            &json!([
                { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "b@x" },
                { "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "1" },
                { "op": "add", "value": { "name.familyName": "L", "active": false } },
            ]),
        );
        assert_eq!(after["emails"], json!([{ "type": "work", "value": "b@x" }]));
        assert_eq!(after["phonenumbers"], json!([{ "type": "mobile", "value": "1" }]));
        assert_eq!(after["name"], json!({ "givenName": "Ada", "familyname": "L" }));
        assert_eq!(after["active"], false);
        let after = patched(
            after,
            &json!([
                { "op": "remove", "path": "phoneNumbers[type eq \"mobile\"]" },
                { "op": "remove", "path": "name.familyName" },
                { "op": "remove", "path": "emails" },
            ]),
        );
        assert_eq!(
            (&after["phonenumbers"], &after["name"]),
            (&json!([]), &json!({ "givenName": "Ada" }))
        );
        assert!(after.get("emails").is_none());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in [
            json!({}),
            json!({ "Operations": [{ "op": "move" }] }),
            json!({ "Operations": [{ "op": "remove" }] }),
            json!({ "Operations": [{ "op": "add", "path": "a[", "value": 1 }] }),
            json!({ "Operations": [{ "op": "add", "path": 1, "value": 1 }] }),
        ] {
            assert!(steps(&bad).is_err(), "{bad}");
        }
    }
}
