use super::*;
use platform_simulator::{RoleWrites, UnknownPrincipals};

#[tokio::test]
async fn a_group_lives_from_creation_to_removal() {
    let sim = Sim::start().await;
    let (ada, grace) = (
        sim.create("ada@example.com").await,
        sim.create("grace@example.com").await,
    );
    let id = sim.group("Engineers").await;
    assert!(id.contains('_') && !id.contains('-'), "{id}");
    let update = json!({
        "Name": id,
        "NewName": "Makers",
        "Description": "make things",
        "Users": { "Add": [ada, "grace@example.com"] },
    });
    assert_eq!(sim.ok("Roles/UpdateRole", update).await, Value::Null);
    let role = sim
        .ok(
            "SaasManage/GetRole",
            json!({ "name": id, "suppressPrincipalsList": true }),
        )
        .await;
    for (field, value) in [
        ("Name", "Makers"),
        ("Description", "make things"),
        ("Uuid", &id),
        ("_RowKey", &id),
    ] {
        assert_eq!(role[field], value, "{field}");
    }
    let mut both = vec![ada.clone(), grace.clone()];
    both.sort();
    assert_eq!(sim.members(&id).await, both);

    sim.ok(
        "SaasManage/RemoveUsersAndGroupsFromRole",
        json!({ "Name": id, "Users": [ada] }),
    )
    .await;
    sim.ok(
        "SaasManage/AddUsersAndGroupsToRole",
        json!({ "Name": id, "Users": [grace] }),
    )
    .await;
    assert_eq!(sim.members(&id).await, [grace.as_str()]);
    sim.ok("UserMgmt/RemoveUsers", json!({ "Users": [grace] })).await;
    assert!(sim.members(&id).await.is_empty());

    sim.ok("SaasManage/DeleteRole", json!({ "Name": id })).await;
    sim.fails("SaasManage/DeleteRole", json!({ "Name": id })).await;
    sim.fails("Roles/GetRoleMembers", json!({ "Name": id })).await;
    let others = [sim.group("A").await, sim.group("B").await];
    sim.ok("SaasManage/DeleteRoles", json!(others)).await;
    assert_eq!(
        sim.see("/_sim/state").await["groups"].as_array().unwrap().len(),
        2,
        "only the built-in ones"
    );
}

#[tokio::test]
async fn names_are_unique_and_built_in_groups_are_fixed() {
    let sim = Sim::start().await;
    let id = sim.group("Engineers").await;
    sim.group("Makers").await;
    for name in ["engineers", "everybody", "System Administrator"] {
        sim.fails("Roles/StoreRole", json!({ "Name": name })).await;
        sim.fails("SaasManage/StoreRole", json!({ "Name": name })).await;
    }
    sim.fails("Roles/StoreRole", json!({ "Name": "" })).await;
    sim.fails("Roles/UpdateRole", json!({ "Name": id, "NewName": "MAKERS" }))
        .await;
    sim.ok("Roles/UpdateRole", json!({ "Name": id, "NewName": "ENGINEERS" }))
        .await;
    for built_in in ["Everybody", "sysadmin"] {
        sim.fails("Roles/UpdateRole", json!({ "Name": built_in, "NewName": "x" }))
            .await;
        sim.fails(
            "SaasManage/AddUsersAndGroupsToRole",
            json!({ "Name": built_in, "Users": [] }),
        )
        .await;
        sim.fails("SaasManage/DeleteRole", json!({ "Name": built_in })).await;
        sim.fails("SaasManage/DeleteRoles", json!([id, built_in])).await;
    }
    assert_eq!(
        sim.ok("SaasManage/GetRole", json!({ "name": id })).await["Name"],
        "ENGINEERS"
    );
}

