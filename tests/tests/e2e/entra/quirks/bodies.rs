//! Bodies with more, or less, or other things in them than the schemas know; and names that change hands.

use http::Method;
use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, patch, user};
use crate::entra::{CORE, ENTERPRISE, NOBODY, ODILE, Person, at, group_at, shows};

#[tokio::test]
async fn q23_read_only_attributes_in_bodies_are_ignored() {
    let person = Person::new().await;
    let before = person.read().await;
    let stray = json!({
        "id": NOBODY, "schemas": ["urn:other"], "groups": [{"value": NOBODY}],
        "meta": {"resourceType": "Other", "version": "W/\"9\"", "created": "2001-01-01T00:00:00Z"},
    });
    for op in ["add", "replace"] {
        assert_eq!(person.after(json!({"op": op, "value": stray})).await, before);
    }
    let mut body = before.clone();
    for (name, value) in stray.as_object().unwrap() {
        body[name] = value.clone();
    }
    assert_eq!(person.it.scim.put(&at(&person.id), &body).await.expect(200), before);
    body["userName"] = "another@kestrel.example".into();
    let created = person.it.scim.post("/Users", &body).await.expect(201);
    assert_ne!(created["id"], NOBODY);
    assert_eq!(created.get("groups"), None);
    assert_eq!(created["meta"]["resourceType"], "User");
}

#[tokio::test]
async fn q24_what_no_schema_knows_is_no_failure() {
    let unheard = "urn:ietf:params:scim:schemas:extension:unheard:2.0:User";
    let mut body = user(ODILE);
    body["shoeSize"] = json!(44);
    body[unheard] = json!({"badgeTier": "T2"});
    body[ENTERPRISE]["shoeSize"] = json!(44);
    let person = Person::of(&body).await;
    let before = person.read().await;
    shows(
        &before,
        &json!({"userName": ODILE, "shoeSize": null, unheard: null}),
        &body,
    );
    for operation in [
        json!({"op": "replace", "value": {"shoeSize": 45, unheard: {"badgeTier": "T3"}}}),
        json!({"op": "add", "value": {format!("{unheard}:badgeTier"): "T3"}}),
        json!({"op": "Add", "path": format!("{unheard}:badgeTier"), "value": "T3"}),
        json!({"op": "Replace", "path": "shoeSize", "value": 45}),
        json!({"op": "Replace", "path": format!("{ENTERPRISE}:shoeSize"), "value": 45}),
    ] {
        assert_eq!(person.after(operation.clone()).await, before, "{operation}");
    }
    body["displayName"] = "New".into();
    assert_eq!(
        person.it.scim.put(&at(&person.id), &body).await.expect(200)["displayName"],
        "New"
    );
}

#[tokio::test]
async fn q25_nulls_in_a_post_are_absent() {
    let body = json!({
        "schemas": [CORE, ENTERPRISE], "userName": ODILE, "externalId": null, "active": null, "title": null, "displayName": "Odile",
        "name": {"givenName": "Odile", "familyName": null}, "phoneNumbers": null, "emails": [{"value": "a@mail.example", "type": null}],
        "manager": null, ENTERPRISE: {"manager": null, "department": null},
    });
    let person = Person::of(&body).await;
    let read = person.read().await;
    let expected = json!({
        "externalId": null, "title": null, "name": {"givenName": "Odile"}, "phoneNumbers": null,
        "emails": [{"value": "a@mail.example"}], ENTERPRISE: null,
    });
    shows(&read, &expected, &body);
    assert!(!read.to_string().contains("null"), "{read}");
    assert_eq!(
        person.account().await["State"],
        "None",
        "nothing said about active lets them in"
    );
}

#[tokio::test]
async fn q26_the_vendors_urn_and_a_malformed_one_are_tolerated() {
    let it = Deployment::start().await;
    let core = "urn:ietf:params:scim:schemas:core:2.0:Group";
    let vendor = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
    let group = it
        .scim
        .post("/Groups", &json!({"schemas": [core, vendor], "displayName": "Rack"}))
        .await
        .expect(201);
    assert_eq!(group["schemas"], json!([core]));
    let malformed = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User";
    let body = json!({"schemas": [CORE, malformed], "userName": ODILE, malformed: {"department": "Halls"}});
    let user = it.scim.post("/Users", &body).await.expect(201);
    assert_eq!(user[ENTERPRISE], json!({"department": "Halls"}));
}

