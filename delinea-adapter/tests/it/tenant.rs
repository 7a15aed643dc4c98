//! What holds for the whole tenant: its directory, its suffixes, its lists, its prerequisites, its traces.

use std::time::Duration;

use proto::{
    adapter::v1::{ListPlatformGroupsRequest, PlatformGroup},
    error::ErrorReason,
    resource::v1::User,
};
use serde_json::json;
use service_runtime::TelemetryArgs;
use tonic::Code;

use crate::world::{World, anna, failed, fresh, reason, start, wanted};

#[tokio::test]
async fn beside_a_federation_nobody_is_created_until_a_person_decides() {
    for (policy, federation, created) in [
        ("ask", false, true),
        ("ask", true, false),
        ("create_local", true, true),
        ("adopt_only", false, false),
    ] {
        let world = World::with(&["--directory-policy", policy]).await;
        world.profile(json!({"federation": federation})).await;
        let answer = world.apply_user(wanted(&anna())).await;
        if created {
            answer.unwrap().intent();
        } else {
            assert_eq!(
                failed(answer),
                (Code::FailedPrecondition, ErrorReason::DirectoryPolicy),
                "{policy}"
            );
        }
    }
    let world = World::new().await;
    world.fault(json!({"method": "Federation/*", "fault": "bare404"})).await;
    let refused = failed(world.apply_user(wanted(&anna())).await);
    assert_eq!(
        refused,
        (Code::FailedPrecondition, ErrorReason::DirectoryPolicy),
        "it cannot be told"
    );
}

#[tokio::test]
async fn a_suffix_that_the_platform_does_not_know_is_named() {
    let world = World::with(&["--suffix-map=corp.example=example.com"]).await;
    world.profile(json!({"suffixes": ["example.com"]})).await;
    let named = |name: &str| User {
        user_name: Some(name.to_owned()),
        ..anna()
    };
    let status = world
        .apply_user(wanted(&named("anna@elsewhere.example")))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).0),
        (Code::FailedPrecondition, ErrorReason::PlatformRefused)
    );
    assert!(
        status.message().contains("\"elsewhere.example\""),
        "{}",
        status.message()
    );
    let mapped = world.apply_user(wanted(&named("anna@corp.example"))).await.unwrap();
    assert_eq!(mapped.intent(), "anna@example.com");
    world.provision(&named("anna@Example.com")).await;
}

/// A local account beside a federated login is what that policy is for; where the Platform refuses, it says why.
#[tokio::test]
async fn beside_a_federated_login_a_local_account_is_created() {
    let world = World::with(&["--directory-policy=create_local"]).await;
    world.profile(json!({"federation": true})).await;
    world
        .strangers(json!({"Name": "anna@example.com", "SourceDs": "FDS"}))
        .await;
    let id = world.provision(&anna()).await;
    let accounts = world.accounts("anna@example.com").await;
    assert_eq!(accounts.len(), 2);
    let local = accounts.iter().find(|account| account["SourceDs"] == "CDS").unwrap();
    assert_eq!(local["ID"], id);

    let world = World::with(&["--directory-policy=create_local"]).await;
    world
        .profile(json!({"federation": true, "local_beside_federated": false}))
        .await;
    world
        .strangers(json!({"Name": "anna@example.com", "SourceDs": "FDS"}))
        .await;
    let name = world.apply_user(wanted(&anna())).await.unwrap().intent();
    let status = world.apply_user(fresh(&anna(), &name)).await.unwrap_err();
    assert_eq!(reason(&status).0, ErrorReason::PlatformObjectExists);
    assert!(status.message().contains("is already in use"), "{}", status.message());
}

/// Where the Platform does not say how many there are, every page is read.
#[tokio::test]
async fn later_pages_are_read_without_a_full_count() {
    let world = World::with(&["--page-size=3"]).await;
    world.profile(json!({"full_count": false})).await;
    let people: Vec<_> = (0..10).map(|n| json!({"Name": format!("p{n}@example.com")})).collect();
    world.strangers(json!(people)).await;
    world
        .fault(json!({"method": "entities/localusers", "fault": "bare404"}))
        .await;
    let listed = world.listed().await.unwrap();
    assert_eq!(listed.iter().filter(|user| user.name.starts_with('p')).count(), 10);
    // So what stands on a later page is found, not doubled: `_` is a wildcard, and the first pages are full of others.
    let others: Vec<_> = (0..9).map(|n| json!({"Name": format!("a{n}z@example.com")})).collect();
    world.strangers(json!(others)).await;
    world.strangers(json!({"Name": "a_z@example.com"})).await;
    let odd = User {
        user_name: Some("a_z@example.com".to_owned()),
        ..anna()
    };
    let exists = failed(world.apply_user(wanted(&odd)).await);
    assert_eq!(exists, (Code::AlreadyExists, ErrorReason::PlatformObjectExists));
}

