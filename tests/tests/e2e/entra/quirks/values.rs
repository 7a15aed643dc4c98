//! Values that come in another type, letter case or length than one would think.

use serde_json::{Value, json};

use crate::deployment::{encoded, user};
use crate::entra::{CORE, ENTERPRISE, ODILE, Person, at, each_on_a_new_user, group_at};

/// All that means false, and what means true.
fn booleans() -> Vec<(Value, bool)> {
    let texts = [
        ("False", false),
        ("false", false),
        ("FALSE", false),
        ("True", true),
        ("true", true),
        ("TRUE", true),
    ];
    let texts = texts.into_iter().map(|(text, value)| (json!(text), value));
    texts.chain([(json!(false), false), (json!(true), true)]).collect()
}

#[tokio::test]
async fn q02_booleans_may_be_texts_in_post_patch_and_put() {
    let mut table = Vec::new();
    for (sent, meant) in booleans() {
        for operation in [
            json!({"op": "Replace", "path": "active", "value": sent}),
            json!({"op": "Add", "path": "active", "value": sent}),
            json!({"op": "replace", "value": {"active": sent}}),
        ] {
            table.push((operation, json!({"active": meant})));
        }
        // At any depth.
        let primary = json!({"op": "Add", "path": "ims", "value": [{"value": "a", "primary": sent}]});
        table.push((primary, json!({"ims": [{"value": "a", "primary": meant}]})));
    }
    each_on_a_new_user(&user(ODILE), table).await;

    let person = Person::new().await;
    for (n, (sent, meant)) in booleans().into_iter().enumerate() {
        let mut body = user(&format!("posted{n}@kestrel.example"));
        body["active"] = sent.clone();
        assert_eq!(
            person.it.scim.post("/Users", &body).await.expect(201)["active"],
            meant,
            "{sent}"
        );
        body["userName"] = ODILE.into();
        assert_eq!(
            person.it.scim.put(&at(&person.id), &body).await.expect(200)["active"],
            meant,
            "{sent}"
        );
    }
}

#[tokio::test]
async fn q03_primary_may_be_a_text_beside_others_that_are_booleans() {
    let mut body = user(ODILE);
    body["roles"] = json!([{"value": "auditor", "primary": "True"}]);
    body["ims"] = json!([{"value": "a", "primary": "False"}]);
    let person = Person::of(&body).await;
    let read = person.read().await;
    assert_eq!(read["roles"], json!([{"value": "auditor", "primary": true}]));
    assert_eq!(read["emails"][0]["primary"], true);
    assert_eq!(read["ims"], json!([{"value": "a", "primary": false}]));
}

#[tokio::test]
async fn q04_a_text_in_a_filter_is_compared_with_a_boolean() {
    let created = json!({"roles": [{"primary": true, "display": "Auditor"}]});
    let there = json!([{"op": "add", "path": "roles", "value": [{"value": "a", "primary": true}, {"value": "b"}]}]);
    let mut table = Vec::new();
    for literal in ["\"True\"", "\"true\"", "true", "True"] {
        let path = format!("roles[primary eq {literal}].display");
        let operation = json!({"op": "Add", "path": path, "value": "Auditor"});
        table.push((operation.clone(), created.clone()));
        let found = json!({"roles": [{"value": "a", "primary": true, "display": "Auditor"}, {"value": "b"}]});
        table.push((json!([there[0], operation]), found));
    }
    each_on_a_new_user(&user(ODILE), table).await;
    let person = Person::new().await;
    for (filter, found) in [
        ("active eq \"True\"", 1),
        ("active eq \"False\"", 0),
        ("emails[primary eq \"true\"]", 1),
    ] {
        assert_eq!(person.it.scim.find("/Users", filter).await.len(), found, "{filter}");
    }
}

#[tokio::test]
async fn q12_our_ids_are_lower_case_and_found_in_any() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    assert_eq!(person.id, person.id.to_lowercase());
    let loud = person.id.to_uppercase();
    assert_eq!(scim.get(&at(&loud)).await.expect(200)["id"], person.id.as_str());
    assert_eq!(scim.find("/Users", &format!("id eq \"{loud}\"")).await.len(), 1);
    let group = scim.create_group("Rack Operators", &[&loud]).await;
    let members = scim.get(&group_at(&group)).await.expect(200)["members"].clone();
    assert_eq!(members[0]["value"], person.id.as_str());
    assert_eq!(
        scim.find("/Groups", &format!("members.value eq \"{loud}\""))
            .await
            .len(),
        1
    );
    scim.patch(&at(&loud), json!({"op": "replace", "path": "title", "value": "Lead"}))
        .await
        .expect(204);
    assert_eq!(person.read().await["title"], "Lead");
    let remove = json!({"op": "remove", "path": format!("members[value eq \"{loud}\"]")});
    scim.patch(&group_at(&group.to_uppercase()), remove).await.expect(204);
    assert_eq!(scim.get(&group_at(&group)).await.expect(200).get("members"), None);
}

