//! Filters and paths: `attribute eq value`, joined by `and`, where an attribute may have a part and a filter of its own
//! (`emails[type eq "work"].value`). Anything else is refused (RFC 7644, 3.4.2.2 and 3.5.2).

use serde_json::Value;

/// A path to a value. Names are in lower case.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Path {
    /// The attribute; of an extension, with the extension's URN before it.
    pub(super) attribute: String,
    /// Which of its values.
    pub(super) of: Vec<Condition>,
    /// The part of the value.
    pub(super) part: Option<String>,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) path: Path,
    pub(super) value: Value,
}

impl Condition {
    /// The value as text.
    pub(super) fn text(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:";

/// Reads a whole filter.
pub(super) fn filter(text: &str) -> Option<Vec<Condition>> {
    let mut reader = Reader { rest: text };
    let conditions = reader.conditions()?;
    reader.rest.trim().is_empty().then_some(conditions)
}

/// Reads a whole path.
pub(super) fn path(text: &str) -> Option<Path> {
    let mut reader = Reader { rest: text };
    let path = reader.path()?;
    reader.rest.trim().is_empty().then_some(path)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn conditions(&mut self) -> Option<Vec<Condition>> {
        let mut conditions = vec![self.condition()?];
        while self.word("and") {
            conditions.push(self.condition()?);
        }
        Some(conditions)
    }

    fn condition(&mut self) -> Option<Condition> {
        let path = self.path()?;
        if !self.word("eq") {
            return None;
        }
        let value = self.value()?;
        Some(Condition { path, value })
    }

    fn path(&mut self) -> Option<Path> {
        let name = self.name()?;
        let name = match name.get(..CORE.len()) {
            // What follows is `User:` or `Group:`.
            Some(start) if start.eq_ignore_ascii_case(CORE) => name.rsplit(':').next()?,
            _ => name,
        };
        let (attribute, mut part) = match name.rsplit_once('.') {
            // A URN has dots of its own, in its version.
            Some((attribute, part)) if !part.contains(':') => (attribute, Some(part)),
            _ => (name, None),
        };
        let mut of = Vec::new();
        if let Some(rest) = self.rest.strip_prefix('[').filter(|_| part.is_none()) {
            self.rest = rest;
            of = self.conditions()?;
            self.rest = self.rest.trim_start().strip_prefix(']')?;
            if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                part = Some(self.name()?);
            }
        }
        Some(Path {
            attribute: attribute.to_ascii_lowercase(),
            of,
            part: part.map(str::to_ascii_lowercase),
        })
    }

    fn name(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$' | ':' | '.');
        let end = text.find(|c| !of_name(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        self.rest = rest;
        name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(name)
    }

    fn word(&mut self, word: &str) -> bool {
        let text = self.rest.trim_start();
        let found = text
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
            && text[word.len()..].starts_with(char::is_whitespace);
        if found {
            self.rest = &text[word.len()..];
        }
        found
    }

    /// A string, a boolean, null or a number, as in JSON.
    fn value(&mut self) -> Option<Value> {
        let text = self.rest.trim_start();
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let value = values.next()?.ok()?;
        self.rest = &text[values.byte_offset()..];
        (!value.is_array() && !value.is_object()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_entra_sends_is_read() {
        let read = filter(r#"userName eq "o\"k@x" AND externalId eq "1""#).unwrap();
        assert_eq!(
            (read[0].path.attribute.as_str(), &read[0].value),
            ("username", &json!("o\"k@x"))
        );
        assert_eq!(read[1].path.attribute, "externalid");
        let read = filter(r#"emails[type eq "work"].value eq "a@x""#).unwrap();
        assert_eq!(read[0].path.part.as_deref(), Some("value"));
        assert_eq!(read[0].path.of[0].value, json!("work"));
        assert_eq!(filter("active eq true").unwrap()[0].value, json!(true));
        let read = path("urn:ietf:params:scim:schemas:core:2.0:User:name.familyName").unwrap();
        assert_eq!(
            (read.attribute.as_str(), read.part.as_deref()),
            ("name", Some("familyname"))
        );
        let manager = path("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager").unwrap();
        assert!(manager.attribute.ends_with(":manager") && manager.part.is_none());
    }

    #[test]
    fn what_is_no_filter_or_path_is_refused() {
        for bad in [
            "",
            "userName",
            "userName eq",
            "userName eq ada",
            r#"userName co "ada""#,
            r#"userName eq "a" or id eq "b""#,
            r#"userName eq "a" and"#,
            r#"userName eq "a" id eq "b""#,
            r#"(userName eq "a")"#,
            r#"not userName eq "a""#,
            "userName pr",
            r#"emails[type eq "work" eq "a""#,
            r#"userName eq ["a"]"#,
        ] {
            assert_eq!(filter(bad), None, "{bad}");
        }
        for bad in [
            "",
            "emails[",
            "emails[]",
            "a b",
            r#"emails[type eq "work"].value x"#,
            ".x",
        ] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
