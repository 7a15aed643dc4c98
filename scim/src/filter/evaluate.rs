//! Whether a resource matches a filter. Case by `caseExact`, dates as instants, numbers as numbers; ids and other UUIDs
//! without regard to case (Q12, Q13).

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use super::{CompareOp, Filter, Literal};
use crate::{
    name::{folded, is_uuid},
    path::AttrPath,
    schema::{Attribute, AttributeType, ResourceSchema, Target},
};

pub(super) fn matches(filter: &Filter, schema: &ResourceSchema, resource: &Value) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| matches(part, schema, resource)),
        Filter::Or(parts) => parts.iter().any(|part| matches(part, schema, resource)),
        Filter::Not(inner) => !matches(inner, schema, resource),
        Filter::Present(path) => match located(schema, resource, path) {
            Some((_, values)) => !values.is_empty(),
            None => present_extension(schema, resource, path),
        },
        Filter::Compare { path, op, value } => located(schema, resource, path)
            .is_some_and(|(attribute, values)| compare_any(attribute, &values, *op, value)),
        Filter::ValuePath { attr, filter } => {
            let Some(Target::Attribute {
                extension,
                attribute,
                sub: None,
            }) = schema.resolve(attr)
            else {
                return false;
            };
            let value = holder(resource, extension.map(|schema| schema.id.as_str()))
                .and_then(|holder| holder.get(&attribute.name));
            elements(value)
                .iter()
                .any(|element| matches_value(filter, attribute, element))
        }
    }
}

/// Whether one value of a complex attribute matches a filter over its parts.
pub(crate) fn matches_value(filter: &Filter, attribute: &Attribute, value: &Value) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| matches_value(part, attribute, value)),
        Filter::Or(parts) => parts.iter().any(|part| matches_value(part, attribute, value)),
        Filter::Not(inner) => !matches_value(inner, attribute, value),
        Filter::Present(path) => part(attribute, value, path).is_some_and(|(_, values)| !values.is_empty()),
        Filter::Compare {
            path,
            op,
            value: literal,
        } => part(attribute, value, path)
            .is_some_and(|(attribute, values)| compare_any(attribute, &values, *op, literal)),
        Filter::ValuePath { .. } => false,
    }
}

/// What stands for a complex attribute when it is compared as a whole: its part `value` (`manager eq "…"`, Q46).
pub(super) fn significant(attribute: &Attribute) -> &Attribute {
    attribute.sub_attribute("value").unwrap_or(attribute)
}

fn part<'a>(attribute: &'a Attribute, value: &'a Value, path: &AttrPath) -> Option<(&'a Attribute, Vec<&'a Value>)> {
    let sub = attribute.sub_attribute(&path.attribute)?;
    Some((sub, value.get(&sub.name).into_iter().collect()))
}

/// The attribute that a path names, and the values it has.
fn located<'a>(
    schema: &'a ResourceSchema,
    resource: &'a Value,
    path: &AttrPath,
) -> Option<(&'a Attribute, Vec<&'a Value>)> {
    let Target::Attribute {
        extension,
        attribute,
        sub,
    } = schema.resolve(path)?
    else {
        return None;
    };
    let value =
        holder(resource, extension.map(|schema| schema.id.as_str())).and_then(|holder| holder.get(&attribute.name));
    let values = elements(value);
    if attribute.kind != AttributeType::Complex {
        return Some((attribute, values));
    }
    let leaf = sub.unwrap_or_else(|| significant(attribute));
    if leaf.kind == AttributeType::Complex {
        return Some((leaf, values));
    }
    Some((
        leaf,
        values.into_iter().filter_map(|value| value.get(&leaf.name)).collect(),
    ))
}

fn present_extension(schema: &ResourceSchema, resource: &Value, path: &AttrPath) -> bool {
    match schema.resolve(path) {
        Some(Target::Extension(extension)) => resource.get(&extension.id).is_some(),
        _ => false,
    }
}

fn holder<'a>(resource: &'a Value, extension: Option<&str>) -> Option<&'a Value> {
    extension.map_or(Some(resource), |urn| resource.get(urn))
}

fn elements(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

/// `ne` is the opposite of `eq`, also for several values and for none; the others ask for one value that fits.
fn compare_any(attribute: &Attribute, values: &[&Value], op: CompareOp, literal: &Literal) -> bool {
    match (op, literal) {
        (CompareOp::Eq, Literal::Null) => values.is_empty(),
        (CompareOp::Ne, Literal::Null) => !values.is_empty(),
        (CompareOp::Ne, _) => !values
            .iter()
            .any(|value| compare(attribute, value, CompareOp::Eq, literal)),
        _ => values.iter().any(|value| compare(attribute, value, op, literal)),
    }
}

fn compare(attribute: &Attribute, value: &Value, op: CompareOp, literal: &Literal) -> bool {
    match attribute.kind {
        AttributeType::Boolean => match (truth(value), truth_of(literal)) {
            (Some(left), Some(right)) => op == CompareOp::Eq && left == right,
            _ => false,
        },
        AttributeType::Integer | AttributeType::Decimal => match (number(value), number_of(literal)) {
            (Some(left), Some(right)) => left.partial_cmp(&right).is_some_and(|ordering| ordered(op, ordering)),
            _ => false,
        },
        AttributeType::DateTime => {
            let instants = (instant(value), instant_of(literal));
            match (instants, op) {
                (
                    (Some(left), Some(right)),
                    CompareOp::Eq | CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le,
                ) => ordered(op, left.cmp(&right)),
                _ => texts(attribute, value, op, literal),
            }
        }
        AttributeType::String | AttributeType::Reference | AttributeType::Binary => {
            texts(attribute, value, op, literal)
        }
        AttributeType::Complex => false,
    }
}

fn texts(attribute: &Attribute, value: &Value, op: CompareOp, literal: &Literal) -> bool {
    let Some(left) = value.as_str() else { return false };
    let printed;
    let right = match literal {
        Literal::String(text) => text.as_str(),
        Literal::Number(number) => {
            printed = number.to_string();
            &printed
        }
        Literal::Boolean(true) => "true",
        Literal::Boolean(false) => "false",
        Literal::Null => return false,
    };
    if attribute.case_exact && !is_uuid(right) {
        return compare_texts(left, right, op);
    }
    if op == CompareOp::Eq && left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    compare_texts(&folded(left), &folded(right), op)
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

fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| text_truth(value.as_str()?))
}

fn truth_of(literal: &Literal) -> Option<bool> {
    match literal {
        Literal::Boolean(value) => Some(*value),
        Literal::String(text) => text_truth(text),
        _ => None,
    }
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

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn number_of(literal: &Literal) -> Option<f64> {
    match literal {
        Literal::Number(number) => number.as_f64(),
        Literal::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn instant_of(literal: &Literal) -> Option<Timestamp> {
    match literal {
        Literal::String(text) => text.parse().ok(),
        _ => None,
    }
}