#[tokio::test]
async fn q13_an_external_id_that_is_a_uuid_is_found_in_another_letter_case() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let external = "6c0f8a52-0f4e-4f6e-9b1f-5d2f6a1c7e90";
    let id = scim
        .create("/Groups", &json!({"displayName": "Rack", "externalId": external}))
        .await;
    for sent in [external.to_owned(), external.to_uppercase()] {
        let found = scim.find("/Groups", &format!("externalId eq \"{sent}\"")).await;
        assert_eq!(found.len(), 1, "{sent}");
        assert_eq!(found[0]["id"], id.as_str());
        assert_eq!(found[0]["externalId"], external, "as it was sent");
    }
    // Any other external id counts to the letter (RFC 7643 §3.1).
    for (sent, found) in [("odile", 1), ("ODILE", 0)] {
        assert_eq!(
            scim.find("/Users", &format!("externalId eq \"{sent}\"")).await.len(),
            found,
            "{sent}"
        );
    }
}

#[tokio::test]
async fn q38_a_number_where_text_belongs_is_kept_as_text() {
    let number = |value: &str| json!({ENTERPRISE: {"employeeNumber": value, "department": "Halls"}});
    let path = format!("{ENTERPRISE}:employeeNumber");
    let table = vec![
        (json!({"op": "Replace", "path": path, "value": 417}), number("417")),
        (
            json!({"op": "replace", "value": {&path: 12_345_678_901_234_u64}}),
            number("12345678901234"),
        ),
        (
            json!({"op": "replace", "value": {ENTERPRISE: {"employeeNumber": 7}}}),
            number("7"),
        ),
        (json!({"op": "add", "path": "title", "value": 5}), json!({"title": "5"})),
    ];
    each_on_a_new_user(&user(ODILE), table).await;
    let mut body = user(ODILE);
    body[ENTERPRISE]["employeeNumber"] = json!(417);
    let person = Person::of(&body).await;
    assert_eq!(person.read().await[ENTERPRISE]["employeeNumber"], "417");
    assert_eq!(
        person.it.scim.find("/Users", &format!("{path} eq \"417\"")).await.len(),
        1
    );
}

#[tokio::test]
async fn q39_a_value_that_is_too_long_is_refused_by_the_attributes_name() {
    let person = Person::new().await;
    let before = person.read().await;
    let long = "x".repeat(70_000);
    for (path, named) in [
        ("title", "title"),
        ("userName", "userName"),
        ("name.givenName", "givenName"),
        ("emails[type eq \"work\"].value", "emails"),
        ("department", "department"),
    ] {
        for operation in [
            json!({"op": "Replace", "path": path, "value": long}),
            json!({"op": "replace", "value": {path: long}}),
        ] {
            let detail = person.patch(operation).await.error(400, "invalidValue");
            assert!(detail.contains(named) && detail.len() < 300, "{path}: {detail}");
        }
    }
    let mut body = user("another@kestrel.example");
    body["displayName"] = long.into();
    let detail = person.it.scim.post("/Users", &body).await.error(400, "invalidValue");
    assert!(detail.contains("displayName"), "{detail}");
    assert_eq!(person.read().await, before);
}

#[tokio::test]
async fn q45_what_was_coerced_is_answered_in_its_own_type() {
    let mut body = user(ODILE);
    body["active"] = "True".into();
    body["emails"][0]["primary"] = "True".into();
    let person = Person::of(&body).await;
    let after = person
        .after(json!({"op": "Replace", "path": "active", "value": "False"}))
        .await;
    let listed = person
        .it
        .scim
        .get(&format!("/Users?filter={}", encoded("active eq false")))
        .await
        .expect(200);
    for read in [&after, &listed["Resources"][0]] {
        assert_eq!(
            (&read["active"], &read["emails"][0]["primary"]),
            (&json!(false), &json!(true))
        );
        assert!(read["schemas"].as_array().unwrap().contains(&json!(CORE)));
    }
}

#[tokio::test]
async fn q47_lower_case_texts_disable_and_enable() {
    let person = Person::new().await;
    for (sent, state) in [("false", "Disabled"), ("true", "None"), ("false", "Disabled")] {
        let after = person
            .after(json!({"op": "Replace", "path": "active", "value": sent}))
            .await;
        assert_eq!(after["active"].to_string(), sent, "a boolean, not a text");
        assert_eq!(person.account().await["State"], state);
    }
}
