use super::*;
use platform_simulator::{ADMIN_ID, CALLER_ID, Fault};

async fn tenant(profile: Value) -> Sim {
    let sim = Sim::with_profile(profile).await;
    let answer = sim.scim("GET", "ServiceProviderConfig", Value::Null).await;
    assert_eq!(answer.headers()["content-type"], "application/scim+json; charset=utf-8");
    sim
}

fn ada() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "Ada@example.com",
        "externalId": "x-1",
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "type": "work", "value": "ada@mail.example", "primary": true }],
        "active": true,
    })
}

fn patch(operations: &Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

async fn made(sim: &Sim) -> Value {
    let answer = sim.scim("POST", "Users", ada()).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let user: Value = answer.json().await.unwrap();
    assert_eq!(user["meta"]["location"], location);
    user
}

#[tokio::test]
async fn a_user_lives_from_post_to_delete() {
    let sim = tenant(json!({ "scim": true })).await;
    let user = made(&sim).await;
    assert_eq!(user["userName"], "ada@example.com", "answers have it in lower case");
    let account = sim.user("ada@example.com").await.unwrap();
    assert_eq!(
        (&account["Name"], &account["ID"]),
        (&json!("Ada@example.com"), &user["id"])
    );
    assert_eq!(
        (&account["Mail"], &account["DisplayName"]),
        (&json!("ada@mail.example"), &json!("Ada Lovelace"))
    );
    assert!(
        sim.members("Everybody")
            .await
            .contains(&account["ID"].as_str().unwrap().to_owned())
    );
    let path = format!("Users/{}", user["id"].as_str().unwrap());

    let operations = json!([
        { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@mail.example" },
        { "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+44 1" },
        { "op": "Replace", "path": "name.familyName", "value": "King" },
        { "op": "Replace", "path": "active", "value": "False" },
        { "op": "Replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "x" },
    ]);
    let answer = sim.scim("PATCH", &path, patch(&operations)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let account = sim.user("ada@example.com").await.unwrap();
    for (field, value) in [
        ("Name", "Ada@example.com"),
        ("Mail", "a@mail.example"),
        ("MobileNumber", "+44 1"),
        ("FamilyName", "King"),
        ("GivenName", "Ada"),
        ("State", "Disabled"),
        ("ExternalId", "x-1"),
    ] {
        assert_eq!(account[field], value, "{field}");
    }
    let remove = json!([{ "op": "remove", "path": "phoneNumbers[type eq \"mobile\"]" }, { "op": "replace", "value": { "active": true } }]);
    sim.scim("PATCH", &path, patch(&remove)).await;
    let seen: Value = sim.scim("GET", &path, Value::Null).await.json().await.unwrap();
    assert_eq!((&seen["active"], seen.get("phoneNumbers")), (&json!(true), None));

    let whole = json!({ "userName": "countess@example.com", "displayName": "The Countess" });
    let put: Value = sim.scim("PUT", &path, whole).await.json().await.unwrap();
    assert_eq!(
        (&put["userName"], put.get("externalId")),
        (&json!("countess@example.com"), None)
    );
    assert_eq!(
        sim.scim("DELETE", &path, Value::Null).await.status(),
        StatusCode::NO_CONTENT
    );
    let gone = sim.scim("DELETE", &path, Value::Null).await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    assert_eq!(gone.json::<Value>().await.unwrap()["status"], "404");
    assert!(sim.user("countess@example.com").await.is_none());
}

#[tokio::test]
async fn users_are_found_by_what_entra_asks_for() {
    let sim = tenant(json!({ "scim": true })).await;
    let id = made(&sim).await["id"].as_str().unwrap().to_owned();
    for n in 0..5 {
        sim.create(&format!("u{n}@example.com")).await;
    }
    let list = async |query: &str| {
        let answer = sim.scim("GET", &format!("Users?{query}"), Value::Null).await;
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let by_id = format!("id eq \"{id}\"");
    for filter in [
        r#"userName eq "ADA@example.com""#,
        r#"externalId eq "x-1""#,
        r#"emails[type eq "work"].value eq "ADA@mail.example""#,
        r#"displayName eq "ada lovelace""#,
        r#"userName eq "ada@example.com" and externalId eq "x-1""#,
        &by_id,
    ] {
        let (_, found) = list(&format!("filter={}", encoded(filter))).await;
        assert_eq!(
            (&found["totalResults"], &found["Resources"][0]["id"]),
            (&json!(1), &json!(id)),
            "{filter}"
        );
    }
    for filter in [
        r#"userName eq "ada""#,
        r#"externalId eq "X-1""#,
        r#"userName eq "ada@example.com" and externalId eq "x-2""#,
        r#"emails[type eq "home"].value eq "ada@mail.example""#,
    ] {
        assert_eq!(
            list(&format!("filter={}", encoded(filter))).await.1["totalResults"],
            0,
            "{filter}"
        );
    }
    for filter in [
        r#"userName sw "a""#,
        r#"title eq "a""#,
        "userName",
        r#"userName eq "a" or id eq "b""#,
    ] {
        let (status, error) = list(&format!("filter={}", encoded(filter))).await;
        assert_eq!((status, &error["scimType"]), (400, &json!("invalidFilter")), "{filter}");
    }
    let (_, page) = list("StartIndex=3&Count=2").await;
    assert_eq!(
        (&page["totalResults"], &page["itemsPerPage"], &page["startIndex"]),
        (&json!(8), &json!(2), &json!(3))
    );
    assert_eq!(page["Resources"].as_array().unwrap().len(), 2);
    assert_eq!(list("count=x").await.0, 400);
    assert_eq!(list("count=0").await.1["Resources"], json!([]));
}

#[tokio::test]
async fn rules_of_the_tenant_hold_over_scim_too() {
    let sim = tenant(json!({ "scim": true, "suffixes": ["example.com"] })).await;
    made(&sim).await;
    let refused = async |verb: &str, path: &str, body: Value| {
        let answer = sim.scim(verb, path, body).await;
        let status = answer.status().as_u16();
        (
            status,
            answer.json::<Value>().await.unwrap()["scimType"]
                .as_str()
                .map(str::to_owned),
        )
    };
    let with = |name: &str, value: Value| {
        let mut user = ada();
        user[name] = value;
        user
    };
    let taken = Some("uniqueness".to_owned());
    let invalid = Some("invalidValue".to_owned());
    assert_eq!(
        refused("POST", "Users", with("userName", json!("ADA@example.com"))).await,
        (409, taken.clone())
    );
    assert_eq!(
        refused("POST", "Users", with("userName", json!("b@other.example"))).await,
        (400, invalid.clone())
    );
    assert_eq!(
        refused("POST", "Users", with("userName", json!(""))).await,
        (400, invalid.clone())
    );
    assert_eq!(
        refused("POST", "Users", json!({ "userName": "b@example.com" })).await,
        (400, invalid)
    );
    let other = sim.create("b@example.com").await;
    let rename = patch(&json!([{ "op": "replace", "path": "userName", "value": "ada@EXAMPLE.com" }]));
    assert_eq!(refused("PATCH", &format!("Users/{other}"), rename).await, (409, taken));
    let disable = patch(&json!([{ "op": "replace", "path": "active", "value": false }]));
    assert_eq!(
        refused("PATCH", &format!("Users/{ADMIN_ID}"), disable.clone()).await.0,
        403
    );
    assert_eq!(
        refused("DELETE", &format!("Users/{ADMIN_ID}"), Value::Null).await.0,
        403
    );
    assert_eq!(
        refused("DELETE", &format!("Users/{CALLER_ID}"), Value::Null).await.0,
        403
    );
    assert_eq!(refused("PATCH", "Users/nobody", disable).await.0, 404);
    assert_eq!(refused("POST", "Users", json!([])).await.0, 400);
    assert_eq!(refused("POST", "Bulk", json!({})).await.0, 404);
}

#[tokio::test]
async fn ids_may_be_others_than_over_rpc() {
    let sim = tenant(json!({ "scim": true, "scim_ids": "own" })).await;
    let user = made(&sim).await;
    let account = sim.user("ada@example.com").await.unwrap();
    assert_ne!(user["id"], account["ID"]);
    let by = async |id: &Value| {
        let path = format!("Users/{}", id.as_str().unwrap());
        sim.scim("GET", &path, Value::Null).await.status().as_u16()
    };
    assert_eq!((by(&user["id"]).await, by(&account["ID"]).await), (200, 404));
    let attributes = sim
        .call("UserMgmt/GetUserAttributes", json!({ "ID": user["id"] }))
        .await;
    assert_eq!(attributes["success"], false);
}

#[tokio::test]
async fn the_endpoint_tells_what_it_has() {
    let sim = tenant(json!({ "scim": true })).await;
    let get = async |path: &str| sim.scim("GET", path, Value::Null).await.json::<Value>().await.unwrap();
    let config = get("ServiceProviderConfig").await;
    assert_eq!(
        (&config["patch"]["supported"], &config["bulk"]["supported"]),
        (&json!(true), &json!(false))
    );
    let types = get("ResourceTypes").await;
    let schemas = get("Schemas").await;
    for (n, name) in ["User", "Group"].into_iter().enumerate() {
        assert_eq!(types["Resources"][n]["name"], name);
        assert_eq!(types["Resources"][n]["schema"], schemas["Resources"][n]["id"]);
    }
    let id = made(&sim).await["id"].as_str().unwrap().to_owned();
    let some = get(&format!("Users/{id}?attributes=userName")).await;
    let names: Vec<_> = some.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["id", "schemas", "userName"]);
    assert!(
        get(&format!("Users/{id}?excludedAttributes=emails"))
            .await
            .get("emails")
            .is_none()
    );
}

#[tokio::test]
async fn tokens_limits_and_faults_are_the_same_as_over_rpc() {
    let sim = tenant(json!({ "scim": true })).await;
    let bare = sim.client.get(sim.url("/scim/v2/Users")).send().await.unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
    sim.fault(FaultRule::new("scim:POST /Users", Fault::Unavailable).times(1))
        .await;
    assert_eq!(sim.scim("GET", "Users", Value::Null).await.status(), StatusCode::OK);
    assert_eq!(
        sim.scim("POST", "Users", ada()).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    sim.fault(FaultRule {
        message: Some("No.".to_owned()),
        status: Some(403),
        ..FaultRule::new("scim:*", Fault::Failure).times(1)
    })
    .await;
    let failed = sim.scim("POST", "Users", ada()).await;
    assert_eq!(failed.status(), StatusCode::FORBIDDEN);
    assert_eq!(failed.json::<Value>().await.unwrap()["detail"], "No.");
    sim.fault(FaultRule::new("scim:POST /Users", Fault::LostAnswer).times(1))
        .await;
    let request = sim.client.post(sim.url("/scim/v2/Users")).bearer_auth(&sim.token);
    request.body(ada().to_string()).send().await.unwrap_err();
    assert!(
        sim.user("ada@example.com").await.is_some(),
        "done, though the answer was lost"
    );
    let calls = sim.see("/_sim/state").await["calls"].clone();
    assert_eq!(calls["scim:POST /Users"], 3);
    sim.set(|profile| profile.max_rps = 1).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(sim.scim("GET", "Users", Value::Null).await.status());
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
    sim.set(|profile| profile.scim = false).await;
    let off = sim.scim("GET", "Users", Value::Null).await;
    assert_eq!(
        (off.status(), off.bytes().await.unwrap().len()),
        (StatusCode::NOT_FOUND, 0)
    );
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
