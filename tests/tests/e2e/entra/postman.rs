//! Microsoft's Postman collection, old and still pointed at: what it asserts that no other suite does.

use http::Method;
use serde_json::{Value, json};

use super::{CORE, ENTERPRISE, ODILE, Person, at, group_at};
use crate::deployment::{Deployment, encoded, user};

async fn found(it: &Deployment, query: &str) -> Vec<String> {
    let list = it.scim.get(query).await.expect(200);
    let users = list["Resources"].as_array().unwrap().iter();
    users
        .map(|user| user["userName"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_text_for_active_is_answered_as_a_boolean() {
    let it = Deployment::start().await;
    let body = json!({"schemas": [CORE], "userName": ODILE, "active": "True"});
    assert_eq!(it.scim.post("/Users", &body).await.expect(201)["active"], true);
}

#[tokio::test]
async fn a_user_without_a_name_is_refused_by_post_and_by_put() {
    let person = Person::new().await;
    let body = json!({"schemas": [CORE], "displayName": "Nameless"});
    for answer in [
        person.it.scim.post("/Users", &body).await,
        person.it.scim.put(&at(&person.id), &body).await,
    ] {
        assert!(answer.error(400, "invalidValue").contains("userName"));
    }
    assert_eq!(person.read().await["displayName"], "The person odile");
}

#[tokio::test]
async fn a_body_that_is_junk_is_refused() {
    let person = Person::new().await;
    for junk in ["junk", "{", "[]", "\"text\"", "", "{\"userName\": }"] {
        for (method, path) in [
            (Method::POST, "/Users".to_owned()),
            (Method::PUT, at(&person.id)),
            (Method::PATCH, at(&person.id)),
        ] {
            person
                .it
                .scim
                .raw(method, &path, junk)
                .await
                .error(400, "invalidSyntax");
        }
    }
}

#[tokio::test]
async fn a_duplicate_is_a_conflict_that_says_of_what() {
    let it = Deployment::start().await;
    it.scim.create_user(ODILE).await;
    assert!(
        it.scim
            .post("/Users", &user(ODILE))
            .await
            .error(409, "uniqueness")
            .contains("userName")
    );
    it.scim.create_group::<&str>("Rack", &[]).await;
    let again = it.scim.post("/Groups", &json!({"displayName": "RACK"})).await;
    assert!(again.error(409, "uniqueness").contains("displayName"));
}

#[tokio::test]
async fn an_unknown_attribute_in_a_put_is_dropped() {
    let person = Person::new().await;
    let mut body = person.read().await;
    body["shoeSize"] = json!(44);
    assert_eq!(
        person
            .it
            .scim
            .put(&at(&person.id), &body)
            .await
            .expect(200)
            .get("shoeSize"),
        None
    );
    assert_eq!(person.read().await.get("shoeSize"), None);
}

#[tokio::test]
async fn filters_are_taken_without_quotes_and_in_odd_spellings() {
    let it = Deployment::start().await;
    for (name, family, mail) in [
        ("odile", "Roy", "o@green.example"),
        ("omar", "Roy", "x@blue.example"),
        ("paul", "Roy", "p@red.example"),
    ] {
        let body = json!({
            "schemas": [CORE], "userName": format!("{name}@kestrel.example"), "displayName": name,
            "name": {"familyName": family}, "emails": [{"type": "work", "value": mail}],
        });
        it.scim.create("/Users", &body).await;
    }
    let (odile, omar, paul) = ("odile@kestrel.example", "omar@kestrel.example", "paul@kestrel.example");
    for (filter, expected) in [
        ("DisplayName eq \"odile\"", vec![odile]),
        ("userName sw O", vec![odile, omar]),
        ("userName sw o", vec![odile, omar]),
        (
            "meta.Created gt 2015-10-10T14:38:21.8617979-07:00",
            vec![odile, omar, paul],
        ),
        ("meta.created lt \"2015-10-10T14:38:21Z\"", vec![]),
        (
            "name.FamilyName eq Roy and (emails.Value co green or emails.Value co blue)",
            vec![odile, omar],
        ),
        (
            "name.FamilyName eq Roy and emails.Value co green or emails.Value co red",
            vec![odile, paul],
        ),
    ] {
        assert_eq!(
            found(&it, &format!("/Users?filter={}", encoded(filter))).await,
            expected,
            "{filter}"
        );
        assert_eq!(
            found(&it, &format!("/Users/?filter={}", encoded(filter))).await,
            expected,
            "{filter}"
        );
    }
}

#[tokio::test]
async fn a_page_has_as_many_as_were_asked_for() {
    let it = Deployment::start().await;
    for n in 0..3 {
        it.scim.create_user(&format!("user{n}@kestrel.example")).await;
    }
    let page = it.scim.get("/Users?startIndex=1&count=2").await.expect(200);
    assert_eq!(
        [&page["itemsPerPage"], &page["startIndex"], &page["totalResults"]],
        [2, 1, 3]
    );
}

#[tokio::test]
async fn attributes_are_chosen_also_with_a_filter_in_them() {
    let person = Person::new().await;
    let names = |user: &Value| {
        let mut names: Vec<_> = user.as_object().unwrap().keys().cloned().collect();
        names.sort_unstable();
        names
    };
    for (attributes, expected) in [
        ("userName,emails", vec!["emails", "id", "schemas", "userName"]),
        ("emails[type eq \"work\"]", vec!["emails", "id", "schemas"]),
        ("USERNAME", vec!["id", "schemas", "userName"]),
    ] {
        let list = person
            .it
            .scim
            .get(&format!("/Users?attributes={}", encoded(attributes)))
            .await
            .expect(200);
        assert_eq!(names(&list["Resources"][0]), expected, "{attributes}");
        let one = person
            .it
            .scim
            .get(&format!("{}?attributes={}", at(&person.id), encoded(attributes)))
            .await
            .expect(200);
        assert_eq!(names(&one), expected, "{attributes}");
    }
}

#[tokio::test]
async fn a_patch_is_204_and_may_have_stray_keys() {
    let person = Person::new().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "id": "stray", "name": "stray",
        "Operations": [
            {"name": "change", "id": "1", "op": "replace", "path": "title", "value": "Lead"},
            {"op": "replace", "path": format!("{ENTERPRISE}:department"), "value": "East"},
        ],
    });
    let answer = person
        .it
        .scim
        .raw(Method::PATCH, &at(&person.id), body.to_string())
        .await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    let read = person.read().await;
    assert_eq!([&read["title"], &read[ENTERPRISE]["department"]], ["Lead", "East"]);
}

#[tokio::test]
async fn members_are_bare_texts_and_all_go_at_once() {
    let person = Person::new().await;
    let other = person.it.scim.create_user("other@kestrel.example").await;
    let path = group_at(
        &person
            .it
            .scim
            .create("/Groups", &json!({"displayName": "Rack", "members": [person.id]}))
            .await,
    );
    person
        .it
        .scim
        .patch(&path, json!({"op": "add", "path": "members", "value": other}))
        .await
        .expect(204);
    person.it.settled().await;
    assert_eq!(person.it.platform.members("Rack").await.len(), 2);
    person
        .it
        .scim
        .patch(&path, json!({"op": "remove", "path": "members"}))
        .await
        .expect(204);
    assert_eq!(person.it.scim.get(&path).await.expect(200).get("members"), None);
    person.it.settled().await;
    assert!(person.it.platform.members("Rack").await.is_empty());
}

#[tokio::test]
async fn a_deletion_is_204() {
    let person = Person::new().await;
    person.it.scim.delete(&at(&person.id)).await.expect(204);
    let group = group_at(&person.it.scim.create_group::<&str>("Rack", &[]).await);
    person.it.scim.delete(&group).await.expect(204);
}

#[tokio::test]
async fn what_the_collection_alone_asks_for_is_a_scim_error() {
    let it = Deployment::start().await;
    it.scim.get("/serviceConfiguration").await.error(404, "");
    it.scim.get("/ResourceTypes").await.expect(200);
}
