//! What a resource must have: `required` of attributes, of parts and of extensions (RFC 7643 §2.2, §6, §7). What an
//! extension or a complex value requires, it requires where it is there.

use serde_json::{Map, Value};

use crate::{
    canonical::invalid,
    error::Error,
    schema::{Attribute, ResourceSchema},
};

/// Refuses a resource that lacks something. What it lacked before as well is not held against a change: whoever leaves
/// must be disabled also after a new attribute became required.
pub(crate) fn check(schema: &ResourceSchema, resource: &Value, before: Option<&Value>) -> Result<(), Error> {
    let mut missing = missing(schema, resource);
    if let (Some(before), false) = (before, missing.is_empty()) {
        let old = self::missing(schema, before);
        missing.retain(|path| !old.contains(path));
    }
    match missing.first() {
        Some(path) => Err(invalid(path, "is required and has no value")),
        None => Ok(()),
    }
}

fn missing(schema: &ResourceSchema, resource: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    let core = schema.core.attributes.iter();
    among(core, resource.as_object(), "", &mut missing);
    for extension in &schema.extensions {
        match resource.get(&extension.id) {
            Some(holder) => {
                let urn = format!("{}:", extension.id);
                among(extension.attributes.iter(), holder.as_object(), &urn, &mut missing);
            }
            None if schema.requires(extension) => missing.push(extension.id.clone()),
            None => {}
        }
    }
    missing
}

fn among<'a>(
    attributes: impl Iterator<Item = &'a Attribute>,
    holder: Option<&Map<String, Value>>,
    urn: &str,
    missing: &mut Vec<String>,
) {
    for attribute in attributes {
        let value = holder.and_then(|holder| holder.get(&attribute.name));
        if attribute.required && value.is_none_or(is_blank) {
            missing.push(format!("{urn}{}", attribute.name));
        }
        for part in attribute.sub_attributes.iter().filter(|part| part.required) {
            let lacks = |value: &Value| value.get(&part.name).is_none_or(is_blank);
            let incomplete = match value {
                None => false,
                Some(Value::Array(values)) => values.iter().any(lacks),
                Some(value) => lacks(value),
            };
            if incomplete {
                missing.push(format!("{urn}{}.{}", attribute.name, part.name));
            }
        }
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}
