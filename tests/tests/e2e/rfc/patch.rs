//! PATCH (RFC 7644 §3.5.2), rule by rule; each row on a user of its own.

use serde_json::{Value, json};

use crate::deployment::user;
use crate::entra::{CORE, ENTERPRISE, ODILE, Person, each_on_a_new_user};

fn work() -> Value {
    json!({"primary": true, "type": "work", "value": "odile@mail.example"})
}

fn home() -> Value {
    json!({"type": "home", "value": "home@mail.example"})
}

#[tokio::test]
async fn add_sets_merges_or_appends() {
    let name = json!({"formatted": "odile", "givenName": "Some", "familyName": "Roy", "middleName": "M."});
    let table = vec![
        // Not there: added. One value: replaced. Complex: its parts, one by one.
        (
            json!({"op": "add", "path": "nickName", "value": "Odi"}),
            json!({"nickName": "Odi"}),
        ),
        (
            json!({"op": "add", "path": "title", "value": "Lead"}),
            json!({"title": "Lead"}),
        ),
        (
            json!({"op": "add", "path": "name", "value": {"familyName": "Roy", "middleName": "M."}}),
            json!({"name": name}),
        ),
        // Several values: one more; without a path: the attributes of the value.
        (
            json!({"op": "add", "path": "emails", "value": [home()]}),
            json!({"emails": [work(), home()]}),
        ),
        (
            json!({"op": "add", "path": "emails", "value": home()}),
            json!({"emails": [work(), home()]}),
        ),
        (
            json!({"op": "add", "value": {"emails": [home()], "nickName": "Odi", "name": {"familyName": "Roy", "middleName": "M."}}}),
            json!({"emails": [work(), home()], "nickName": "Odi", "name": name}),
        ),
        // To what a filter selects.
        (
            json!({"op": "add", "path": "emails[type eq \"work\"].display", "value": "Work"}),
            json!({"emails": [{"primary": true, "type": "work", "value": "odile@mail.example", "display": "Work"}]}),
        ),
        (
            json!({"op": "add", "path": format!("{ENTERPRISE}:division"), "value": "D"}),
            json!({ENTERPRISE: {"employeeNumber": "K-0417", "department": "Halls", "division": "D"}}),
        ),
    ];
    each_on_a_new_user(&user(ODILE), table).await;
}

#[tokio::test]
async fn remove_takes_a_part_a_value_or_all() {
    let mut body = user(ODILE);
    body["emails"] = json!([work(), home()]);
    let table = vec![
        (json!({"op": "remove", "path": "title"}), json!({"title": null})),
        (json!({"op": "remove", "path": "name"}), json!({"name": null})),
        (
            json!({"op": "remove", "path": "name.givenName"}),
            json!({"name": {"formatted": "odile", "familyName": "odile"}}),
        ),
        (json!({"op": "remove", "path": "emails"}), json!({"emails": null})),
        (
            json!({"op": "remove", "path": "emails[type eq \"work\"]"}),
            json!({"emails": [home()]}),
        ),
        (
            json!({"op": "remove", "path": "emails[type eq \"work\" and value ew \"@mail.example\"].primary"}),
            json!({"emails": [{"type": "work", "value": "odile@mail.example"}, home()]}),
        ),
        // With the last value the attribute goes, and with its last attribute the extension.
        (
            json!({"op": "remove", "path": "emails[value pr]"}),
            json!({"emails": null}),
        ),
        (
            json!([
                {"op": "remove", "path": format!("{ENTERPRISE}:department")},
                {"op": "remove", "path": format!("{ENTERPRISE}:employeeNumber")},
            ]),
            json!({ENTERPRISE: null, "schemas": [CORE]}),
        ),
    ];
    each_on_a_new_user(&body, table).await;
}

#[tokio::test]
async fn replace_exchanges_a_part_a_value_or_all() {
    let mut body = user(ODILE);
    body["emails"] = json!([work(), home()]);
    let new = json!({"type": "other", "value": "new@mail.example"});
    let table = vec![
        (
            json!({"op": "replace", "path": "title", "value": "Lead"}),
            json!({"title": "Lead"}),
        ),
        // Not there: as if it were added.
        (
            json!({"op": "replace", "path": "nickName", "value": "Odi"}),
            json!({"nickName": "Odi"}),
        ),
        // Several values without a filter: all of them.
        (
            json!({"op": "replace", "path": "emails", "value": [new]}),
            json!({"emails": [new]}),
        ),
        (
            json!({"op": "replace", "value": {"emails": [new], "title": "Lead"}}),
            json!({"emails": [new], "title": "Lead"}),
        ),
        // A complex one: the parts that are named.
        (
            json!({"op": "replace", "path": "name", "value": {"familyName": "Roy"}}),
            json!({"name": {"formatted": "odile", "givenName": "Some", "familyName": "Roy"}}),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": "new@mail.example"}),
            json!({"emails": [work(), {"type": "home", "value": "new@mail.example"}]}),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"home\"]", "value": new}),
            json!({"emails": [work(), new]}),
        ),
    ];
    each_on_a_new_user(&body, table).await;
}

#[tokio::test]
async fn operations_see_what_those_before_them_did() {
    let person = Person::bare().await;
    let after = person
        .after(json!([
            {"op": "add", "path": "emails", "value": [{"type": "work", "value": "a@mail.example"}]},
            {"op": "replace", "path": "emails[value eq \"a@mail.example\"].type", "value": "home"},
            {"op": "add", "path": "emails[type eq \"home\"].display", "value": "Home"},
            {"op": "add", "path": "title", "value": "x"},
            {"op": "remove", "path": "title"},
        ]))
        .await;
    assert_eq!(
        after["emails"],
        json!([{"type": "home", "value": "a@mail.example", "display": "Home"}])
    );
    assert_eq!(after.get("title"), None);
}

#[tokio::test]
async fn what_cannot_be_done_is_told_by_its_scim_type() {
    let person = Person::new().await;
    let before = person.read().await;
    for (operation, scim_type) in [
        (json!({"op": "remove"}), "noTarget"),
        (
            json!({"op": "replace", "path": "emails[type ne \"work\" and type ne \"home\"].value", "value": "x"}),
            "noTarget",
        ),
        (json!({"op": "replace", "path": "id", "value": "x"}), "mutability"),
        (
            json!({"op": "replace", "path": "meta.created", "value": "2020-01-01T00:00:00Z"}),
            "mutability",
        ),
        (
            json!({"op": "add", "path": "groups", "value": [{"value": "x"}]}),
            "mutability",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"work\"", "value": "x"}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "title[value eq \"x\"]", "value": "x"}),
            "invalidPath",
        ),
        (
            json!({"op": "replace", "path": "active", "value": "perhaps"}),
            "invalidValue",
        ),
        (
            json!({"op": "replace", "path": "title", "value": {"a": 1}}),
            "invalidValue",
        ),
        (json!({"op": "add", "path": "title"}), "invalidValue"),
        (json!({"op": "test", "path": "title", "value": "x"}), "invalidSyntax"),
        (json!("not an operation"), "invalidSyntax"),
    ] {
        let detail = person.patch(json!([operation])).await.error(400, scim_type);
        assert!(
            detail.starts_with("operation 1: ") || scim_type == "invalidSyntax",
            "{detail}"
        );
        assert_eq!(person.read().await, before, "{operation}");
    }
}
