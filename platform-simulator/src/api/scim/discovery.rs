//! What the endpoint says of itself (RFC 7643, 5 to 7).

use serde_json::{Value, json};

use super::list::MOST;

pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

pub(super) fn config() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MOST },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": false },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth2 client credentials",
            "description": "A bearer token of the Platform's token endpoint",
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": "/scim/v2/ServiceProviderConfig" },
    })
}

pub(super) fn resource_types() -> Value {
    let kind = |name: &str, endpoint: &str, schema: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": endpoint,
            "schema": schema,
        })
    };
    whole(&[kind("User", "/Users", USER), kind("Group", "/Groups", GROUP)])
}

pub(super) fn schemas() -> Value {
    let attribute = |name: &str, kind: &str, many: bool, required: bool| {
        json!({
            "name": name,
            "type": kind,
            "multiValued": many,
            "required": required,
            "caseExact": false,
            "mutability": "readWrite",
            "returned": "default",
            "uniqueness": if matches!(name, "userName") { "server" } else { "none" },
        })
    };
    let complex = |name: &str, many: bool, parts: &[&str]| {
        let mut complex = attribute(name, "complex", many, false);
        complex["subAttributes"] = parts
            .iter()
            .map(|part| attribute(part, "string", false, false))
            .collect();
        complex
    };
    let schema =
        |id: &str, name: &str, attributes: Vec<Value>| json!({ "id": id, "name": name, "attributes": attributes });
    let user = vec![
        attribute("userName", "string", false, true),
        complex("name", false, &["formatted", "givenName", "familyName"]),
        attribute("displayName", "string", false, true),
        attribute("preferredLanguage", "string", false, false),
        attribute("active", "boolean", false, false),
        complex("emails", true, &["value", "type"]),
        complex("phoneNumbers", true, &["value", "type"]),
    ];
    let group = vec![
        attribute("displayName", "string", false, true),
        complex("members", true, &["value", "display", "type"]),
    ];
    whole(&[schema(USER, "User", user), schema(GROUP, "Group", group)])
}

fn whole(resources: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(),
        "itemsPerPage": resources.len(),
        "startIndex": 1,
        "Resources": resources,
    })
}
