//! What can be wrong with SCIM text or JSON, in the terms of RFC 7644 §3.12, Table 9.
//!
//! A `detail` is written for the administrator who reads it in the client's log: it names the attribute or the position
//! and what was expected. It never repeats an attribute's value, because values are personal.

/// What is wrong with a request, and how to say it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", kind.scim_type())]
pub struct Error {
    /// The kind, which decides `scimType` and status.
    pub kind: ErrorKind,
    /// The attribute, the position and the problem, for a person.
    pub detail: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    /// The same, said of one of several operations, which are counted from 0.
    pub(crate) fn in_operation(self, number: usize) -> Self {
        Self {
            detail: format!("operation {}: {}", number + 1, self.detail),
            ..self
        }
    }
}

/// The `scimType` of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The filter's syntax, attribute or comparison is not supported.
    InvalidFilter,
    /// The filter finds, or would have to look at, more than the server is willing to.
    TooMany,
    /// A value that must be unique is taken.
    Uniqueness,
    /// The attribute cannot be changed by a client.
    Mutability,
    /// The body's structure is not that of the request.
    InvalidSyntax,
    /// The `path` is malformed or names an unknown attribute.
    InvalidPath,
    /// The `path` selects nothing that could be changed.
    NoTarget,
    /// A value is missing, of the wrong type or out of bounds.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// The request carries sensitive information where it must not.
    Sensitive,
    /// The cursor is not one of the service, or belongs to another query.
    InvalidCursor,
    /// The cursor is too old to go on from.
    ExpiredCursor,
    /// The `count` cannot be given with a cursor.
    InvalidCount,
}

/// Kind, `scimType`, status: RFC 7644 §3.12, Table 9, and RFC 9865 for the last three.
const KINDS: [(ErrorKind, &str, u16); 13] = [
    (ErrorKind::InvalidFilter, "invalidFilter", 400),
    (ErrorKind::TooMany, "tooMany", 400),
    (ErrorKind::Uniqueness, "uniqueness", 409),
    (ErrorKind::Mutability, "mutability", 400),
    (ErrorKind::InvalidSyntax, "invalidSyntax", 400),
    (ErrorKind::InvalidPath, "invalidPath", 400),
    (ErrorKind::NoTarget, "noTarget", 400),
    (ErrorKind::InvalidValue, "invalidValue", 400),
    (ErrorKind::InvalidVers, "invalidVers", 400),
    (ErrorKind::Sensitive, "sensitive", 403),
    (ErrorKind::InvalidCursor, "invalidCursor", 400),
    (ErrorKind::ExpiredCursor, "expiredCursor", 400),
    (ErrorKind::InvalidCount, "invalidCount", 400),
];

impl ErrorKind {
    /// The value of `scimType`.
    pub fn scim_type(self) -> &'static str {
        self.row().1
    }

    /// The kind that a `scimType` names.
    pub fn from_scim_type(scim_type: &str) -> Option<Self> {
        KINDS
            .iter()
            .find(|(_, name, _)| *name == scim_type)
            .map(|(kind, _, _)| *kind)
    }

    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        self.row().2
    }

    fn row(self) -> &'static (Self, &'static str, u16) {
        // Rows stand in the order of the variants; a test holds that.
        &KINDS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_finds_its_own_row() {
        for (kind, name, status) in KINDS {
            assert_eq!((kind.scim_type(), kind.status()), (name, status));
            assert_eq!(ErrorKind::from_scim_type(name), Some(kind));
        }
        assert_eq!(ErrorKind::from_scim_type("invalidfilter"), None);
    }
}
