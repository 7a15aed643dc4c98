//! A comparison with a literal that was read once: as what its attribute holds.

use std::{borrow::Cow, cmp::Ordering};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value;

use super::{CompareOp, Literal};
use crate::{
    name::{folded, is_uuid},
    schema::{Attribute, AttributeType},
};

/// What is asked of an attribute's values.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// There is one.
    Present,
    /// There is none.
    Absent,
    /// One fits.
    Compare(CompareOp, Operand),
}

/// A literal as the attribute's type has it.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// Nothing compares with it.
    Incomparable,
    Boolean(bool),
    Number(f64),
    Instant(Timestamp, Text),
    Text(Text),
}

#[derive(Debug, Clone)]
pub(super) struct Text {
    exact: bool,
    /// As it was written; after case folding, unless `exact`.
    text: String,
}

impl Test {
    pub(super) fn new(attribute: &Attribute, op: CompareOp, literal: &Literal) -> Self {
        match (op, literal) {
            (CompareOp::Eq, Literal::Null) => Self::Absent,
            (CompareOp::Ne, Literal::Null) => Self::Present,
            _ => Self::Compare(op, Operand::new(attribute, literal)),
        }
    }

    /// Several values are asked one by one, and one that fits is enough (RFC 7644 §3.4.2.2), also for `ne`: one value
    /// that differs. No value is not equal to anything either.
    pub(super) fn holds<'v>(&self, mut values: impl Iterator<Item = &'v Value> + Clone) -> bool {
        match self {
            Self::Present => values.next().is_some(),
            Self::Absent => values.next().is_none(),
            Self::Compare(CompareOp::Ne, operand) => {
                values.clone().next().is_none() || values.any(|value| !operand.compare(value, CompareOp::Eq))
            }
            Self::Compare(op, operand) => values.any(|value| operand.compare(value, *op)),
        }
    }

    /// The same, of one text or none.
    pub(super) fn holds_text(&self, value: Option<&str>) -> bool {
        match self {
            Self::Present => value.is_some(),
            Self::Absent => value.is_none(),
            Self::Compare(CompareOp::Ne, operand) => {
                value.is_none_or(|value| !operand.compare_text(value, CompareOp::Eq))
            }
            Self::Compare(op, operand) => value.is_some_and(|value| operand.compare_text(value, *op)),
        }
    }
}

impl Operand {
    fn new(attribute: &Attribute, literal: &Literal) -> Self {
        let Some(written) = text_of(literal) else {
            return Self::Incomparable;
        };
        let text = || {
            let exact = attribute.case_exact && !is_uuid(&written);
            let text = if exact {
                written.clone().into_owned()
            } else {
                folded(&written).into_owned()
            };
            Text { exact, text }
        };
        match attribute.kind {
            AttributeType::Boolean => text_truth(&written).map_or(Self::Incomparable, Self::Boolean),
            AttributeType::Integer | AttributeType::Decimal => written.parse().map_or(Self::Incomparable, Self::Number),
            AttributeType::DateTime => match (literal, instant(&written)) {
                (Literal::String(_), Some(instant)) => Self::Instant(instant, text()),
                _ => Self::Text(text()),
            },
            AttributeType::String | AttributeType::Reference | AttributeType::Binary => Self::Text(text()),
            AttributeType::Complex => Self::Incomparable,
        }
    }

    fn compare(&self, value: &Value, op: CompareOp) -> bool {
        match self {
            Self::Incomparable => false,
            Self::Boolean(right) => {
                let left = value.as_bool().or_else(|| text_truth(value.as_str()?));
                op == CompareOp::Eq && left == Some(*right)
            }
            Self::Number(right) => {
                let left = value.as_f64().or_else(|| value.as_str()?.parse().ok());
                let ordering = left.and_then(|left: f64| left.partial_cmp(right));
                ordering.is_some_and(|ordering| ordered(op, ordering))
            }
            Self::Instant(..) | Self::Text(_) => value.as_str().is_some_and(|left| self.compare_text(left, op)),
        }
    }

    fn compare_text(&self, left: &str, op: CompareOp) -> bool {
        match self {
            Self::Incomparable | Self::Boolean(_) | Self::Number(_) => false,
            Self::Text(right) => right.compare(left, op),
            Self::Instant(right, text) => match (left.parse::<Timestamp>(), op) {
                (_, CompareOp::Co | CompareOp::Sw | CompareOp::Ew) | (Err(_), _) => text.compare(left, op),
                (Ok(left), op) => ordered(op, left.cmp(right)),
            },
        }
    }
}

impl Text {
    fn compare(&self, left: &str, op: CompareOp) -> bool {
        if self.exact {
            return compare_texts(left, &self.text, op);
        }
        // What is folded has no capitals, so that this is the whole comparison of ASCII.
        if op == CompareOp::Eq && left.is_ascii() {
            return left.eq_ignore_ascii_case(&self.text);
        }
        compare_texts(&folded(left), &self.text, op)
    }
}

/// A literal's own text; none of null.
pub(super) fn text_of(literal: &Literal) -> Option<Cow<'_, str>> {
    match literal {
        Literal::String(text) => Some(Cow::Borrowed(text)),
        Literal::Number(number) => Some(Cow::Owned(number.to_string())),
        Literal::Boolean(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Literal::Null => None,
    }
}

/// A date and time as a filter may write it: one without an offset is in UTC.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    })
}

/// `"True"` and `"False"` are how one of Entra's dialects writes booleans (Q02, Q04).
pub(crate) fn text_truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn compare_texts(left: &str, right: &str, op: CompareOp) -> bool {
    match op {
        CompareOp::Co => left.contains(right),
        CompareOp::Sw => left.starts_with(right),
        CompareOp::Ew => left.ends_with(right),
        _ => ordered(op, left.cmp(right)),
    }
}

fn ordered(op: CompareOp, ordering: Ordering) -> bool {
    match op {
        CompareOp::Eq => ordering.is_eq(),
        CompareOp::Ne => ordering.is_ne(),
        CompareOp::Gt => ordering.is_gt(),
        CompareOp::Ge => ordering.is_ge(),
        CompareOp::Lt => ordering.is_lt(),
        CompareOp::Le => ordering.is_le(),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}
