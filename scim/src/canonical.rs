//! The canonical form of a resource: proper names, proper types, nothing absent, nothing unknown.
//!
//! Whatever dialect a client speaks ends here in one form. Values are kept byte for byte; only names, types and shapes
//! are put right. What the client may not write (read-only attributes) and what the table does not know is dropped, as
//! RFC 7643 §2.2 and RFC 7644 §3.3 allow and Entra needs (Q23, Q24).

use std::{collections::HashSet, str::FromStr};

use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use crate::{
    error::{Error, ErrorKind},
    filter::text_truth,
    path::AttrPath,
    required,
    schema::{Attribute, AttributeType, Mutability, Quirk, ResourceSchema, Schema, Target},
};

/// How long a text value may be, in characters; longer ones are refused by name (Q39).
pub const MAX_TEXT_CHARS: usize = 4_096;
/// How long a binary value may be, in characters of base64.
pub const MAX_BINARY_CHARS: usize = 64 * 1024;
/// How many values a multi-valued attribute may have; members of a group are only bounded by the body.
pub const MAX_VALUES: usize = 1_000;

/// Brings the body of a POST or PUT into canonical form.
///
/// ```
/// use scim::{Schemas, canonicalize};
/// use serde_json::json;
///
/// let body = json!({"UserName": "odile@kestrel.example", "active": "True", "title": null, "emails": {"value": "o@k.example"}});
/// let user = canonicalize(Schemas::builtin().user(), body)?;
/// assert_eq!(user["userName"], "odile@kestrel.example");
/// assert_eq!(user["active"], true);
/// assert_eq!(user["emails"], json!([{"value": "o@k.example"}]));
/// assert!(user.get("title").is_none());
/// # Ok::<(), scim::Error>(())
/// ```
pub fn canonicalize(schema: &ResourceSchema, body: Value) -> Result<Value, Error> {
    let Value::Object(body) = body else {
        return Err(Error::new(ErrorKind::InvalidSyntax, "the body is not a JSON object"));
    };
    let mut canonical = Body {
        schema,
        resource: Map::new(),
        named: HashSet::new(),
    };
    for (key, value) in body {
        canonical.put(&key, value)?;
    }
    finish(schema, canonical.resource, None)
}

/// Puts the last things right: no duplicates, one primary, nothing empty, `schemas` as they are, nothing required missing
/// that was not missing `before`.
pub(crate) fn finish(
    schema: &ResourceSchema,
    mut resource: Map<String, Value>,
    before: Option<&Value>,
) -> Result<Value, Error> {
    let common = schema
        .common
        .iter()
        .filter(|attribute| attribute.mutability != Mutability::ReadOnly);
    for attribute in schema.core.attributes.iter().chain(common) {
        tidy(&mut resource, attribute)?;
    }
    let mut urns = vec![Value::from(schema.core.id.as_str())];
    for extension in &schema.extensions {
        let Some(Value::Object(holder)) = resource.get_mut(&extension.id) else {
            continue;
        };
        for attribute in &extension.attributes {
            tidy(holder, attribute)?;
        }
        if holder.is_empty() {
            resource.remove(&extension.id);
        } else {
            urns.push(Value::from(extension.id.as_str()));
        }
    }
    resource.insert("schemas".to_owned(), Value::Array(urns));
    let resource = Value::Object(resource);
    required::check(schema, &resource, before)?;
    Ok(resource)
}

/// A body on its way into canonical form.
struct Body<'s> {
    schema: &'s ResourceSchema,
    resource: Map<String, Value>,
    /// The places that were named already.
    named: HashSet<(Option<&'s str>, &'s str, Option<&'s str>)>,
}

impl<'s> Body<'s> {
    /// Puts one member of a body where it belongs. Keys may be names, dotted paths, URN paths or extension URNs.
    fn put(&mut self, key: &str, value: Value) -> Result<(), Error> {
        let schema = self.schema;
        if key.eq_ignore_ascii_case(&schema.core.id) {
            let Value::Object(attributes) = value else {
                return Ok(());
            };
            return attributes.into_iter().try_for_each(|(name, value)| {
                let core = schema.attribute(&name).is_some();
                if core { self.put(&name, value) } else { Ok(()) }
            });
        }
        let Some(target) = AttrPath::parse(key).ok().and_then(|path| schema.resolve(&path)) else {
            return Ok(());
        };
        match target {
            Target::Extension(extension) => {
                let Value::Object(attributes) = value else {
                    return Ok(());
                };
                for (name, value) in attributes {
                    let Some(attribute) = extension.attribute(&name) else {
                        continue;
                    };
                    let path = format!("{}:{}", extension.id, attribute.name);
                    self.put_once(Some(extension), attribute, None, &path, value)?;
                }
                Ok(())
            }
            Target::Attribute {
                extension,
                attribute,
                sub,
            } => self.put_once(extension, attribute, sub, key, value),
        }
    }

