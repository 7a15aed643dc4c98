//! What a write said of attributes that are returned on request: its own answer shows them (RFC 7643 §7, `returned`).

use serde_json::Value;

use crate::{
    patch::Step,
    path::AttrPath,
    schema::{Attribute, ResourceSchema, Returned, Schema, Target},
};

/// The attributes and parts that the body of a POST or PUT, in canonical form, says and that are returned on request.
pub fn requested_by_body(schema: &ResourceSchema, body: &Value) -> Vec<AttrPath> {
    let mut paths = Vec::new();
    let mut holders = vec![(None, &schema.core, Some(body))];
    let extensions = schema.extensions.iter();
    holders.extend(extensions.map(|extension| (Some(extension), extension, body.get(&extension.id))));
    for (extension, holder, values) in holders {
        for attribute in &holder.attributes {
            if let Some(value) = values.and_then(|values| values.get(&attribute.name)) {
                collect(&mut paths, extension, attribute, None, Some(value));
            }
        }
    }
    paths
}

/// The attributes and parts that a PATCH says and that are returned on request.
pub fn requested_by_steps(schema: &ResourceSchema, steps: &[Step]) -> Vec<AttrPath> {
    let mut paths = Vec::new();
    for step in steps {
        let Some(Target::Attribute {
            extension, attribute, ..
        }) = schema.resolve(&step.path.attr)
        else {
            continue;
        };
        collect(
            &mut paths,
            extension,
            attribute,
            step.path.sub_attribute(),
            step.value.as_ref(),
        );
    }
    paths
}

fn collect(
    paths: &mut Vec<AttrPath>,
    extension: Option<&Schema>,
    attribute: &Attribute,
    part: Option<&str>,
    value: Option<&Value>,
) {
    let mut add = |sub: Option<&str>| {
        let path = AttrPath {
            urn: extension.map(|extension| extension.id.clone()),
            attribute: attribute.name.clone(),
            sub: sub.map(str::to_owned),
        };
        if !paths.contains(&path) {
            paths.push(path);
        }
    };
    if attribute.returned == Returned::Request {
        add(None);
    }
    for sub in attribute
        .sub_attributes
        .iter()
        .filter(|sub| sub.returned == Returned::Request)
    {
        let said = match (part, value) {
            (Some(part), _) => part == sub.name,
            (None, Some(Value::Array(values))) => values.iter().any(|value| value.get(&sub.name).is_some()),
            (None, Some(value)) => value.get(&sub.name).is_some(),
            (None, None) => false,
        };
        if said {
            add(Some(&sub.name));
        }
    }
}
