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
        let is = match values.next() {
            Some(Ok(value @ (Value::String(_) | Value::Bool(_) | Value::Number(_)))) => value,
            _ => return Err(wrong()),
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
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn first(path: &str, user: &Value) -> Option<String> {
        Path::parse(path).unwrap().first(user.as_object().unwrap())
    }

    #[test]
    fn paths_lead_to_values() {
        let user = json!({
            "displayName": " Anna ", "title": " ", "name": {"givenName": "Anna"},
            "emails": [
                {"value": "h", "type": "home"}, {"value": "w1", "type": "Work"}, {"value": " ", "type": "work"},
                {"value": "w2", "type": "work", "primary": true}, {"value": "x", "type": "odd]\" eq"},
            ],
            "tags": ["a", "b"],
            "urn:x:2.0:User": {"tier": 3, "remote": false, "desk": {"seat": "4"}, "tags": [true], "none": null},
        });
        for (path, value) in [
            ("displayName", Some("Anna")),
            ("DISPLAYNAME", Some("Anna")),
            ("urn:ietf:params:scim:schemas:core:2.0:User:displayName", Some("Anna")),
            ("title", None),
            ("name", None),
            ("name.givenName", Some("Anna")),
            ("name.familyName", None),
            ("emails", Some("w2")),
            ("emails.value", Some("w2")),
            ("emails.type", Some("work")),
            ("emails[type eq \"work\"].value", Some("w2")),
            ("emails[ type EQ \"home\" ]", Some("h")),
            ("emails[primary eq true].type", Some("work")),
            ("emails[type eq \"odd]\\\" eq\"].value", Some("x")),
            ("emails[type eq \"other\"].value", None),
            ("tags", Some("a")),
            ("tags.value", Some("a")),
            ("tags[value eq \"b\"]", Some("b")),
            ("tags.type", None),
            ("urn:x:2.0:User:tier", Some("3")),
            ("URN:X:2.0:user:remote", Some("false")),
            ("urn:x:2.0:User:desk.seat", Some("4")),
            ("urn:x:2.0:User:tags", Some("true")),
            ("urn:x:2.0:User:none", None),
            ("urn:y:2.0:User:tier", None),
        ] {
            assert_eq!(first(path, &user).as_deref(), value, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [
            "",
            " ",
            "a b",
            "a.",
            ".a",
            "a.b.c",
            "9a",
            "urn:",
            "urn:x",
            "urn:a b:c",
            "a[",
            "a[]",
            "a[b]",
            "a[b eq]",
            "a[b eq c]",
            "a[b eq \"c\"",
            "a[b eq \"c\"]d",
            "a[b eq \"c\"].",
            "a[b eq null]",
            "a[b eq [1]]",
            "a[b ne \"c\"]",
            "a[b eq \"c\" and d eq \"e\"]",
            "a.b[c eq \"d\"]",
        ] {
            assert!(Path::parse(path).is_err(), "{path:?}");
        }
    }

    fn name() -> impl Strategy<Value = String> {
        "[a-zA-Z][a-zA-Z0-9_-]{0,6}"
    }

    prop_compose! {
        fn path()(
            urn in proptest::option::of("urn:[a-z]{1,4}:[0-9]\\.[0-9]:[a-z]{1,4}"),
            attribute in name(),
            filter in proptest::option::of((name(), prop_oneof![
                any::<String>().prop_map(Value::from), any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from),
            ])),
            part in proptest::option::of(name()),
        ) -> Path {
            Path { urn, attribute, filter: filter.map(|(part, is)| Filter { part, is }), part }
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ a-c]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("(value|type|primary|a|b)", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_path_is_read_as_it_is_written(path in path()) {
            prop_assume!(path.to_string().len() <= LONGEST);
            prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
        }

        #[test]
        fn whatever_is_written_is_read_or_refused(text in "(urn:)?[a-z:.\\[\\]\"$ ]{0,24}") {
            let _ = Path::parse(&text);
        }

        /// What comes out stands in the user, is not blank, and is primary where anything that fits is.
        #[test]
        fn no_value_is_made_up(
            attribute in json_value(), filtered in any::<bool>(), part_name in proptest::option::of("(value|type|a)")
        ) {
            let filter = filtered.then(|| Filter { part: "type".to_owned(), is: "a".into() });
            let path = Path { urn: None, attribute: "x".to_owned(), filter, part: part_name };
            let user = Map::from_iter([("x".to_owned(), attribute.clone())]);
            let values = match &attribute {
                Value::Array(values) => values.clone(),
                value => vec![value.clone()],
            };
            let fitting: Vec<&Value> = values
                .iter()
                .filter(|value| !filtered || part(value, "type").and_then(Value::as_str) == Some("a"))
                .filter(|value| path.text(value).is_some())
                .collect();
            let primary = fitting.iter().find(|value| part(value, "primary") == Some(&Value::Bool(true)));
            let best = primary.or(fitting.first());
            prop_assert_eq!(path.first(&user), best.and_then(|value| path.text(value)));
        }
    }
}
