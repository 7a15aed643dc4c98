use super::*;

async fn tenant(ids: &str) -> Sim {
    Sim::with_profile(json!({ "scim": true, "scim_ids": ids })).await
}

async fn user(sim: &Sim, name: &str) -> Value {
    let body = json!({ "userName": name, "displayName": name });
    let user: Value = sim.scim("POST", "Users", body).await.json().await.unwrap();
    user["id"].clone()
}

fn patch(operations: &Value) -> Value {
    json!({ "Operations": operations })
}

#[tokio::test]
async fn a_group_lives_from_post_to_delete() {
    for ids in ["same", "own"] {
        let sim = tenant(ids).await;
        let (ada, bob) = (user(&sim, "ada@example.com").await, user(&sim, "bob@example.com").await);
        let body = json!({ "displayName": "Engineers", "members": [{ "value": ada }] });
        let answer = sim.scim("POST", "Groups", body.clone()).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let group: Value = answer.json().await.unwrap();
        let member = json!([{ "value": ada, "display": "ada@example.com", "type": "User" }]);
        assert_eq!(group["members"], member);
        assert_eq!(sim.scim("POST", "Groups", body).await.status(), StatusCode::CONFLICT);
        let path = format!("Groups/{}", group["id"].as_str().unwrap());
        let change = async |operations: Value| sim.scim("PATCH", &path, patch(&operations)).await.status().as_u16();
        let members = async || {
            let group: Value = sim.scim("GET", &path, Value::Null).await.json().await.unwrap();
            let members = group["members"].as_array().unwrap().iter();
            let mut members: Vec<_> = members.map(|member| member["value"].clone()).collect();
            members.sort_by_key(ToString::to_string);
            members
        };
        let both = || {
            let mut both = vec![ada.clone(), bob.clone()];
            both.sort_by_key(ToString::to_string);
            both
        };
        let add = json!([{ "op": "Add", "path": "members", "value": [{ "value": bob }, { "value": ada }] }]);
        assert_eq!(change(add).await, 204);
        assert_eq!(members().await, both());
        let remove = format!("members[value eq {ada}]");
        assert_eq!(change(json!([{ "op": "remove", "path": remove }])).await, 204);
        assert_eq!(members().await, std::slice::from_ref(&bob));
        let replace = json!([{ "op": "replace", "path": "members", "value": [{ "value": ada }] }]);
        assert_eq!(change(replace).await, 204);
        assert_eq!(
            change(json!([{ "op": "remove", "path": "members", "value": [{ "value": ada }] }])).await,
            204
        );
        assert_eq!(members().await, Vec::<Value>::new());
        assert_eq!(
            change(json!([{ "op": "replace", "value": { "displayName": "Makers", "externalId": "g-1" } }])).await,
            204
        );

        let found = sim.scim(
            "GET",
            "Groups?filter=displayName%20eq%20%22MAKERS%22&excludedAttributes=members",
            Value::Null,
        );
        let found: Value = found.await.json().await.unwrap();
        assert_eq!(
            (&found["totalResults"], &found["Resources"][0]["id"]),
            (&json!(1), &group["id"])
        );
        assert!(found["Resources"][0].get("members").is_none());
        let put: Value = sim
            .scim(
                "PUT",
                &path,
                json!({ "displayName": "All", "members": [{ "value": bob }] }),
            )
            .await
            .json()
            .await
            .unwrap();
        assert_eq!(
            (&put["displayName"], put["members"].as_array().unwrap().len()),
            (&json!("All"), 1)
        );
        assert_eq!(
            sim.scim("DELETE", &path, Value::Null).await.status(),
            StatusCode::NO_CONTENT
        );
        assert_eq!(
            sim.scim("GET", &path, Value::Null).await.status(),
            StatusCode::NOT_FOUND
        );
    }
}

#[tokio::test]
async fn groups_are_the_same_over_rpc() {
    let sim = tenant("own").await;
    let group = sim.group("Engineers").await;
    let id = sim.create("ada@example.com").await;
    sim.ok("Roles/UpdateRole", json!({ "Name": group, "Users": { "Add": [id] } }))
        .await;
    let found = sim
        .scim("GET", "Groups?filter=displayName%20eq%20%22Engineers%22", Value::Null)
        .await;
    let found: Value = found.json().await.unwrap();
    let seen = &found["Resources"][0];
    assert_eq!(seen["members"][0]["display"], "ada@example.com");
    assert!(group.contains('_') && seen["id"] != json!(group));
    let path = format!("Groups/{}", seen["id"].as_str().unwrap());
    assert_eq!(
        sim.scim("DELETE", &path, Value::Null).await.status(),
        StatusCode::NO_CONTENT
    );
    sim.fails("SaasManage/GetRole", json!({ "Name": group })).await;
}

#[tokio::test]
async fn what_a_group_cannot_be_is_refused() {
    let sim = tenant("same").await;
    sim.group("Engineers").await;
    let group = sim.group("Makers").await;
    let status = async |verb: &str, path: &str, body: Value| sim.scim(verb, path, body).await.status().as_u16();
    let own = format!("Groups/{group}");
    let rename = patch(&json!([{ "op": "replace", "path": "displayName", "value": "engineers" }]));
    assert_eq!(status("PATCH", &own, rename.clone()).await, 409);
    assert_eq!(status("PATCH", "Groups/Everybody", rename).await, 403);
    assert_eq!(status("DELETE", "Groups/sysadmin", Value::Null).await, 403);
    assert_eq!(status("DELETE", "Groups/nowhere", Value::Null).await, 404);
    assert_eq!(status("POST", "Groups", json!({ "displayName": " " })).await, 400);
    assert_eq!(
        status("GET", "Groups?filter=members%20eq%20%22x%22", Value::Null).await,
        400
    );
    let nobody = patch(&json!([{ "op": "add", "path": "members", "value": [{ "value": "nobody" }] }]));
    for (rule, expected) in [("fail_batch", 400), ("skip", 204), ("fail_after_rest", 400)] {
        let url = sim.url("/_sim/profile");
        sim.client
            .patch(url)
            .json(&json!({ "unknown_principals": rule }))
            .send()
            .await
            .unwrap();
        assert_eq!(status("PATCH", &own, nobody.clone()).await, expected, "{rule}");
    }
}
