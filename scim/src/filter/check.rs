//! Whether a filter asks sensible things of the table, before any resource is looked at.

use super::{CompareOp, Filter, Literal, literal::instant};
use crate::{
    error::{Error, ErrorKind},
    path::AttrPath,
    schema::{Attribute, AttributeType, ResourceSchema, Target, URN_DELIVERY},
};

pub(super) fn check(filter: &Filter, schema: &ResourceSchema) -> Result<(), Error> {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| check(part, schema)),
        Filter::Not(inner) => check(inner, schema),
        Filter::Present(path) if is_made_for_answers(schema.resolve(path)) => Err(made_for_answers(path)),
        Filter::Present(path) if matches!(schema.resolve(path), Some(Target::Extension(_))) => Ok(()),
        Filter::Present(path) => leaf(schema, path).map(drop),
        Filter::Compare { path, op, value } => comparable(path, leaf(schema, path)?, *op, value),
        Filter::ValuePath { attr, filter } => match schema.resolve(attr) {
            Some(Target::Attribute {
                attribute, sub: None, ..
            }) if attribute.kind == AttributeType::Complex || attribute.multi_valued => {
                seen(attr, attribute)?;
                check_value(filter, attr, attribute)
            }
            Some(_) => Err(invalid(format!("`{attr}` has no parts to filter by"))),
            None => Err(unknown(attr)),
        },
    }
}

/// A filter over the parts of one value; also used for the filter in a PATCH path.
pub(crate) fn check_value(filter: &Filter, attr: &AttrPath, attribute: &Attribute) -> Result<(), Error> {
    let part = |path: &AttrPath| {
        let found = attribute
            .part_of_value(&path.attribute)
            .filter(|_| path.urn.is_none() && path.sub.is_none());
        let found = found.ok_or_else(|| invalid(format!("`{attr}` has no part `{path}`")))?;
        if is_address(attribute, found) {
            return Err(made_for_answers(path));
        }
        seen(path, found).map(|()| found)
    };
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().try_for_each(|inner| check_value(inner, attr, attribute))
        }
        Filter::Not(inner) => check_value(inner, attr, attribute),
        Filter::Present(path) => part(path).map(drop),
        Filter::Compare { path, op, value } => comparable(path, part(path)?, *op, value),
        Filter::ValuePath { attr: inner, .. } => {
            Err(invalid(format!("`{attr}[{inner}[…]]`: value filters do not nest")))
        }
    }
}

/// The attribute whose values are compared: the part, or `value` of a complex attribute named as a whole.
fn leaf<'s>(schema: &'s ResourceSchema, path: &AttrPath) -> Result<&'s Attribute, Error> {
    match schema.resolve(path) {
        found @ Some(Target::Attribute { .. }) if is_made_for_answers(found) => Err(made_for_answers(path)),
        Some(Target::Attribute { attribute, sub, .. }) => {
            let leaf = sub.unwrap_or_else(|| super::evaluate::significant(attribute));
            if is_address(attribute, leaf) {
                return Err(made_for_answers(path));
            }
            seen(path, attribute).and_then(|()| seen(path, leaf)).map(|()| leaf)
        }
        Some(Target::Extension(_)) | None => Err(unknown(path)),
    }
}

/// How far a resource has got is kept beside it.
fn is_made_for_answers(found: Option<Target<'_>>) -> bool {
    match found {
        Some(Target::Extension(extension)) => extension.id == URN_DELIVERY,
        Some(Target::Attribute { extension, .. }) => extension.is_some_and(|extension| extension.id == URN_DELIVERY),
        None => false,
    }
}

/// Where a resource of ours is: the address depends on how the client reaches us, so that none is kept.
fn is_address(attribute: &Attribute, leaf: &Attribute) -> bool {
    attribute.quirk.has_addresses() && matches!(leaf.name.as_str(), "location" | "$ref")
}

fn made_for_answers(path: &AttrPath) -> Error {
    invalid(format!(
        "`{path}` is made for each answer, and cannot be searched by; use an id"
    ))
}

fn comparable(path: &AttrPath, attribute: &Attribute, op: CompareOp, value: &Literal) -> Result<(), Error> {
    // Without the value: it may be a person's.
    let no = |why: &str| Err(invalid(format!("`{path} {}`: {why}", op.name())));
    let part_of_text = matches!(op, CompareOp::Co | CompareOp::Sw | CompareOp::Ew);
    if *value == Literal::Null {
        return match op {
            CompareOp::Eq | CompareOp::Ne => Ok(()),
            _ => no("null can only be compared with eq and ne"),
        };
    }
    match attribute.kind {
        AttributeType::Complex => no("the attribute is complex; name one of its parts"),
        AttributeType::Boolean => match (op, value) {
            (CompareOp::Eq | CompareOp::Ne, Literal::Boolean(_)) => Ok(()),
            (CompareOp::Eq | CompareOp::Ne, Literal::String(text))
                if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") =>
            {
                Ok(())
            }
            (CompareOp::Eq | CompareOp::Ne, _) => no("a boolean is true or false"),
            _ => no("booleans can only be compared with eq and ne"),
        },
        AttributeType::DateTime => match (op, value) {
            (_, Literal::String(_)) if part_of_text => Ok(()),
            (_, Literal::String(text)) if instant(text).is_some() => Ok(()),
            _ => no("a date and time is needed, such as 2026-11-23T10:00:00Z"),
        },
        AttributeType::Decimal | AttributeType::Integer => match value {
            _ if part_of_text => no("a number has no text to look into"),
            Literal::Number(_) => Ok(()),
            Literal::String(text) if text.parse::<f64>().is_ok() => Ok(()),
            _ => no("a number is needed"),
        },
        // RFC 7644 §3.4.2.2: neither booleans nor bytes have an order.
        AttributeType::Binary if matches!(op, CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le) => {
            no("bytes have no order")
        }
        AttributeType::String | AttributeType::Reference | AttributeType::Binary => Ok(()),
    }
}

/// What nobody sees must not be found out by asking either.
fn seen(path: &AttrPath, attribute: &Attribute) -> Result<(), Error> {
    if attribute.is_hidden() {
        return Err(invalid(format!("`{path}` is never shown, and so cannot be asked for")));
    }
    Ok(())
}

fn unknown(path: &AttrPath) -> Error {
    invalid(format!("there is no attribute `{path}`"))
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidFilter, detail)
}