    /// Two keys for one place differ in letter case or by the URN; one of them would be ignored. A null is no value, and so
    /// none too many (Q25).
    fn put_once(
        &mut self,
        extension: Option<&'s Schema>,
        attribute: &'s Attribute,
        sub: Option<&'s Attribute>,
        path: &str,
        value: Value,
    ) -> Result<(), Error> {
        if value.is_null() {
            return Ok(());
        }
        let place = (
            extension.map(|schema| schema.id.as_str()),
            attribute.name.as_str(),
            sub.map(|sub| sub.name.as_str()),
        );
        if attribute.mutability != Mutability::ReadOnly && !self.named.insert(place) {
            return Err(twice(path));
        }
        set(holder(&mut self.resource, extension), attribute, sub, path, value)
    }
}

fn set(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    sub: Option<&Attribute>,
    path: &str,
    value: Value,
) -> Result<(), Error> {
    if attribute.mutability == Mutability::ReadOnly {
        return Ok(());
    }
    let Some(sub) = sub else {
        match canonical(attribute, path, value)? {
            Some(value) => holder.insert(attribute.name.clone(), value),
            None => holder.remove(&attribute.name),
        };
        return Ok(());
    };
    if attribute.multi_valued || sub.mutability == Mutability::ReadOnly {
        return Ok(());
    }
    if let Some(value) = canonical(sub, path, value)? {
        let complex = holder
            .entry(attribute.name.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(map) = complex {
            map.insert(sub.name.clone(), value);
        }
    }
    Ok(())
}

/// The object in which an extension's attributes stand; the resource itself for core attributes.
pub(crate) fn holder<'r>(
    resource: &'r mut Map<String, Value>,
    extension: Option<&Schema>,
) -> &'r mut Map<String, Value> {
    let Some(extension) = extension else { return resource };
    let holder = resource
        .entry(extension.id.clone())
        .or_insert_with(|| Value::Object(Map::new()));
    if !holder.is_object() {
        *holder = Value::Object(Map::new());
    }
    holder
        .as_object_mut()
        .expect("it was made an object just above if it was not one")
}

/// A value as the attribute wants it; `None` when it says that there is none.
pub(crate) fn canonical(attribute: &Attribute, path: &str, value: Value) -> Result<Option<Value>, Error> {
    if !attribute.multi_valued {
        return single(attribute, path, value);
    }
    let values = match value {
        Value::Null => return Ok(None),
        Value::Array(values) => values,
        // Only one, without its list.
        value => vec![value],
    };
    bounded(attribute, path, values.len())?;
    let mut kept = Vec::with_capacity(values.len());
    for value in values {
        kept.extend(element(attribute, path, value)?);
    }
    Ok(if kept.is_empty() {
        None
    } else {
        Some(Value::Array(kept))
    })
}

/// One value of an attribute, single- or multi-valued.
pub(crate) fn element(attribute: &Attribute, path: &str, value: Value) -> Result<Option<Value>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::Object(map) if attribute.kind == AttributeType::Complex => complex(attribute, path, map),
        Value::Array(_) if attribute.kind == AttributeType::Complex => {
            Err(invalid(path, "a list stands where one value belongs"))
        }
        value if attribute.kind == AttributeType::Complex => match attribute.sub_attribute("value") {
            // Only the significant part, without its object.
            Some(_) => complex(attribute, path, Map::from_iter([("value".to_owned(), value)])),
            // Nothing, as Entra writes it (Q16).
            None if value == "" => Ok(None),
            None => Err(invalid(path, "takes an object")),
        },
        // A scalar in an object, as old jobs send it.
        Value::Object(mut map) => match map.remove("value") {
            Some(value) if !value.is_object() => element(attribute, path, value),
            _ => Err(invalid(path, "takes a simple value, not an object")),
        },
        value => scalar(attribute, path, value),
    }
}

/// Refuses more values than an attribute may have.
pub(crate) fn bounded(attribute: &Attribute, path: &str, values: usize) -> Result<(), Error> {
    if values > MAX_VALUES && attribute.quirk != Quirk::Members {
        return Err(invalid(
            path,
            &format!("has {values} values; at most {MAX_VALUES} are kept"),
        ));
    }
    Ok(())
}

