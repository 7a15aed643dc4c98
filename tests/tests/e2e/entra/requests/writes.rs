//! R07 to R12: users and groups are created, users changed, disabled and deleted.

use serde_json::{Value, json};

use super::RACK;
use crate::deployment::{Deployment, user};
use crate::entra::{CORE, ENTERPRISE, NOBODY, ODILE, Person, at, group_at, shows};

#[tokio::test]
async fn r07_a_user_is_created_from_every_shape_of_post() {
    let it = Deployment::start().await;
    let changed = |name: &str, change: Value| {
        let mut body = user(name);
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let kestrel = "urn:ietf:params:scim:schemas:extension:kestrel:2.0:User";
    for (n, change) in [
        json!({}),
        json!({"schemas": [CORE, ENTERPRISE], ENTERPRISE: {}}),
        json!({"active": "True", "roles": []}),
        json!({"title": null, "phoneNumbers": null, "manager": null, "addresses": []}),
        json!({"schemas": [CORE, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"]}),
        json!({kestrel: {"badgeTier": "T2"}}),
        json!({ENTERPRISE: {"manager": {"value": "random text"}}}),
        json!({ENTERPRISE: {"manager": NOBODY}}),
        json!({"meta": {"resourceType": "User", "version": "W/\"9\""}, "id": "mine"}),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("user{n}@kestrel.example");
        let body = changed(&name, change);
        let answer = it.scim.post("/Users", &body).await;
        let location = answer.header("location").to_owned();
        let created = answer.expect(201);
        let id = created["id"].as_str().unwrap();
        assert_eq!(location, format!("{}/Users/{id}", it.scim.base()), "{body}");
        let sent = json!({"userName": name, "active": true, "displayName": body["displayName"], "name": body["name"]});
        shows(&created, &sent, &body);
        assert_eq!(it.scim.get(&at(id)).await.expect(200), created);
        it.scim.post("/Users", &body).await.error(409, "uniqueness");
    }
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.names().await.len(), 9);
}

#[tokio::test]
async fn r08_a_group_is_created_with_the_vendors_urn_or_without() {
    let it = Deployment::start().await;
    let core = "urn:ietf:params:scim:schemas:core:2.0:Group";
    let vendor = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
    for (name, rest) in [
        ("One", json!({"schemas": [core, vendor], "members": []})),
        ("Two", json!({"schemas": [core]})),
        (
            "Three",
            json!({"schemas": [core], "members": null, "meta": {"resourceType": "Group"}}),
        ),
    ] {
        let mut body = rest;
        body["displayName"] = name.into();
        body["externalId"] = format!("6c0f8a52-{name}").into();
        let created = it.scim.post("/Groups", &body).await.expect(201);
        shows(
            &created,
            &json!({"displayName": name, "externalId": body["externalId"], "members": null}),
            &body,
        );
        assert_eq!(
            it.scim
                .get(&group_at(created["id"].as_str().unwrap()))
                .await
                .expect(200),
            created
        );
        let twice = it.scim.post("/Groups", &body).await.error(409, "uniqueness");
        assert!(twice.contains("displayName"), "{twice}");
    }
    it.settled().await;
    assert_eq!(it.platform.group_names().await, ["One", "Three", "Two"]);
}

#[tokio::test]
async fn r09_the_default_dialect_changes_one_attribute_in_each_operation() {
    let person = Person::new().await;
    let after = person
        .after(json!([
            {"op": "Replace", "path": "displayName", "value": "Odile M. Roy"},
            {"op": "Replace", "path": "name.familyName", "value": "Roy"},
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "odile.roy@mail.example"},
            {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "5145550199"},
            {"op": "Add", "path": "addresses[type eq \"work\"].postalCode", "value": "H7N 0C2"},
            {"op": "Replace", "path": "externalId", "value": "oroy"},
            {"op": "Replace", "path": format!("{ENTERPRISE}:department"), "value": "Halls East"},
            {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:unheard:2.0:User:badgeTier", "value": "T2"},
            {"op": "Remove", "path": "title"},
            {"op": "Replace", "path": "nickName", "value": [{"value": "Odi"}]},
        ]))
        .await;
    let expected = json!({
        "displayName": "Odile M. Roy", "externalId": "oroy", "title": null, "nickName": "Odi", "userName": ODILE,
        "name": {"formatted": "odile", "givenName": "Some", "familyName": "Roy"},
        "emails": [{"primary": true, "type": "work", "value": "odile.roy@mail.example"}],
        "phoneNumbers": [{"type": "work", "value": "5145550117"}, {"type": "mobile", "value": "5145550199"}],
        "addresses": [{"type": "work", "primary": false, "formatted": "Hall 3", "locality": "Laval", "postalCode": "H7N 0C2"}],
        ENTERPRISE: {"employeeNumber": "K-0417", "department": "Halls East"},
    });
    shows(&after, &expected, &json!("R09"));
    let account = person.account().await;
    let fields = ["DisplayName", "Mail", "MobileNumber", "OfficeNumber"].map(|field| account[field].clone());
    assert_eq!(
        fields,
        ["Odile M. Roy", "odile.roy@mail.example", "5145550199", "5145550117"]
    );
}

#[tokio::test]
async fn r10_the_flagged_dialect_merges_what_has_one_value() {
    let person = Person::new().await;
    let after = person
        .after(json!([
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "odile.roy@mail.example"},
            {"op": "replace", "value": {
                "displayName": "Odile M. Roy", "name.familyName": "Roy", "active": true,
                format!("{ENTERPRISE}:department"): "Halls East",
            }},
            {"op": "add", "path": "nickName", "value": "Odi"},
            {"op": "add", "value": {"title": "Lead", "name.middleName": "M."}},
        ]))
        .await;
    let expected = json!({
        "userName": ODILE, "externalId": "odile", "active": true, "displayName": "Odile M. Roy", "nickName": "Odi", "title": "Lead",
        "name": {"formatted": "odile", "givenName": "Some", "familyName": "Roy", "middleName": "M."},
        "emails": [{"primary": true, "type": "work", "value": "odile.roy@mail.example"}],
        "phoneNumbers": user(ODILE)["phoneNumbers"],
        ENTERPRISE: {"employeeNumber": "K-0417", "department": "Halls East"},
    });
    shows(&after, &expected, &json!("R10"));
    assert_eq!(person.account().await["Mail"], "odile.roy@mail.example");
}

#[tokio::test]
async fn r11_disabling_and_restoring_work_in_every_shape_and_keep_memberships() {
    let person = Person::new().await;
    let group = person.it.scim.create_group(RACK, &[&person.id]).await;
    let shapes: [fn(Value) -> Value; 5] = [
        |active| json!({"op": "Replace", "path": "active", "value": active}),
        |active| json!({"op": "Add", "path": "active", "value": active}),
        |active| json!({"op": "replace", "value": {"active": active}}),
        |active| json!({"op": "Replace", "path": "active", "value": [{"value": active}]}),
        |active| json!({"op": "replace", "path": format!("{CORE}:active"), "value": active}),
    ];
    for shape in shapes {
        for (off, on) in [
            (json!("False"), json!("True")),
            (json!("false"), json!("true")),
            (json!(false), json!(true)),
        ] {
            for (active, state, value) in [(false, "Disabled", off), (true, "None", on)] {
                let sent = shape(value);
                assert_eq!(person.after(sent.clone()).await["active"], active, "{sent}");
                let found = person.it.scim.find("/Users", &format!("userName eq \"{ODILE}\"")).await;
                assert_eq!(found[0]["active"], active, "{sent}");
                assert_eq!(person.account().await["State"], state, "{sent}");
                let members = person.it.scim.get(&group_at(&group)).await.expect(200)["members"].clone();
                assert_eq!(members[0]["value"], person.id.as_str(), "{sent}");
            }
        }
    }
    assert_eq!(person.it.platform.members(RACK).await, [ODILE.to_owned()].into());
}

#[tokio::test]
async fn r12_deleting_twice_is_204_and_then_404() {
    let person = Person::new().await;
    let group = person.it.scim.create_group(RACK, &[&person.id]).await;
    person.it.settled().await;
    for path in [at(&person.id), group_at(&group)] {
        let deleted = person.it.scim.delete(&path).await;
        assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
        person.it.scim.delete(&path).await.error(404, "");
        person.it.scim.get(&path).await.error(404, "");
    }
    assert!(
        person
            .it
            .scim
            .find("/Users", &format!("userName eq \"{ODILE}\""))
            .await
            .is_empty()
    );
    person.it.settled().await;
    assert!(person.it.platform.names().await.is_empty());
    assert!(person.it.platform.group_names().await.is_empty());
}