#[tokio::test]
async fn accounts_are_listed_in_one_call_or_page_by_page() {
    let world = World::with(&["--page-size=100"]).await;
    let mut people: Vec<_> = (0..1201)
        .map(|n| json!({"Name": format!("p{n:04}@example.com"), "Mail": "m"}))
        .collect();
    people[7]["State"] = json!("Disabled");
    people.push(json!({"Name": "fed@example.com", "SourceDs": "FDS"}));
    world.strangers(json!(people)).await;
    let in_one_call = world.listed().await.unwrap();
    world
        .fault(json!({"method": "entities/localusers", "fault": "bare404"}))
        .await;
    let by_pages = world.listed().await.unwrap();
    assert_eq!(in_one_call, by_pages);
    let listed: Vec<_> = by_pages.iter().filter(|user| user.name.starts_with('p')).collect();
    assert_eq!(listed.len(), 1201);
    assert_eq!(
        (listed[7].enabled, listed[8].enabled, listed[8].mail.as_deref()),
        (Some(false), Some(true), Some("m"))
    );
    let caller = by_pages
        .iter()
        .find(|user| user.platform_id == platform_simulator::CALLER_ID)
        .unwrap();
    assert!(caller.service_user);
    assert!(
        by_pages.iter().all(|user| user.name != "fed@example.com"),
        "only local accounts"
    );
}

#[tokio::test]
async fn groups_are_listed() {
    let world = World::with(&["--page-size=2"]).await;
    let id = world.provision_group("Sales", &[]).await;
    for n in 0..5 {
        world.provision_group(&format!("g{n}"), &[]).await;
    }
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
    let mut groups: Vec<PlatformGroup> = Vec::new();
    while let Some(batch) = stream.message().await.unwrap() {
        groups.extend(batch.groups);
    }
    let of = |name: &str| groups.iter().find(|group| group.name == name).unwrap();
    assert_eq!((&of("Sales").platform_id, of("Sales").built_in), (&id, false));
    assert!(of("Everybody").built_in);
    assert_eq!(groups.iter().filter(|group| !group.built_in).count(), 6);
}

#[tokio::test]
async fn a_list_that_may_be_cut_off_is_an_error() {
    let world = World::with(&["--page-size=5", "--report-limit=20"]).await;
    let people: Vec<_> = (0..40).map(|n| json!({"Name": format!("p{n}@example.com")})).collect();
    world.strangers(json!(people)).await;
    world
        .fault(json!({"method": "entities/localusers", "fault": "bare404"}))
        .await;
    let status = world.listed().await.unwrap_err();
    assert_eq!(reason(&status).0, ErrorReason::PlatformUnavailable);
}

#[tokio::test]
async fn a_token_that_does_not_come_holds_up_no_stop() {
    let world = World::new().await;
    let tokens = world.calls("token").await;
    world
        .fault(json!({"method": "token", "fault": "slow", "delay_ms": 60_000}))
        .await;
    let url = world.platform.url();
    let arguments = [
        "adapter",
        "--listen=127.0.0.1:0",
        "--platform-url",
        &url,
        "--platform-client-id=scim-gateway@example.com",
        "--platform-client-secret=simulated-secret",
        "--platform-timeout=60s",
    ];
    let adapter = start(&arguments).await;
    let began = tokio::time::Instant::now();
    while world.calls("token").await <= tokens {
        assert!(began.elapsed().as_secs() < 20, "no token is asked for");
    }
    assert!(adapter.stop(Duration::from_secs(20)).await, "it is over at once");
}

#[tokio::test]
async fn every_call_carries_the_trace_of_its_request() {
    let _telemetry = service_runtime::telemetry::init("test", &TelemetryArgs::default()).unwrap();
    let world = World::new().await;
    let name = world.apply_user(wanted(&anna())).await.unwrap().intent();
    let recent = world.sim("GET", "calls", json!(null)).await;
    let trace = |call: &serde_json::Value| {
        call["traceparent"]
            .as_str()
            .unwrap_or_default()
            .get(3..35)
            .map(str::to_owned)
    };
    let calls: Vec<_> = recent
        .as_array()
        .unwrap()
        .iter()
        .filter(|call| call["method"] != "token")
        .collect();
    assert!(calls.len() >= 3, "{recent}");
    assert!(trace(calls[0]).is_some(), "{recent}");
    assert!(calls.iter().all(|call| trace(call) == trace(calls[0])), "{recent}");
    let spans: std::collections::HashSet<_> = calls.iter().map(|call| call["traceparent"].as_str()).collect();
    assert_eq!(spans.len(), calls.len(), "each call has a span of its own");
    world.apply_user(fresh(&anna(), &name)).await.unwrap().applied();
}
