//! Accounts: created once, changed only where they differ, renamed, disabled, removed.

use proto::{
    adapter::v1::{ApplyUserRequest, RemovalMode},
    error::ErrorReason,
    resource::v1::User,
};
use serde_json::json;
use tonic::Code;

use crate::world::{World, anna, confirmed, failed, fresh, intended, intents, linked, reason, removal, wanted};

#[tokio::test]
async fn an_account_is_created_after_its_intent_and_then_left_alone() {
    let world = World::new().await;
    let before = world.writes().await;
    assert_eq!(
        world.apply_user(wanted(&anna())).await.unwrap().intent(),
        "anna@example.com"
    );
    assert_eq!(
        world.writes().await,
        before,
        "nothing is written before the intent is on record"
    );
    let applied = world
        .apply_user(fresh(&anna(), "anna@example.com"))
        .await
        .unwrap()
        .applied();
    assert!(!applied.adopted);
    let link = applied.link.unwrap();
    assert_eq!(link.backend, "rpc");
    let account = world.account("anna@example.com").await;
    assert_eq!(account["ID"], link.platform_id);
    let shown = [
        &account["DisplayName"],
        &account["Mail"],
        &account["OfficeNumber"],
        &account["State"],
    ];
    assert_eq!(shown, ["Anna Berg", "anna.berg@example.com", "+1 555", "None"]);
    assert_eq!(
        (&account["InEverybodyRole"], &account["ServiceUser"]),
        (&json!(true), &json!(false))
    );

    let written = world.writes().await;
    for _ in 0..2 {
        world
            .apply_user(linked(&anna(), &link.platform_id))
            .await
            .unwrap()
            .applied();
    }
    assert_eq!(world.writes().await, written, "nothing differs, nothing is written");
    assert_eq!(
        world.calls("Report/RunReport").await,
        1,
        "a linked account is read by its id"
    );
}

#[tokio::test]
async fn each_difference_is_written_and_absent_values_are_cleared() {
    let world = World::new().await;
    let boss = world
        .provision(&User {
            user_name: Some("boss@example.com".to_owned()),
            ..anna()
        })
        .await;
    let id = world.provision(&anna()).await;
    let moved = User {
        display_name: Some("Anna Holm".to_owned()),
        phone_numbers: vec![],
        preferred_language: Some("sv-SE".to_owned()),
        ..anna()
    };
    let with_boss = ApplyUserRequest {
        manager_platform_id: Some(boss.clone()),
        ..linked(&moved, &id)
    };
    world.apply_user(with_boss).await.unwrap().applied();
    let account = world.account("anna@example.com").await;
    let fields = ["DisplayName", "OfficeNumber", "PreferredCulture", "ReportsTo", "Mail"];
    assert_eq!(
        fields.map(|field| account[field].clone()),
        ["Anna Holm", "", "sv-SE", &boss, "anna.berg@example.com"]
    );
    world.apply_user(linked(&moved, &id)).await.unwrap().applied();
    assert_eq!(world.account("anna@example.com").await["ReportsTo"], "");
    world.writes().await;
}

