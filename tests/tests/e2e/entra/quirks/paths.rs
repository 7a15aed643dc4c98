//! Operations and the paths they name.

use serde_json::{Value, json};

use crate::deployment::user;
use crate::entra::{CORE, ENTERPRISE, ODILE, Person, each_on_a_new_user};

#[tokio::test]
async fn q01_op_is_read_in_any_letter_case_and_nothing_else_is_taken() {
    let person = Person::new().await;
    for (n, op) in ["add", "Add", "ADD", "replace", "Replace", "rePLACE"]
        .iter()
        .enumerate()
    {
        let after = person
            .after(json!({"op": op, "path": "title", "value": format!("{n}")}))
            .await;
        assert_eq!(after["title"], n.to_string(), "{op}");
    }
    for op in ["remove", "Remove", "REMOVE"] {
        person.after(json!({"op": "add", "path": "title", "value": "x"})).await;
        assert_eq!(
            person.after(json!({"op": op, "path": "title"})).await.get("title"),
            None,
            "{op}"
        );
    }
    let before = person.read().await;
    for op in [
        json!("move"),
        json!("copy"),
        json!(""),
        json!(null),
        json!(7),
        json!("addMember"),
    ] {
        person
            .patch(json!({"op": op, "path": "title", "value": "y"}))
            .await
            .error(400, "invalidSyntax");
    }
    person
        .patch(json!([{"path": "title", "value": "y"}]))
        .await
        .error(400, "invalidSyntax");
    assert_eq!(person.read().await, before);
}

#[tokio::test]
async fn q05_a_filter_that_matches_nothing_creates_the_value_it_describes() {
    let work = |value: &str| json!([{"type": "work", "value": value}]);
    let mut table = Vec::new();
    for op in ["Add", "Replace", "add", "replace"] {
        table.push((
            json!({"op": op, "path": "emails[type eq \"work\"].value", "value": "a@mail.example"}),
            json!({"emails": work("a@mail.example")}),
        ));
        table.push((
            json!({"op": op, "path": "phoneNumbers[type eq \"work\"].value", "value": "1"}),
            json!({"phoneNumbers": work("1")}),
        ));
    }
    table.push((
        json!({"op": "Replace", "path": "emails[type eq \"work\" and primary eq true].value", "value": "a@mail.example"}),
        json!({"emails": [{"type": "work", "primary": true, "value": "a@mail.example"}]}),
    ));
    each_on_a_new_user(&json!({"schemas": [CORE]}), table).await;
    // It reaches the account.
    let person = Person::bare().await;
    person
        .after(json!({"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@mail.example"}))
        .await;
    assert_eq!(person.account().await["Mail"], "a@mail.example");
}