fn single(attribute: &Attribute, path: &str, value: Value) -> Result<Option<Value>, Error> {
    match value {
        Value::Array(values) if values.len() > 1 => Err(invalid(path, "takes one value, not a list")),
        Value::Array(values) => values
            .into_iter()
            .next()
            .map_or(Ok(None), |value| element(attribute, path, value)),
        value => element(attribute, path, value),
    }
}

fn complex(attribute: &Attribute, path: &str, map: Map<String, Value>) -> Result<Option<Value>, Error> {
    // An entry that does not say whom it refers to must not pass for no entry at all.
    let names_one = map.keys().any(|name| name.eq_ignore_ascii_case("value"));
    if attribute.multi_valued && is_reference(attribute) && !names_one && !map.is_empty() {
        return Err(invalid(path, "needs the `value` of each entry"));
    }
    let mut kept = parts(attribute, path, map)?;
    unpack(attribute, path, &mut kept)?;
    Ok(if says_nothing(attribute, &kept) {
        None
    } else {
        Some(Value::Object(kept))
    })
}

/// The parts of one value that are known, may be written and have a value.
pub(crate) fn parts(attribute: &Attribute, path: &str, map: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let (mut kept, mut aliased) = (Map::new(), false);
    for (name, value) in map {
        let sub = attribute.sub_attribute(&name).or_else(|| {
            // Role expressions of Entra name the display so (R16).
            let alias = name.eq_ignore_ascii_case("displayName") && attribute.multi_valued;
            attribute.sub_attribute("display").filter(|_| alias)
        });
        let Some(sub) = sub.filter(|sub| sub.mutability != Mutability::ReadOnly) else {
            continue;
        };
        let (part, alias) = (format!("{path}.{}", sub.name), !name.eq_ignore_ascii_case(&sub.name));
        if let Some(value) = canonical(sub, &part, value)? {
            // Its own name goes before another that stands for it; two spellings of one name cannot both be meant.
            let other = kept.get(&sub.name).is_some();
            if other && !alias && !aliased {
                return Err(twice(&part));
            }
            if !other || !alias {
                kept.insert(sub.name.clone(), value);
            }
            aliased |= alias;
        }
    }
    Ok(kept)
}

/// A role's value may be a JSON document in a text (R16): its `value` (or else its `id`), names and type are what is meant.
fn unpack(attribute: &Attribute, path: &str, role: &mut Map<String, Value>) -> Result<(), Error> {
    if attribute.quirk != Quirk::Roles {
        return Ok(());
    }
    // Each round's text stood inside the one before, so there is an end.
    while let Some(inner) = role.get("value").and_then(Value::as_str).and_then(packed) {
        role.extend(parts(attribute, path, inner)?);
    }
    Ok(())
}

fn packed(text: &str) -> Option<Map<String, Value>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let Ok(Value::Object(mut inner)) = serde_json::from_str(text) else {
        return None;
    };
    let id = inner.remove("id");
    if !inner.contains_key("value") {
        inner.extend(id.map(|id| ("value".to_owned(), id)));
    }
    let value = inner.get("value").and_then(Value::as_str);
    value.is_some_and(|value| !value.is_empty()).then_some(inner)
}

/// Whether the attribute's values stand for other resources.
fn is_reference(attribute: &Attribute) -> bool {
    attribute.sub_attribute("value").is_some() && attribute.sub_attribute("$ref").is_some()
}

/// A value with labels and nothing to label; a reference to nobody (Q15).
fn says_nothing(attribute: &Attribute, value: &Map<String, Value>) -> bool {
    if is_reference(attribute) {
        return !value.contains_key("value");
    }
    let label = |name: &str| matches!(name, "type" | "primary");
    let labels_something = !attribute.sub_attributes.iter().all(|part| label(&part.name));
    value.is_empty() || (attribute.multi_valued && labels_something && value.keys().all(|name| label(name)))
}

