//! The validator's seven preview tests.

use serde_json::json;

use super::{PERSON, body};
use crate::deployment::Deployment;
use crate::entra::{ENTERPRISE, NOBODY, Person, at, group_at};

#[tokio::test]
async fn p1_operations_on_different_attributes() {
    let person = Person::of(&body(PERSON, "one")).await;
    let after = person
        .after(json!([
            {"op": "remove", "path": "title"},
            {"op": "add", "path": format!("{ENTERPRISE}:department"), "value": "two"},
            {"op": "replace", "path": "displayName", "value": "two"},
            {"op": "remove", "path": "emails[type eq \"work\"].value"},
            {"op": "add", "path": "phoneNumbers[type eq \"work\"].value", "value": "2"},
        ]))
        .await;
    assert_eq!((after.get("title"), after.get("emails")), (None, None));
    assert_eq!(
        (&after[ENTERPRISE]["department"], &after["displayName"]),
        (&json!("two"), &json!("two"))
    );
    assert_eq!(after["phoneNumbers"][0]["value"], "2");
}

#[tokio::test]
async fn p2_operations_on_one_attribute_take_effect_in_order() {
    let person = Person::of(&body(PERSON, "one")).await;
    for path in ["title", "name.givenName", "emails[type eq \"work\"].value"] {
        person
            .after(json!([
                {"op": "remove", "path": path},
                {"op": "add", "path": path, "value": "added@kestrel.example"},
                {"op": "replace", "path": path, "value": "replaced@kestrel.example"},
            ]))
            .await;
    }
    let after = person.read().await;
    for value in [
        &after["title"],
        &after["name"]["givenName"],
        &after["emails"][0]["value"],
    ] {
        assert_eq!(value, "replaced@kestrel.example");
    }
    let after = person
        .after(json!([{"op": "add", "path": "title", "value": "x"}, {"op": "remove", "path": "title"}]))
        .await;
    assert_eq!(after.get("title"), None);
}

#[tokio::test]
async fn p3_delete_a_user_who_is_not_there() {
    let it = Deployment::start().await;
    for id in [NOBODY, "no%20id%20at%20all"] {
        it.scim.delete(&at(id)).await.error(404, "");
    }
}

#[tokio::test]
async fn p4_delete_a_user_twice() {
    let person = Person::of(&body(PERSON, "one")).await;
    person.it.scim.delete(&at(&person.id)).await.expect(204);
    person.it.scim.delete(&at(&person.id)).await.error(404, "");
}

#[tokio::test]
async fn p5_add_and_remove_one_member_in_one_patch() {
    let it = Deployment::start().await;
    let user = it.scim.create_user("one@kestrel.example").await;
    let id = it.scim.create_group::<&str>("Rack", &[]).await;
    let operations = json!([
        {"op": "add", "path": "members", "value": [{"value": user}]},
        {"op": "remove", "path": format!("members[value eq \"{user}\"]")},
    ]);
    it.scim.patch(&group_at(&id), operations).await.expect(204);
    assert_eq!(it.scim.get(&group_at(&id)).await.expect(200).get("members"), None);
    it.settled().await;
    assert!(it.platform.members("Rack").await.is_empty());
}

#[tokio::test]
async fn p6_delete_a_group_that_is_not_there() {
    let it = Deployment::start().await;
    it.scim.delete(&group_at(NOBODY)).await.error(404, "");
}

#[tokio::test]
async fn p7_delete_a_group_twice() {
    let it = Deployment::start().await;
    let id = it.scim.create_group::<&str>("Rack", &[]).await;
    it.scim.delete(&group_at(&id)).await.expect(204);
    it.scim.delete(&group_at(&id)).await.error(404, "");
}
