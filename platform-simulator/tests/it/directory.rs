use super::*;

async fn with_federated(names: &[&str]) -> Sim {
    let sim = Sim::start().await;
    for name in names {
        let user = json!({ "Name": name, "SourceDs": "FDS", "DisplayName": "Fed" });
        let added = sim
            .client
            .post(sim.url("/_sim/users"))
            .json(&user)
            .send()
            .await
            .unwrap();
        assert_eq!(added.status(), StatusCode::CREATED);
    }
    sim
}

/// The login names in the users' part of the answer.
fn names(result: &Value) -> Vec<String> {
    let rows = rows(&result["User"]);
    let mut names: Vec<_> = rows
        .iter()
        .map(|row| row["SystemName"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_directory_query_finds_people_of_every_directory() {
    let sim = with_federated(&["fay@example.com"]).await;
    let ada = sim.create("ada@example.com").await;
    sim.group("Engineers").await;
    let query = async |filter: Value, directories: Value| {
        let body = json!({ "user": filter.to_string(), "directoryServices": directories, "Args": { "PageSize": 10 } });
        names(&sim.ok("UserMgmt/DirectoryServiceQuery", body).await)
    };
    let like = |text: &str| json!({ "_or": [{ "SystemName": { "_like": text } }, { "DisplayName": { "_like": { "value": text } } }] });
    let (cds, fds) = (
        "09b9a9b0-6ce8-465f-ab03-65766d33b05e",
        "C30B30B1-0B46-49AC-8D99-F6279EED7999",
    );
    assert_eq!(query(like("fed"), json!([fds])).await, ["fay@example.com"]);
    assert_eq!(query(like("fed"), json!([cds])).await, Vec::<String>::new());
    assert_eq!(
        query(like("a%@example.com"), json!([cds, fds])).await,
        ["ada@example.com"]
    );
    assert_eq!(
        query(json!({ "InternalName": ada }), json!([cds])).await,
        ["ada@example.com"]
    );
    let both = json!({ "_and": [like("ada"), { "ObjectType": "group" }] });
    assert_eq!(query(both, json!([cds])).await, Vec::<String>::new());

    let body = json!({ "roles": "{\"Name\":{\"_like\":\"engin\"}}", "group": "{}" });
    let result = sim.ok("UserMgmt/DirectoryServiceQuery", body).await;
    assert_eq!(rows(&result["roles"])[0]["DisplayName"], "Engineers");
    assert_eq!((rows(&result["Group"]).len(), result.get("User")), (0, None));
    for bad in [
        json!("{"),
        json!("[]"),
        json!("{\"_not\":{}}"),
        json!("{\"Name\":{\"_gt\":1}}"),
        json!({}),
    ] {
        sim.fails("UserMgmt/DirectoryServiceQuery", json!({ "user": bad }))
            .await;
    }
}

#[tokio::test]
async fn all_local_accounts_come_in_one_call() {
    let sim = with_federated(&["fay@example.com"]).await;
    for n in 0..120 {
        sim.create(&format!("u{n:03}@example.com")).await;
    }
    let all = sim.ok("CDirectoryService/GetUsers", json!({})).await;
    assert_eq!((all["FullCount"].as_u64(), rows(&all).len()), (Some(122), 122));
    assert!(rows(&all).iter().all(|row| row["sourceds"] == "CDS"));
    let page = sim
        .ok(
            "CDirectoryService/GetUsers",
            json!({ "Args": { "PageSize": 50, "PageNumber": 3 } }),
        )
        .await;
    assert_eq!(rows(&page).len(), 22);
}

#[tokio::test]
async fn one_account_with_its_groups_and_a_new_password() {
    let sim = Sim::start().await;
    let ada = sim.create("ada@example.com").await;
    let group = sim.group("Engineers").await;
    sim.ok("Roles/UpdateRole", json!({ "Name": group, "Users": { "Add": [ada] } }))
        .await;
    let info = sim.ok("UserMgmt/GetUserInfo", json!({ "ID": ada })).await;
    let groups: Vec<_> = info["Roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| &role["Name"])
        .collect();
    assert!(
        info["Name"] == "ada@example.com" && groups.contains(&&json!("Engineers")),
        "{info}"
    );
    let reset = |password: &str| json!({ "ID": ada, "newPassword": password });
    sim.ok("UserMgmt/ResetUserPassword", reset("Correct-Horse-9")).await;
    sim.fails("UserMgmt/ResetUserPassword", reset("weak")).await;
    sim.fails("UserMgmt/ResetUserPassword", json!({ "ID": ada })).await;
    sim.fails(
        "UserMgmt/ResetUserPassword",
        json!({ "ID": "nobody", "newPassword": "Correct-Horse-9" }),
    )
    .await;
}

#[tokio::test]
async fn suffixes_and_group_mappings_are_the_profiles() {
    let mappings = json!([{ "AttributeValue": "idp-engineers", "GroupName": "Engineers" }]);
    let sim = Sim::with_profile(json!({ "suffixes": ["a.com"], "group_mappings": mappings })).await;
    assert_eq!(
        rows(&sim.ok("Core/GetAliasesForTenant", json!({})).await)[0]["ID"],
        "a.com"
    );
    let told = sim.ok("Federation/GetGlobalGroupAssertionMappings", json!({})).await;
    assert_eq!(told["Mappings"], mappings);
}

/// The older family of calls has a rename of its own.
#[tokio::test]
async fn the_older_family_renames_too() {
    let sim = Sim::with_profile(json!({ "role_writes": "saas" })).await;
    let store = async |name: &str| sim.ok("SaasManage/StoreRole", json!({ "Name": name })).await["_RowKey"].clone();
    let (group, other) = (store("Engineers").await, store("Makers").await);
    let rename = |group: &Value, name: &str| json!({ "Name": group, "NewName": name });
    sim.ok("SaasManage/UpdateRole", rename(&group, "Builders")).await;
    sim.fails("SaasManage/UpdateRole", rename(&other, "builders")).await;
    sim.fails("SaasManage/UpdateRole", rename(&json!("Everybody"), "All"))
        .await;
    assert_eq!(
        sim.ok("SaasManage/GetRole", json!({ "Name": group })).await["Name"],
        "Builders"
    );
}
