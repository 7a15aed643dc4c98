//! The names that `/Schemas` makes when it is flattened as Entra does it, and the values at those names.

use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::entra::ENTERPRISE;

/// Names that a schema document makes when it is flattened as Entra does it, with the kind of value that belongs there. What
/// cannot be written, and what refers to others, has the kind `none`.
fn flattened(schema: &Value) -> Vec<(String, String)> {
    let prefix = match schema["id"].as_str().unwrap() {
        extension if extension.contains("extension") => format!("{extension}:"),
        _ => String::new(),
    };
    let mut flat = Vec::new();
    for attribute in schema["attributes"].as_array().unwrap() {
        let name = format!("{prefix}{}", attribute["name"].as_str().unwrap());
        if attribute["type"] != "complex" {
            flat.push((name, kind(attribute)));
            continue;
        }
        flat.push((name.clone(), "none".to_owned()));
        let parts = attribute["subAttributes"].as_array().unwrap();
        let types = parts.iter().find(|part| part["name"] == "type");
        let types = types
            .and_then(|part| part["canonicalValues"].as_array())
            .cloned()
            .unwrap_or_default();
        for part in parts
            .iter()
            .filter(|part| part["name"] != "type" && part["name"] != "primary")
        {
            let (part_name, kind) = (part["name"].as_str().unwrap(), kind(part));
            if attribute["multiValued"] == false {
                flat.push((format!("{name}.{part_name}"), kind));
                continue;
            }
            for one in &types {
                let writable = if attribute["mutability"] == "readOnly" {
                    "none".to_owned()
                } else {
                    kind.clone()
                };
                flat.push((format!("{name}[type eq {one}].{part_name}"), writable));
            }
        }
    }
    flat
}

fn kind(attribute: &Value) -> String {
    let writable = attribute["mutability"] == "readWrite" && attribute["multiValued"] == false;
    let kind = if writable {
        attribute["type"].as_str().unwrap()
    } else {
        "none"
    };
    kind.to_owned()
}

pub(super) async fn schemas(it: &Deployment, of_groups: bool) -> Vec<(String, String)> {
    let list = it.scim.get("/Schemas").await.expect(200);
    let documents = list["Resources"].as_array().unwrap().iter();
    let wanted = documents.filter(|schema| schema["id"].as_str().unwrap().ends_with(":Group") == of_groups);
    wanted.flat_map(flattened).collect()
}

/// The value at a flattened name.
pub(super) fn value_at(resource: &Value, name: &str) -> Value {
    let (place, rest) = match name.strip_prefix(ENTERPRISE) {
        Some(rest) => (&resource[ENTERPRISE], rest.trim_start_matches(':')),
        None => (resource, name),
    };
    if let Some((list, rest)) = rest.split_once("[type eq \"") {
        let (kind, part) = rest.split_once("\"].").unwrap();
        let values = place[list].as_array().cloned().unwrap_or_default();
        return values
            .into_iter()
            .find(|value| value["type"] == kind)
            .map_or(Value::Null, |value| value[part].clone());
    }
    rest.split('.').fold(place.clone(), |value, part| value[part].clone())
}

/// Names and new values of all that the suite may write.
pub(super) async fn eligible(it: &Deployment, of_groups: bool) -> Vec<(String, Value)> {
    let apart = ["active", "id", "externalId", "photos", "x509Certificates", "manager"];
    let flat = schemas(it, of_groups).await.into_iter();
    flat.filter(|(name, _)| !apart.iter().any(|apart| name.contains(apart)))
        .filter_map(|(name, kind)| match &*kind {
            "string" => Some((name.clone(), json!(format!("a new value of {}", name.len())))),
            "reference" => Some((name, json!("https://kestrel.example/odile"))),
            "boolean" => Some((name, json!(true))),
            "integer" => Some((name, json!(7))),
            _ => None,
        })
        .collect()
}
