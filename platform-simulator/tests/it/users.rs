use super::*;
use platform_simulator::{ADMIN_ID, CALLER_ID, ClearWith, CreateResult, UnknownPrincipals};

#[tokio::test]
async fn an_account_lives_from_creation_to_removal() {
    let sim = Sim::start().await;
    let envelope = sim
        .call("CDirectoryService/CreateUser", new_user("Ada@example.com"))
        .await;
    let fields: Vec<_> = envelope.as_object().unwrap().keys().map(String::as_str).collect();
    for field in [
        "success",
        "Result",
        "Message",
        "MessageID",
        "Exception",
        "ErrorID",
        "ErrorCode",
        "IsSoftError",
    ] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
    let id = envelope["Result"].as_str().unwrap();

    let changes = json!({ "ID": id, "DisplayName": "Ada L.", "OfficeNumber": "+44 1", "ReportsTo": ADMIN_ID });
    assert_eq!(sim.ok("CDirectoryService/ChangeUser", changes).await, Value::Null);
    sim.ok(
        "CDirectoryService/SetUserState",
        json!({ "ID": id, "state": "Disabled" }),
    )
    .await;
    let read = sim.ok("UserMgmt/GetUserAttributes", json!({ "ID": id })).await;
    for (field, value) in [
        ("Uuid", id),
        ("Name", "Ada@example.com"),
        ("Mail", "Ada@example.com"),
        ("DisplayName", "Ada L."),
        ("OfficeNumber", "+44 1"),
        ("ReportsTo", ADMIN_ID),
        ("State", "Disabled"),
    ] {
        assert_eq!(read[field], value, "{field}");
    }
    assert!(read["CreateDate"].as_str().unwrap().starts_with("/Date("));
    assert_eq!(
        sim.ok("CDirectoryService/GetUser", json!({ "id": id })).await["Uuid"],
        id
    );
    let named = sim
        .ok(
            "CDirectoryService/GetUserByName",
            json!({ "username": "ADA@example.com" }),
        )
        .await;
    assert_eq!(named["Uuid"], id);

    sim.ok("UserMgmt/RemoveUsers", json!({ "Users": [id] })).await;
    sim.fails("UserMgmt/GetUserAttributes", json!({ "ID": id })).await;
    sim.fails("UserMgmt/RemoveUsers", json!({ "Users": [id] })).await;
}

#[tokio::test]
async fn what_cannot_be_created_fails_inside_http_200() {
    let sim = Sim::start().await;
    sim.set(|profile| {
        profile.suffixes = vec!["example.com".into()];
        profile.texts.duplicate_user = "DUP {}".into();
    })
    .await;
    sim.create("ada@example.com").await;
    let with = |field: &str, value: Value| {
        let mut user = new_user("grace@example.com");
        user[field] = value;
        user
    };
    assert_eq!(
        sim.fails("CDirectoryService/CreateUser", new_user("ADA@example.com"))
            .await,
        "DUP ADA@example.com"
    );
    for (bad, words) in [
        (with("Name", json!("grace@elsewhere.com")), "elsewhere.com"),
        (with("Name", json!("grace")), "suffix"),
        (with("Name", json!("")), "Name"),
        (with("Mail", json!(null)), "Mail"),
        (with("Password", json!("short")), "password"),
        (with("Password", json!("alllowercase1")), "password"),
        (with("Password", json!(null)), "password"),
    ] {
        let message = sim.fails("CDirectoryService/CreateUser", bad.clone()).await;
        assert!(message.contains(words), "{bad}: {message}");
    }
    assert!(sim.user("grace@example.com").await.is_none());
    let not_json = sim
        .client
        .post(sim.url("/identity/api/CDirectoryService/CreateUser"))
        .bearer_auth(&sim.token);
    let answer: Value = not_json.body("{").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["success"], false);
}

