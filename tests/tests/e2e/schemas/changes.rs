//! The file changes and identity-service starts again, while the gateway lives and goes on.

use serde_json::{Value, json};

use super::{URN, example, example_required, path, person};
use crate::deployment::{Deployment, Setup, user};

/// One attribute, by its name.
fn file(names: &[&str]) -> String {
    let attributes: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    json!([{"id": URN, "attributes": attributes}]).to_string()
}

async fn extension(it: &Deployment, id: &str) -> Value {
    it.scim.get(&format!("/Users/{id}")).await.expect(200)[URN].take()
}

/// What the gateway does not know it would drop without a word; each first write after the change shows that it does not.
#[tokio::test]
async fn no_write_loses_an_attribute_that_the_gateway_did_not_know() {
    let mut it = Setup::default().schemas(&file(&["badgeTier"])).start().await;
    let id = it
        .scim
        .create("/Users", &person("a@kestrel.example", json!({"badgeTier": "T1"})))
        .await;
    let at = format!("/Users/{id}");

    it.identity_restarts_with_schemas(&file(&["badgeTier", "site"])).await;
    let created = it
        .scim
        .post("/Users", &person("b@kestrel.example", json!({"site": "Laval"})))
        .await
        .expect(201);
    assert_eq!(created[URN], json!({"site": "Laval"}));

    it.identity_restarts_with_schemas(&file(&["badgeTier", "site", "shift"]))
        .await;
    it.scim
        .patch(&at, json!({"op": "Replace", "value": {path("shift"): "night"}}))
        .await
        .expect(204);
    assert_eq!(extension(&it, &id).await, json!({"badgeTier": "T1", "shift": "night"}));

    it.identity_restarts_with_schemas(&file(&["badgeTier", "team"])).await;
    let put = it
        .scim
        .put(
            &at,
            &person("a@kestrel.example", json!({"team": "racks", "badgeTier": "T2"})),
        )
        .await
        .expect(200);
    assert_eq!(put[URN], json!({"team": "racks", "badgeTier": "T2"}));

    // An extension that was not there at all: a foreign one until then (Q24).
    let other = "urn:kestrel:other:User";
    let two: Value = serde_json::from_str(&file(&["badgeTier"])).unwrap();
    let two = json!([two[0], {"id": other, "attributes": [{"name": "locker"}]}]);
    it.identity_restarts_with_schemas(&two.to_string()).await;
    it.scim
        .patch(
            &at,
            json!({"op": "Add", "path": format!("{other}:locker"), "value": "17"}),
        )
        .await
        .expect(204);
    assert_eq!(it.scim.get(&at).await.expect(200)[other], json!({"locker": "17"}));
}

#[tokio::test]
async fn reads_and_discovery_follow_by_themselves() {
    let mut it = Setup::default().schemas(example()).start().await;
    let id = it
        .scim
        .create(
            "/Users",
            &person("a@kestrel.example", json!({"badgeTier": "T1", "pin": "1234"})),
        )
        .await;
    it.identity_restarts_with_schemas("[]").await;
    it.until(async |it| it.scim.get(&format!("/Schemas/{URN}")).await.status == 404)
        .await;
    // What is not declared any more is not shown and not found, and not lost.
    let shown = it.scim.get(&format!("/Users/{id}")).await.expect(200);
    assert!(!shown.to_string().contains("kestrel:2.0"), "{shown}");
    let listed = it.scim.get("/Users").await.expect(200);
    assert!(!listed.to_string().contains("kestrel:2.0"), "{listed}");
    it.scim
        .get(&format!("/Users?filter={URN}:badgeTier+pr"))
        .await
        .error(400, "invalidFilter");
    let at = format!("/Users/{id}");
    it.scim
        .patch(&at, json!({"op": "Replace", "path": "title", "value": "Lead"}))
        .await
        .expect(204);
    it.scim.put(&at, &user("a@kestrel.example")).await.expect(200);

    it.identity_restarts_with_schemas(&example_required()).await;
    it.until(async |it| it.scim.get(&format!("/Schemas/{URN}")).await.status == 200)
        .await;
    assert_eq!(extension(&it, &id).await, json!({"badgeTier": "T1"}));
}

#[tokio::test]
async fn a_new_requirement_holds_for_whoever_comes_and_keeps_nobody_from_leaving() {
    let mut it = Setup::default().schemas(example()).start().await;
    let id = it.scim.create_user("a@kestrel.example").await;
    it.identity_restarts_with_schemas(&example_required()).await;
    let detail = it
        .scim
        .post("/Users", &user("b@kestrel.example"))
        .await
        .error(400, "invalidValue");
    assert!(detail.contains(URN), "{detail}");
    it.scim
        .put(&format!("/Users/{id}"), &user("a@kestrel.example"))
        .await
        .error(400, "invalidValue");
    it.scim
        .post("/Users", &person("b@kestrel.example", json!({"badgeTier": "T1"})))
        .await
        .expect(201);
    let disable = json!({"op": "Replace", "path": "active", "value": "False"});
    it.scim.patch(&format!("/Users/{id}"), disable).await.expect(204);
    assert_eq!(it.scim.get(&format!("/Users/{id}")).await.expect(200)["active"], false);
    let types = it.scim.get("/ResourceTypes/User").await.expect(200);
    assert_eq!(types["schemaExtensions"][1], json!({"schema": URN, "required": true}));
}
