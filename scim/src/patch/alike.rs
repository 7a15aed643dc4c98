//! When two values of a multi-valued attribute are one (Q17, Q20): by the rule that filters compare them with, so that
//! `A@X` is no second address beside `a@x`.

use std::{borrow::Cow, collections::HashMap};

use serde_json::Value;

use super::work::Work;
use crate::{error::Error, name::folded, schema::Attribute};

/// The parts that tell one value from another; of all other parts each letter counts.
const TELLING: [&str; 2] = ["value", "type"];

/// What values are looked up by: the significant part. `None` for a value, or a description, that has none.
pub(super) fn key(attribute: &Attribute, value: &Value) -> Option<String> {
    match value {
        Value::Object(map) => {
            let value = map.get("value")?;
            let part = attribute.sub_attribute("value");
            Some(part.map_or_else(|| value.to_string(), |part| compared(part, value).into_owned()))
        }
        value => Some(compared(attribute, value).into_owned()),
    }
}

/// Whether a value is what another describes: all that the description has, the value has too.
pub(super) fn covers(attribute: &Attribute, value: &Value, description: &Value) -> bool {
    match (value, description) {
        (Value::Object(value), Value::Object(description)) => {
            !description.is_empty()
                && description.iter().all(|(name, wanted)| {
                    value
                        .get(name)
                        .is_some_and(|has| same_part(attribute, name, has, wanted))
                })
        }
        (value, description) => same(attribute, value, description),
    }
}

/// Whether two values, or their absence, are the same in one part.
pub(super) fn same_type(attribute: &Attribute, left: &Value, right: &Value) -> bool {
    match (left.get("type"), right.get("type")) {
        (Some(left), Some(right)) => same_part(attribute, "type", left, right),
        (left, right) => left == right,
    }
}

fn same_part(attribute: &Attribute, name: &str, left: &Value, right: &Value) -> bool {
    match attribute.sub_attribute(name) {
        Some(part) if TELLING.contains(&name) => same(part, left, right),
        _ => left == right,
    }
}

fn same(attribute: &Attribute, left: &Value, right: &Value) -> bool {
    left == right || compared(attribute, left) == compared(attribute, right)
}

fn compared<'v>(attribute: &Attribute, value: &'v Value) -> Cow<'v, str> {
    match value {
        Value::String(text) if attribute.case_exact => Cow::Borrowed(text),
        Value::String(text) => folded(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Descriptions of values, found by what they describe.
pub(super) struct Listed<'v> {
    by_key: HashMap<Option<String>, Vec<&'v Value>>,
}

impl<'v> Listed<'v> {
    pub(super) fn new(attribute: &Attribute, descriptions: &'v [Value]) -> Self {
        let mut by_key: HashMap<_, Vec<_>> = HashMap::new();
        for description in descriptions {
            by_key.entry(key(attribute, description)).or_default().push(description);
        }
        Self { by_key }
    }

    /// Whether one of them describes this value.
    pub(super) fn cover(&self, attribute: &Attribute, value: &Value, work: &mut Work) -> Result<bool, Error> {
        let by = |key: &Option<String>| self.by_key.get(key).map(Vec::as_slice).unwrap_or_default();
        let (key, unnamed) = (key(attribute, value), by(&None));
        let named = if key.is_some() { by(&key) } else { &[] };
        work.spend(1 + named.len() + unnamed.len())?;
        Ok(named
            .iter()
            .chain(unnamed)
            .any(|description| covers(attribute, value, description)))
    }
}