#[tokio::test]
async fn a_creation_may_answer_with_an_object() {
    let sim = Sim::start().await;
    sim.set(|profile| profile.create_result = CreateResult::Object).await;
    let result = sim
        .ok("CDirectoryService/CreateUser", new_user("ada@example.com"))
        .await;
    assert_eq!(result["ID"], sim.user("ada@example.com").await.unwrap()["ID"]);
    assert!(sim.ok("Roles/StoreRole", json!({ "Name": "G" })).await["_RowKey"].is_string());
}

#[tokio::test]
async fn a_password_is_nowhere_to_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start_with(Config {
        data_dir: Some(folder.path().into()),
        ..Config::ephemeral()
    })
    .await;
    let id = sim.create("ada@example.com").await;
    sim.ok(
        "CDirectoryService/ChangeUser",
        json!({ "ID": id, "Password": "Correct-Horse-8" }),
    )
    .await;
    let journal = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
    let state = sim.see("/_sim/state").await.to_string() + &sim.see("/_sim/calls").await.to_string();
    assert!(journal.contains("ada@example.com") && state.contains("ada@example.com"));
    assert!(!journal.contains("Correct-Horse") && !state.contains("Correct-Horse"));
}

#[tokio::test]
async fn change_user_without_an_id_edits_the_caller() {
    let sim = Sim::start().await;
    for body in [
        json!({ "DisplayName": "Oops" }),
        json!({ "ID": "", "DisplayName": "Oops" }),
    ] {
        sim.ok("CDirectoryService/ChangeUser", body).await;
    }
    let state = sim.see("/_sim/state").await;
    assert_eq!(state["caller_edits"], 2);
    let caller = sim.user("scim-gateway@example.com").await.unwrap();
    assert_eq!(
        (&caller["ID"], &caller["DisplayName"]),
        (&json!(CALLER_ID), &json!("Oops"))
    );
    assert_eq!(caller["ServiceUser"], true);
}

#[tokio::test]
async fn renaming_keeps_names_unique() {
    let sim = Sim::start().await;
    let id = sim.create("ada@example.com").await;
    sim.create("grace@example.com").await;
    let rename = |name: &str| json!({ "ID": id, "Name": name });
    sim.fails("CDirectoryService/ChangeUser", rename("GRACE@example.com"))
        .await;
    sim.ok("CDirectoryService/ChangeUser", rename("Ada@example.com")).await;
    sim.ok("CDirectoryService/ChangeUser", rename("lovelace@example.com"))
        .await;
    sim.create("ada@example.com").await;
    sim.fails(
        "CDirectoryService/ChangeUser",
        json!({ "ID": "nobody", "DisplayName": "x" }),
    )
    .await;
}

#[tokio::test]
async fn what_clears_a_field_is_the_tenants_choice() {
    for (clear_with, null_clears, empty_clears) in [
        (ClearWith::Empty, false, true),
        (ClearWith::Null, true, false),
        (ClearWith::Both, true, true),
    ] {
        let sim = Sim::start().await;
        sim.set(|profile| profile.clear_with = clear_with).await;
        let id = sim.create("ada@example.com").await;
        for (value, clears) in [(Value::Null, null_clears), (json!(""), empty_clears)] {
            sim.ok(
                "CDirectoryService/ChangeUser",
                json!({ "ID": id, "Description": "text" }),
            )
            .await;
            sim.ok(
                "CDirectoryService/ChangeUser",
                json!({ "ID": id, "Description": value }),
            )
            .await;
            let left = sim.user("ada@example.com").await.unwrap()["Description"].clone();
            assert_eq!(left, if clears { "" } else { "text" }, "{clear_with:?} {value}");
        }
    }
}

