//! The words of RFC 7643 §7 for types and characteristics, both ways: what is published is what can be declared.

use super::{AttributeType, Mutability, Returned, Uniqueness};

/// A characteristic with its words.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// Each value and its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The word.
    fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(value, _)| *value == self);
        found.map(|(_, word)| *word).unwrap_or_default()
    }

    /// The value of that word; the letter case counts, as in all of JSON.
    fn of(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(_, known)| *known == word);
        found.map(|(value, _)| *value)
    }

    /// All words, for a message.
    fn all() -> String {
        let words: Vec<_> = Self::WORDS.iter().map(|(_, word)| *word).collect();
        words.join(", ")
    }
}

impl Word for AttributeType {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::String, "string"),
        (Self::Boolean, "boolean"),
        (Self::Decimal, "decimal"),
        (Self::Integer, "integer"),
        (Self::DateTime, "dateTime"),
        (Self::Reference, "reference"),
        (Self::Binary, "binary"),
        (Self::Complex, "complex"),
    ];
}

impl Word for Mutability {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::ReadOnly, "readOnly"),
        (Self::ReadWrite, "readWrite"),
        (Self::Immutable, "immutable"),
        (Self::WriteOnly, "writeOnly"),
    ];
}

impl Word for Returned {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Always, "always"),
        (Self::Never, "never"),
        (Self::Default, "default"),
        (Self::Request, "request"),
    ];
}

impl Word for Uniqueness {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::None, "none"), (Self::Server, "server"), (Self::Global, "global")];
}
