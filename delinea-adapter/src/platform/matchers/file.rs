//! A tenant's own matchers, out of a file: what is asked before the built-in table.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    entries::{self, Fault},
    platform::failure::Class,
};

use super::{Meaning, Place, Test};

/// No compiled pattern is larger.
const LARGEST_REGEX: usize = 1 << 20;

/// One matcher: where it is told, the text and the status must both fit.
#[derive(Debug)]
pub(super) struct Own {
    text: Option<(Place, Pattern)>,
    pub(super) status: Option<Statuses>,
    pub(super) meaning: Meaning,
}

#[derive(Debug)]
enum Pattern {
    /// In lower case.
    Contains(String),
    Regex(Regex),
}

/// The statuses from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statuses(u16, u16);

impl Statuses {
    pub(super) fn have(self, status: u16) -> bool {
        (self.0..=self.1).contains(&status)
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || D::Error::custom("`status` is a number such as 409, or a class such as \"4xx\"");
        let statuses = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(number) => {
                let status = number.as_u64().and_then(|status| u16::try_from(status).ok());
                status.map(|status| Self(status, status))
            }
            serde_json::Value::String(text) => {
                let class = text.to_ascii_lowercase();
                let class = class.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok());
                class.map(|class| Self(class.saturating_mul(100), class.saturating_mul(100).saturating_add(99)))
            }
            _ => None,
        };
        statuses
            .filter(|statuses| (100..=599).contains(&statuses.0) && statuses.1 <= 599)
            .ok_or_else(wrong)
    }
}

/// What a matcher says.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    Duplicate,
    NotFound,
    Permission,
    Validation,
    WeakPassword,
    Transient,
    Throttled,
    Challenge,
    Other,
}

impl From<Named> for Meaning {
    fn from(named: Named) -> Self {
        let class = match named {
            Named::Throttled => return Self::Throttled,
            Named::Duplicate => Class::Duplicate,
            Named::NotFound => Class::NotFound,
            Named::Permission => Class::Permission,
            Named::Validation => Class::Validation,
            Named::WeakPassword => Class::WeakPassword,
            Named::Transient => Class::Transient,
            Named::Challenge => Class::Challenge,
            Named::Other => Class::Other,
        };
        Self::Refused(class)
    }
}

/// Where a tenant's matcher looks.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Field {
    ErrorId,
    MessageId,
    Message,
    Exception,
    #[default]
    Any,
}

impl From<Field> for Place {
    fn from(field: Field) -> Self {
        match field {
            Field::ErrorId => Self::ErrorId,
            Field::MessageId => Self::MessageId,
            Field::Message => Self::Message,
            Field::Exception => Self::Exception,
            Field::Any => Self::Any,
        }
    }
}

/// An entry of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    field: Option<Field>,
    contains: Option<String>,
    regex: Option<String>,
    status: Option<Statuses>,
    class: Named,
    #[serde(rename = "comment")]
    _comment: Option<String>,
}

impl Own {
    /// The pattern, if the text matters.
    pub(super) fn test(&self) -> Option<(Place, Test<'_>)> {
        let (place, pattern) = self.text.as_ref()?;
        let test = match pattern {
            Pattern::Contains(text) => Test::Contains(text),
            Pattern::Regex(regex) => Test::Regex(regex),
        };
        Some((*place, test))
    }
}

/// The matchers in a file's text, in their order.
pub(super) fn parse(text: &str) -> Result<Vec<Own>, Fault> {
    let matchers = entries::parse::<Written>(text)?.into_iter().map(|entry| {
        let line = entry.line;
        own(entry.value).map_err(|reason| Fault::new(line, reason))
    });
    matchers.collect()
}

fn own(written: Written) -> Result<Own, String> {
    let pattern = match (written.contains, written.regex) {
        (Some(_), Some(_)) => return Err("a matcher has `contains` or `regex`, not both".to_owned()),
        (Some(text), None) if text.trim().is_empty() => return Err("`contains` is empty, and would fit all".to_owned()),
        (Some(text), None) => Some(Pattern::Contains(text.to_lowercase())),
        (None, Some(text)) => Some(Pattern::Regex(regex(&text)?)),
        (None, None) if written.field.is_some() => return Err("`field` needs `contains` or `regex`".to_owned()),
        (None, None) => None,
    };
    if pattern.is_none() && written.status.is_none() {
        return Err("a matcher needs `contains`, `regex` or `status`".to_owned());
    }
    Ok(Own {
        text: pattern.map(|pattern| (written.field.unwrap_or_default().into(), pattern)),
        status: written.status,
        meaning: written.class.into(),
    })
}

fn regex(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text)
        .case_insensitive(true)
        .size_limit(LARGEST_REGEX)
        .build();
    let regex = built.map_err(|error| format!("`regex`: {}", error.to_string().replace('\n', " ")))?;
    if regex.is_match("") {
        return Err("`regex` fits an empty text, and so would fit all".to_owned());
    }
    Ok(regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_that_cannot_be_meant_are_refused_with_their_line() {
        for (entry, said) in [
            (r#"{"class": "duplicate"}"#, "needs `contains`"),
            (r#"{"class": "double", "contains": "x"}"#, "unknown variant `double`"),
            (r#"{"contains": "x"}"#, "missing field `class`"),
            (r#"{"class": "duplicate", "contains": " "}"#, "is empty"),
            (r#"{"class": "duplicate", "contains": "x", "regex": "y"}"#, "not both"),
            (r#"{"class": "duplicate", "regex": "("}"#, "unclosed group"),
            (r#"{"class": "duplicate", "regex": "a*"}"#, "empty text"),
            (r#"{"class": "duplicate", "regex": "(a{1000}){1000}"}"#, "size"),
            (
                r#"{"class": "duplicate", "field": "message", "status": 409}"#,
                "`field` needs",
            ),
            (
                r#"{"class": "duplicate", "field": "text", "contains": "x"}"#,
                "unknown variant `text`",
            ),
            (r#"{"class": "duplicate", "status": 40}"#, "`status` is a number"),
            (r#"{"class": "duplicate", "status": "9xx"}"#, "`status` is a number"),
            (r#"{"class": "duplicate", "status": "4x"}"#, "`status` is a number"),
            (r#"{"class": "duplicate", "status": true}"#, "`status` is a number"),
            (
                r#"{"class": "duplicate", "contains": "x", "case": true}"#,
                "unknown field `case`",
            ),
        ] {
            let fault = parse(&format!("[\n{{\"class\": \"other\", \"status\": 418}},\n{entry}]")).unwrap_err();
            assert_eq!(fault.line, 3, "{entry} {fault}");
            assert!(fault.reason.contains(said), "{entry}: {fault}");
        }
    }

    #[test]
    fn a_class_of_statuses_has_its_hundred() {
        let statuses = |text: &str| serde_json::from_str::<Statuses>(text).unwrap();
        let four = statuses("\"4XX\"");
        assert!(four.have(400) && four.have(499) && !four.have(399) && !four.have(500));
        let one = statuses("409");
        assert!(one.have(409) && !one.have(408) && !one.have(410));
    }
}