/// What was shown before must not pass for what is there: the next change would then find nothing to change.
#[tokio::test]
async fn a_lagging_display_name_is_waited_for_and_no_failure() {
    let world = World::with(&["--read-back-timeout=20s"]).await;
    let id = world.provision(&anna()).await;
    world.profile(json!({"display_name_lag_ms": 300})).await;
    let called = |name: &str| User {
        display_name: Some(name.to_owned()),
        ..anna()
    };
    for name in ["Anna Holm", "Anna Berg", "Anna Holm"] {
        world.apply_user(linked(&called(name), &id)).await.unwrap().applied();
        assert_eq!(world.account("anna@example.com").await["DisplayName"], name);
    }
    // Nobody waits for ever.
    let world = World::with(&["--read-back-timeout=100ms"]).await;
    let id = world.provision(&anna()).await;
    world.profile(json!({"display_name_lag_ms": 60_000})).await;
    world
        .apply_user(linked(&called("Anna Holm"), &id))
        .await
        .unwrap()
        .applied();
    assert_eq!(world.account("anna@example.com").await["DisplayName"], "Anna Holm");
}

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
async fn a_login_name_moves_unless_it_is_taken() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    world.strangers(json!({"Name": "taken@example.com"})).await;
    let renamed = |name: &str| User {
        user_name: Some(name.to_owned()),
        ..anna()
    };
    let status = world
        .apply_user(linked(&renamed("Taken@example.com"), &id))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).0),
        (Code::AlreadyExists, ErrorReason::PlatformObjectExists)
    );
    assert_eq!(reason(&status).1.metadata["platform_name"], "taken@example.com");
    world
        .apply_user(linked(&renamed("anna.holm@example.com"), &id))
        .await
        .unwrap()
        .applied();
    assert_eq!(world.account("anna.holm@example.com").await["ID"], id);
    assert!(world.accounts("anna@example.com").await.is_empty());
    let written = world.writes().await;
    world
        .apply_user(linked(&renamed("ANNA.holm@example.com"), &id))
        .await
        .unwrap()
        .applied();
    assert_eq!(world.writes().await, written, "case alone is no rename");
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
    for request in [linked(&off, &id), disable] {
        let status = world.apply_user(request).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).0),
            (Code::FailedPrecondition, ErrorReason::PlatformNotExposed)
        );
        assert!(status.message().contains("locked"), "{}", status.message());
        assert_eq!(world.account("anna@example.com").await["CloudLocked"], true);
        world
            .sim("PATCH", &format!("users/{id}"), json!({"CloudLocked": false}))
            .await;
    }
    let other = User {
        user_name: Some("bo@example.com".to_owned()),
        ..off
    };
    world.apply_user(fresh(&other, "bo@example.com")).await.unwrap_err();
    assert_eq!(world.account("bo@example.com").await["CloudLocked"], true);
}

/// What does not say whom it is about is no account that could be compared with anything.
#[tokio::test]
async fn an_answer_about_nobody_is_no_answer() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    let written = world.writes().await;
    world.profile(json!({"attributes_identify": false})).await;
    let off = User {
        active: Some(false),
        ..anna()
    };
    let later = failed(world.apply_user(linked(&off, &id)).await);
    assert_eq!(later, (Code::Unavailable, ErrorReason::PlatformUnavailable));
    assert_eq!(world.writes().await, written);
}

#[tokio::test]
async fn names_with_wildcards_find_only_themselves() {
    let world = World::with(&["--page-size=2"]).await;
    let others: Vec<_> = (0..7).map(|n| json!({"Name": format!("a{n}b@example.com")})).collect();
    world.strangers(json!(others)).await;
    let odd = User {
        user_name: Some("a_b@example.com".to_owned()),
        ..anna()
    };
    let id = world.provision(&odd).await;
    let found = world
        .apply_found_user(intended(&odd, &["a_b@example.com"]))
        .await
        .unwrap();
    assert_eq!(found.link.unwrap().platform_id, id);
}

#[tokio::test]
async fn a_linked_account_that_is_gone_is_made_anew_by_the_protocol() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    world.sim("DELETE", &format!("users/{id}"), json!(null)).await;
    let name = world.apply_user(linked(&anna(), &id)).await.unwrap().intent();
    let again = ApplyUserRequest {
        intents: Some(intents(&[&name], Some(&name))),
        ..linked(&anna(), &id)
    };
    let link = world.apply_user(again).await.unwrap().applied().link.unwrap();
    assert_ne!(link.platform_id, id);
    assert_eq!(world.account(&name).await["ID"], link.platform_id);
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

/// What is found by a name alone is asked about, and what cannot have been created by us is not touched.
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

#[tokio::test]
async fn requests_without_sense_are_refused() {
    let world = World::new().await;
    let nameless = User {
        user_name: None,
        ..anna()
    };
    let suffixless = User {
        user_name: Some("anna".to_owned()),
        ..anna()
    };
    for request in [
        wanted(&nameless),
        wanted(&suffixless),
        linked(&anna(), " "),
        ApplyUserRequest::default(),
    ] {
        let refused = failed(world.apply_user(request).await);
        assert_eq!(refused, (Code::InvalidArgument, ErrorReason::InvalidRequest));
    }
    let elsewhere = ApplyUserRequest {
        tenant: "other".to_owned(),
        ..wanted(&anna())
    };
    let status = world.client.clone().apply_user(elsewhere).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).0),
        (Code::NotFound, ErrorReason::UnknownTenant)
    );
    assert_eq!(world.writes().await, 0);
}
