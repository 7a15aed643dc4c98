//! The validator's bodies and operations, and how it compares.

use serde_json::{Value, json};

use super::PERSON;
use crate::entra::{CORE, ENTERPRISE};

/// The validator's user, with a text for each attribute that holds this.
pub(super) fn body(name: &str, text: &str) -> Value {
    let t = |attribute: &str| format!("{attribute} {text}");
    json!({
        "schemas": [CORE, ENTERPRISE],
        "userName": name, "externalId": t("externalId"), "active": true, "displayName": t("displayName"), "title": t("title"),
        "preferredLanguage": "kl-GL", "nickName": t("nickName"), "userType": t("userType"), "locale": t("locale"),
        "timezone": "Pacific/Wallis", "profileUrl": t("profileUrl"),
        "name": {
            "formatted": t("formatted"), "familyName": t("familyName"), "givenName": t("givenName"),
            "middleName": t("middleName"), "honorificPrefix": t("prefix"), "honorificSuffix": t("suffix"),
        },
        "emails": [{"type": "work", "value": format!("{text}@kovacek.example"), "primary": true}],
        "phoneNumbers": [
            {"type": "work", "value": "67-546-9113", "primary": true}, {"type": "mobile", "value": "67-546-9114"},
            {"type": "fax", "value": "67-546-9115"},
        ],
        "addresses": [{
            "type": "work", "formatted": t("formatted"), "streetAddress": "6486 Cruz", "locality": t("locality"),
            "region": t("region"), "postalCode": "zp8 3aj", "country": "Kiribati", "primary": true,
        }],
        "roles": [{"primary": "True", "display": t("display"), "value": t("value"), "type": t("type")}],
        ENTERPRISE: {
            "employeeNumber": t("employeeNumber"), "department": t("department"), "costCenter": t("costCenter"),
            "organization": t("organization"), "division": t("division"), "manager": {"value": t("manager")},
        },
    })
}

/// The same as operations, one for each attribute.
pub(super) fn verbose(op: &str, text: &str) -> Vec<Value> {
    let wanted = body(PERSON, text);
    let mut operations = Vec::new();
    let mut say = |path: String, value: &Value| operations.push(json!({"op": op, "path": path, "value": value}));
    for (name, value) in wanted.as_object().unwrap() {
        match (name.as_str(), value) {
            ("schemas" | "userName", _) => {}
            ("roles", roles) => {
                for part in ["display", "value", "type"] {
                    say(format!("roles[primary eq \"True\"].{part}"), &roles[0][part]);
                }
            }
            (list, Value::Array(values)) => {
                for value in values {
                    let kind = &value["type"];
                    for (part, value) in value.as_object().unwrap().iter().filter(|(part, _)| *part != "type") {
                        say(format!("{list}[type eq {kind}].{part}"), value);
                    }
                }
            }
            (name, Value::Object(parts)) => {
                let between = if name == ENTERPRISE { ':' } else { '.' };
                for (part, value) in parts {
                    say(format!("{name}{between}{part}"), value.get("value").unwrap_or(value));
                }
            }
            (name, value) => say(name.to_owned(), value),
        }
    }
    operations
}

/// What the validator compares: every attribute it sent, whatever order values have.
#[track_caller]
pub(super) fn agrees(read: &Value, sent: &Value) {
    for (name, value) in sent.as_object().unwrap().iter().filter(|(name, _)| *name != "schemas") {
        let mut value = value.clone();
        if name == "roles" {
            value[0]["primary"] = json!(true);
        }
        let mut shown = read[name].clone();
        if let Some(manager) = shown.get_mut("manager") {
            manager.as_object_mut().unwrap().remove("$ref");
        }
        assert_eq!(shown, value, "{name}");
    }
}
