use super::*;
use platform_simulator::PROFILE_NAMES;

/// The statuses of one call to each of these.
async fn statuses(sim: &Sim, methods: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for method in methods {
        statuses.push(sim.try_call(method, json!({})).await.unwrap().status().as_u16());
    }
    statuses
}

async fn named(name: &str) -> Sim {
    Sim::start_with(Config {
        profile: Some(name.parse().unwrap()),
        ..Config::ephemeral()
    })
    .await
}

#[tokio::test]
async fn named_profiles_expose_what_they_say() {
    let methods = [
        "Report/RunReport",
        "RedRock/Query",
        "Roles/UpdateRole",
        "SaasManage/StoreRole",
        "SaasManage/DeleteRole",
        "Roles/GetPagedRoleMembers",
        "CDirectoryService/SetUserState",
        "CDirectoryService/ChangeUserState",
    ];
    for (name, exposed) in [
        ("modern", [200, 404, 200, 404, 200, 200, 200, 404]),
        ("no-role-writes", [200, 404, 404, 404, 404, 200, 200, 404]),
        ("heritage", [200, 200, 404, 200, 200, 404, 404, 200]),
        ("scim-only", [404; 8]),
        ("federated", [200, 404, 200, 404, 200, 200, 200, 404]),
    ] {
        let sim = named(name).await;
        assert_eq!(statuses(&sim, &methods).await, exposed, "{name}");
        let config = sim.get("/scim/v2/ServiceProviderConfig").await;
        let has_scim = matches!(name, "no-role-writes" | "scim-only");
        assert_eq!(config.status().as_u16(), if has_scim { 200 } else { 404 }, "{name}");
        let local = sim.get("/identity/api/entities/localusers").await.status().as_u16();
        let hidden = matches!(name, "heritage" | "scim-only");
        assert_eq!(local, if hidden { 404 } else { 200 }, "{name}");
    }
}

#[tokio::test]
async fn a_profile_is_taken_by_name_at_run_time_and_another_is_built_on_one() {
    let sim = Sim::start().await;
    assert_eq!(sim.see("/_sim/profile").await["extends"], Value::Null);
    for name in PROFILE_NAMES {
        let answer = sim
            .client
            .put(sim.url(&format!("/_sim/profile/{name}")))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["extends"], name);
    }
    let put = async |body: Value| {
        sim.client
            .put(sim.url("/_sim/profile"))
            .json(&body)
            .send()
            .await
            .unwrap()
    };
    let built: Value = put(json!({ "extends": "heritage", "redrock": false }))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&built["redrock"], &built["column_casing"]),
        (&json!(false), &json!("pascal"))
    );
    assert_eq!(
        put(json!({ "extends": "nothing" })).await.status(),
        StatusCode::BAD_REQUEST
    );
    let unknown = sim.client.put(sim.url("/_sim/profile/nothing")).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let default = sim.client.put(sim.url("/_sim/profile/default")).send().await.unwrap();
    assert_eq!(default.json::<Value>().await.unwrap()["extends"], Value::Null);
}

#[tokio::test]
async fn what_is_hidden_is_a_bare_404_and_a_hidden_report_is_unknown() {
    let hidden = ["usermgmt/*", "entities/localusers", "report:user_byid"];
    let sim = Sim::with_profile(json!({ "hidden": hidden })).await;
    let id = sim.create("ada@example.com").await;
    for method in ["UserMgmt/GetUserAttributes", "UserMgmt/RemoveUsers"] {
        let answer = sim.try_call(method, json!({ "ID": id })).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method}");
        assert_eq!(answer.bytes().await.unwrap().len(), 0);
    }
    assert_eq!(
        sim.get("/identity/api/entities/localusers").await.status(),
        StatusCode::NOT_FOUND
    );
    let message = sim.fails("Report/RunReport", json!({ "ID": "user_byid" })).await;
    assert!(message.contains("user_byid"), "{message}");
    sim.ok("Report/RunReport", json!({ "ID": "user_all" })).await;
}

#[tokio::test]
async fn a_federated_account_shows_once_its_person_has_logged_in() {
    let sim = named("federated").await;
    let found = async |name: &str| {
        let parameters = json!([{ "Name": "searchString", "Value": name }]);
        let body = json!({ "ID": "user_searchbyname", "Args": { "Parameters": parameters } });
        rows(&sim.ok("Report/RunReport", body).await).len()
    };
    let fay = "fay.adler@example.com";
    let id = sim.user(fay).await.expect("the administrator of the directory sees it")["ID"].clone();
    assert_eq!(found(fay).await, 0);
    sim.fails("UserMgmt/GetUserAttributes", json!({ "ID": id })).await;
    let group = sim.group("Engineers").await;
    let join = json!({ "Name": group, "Users": { "Add": [id] } });
    sim.fails("Roles/UpdateRole", join.clone()).await;

    let login = sim
        .client
        .post(sim.url(&format!("/_sim/users/{fay}/login")))
        .send()
        .await
        .unwrap();
    assert_eq!(login.json::<Value>().await.unwrap()["Sessions"], 1);
    assert_eq!(found(fay).await, 1);
    assert_eq!(
        sim.ok("UserMgmt/GetUserAttributes", json!({ "ID": id })).await["Name"],
        fay
    );
    sim.ok("Roles/UpdateRole", join).await;
    assert_eq!(found("finn.berg@example.com").await, 0);
}

