use super::*;

#[tokio::test]
async fn the_state_counts_calls_reads_and_writes() {
    let sim = Sim::start().await;
    sim.create("ada@example.com").await;
    sim.fails("CDirectoryService/CreateUser", new_user("ada@example.com"))
        .await;
    sim.ok("Core/GetDirectoryServices", json!({})).await;
    let state = sim.see("/_sim/state").await;
    assert_eq!((&state["writes"], &state["reads"]), (&json!(2), &json!(1)));
    assert_eq!(state["calls"]["CDirectoryService/CreateUser"], 2);
    assert_eq!(state["calls"]["token"], 1);
    let everybody = state["groups"]
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["ID"] == "Everybody")
        .unwrap();
    assert_eq!(everybody["BuiltIn"], true);
    assert!(
        everybody["Members"]
            .as_array()
            .unwrap()
            .iter()
            .all(|member| member["Type"] == "User")
    );
    sim.client.delete(sim.url("/_sim/calls")).send().await.unwrap();
    let state = sim.see("/_sim/state").await;
    assert_eq!((&state["writes"], &state["calls"]), (&json!(0), &json!({})));
}

#[tokio::test]
async fn the_state_tells_how_many_calls_were_under_way_at_once() {
    let sim = Sim::start().await;
    sim.set(|profile| profile.latency_ms = 300).await;
    let call = || sim.ok("Core/GetDirectoryServices", json!({}));
    tokio::join!(call(), call(), call());
    assert_eq!(sim.see("/_sim/state").await["most_at_once"], 3);
    sim.client.delete(sim.url("/_sim/calls")).send().await.unwrap();
    call().await;
    assert_eq!(sim.see("/_sim/state").await["most_at_once"], 1);
}

#[tokio::test]
async fn a_call_is_logged_with_its_trace_and_without_its_body() {
    let sim = Sim::start().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = sim
        .client
        .post(sim.url("/identity/api/CDirectoryService/CreateUser"))
        .bearer_auth(&sim.token);
    let answer = request
        .header("traceparent", trace)
        .json(&new_user("ada@example.com"))
        .send()
        .await
        .unwrap();
    assert!(answer.headers().contains_key("x-cfy-tx-id"));
    let id = answer.json::<Value>().await.unwrap()["Result"].clone();
    let call = sim.see("/_sim/calls").await[0].clone();
    assert_eq!(call["method"], "CDirectoryService/CreateUser");
    assert_eq!(
        (&call["status"], &call["success"], &call["object"]),
        (&json!(200), &json!(true), &id)
    );
    assert_eq!(call["traceparent"], trace);
    assert!(!call.to_string().contains("ada@example.com"));
}

