//! Providers that send whole resources by PUT and patch groups in lower case: habits that OneLogin, JumpCloud, Ping and
//! SailPoint document for their connectors.

use serde_json::{Value, json};

use crate::deployment::{Deployment, Scim, encoded};
use crate::entra::{CORE, ENTERPRISE, NOBODY, at, group_at};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ODILE: &str = "odile@kestrel.example";

/// A whole user, with null for what is not known.
fn whole(name: &str, change: &Value) -> Value {
    let mut body = json!({
        "schemas": [CORE, ENTERPRISE], "externalId": "187323", "userName": name, "active": true, "displayName": "Odile Marchetti",
        "name": {"givenName": "Odile", "familyName": "Marchetti", "formatted": null, "middleName": null},
        "title": null, "nickName": null, "preferredLanguage": null, "locale": null, "password": null,
        "emails": [{"value": name, "type": "work", "primary": true}], "phoneNumbers": null, "addresses": [], "groups": null,
        ENTERPRISE: {"department": null, "employeeNumber": null, "manager": null},
    });
    for (key, value) in change.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

#[tokio::test]
async fn a_user_is_found_by_any_key_before_it_is_written() {
    let it = Deployment::start().await;
    let id = it.scim.create("/Users", &whole(ODILE, &json!({}))).await;
    for (filter, found) in [
        ("externalId eq \"187323\"".to_owned(), 1),
        (format!("id eq \"{id}\""), 1),
        (format!("userName eq \"{ODILE}\""), 1),
        (format!("emails.value eq \"{ODILE}\""), 1),
        (format!("emails eq \"{ODILE}\""), 1),
        ("externalId eq \"187324\"".to_owned(), 0),
        (format!("id eq \"{NOBODY}\""), 0),
    ] {
        assert_eq!(it.scim.find("/Users", &filter).await.len(), found, "{filter}");
    }
}

#[tokio::test]
async fn nulls_in_a_put_clear_what_was_there() {
    let it = Deployment::start().await;
    let full = json!({
        "title": "Lead", "phoneNumbers": [{"type": "work", "value": "1"}, {"type": "mobile", "value": "2"}], "preferredLanguage": "fr-CA",
        ENTERPRISE: {"department": "Halls", "manager": {"value": NOBODY}},
    });
    let id = it.scim.create("/Users", &whole(ODILE, &full)).await;
    it.settled().await;
    assert_eq!(it.platform.account(ODILE).await["MobileNumber"], "2");
    let put = it
        .scim
        .put(&at(&id), &whole(ODILE, &json!({"id": id})))
        .await
        .expect(200);
    let mut names: Vec<_> = put.as_object().unwrap().keys().cloned().collect();
    names.sort_unstable();
    let expected = [
        "active",
        "displayName",
        "emails",
        "externalId",
        "id",
        "meta",
        "name",
        "schemas",
        "userName",
    ];
    assert_eq!(names, expected);
    assert_eq!(put["name"], json!({"givenName": "Odile", "familyName": "Marchetti"}));
    it.settled().await;
    let account = it.platform.account(ODILE).await;
    assert_eq!(
        [
            &account["MobileNumber"],
            &account["OfficeNumber"],
            &account["PreferredCulture"]
        ],
        ["", "", ""]
    );
    // The same once more changes nothing.
    let (version, calls) = (put["meta"]["version"].clone(), it.platform.calls().await);
    let again = it.scim.put(&at(&id), &whole(ODILE, &json!({}))).await.expect(200);
    it.settled().await;
    assert_eq!(
        (&again["meta"]["version"], it.platform.calls().await),
        (&version, calls)
    );
}

#[tokio::test]
async fn a_user_is_disabled_by_put_or_by_a_patch_without_a_path_and_deleted() {
    let it = Deployment::start().await;
    let id = it.scim.create("/Users", &whole(ODILE, &json!({}))).await;
    it.scim
        .put(&at(&id), &whole(ODILE, &json!({"active": false})))
        .await
        .expect(200);
    it.settled().await;
    assert_eq!(it.platform.account(ODILE).await["State"], "Disabled");
    it.scim
        .patch(&at(&id), json!([{"op": "replace", "value": {"active": true}}]))
        .await
        .expect(204);
    it.scim
        .patch(
            &at(&id),
            json!([{"op": "add", "value": {"title": "Lead", "name": {"middleName": "M."}}}]),
        )
        .await
        .expect(204);
    let read = it.scim.get(&at(&id)).await.expect(200);
    assert_eq!((&read["active"], &read["title"]), (&json!(true), &json!("Lead")));
    assert_eq!(
        read["name"],
        json!({"givenName": "Odile", "familyName": "Marchetti", "middleName": "M."})
    );
    it.settled().await;
    assert_eq!(it.platform.account(ODILE).await["State"], "None");
    it.scim.delete(&at(&id)).await.expect(204);
    it.settled().await;
    assert!(it.platform.names().await.is_empty());
}

async fn members(scim: &Scim, id: &str) -> Vec<Value> {
    let read = scim.get(&group_at(id)).await.expect(200);
    read["members"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|member| member["value"].clone())
        .collect()
}

#[tokio::test]
async fn a_group_is_written_whole_or_by_its_members() {
    let it = Deployment::start().await;
    let (one, two) = (
        it.scim.create_user("one@kestrel.example").await,
        it.scim.create_user("two@kestrel.example").await,
    );
    let body =
        |members: Value| json!({"schemas": [GROUP], "displayName": "Rack", "externalId": null, "members": members});
    let id = it.scim.create("/Groups", &body(json!(null))).await;
    for (members_sent, count) in [
        (json!([{"value": one, "type": "User"}]), 1),
        (
            json!([{"value": one, "type": "User", "$ref": format!("../Users/{one}")}, {"value": two, "display": null}]),
            2,
        ),
        (json!([]), 0),
        (json!([{"value": two}]), 1),
    ] {
        it.scim
            .put(&group_at(&id), &body(members_sent.clone()))
            .await
            .expect(200);
        assert_eq!(members(&it.scim, &id).await.len(), count, "{members_sent}");
    }
    for (operation, expected) in [
        (
            json!({"op": "add", "value": {"members": [{"value": one}]}}),
            vec![&one, &two],
        ),
        (
            json!({"op": "remove", "path": "members", "value": [{"value": two}]}),
            vec![&one],
        ),
        (
            json!({"op": "add", "path": "members", "value": {"value": two}}),
            vec![&one, &two],
        ),
        (
            json!({"op": "remove", "path": format!("members[value eq \"{one}\"]")}),
            vec![&two],
        ),
        (json!({"op": "replace", "value": {"displayName": "Rack"}}), vec![&two]),
    ] {
        it.scim.patch(&group_at(&id), operation.clone()).await.expect(204);
        let mut shown = members(&it.scim, &id).await;
        shown.sort_by_key(Value::to_string);
        let expected: Vec<_> = expected.iter().map(|id| json!(id)).collect();
        assert_eq!(shown, expected, "{operation}");
    }
    it.settled().await;
    assert_eq!(
        it.platform.members("Rack").await,
        ["two@kestrel.example".to_owned()].into()
    );
}

#[tokio::test]
async fn an_aggregation_pages_until_nothing_comes() {
    let it = Deployment::start().await;
    for n in 0..4 {
        it.scim.create_user(&format!("user{n}@kestrel.example")).await;
    }
    let group = it.scim.create_group::<&str>("Rack", &[]).await;
    // It goes on beyond the end, and takes an empty page for the sign to stop.
    for (start, count, found) in [(1, 2, 2), (3, 2, 2), (5, 2, 0), (101, 100, 0), (0, 10, 4), (-5, 10, 4)] {
        let list = it
            .scim
            .get(&format!("/Users?startIndex={start}&count={count}"))
            .await
            .expect(200);
        assert_eq!(list["totalResults"], 4, "{start}");
        assert_eq!(
            (list["Resources"].as_array().unwrap().len(), &list["itemsPerPage"]),
            (found, &json!(found)),
            "{start}"
        );
        assert_eq!(list["startIndex"], start.max(1), "{start}");
    }
    let filter = encoded("meta.lastModified gt \"2020-01-01T00:00:00Z\"");
    let changed = it
        .scim
        .get(&format!(
            "/Users?filter={filter}&sortBy=id&sortOrder=ascending&startIndex=1&count=3"
        ))
        .await
        .expect(200);
    assert_eq!([&changed["totalResults"], &changed["itemsPerPage"]], [4, 3]);
    let groups = it
        .scim
        .get("/Groups?excludedAttributes=members&startIndex=1&count=100")
        .await
        .expect(200);
    assert_eq!(groups["Resources"][0]["id"], group.as_str());
    assert_eq!(groups["Resources"][0].get("members"), None);
    // What discovery says is read first.
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"] {
        it.scim.get(path).await.expect(200);
    }
}
