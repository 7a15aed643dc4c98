//! The tables of attributes against the message, and paths against the tables.

use proto::resource::v1::{Address, EnterpriseUser, Manager, MultiValue, Name, User};
use serde_json::Value;

use super::*;

#[test]
fn what_cannot_lead_anywhere_is_refused() {
    for (path, said) in [
        ("dispalyName", "no attribute `dispalyName`"),
        ("name", "such as `name.formatted`"),
        ("name.given", "no part `given`"),
        ("addresses", "such as `addresses.formatted`"),
        ("addresses[kind eq \"work\"].locality", "no part `kind`"),
        ("emails[type eq \"work\"].valeu", "no part `valeu`"),
        ("title.value", "single value"),
        ("title[value eq \"x\"]", "single value"),
        ("name[formatted eq \"x\"].formatted", "none can be chosen"),
        ("active", "state"),
        ("groups.display", "with the group"),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
            "$managerAccount",
        ),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            "displayName",
        ),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:title",
            "no attribute `title`",
        ),
    ] {
        let refused = Path::parse(path).and_then(|path| check(&path)).unwrap_err();
        assert!(refused.contains(said), "{path}: {refused}");
    }
    for path in [
        "DisplayName",
        "emails",
        "emails.value",
        "emails[primary eq true]",
        "addresses[type eq \"work\"].postalCode",
        "urn:ietf:params:scim:schemas:core:2.0:User:name.givenName",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName",
        "urn:ietf:params:scim:schemas:extension:kestrel:2.0:User:desk.seat",
    ] {
        Path::parse(path).and_then(|path| check(&path)).unwrap();
    }
}

/// The tables name what the message has, and nothing else. A field added there shows here, for nothing is left out below.
#[test]
fn the_tables_are_those_of_the_message() {
    let some = || Some("x".to_owned());
    let value = || {
        vec![MultiValue {
            value: some(),
            display: some(),
            r#type: some(),
            primary: Some(true),
            r#ref: None,
        }]
    };
    let user = User {
        schemas: vec!["x".to_owned()],
        id: some(),
        external_id: some(),
        user_name: some(),
        name: Some(Name {
            formatted: some(),
            family_name: some(),
            given_name: some(),
            middle_name: some(),
            honorific_prefix: some(),
            honorific_suffix: some(),
        }),
        display_name: some(),
        nick_name: some(),
        profile_url: some(),
        title: some(),
        user_type: some(),
        preferred_language: some(),
        locale: some(),
        timezone: some(),
        active: Some(true),
        emails: value(),
        phone_numbers: value(),
        ims: value(),
        photos: value(),
        addresses: vec![Address {
            formatted: some(),
            street_address: some(),
            locality: some(),
            region: some(),
            postal_code: some(),
            country: some(),
            r#type: some(),
            primary: Some(true),
        }],
        groups: value(),
        entitlements: value(),
        roles: value(),
        x509_certificates: value(),
        enterprise_user: Some(EnterpriseUser {
            employee_number: some(),
            cost_center: some(),
            organization: some(),
            division: some(),
            department: some(),
            manager: Some(Manager {
                display_name: some(),
                ..Manager::default()
            }),
        }),
        extensions: std::collections::HashMap::new(),
        meta: None,
    };
    let Value::Object(mut document) = serde_json::to_value(&user).unwrap() else {
        unreachable!("a message is an object")
    };
    let Some(Value::Object(enterprise)) = document.remove(ENTERPRISE_URN) else {
        unreachable!("the extension is an object")
    };
    for (table, document, absent) in [
        (CORE, document, vec!["meta", "password"]),
        (ENTERPRISE, enterprise, vec![]),
    ] {
        let keys: Vec<_> = document.keys().map(String::as_str).chain(absent).collect();
        assert_eq!(keys.len(), table.len());
        for (name, shape) in table {
            assert!(keys.contains(name), "{name}");
            let parts = match (shape, &document.get(*name)) {
                (Shape::Complex(parts), Some(Value::Object(object))) => (parts, object),
                (Shape::Several(parts), Some(Value::Array(list))) => (parts, list[0].as_object().unwrap()),
                (Shape::Simple | Shape::Never(_), _) => continue,
                (_, other) => panic!("{name}: {other:?}"),
            };
            assert_eq!(parts.0.len(), parts.1.len(), "{name}");
            assert!(parts.0.iter().all(|part| parts.1.contains_key(*part)), "{name}");
        }
    }
}
