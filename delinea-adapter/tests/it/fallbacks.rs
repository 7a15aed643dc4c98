//! What serves where a call is not there: another call of the same interface, in an order that is always the same.

use proto::adapter::v1::{Adoption, ApplyUserRequest, ListPlatformGroupsRequest, RemovalMode};
use proto::{error::ErrorReason, resource::v1::User};
use serde_json::{Value, json};
use tonic::Code;

use crate::world::{World, anna, failed, linked, removal, wanted, wanted_group};

const REPORT: &str = "report:user_searchbyname";

fn inactive() -> User {
    User {
        active: Some(false),
        ..anna()
    }
}

#[tokio::test]
async fn an_account_is_disabled_by_the_call_of_the_settings() {
    for (setting, method, field, off, on) in [
        (
            "change_user_state",
            "CDirectoryService/ChangeUserState",
            "State",
            json!("Disabled"),
            json!("None"),
        ),
        (
            "cloud_lock",
            "UserMgmt/SetCloudLock",
            "CloudLocked",
            json!(true),
            json!(false),
        ),
        (
            "scim",
            "scim:PATCH /Users/{id}",
            "State",
            json!("Disabled"),
            json!("None"),
        ),
    ] {
        let world = World::with(&[&format!("--state-call={setting}")]).await;
        world
            .becomes(json!({"change_user_state": true, "scim": true, "scim_ids": "own"}))
            .await;
        let id = world.provision(&anna()).await;
        world.apply_user(linked(&inactive(), &id)).await.unwrap().applied();
        assert_eq!(world.account("anna@example.com").await[field], off, "{setting}");
        assert_eq!(world.calls(method).await, 1, "{setting}");
        world.apply_user(linked(&inactive(), &id)).await.unwrap().applied();
        assert_eq!(world.calls(method).await, 1, "{setting}: it was disabled already");
        world.apply_user(linked(&anna(), &id)).await.unwrap().applied();
        assert_eq!(world.account("anna@example.com").await[field], on, "{setting}");
        assert_eq!(world.calls("CDirectoryService/SetUserState").await, 0, "{setting}");
    }
}

#[tokio::test]
async fn the_cloud_lock_also_ends_sessions_where_that_is_set() {
    let world = World::with(&["--cloud-lock-on-disable=true"]).await;
    let id = world.provision(&anna()).await;
    let seen = async || {
        let account = world.account("anna@example.com").await;
        (account["State"].clone(), account["CloudLocked"].clone())
    };
    world.apply_user(linked(&inactive(), &id)).await.unwrap().applied();
    assert_eq!(seen().await, (json!("Disabled"), json!(true)));
    world.apply_user(linked(&anna(), &id)).await.unwrap().applied();
    assert_eq!(seen().await, (json!("None"), json!(false)));

    // A lock that cannot be set leaves the account open, so that the next try sets both.
    world
        .fault(json!({"method": "UserMgmt/SetCloudLock", "fault": "unavailable", "times": 1}))
        .await;
    world.apply_user(linked(&inactive(), &id)).await.unwrap_err();
    world.apply_user(linked(&inactive(), &id)).await.unwrap().applied();
    assert_eq!(seen().await, (json!("Disabled"), json!(true)));
}

#[tokio::test]
async fn an_account_of_another_directory_is_locked_and_removed_where_that_is_allowed() {
    let name = "fay@example.com";
    let strangers = json!([{"Name": name, "Mail": "f@example.com", "DisplayName": "Fay", "SourceDs": "FDS"}]);
    let fay = |active| User {
        user_name: Some(name.to_owned()),
        active: Some(active),
        ..anna()
    };
    let listed = ApplyUserRequest {
        adoption: Adoption::Listed.into(),
        ..wanted(&fay(true))
    };

    let world = World::new().await;
    world.strangers(strangers.clone()).await;
    assert_eq!(failed(world.apply_user(listed.clone()).await).0, Code::AlreadyExists);

    let world = World::with(&["--touch-non-cds=true"]).await;
    world.strangers(strangers).await;
    let matching = ApplyUserRequest {
        adoption: Adoption::Matching.into(),
        ..listed.clone()
    };
    assert_eq!(failed(world.apply_user(matching).await).0, Code::AlreadyExists);
    let id = world
        .apply_user(listed)
        .await
        .unwrap()
        .applied()
        .link
        .unwrap()
        .platform_id;
    let seen = async || world.account(name).await;
    assert_eq!(seen().await["DisplayName"], "Fay", "its attributes are its directory's");
    for active in [false, true] {
        world.apply_user(linked(&fay(active), &id)).await.unwrap().applied();
        let account = seen().await;
        assert_eq!(
            (&account["CloudLocked"], &account["State"]),
            (&json!(!active), &json!("None"))
        );
    }
    let gone = ApplyUserRequest {
        link: linked(&anna(), &id).link,
        ..removal(RemovalMode::Remove)
    };
    world.apply_user(gone).await.unwrap().applied();
    assert!(world.accounts(name).await.is_empty());
}

