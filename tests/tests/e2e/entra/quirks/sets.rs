//! What sets, clears, adds and removes.

use http::Method;
use serde_json::{Value, json};

use crate::deployment::{Answer, patch, user};
use crate::entra::{CORE, ENTERPRISE, NOBODY, ODILE, Person, at, each_on_a_new_user, group_at};

/// The enterprise attributes that every user here begins with.
fn halls(manager: Option<&str>) -> Value {
    let mut extension = json!({"employeeNumber": "K-0417", "department": "Halls"});
    if let Some(id) = manager {
        extension["manager"] = json!({"value": id});
    }
    json!({ENTERPRISE: extension})
}

#[tokio::test]
async fn q14_a_manager_may_be_text_object_or_list() {
    let manager = format!("{ENTERPRISE}:manager");
    let shapes = [
        json!(NOBODY),
        json!({"value": NOBODY}),
        json!([{"value": NOBODY}]),
        json!([NOBODY]),
    ];
    let shapes = shapes.into_iter().flat_map(|shape| {
        [
            json!({"op": "Add", "path": manager, "value": shape}),
            json!({"op": "replace", "path": "manager", "value": shape}),
            json!({"op": "replace", "value": {&manager: shape}}),
            json!({"op": "replace", "value": {ENTERPRISE: {"manager": shape}}}),
        ]
    });
    each_on_a_new_user(&user(ODILE), shapes.map(|shape| (shape, halls(Some(NOBODY)))).collect()).await;
}

#[tokio::test]
async fn q15_whatever_means_no_manager_clears_it_and_is_not_stored() {
    let mut managed = user(ODILE);
    managed[ENTERPRISE]["manager"] = json!({"value": NOBODY});
    let manager = format!("{ENTERPRISE}:manager");
    let mut clear = vec![
        json!({"op": "Remove", "path": manager}),
        json!({"op": "remove", "path": format!("manager[value eq \"{NOBODY}\"]")}),
        json!({"op": "Remove", "path": "manager", "value": [{"value": NOBODY}]}),
    ];
    for nothing in [
        json!(""),
        json!({"value": ""}),
        json!(null),
        json!([{"value": null}]),
        json!({"value": null}),
        json!([]),
    ] {
        clear.push(json!({"op": "Replace", "path": manager, "value": nothing}));
        clear.push(json!({"op": "replace", "value": {&manager: nothing}}));
    }
    each_on_a_new_user(&managed, clear.into_iter().map(|clear| (clear, halls(None))).collect()).await;
}

#[tokio::test]
async fn q16_replacing_by_nothing_removes() {
    let mut table = Vec::new();
    for nothing in [json!(""), json!(null)] {
        for attribute in ["title", "displayName", "externalId", "preferredLanguage", "emails"] {
            let gone = json!({attribute: null, "userName": format!("user{}@kestrel.example", table.len())});
            table.push((json!({"op": "Replace", "path": attribute, "value": nothing}), gone));
            let gone = json!({attribute: null, "userName": format!("user{}@kestrel.example", table.len())});
            table.push((json!({"op": "replace", "value": {attribute: nothing}}), gone));
        }
        let name = json!({"name": {"formatted": "odile", "familyName": "odile"}});
        table.push((
            json!({"op": "Replace", "path": "name.givenName", "value": nothing}),
            name,
        ));
        let department = json!({"op": "Replace", "path": format!("{ENTERPRISE}:department"), "value": nothing});
        table.push((department, json!({ENTERPRISE: {"employeeNumber": "K-0417"}})));
    }
    each_on_a_new_user(&user(ODILE), table).await;
    let person = Person::new().await;
    person
        .after(json!({"op": "Replace", "path": "phoneNumbers[type eq \"work\"].value", "value": ""}))
        .await;
    assert_eq!(person.account().await["OfficeNumber"], "", "the account loses it too");
}

#[tokio::test]
async fn q17_remove_with_a_value_removes_only_what_is_listed() {
    let rest = json!({"phoneNumbers": [{"type": "mobile", "value": "5145550118"}]});
    let whole = json!({"phoneNumbers": user(ODILE)["phoneNumbers"]});
    let remove = |value: Value| json!({"op": "Remove", "path": "phoneNumbers", "value": value});
    let table = vec![
        (remove(json!([{"value": "5145550117"}])), rest.clone()),
        (remove(json!({"value": "5145550117"})), rest.clone()),
        (remove(json!([{"value": "5145550117", "type": "work"}])), rest),
        (remove(json!([{"value": "nobody's"}])), whole.clone()),
        (remove(json!([])), whole),
    ];
    each_on_a_new_user(&user(ODILE), table).await;
    let person = Person::new().await;
    let other = person.it.scim.create_user("other@kestrel.example").await;
    let third = person.it.scim.create_user("third@kestrel.example").await;
    let id = person.it.scim.create_group("Rack", &[&person.id, &other, &third]).await;
    let remove = json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": other}]});
    person.it.scim.patch(&group_at(&id), remove).await.expect(204);
    person.it.settled().await;
    let expected = [ODILE.to_owned(), "third@kestrel.example".to_owned()].into();
    assert_eq!(person.it.platform.members("Rack").await, expected);
}

