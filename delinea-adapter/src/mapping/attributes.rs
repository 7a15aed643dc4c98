//! The attributes of a user that are known beforehand: RFC 7643 §4.1 and the enterprise extension (§4.3). A path that names
//! another one of these schemas is a slip of the pen; what a tenant's own schemas have is not known here.

use super::path::Path;

/// What an attribute is made of.
#[derive(Clone, Copy)]
enum Shape {
    /// One value.
    Simple,
    /// These parts.
    Complex(&'static [&'static str]),
    /// Several values, each of these parts.
    Several(&'static [&'static str]),
    /// It cannot be mapped, for this reason.
    Never(&'static str),
}

const VALUE: Shape = Shape::Several(&["value", "display", "type", "primary"]);

const CORE: &[(&str, Shape)] = &[
    ("id", Shape::Simple),
    ("externalId", Shape::Simple),
    ("userName", Shape::Simple),
    (
        "name",
        Shape::Complex(&[
            "formatted",
            "familyName",
            "givenName",
            "middleName",
            "honorificPrefix",
            "honorificSuffix",
        ]),
    ),
    ("displayName", Shape::Simple),
    ("nickName", Shape::Simple),
    ("profileUrl", Shape::Simple),
    ("title", Shape::Simple),
    ("userType", Shape::Simple),
    ("preferredLanguage", Shape::Simple),
    ("locale", Shape::Simple),
    ("timezone", Shape::Simple),
    ("active", Shape::Never("it is the account's state, by rules of its own")),
    ("emails", VALUE),
    ("phoneNumbers", VALUE),
    ("ims", VALUE),
    ("photos", VALUE),
    ("entitlements", VALUE),
    ("roles", VALUE),
    ("x509Certificates", VALUE),
    (
        "addresses",
        Shape::Several(&[
            "formatted",
            "streetAddress",
            "locality",
            "region",
            "postalCode",
            "country",
            "type",
            "primary",
        ]),
    ),
    (
        "groups",
        Shape::Never("a change of it is not delivered with the user but with the group"),
    ),
    ("schemas", Shape::Never("it is about the document, not the user")),
    ("meta", Shape::Never("it is about the document, not the user")),
    ("password", Shape::Never("it is never kept")),
];

const ENTERPRISE: &[(&str, Shape)] = &[
    ("employeeNumber", Shape::Simple),
    ("costCenter", Shape::Simple),
    ("organization", Shape::Simple),
    ("division", Shape::Simple),
    ("department", Shape::Simple),
    ("manager", Shape::Complex(&["displayName"])),
];

pub(super) const CORE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Whether the path can lead to a value.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let table = match &path.urn {
        None => CORE,
        Some(urn) if urn.eq_ignore_ascii_case(ENTERPRISE_URN) => ENTERPRISE,
        Some(_) => return Ok(()),
    };
    let name = &path.attribute;
    let found = table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let Some((known, shape)) = found else {
        return Err(format!("there is no attribute `{name}`"));
    };
    let part = |parts: &[&str], part: &str| {
        if parts.iter().any(|known| known.eq_ignore_ascii_case(part)) {
            return Ok(());
        }
        let hint = if *known == "manager" {
            "; the manager's account is `$managerAccount`"
        } else {
            ""
        };
        Err(format!("`{known}` has no part `{part}` that can be mapped{hint}"))
    };
    let parts = match (shape, &path.filter) {
        (Shape::Never(why), _) => return Err(format!("`{known}` cannot be mapped: {why}")),
        (Shape::Simple, None) if path.part.is_none() => return Ok(()),
        (Shape::Simple, _) => return Err(format!("`{known}` is a single value, without parts")),
        (Shape::Complex(_), Some(_)) => {
            return Err(format!("`{known}` is a single value, of which none can be chosen"));
        }
        (Shape::Complex(parts), None) => *parts,
        (Shape::Several(parts), None) => *parts,
        (Shape::Several(parts), Some(filter)) => {
            part(parts, &filter.part)?;
            *parts
        }
    };
    match &path.part {
        Some(given) => part(parts, given),
        None if parts.contains(&"value") => Ok(()),
        None => Err(format!("`{known}` has parts; name one, such as `{known}.{}`", parts[0])),
    }
}

#[cfg(test)]
mod tests {
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
}
