//! Accounts: created once, changed only where they differ, renamed, disabled, removed.

use proto::{
    adapter::v1::{ApplyUserRequest, RemovalMode},
    error::ErrorReason,
    resource::v1::User,
};
use serde_json::json;
use tonic::Code;

use crate::world::{World, anna, failed, fresh, intended, intents, linked, reason, removal, wanted};

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

#[tokio::test]
async fn a_lagging_display_name_is_no_failure() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    world.profile(json!({"display_name_lag_ms": 60_000})).await;
    let renamed = User {
        display_name: Some("Anna Holm".to_owned()),
        ..anna()
    };
    world.apply_user(linked(&renamed, &id)).await.unwrap().applied();
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
async fn a_rename_that_is_switched_off_is_refused_before_anything_is_written() {
    let world = World::with(&["--allow-rename=false"]).await;
    let id = world.provision(&anna()).await;
    let written = world.writes().await;
    let other = User {
        user_name: Some("b@example.com".to_owned()),
        active: Some(false),
        ..anna()
    };
    let refused = failed(world.apply_user(linked(&other, &id)).await);
    assert_eq!(refused, (Code::FailedPrecondition, ErrorReason::PlatformRefused));
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
        .apply_user(intended(&odd, &["a_b@example.com"]))
        .await
        .unwrap()
        .applied();
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
    world.apply_user(by_intent).await.unwrap().applied();
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
