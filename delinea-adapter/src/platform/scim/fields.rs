//! The fields of an account as the SCIM endpoint has them: one table for what is created, changed and read. A field that is
//! not in it cannot be held there.

use serde_json::{Map, Value, json};

use super::{super::rows::Row, lists::member};

/// Where a field stands.
enum Place {
    /// In an attribute of the user.
    Plain(&'static str),
    /// In the value of that type of a multi-valued attribute.
    Typed(&'static str, &'static str),
}

/// What the vendor's pages and its guide for Entra ID name.
const FIELDS: &[(&str, Place)] = &[
    ("Name", Place::Plain("userName")),
    ("DisplayName", Place::Plain("displayName")),
    ("Mail", Place::Typed("emails", "work")),
    ("OfficeNumber", Place::Typed("phoneNumbers", "work")),
    ("MobileNumber", Place::Typed("phoneNumbers", "mobile")),
    ("HomeNumber", Place::Typed("phoneNumbers", "home")),
    ("PreferredCulture", Place::Plain("preferredLanguage")),
];

/// Whether a field can be held.
pub(crate) fn holds(field: &str) -> bool {
    place(field).is_some()
}

fn place(field: &str) -> Option<&'static Place> {
    let found = FIELDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(field));
    found.map(|(_, place)| place)
}

/// The body that creates a user with these fields.
pub(super) fn body(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut user = Map::new();
    for (name, value) in fields {
        match place(name) {
            Some(Place::Plain(attribute)) => {
                user.insert((*attribute).to_owned(), value.clone());
            }
            Some(Place::Typed(attribute, kind)) => {
                let values = user.entry(*attribute).or_insert_with(|| json!([]));
                let value = json!({"value": value, "type": kind, "primary": *attribute == "emails"});
                if let Value::Array(values) = values {
                    values.push(value);
                }
            }
            None => {}
        }
    }
    user
}

/// The PATCH operations that give the fields these values; an empty one is taken away (RFC 7644 §3.5.2).
pub(super) fn operations(fields: &Map<String, Value>) -> Vec<Value> {
    let operation = |(name, value): (&String, &Value)| {
        let path = match place(name)? {
            Place::Plain(attribute) => (*attribute).to_owned(),
            Place::Typed(attribute, kind) => format!(r#"{attribute}[type eq "{kind}"].value"#),
        };
        let empty = value.is_null() || value.as_str() == Some("");
        Some(if empty {
            json!({"op": "remove", "path": path})
        } else {
            json!({"op": "replace", "path": path, "value": value})
        })
    };
    fields.iter().filter_map(operation).collect()
}

/// The fields of a user as it is read.
pub(super) fn row(user: &Value) -> Row {
    let mut row = Map::new();
    for (name, place) in FIELDS {
        let value = match place {
            Place::Plain(attribute) => member(user, attribute),
            Place::Typed(attribute, kind) => member(user, attribute).and_then(|values| of_type(values, kind)),
        };
        if let Some(text) = value.and_then(Value::as_str) {
            row.insert((*name).to_owned(), text.into());
        }
    }
    Row(row)
}

fn of_type<'a>(values: &'a Value, kind: &str) -> Option<&'a Value> {
    let values = values.as_array()?;
    let is_kind = |value: &&Value| {
        let given = member(value, "type").and_then(Value::as_str);
        given.is_some_and(|given| given.eq_ignore_ascii_case(kind))
    };
    // A single value without a type is the one there is.
    let untyped = || match &values[..] {
        [one] if member(one, "type").is_none() => Some(one),
        _ => None,
    };
    let found = values.iter().find(is_kind).or_else(untyped)?;
    member(found, "value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => unreachable!("an object literal"),
        }
    }

    #[test]
    fn what_was_created_reads_the_same() {
        let fields = map(json!({
            "Name": "anna@x", "DisplayName": "Anna", "Mail": "a@x", "MobileNumber": "1", "OfficeNumber": "2",
            "PreferredCulture": "de-DE",
        }));
        assert_eq!(row(&Value::Object(body(&fields))).0, fields);
        assert!(!holds("Description") && !holds("ReportsTo"));
        assert!(body(&map(json!({"Description": "x"}))).is_empty());
    }

    #[test]
    fn a_change_names_the_place_of_each_field() {
        let operations = operations(&map(json!({"Mail": "b@x", "MobileNumber": "", "Description": "x"})));
        assert_eq!(
            operations,
            [
                json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@x"}),
                json!({"op": "remove", "path": "phoneNumbers[type eq \"mobile\"].value"}),
            ]
        );
    }

    #[test]
    fn values_are_found_in_each_shape() {
        for (user, mail) in [
            (
                json!({"emails": [{"value": "w", "type": "Work"}, {"value": "h", "type": "home"}]}),
                "w",
            ),
            (json!({"Emails": [{"Value": "only"}]}), "only"),
            (json!({"emails": [{"value": "a"}, {"value": "b"}]}), ""),
            (json!({"emails": "a"}), ""),
            (json!({}), ""),
        ] {
            assert_eq!(row(&user).text("Mail"), mail, "{user}");
        }
    }
}
