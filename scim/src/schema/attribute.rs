//! One attribute and its characteristics (RFC 7643 §2.2, §2.3, §7), and the words by which the built-in tables say them.

use super::find;

/// The data type of an attribute (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum AttributeType {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Reference,
    Binary,
    Complex,
}

/// Who may write an attribute, and when (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

/// When an attribute is returned (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Returned {
    Always,
    Never,
    Default,
    Request,
}

/// How far a value must be unique (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Uniqueness {
    None,
    Server,
    Global,
}

/// What one attribute of the built-in table has and no declared one can have. Code asks for this and never for a name: an
/// extension may call its attributes as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Quirk {
    /// Nothing.
    None,
    /// `members` of a group: as many as the body holds.
    Members,
    /// `meta`, `groups` and `manager` of a user: their addresses are made for each answer, as those of members are.
    Addressed,
    /// `roles` of a user: a value may be a JSON document in a text (R16).
    Roles,
}

impl Quirk {
    /// Whether the addresses in it, `location` or `$ref`, are made for each answer and none is kept.
    pub(crate) fn has_addresses(self) -> bool {
        matches!(self, Self::Members | Self::Addressed)
    }
}

/// One attribute and its characteristics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The name in its proper spelling.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// The data type.
    pub kind: AttributeType,
    /// Whether it has several values.
    pub multi_valued: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether case matters when values are compared.
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is returned.
    pub returned: Returned,
    /// How far its values are unique.
    pub uniqueness: Uniqueness,
    /// Values that clients are expected to use; others are accepted.
    pub canonical_values: Vec<String>,
    /// What a reference may point to.
    pub reference_types: Vec<String>,
    /// The parts of a complex attribute.
    pub sub_attributes: Vec<Attribute>,
    /// What sets it apart from all others.
    pub(crate) quirk: Quirk,
}

impl Attribute {
    /// An attribute with the RFC's default characteristics.
    pub fn new(name: &str, kind: AttributeType, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            kind,
            multi_valued: false,
            required: false,
            case_exact: matches!(
                kind,
                AttributeType::Reference | AttributeType::Binary | AttributeType::DateTime
            ),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: Vec::new(),
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
            quirk: Quirk::None,
        }
    }

    /// What one value of it has under that name: a part, or the value itself of a simple attribute with several
    /// (`tags[value eq "x"]`, RFC 7643 §2.4).
    pub(crate) fn part_of_value(&self, name: &str) -> Option<&Self> {
        let itself = self.multi_valued && self.kind != AttributeType::Complex && name.eq_ignore_ascii_case("value");
        if itself { Some(self) } else { self.sub_attribute(name) }
    }

    /// Whether nobody ever sees it.
    pub(crate) fn is_hidden(&self) -> bool {
        self.returned == Returned::Never || self.mutability == Mutability::WriteOnly
    }

    /// The part of that name, in any letter case.
    pub fn sub_attribute(&self, name: &str) -> Option<&Self> {
        find(&self.sub_attributes, name)
    }

    pub(super) fn text(name: &str, description: &str) -> Self {
        Self::new(name, AttributeType::String, description)
    }

    pub(super) fn complex(name: &str, description: &str, sub_attributes: Vec<Self>) -> Self {
        Self {
            sub_attributes,
            ..Self::new(name, AttributeType::Complex, description)
        }
    }

    pub(super) fn multi_valued(self) -> Self {
        Self {
            multi_valued: true,
            ..self
        }
    }

    pub(super) fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) fn case_exact(self) -> Self {
        Self {
            case_exact: true,
            ..self
        }
    }

    pub(super) fn unique(self) -> Self {
        Self {
            uniqueness: Uniqueness::Server,
            ..self
        }
    }

    pub(super) fn mutability(self, mutability: Mutability) -> Self {
        Self { mutability, ..self }
    }

    pub(super) fn read_only(self) -> Self {
        let sub_attributes = self.sub_attributes.into_iter().map(Self::read_only).collect();
        Self {
            mutability: Mutability::ReadOnly,
            sub_attributes,
            ..self
        }
    }

    pub(super) fn returned(self, returned: Returned) -> Self {
        Self { returned, ..self }
    }

    pub(super) fn quirk(self, quirk: Quirk) -> Self {
        Self { quirk, ..self }
    }

    pub(super) fn canonical(self, values: &[&str]) -> Self {
        Self {
            canonical_values: values.iter().map(ToString::to_string).collect(),
            ..self
        }
    }

    pub(super) fn references(self, types: &[&str]) -> Self {
        Self {
            reference_types: types.iter().map(ToString::to_string).collect(),
            ..self
        }
    }
}
