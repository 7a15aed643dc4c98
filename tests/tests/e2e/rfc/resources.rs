//! Creating, replacing and deleting (RFC 7644 §3.3, §3.5.1, §3.6), and what a resource says of itself (RFC 7643 §3.1).

use http::Method;
use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, group, patch, user};
use crate::entra::{NOBODY, ODILE, Person, at, group_at};

#[tokio::test]
async fn a_new_resource_has_its_address_its_times_and_its_version() {
    let it = Deployment::start().await;
    for (endpoint, kind, body) in [
        ("/Users", "User", user(ODILE)),
        ("/Groups", "Group", group::<&str>("Rack", &[])),
    ] {
        let answer = it.scim.post(endpoint, &body).await;
        let (location, etag) = (answer.header("location").to_owned(), answer.header("etag").to_owned());
        let created = answer.expect(201);
        let path = format!("{endpoint}/{}", created["id"].as_str().unwrap());
        let meta = &created["meta"];
        assert_eq!(location, format!("{}{path}", it.scim.base()));
        assert_eq!([&meta["location"], &meta["version"]], [&location, &etag]);
        assert_eq!(meta["resourceType"], kind);
        assert!(meta["created"].is_string());
        assert_eq!(meta["created"], meta["lastModified"], "never changed");
        it.scim
            .patch(&path, json!({"op": "replace", "path": "displayName", "value": "New"}))
            .await
            .expect(204);
        let changed = it.scim.get(&path).await.expect(200)["meta"].clone();
        assert_eq!(
            [&changed["created"], &changed["location"]],
            [&meta["created"], &meta["location"]]
        );
        assert!(changed["lastModified"].as_str() >= meta["lastModified"].as_str());
        assert_ne!(changed["version"], meta["version"]);
    }
}

#[tokio::test]
async fn what_is_deleted_is_404_for_every_request_and_its_name_is_free() {
    let it = Deployment::start().await;
    for (endpoint, body) in [("/Users", user(ODILE)), ("/Groups", group::<&str>("Rack", &[]))] {
        let id = it.scim.create(endpoint, &body).await;
        let path = format!("{endpoint}/{id}");
        it.scim.delete(&path).await.expect(204);
        it.scim.get(&path).await.error(404, "");
        it.scim.put(&path, &body).await.error(404, "");
        it.scim
            .patch(&path, json!({"op": "replace", "path": "displayName", "value": "x"}))
            .await
            .error(404, "");
        it.scim.delete(&path).await.error(404, "");
        assert_eq!(it.scim.get(endpoint).await.expect(200)["totalResults"], 0);
        assert_ne!(it.scim.create(endpoint, &body).await, id, "an id is never given twice");
    }
}

#[tokio::test]
async fn put_never_creates() {
    let it = Deployment::start().await;
    it.scim.put(&at(NOBODY), &user(ODILE)).await.error(404, "");
    it.scim
        .put(&group_at(NOBODY), &group::<&str>("Rack", &[]))
        .await
        .error(404, "");
    assert_eq!(it.scim.get("/").await.expect(200)["totalResults"], 0);
    it.settled().await;
    assert_eq!(it.platform.calls().await, 0);
}

#[tokio::test]
async fn a_write_is_answered_with_the_attributes_that_were_asked_for() {
    let it = Deployment::start().await;
    let keys = |answer: &Value| answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let created = it
        .scim
        .post("/Users?attributes=userName,title", &user(ODILE))
        .await
        .expect(201);
    assert_eq!(keys(&created), ["id", "schemas", "title", "userName"]);
    let path = at(created["id"].as_str().unwrap());
    let put = it
        .scim
        .put(&format!("{path}?excludedAttributes=emails,addresses"), &user(ODILE))
        .await
        .expect(200);
    assert_eq!(
        (put.get("emails"), put.get("addresses"), &put["title"]),
        (None, None, &json!("Rack technician"))
    );
    // A PATCH, too: with `attributes` it has a body (RFC 7644 §3.5.2).
    let body = patch(json!({"op": "replace", "path": "title", "value": "Lead"})).to_string();
    let answer = it
        .scim
        .raw(Method::PATCH, &format!("{path}?attributes=title"), body)
        .await
        .expect(200);
    assert_eq!(
        (keys(&answer), &answer["title"]),
        (vec!["id".into(), "schemas".into(), "title".into()], &json!("Lead"))
    );
}

