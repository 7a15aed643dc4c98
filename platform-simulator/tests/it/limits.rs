//! What is not known of any tenant: how much one call may do, and what it leaves alone.
use super::*;

#[tokio::test]
async fn a_batch_may_be_too_large() {
    let sim = Sim::with_profile(json!({ "max_batch": 2, "scim": true })).await;
    let group = sim.group("Engineers").await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(sim.create(&format!("u{n}@example.com")).await);
    }
    for (method, body) in [
        ("Roles/UpdateRole", json!({ "Name": group, "Users": { "Add": ids } })),
        (
            "Roles/UpdateRole",
            json!({ "Name": group, "Users": { "Add": ids[..2], "Delete": [ids[2]] } }),
        ),
        (
            "SaasManage/AddUsersAndGroupsToRole",
            json!({ "Name": group, "Users": ids }),
        ),
        (
            "SaasManage/RemoveUsersAndGroupsFromRole",
            json!({ "Name": group, "Users": ids }),
        ),
        ("SaasManage/StoreRole", json!({ "Name": "More", "Users": ids })),
        ("SaasManage/DeleteRoles", json!([group, group, group])),
        ("UserMgmt/RemoveUsers", json!({ "Users": ids })),
    ] {
        let message = sim.fails(method, body).await;
        assert!(message.contains("Too many items in one call: 3"), "{method}: {message}");
    }
    let values: Vec<_> = ids.iter().map(|id| json!({ "value": id })).collect();
    let add = json!({ "Operations": [{ "op": "add", "path": "members", "value": values }] });
    assert_eq!(
        sim.scim("PATCH", &format!("Groups/{group}"), add).await.status(),
        StatusCode::BAD_REQUEST
    );
    assert_eq!(sim.members(&group).await, Vec::<String>::new());
    sim.ok(
        "Roles/UpdateRole",
        json!({ "Name": group, "Users": { "Add": ids[..2] } }),
    )
    .await;
    sim.ok("UserMgmt/RemoveUsers", json!({ "Users": ids[..2] })).await;
}

#[tokio::test]
async fn a_page_may_be_smaller_than_asked_for() {
    let sim = Sim::with_profile(json!({ "max_page_size": 2 })).await;
    let group = sim.group("Engineers").await;
    for n in 0..3 {
        let id = sim.create(&format!("u{n}@example.com")).await;
        sim.ok("Roles/UpdateRole", json!({ "Name": group, "Users": { "Add": [id] } }))
            .await;
    }
    let page = async |page: u32| {
        let paging = json!({ "PageSize": 100, "PageNumber": page });
        let report = sim
            .ok("Report/RunReport", json!({ "ID": "user_all", "Args": paging }))
            .await;
        let query = sim
            .ok(
                "RedRock/Query",
                json!({ "Script": "SELECT * FROM User", "Args": paging }),
            )
            .await;
        let members = json!({ "Name": group, "PageSize": 100, "PageNumber": page });
        let members = sim.ok("Roles/GetPagedRoleMembers", members).await;
        let path = format!("/identity/api/users?api-version=3.0&pageSize=100&pageNumber={page}");
        let list: Value = sim.get(&path).await.json().await.unwrap();
        let list = list["_embedded"]["users"].as_array().unwrap().len();
        [rows(&report).len(), rows(&query).len(), rows(&members).len(), list]
    };
    assert_eq!(page(1).await, [2, 2, 2, 2]);
    assert_eq!(page(2).await, [2, 2, 1, 2]);
    assert_eq!(page(3).await, [1, 1, 0, 1]);
}

