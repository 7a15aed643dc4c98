//! Paths into a user, as RFC 7644 §3.10 writes them, and what they lead to. A choice among several values has one comparison
//! by `eq`; more than that no mapping has asked for. It knows JSON, and no attribute by name.

use std::fmt;

use serde_json::{Map, Value};

use super::attributes::CORE_URN;

/// No path is longer.
const LONGEST: usize = 512;

/// Where a value stands in a user.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// The extension, unless it is the core schema.
    pub(super) urn: Option<String>,
    /// The attribute.
    pub(super) attribute: String,
    /// Which of several values.
    pub(super) filter: Option<Filter>,
    /// Which part of a value; the one called `value` where none is named.
    pub(super) part: Option<String>,
}

/// A choice among several values: those whose part has this value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    pub(super) part: String,
    /// A text, compared in any case, a truth value or a number.
    pub(super) is: Value,
}

impl Path {
    /// Reads `[urn:]attribute[part eq value].part`; all but the attribute may be left out.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(format!("a path has {LONGEST} characters at most"));
        }
        let (head, rest) = text.find('[').map_or((text, ""), |at| text.split_at(at));
        let is_urn = head.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
        let (urn, name) = match head.rsplit_once(':') {
            Some((urn, name)) if is_urn => (Some(urn), name),
            _ => (None, head),
        };
        let urn = urn.filter(|urn| !urn.eq_ignore_ascii_case(CORE_URN));
        if urn.is_some_and(|urn| urn.len() <= "urn:".len() || urn.contains(char::is_whitespace)) {
            return Err(format!("`{text}` does not begin with a URN and an attribute"));
        }
        let (attribute, part, filter) = if rest.is_empty() {
            let (attribute, part) = split_part(name);
            (attribute, part, None)
        } else {
            let (filter, behind) = Filter::parse(rest)?;
            let part = match behind.strip_prefix('.') {
                Some(part) => Some(part),
                None if behind.is_empty() => None,
                None => return Err(format!("`{behind}` cannot stand behind `]`")),
            };
            (name, part, Some(filter))
        };
        for name in [Some(attribute), part].into_iter().flatten() {
            check_name(name)?;
        }
        Ok(Self {
            urn: urn.map(str::to_owned),
            attribute: attribute.to_owned(),
            filter,
            part: part.map(str::to_owned),
        })
    }

    /// The first value that is not blank: the primary one before the others, which keep their order.
    pub(super) fn first(&self, user: &Map<String, Value>) -> Option<String> {
        let of = match &self.urn {
            Some(urn) => member(user, urn)?.as_object()?,
            None => user,
        };
        let attribute = member(of, &self.attribute)?;
        let Value::Array(values) = attribute else {
            return self.chooses(attribute).then(|| self.text(attribute)).flatten();
        };
        let chosen = || values.iter().filter(|value| self.chooses(value));
        let is_primary = |value: &&Value| part(value, "primary") == Some(&Value::Bool(true));
        let primary = chosen().filter(is_primary);
        primary.chain(chosen()).find_map(|value| self.text(value))
    }

    /// Whether this is one of the values that the path is about.
    pub(super) fn chooses(&self, value: &Value) -> bool {
        let Some(filter) = &self.filter else { return true };
        match (part(value, &filter.part), &filter.is) {
            (Some(Value::String(one)), Value::String(other)) => one.to_lowercase() == other.to_lowercase(),
            (Some(one), other) => one == other,
            (None, _) => false,
        }
    }

    fn text(&self, value: &Value) -> Option<String> {
        let text = match part(value, self.part.as_deref().unwrap_or(VALUE))? {
            Value::String(text) => text.trim().to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }
}

impl Filter {
    /// Reads `[part eq value]`, and gives what stands behind it.
    fn parse(text: &str) -> Result<(Self, &str), String> {
        let wrong = || format!("`{text}` is no choice; write such as [type eq \"work\"]");
        let inner = text.strip_prefix('[').ok_or_else(wrong)?.trim_start();
        let (part, inner) = inner.split_once(char::is_whitespace).ok_or_else(wrong)?;
        check_name(part)?;
        let (operator, inner) = inner.trim_start().split_once(char::is_whitespace).ok_or_else(wrong)?;
        if !operator.eq_ignore_ascii_case("eq") {
            return Err(format!("`{operator}`: values are chosen by `eq` alone"));
        }
        // The value is JSON, and ends where JSON says: a text may have brackets.
        let mut values = serde_json::Deserializer::from_str(inner).into_iter::<Value>();
        let Some(Ok(is @ (Value::String(_) | Value::Bool(_) | Value::Number(_)))) = values.next() else {
            return Err(wrong());
        };
        let behind = inner.get(values.byte_offset()..).unwrap_or_default().trim_start();
        let behind = behind.strip_prefix(']').ok_or_else(wrong)?;
        let part = part.to_owned();
        Ok((Self { part, is }, behind))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        if let Some(Filter { part, is }) = &self.filter {
            write!(f, "[{part} eq {is}]")?;
        }
        match &self.part {
            Some(part) => write!(f, ".{part}"),
            None => Ok(()),
        }
    }
}

/// The part of a value that stands for the whole of it.
const VALUE: &str = "value";

/// A part of a value; a value without parts is its own `value`.
fn part<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(parts) => member(parts, name),
        value => name.eq_ignore_ascii_case(VALUE).then_some(value),
    }
}

/// A member by its name in any case, as SCIM has names (RFC 7643 §2.1).
pub(super) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        let mut members = object.iter();
        members.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    })
}

/// `name.part`, of which the part may be missing.
fn split_part(name: &str) -> (&str, Option<&str>) {
    match name.split_once('.') {
        Some((name, part)) => (name, Some(part)),
        None => (name, None),
    }
}

/// RFC 7643 §2.1: a letter, then letters, digits, `-`, `_`; `$ref` is the one with a `$`.
fn check_name(name: &str) -> Result<(), String> {
    let plain = name.strip_prefix('$').unwrap_or(name);
    let letter = plain.starts_with(|c: char| c.is_ascii_alphabetic());
    if letter
        && plain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        return Ok(());
    }
    Err(format!("`{name}` is no attribute's name"))
}

#[cfg(test)]
mod tests;
