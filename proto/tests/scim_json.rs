//! A resource message is the SCIM JSON: nothing is lost on the way JSON → message → wire → message → JSON.

use prost::Message;
use proto::resource::v1::{Group, User};
use serde_json::{Value, json};

fn full_user() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "id": "018f2f3e-0000-7000-8000-000000000001",
        "externalId": "omarchetti",
        "userName": "odile.marchetti@kestrelworks.example",
        "name": {"formatted": "Odile Marchetti", "familyName": "Marchetti", "givenName": "Odile"},
        "displayName": "Odile Marchetti",
        "profileUrl": "https://kestrelworks.example/odile",
        "active": false,
        "emails": [{"value": "odile@kestrelworks.example", "type": "work", "primary": true}],
        "phoneNumbers": [{"value": "5145550117", "type": "work"}],
        "addresses": [{"streetAddress": "Hall 3", "postalCode": "H7N 0C2", "type": "work", "primary": false}],
        "x509Certificates": [{"value": "MIIB"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": "K-0417",
            "manager": {"value": "018f2f3e-0000-7000-8000-000000000002", "$ref": "../Users/018f2f3e-0000-7000-8000-000000000002"}
        },
        "urn:ietf:params:scim:schemas:extension:kestrel:2.0:User": {"badgeTier": "T2", "lockers": [17, 9007199254740993_u64]},
        "meta": {
            "resourceType": "User",
            "created": "2026-11-23T10:00:00.000Z",
            "lastModified": "2026-11-23T10:00:00.123456Z",
            "version": "W/\"7\""
        }
    })
}

#[test]
fn a_full_enterprise_user_comes_back_unchanged() {
    let user: User = serde_json::from_value(full_user()).unwrap();
    let user = User::decode(user.encode_to_vec().as_slice()).unwrap();
    assert_eq!(serde_json::to_value(&user).unwrap(), full_user());
}

#[test]
fn what_is_absent_is_left_out_not_null() {
    assert_eq!(serde_json::to_value(User::default()).unwrap(), json!({}));
    assert_eq!(serde_json::to_value(Group::default()).unwrap(), json!({}));
}

#[test]
fn members_keep_their_reference() {
    let group = json!({"displayName": "Rack Operators", "members": [{"value": "u1", "$ref": "https://gw.example/Users/u1", "type": "User"}]});
    let message: Group = serde_json::from_value(group.clone()).unwrap();
    assert_eq!(serde_json::to_value(message).unwrap(), group);
}

#[test]
fn a_time_that_is_none_is_refused() {
    let user = json!({"meta": {"created": "yesterday"}});
    assert!(serde_json::from_value::<User>(user).is_err());
}
