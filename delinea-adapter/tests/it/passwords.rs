//! Who makes the password of a new account, and what becomes of one that is refused.

use proto::{adapter::v1::ApplyUserRequest, error::ErrorReason};
use serde_json::{Value, json};
use tonic::Code;

use crate::world::{World, anna, fault, fresh, intents, reason};

const CREATE: &str = "CDirectoryService/CreateUser";
const GENERATE: &str = "Core/GeneratePassword";
const NAME: &str = "anna@example.com";

fn create() -> ApplyUserRequest {
    fresh(&anna(), NAME)
}

fn too_weak(times: u64) -> Value {
    json!({"method": CREATE, "fault": "failure", "times": times, "message": "The password does not meet the policy."})
}

/// How often a create was sent, and a password asked for.
async fn calls(world: &World) -> (u64, u64) {
    (world.calls(CREATE).await, world.calls(GENERATE).await)
}

#[tokio::test]
async fn the_source_makes_the_password() {
    for (source, asked) in [("local", 0), ("platform", 1)] {
        let world = World::with(&["--password-source", source, "--password-length=40"]).await;
        // What the other would make by its own defaults is too short.
        world.profile(json!({"password_min_length": 40})).await;
        world.apply_user(create()).await.unwrap().applied();
        assert_eq!(calls(&world).await, (1, asked), "{source}");
    }
}

#[tokio::test]
async fn a_password_that_is_too_weak_is_made_once_more_by_the_other() {
    for (source, asked) in [("local", 1), ("platform", 1)] {
        let world = World::with(&["--password-source", source]).await;
        world.fault(too_weak(1)).await;
        world.apply_user(create()).await.unwrap().applied();
        assert_eq!(calls(&world).await, (2, asked), "{source}");
        assert_eq!(world.accounts(NAME).await.len(), 1);
    }
}

#[tokio::test]
async fn two_that_are_too_weak_are_refused_with_the_settings_named() {
    for source in ["local", "platform"] {
        let world = World::with(&["--password-source", source]).await;
        // The tenant's own policy, not a fault: 32 characters are too few, whoever makes them.
        world.profile(json!({"password_min_length": 64})).await;
        let status = world.apply_user(create()).await.unwrap_err();
        let (why, details) = reason(&status);
        assert_eq!(
            (status.code(), why),
            (Code::InvalidArgument, ErrorReason::PlatformRefused)
        );
        assert_eq!(details.metadata["created"], "no");
        for said in [
            "does not meet the policy",
            "PASSWORD_SOURCE",
            "PASSWORD_LENGTH",
            "PASSWORD_SYMBOLS",
        ] {
            assert!(status.message().contains(said), "{status:?}");
        }
        assert_eq!(calls(&world).await, (2, 1), "{source}: once more and no more");
        assert!(world.accounts(NAME).await.is_empty());
    }
}

/// Where the Platform makes none for good, the account is made all the same; where it may in a while, that is waited for.
#[tokio::test]
async fn a_platform_that_makes_no_password_is_told_from_one_that_cannot_now() {
    let world = World::with(&["--password-source=platform"]).await;
    world.fault(fault(GENERATE, "bare404", 9)).await;
    world.apply_user(create()).await.unwrap().applied();
    assert_eq!(calls(&world).await, (1, 1));

    for rule in [
        fault(GENERATE, "error", 9),
        fault(GENERATE, "throttle", 9),
        fault(GENERATE, "drop", 9),
    ] {
        let world = World::with(&["--password-source=platform"]).await;
        world.fault(rule.clone()).await;
        let status = world.apply_user(create()).await.unwrap_err();
        assert!(
            matches!(status.code(), Code::Unavailable | Code::ResourceExhausted),
            "{rule}: {status:?}"
        );
        assert_eq!(reason(&status).1.metadata["created"], "no", "{rule}");
        assert_eq!(world.calls(CREATE).await, 0, "{rule}: nothing was sent");
    }

    // The local one was refused, and there is no other: the Platform's words are kept.
    let world = World::new().await;
    world.fault(fault(GENERATE, "bare404", 9)).await;
    world.fault(too_weak(9)).await;
    let status = world.apply_user(create()).await.unwrap_err();
    assert!(status.message().contains("PASSWORD_SOURCE"), "{status:?}");
    assert_eq!(calls(&world).await, (1, 1));
    let world = World::with(&["--password-source=platform"]).await;
    world.fault(fault(GENERATE, "bare404", 9)).await;
    world.fault(too_weak(9)).await;
    assert_eq!(
        world.apply_user(create()).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    assert_eq!(calls(&world).await, (1, 1), "the local one was the second already");
}

/// The second create may get lost like any other.
#[tokio::test]
async fn a_second_create_whose_answer_is_lost_is_read_back() {
    let world = World::new().await;
    world.fault(too_weak(1)).await;
    world
        .fault(json!({"method": CREATE, "fault": "lost_answer", "times": 1}))
        .await;
    let request = ApplyUserRequest {
        intents: Some(intents(&[NAME], Some(NAME))),
        ..create()
    };
    let applied = world.apply_found_user(request).await.unwrap();
    assert_eq!(world.account(NAME).await["ID"], applied.link.unwrap().platform_id);
    assert_eq!(world.calls(CREATE).await, 2);
}

/// A policy of the adapter's own makes what a strict tenant wants.
#[tokio::test]
async fn long_passwords_of_few_symbols_can_be_asked_for() {
    let world = World::with(&[
        "--password-length=64",
        "--password-each-kind=16",
        "--password-symbols=-",
    ])
    .await;
    world.profile(json!({"password_min_length": 64})).await;
    world.apply_user(create()).await.unwrap().applied();
    assert_eq!(calls(&world).await, (1, 0));
}
