//! Filters (RFC 7644 §3.4.2.2): their form, their text, what they may ask, and what they match.

mod check;
mod evaluate;
mod literal;
mod print;
mod restrict;

pub(crate) use check::check_value;
pub use evaluate::Matcher;
pub(crate) use literal::text_truth;
pub use restrict::Restricted;

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::{
    error::{Error, ErrorKind},
    parse::Parser,
    path::AttrPath,
    schema::ResourceSchema,
};

/// A filter.
///
/// ```
/// use scim::{Filter, Schemas};
/// use serde_json::json;
///
/// let schemas = Schemas::builtin();
/// let filter = Filter::parse(r#"userName sw "ODILE" and emails[type eq "work"].value pr"#)?;
/// filter.check(schemas.user())?;
/// let user = json!({"userName": "odile@kestrel.example", "emails": [{"type": "work", "value": "o@k.example"}]});
/// assert!(filter.matches(schemas.user(), &user));
/// # Ok::<(), scim::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them; at least two.
    And(Vec<Filter>),
    /// Any of them; at least two.
    Or(Vec<Filter>),
    /// Not it.
    Not(Box<Filter>),
    /// An attribute compared with a value.
    Compare {
        /// The attribute.
        path: AttrPath,
        /// How.
        op: CompareOp,
        /// With what.
        value: Literal,
    },
    /// The attribute has a value.
    Present(AttrPath),
    /// One value of a complex attribute matches the filter as a whole.
    ValuePath {
        /// The attribute.
        attr: AttrPath,
        /// What the value must match; its paths are the value's parts.
        filter: Box<Filter>,
    },
}

impl Filter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parser = Parser::new(text, ErrorKind::InvalidFilter)?;
        let filter = parser.filter()?;
        parser.end()?;
        Ok(filter)
    }

    /// Whether the filter only asks what the table knows, and compares only what can be compared.
    pub fn check(&self, schema: &ResourceSchema) -> Result<(), Error> {
        check::check(self, schema)
    }

    /// Whether a resource in canonical form matches. What the table does not know matches nothing.
    pub fn matches(&self, schema: &ResourceSchema, resource: &Value) -> bool {
        self.matcher(schema).matches(resource)
    }

    /// The filter made ready to be asked of many resources.
    pub fn matcher<'s>(&self, schema: &'s ResourceSchema) -> Matcher<'s> {
        Matcher::of(self, schema)
    }

    /// What an `eq` compares, and the text that it compares with, whether that was quoted or not.
    pub fn equality(&self) -> Option<(&AttrPath, Cow<'_, str>)> {
        match self {
            Self::Compare {
                path,
                op: CompareOp::Eq,
                value,
            } => literal::text_of(value).map(|text| (path, text)),
            _ => None,
        }
    }

    /// How many comparisons the filter makes.
    pub fn comparisons(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::comparisons).sum(),
            Self::Not(inner) | Self::ValuePath { filter: inner, .. } => inner.comparisons(),
            Self::Compare { .. } | Self::Present(_) => 1,
        }
    }

    /// What the filter comes to for one of several resource types: what the type does not have counts as without a value
    /// (RFC 7644 §3.4.2.1).
    pub fn restrict(&self, schema: &ResourceSchema) -> Restricted {
        restrict::restrict(self, schema)
    }

    /// The attributes that the filter is about, in its order; the parts inside value filters are not among them.
    pub fn attributes(&self) -> Vec<&AttrPath> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::attributes).collect(),
            Self::Not(inner) => inner.attributes(),
            Self::Compare { path, .. } | Self::Present(path) | Self::ValuePath { attr: path, .. } => vec![path],
        }
    }

    /// The filters that must all hold; the filter itself where it is no conjunction.
    pub fn conjuncts(&self) -> Vec<&Self> {
        match self {
            Self::And(parts) => parts.iter().collect(),
            other => vec![other],
        }
    }

    /// All of these; nested conjunctions become one.
    pub fn and(parts: impl IntoIterator<Item = Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::And(inner) => inner,
            other => vec![other],
        });
        Self::And(flat.collect())
    }

    /// Any of these; nested disjunctions become one.
    pub fn or(parts: impl IntoIterator<Item = Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Or(inner) => inner,
            other => vec![other],
        });
        Self::Or(flat.collect())
    }
}

impl std::str::FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

impl CompareOp {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Eq,
        Self::Ne,
        Self::Co,
        Self::Sw,
        Self::Ew,
        Self::Gt,
        Self::Ge,
        Self::Lt,
        Self::Le,
    ];

    /// The operator's keyword.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}

/// A value that an attribute is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// A text.
    String(String),
    /// A number.
    Number(Number),
    /// True or false.
    Boolean(bool),
    /// No value.
    Null,
}

#[cfg(test)]
mod tests;