#[tokio::test]
async fn q06_operations_with_one_filter_build_one_value() {
    let person = Person::bare().await;
    let after = person
        .after(json!([
            {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Laval"},
            {"op": "Add", "path": "addresses[type eq \"work\"].region", "value": "QC"},
            {"op": "Add", "path": "addresses[type eq \"other\"].formatted", "value": "Hall 9"},
            {"op": "Replace", "path": "addresses[type eq \"work\"].country", "value": "CA"},
        ]))
        .await;
    let expected = json!([
        {"type": "work", "locality": "Laval", "region": "QC", "country": "CA"}, {"type": "other", "formatted": "Hall 9"},
    ]);
    assert_eq!(after["addresses"], expected);
    // Also when they come one by one.
    let after = person
        .after(json!({"op": "Add", "path": "addresses[type eq \"work\"].postalCode", "value": "H7N"}))
        .await;
    assert_eq!(after["addresses"].as_array().unwrap().len(), 2);
    assert_eq!(after["addresses"][0]["postalCode"], "H7N");
}

#[tokio::test]
async fn q07_a_replacement_with_a_filter_leaves_the_siblings_alone() {
    let person = Person::new().await;
    let home = json!({"type": "home", "value": "home@mail.example"});
    person
        .after(json!({"op": "add", "path": "emails", "value": [home]}))
        .await;
    let after = person
        .after(json!({"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "new@mail.example"}))
        .await;
    assert_eq!(
        after["emails"],
        json!([{"type": "work", "primary": true, "value": "new@mail.example"}, home])
    );
    let after = person
        .after(json!({"op": "replace", "path": "phoneNumbers[type eq \"MOBILE\"].value", "value": "7"}))
        .await;
    let numbers = json!([{"type": "work", "value": "5145550117"}, {"type": "mobile", "value": "7"}]);
    assert_eq!(after["phoneNumbers"], numbers);
}

#[tokio::test]
async fn q08_dotted_keys_are_paths() {
    let both = json!({"name": {"formatted": "odile", "givenName": "Odile", "familyName": "Roy"}});
    let keys = json!({"name.givenName": "Odile", "name.familyName": "Roy"});
    let mixed = json!({"name": {"givenName": "Odile"}, "name.familyName": "Roy"});
    let mut table = Vec::new();
    for op in ["replace", "Replace", "add", "Add"] {
        table.push((json!({"op": op, "value": keys}), both.clone()));
        table.push((json!({"op": op, "value": mixed}), both.clone()));
    }
    let filtered = json!({"op": "replace", "value": {"emails[type eq \"work\"].value": "x@mail.example"}});
    table.push((
        filtered,
        json!({"emails": [{"primary": true, "type": "work", "value": "x@mail.example"}]}),
    ));
    each_on_a_new_user(&user(ODILE), table).await;
}

#[tokio::test]
async fn q09_urn_keys_are_paths_or_whole_extensions() {
    let after = json!({ENTERPRISE: {"employeeNumber": "K-0417", "department": "Halls East", "division": "D"}});
    let department = format!("{ENTERPRISE}:department");
    each_on_a_new_user(
        &user(ODILE),
        ["add", "replace"]
            .into_iter()
            .flat_map(|op| {
                [
                    json!({"op": op, "value": {&department: "Halls East", format!("{ENTERPRISE}:division"): "D"}}),
                    json!({"op": op, "value": {ENTERPRISE: {"department": "Halls East", "division": "D"}}}),
                    json!({"op": op, "value": {ENTERPRISE: {"division": "D"}, &department: "Halls East"}}),
                    json!({"op": op, "path": ENTERPRISE, "value": {"department": "Halls East", "division": "D"}}),
                ]
            })
            .map(|operation| (operation, after.clone()))
            .collect(),
    )
    .await;
}

#[tokio::test]
async fn q10_names_count_in_any_letter_case_and_any_order() {
    let changed = json!({"displayName": "New", "nickName": "N"});
    each_on_a_new_user(
        &user(ODILE),
        vec![
            (json!({"op": "replace", "value": {"NICKNAME": "N", "displayname": "New"}}), changed.clone()),
            (json!({"value": {"DisplayName": "New", "nickname": "N"}, "op": "replace"}), changed.clone()),
            (
                json!([{"value": "New", "path": "DISPLAYNAME", "op": "Replace"}, {"path": "nickname", "op": "Add", "value": "N"}]),
                changed,
            ),
        ],
    )
    .await;
    let person =
        Person::of(&json!({"UserName": ODILE, "ACTIVE": true, "Schemas": [CORE], "Name": {"GIVENNAME": "O"}})).await;
    let read = person.read().await;
    assert_eq!(
        (&read["userName"], &read["name"]),
        (&json!(ODILE), &json!({"givenName": "O"}))
    );
    assert_eq!(read.get("UserName"), None, "answers have the RFC's spelling");
}

#[tokio::test]
async fn q11_core_attributes_may_carry_their_urn_in_any_letter_case() {
    let lead = json!({"title": "Lead"});
    let mut table: Vec<(Value, Value)> = [format!("{CORE}:title"), format!("{}:TITLE", CORE.to_uppercase())]
        .into_iter()
        .flat_map(|path| {
            [
                json!({"op": "replace", "path": path, "value": "Lead"}),
                json!({"op": "add", "value": {path: "Lead"}}),
            ]
        })
        .map(|operation| (operation, lead.clone()))
        .collect();
    table.push((json!({"op": "replace", "value": {CORE: {"title": "Lead"}}}), lead));
    let halls = json!({ENTERPRISE: {"employeeNumber": "K-0417", "department": "East"}});
    table.push((
        json!({"op": "Replace", "path": format!("{}:Department", ENTERPRISE.to_uppercase()), "value": "East"}),
        halls,
    ));
    let mail = json!({"emails": [{"primary": true, "type": "work", "value": "x@mail.example"}]});
    let path = format!("{CORE}:emails[type eq \"work\"].value");
    table.push((json!({"op": "replace", "path": path, "value": "x@mail.example"}), mail));
    each_on_a_new_user(&user(ODILE), table).await;
}