#[tokio::test]
async fn an_administrator_changes_things_by_hand() {
    let sim = Sim::start().await;
    let post = async |path: &str, body: Value| sim.client.post(sim.url(path)).json(&body).send().await.unwrap();
    let created = post(
        "/_sim/users",
        json!({ "Name": "old@example.com", "Mail": "old@example.com" }),
    )
    .await;
    assert_eq!(created.status(), StatusCode::CREATED);
    let id = created.json::<Value>().await.unwrap()[0]["ID"]
        .as_str()
        .unwrap()
        .to_owned();
    let created = post(
        "/_sim/groups",
        json!([{ "Name": "Old", "Members": ["old@example.com"] }]),
    )
    .await;
    let group = created.json::<Value>().await.unwrap()[0].clone();
    assert_eq!(group["Members"], json!([{ "Guid": id, "Type": "User" }]));
    for (path, body, status) in [
        (
            "/_sim/users",
            json!([{ "Name": "new@example.com" }, { "Name": "OLD@example.com" }]),
            409,
        ),
        ("/_sim/users", json!({ "Name": "" }), 400),
        ("/_sim/users", json!({ "Name": "x@example.com", "Nmae": "y" }), 400),
        ("/_sim/groups", json!({ "Name": "old" }), 409),
        ("/_sim/groups", json!({ "Name": "New", "Members": ["nobody"] }), 400),
    ] {
        let answer = post(path, body.clone()).await;
        assert_eq!(answer.status().as_u16(), status, "{body}");
        assert!(answer.json::<Value>().await.unwrap()["error"].is_string());
    }
    assert!(sim.user("new@example.com").await.is_none(), "all or none");

    let user = sim.url(&format!("/_sim/users/{id}"));
    let patched = sim
        .client
        .patch(&user)
        .json(&json!({ "State": "Disabled", "ID": "other" }))
        .send()
        .await
        .unwrap();
    let patched: Value = patched.json().await.unwrap();
    assert_eq!((&patched["ID"], &patched["State"]), (&json!(id), &json!("Disabled")));
    assert_eq!(
        sim.client.delete(&user).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        sim.client.delete(&user).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    let group = sim.url(&format!("/_sim/groups/{}", group["ID"].as_str().unwrap()));
    assert_eq!(
        sim.client.delete(&group).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn the_profile_is_replaced_or_patched() {
    let sim = Sim::with_profile(json!({ "suffixes": ["a.com"], "federation": true })).await;
    let url = sim.url("/_sim/profile");
    let patched: Value = sim
        .client
        .patch(&url)
        .json(&json!({ "redrock": false }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&patched["redrock"], &patched["federation"]),
        (&json!(false), &json!(true))
    );
    let put: Value = sim
        .client
        .put(&url)
        .json(&json!({ "max_rps": 3 }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!((&put["max_rps"], &put["federation"]), (&json!(3), &json!(false)));
    let answer = sim.client.put(&url).json(&json!({ "typo": 1 })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

/// A browser tells where a request comes from; a page of another site cannot send JSON without being allowed to.
#[tokio::test]
async fn pages_of_other_sites_cannot_steer_it() {
    let sim = Sim::start().await;
    let here = sim.running.url();
    for (origin, kind, status) in [
        (Some("https://evil.example"), "text/plain", StatusCode::FORBIDDEN),
        (Some("null"), "text/plain", StatusCode::FORBIDDEN),
        (Some(here.as_str()), "text/plain", StatusCode::CREATED),
        (Some("https://evil.example"), "application/json", StatusCode::CREATED),
        (None, "text/plain", StatusCode::CREATED),
    ] {
        let rules = "[]";
        let mut request = sim.client.post(sim.url("/_sim/faults")).header("content-type", kind);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.body(rules).send().await.unwrap();
        assert_eq!(answer.status(), status, "{origin:?} {kind}");
    }
}

#[tokio::test]
async fn any_group_can_be_given_members_by_hand() {
    let sim = Sim::start().await;
    let ada = sim.create("ada@example.com").await;
    let group = sim.group("Engineers").await;
    let put = async |group: &str, members: Value| {
        let url = sim.url(&format!("/_sim/groups/{group}/members"));
        sim.client.post(url).json(&members).send().await.unwrap().status()
    };
    let role = json!([{ "Guid": group, "Type": "Role" }]);
    assert_eq!(put("sysadmin", role).await, StatusCode::NO_CONTENT);
    let user = json!({ "Guid": ada, "Type": "User" });
    assert_eq!(put(&group, user.clone()).await, StatusCode::NO_CONTENT);
    assert_eq!(put("nowhere", user).await, StatusCode::NOT_FOUND);
    let nobody = json!({ "Guid": "nobody", "Type": "User" });
    assert_eq!(put(&group, nobody).await, StatusCode::BAD_REQUEST);
    let rows = sim
        .ok("UserMgmt/GetUsersRolesAndAdministrativeRights", json!({ "id": ada }))
        .await;
    // They stand in the order of their ids, and one of those is made up anew each time.
    let mut names: Vec<_> = rows["Results"].as_array().unwrap().iter().collect();
    names.retain(|row| row["Row"]["Name"] == "Engineers");
    assert_eq!(names.len(), 1, "{rows}");
    assert!(sim.members("sysadmin").await.contains(&group));
}