#[tokio::test]
async fn a_first_login_beside_a_local_namesake_is_the_tenants_choice() {
    for (beside, status) in [(true, StatusCode::OK), (false, StatusCode::CONFLICT)] {
        let sim = Sim::with_profile(json!({
            "federated_accounts": ["ada@example.com"],
            "federated_hidden_until_login": true,
            "local_beside_federated": beside,
        }))
        .await;
        sim.create("ada@example.com").await;
        let login = sim
            .client
            .post(sim.url("/_sim/users/ada@example.com/login"))
            .send()
            .await
            .unwrap();
        assert_eq!(login.status(), status, "{beside}");
    }
}

#[tokio::test]
async fn reports_may_show_groups_late() {
    let sim = Sim::with_profile(json!({ "group_lag_ms": 3_600_000 })).await;
    let names = async || {
        let body = json!({ "ID": "role_searchbyname", "Args": { "Caching": -1 } });
        let rows = rows(&sim.ok("Report/RunReport", body).await);
        rows.iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let old = names().await;
    let group = sim.group("Engineers").await;
    assert_eq!(names().await, old, "a new group does not show yet");
    assert_eq!(
        sim.ok("SaasManage/GetRole", json!({ "Name": group })).await["Name"],
        "Engineers"
    );
    sim.set(|profile| profile.group_lag_ms = 0).await;
    assert!(names().await.contains(&"Engineers".to_owned()));

    sim.set(|profile| profile.group_lag_ms = 3_600_000).await;
    sim.ok("Roles/UpdateRole", json!({ "Name": group, "NewName": "Makers" }))
        .await;
    sim.ok("Roles/UpdateRole", json!({ "Name": group, "NewName": "Builders" }))
        .await;
    assert!(
        names().await.contains(&"Engineers".to_owned()),
        "the name before both changes"
    );
    sim.ok("SaasManage/DeleteRole", json!({ "Name": group })).await;
    assert!(
        names().await.contains(&"Engineers".to_owned()),
        "a group that is gone still shows"
    );
    sim.set(|profile| profile.group_lag_ms = 1).await;
    for _ in 0..1000 {
        if names().await == old {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the group never went");
}

#[tokio::test]
async fn the_clock_of_a_tenant_may_be_wrong() {
    let sim = Sim::start().await;
    let date = async || sim.get("/health").await.headers()["date"].to_str().unwrap().to_owned();
    let seconds = |date: &str| jiff::fmt::rfc2822::parse(date).unwrap().timestamp().as_second();
    let right = seconds(&date().await);
    sim.set(|profile| profile.clock_skew_s = -7200).await;
    let skewed = seconds(&date().await);
    assert!((-7200..-7000).contains(&(skewed - right)), "{right} {skewed}");
    let answer = sim.try_call("Core/GetDirectoryServices", json!({})).await.unwrap();
    assert!(seconds(answer.headers()["date"].to_str().unwrap()) < right - 7000);
}

#[tokio::test]
async fn states_locks_and_sessions_follow_the_profile() {
    let sim = Sim::with_profile(json!({ "none_clears_locked": false, "change_user_state": true })).await;
    let id = sim.create("ada@example.com").await;
    let state = async || sim.user("ada@example.com").await.unwrap()["State"].clone();
    let set = async |state: &str| {
        let body = json!({ "ID": id, "state": state });
        sim.ok("CDirectoryService/SetUserState", body).await
    };
    set("Locked,Disabled").await;
    set("None").await;
    assert_eq!(state().await, "Locked");
    sim.set(|profile| profile.none_clears_locked = true).await;
    set("None").await;
    assert_eq!(state().await, "None");
    for (enabled, becomes) in [(false, "Disabled"), (false, "Disabled"), (true, "None")] {
        let body = json!({ "ID": id, "Enabled": enabled });
        sim.ok("CDirectoryService/ChangeUserState", body).await;
        assert_eq!(state().await, becomes);
    }

    for ends in [false, true] {
        sim.set(|profile| profile.disabling_ends_sessions = ends).await;
        let login = sim
            .client
            .post(sim.url("/_sim/users/ada@example.com/login"))
            .send()
            .await
            .unwrap();
        assert_eq!(login.status(), StatusCode::OK);
        set("Disabled").await;
        let sessions = sim.user("ada@example.com").await.unwrap()["Sessions"].clone();
        assert_eq!(sessions.is_null(), ends, "{sessions}");
        let login = sim
            .client
            .post(sim.url("/_sim/users/ada@example.com/login"))
            .send()
            .await
            .unwrap();
        assert_eq!(login.status(), StatusCode::CONFLICT);
        set("None").await;
    }
    let body = json!({ "ID": platform_simulator::CALLER_ID, "state": "Disabled" });
    sim.ok("CDirectoryService/SetUserState", body).await;
    let answer = sim.try_call("Core/GetDirectoryServices", json!({})).await.unwrap();
    assert_eq!(
        answer.status(),
        StatusCode::UNAUTHORIZED,
        "the caller's own tokens end too"
    );
}
