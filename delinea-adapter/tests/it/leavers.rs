//! Accounts of those who leave: disabled or locked before anything else, removed once, and nobody else's touched.

use proto::{
    adapter::v1::{ApplyUserRequest, RemovalMode},
    error::ErrorReason,
    resource::v1::User,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::world::{World, anna, confirmed, failed, fresh, intended, intents, linked, reason, removal, wanted};

#[tokio::test]
async fn an_account_is_disabled_and_enabled_and_keeps_a_strangers_lock() {
    let world = World::new().await;
    let off = User {
        active: Some(false),
        ..anna()
    };
    let name = world.apply_user(wanted(&off)).await.unwrap().intent();
    let link = world
        .apply_user(fresh(&off, &name))
        .await
        .unwrap()
        .applied()
        .link
        .unwrap();
    assert_eq!(world.account(&name).await["State"], "Disabled", "it begins disabled");
    world
        .apply_user(linked(&anna(), &link.platform_id))
        .await
        .unwrap()
        .applied();
    assert_eq!(world.account(&name).await["State"], "None");

    world
        .sim(
            "PATCH",
            &format!("users/{}", link.platform_id),
            json!({"State": "Locked"}),
        )
        .await;
    let written = world.writes().await;
    world
        .apply_user(linked(&anna(), &link.platform_id))
        .await
        .unwrap()
        .applied();
    assert_eq!(world.writes().await, written, "a lock is not ours to clear");
    world
        .apply_user(linked(&off, &link.platform_id))
        .await
        .unwrap()
        .applied();
    world
        .apply_user(linked(&anna(), &link.platform_id))
        .await
        .unwrap()
        .applied();
    assert_eq!(world.account(&name).await["State"], "Locked");
}

#[tokio::test]
async fn a_rename_that_is_refused_writes_nothing_but_cuts_a_leaver_off() {
    let world = World::with(&["--allow-rename=false"]).await;
    let id = world.provision(&anna()).await;
    let written = world.writes().await;
    let renamed = |name: &str, active| User {
        user_name: Some(name.to_owned()),
        active: Some(active),
        ..anna()
    };
    for active in [true, false] {
        let refused = failed(world.apply_user(linked(&renamed("b@example.com", active), &id)).await);
        assert_eq!(refused, (Code::FailedPrecondition, ErrorReason::PlatformRefused));
        assert_eq!(world.writes().await, written + u64::from(!active));
    }
    let account = world.account("anna@example.com").await;
    assert_eq!([&account["State"], &account["DisplayName"]], ["Disabled", "Anna Berg"]);

    // Nor is a name in the way that no account can have, or one that is another's.
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    world.strangers(json!({"Name": "taken@example.com"})).await;
    for name in ["taken@example.com", "no-suffix"] {
        world.apply_user(linked(&anna(), &id)).await.unwrap().applied();
        assert_eq!(world.account("anna@example.com").await["State"], "None");
        world.apply_user(linked(&renamed(name, false), &id)).await.unwrap_err();
        assert_eq!(world.account("anna@example.com").await["State"], "Disabled", "{name}");
    }
    // Known by an intent only, it needs another intent before it may be renamed; that is not waited for either.
    world.apply_user(linked(&anna(), &id)).await.unwrap().applied();
    let request = intended(&renamed("anna.holm@example.com", false), &["anna@example.com"]);
    let found = world.apply_user(request.clone()).await.unwrap().found();
    let intents = request.intents.as_ref().map(|intents| confirmed(intents, &found));
    world
        .apply_user(ApplyUserRequest { intents, ..request })
        .await
        .unwrap()
        .intent();
    assert_eq!(world.account("anna@example.com").await["State"], "Disabled");
}

#[tokio::test]
async fn a_leaver_is_locked_where_states_are_not_exposed() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    world
        .fault(json!({"method": "CDirectoryService/SetUserState", "fault": "bare404"}))
        .await;
    let off = User {
        active: Some(false),
        ..anna()
    };
    let disable = ApplyUserRequest {
        link: linked(&anna(), &id).link,
        ..removal(RemovalMode::Disable)
    };
    let locked = async || world.account("anna@example.com").await["CloudLocked"].clone();
    for request in [linked(&off, &id), disable] {
        let status = world.apply_user(request).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).0),
            (Code::FailedPrecondition, ErrorReason::PlatformNotExposed)
        );
        assert!(status.message().contains("STATE_CALL"), "{}", status.message());
        assert_eq!(locked().await, true);
        world
            .sim("PATCH", &format!("users/{id}"), json!({"CloudLocked": false}))
            .await;
    }
    let other = User {
        user_name: Some("bo@example.com".to_owned()),
        ..off.clone()
    };
    world.apply_user(fresh(&other, "bo@example.com")).await.unwrap_err();
    assert_eq!(world.account("bo@example.com").await["CloudLocked"], true);

    // That the call was missing is no reason not to try it: it is there again, and does what was asked.
    world.no_faults().await;
    world.apply_user(linked(&off, &id)).await.unwrap().applied();
    assert_eq!(world.account("anna@example.com").await["State"], "Disabled");
}

#[tokio::test]
async fn where_the_lock_is_what_disables_it_is_read_and_cleared() {
    let world = World::with(&["--state-call=cloud_lock"]).await;
    let id = world.provision(&anna()).await;
    let off = User {
        active: Some(false),
        ..anna()
    };
    let locked = async || world.account("anna@example.com").await["CloudLocked"].clone();
    world.apply_user(linked(&off, &id)).await.unwrap().applied();
    assert_eq!(locked().await, true);
    let locks = locks_of(&world, &id).await;
    world.apply_user(linked(&off, &id)).await.unwrap().applied();
    assert_eq!(locks_of(&world, &id).await, locks, "who is locked is disabled already");
    world.apply_user(linked(&anna(), &id)).await.unwrap().applied();
    assert_eq!(locked().await, false, "who comes back gets in");
}