#[tokio::test]
async fn states_are_words_and_the_administrator_stays_enabled() {
    let sim = Sim::start().await;
    let id = sim.create("ada@example.com").await;
    for (sent, kept) in [
        ("disabled", "Disabled"),
        ("Locked,Disabled", "Locked,Disabled"),
        ("none", "None"),
    ] {
        sim.ok("CDirectoryService/SetUserState", json!({ "ID": id, "state": sent }))
            .await;
        assert_eq!(sim.user("ada@example.com").await.unwrap()["State"], kept);
    }
    for bad in ["Gone", "None,Disabled", ""] {
        sim.fails("CDirectoryService/SetUserState", json!({ "ID": id, "state": bad }))
            .await;
    }
    sim.fails(
        "CDirectoryService/SetUserState",
        json!({ "ID": ADMIN_ID, "state": "Disabled" }),
    )
    .await;
    sim.fails("UserMgmt/RemoveUsers", json!({ "Users": [ADMIN_ID] })).await;
}

#[tokio::test]
async fn removal_fails_as_a_whole_where_the_caller_is_among_them() {
    let sim = Sim::start().await;
    let id = sim.create("ada@example.com").await;
    sim.fails("UserMgmt/RemoveUsers", json!({ "Users": [id, CALLER_ID] }))
        .await;
    assert!(sim.user("ada@example.com").await.is_some());
    let url = sim.url(&format!("/identity/api/UserMgmt/RemoveUser?id={id}"));
    let answer: Value = sim
        .client
        .post(url)
        .bearer_auth(&sim.token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer["success"], true);
    assert!(sim.user("ada@example.com").await.is_none());
}

#[tokio::test]
async fn an_unknown_id_in_a_removal_may_be_skipped() {
    let sim = Sim::start().await;
    for (rule, succeeds) in [
        (UnknownPrincipals::Skip, true),
        (UnknownPrincipals::FailAfterRest, false),
    ] {
        sim.set(|profile| profile.unknown_principals = rule).await;
        let id = sim.create("ada@example.com").await;
        let envelope = sim
            .call("UserMgmt/RemoveUsers", json!({ "Users": ["nobody", id] }))
            .await;
        assert_eq!(envelope["success"], succeeds, "{rule:?}");
        assert!(sim.user("ada@example.com").await.is_none(), "{rule:?}");
    }
}

#[tokio::test]
async fn the_cloud_lock_is_beside_the_state() {
    let sim = Sim::start().await;
    let id = sim.create("ada@example.com").await;
    let lock = sim.url(&format!("/identity/api/UserMgmt/SetCloudLock?user={id}&lockUser=true"));
    sim.client.post(lock).bearer_auth(&sim.token).send().await.unwrap();
    assert_eq!(sim.ok("UserMgmt/IsUserCloudLocked", json!({ "user": id })).await, true);
    assert_eq!(sim.user("ada@example.com").await.unwrap()["State"], "None");
}

