//! What goes wrong on the way: nothing is doubled, and the answer says whether to come back.

use std::time::Duration;

use proto::{
    adapter::v1::{ApplyUserRequest, RemovalMode},
    error::ErrorReason,
    resource::v1::User,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::world::{
    World, anna, failed, fault, fresh, intended, intents, linked, reason, removal, says_not_created, wanted,
    wanted_group,
};

const CREATE: &str = "CDirectoryService/CreateUser";
const CHANGE: &str = "CDirectoryService/ChangeUser";

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_linked_and_not_doubled() {
    for lost in ["lost_answer", "truncated", "slow", "error", "html", "failure"] {
        // The answer that is slow comes after five seconds.
        let world = World::with(if lost == "slow" {
            &["--platform-timeout=3s"]
        } else {
            &[]
        })
        .await;
        let name = world.apply_user(wanted(&anna())).await.unwrap().intent();
        let mut rule = fault(CREATE, lost, 1);
        if matches!(lost, "error" | "html" | "failure") {
            rule["after"] = true.into();
            rule["status"] = 500.into();
        }
        world.fault(rule).await;
        let applied = world.apply_found_user(fresh(&anna(), &name)).await.unwrap();
        assert!(!applied.adopted, "{lost}");
        assert_eq!(
            world.account(&name).await["ID"],
            applied.link.unwrap().platform_id,
            "{lost}"
        );
        assert_eq!(world.calls(CREATE).await, 1, "{lost}");
    }
}

#[tokio::test]
async fn a_create_that_cannot_be_read_back_is_later_and_then_found() {
    let world = World::new().await;
    let name = world.apply_user(wanted(&anna())).await.unwrap().intent();
    world
        .fault(json!([fault(CREATE, "lost_answer", 1), {"method": "Report/RunReport", "fault": "error"}]))
        .await;
    let uncertain = failed(world.apply_user(fresh(&anna(), &name)).await);
    assert_eq!(uncertain, (Code::Unavailable, ErrorReason::PlatformUncertain));
    world.no_faults().await;
    let applied = world.apply_found_user(intended(&anna(), &[&name])).await.unwrap();
    assert_eq!(world.account(&name).await["ID"], applied.link.unwrap().platform_id);
    assert_eq!(world.calls(CREATE).await, 1);
}

#[tokio::test]
async fn a_create_that_was_not_done_is_sent_again_by_the_next_request_only() {
    for nothing_done in ["error", "drop", "html"] {
        let world = World::new().await;
        let name = world.apply_user(wanted(&anna())).await.unwrap().intent();
        world.fault(fault(CREATE, nothing_done, 1)).await;
        let uncertain = failed(world.apply_user(fresh(&anna(), &name)).await);
        assert_eq!(
            uncertain,
            (Code::Unavailable, ErrorReason::PlatformUncertain),
            "{nothing_done}"
        );
        assert_eq!(world.calls(CREATE).await, 1, "{nothing_done}");
        world.apply_user(intended(&anna(), &[&name])).await.unwrap().applied();
        world.account(&name).await;
    }
}

#[tokio::test]
async fn a_create_that_broke_off_before_disabling_is_finished_under_its_intent() {
    let world = World::new().await;
    let off = User {
        active: Some(false),
        ..anna()
    };
    let name = world.apply_user(wanted(&off)).await.unwrap().intent();
    world.fault(fault("CDirectoryService/SetUserState", "error", 1)).await;
    let later = failed(world.apply_user(fresh(&off, &name)).await);
    assert_eq!(later, (Code::Unavailable, ErrorReason::PlatformUnavailable));
    world.apply_found_user(intended(&off, &[&name])).await.unwrap();
    assert_eq!(world.account(&name).await["State"], "Disabled");
}

/// Whoever makes the account by hand afterwards must not have it taken for ours.
#[tokio::test]
async fn a_create_that_certainly_did_nothing_says_so() {
    let refused = |message: &str| json!({"method": CREATE, "fault": "failure", "times": 1, "message": message});
    for (rule, not_created) in [
        (refused("The parameter Mail is not valid."), true),
        (refused("You lack the permission"), true),
        (refused("Something is wrong"), true),
        (refused("Please try again later"), false),
        (fault(CREATE, "throttle", 1), true),
        (fault(CREATE, "bare404", 1), true),
        (fault(CREATE, "unauthorized", 2), true),
        (fault(CREATE, "error", 1), false),
        (fault(CREATE, "drop", 1), false),
        // Before the create: nothing was created, whatever it was.
        (fault("Federation/GetFederations", "error", 1), true),
        // Behind it: it stands.
        (fault("CDirectoryService/SetUserState", "throttle", 1), false),
    ] {
        let world = World::new().await;
        let off = User {
            active: Some(false),
            ..anna()
        };
        // The intent was noted by an adapter that knew more of the tenant than this one.
        world.fault(rule.clone()).await;
        let status = world.apply_user(fresh(&off, "anna@example.com")).await.unwrap_err();
        assert_eq!(says_not_created(&status), not_created, "{rule}: {status:?}");
    }
    let world = World::new().await;
    let mut group = wanted_group("Sales");
    group.intents = Some(intents(&["Sales"], Some("Sales")));
    for (kind, not_created) in [("throttle", true), ("failure", true), ("error", false)] {
        world.fault(fault("Roles/StoreRole", kind, 1)).await;
        let status = world.apply_group(group.clone()).await.unwrap_err();
        assert_eq!(says_not_created(&status), not_created, "{kind}: {status:?}");
    }
}

#[tokio::test]
async fn a_server_error_is_no_refusal_and_says_when_to_come_back() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    let other = User {
        display_name: Some("Other".to_owned()),
        ..anna()
    };
    for (status, message) in [(500, "Object reference not set"), (200, "Please try again later")] {
        let rule = json!({"method": CHANGE, "fault": "failure", "times": 1, "message": message, "status": status});
        world.fault(rule).await;
        let later = failed(world.apply_user(linked(&other, &id)).await);
        assert_eq!(
            later,
            (Code::Unavailable, ErrorReason::PlatformUnavailable),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_busy_platform_says_when_to_come_back() {
    let other = User {
        display_name: Some("Other".to_owned()),
        ..anna()
    };
    for busy in ["throttle", "unavailable"] {
        let world = World::new().await;
        let id = world.provision(&anna()).await;
        world
            .fault(json!({"method": CHANGE, "fault": busy, "times": 1, "retry_after_s": 7}))
            .await;
        let status = world.apply_user(linked(&other, &id)).await.unwrap_err();
        let (why, details) = reason(&status);
        assert_eq!(
            (status.code(), why),
            (Code::ResourceExhausted, ErrorReason::PlatformThrottled),
            "{busy}"
        );
        assert_eq!(details.retry_after, Some(Duration::from_secs(7)), "{busy}");
        assert_eq!(details.metadata["method"], CHANGE);
        let calls = world.calls("UserMgmt/GetUserAttributes").await;
        let again = world.apply_user(linked(&other, &id)).await;
        if busy == "unavailable" {
            again.unwrap().applied();
            continue;
        }
        // All calls wait when the Platform says that there are too many.
        let (why, details) = reason(&again.unwrap_err());
        assert_eq!(why, ErrorReason::PlatformThrottled);
        assert!(details.retry_after.unwrap() <= Duration::from_secs(7));
        assert_eq!(world.calls("UserMgmt/GetUserAttributes").await, calls);
    }
}

/// The caller would be told no more than that its time is over; so it is told before.
#[tokio::test]
async fn a_call_ends_in_its_own_words_before_its_caller_leaves() {
    let world = World::new().await;
    world
        .fault(json!({"method": CREATE, "fault": "slow", "delay_ms": 60_000}))
        .await;
    let request = ApplyUserRequest {
        tenant: "default".to_owned(),
        ..fresh(&anna(), "anna@example.com")
    };
    let mut request = tonic::Request::new(request);
    request.set_timeout(Duration::from_secs(4));
    let status = world.client.clone().apply_user(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).0),
        (Code::Unavailable, ErrorReason::PlatformUncertain)
    );
    assert!(!says_not_created(&status));
}

#[tokio::test]
async fn calls_keep_to_the_rate_that_is_set() {
    // Each process has half of it: a second's allowance is two calls, and a further one goes out each half second.
    let world = World::with(&["--max-rps=4", "--adapter-replicas=2"]).await;
    let id = world.provision(&anna()).await;
    let before = world.calls("UserMgmt/GetUserAttributes").await;
    let began = tokio::time::Instant::now();
    for _ in 0..6 {
        world.apply_user(linked(&anna(), &id)).await.unwrap().applied();
    }
    let calls = world.calls("UserMgmt/GetUserAttributes").await - before;
    assert_eq!(calls, 6);
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_token_that_ends_on_the_way_is_replaced_and_the_call_replayed() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    let tokens = world.calls("token").await;
    assert_eq!(tokens, 0, "the token of the start serves all calls");
    world.sim("DELETE", "tokens", Value::Null).await;
    let other = User {
        display_name: Some("Other".to_owned()),
        ..anna()
    };
    world.apply_user(linked(&other, &id)).await.unwrap().applied();
    assert_eq!(world.calls("token").await, tokens + 1);
    world.fault(fault(CHANGE, "unauthorized", 1)).await;
    world.apply_user(linked(&anna(), &id)).await.unwrap().applied();
    assert_eq!(world.account("anna@example.com").await["DisplayName"], "Anna Berg");
    world.fault(fault(CHANGE, "unauthorized", 2)).await;
    let denied = failed(world.apply_user(linked(&other, &id)).await);
    assert_eq!(denied, (Code::Unavailable, ErrorReason::PlatformCredentials));
}

#[tokio::test]
async fn one_token_is_asked_for_however_many_wait_for_it() {
    let world = World::with(&["--max-concurrency=32"]).await;
    let id = world.provision(&anna()).await;
    world.sim("DELETE", "tokens", Value::Null).await;
    let before = world.calls("token").await;
    let calls = (0..16).map(|_| {
        let (mut client, request) = (world.client.clone(), linked(&anna(), &id));
        tokio::spawn(async move {
            client
                .apply_user(ApplyUserRequest {
                    tenant: "default".to_owned(),
                    ..request
                })
                .await
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(world.calls("token").await, before + 1);
}

#[tokio::test]
async fn wrong_credentials_are_later_because_a_secret_can_be_rotated() {
    let world = World::with(&["--platform-client-secret=wrong"]).await;
    let denied = failed(world.apply_user(wanted(&anna())).await);
    assert_eq!(denied, (Code::Unavailable, ErrorReason::PlatformCredentials));
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_later() {
    let world = World::with(&["--platform-url=http://127.0.0.1:1"]).await;
    let gone = failed(world.apply_user(wanted(&anna())).await);
    assert_eq!(gone, (Code::Unavailable, ErrorReason::PlatformUnavailable));
    let status = world.apply_user(fresh(&anna(), "anna@example.com")).await.unwrap_err();
    assert!(says_not_created(&status), "{status:?}");
}

#[tokio::test]
async fn a_call_that_is_not_exposed_does_not_mean_that_the_account_is_gone() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    world.fault(fault("UserMgmt/GetUserAttributes", "bare404", 1)).await;
    let refused = failed(world.apply_user(linked(&anna(), &id)).await);
    assert_eq!(refused, (Code::FailedPrecondition, ErrorReason::PlatformNotExposed));
    world.fault(fault("UserMgmt/GetUserAttributes", "failure", 1)).await;
    let refused = failed(world.apply_user(linked(&anna(), &id)).await);
    assert_eq!(
        refused,
        (Code::FailedPrecondition, ErrorReason::PlatformRefused),
        "a report still has the account"
    );
    assert_eq!(world.calls(CREATE).await, 1);
}

#[tokio::test]
async fn refusals_carry_the_platforms_words() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    let other = User {
        display_name: Some("Other".to_owned()),
        ..anna()
    };
    for (message, error_id, code) in [
        ("The display name is cursed", "", Code::FailedPrecondition),
        ("Value is not valid", "", Code::InvalidArgument),
        ("You lack the permission", "", Code::PermissionDenied),
        ("Step up", "ChallengeRequired", Code::FailedPrecondition),
    ] {
        let rule = json!({"method": CHANGE, "fault": "failure", "times": 1, "message": message, "error_id": error_id});
        world.fault(rule).await;
        let status = world.apply_user(linked(&other, &id)).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).0),
            (code, ErrorReason::PlatformRefused),
            "{message}"
        );
        assert!(status.message().contains(message), "{}", status.message());
    }
}

#[tokio::test]
async fn a_removal_whose_answer_is_lost_is_read_back() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    let request = ApplyUserRequest {
        link: linked(&anna(), &id).link,
        ..removal(RemovalMode::Remove)
    };
    world.fault(fault("UserMgmt/RemoveUsers", "error", 1)).await;
    let later = failed(world.apply_user(request.clone()).await);
    assert_eq!(later, (Code::Unavailable, ErrorReason::PlatformUncertain));
    world.fault(fault("UserMgmt/RemoveUsers", "lost_answer", 1)).await;
    world.apply_user(request).await.unwrap().applied();
    assert!(world.accounts("anna@example.com").await.is_empty());
    assert_eq!(world.calls("UserMgmt/RemoveUsers").await, 2);
}