#[tokio::test]
async fn a_login_name_may_be_for_ever() {
    let sim = Sim::with_profile(json!({ "scim": true })).await;
    let id = sim.create("ada@example.com").await;
    let body = json!({ "ID": id, "Name": "lovelace@example.com", "Description": "x" });
    let operation = json!({ "op": "replace", "path": "userName", "value": "lovelace@example.com" });
    let patch = json!({ "Operations": [operation] });
    let path = format!("Users/{id}");
    sim.set(|profile| profile.renames = platform_simulator::Renames::Refused)
        .await;
    sim.fails("CDirectoryService/ChangeUser", body.clone()).await;
    assert_eq!(
        sim.scim("PATCH", &path, patch.clone()).await.status(),
        StatusCode::BAD_REQUEST
    );
    assert_eq!(sim.user("ada@example.com").await.unwrap()["Description"], "");
    sim.ok(
        "CDirectoryService/ChangeUser",
        json!({ "ID": id, "Name": "ada@example.com" }),
    )
    .await;
    sim.set(|profile| profile.renames = platform_simulator::Renames::Ignored)
        .await;
    sim.ok("CDirectoryService/ChangeUser", body).await;
    assert_eq!(sim.user("ada@example.com").await.unwrap()["Description"], "x");
    assert_eq!(sim.scim("PATCH", &path, patch).await.status(), StatusCode::NO_CONTENT);
    assert!(sim.user("lovelace@example.com").await.is_none());
}

#[tokio::test]
async fn a_change_may_want_the_whole_account() {
    let sim = Sim::with_profile(json!({ "unsent_fields": "cleared" })).await;
    let id = sim.create("ada@example.com").await;
    sim.ok(
        "CDirectoryService/ChangeUser",
        json!({ "ID": id, "DisplayName": "Ada", "OfficeNumber": "1" }),
    )
    .await;
    let ada = sim.user("ada@example.com").await.unwrap();
    assert_eq!(
        (&ada["DisplayName"], &ada["OfficeNumber"], &ada["Mail"]),
        (&json!("Ada"), &json!("1"), &json!(""))
    );
}

#[tokio::test]
async fn a_field_that_nobody_knows_may_fail_the_call() {
    let sim = Sim::start().await;
    let with = |name: &str, field: &str| {
        let mut user = new_user(name);
        user[field] = json!("x");
        user
    };
    sim.ok("CDirectoryService/CreateUser", with("ada@example.com", "ShoeSize"))
        .await;
    sim.set(|profile| profile.unknown_fields = platform_simulator::UnknownFields::Refused)
        .await;
    let message = sim
        .fails("CDirectoryService/CreateUser", with("bob@example.com", "ShoeSize"))
        .await;
    assert!(message.contains("ShoeSize"), "{message}");
    let id = sim
        .ok("CDirectoryService/CreateUser", with("bob@example.com", "officenumber"))
        .await;
    sim.fails("CDirectoryService/ChangeUser", json!({ "ID": id, "ShoeSize": "x" }))
        .await;
    sim.ok("CDirectoryService/ChangeUser", json!({ "ID": id, "Description": "x" }))
        .await;
}

#[tokio::test]
async fn a_name_may_be_too_long() {
    let sim = Sim::with_profile(json!({ "max_name_length": 16, "scim": true })).await;
    sim.fails("CDirectoryService/CreateUser", new_user("lovelace@example.com"))
        .await;
    let id = sim.create("ada@example.com").await;
    sim.fails(
        "CDirectoryService/ChangeUser",
        json!({ "ID": id, "Name": "lovelace@example.com" }),
    )
    .await;
    let long = "Engineers of the north";
    sim.fails("Roles/StoreRole", json!({ "Name": long })).await;
    let group = sim.group("Engineers").await;
    sim.fails("Roles/UpdateRole", json!({ "Name": group, "NewName": long }))
        .await;
    for (path, body) in [
        ("Groups", json!({ "displayName": long })),
        (
            "Users",
            json!({ "userName": "lovelace@example.com", "displayName": "Ada" }),
        ),
    ] {
        assert_eq!(
            sim.scim("POST", path, body).await.status(),
            StatusCode::BAD_REQUEST,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_token_may_be_given_for_another_scope() {
    let sim = Sim::start().await;
    sim.set(|profile| "xpm.platform".clone_into(&mut profile.token_scope))
        .await;
    assert_eq!(
        sim.token_answer(&sim.good_form()).await.status(),
        StatusCode::BAD_REQUEST
    );
    let mut form = sim.good_form();
    form[3].1 = "xpm.platform";
    assert_eq!(sim.token_answer(&form).await.status(), StatusCode::OK);
}
