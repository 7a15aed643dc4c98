//! Accounts: created once, changed only where they differ, renamed.

use proto::{adapter::v1::ApplyUserRequest, error::ErrorReason, resource::v1::User};
use serde_json::json;
use tonic::Code;

use crate::world::{World, anna, failed, fresh, intended, intents, linked, reason, wanted};

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

/// What is found by a name alone is asked about, and what cannot have been created by us is not touched.
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
