//! References by `bulkId` (RFC 7644 §3.7.2): where they stand in an operation's data, what they become, and which of
//! them a new resource can do without at first.
//!
//! A reference is a whole text, `bulkId:x`, wherever a text can stand; the address of a resource that ends so (`$ref`);
//! or a literal in the filter of a PATCH's path.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::{
    path::AttrPath,
    schema::{ResourceSchema, Target},
};

const PREFIX: &str = "bulkId:";

/// The bulkId that a text refers to.
pub(super) fn referred(text: &str) -> Option<&str> {
    let (before, name) = text.split_once(PREFIX)?;
    let address = |before: &str| {
        (before.ends_with("/Users/") || before.ends_with("/Groups/")) && !before.contains(char::is_whitespace)
    };
    (!name.is_empty() && (before.is_empty() || address(before))).then_some(name)
}

/// All bulkIds that are referred to.
pub(super) fn names(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each(value, &mut |name| {
        found.insert(name.to_owned());
    });
    found
}

fn each(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => referred(text).into_iter().for_each(see),
        Value::Array(values) => values.iter().for_each(|value| each(value, see)),
        Value::Object(members) => members.iter().for_each(|(key, value)| match value {
            Value::String(path) if is_path(key) => drop(with_literals(path, &mut |text| {
                referred(text).into_iter().for_each(&mut *see);
                None
            })),
            value => each(value, see),
        }),
        _ => {}
    }
}

/// Puts ids in the places of references. What has no id stays.
pub(super) fn resolve(value: &mut Value, ids: &HashMap<String, String>) {
    let resolved = |text: &str| {
        let name = referred(text)?;
        let before = text.strip_suffix(name)?.strip_suffix(PREFIX)?;
        Some(format!("{before}{}", ids.get(name)?))
    };
    match value {
        Value::String(text) => {
            if let Some(id) = resolved(text) {
                *text = id;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| resolve(value, ids)),
        Value::Object(members) => members.iter_mut().for_each(|(key, value)| match value {
            Value::String(path) if is_path(key) => *path = with_literals(path, &mut |text| resolved(text)),
            value => resolve(value, ids),
        }),
        _ => {}
    }
}

/// Takes out what refers to the circle, as far as a resource can be without it at first.
pub(super) fn set_aside(
    schema: &ResourceSchema,
    attributes: &mut Map<String, Value>,
    circle: &impl Fn(&str) -> bool,
) -> Map<String, Value> {
    let closes = |value: &Value| names(value).iter().any(|name| circle(name));
    let mut aside = Map::new();
    for (key, value) in std::mem::take(attributes) {
        let (now, later) = match value {
            value if !closes(&value) => (Some(value), None),
            value => match (AttrPath::parse(&key).ok().and_then(|path| schema.resolve(&path)), value) {
                (Some(Target::Attribute { attribute, .. }), value) if attribute.required => (Some(value), None),
                (Some(Target::Extension(_)), Value::Object(mut inner)) => {
                    let later = set_aside(schema, &mut inner, circle);
                    (Some(inner.into()), Some(later.into()))
                }
                (_, Value::Array(values)) => {
                    let (later, now): (Vec<_>, Vec<_>) = values.into_iter().partition(closes);
                    (Some(now.into()), Some(later.into()))
                }
                (_, value) => (None, Some(value)),
            },
        };
        attributes.extend(now.map(|now| (key.clone(), now)));
        aside.extend(later.map(|later| (key, later)));
    }
    aside
}

fn is_path(key: &str) -> bool {
    key.eq_ignore_ascii_case("path")
}

/// The path with each of its literals, which are texts of JSON, replaced by what `change` makes of it.
fn with_literals(path: &str, change: &mut impl FnMut(&str) -> Option<String>) -> String {
    let (mut changed, mut rest) = (String::with_capacity(path.len()), path);
    while let Some(start) = rest.find('"') {
        let Some(length) = literal(&rest[start..]) else { break };
        let (before, from) = rest.split_at(start);
        let (quoted, after) = from.split_at(length);
        let text: Option<String> = serde_json::from_str(quoted).ok();
        let new = text
            .and_then(|text| change(&text))
            .map(|new| Value::from(new).to_string());
        changed.push_str(before);
        changed.push_str(new.as_deref().unwrap_or(quoted));
        rest = after;
    }
    changed.push_str(rest);
    changed
}

/// The length of the literal that the text begins with, quotes included.
fn literal(text: &str) -> Option<usize> {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map(|end| end + 2)
}
