//! Paths, what they lead to, and what is none.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn first(path: &str, user: &Value) -> Option<String> {
    Path::parse(path).unwrap().first(user.as_object().unwrap())
}

#[test]
fn paths_lead_to_values() {
    let user = json!({
        "displayName": " Anna ", "title": " ", "name": {"givenName": "Anna"},
        "emails": [
            {"value": "h", "type": "home"}, {"value": "w1", "type": "Work"}, {"value": " ", "type": "work"},
            {"value": "w2", "type": "work", "primary": true}, {"value": "x", "type": "odd]\" eq"},
        ],
        "tags": ["a", "b"],
        "urn:x:2.0:User": {"tier": 3, "remote": false, "desk": {"seat": "4"}, "tags": [true], "none": null},
    });
    for (path, value) in [
        ("displayName", Some("Anna")),
        ("DISPLAYNAME", Some("Anna")),
        ("urn:ietf:params:scim:schemas:core:2.0:User:displayName", Some("Anna")),
        ("title", None),
        ("name", None),
        ("name.givenName", Some("Anna")),
        ("name.familyName", None),
        ("emails", Some("w2")),
        ("emails.value", Some("w2")),
        ("emails.type", Some("work")),
        ("emails[type eq \"work\"].value", Some("w2")),
        ("emails[ type EQ \"home\" ]", Some("h")),
        ("emails[primary eq true].type", Some("work")),
        ("emails[type eq \"odd]\\\" eq\"].value", Some("x")),
        ("emails[type eq \"other\"].value", None),
        ("tags", Some("a")),
        ("tags.value", Some("a")),
        ("tags[value eq \"b\"]", Some("b")),
        ("tags.type", None),
        ("urn:x:2.0:User:tier", Some("3")),
        ("URN:X:2.0:user:remote", Some("false")),
        ("urn:x:2.0:User:desk.seat", Some("4")),
        ("urn:x:2.0:User:tags", Some("true")),
        ("urn:x:2.0:User:none", None),
        ("urn:y:2.0:User:tier", None),
    ] {
        assert_eq!(first(path, &user).as_deref(), value, "{path}");
    }
}

#[test]
fn what_is_no_path_is_refused() {
    for path in [
        "",
        " ",
        "a b",
        "a.",
        ".a",
        "a.b.c",
        "9a",
        "urn:",
        "urn:x",
        "urn:a b:c",
        "a[",
        "a[]",
        "a[b]",
        "a[b eq]",
        "a[b eq c]",
        "a[b eq \"c\"",
        "a[b eq \"c\"]d",
        "a[b eq \"c\"].",
        "a[b eq null]",
        "a[b eq [1]]",
        "a[b ne \"c\"]",
        "a[b eq \"c\" and d eq \"e\"]",
        "a.b[c eq \"d\"]",
    ] {
        assert!(Path::parse(path).is_err(), "{path:?}");
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9_-]{0,6}"
}

prop_compose! {
    fn path()(
        urn in proptest::option::of("urn:[a-z]{1,4}:[0-9]\\.[0-9]:[a-z]{1,4}"),
        attribute in name(),
        filter in proptest::option::of((name(), prop_oneof![
            any::<String>().prop_map(Value::from), any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from),
        ])),
        part in proptest::option::of(name()),
    ) -> Path {
        Path { urn, attribute, filter: filter.map(|(part, is)| Filter { part, is }), part }
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ a-c]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("(value|type|primary|a|b)", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_path_is_read_as_it_is_written(path in path()) {
        prop_assume!(path.to_string().len() <= LONGEST);
        prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
    }

    #[test]
    fn whatever_is_written_is_read_or_refused(text in "(urn:)?[a-z:.\\[\\]\"$ ]{0,24}") {
        let _ = Path::parse(&text);
    }

    /// What comes out stands in the user, is not blank, and is primary where anything that fits is.
    #[test]
    fn no_value_is_made_up(
        attribute in json_value(), filtered in any::<bool>(), part_name in proptest::option::of("(value|type|a)")
    ) {
        let filter = filtered.then(|| Filter { part: "type".to_owned(), is: "a".into() });
        let path = Path { urn: None, attribute: "x".to_owned(), filter, part: part_name };
        let user = Map::from_iter([("x".to_owned(), attribute.clone())]);
        let values = match &attribute {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        let fitting: Vec<&Value> = values
            .iter()
            .filter(|value| !filtered || part(value, "type").and_then(Value::as_str) == Some("a"))
            .filter(|value| path.text(value).is_some())
            .collect();
        let primary = fitting.iter().find(|value| part(value, "primary") == Some(&Value::Bool(true)));
        let best = primary.or(fitting.first());
        prop_assert_eq!(path.first(&user), best.and_then(|value| path.text(value)));
    }
}
