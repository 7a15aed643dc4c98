//! The table as the documents that `/Schemas` and `/ResourceTypes` serve (RFC 7643 §6, §7). No nulls, no empty lists
//! where the RFC leaves things out.

use serde_json::{Map, Value, json};

use super::{
    Attribute, AttributeType, ResourceSchema, ResourceType, Schema, Schemas, URN_DELIVERY, URN_RESOURCE_TYPE,
    URN_SCHEMA, words::Word,
};

impl Schemas {
    /// The schema documents, core schemas first. Their `meta.location` is relative to the base URL. The core schemas also
    /// show `externalId`, which RFC 7643 §3.1 makes part of each: Entra looks here for every attribute that it maps (R02).
    pub fn documents(&self) -> Vec<Value> {
        let tables = ResourceType::ALL.map(|kind| self.resource(kind));
        let cores = tables.iter().map(|table| {
            let external_id = table.common.iter().filter(|attribute| attribute.name == "externalId");
            schema(&table.core, external_id)
        });
        let mut documents: Vec<Value> = cores.collect();
        for extension in tables.iter().flat_map(|table| &table.extensions) {
            // Both types may have the same one.
            if !documents.iter().any(|known| known["id"] == *extension.id) {
                documents.push(document(extension));
            }
        }
        documents
    }

    /// The resource type documents. Their `meta.location` is relative to the base URL.
    pub fn resource_types(&self) -> Vec<Value> {
        ResourceType::ALL
            .iter()
            .map(|kind| resource_type(self.resource(*kind)))
            .collect()
    }
}

/// One schema by itself.
pub(super) fn document(extension: &Schema) -> Value {
    schema(extension, [])
}

fn schema<'a>(schema: &'a Schema, common: impl IntoIterator<Item = &'a Attribute>) -> Value {
    let attributes = common.into_iter().chain(&schema.attributes);
    json!({
        "schemas": [URN_SCHEMA],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": attributes.map(attribute).collect::<Vec<_>>(),
        "meta": {"resourceType": "Schema", "location": format!("/Schemas/{}", schema.id)},
    })
}

fn attribute(attribute: &Attribute) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    put("name", json!(attribute.name));
    put("type", json!(attribute.kind.word()));
    put("multiValued", json!(attribute.multi_valued));
    put("description", json!(attribute.description));
    put("required", json!(attribute.required));
    put("mutability", json!(attribute.mutability.word()));
    put("returned", json!(attribute.returned.word()));
    if attribute.kind == AttributeType::Complex {
        put(
            "subAttributes",
            attribute.sub_attributes.iter().map(self::attribute).collect(),
        );
    } else {
        put("caseExact", json!(attribute.case_exact));
    }
    put("uniqueness", json!(attribute.uniqueness.word()));
    if !attribute.canonical_values.is_empty() {
        put("canonicalValues", json!(attribute.canonical_values));
    }
    if attribute.kind == AttributeType::Reference {
        put("referenceTypes", json!(attribute.reference_types));
    }
    Value::Object(map)
}

fn resource_type(table: &ResourceSchema) -> Value {
    let name = table.resource_type.name();
    let mut document = json!({
        "schemas": [URN_RESOURCE_TYPE],
        "id": name,
        "name": name,
        "description": table.core.description,
        "endpoint": table.resource_type.endpoint(),
        "schema": table.core.id,
        "meta": {"resourceType": "ResourceType", "location": format!("/ResourceTypes/{name}")},
    });
    // What is ours to say of a resource is no part of what a client may give it: it stands at `/Schemas` alone.
    let shown = || table.extensions.iter().filter(|extension| extension.id != URN_DELIVERY);
    if shown().next().is_some() {
        let extensions =
            shown().map(|extension| json!({"schema": extension.id, "required": table.requires(extension)}));
        document["schemaExtensions"] = extensions.collect();
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(values) => values.iter().any(has_null),
            Value::Object(map) => map.values().any(has_null),
            _ => false,
        }
    }

    #[test]
    fn documents_have_no_nulls_and_no_password() {
        let schemas = Schemas::builtin();
        let documents = Value::Array(
            schemas
                .documents()
                .into_iter()
                .chain(schemas.resource_types())
                .collect(),
        );
        assert!(!has_null(&documents));
        assert!(!documents.to_string().contains("password"));
        assert_eq!(documents.as_array().unwrap().len(), 6);
    }

    #[test]
    fn r02_every_attribute_that_entra_maps_is_shown() {
        let documents = Schemas::builtin().documents();
        let named = |urn: &str| -> Vec<String> {
            let document = documents.iter().find(|document| document["id"] == urn).unwrap();
            let attributes = document["attributes"].as_array().unwrap().iter();
            attributes
                .map(|attribute| attribute["name"].as_str().unwrap().to_owned())
                .collect()
        };
        let mapped = [
            (
                crate::URN_USER,
                "userName active displayName title emails preferredLanguage name addresses phoneNumbers externalId",
            ),
            (crate::URN_ENTERPRISE_USER, "employeeNumber department manager"),
            (crate::URN_GROUP, "displayName externalId members"),
        ];
        for (urn, names) in mapped {
            for name in names.split(' ') {
                assert_eq!(
                    named(urn).iter().filter(|shown| *shown == name).count(),
                    1,
                    "{urn}: {name}"
                );
            }
        }
    }
}