fn scalar(attribute: &Attribute, path: &str, value: Value) -> Result<Option<Value>, Error> {
    match attribute.kind {
        AttributeType::Boolean => match &value {
            Value::Bool(_) => Ok(Some(value)),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => match text_truth(text.trim()) {
                Some(truth) => Ok(Some(Value::Bool(truth))),
                None => Err(invalid(path, "takes true or false")),
            },
            _ => Err(invalid(path, "takes true or false")),
        },
        kind @ (AttributeType::Integer | AttributeType::Decimal) => {
            let number = match value {
                Value::Number(number) => Some(number),
                Value::String(text) if text.is_empty() => return Ok(None),
                Value::String(text) => Number::from_str(text.trim()).ok(),
                _ => None,
            };
            let number = number.ok_or_else(|| invalid(path, "takes a number"))?;
            let number = if kind == AttributeType::Integer {
                whole_number(number).ok_or_else(|| invalid(path, "takes a whole number"))?
            } else {
                number
            };
            Ok(Some(Value::Number(number)))
        }
        kind => match value {
            Value::String(text) => text_value(kind, path, text),
            // Typed mappings send a number where the table has a text (Q38).
            Value::Number(number) if is_rounded(&number) => Err(invalid(
                path,
                "takes a text; a number so long is not kept as it was written",
            )),
            Value::Number(number) => text_value(kind, path, number.to_string()),
            Value::Bool(truth) => text_value(kind, path, truth.to_string()),
            _ => Err(invalid(path, "takes a text")),
        },
    }
}

/// Beyond this a double no longer says which integer it is.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether a number may have had more digits than it was read with.
fn is_rounded(number: &Number) -> bool {
    number.is_f64() && number.as_f64().is_none_or(|number| number.abs() >= EXACT)
}

/// The integer that a number is (RFC 7643 §2.3.4); `7.0` is how some serializers write 7.
fn whole_number(number: Number) -> Option<Number> {
    if number.is_i64() || number.is_u64() {
        return Some(number);
    }
    let double = number.as_f64()?;
    (double.fract() == 0.0 && double.abs() <= EXACT).then(|| Number::from(double as i64))
}

fn text_value(kind: AttributeType, path: &str, text: String) -> Result<Option<Value>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let limit = if kind == AttributeType::Binary {
        MAX_BINARY_CHARS
    } else {
        MAX_TEXT_CHARS
    };
    if text.len() > limit && text.chars().count() > limit {
        return Err(invalid(path, &format!("is longer than {limit} characters")));
    }
    if let Some(at) = text
        .chars()
        .position(|letter| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r'))
    {
        return Err(invalid(
            path,
            &format!("has a control character at position {}", at + 1),
        ));
    }
    if kind == AttributeType::DateTime && text.parse::<Timestamp>().is_err() {
        return Err(invalid(path, "takes a date and time such as 2026-11-23T10:00:00Z"));
    }
    if kind == AttributeType::Binary && !is_base64(&text) {
        return Err(invalid(path, "takes bytes in base64"));
    }
    Ok(Some(Value::String(text)))
}

/// RFC 7643 §2.3.6: padding may be left out. Lines may be broken, as in a PEM file.
fn is_base64(text: &str) -> bool {
    let text: String = text.split_ascii_whitespace().collect();
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    digits.bytes().all(alphabet)
        && digits.len() % 4 != 1
        && (padding == 0 || padding <= 2 && text.len().is_multiple_of(4))
}

/// No duplicates, at most one primary, nothing empty.
fn tidy(holder: &mut Map<String, Value>, attribute: &Attribute) -> Result<(), Error> {
    let Some(value) = holder.get_mut(&attribute.name) else {
        return Ok(());
    };
    let empty = match value {
        Value::Array(values) => {
            for value in values.iter_mut().filter_map(Value::as_object_mut) {
                unpack(attribute, &attribute.name, value)?;
            }
            values.retain(|value| value.as_object().is_none_or(|map| !says_nothing(attribute, map)));
            let mut seen = HashSet::with_capacity(values.len());
            values.retain(|value| seen.insert(value.to_string()));
            if let Some(newest) = values.iter().rposition(|value| value["primary"] == true) {
                keep_primary(values, newest);
            }
            values.is_empty()
        }
        Value::Object(map) => says_nothing(attribute, map),
        _ => false,
    };
    if empty {
        holder.remove(&attribute.name);
    }
    Ok(())
}

/// Only one value is primary: this one (RFC 7643 §2.4, Q27).
pub(crate) fn keep_primary(values: &mut [Value], primary: usize) {
    for (at, value) in values.iter_mut().enumerate() {
        if at != primary && value["primary"] == true {
            value["primary"] = Value::Bool(false);
        }
    }
}

/// Two keys for one place.
pub(crate) fn twice(path: &str) -> Error {
    let path: String = path.chars().take(200).collect();
    Error::new(ErrorKind::InvalidSyntax, format!("`{path}` is there more than once"))
}

pub(crate) fn invalid(path: &str, problem: &str) -> Error {
    let path: String = path.chars().take(200).collect();
    Error::new(ErrorKind::InvalidValue, format!("`{path}` {problem}"))
}