#[tokio::test]
async fn a_member_is_added_and_removed_but_not_edited() {
    let person = Person::new().await;
    let path = group_at(&person.it.scim.create_group("Rack", &[&person.id]).await);
    for part in ["value", "$ref", "type"] {
        let place = format!("members[value eq \"{}\"].{part}", person.id);
        let answer = person
            .it
            .scim
            .patch(&path, json!({"op": "replace", "path": place, "value": NOBODY}))
            .await;
        answer.error(400, "mutability");
    }
    let members = person.it.scim.get(&path).await.expect(200)["members"].clone();
    assert_eq!(members[0]["value"], person.id.as_str());
}

#[tokio::test]
async fn memberships_are_changed_at_the_group_and_not_at_the_user() {
    let person = Person::new().await;
    let id = person.it.scim.create_group("Rack", &[&person.id]).await;
    for op in ["add", "replace", "remove"] {
        let operation = json!({"op": op, "path": "groups", "value": [{"value": NOBODY}]});
        person.patch(operation).await.error(400, "mutability");
    }
    let mut body = person.read().await;
    assert_eq!(body["groups"][0]["value"], id.as_str());
    body["groups"] = json!([]);
    let put = person.it.scim.put(&at(&person.id), &body).await.expect(200);
    assert_eq!(put["groups"][0]["value"], id.as_str());
    assert_eq!(person.read().await["groups"][0]["value"], id.as_str());
    let members = person.it.scim.get(&group_at(&id)).await.expect(200)["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_password_is_taken_and_never_shown_searched_or_published() {
    let mut body = user(ODILE);
    body["password"] = "t1meMa$heen".into();
    let it = Deployment::start().await;
    let created = it
        .scim
        .post("/Users?attributes=password,userName", &body)
        .await
        .expect(201);
    assert_eq!(created.get("password"), None);
    let path = at(created["id"].as_str().unwrap());
    for operation in [
        json!({"op": "replace", "path": "password", "value": "another"}),
        json!({"op": "replace", "value": {"password": "another"}}),
    ] {
        it.scim.patch(&path, operation).await.expect(204);
    }
    it.scim.put(&path, &body).await.expect(200);
    for query in [
        path,
        "/Users".to_owned(),
        "/Users?attributes=password".to_owned(),
        "/Schemas".to_owned(),
    ] {
        let answer = it.scim.get(&query).await;
        assert!(
            !answer.text.contains("password") && !answer.text.contains("t1me"),
            "{query}: {}",
            answer.text
        );
    }
    it.scim
        .get("/Users?filter=password+eq+%22t1meMa$heen%22")
        .await
        .error(400, "invalidFilter");
    it.settled().await;
    assert!(
        !it.platform.state().await.to_string().contains("t1me"),
        "the account has a password of its own"
    );
}

#[tokio::test]
async fn an_unchanged_resource_is_304_and_a_changed_one_412() {
    let person = Person::new().await;
    for path in [
        at(&person.id),
        group_at(&person.it.scim.create_group::<&str>("Rack", &[]).await),
    ] {
        let etag = person.it.scim.get(&path).await.header("etag").to_owned();
        // A user's groups are not in the user's version, and so not in the question.
        assert!(etag.starts_with("W/\""), "weak: {etag}");
        let ask = async |method: Method, name: &str, value: &str, body: Value| {
            Answer::of(
                person
                    .it
                    .scim
                    .request(method, &format!("{path}?excludedAttributes=groups"))
                    .header(name, value)
                    .body(body.to_string()),
            )
            .await
        };
        assert_eq!(ask(Method::GET, "if-none-match", &etag, Value::Null).await.status, 304);
        let change = patch(json!({"op": "replace", "path": "displayName", "value": "New"}));
        assert_eq!(ask(Method::PATCH, "if-match", &etag, change.clone()).await.status, 204);
        ask(Method::PATCH, "if-match", &etag, change).await.error(412, "");
        ask(Method::DELETE, "if-match", &etag, Value::Null).await.error(412, "");
        assert_eq!(ask(Method::GET, "if-none-match", &etag, Value::Null).await.status, 200);
    }
}
