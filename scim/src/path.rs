//! Attribute paths: `name.familyName`, `urn:…:User:department`, and in PATCH `emails[type eq "work"].value`
//! (RFC 7644 §3.10, §3.5.2).

use std::{fmt, str::FromStr};

use crate::{
    error::{Error, ErrorKind},
    filter::Filter,
    parse::Parser,
};

/// The name of an attribute or of one of its parts, as a client wrote it.
///
/// Without a schema the last part of a URN reads like an attribute's name: `urn:…:enterprise:2.0:User` parses with the
/// attribute `User`. [`ResourceSchema::resolve`](crate::ResourceSchema::resolve) knows better.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttrPath {
    /// The schema's URN, if it was given.
    pub urn: Option<String>,
    /// The attribute's name.
    pub attribute: String,
    /// The part's name, if one was given.
    pub sub: Option<String>,
}

impl AttrPath {
    /// A path to a core attribute.
    pub fn new(attribute: &str) -> Self {
        Self {
            urn: None,
            attribute: attribute.to_owned(),
            sub: None,
        }
    }

    /// Reads a path without a value filter.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parser = Parser::new(text, ErrorKind::InvalidPath)?;
        let path = parser.attr_path()?;
        parser.end()?;
        Ok(path)
    }

    /// Splits the text of a path. A colon can only end a URN, and only what follows it may have a part, so the dot in
    /// `2.0` does not split.
    pub(crate) fn split(text: &str) -> Self {
        let (urn, rest) = match text.rsplit_once(':') {
            Some((urn, rest)) => (Some(urn.to_owned()), rest),
            None => (None, text),
        };
        let (attribute, sub) = match rest.split_once('.') {
            Some((attribute, sub)) => (attribute.to_owned(), Some(sub.to_owned())),
            None => (rest.to_owned(), None),
        };
        Self { urn, attribute, sub }
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl FromStr for AttrPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// The path of a PATCH operation.
///
/// ```
/// let path: scim::Path = r#"emails[type eq "work"].value"#.parse()?;
/// assert_eq!(path.attr.attribute, "emails");
/// assert_eq!(path.sub.as_deref(), Some("value"));
/// assert_eq!(path.to_string(), r#"emails[type eq "work"].value"#);
/// # Ok::<(), scim::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The attribute. Its own `sub` is set only where there is no filter.
    pub attr: AttrPath,
    /// Selects among the values of a multi-valued attribute.
    pub filter: Option<Filter>,
    /// The part of the selected values.
    pub sub: Option<String>,
}

impl Path {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parser = Parser::new(text, ErrorKind::InvalidPath)?;
        let path = parser.path()?;
        parser.end()?;
        Ok(path)
    }

    /// The path for a message, without what its filter compares with: that may be a person's value.
    pub fn shown(&self) -> String {
        let filter = if self.filter.is_some() { "[…]" } else { "" };
        let sub = self.sub.as_ref().map(|sub| format!(".{sub}")).unwrap_or_default();
        let shown = format!("{}{filter}{sub}", self.attr);
        shown.chars().take(200).collect()
    }

    /// The part that is named, with or without a filter before it.
    pub fn sub_attribute(&self) -> Option<&str> {
        self.sub.as_deref().or(self.attr.sub.as_deref())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.attr)?;
        if let Some(filter) = &self.filter {
            write!(f, "[{filter}]")?;
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Path {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_all_their_forms() {
        let cases = [
            ("userName", None, "userName", None),
            ("name.familyName", None, "name", Some("familyName")),
            (
                "urn:ietf:params:scim:schemas:core:2.0:User:title",
                Some("urn:ietf:params:scim:schemas:core:2.0:User"),
                "title",
                None,
            ),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
                Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
                "manager",
                Some("value"),
            ),
            ("members.$ref", None, "members", Some("$ref")),
        ];
        for (text, urn, attribute, sub) in cases {
            let path = AttrPath::parse(text).unwrap();
            assert_eq!(
                (path.urn.as_deref(), path.attribute.as_str(), path.sub.as_deref()),
                (urn, attribute, sub)
            );
            assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_its_position() {
        for (text, position) in [
            ("", 1),
            ("emails[", 8),
            ("emails[type eq \"work\"", 22),
            ("emails].value", 7),
            ("a b", 3),
            ("emails[].x", 8),
        ] {
            let error = Path::parse(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidPath, "{text}");
            assert!(
                error.detail.contains(&format!("position {position}")),
                "{text}: {}",
                error.detail
            );
        }
    }
}