#[tokio::test]
async fn q30_a_login_name_is_changed_by_patch_unless_it_is_taken() {
    let person = Person::new().await;
    person.it.scim.create_user("taken@kestrel.example").await;
    person.account_of(ODILE).await;
    let mut old = ODILE.to_owned();
    for (n, shape) in [
        (|name: &str| json!({"op": "Replace", "path": "userName", "value": name})) as fn(&str) -> Value,
        |name| json!({"op": "replace", "value": {"userName": name}}),
        |name| json!({"op": "Add", "value": {"UserName": name}}),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("new{n}@kestrel.example");
        assert_eq!(person.after(shape(&name)).await["userName"], name.as_str());
        person.account_of(&name).await;
        assert!(
            person
                .it
                .scim
                .find("/Users", &format!("userName eq \"{old}\""))
                .await
                .is_empty()
        );
        let detail = person
            .patch(shape("TAKEN@kestrel.example"))
            .await
            .error(409, "uniqueness");
        assert!(detail.contains("userName"), "{detail}");
        assert_eq!(person.read().await["userName"], name.as_str());
        old = name;
    }
    assert_eq!(person.it.platform.names().await.len(), 2, "renamed, not made anew");
}

impl Person {
    /// Waits for the account of that name.
    async fn account_of(&self, name: &str) -> Value {
        self.it.settled().await;
        self.it.platform.account(name).await
    }
}

#[tokio::test]
async fn q31_an_external_id_is_replaced_on_users_and_groups() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let group = group_at(&scim.create_group("Rack", &[&person.id]).await);
    for (path, endpoint) in [(at(&person.id), "/Users"), (group, "/Groups")] {
        for (n, op) in ["Replace", "Add", "replace"].into_iter().enumerate() {
            let external = format!("external{n}");
            scim.patch(&path, json!({"op": op, "path": "externalId", "value": external}))
                .await
                .expect(204);
            assert_eq!(scim.get(&path).await.expect(200)["externalId"], external.as_str());
            assert_eq!(
                scim.find(endpoint, &format!("externalId eq \"{external}\""))
                    .await
                    .len(),
                1
            );
        }
        assert!(scim.find(endpoint, "externalId eq \"external0\"").await.is_empty());
        scim.patch(&path, json!({"op": "replace", "value": {"externalId": "merged"}}))
            .await
            .expect(204);
        assert_eq!(scim.get(&path).await.expect(200)["externalId"], "merged");
    }
}

#[tokio::test]
async fn q33_a_post_for_somebody_who_is_inactive_is_a_conflict_that_says_so() {
    let person = Person::new().await;
    person
        .after(json!({"op": "Replace", "path": "active", "value": "False"}))
        .await;
    let before = person.read().await;
    for body in [user(ODILE), user(&ODILE.to_uppercase())] {
        let detail = person.it.scim.post("/Users", &body).await.error(409, "uniqueness");
        assert!(detail.contains("userName"), "{detail}");
    }
    assert_eq!(person.read().await, before, "nobody was let in by it");
    assert_eq!(person.account().await["State"], "Disabled");
}

#[tokio::test]
async fn q44_who_is_deactivated_is_still_there() {
    let person = Person::new().await;
    let body = patch(json!({"op": "Replace", "path": "active", "value": "False"})).to_string();
    let request = person
        .it
        .scim
        .request(Method::PATCH, &at(&person.id))
        .header("accept", "application/scim+json");
    assert_eq!(Answer::of(request.body(body)).await.expect(200)["active"], false);
    person
        .patch(json!({"op": "Replace", "path": "active", "value": "False"}))
        .await
        .expect(204);
    assert_eq!(person.account().await["State"], "Disabled");
    assert_eq!(person.read().await["active"], false);
    let all = person.it.scim.get("/Users").await.expect(200);
    assert_eq!(all["Resources"][0]["active"], false);
}
