//! The validator's tests of groups, 16 to 27.

use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::entra::group_at;

const NAME: &str = "RXHGYPSUVNCB";
const EXTERNAL: &str = "6c0f8a52-0f4e-4f6e-9b1f-5d2f6a1c7e90";

fn body(name: &str, external: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "externalId": external, "members": [],
    })
}

/// A group of two.
async fn group() -> (Deployment, String, [String; 2]) {
    let it = Deployment::start().await;
    let users = [
        it.scim.create_user("one@kestrel.example").await,
        it.scim.create_user("two@kestrel.example").await,
    ];
    let mut body = body(NAME, EXTERNAL);
    body["members"] = json!([{"value": users[0]}, {"value": users[1]}]);
    let id = it.scim.create("/Groups", &body).await;
    (it, id, users)
}

async fn members(it: &Deployment, id: &str) -> Vec<String> {
    let read = it.scim.get(&group_at(id)).await.expect(200);
    let members = read["members"].as_array().into_iter().flatten();
    members
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn v16_get_group_by_id_excluding_members() {
    let (it, id, _) = group().await;
    let read = it
        .scim
        .get(&format!("{}?excludedAttributes=members", group_at(&id)))
        .await
        .expect(200);
    assert_eq!((&read["displayName"], read.get("members")), (&json!(NAME), None));
}

#[tokio::test]
async fn v17_filter_existing_group_excluding_members() {
    let (it, id, _) = group().await;
    for filter in [
        format!("displayName+eq+%22{NAME}%22"),
        format!("externalId+eq+%22{EXTERNAL}%22"),
    ] {
        let list = it
            .scim
            .get(&format!("/Groups?excludedAttributes=members&filter={filter}"))
            .await
            .expect(200);
        assert_eq!(
            (&list["totalResults"], &list["Resources"][0]["id"]),
            (&json!(1), &json!(id))
        );
        assert_eq!(list["Resources"][0].get("members"), None);
    }
}

#[tokio::test]
async fn v18_filter_existing_group() {
    let (it, id, _) = group().await;
    let found = it.scim.find("/Groups", &format!("displayName eq \"{NAME}\"")).await;
    assert_eq!(found, [it.scim.get(&group_at(&id)).await.expect(200)]);
    assert_eq!(found[0]["members"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn v19_filter_missing_group() {
    let (it, ..) = group().await;
    assert!(it.scim.find("/Groups", "displayName eq \"nothing\"").await.is_empty());
    assert!(it.scim.find("/Groups", "externalId eq \"nothing\"").await.is_empty());
}

#[tokio::test]
async fn v20_filter_group_in_another_case() {
    let (it, id, _) = group().await;
    for filter in [
        format!("displayName eq \"{}\"", NAME.to_lowercase()),
        format!("externalId eq \"{}\"", EXTERNAL.to_uppercase()),
    ] {
        assert_eq!(it.scim.find("/Groups", &filter).await[0]["id"], id.as_str(), "{filter}");
    }
}

#[tokio::test]
async fn v21_create_group() {
    let it = Deployment::start().await;
    let created = it.scim.post("/Groups", &body(NAME, EXTERNAL)).await.expect(201);
    assert_eq!([&created["displayName"], &created["externalId"]], [NAME, EXTERNAL]);
}

#[tokio::test]
async fn v22_create_duplicate_group() {
    let (it, ..) = group().await;
    it.scim
        .post("/Groups", &body(NAME, EXTERNAL))
        .await
        .error(409, "uniqueness");
}

#[tokio::test]
async fn v23_patch_group_replace_attributes() {
    let (it, id, users) = group().await;
    let operations = json!([{"op": "replace", "value": {"displayName": "ZQKJ", "externalId": "7d1a"}}]);
    it.scim.patch(&group_at(&id), operations).await.expect(204);
    let read = it.scim.get(&group_at(&id)).await.expect(200);
    assert_eq!([&read["displayName"], &read["externalId"]], ["ZQKJ", "7d1a"]);
    assert_eq!(members(&it, &id).await, users, "who is a member stays one");
}

#[tokio::test]
async fn v24_update_group_display_name() {
    let (it, id, _) = group().await;
    let operation = json!({"op": "replace", "path": "displayName", "value": "ZQKJ"});
    it.scim.patch(&group_at(&id), operation).await.expect(204);
    assert_eq!(it.scim.get(&group_at(&id)).await.expect(200)["displayName"], "ZQKJ");
    it.settled().await;
    assert_eq!(it.platform.group_names().await, ["ZQKJ"]);
}

#[tokio::test]
async fn v25_patch_group_add_member() {
    let it = Deployment::start().await;
    let user = it.scim.create_user("one@kestrel.example").await;
    let id = it.scim.create("/Groups", &body(NAME, EXTERNAL)).await;
    let operation = json!({"op": "replace", "path": "members", "value": [{"value": user}]});
    it.scim.patch(&group_at(&id), operation).await.expect(204);
    assert_eq!(members(&it, &id).await, [user]);
}

#[tokio::test]
async fn v26_patch_group_remove_member() {
    let (it, id, [one, two]) = group().await;
    let operation = json!({"op": "remove", "path": format!("members[value eq \"{one}\"]")});
    it.scim.patch(&group_at(&id), operation).await.expect(204);
    assert_eq!(members(&it, &id).await, [two], "the other stays");
    it.settled().await;
    assert_eq!(
        it.platform.members(NAME).await,
        ["two@kestrel.example".to_owned()].into()
    );
}

#[tokio::test]
async fn v27_delete_group() {
    let (it, id, _) = group().await;
    it.scim.delete(&group_at(&id)).await.expect(204);
    it.scim.get(&group_at(&id)).await.error(404, "");
}
