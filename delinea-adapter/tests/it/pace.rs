//! How fast a Platform that takes less than is set is called, and that nothing is sent for a caller who is about to leave.

mod long;

use std::time::Duration;

use proto::{adapter::v1::ApplyUserRequest, error::ErrorReason};
use serde_json::json;
use tonic::{Code, Status};

use crate::world::{World, anna, fresh, linked, reason};

const READ: &str = "UserMgmt/GetUserAttributes";

/// Asks for a user to be as it is, within a time.
async fn apply(world: &World, request: ApplyUserRequest, time: Duration) -> Result<(), Status> {
    let request = ApplyUserRequest {
        tenant: "default".to_owned(),
        ..request
    };
    let mut request = tonic::Request::new(request);
    request.set_timeout(time);
    world.client.clone().apply_user(request).await.map(drop)
}

#[tokio::test]
async fn a_call_whose_turn_would_come_too_late_is_not_sent_and_so_not_in_doubt() {
    let world = World::with(&["--max-concurrency=1"]).await;
    let id = world.provision(&anna()).await;
    world
        .fault(json!({"method": READ, "fault": "slow", "delay_ms": 8_000, "times": 1}))
        .await;
    let slow = apply(&world, linked(&anna(), &id), Duration::from_secs(60));
    let others = async {
        while world.calls(READ).await < 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let before = world.calls(READ).await;
        // The only place is taken: neither is sent, and a create certainly created nothing.
        let (changed, created) = tokio::join!(
            apply(&world, linked(&anna(), &id), Duration::from_secs(2)),
            apply(&world, fresh(&anna(), "anna@example.com"), Duration::from_secs(2)),
        );
        for status in [changed.unwrap_err(), created.unwrap_err()] {
            let (why, details) = reason(&status);
            assert_eq!(
                (status.code(), why),
                (Code::Unavailable, ErrorReason::PlatformUnavailable),
                "{status:?}"
            );
            assert!(details.metadata.contains_key("method"));
        }
        assert_eq!(world.calls(READ).await, before);
    };
    let (slow, ()) = tokio::join!(slow, others);
    slow.unwrap();
    // Nothing is left hanging: the place is free again.
    apply(&world, linked(&anna(), &id), Duration::from_secs(30))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_place_is_free_again_when_its_caller_gave_up() {
    let world = World::with(&["--max-concurrency=1"]).await;
    let id = world.provision(&anna()).await;
    world
        .fault(json!({"method": READ, "fault": "slow", "delay_ms": 60_000, "times": 1}))
        .await;
    let cut = apply(&world, linked(&anna(), &id), Duration::from_secs(2))
        .await
        .unwrap_err();
    assert_eq!(
        (cut.code(), reason(&cut).0),
        (Code::Unavailable, ErrorReason::PlatformUncertain)
    );
    apply(&world, linked(&anna(), &id), Duration::from_secs(30))
        .await
        .unwrap();
}
