//! The users and groups that everything is measured with: made-up people by number, as Entra's default mapping writes
//! them, about 600 bytes of JSON each.

use serde_json::{Value, json};

/// The schema of a user.
pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of what a company adds to a user.
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The schema of a group.
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The schema of a PATCH.
pub(crate) const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The userName of a number.
pub(crate) fn user_name(n: u64) -> String {
    format!("person.{n:07}@kestrelworks.example")
}

/// The user of a number, in canonical form.
pub(crate) fn user(n: u64) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": format!("person.{n:07}"),
        "userName": user_name(n),
        "active": true,
        "displayName": format!("Person {n:07}"),
        "title": "Rack technician",
        "preferredLanguage": "fr-CA",
        "name": {"formatted": format!("Person {n:07}"), "givenName": "Person", "familyName": format!("{n:07}")},
        "emails": [{"type": "work", "value": user_name(n), "primary": true}],
        "phoneNumbers": [{"type": "work", "value": "+1 514 555 0117"}],
        ENTERPRISE: {"employeeNumber": format!("K-{n:07}"), "department": "Halls"},
    })
}

/// A group, in canonical form.
pub(crate) fn group(name: &str) -> Value {
    json!({"schemas": [GROUP], "displayName": name})
}

/// A PATCH of one operation.
pub(crate) fn patch(operation: &Value) -> String {
    json!({"schemas": [PATCH], "Operations": [operation]}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_as_large_as_the_targets_say() {
        let size = user(123_456).to_string().len();
        assert!((550..=650).contains(&size), "{size}");
    }
}