#[tokio::test]
async fn a_name_is_looked_up_in_another_way_where_there_is_no_report() {
    let hidden: [(&[&str], &str); 3] = [
        (&[REPORT], "CDirectoryService/GetUserByName"),
        (&[REPORT, "CDirectoryService/GetUserByName"], "RedRock/Query"),
        (
            &[REPORT, "CDirectoryService/GetUserByName", "RedRock/Query"],
            "v3/users/{id}",
        ),
    ];
    for (hidden, method) in hidden {
        let world = World::with(&["--rest-v3=lookup"]).await;
        world.becomes(json!({"hidden": hidden})).await;
        world
            .strangers(json!([{"Name": "anna_b@example.com"}, {"Name": "annaxb@example.com"}]))
            .await;
        let of = |name: &str| User {
            user_name: Some(name.to_owned()),
            ..anna()
        };
        let taken = failed(world.apply_user(wanted(&of("Anna_b@example.com"))).await);
        assert_eq!(
            taken,
            (Code::AlreadyExists, ErrorReason::PlatformObjectExists),
            "{method}"
        );
        world.provision(&of("anna%@example.com")).await;
        assert!(
            world.calls(method).await > 0,
            "{method}: {}",
            world.state().await["calls"]
        );
    }
    let world = World::new().await;
    let all = [REPORT, "CDirectoryService/GetUserByName", "RedRock/Query"];
    world.becomes(json!({"hidden": all})).await;
    let refused = world.apply_user(wanted(&anna())).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
}

#[tokio::test]
async fn a_group_is_looked_up_and_listed_by_a_query_where_there_is_no_report() {
    let world = World::new().await;
    world.becomes(json!({"hidden": ["report:role_searchbyname"]})).await;
    let id = world.provision_group("Rack_Operators", &[]).await;
    let taken = failed(world.apply_group(wanted_group("rack_operators")).await);
    assert_eq!(taken.0, Code::AlreadyExists);
    let request = ListPlatformGroupsRequest {
        tenant: "default".to_owned(),
    };
    let mut stream = world
        .client
        .clone()
        .list_platform_groups(request)
        .await
        .unwrap()
        .into_inner();
    let mut ids = Vec::new();
    while let Some(batch) = stream.message().await.unwrap() {
        ids.extend(batch.groups.into_iter().map(|group| group.platform_id));
    }
    assert!(ids.contains(&id), "{ids:?}");
}

#[tokio::test]
async fn accounts_are_listed_in_another_way_where_one_is_missing() {
    let hidden: [(&[&str], &str); 4] = [
        (&["entities/localusers"], "Report/RunReport"),
        (&["entities/localusers", REPORT], "RedRock/Query"),
        (&["entities/localusers", REPORT, "RedRock/Query"], "v3/users"),
        (
            &["entities/localusers", REPORT, "RedRock/Query", "v3/*"],
            "CDirectoryService/GetUsers",
        ),
    ];
    for (hidden, method) in hidden {
        let world = World::with(&["--rest-v3=list", "--page-size=3"]).await;
        world.becomes(json!({"hidden": hidden})).await;
        let people: Vec<_> = (0..8).map(|n| json!({"Name": format!("p{n}@example.com")})).collect();
        world.strangers(json!(people)).await;
        let listed = world.listed().await.unwrap();
        let listed: Vec<_> = listed.into_iter().map(|user| user.name).collect();
        for n in 0..8 {
            assert!(listed.contains(&format!("p{n}@example.com")), "{method}: {listed:?}");
        }
        assert!(
            world.calls(method).await > 0,
            "{method}: {}",
            world.state().await["calls"]
        );
    }
}

#[tokio::test]
async fn an_account_is_removed_by_the_single_call_where_the_batch_is_missing() {
    let world = World::new().await;
    world.becomes(json!({"hidden": ["UserMgmt/RemoveUsers"]})).await;
    let id = world.provision(&anna()).await;
    let gone = ApplyUserRequest {
        link: linked(&anna(), &id).link,
        ..removal(RemovalMode::Remove)
    };
    world.apply_user(gone).await.unwrap().applied();
    assert!(world.accounts("anna@example.com").await.is_empty());
    assert_eq!(world.state().await["calls"]["UserMgmt/RemoveUser"], Value::from(1));
}

#[tokio::test]
async fn the_earlier_paths_and_further_headers_are_settings() {
    let world = World::with(&[
        "--identity-base-path=/identity",
        "--token-path=/identity/oauth2/token/xpmplatform",
        "--extra-headers=X-CENTRIFY-NATIVE-CLIENT=true",
    ])
    .await;
    world.provision(&anna()).await;
    world.account("anna@example.com").await;
}

#[tokio::test]
async fn a_right_that_is_missing_is_said_so_and_not_taken_for_anything_else() {
    for (answer, reason) in [
        ("failure", ErrorReason::PlatformRefused),
        ("404", ErrorReason::PlatformNotExposed),
    ] {
        let world = World::new().await;
        let id = world.provision(&anna()).await;
        world
            .becomes(json!({"missing_permissions": ["user_management"], "missing_permission_answer": answer}))
            .await;
        let other = User {
            display_name: Some("Other".to_owned()),
            ..anna()
        };
        let refused = failed(world.apply_user(linked(&other, &id)).await);
        assert_eq!(refused.1, reason, "{answer}");
        assert_eq!(world.account("anna@example.com").await["DisplayName"], "Anna Berg");
    }
}
