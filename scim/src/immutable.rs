//! `immutable`: set once, and then as it is (RFC 7643 §7, RFC 7644 §3.5.1, §3.5.2). To set it where it has no value is fine.
//!
//! A complex value may go whole, with the immutable parts in it, as members of a group do (RFC 7643 §4.2).

use serde_json::{Map, Value};

use crate::{
    error::{Error, ErrorKind},
    schema::{Attribute, Mutability, ResourceSchema},
};

/// Refuses a change of what must stay.
pub(crate) fn check(schema: &ResourceSchema, before: &Value, after: &Value) -> Result<(), Error> {
    among(&schema.core.attributes, before.as_object(), after.as_object(), "")?;
    for extension in &schema.extensions {
        let [old, new] = [before, after].map(|resource| resource.get(&extension.id).and_then(Value::as_object));
        among(&extension.attributes, old, new, &format!("{}:", extension.id))?;
    }
    Ok(())
}

/// Refuses to change one part of one of several values, which are told apart by nothing but their parts.
pub(crate) fn check_part(
    attribute: &Attribute,
    part: &str,
    old: Option<&Value>,
    new: Option<&Value>,
) -> Result<(), Error> {
    let immutable = attribute.sub_attribute(part).is_some_and(is_immutable);
    if immutable && old.is_some() && old != new {
        return Err(refusal(&format!("{}.{part}", attribute.name)));
    }
    Ok(())
}

fn among(
    attributes: &[Attribute],
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
    urn: &str,
) -> Result<(), Error> {
    let Some(before) = before else { return Ok(()) };
    for attribute in attributes {
        let Some(old) = before.get(&attribute.name) else {
            continue;
        };
        let new = after.and_then(|after| after.get(&attribute.name));
        let path = || format!("{urn}{}", attribute.name);
        if is_immutable(attribute) {
            if new.is_none_or(|new| !same(old, new)) {
                return Err(refusal(&path()));
            }
            continue;
        }
        let Some(new) = new else { continue };
        for part in attribute.sub_attributes.iter().filter(|part| is_immutable(part)) {
            let changed = match (old, new) {
                (Value::Array(old), Value::Array(new)) => pairs(old, new).any(|(old, new)| changes(part, old, new)),
                (old, new) => changes(part, old, new),
            };
            if changed {
                return Err(refusal(&format!("{}.{}", path(), part.name)));
            }
        }
    }
    Ok(())
}

/// Values that are the same one before and after: by their `value`.
fn pairs<'v>(old: &'v [Value], new: &'v [Value]) -> impl Iterator<Item = (&'v Value, &'v Value)> {
    old.iter().filter_map(|old| {
        let key = old.get("value")?;
        Some((old, new.iter().find(|new| new.get("value") == Some(key))?))
    })
}

fn changes(part: &Attribute, old: &Value, new: &Value) -> bool {
    let old = old.get(&part.name);
    old.is_some() && old != new.get(&part.name)
}

/// The order of several values says nothing.
fn same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => old.len() == new.len() && old.iter().all(|value| new.contains(value)),
        (old, new) => old == new,
    }
}

fn is_immutable(attribute: &Attribute) -> bool {
    attribute.mutability == Mutability::Immutable
}

fn refusal(path: &str) -> Error {
    Error::new(
        ErrorKind::Mutability,
        format!("`{path}` is immutable: it has a value already, which can neither be changed nor removed"),
    )
}