#[tokio::test]
async fn q18_removing_what_is_not_set_is_no_failure() {
    let person = Person::bare().await;
    let before = person.read().await;
    for path in [
        "title",
        "name",
        "name.givenName",
        "emails",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "manager",
        ENTERPRISE,
    ] {
        assert_eq!(
            person.after(json!({"op": "Remove", "path": path})).await,
            before,
            "{path}"
        );
    }
}

#[tokio::test]
async fn q19_adding_to_what_has_one_value_replaces_it() {
    let department = format!("{ENTERPRISE}:department");
    let table = vec![
        (
            json!({"op": "Add", "path": "title", "value": "Lead"}),
            json!({"title": "Lead"}),
        ),
        (
            json!({"op": "add", "value": {"title": "Lead"}}),
            json!({"title": "Lead"}),
        ),
        (
            json!({"op": "Add", "path": department, "value": "East"}),
            json!({ENTERPRISE: {"employeeNumber": "K-0417", "department": "East"}}),
        ),
        (
            json!({"op": "Add", "path": "name", "value": {"givenName": "Odile"}}),
            json!({"name": {"formatted": "odile", "familyName": "odile", "givenName": "Odile"}}),
        ),
    ];
    each_on_a_new_user(&user(ODILE), table).await;
}

#[tokio::test]
async fn q20_adding_a_value_that_is_there_adds_no_second() {
    let person = Person::new().await;
    let before = person.read().await;
    for operation in [
        json!({"op": "Add", "path": "emails", "value": before["emails"]}),
        json!({"op": "add", "value": {"phoneNumbers": before["phoneNumbers"]}}),
        json!({"op": "Add", "path": "phoneNumbers", "value": {"type": "work", "value": "5145550117"}}),
    ] {
        assert_eq!(person.after(operation.clone()).await, before, "{operation}");
    }
}

#[tokio::test]
async fn q21_no_operations_are_no_failure() {
    let person = Person::new().await;
    let before = person.read().await;
    assert_eq!(person.after(json!([])).await, before);
}

#[tokio::test]
async fn q22_a_patch_that_changes_nothing_moves_no_version() {
    let person = Person::new().await;
    person.account().await;
    let (before, calls) = (person.read().await, person.it.platform.calls().await);
    for operation in [
        json!({"op": "Replace", "path": "active", "value": "True"}),
        json!({"op": "Replace", "path": "displayName", "value": "The person odile"}),
        json!({"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "odile@mail.example"}),
    ] {
        // With a body or without.
        let request = person.it.scim.request(Method::PATCH, &at(&person.id));
        let request = request.header("accept", "application/scim+json");
        assert_eq!(
            Answer::of(request.body(patch(operation.clone()).to_string()))
                .await
                .expect(200),
            before
        );
        assert_eq!(person.after(operation.clone()).await, before, "{operation}");
    }
    person.it.settled().await;
    assert_eq!(person.it.platform.calls().await, calls);
}

#[tokio::test]
async fn q27_the_newest_primary_value_wins() {
    let home = json!({"type": "home", "value": "home@mail.example", "primary": true});
    let work = |primary: bool| json!({"type": "work", "value": "odile@mail.example", "primary": primary});
    let table = vec![
        (
            json!({"op": "Add", "path": "emails", "value": [home]}),
            json!({"emails": [work(false), home]}),
        ),
        (
            json!({"op": "add", "value": {"emails": [home]}}),
            json!({"emails": [work(false), home]}),
        ),
        (
            json!([{"op": "Add", "path": "emails", "value": [home]}, {"op": "Replace", "path": "emails[type eq \"work\"].primary", "value": "True"}]),
            json!({"emails": [work(true), {"type": "home", "value": "home@mail.example", "primary": false}]}),
        ),
    ];
    each_on_a_new_user(&user(ODILE), table).await;
    let body = json!({"schemas": [CORE], "userName": ODILE, "emails": [work(true), home]});
    assert_eq!(
        Person::of(&body).await.read().await["emails"],
        json!([work(false), home])
    );
}