#[tokio::test]
async fn a_display_name_may_be_seen_late() {
    let sim = Sim::start().await;
    let id = sim.create("ada@example.com").await;
    let change = async |lag_ms: u64, name: &str| {
        sim.set(|profile| profile.display_name_lag_ms = lag_ms).await;
        let body = json!({ "ID": id, "DisplayName": name, "OfficeNumber": name });
        sim.ok("CDirectoryService/ChangeUser", body).await;
    };
    let read = async || sim.ok("UserMgmt/GetUserAttributes", json!({ "ID": id })).await;
    change(3_600_000, "New").await;
    let seen = read().await;
    assert_eq!(
        (&seen["DisplayName"], &seen["OfficeNumber"]),
        (&json!("ada"), &json!("New"))
    );
    assert_eq!(
        sim.user("ada@example.com").await.unwrap()["DisplayName"],
        "New",
        "the state itself is never late"
    );
    change(50, "Newer").await;
    for _ in 0..1000 {
        if read().await["DisplayName"] == "Newer" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the new display name never showed");
}

#[tokio::test]
async fn an_account_of_another_directory_is_read_but_not_edited() {
    let sim = Sim::start().await;
    let user = json!({ "ID": "f-1", "Name": "fed@example.com", "SourceDs": "FDS" });
    sim.client
        .post(sim.url("/_sim/users"))
        .json(&user)
        .send()
        .await
        .unwrap();
    assert_eq!(
        sim.ok("UserMgmt/GetUserAttributes", json!({ "ID": "f-1" })).await["Name"],
        "fed@example.com"
    );
    sim.fails(
        "CDirectoryService/ChangeUser",
        json!({ "ID": "f-1", "DisplayName": "x" }),
    )
    .await;
    sim.fails(
        "CDirectoryService/SetUserState",
        json!({ "ID": "f-1", "state": "Disabled" }),
    )
    .await;
    let local = sim
        .client
        .get(sim.url("/identity/api/entities/localusers"))
        .bearer_auth(&sim.token);
    let local: Vec<Value> = local.send().await.unwrap().json().await.unwrap();
    assert!(local.iter().all(|user| user["Uuid"] != "f-1"));
}

#[tokio::test]
async fn a_generated_password_meets_the_policy() {
    let sim = Sim::start().await;
    for (length, expected) in [(0, 16), (40, 40), (1, 4)] {
        let password = sim
            .ok("Core/GeneratePassword", json!({ "passwordLength": length }))
            .await;
        assert_eq!(password.as_str().unwrap().len(), expected);
    }
    let mut user = new_user("ada@example.com");
    user["Password"] = sim.ok("Core/GeneratePassword", json!({ "passwordLength": 0 })).await;
    sim.ok("CDirectoryService/CreateUser", user).await;
}

#[tokio::test]
async fn the_tenant_tells_its_suffixes_directories_and_federations() {
    let sim = Sim::with_profile(json!({ "suffixes": ["a.com", "b.com"] })).await;
    let aliases = sim.ok("Core/GetCdsAliasesForTenant", json!({})).await;
    assert_eq!(
        rows(&aliases)
            .iter()
            .map(|row| row["ID"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["a.com", "b.com"]
    );
    sim.set(|profile| profile.suffixes.clear()).await;
    let aliases = sim.ok("Core/GetCdsAliasesForTenant", json!({})).await;
    assert_eq!(
        rows(&aliases).len(),
        0,
        "a list would shut out every suffix that is not on it"
    );
    let services = sim.ok("Core/GetDirectoryServices", json!({})).await;
    assert_eq!(
        rows(&services)[0]["directoryServiceUuid"],
        "09B9A9B0-6CE8-465F-AB03-65766D33B05E"
    );
    assert_eq!(rows(&sim.ok("Federation/GetFederations", json!({})).await).len(), 0);
    sim.set(|profile| profile.federation = true).await;
    assert_eq!(rows(&sim.ok("Federation/GetFederations", json!({})).await).len(), 1);
}

#[tokio::test]
async fn a_local_account_may_stand_beside_a_federated_one() {
    for beside in [true, false] {
        let sim = Sim::start().await;
        sim.set(|profile| profile.local_beside_federated = beside).await;
        let user = json!({ "ID": "f-1", "Name": "ada@example.com", "SourceDs": "FDS" });
        sim.client
            .post(sim.url("/_sim/users"))
            .json(&user)
            .send()
            .await
            .unwrap();
        let local = json!({ "Name": "Ada@example.com", "Mail": "m", "Password": "Secret-1234" });
        if beside {
            sim.ok("CDirectoryService/CreateUser", local.clone()).await;
            sim.fails("CDirectoryService/CreateUser", local).await;
            let found = sim
                .ok(
                    "CDirectoryService/GetUserByName",
                    json!({ "username": "ada@example.com" }),
                )
                .await;
            assert_eq!(found["Name"], "Ada@example.com", "the local one");
        } else {
            sim.fails("CDirectoryService/CreateUser", local).await;
        }
    }
}

#[tokio::test]
async fn many_are_removed_by_id_only() {
    let sim = Sim::start().await;
    let ada = sim.create("ada@example.com").await;
    sim.fails("UserMgmt/RemoveUsers", json!({ "Users": ["ada@example.com"] }))
        .await;
    assert!(sim.user("ada@example.com").await.is_some());
    sim.ok("UserMgmt/RemoveUsers", json!({ "Users": [ada] })).await;
    assert!(sim.user("ada@example.com").await.is_none());
}