/// How often the lock of an account was set or cleared.
async fn locks_of(world: &World, id: &str) -> usize {
    let calls = world.sim("GET", "calls", Value::Null).await;
    let is_lock = |call: &&Value| call["method"] == "UserMgmt/SetCloudLock" && call["object"] == id;
    calls.as_array().unwrap().iter().filter(is_lock).count()
}

#[tokio::test]
async fn removal_is_idempotent_and_finds_what_an_intent_left() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    let by_link = ApplyUserRequest {
        link: linked(&anna(), &id).link,
        ..removal(RemovalMode::Remove)
    };
    for _ in 0..2 {
        assert_eq!(world.apply_user(by_link.clone()).await.unwrap().applied().link, None);
        assert!(world.accounts("anna@example.com").await.is_empty());
    }
    world.provision(&anna()).await;
    let by_intent = ApplyUserRequest {
        intents: Some(intents(&["anna@example.com"], None)),
        ..removal(RemovalMode::Remove)
    };
    world.apply_found_user(by_intent).await.unwrap();
    assert!(world.accounts("anna@example.com").await.is_empty());

    let id = world.provision(&anna()).await;
    let disable = ApplyUserRequest {
        link: linked(&anna(), &id).link,
        ..removal(RemovalMode::Disable)
    };
    for _ in 0..2 {
        let link = world.apply_user(disable.clone()).await.unwrap().applied().link.unwrap();
        assert_eq!(link.platform_id, id);
    }
    assert_eq!(world.account("anna@example.com").await["State"], "Disabled");
    let unspecified = failed(world.apply_user(removal(RemovalMode::Unspecified)).await);
    assert_eq!(unspecified, (Code::InvalidArgument, ErrorReason::InvalidRequest));
}

#[tokio::test]
async fn what_an_intent_leads_to_is_not_removed_unless_it_can_be_ours() {
    let world = World::new().await;
    let made = world
        .strangers(json!([
            {"Name": "plain@example.com"},
            {"Name": "program@example.com", "ServiceUser": true},
            {"Name": "chief@example.com"},
        ]))
        .await;
    let group = world.sim("POST", "groups", json!({"Name": "Chiefs"})).await[0]["ID"].clone();
    let admins = json!([{"Guid": group, "Type": "Role"}]);
    world.sim("POST", "groups/sysadmin/members", admins).await;
    let path = format!("groups/{}/members", group.as_str().unwrap());
    world
        .sim("POST", &path, json!([{"Guid": made[2], "Type": "User"}]))
        .await;
    for (name, ours) in [
        ("program@example.com", false),
        ("chief@example.com", false),
        ("scim-gateway@example.com", false),
        ("plain@example.com", true),
    ] {
        for mode in [RemovalMode::Disable, RemovalMode::Remove] {
            let request = ApplyUserRequest {
                intents: Some(intents(&[name], None)),
                ..removal(mode)
            };
            let answer = world.apply_found_user(request).await;
            if ours {
                answer.unwrap();
                continue;
            }
            let status = answer.unwrap_err();
            assert_eq!(reason(&status).0, ErrorReason::PlatformProtected, "{name} {mode:?}");
            assert_eq!(world.account(name).await["State"], "None", "{name} {mode:?}");
        }
    }
    assert!(world.accounts("plain@example.com").await.is_empty());
    // Where it cannot be told, it is not removed either.
    world.strangers(json!({"Name": "plain@example.com"})).await;
    world.profile(json!({"service_user_column": false})).await;
    world.fault(json!({"method": "Roles/*", "fault": "bare404"})).await;
    world.fault(json!({"method": "SaasManage/*", "fault": "bare404"})).await;
    let request = ApplyUserRequest {
        intents: Some(intents(&["plain@example.com"], None)),
        ..removal(RemovalMode::Remove)
    };
    let status = world.apply_found_user(request).await.unwrap_err();
    assert_eq!(reason(&status).0, ErrorReason::PlatformProtected);
}

#[tokio::test]
async fn the_service_user_protected_names_and_other_directories_are_not_touched() {
    let world = World::with(&["--protected-names=chief@example.com"]).await;
    let made = world
        .strangers(json!([{"Name": "chief@example.com"}, {"Name": "fed@example.com", "SourceDs": "FDS"}]))
        .await;
    let ids = [platform_simulator::CALLER_ID, &made[0], &made[1]];
    for id in ids {
        for mode in [RemovalMode::Remove, RemovalMode::Disable] {
            let request = ApplyUserRequest {
                link: linked(&anna(), id).link,
                ..removal(mode)
            };
            let refused = failed(world.apply_user(request).await);
            assert_eq!(
                refused,
                (Code::FailedPrecondition, ErrorReason::PlatformProtected),
                "{id} {mode:?}"
            );
        }
    }
    let chief = User {
        user_name: Some("chief@example.com".to_owned()),
        active: Some(false),
        ..anna()
    };
    let disabled = failed(world.apply_user(linked(&chief, &made[0])).await);
    assert_eq!(disabled, (Code::FailedPrecondition, ErrorReason::PlatformProtected));
    let caller = failed(world.apply_user(linked(&anna(), platform_simulator::CALLER_ID)).await);
    assert_eq!(caller, (Code::FailedPrecondition, ErrorReason::PlatformProtected));
    assert_eq!(world.writes().await, 0);
}