#[tokio::test]
async fn everybody_is_joined_at_creation_only() {
    let sim = Sim::start().await;
    let ada = sim.create("ada@example.com").await;
    let mut service = new_user("robot@example.com");
    service["ServiceUser"] = json!("true");
    let robot = sim.ok("CDirectoryService/CreateUser", service).await;
    sim.ok(
        "CDirectoryService/ChangeUser",
        json!({ "ID": ada, "InEverybodyRole": false }),
    )
    .await;
    sim.ok(
        "CDirectoryService/ChangeUser",
        json!({ "ID": robot, "InEverybodyRole": true }),
    )
    .await;
    let members = sim.members("Everybody").await;
    assert!(members.contains(&ada) && !members.contains(&robot.as_str().unwrap().to_owned()));
}

#[tokio::test]
async fn an_unknown_principal_fails_the_batch_or_not_as_the_profile_says() {
    let sim = Sim::start().await;
    let ada = sim.create("ada@example.com").await;
    for (n, (rule, succeeds, joined)) in [
        (UnknownPrincipals::FailBatch, false, false),
        (UnknownPrincipals::Skip, true, true),
        (UnknownPrincipals::FailAfterRest, false, true),
    ]
    .into_iter()
    .enumerate()
    {
        sim.set(|profile| profile.unknown_principals = rule).await;
        let id = sim.group(&format!("G{n}")).await;
        let body = json!({ "Name": id, "Users": { "Add": [ada, "nobody"] } });
        let envelope = sim.call("Roles/UpdateRole", body).await;
        assert_eq!(envelope["success"], succeeds, "{rule:?}");
        assert_eq!(!sim.members(&id).await.is_empty(), joined, "{rule:?}");
    }
}

#[tokio::test]
async fn members_come_in_pages_and_may_come_with_the_group() {
    let sim = Sim::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(sim.create(&format!("u{n}@example.com")).await);
    }
    let stored = sim
        .ok("SaasManage/StoreRole", json!({ "Name": "G", "Users": ids }))
        .await;
    let id = stored["_RowKey"].as_str().unwrap();
    let mut seen = Vec::new();
    for page in 1..=4 {
        let body = json!({ "Name": id, "PageNumber": page, "PageSize": 2 });
        let result = sim.ok("Roles/GetPagedRoleMembers", body).await;
        assert_eq!(result["FullCount"], 5);
        seen.extend(
            rows(&result)
                .into_iter()
                .map(|row| (row["Type"].clone(), row["Guid"].clone())),
        );
    }
    ids.sort();
    assert_eq!(
        seen,
        ids.iter().map(|id| (json!("User"), json!(id))).collect::<Vec<_>>()
    );
    let query = sim.url(&format!("/identity/api/Roles/GetRoleMembers?name={id}"));
    let all: Value = sim
        .client
        .post(query)
        .bearer_auth(&sim.token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(rows(&all["Result"]).len(), 5);
}

#[tokio::test]
async fn a_group_in_a_group_goes_with_it() {
    let sim = Sim::start().await;
    let (outer, inner) = (sim.group("Outer").await, sim.group("Inner").await);
    sim.ok(
        "Roles/UpdateRole",
        json!({ "Name": outer, "Roles": { "Add": [inner, outer] } }),
    )
    .await;
    assert_eq!(sim.members(&outer).await, [inner.as_str()]);
    sim.ok("SaasManage/DeleteRole", json!({ "Name": inner })).await;
    assert!(sim.members(&outer).await.is_empty());
}

#[tokio::test]
async fn group_writes_may_be_not_exposed() {
    let sim = Sim::start().await;
    let id = sim.group("G").await;
    sim.set(|profile| profile.role_writes = RoleWrites::NotExposed).await;
    for (method, body) in [
        ("Roles/StoreRole", json!({ "Name": "H" })),
        ("SaasManage/StoreRole", json!({ "Name": "H" })),
        ("Roles/UpdateRole", json!({ "Name": id, "NewName": "H" })),
        ("SaasManage/DeleteRole", json!({ "Name": id })),
    ] {
        let answer = sim.try_call(method, body).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method}");
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    assert_eq!(sim.ok("SaasManage/GetRole", json!({ "name": id })).await["Name"], "G");
}
