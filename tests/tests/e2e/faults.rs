//! The Platform goes wrong in every way it can: SCIM goes on answering, everything arrives in the end, and nothing is
//! doubled (P1, P2, P4).

mod clock;
mod long;
mod outage;
mod races;

use entra_simulator::{Directory, Knobs, VerifyOptions, verify};
use proto::identity::v1::DeliveryState;
use serde_json::json;
use tokio::time::Instant;

use crate::deployment::{BUILT_IN, Deployment, Setup, fault, user};

const WRITES: [&str; 7] = [
    "CDirectoryService/CreateUser",
    "CDirectoryService/ChangeUser",
    "CDirectoryService/SetUserState",
    "UserMgmt/RemoveUsers",
    "Roles/StoreRole",
    "Roles/UpdateRole",
    "SaasManage/DeleteRole",
];

fn patient() -> Setup {
    Setup::default().adapter(&["--platform-timeout=300ms", "--read-back-timeout=500ms"])
}

/// Everything that a client does, all answered with 2xx whatever the Platform does meanwhile. Then what must have come
/// of it on the Platform.
async fn story(it: &Deployment) {
    let name = |who: &str| format!("{who}@kestrel.example");
    let mut ids = Vec::new();
    for who in ["anna", "bert", "cora", "dora"] {
        ids.push(it.scim.create_user(&name(who)).await);
    }
    let rack = it.scim.create_group("Rack", &ids).await;
    let door = it.scim.create_group("Door", &ids[..2]).await;
    it.settled().await;
    for (path, operation) in [
        (
            format!("/Users/{}", ids[0]),
            json!({"op": "Replace", "path": "userName", "value": name("anna.roy")}),
        ),
        (
            format!("/Users/{}", ids[1]),
            json!({"op": "Replace", "path": "active", "value": "False"}),
        ),
        (
            format!("/Users/{}", ids[1]),
            json!({"op": "Add", "path": "manager", "value": ids[0]}),
        ),
        (
            format!("/Groups/{rack}"),
            json!({"op": "Remove", "path": "members", "value": [{"value": ids[2]}]}),
        ),
        (
            format!("/Groups/{rack}"),
            json!({"op": "Replace", "path": "displayName", "value": "Racks"}),
        ),
    ] {
        it.scim.patch(&path, operation).await.expect(204);
    }
    it.scim.delete(&format!("/Users/{}", ids[3])).await.expect(204);
    it.scim.delete(&format!("/Groups/{door}")).await.expect(204);
    it.settled().await;

    assert_eq!(it.refused().await, []);
    assert_eq!(
        it.platform.names().await,
        [name("anna.roy"), name("bert"), name("cora")]
    );
    assert_eq!(it.platform.group_names().await, ["Racks"]);
    assert_eq!(
        it.platform.members("Racks").await,
        [name("anna.roy"), name("bert")].into()
    );
    let bert = it.platform.account(&name("bert")).await;
    assert_eq!(bert["State"], "Disabled");
    assert_eq!(bert["ReportsTo"], it.platform.account(&name("anna.roy")).await["ID"]);
}

#[tokio::test]
async fn a_platform_that_throttles_or_fails_gets_everything_in_the_end() {
    for rule in [
        json!({"method": "*", "fault": "throttle", "times": 12, "retry_after_s": 0}),
        json!({"method": "*", "fault": "error", "times": 12}),
        json!({"method": "*", "fault": "unavailable", "times": 12}),
        json!({"method": "*", "fault": "html", "times": 12}),
        json!({"method": "*", "fault": "drop", "times": 12}),
        json!({"method": "*", "fault": "unauthorized", "times": 6}),
        json!({"method": "token", "fault": "error", "times": 3}),
    ] {
        let it = patient().start().await;
        it.platform.fault(rule.clone()).await;
        it.platform.revoke_tokens().await;
        story(&it).await;
        let hits = it.platform.hits().await[0];
        assert!(hits >= 1, "{rule}: hit {hits} calls");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_write_doubles_nothing() {
    let it = patient().start().await;
    for method in WRITES {
        it.platform.fault(fault(method, "lost_answer", 2)).await;
    }
    story(&it).await;
    assert_eq!(it.platform.hits().await[0], 2, "creates were hit");
    assert!(
        it.platform.hits().await.iter().all(|hits| *hits > 0),
        "{:?}",
        it.platform.hits().await
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_short_doubles_nothing() {
    let it = patient().start().await;
    for method in WRITES {
        it.platform.fault(fault(method, "truncated", 2)).await;
    }
    story(&it).await;
    assert!(
        it.platform.hits().await.iter().all(|hits| *hits > 0),
        "{:?}",
        it.platform.hits().await
    );
}

#[tokio::test]
async fn a_write_that_outlasts_the_time_limit_doubles_nothing() {
    let it = patient().start().await;
    for method in ["CDirectoryService/CreateUser", "Roles/StoreRole", "Roles/UpdateRole"] {
        it.platform
            .fault(json!({"method": method, "fault": "slow", "delay_ms": 600, "times": 1}))
            .await;
    }
    story(&it).await;
    assert_eq!(it.platform.hits().await, [1, 1, 1]);
}

#[tokio::test]
async fn everything_at_once_still_converges() {
    for seed in 1..=3 {
        let it = patient().start().await;
        for (fault, probability) in [
            ("throttle", 0.1),
            ("error", 0.1),
            ("lost_answer", 0.1),
            ("html", 0.05),
            ("drop", 0.1),
        ] {
            it.platform
                .fault(json!({"method": "*", "fault": fault, "probability": probability, "retry_after_s": 0}))
                .await;
        }
        // The dice are those of the simulator's own seed; other numbers of calls before give another game.
        for _ in 0..seed {
            it.scim.create_group(&format!("Padding {seed}"), &[""; 0]).await;
            let id = it
                .scim
                .find("/Groups", &format!("displayName eq \"Padding {seed}\""))
                .await[0]["id"]
                .clone();
            it.scim
                .delete(&format!("/Groups/{}", id.as_str().unwrap()))
                .await
                .expect(204);
        }
        story(&it).await;
    }
}

/// Entra's cycles, hires and leavers and all, while every seventh call to the Platform goes wrong, in five ways.
#[tokio::test]
async fn whole_cycles_agree_although_the_platform_is_bad() {
    let it = patient().start().await;
    for fault in ["throttle", "unavailable", "lost_answer", "truncated", "drop"] {
        let rule = json!({"method": "*", "fault": fault, "probability": 0.03, "retry_after_s": 0});
        it.platform.fault(rule).await;
    }
    let mut directory = Directory::generate(23, 30, 5);
    let mut job = it.job(Knobs::default());
    for round in 0..3 {
        let report = job.cycle(&directory).await.unwrap();
        assert!(report.escrow.is_empty(), "{round}: {:?}", report.escrow);
        directory.advance();
    }
    job.cycle(&directory).await.unwrap();
    it.settled().await;
    assert_eq!(it.refused().await, []);
    let options = VerifyOptions {
        platform_url: Some(it.platform.url().to_owned()),
        ignore: BUILT_IN.map(str::to_owned).into(),
        ..VerifyOptions::default()
    };
    let verification = verify(&job, &directory, &options, None).await.unwrap();
    assert_eq!(verification.differences, []);
    assert!(it.platform.hits().await.iter().sum::<u64>() >= 10);
}

#[tokio::test]
async fn tokens_that_end_or_are_revoked_are_renewed() {
    let it = Setup::default().adapter(&["--token-early-refresh=0s"]).start().await;
    it.platform.profile(json!({"token_lifetime_s": 1})).await;
    it.platform.revoke_tokens().await;
    let began = Instant::now();
    for n in 0..4 {
        it.scim.create_user(&format!("user{n}@kestrel.example")).await;
        it.settled().await;
        it.platform.revoke_tokens().await;
    }
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.names().await.len(), 4);
    assert!(
        it.platform.calls_of("token").await >= 4,
        "a new one after each was revoked"
    );
    assert!(began.elapsed().as_secs() < 20);
}

#[tokio::test]
async fn wrong_credentials_are_told_and_nothing_is_lost() {
    let it = Deployment::start().await;
    // The fault first: the adapter's own readiness check asks for a token too, and must find none to be had once the old
    // ones have ended.
    it.platform
        .fault(json!({"method": "token", "fault": "unauthorized"}))
        .await;
    it.platform.revoke_tokens().await;
    let id = it.scim.create_user("odile@kestrel.example").await;
    let delivery = it.delivered(&id, |delivery| delivery.last_error.is_some()).await;
    assert_eq!(delivery.last_error_reason.as_deref(), Some("PLATFORM_CREDENTIALS"));
    assert!(!delivery.last_error.unwrap().contains("simulated-secret"));
    it.platform.no_faults().await;
    it.retry(&id).await;
    it.settled().await;
    assert_eq!(it.platform.names().await, ["odile@kestrel.example"]);
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let it = Deployment::start().await;
    it.platform
        .fault(json!({"method": "CDirectoryService/CreateUser", "fault": "throttle", "times": 1, "retry_after_s": 2}))
        .await;
    let began = Instant::now();
    let id = it.scim.create_user("odile@kestrel.example").await;
    let delivery = it.delivered(&id, |delivery| delivery.last_error.is_some()).await;
    assert_eq!(delivery.last_error_reason.as_deref(), Some("PLATFORM_THROTTLED"));
    assert_eq!(delivery.state(), DeliveryState::Pending);
    it.settled().await;
    assert!(began.elapsed().as_millis() >= 1_900, "{:?}", began.elapsed());
    assert_eq!(it.platform.calls_of("CDirectoryService/CreateUser").await, 2);
}

#[tokio::test]
async fn one_that_the_platform_refuses_holds_up_nobody() {
    let it = Setup::default().identity(&["--delivery-concurrency=1"]).start().await;
    let words = "The mailbox of this person is cursed.";
    let mut rule = fault("CDirectoryService/CreateUser", "failure", 1);
    rule["message"] = json!(words);
    it.platform.fault(rule).await;
    let poisoned = it.scim.create_user("poisoned@kestrel.example").await;
    it.delivered(&poisoned, |delivery| delivery.last_error.is_some()).await;
    let mut ids = vec![poisoned.clone()];
    for n in 0..9 {
        ids.push(it.scim.create_user(&format!("user{n}@kestrel.example")).await);
    }
    let mut report = user("report@kestrel.example");
    report["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"] = json!({"value": poisoned});
    let report = it.scim.create("/Users", &report).await;
    let group = it.scim.create_group("Rack", &ids).await;
    it.delivered(&report, |delivery| delivery.applied_version == 1).await;
    it.delivered(&group, |delivery| {
        delivery.applied_version == 1 && delivery.pending_members == 1
    })
    .await;
    assert_eq!(it.platform.members("Rack").await.len(), 9);
    let refused = it.refused().await;
    assert_eq!(
        refused.iter().map(|delivery| &delivery.resource_id).collect::<Vec<_>>(),
        [&poisoned]
    );
    assert!(
        refused[0].last_error.as_deref().unwrap().contains(words),
        "the Platform's own words"
    );
    // A person settles it, and what waited follows.
    it.retry(&poisoned).await;
    it.settled().await;
    assert_eq!(it.platform.members("Rack").await.len(), 10);
    let boss = it.platform.account("poisoned@kestrel.example").await;
    assert_eq!(
        it.platform.account("report@kestrel.example").await["ReportsTo"],
        boss["ID"]
    );
    assert_eq!(it.refused().await, []);
}

#[tokio::test]
async fn where_groups_cannot_be_written_users_still_can() {
    let it = Deployment::start().await;
    it.platform.profile(json!({"role_writes": "404"})).await;
    let id = it.scim.create_user("odile@kestrel.example").await;
    let group = it.scim.create_group("Rack", &[&id]).await;
    it.delivered(&group, |delivery| delivery.last_error.is_some()).await;
    it.settled().await;
    assert_eq!(it.platform.names().await, ["odile@kestrel.example"]);
    let refused = it.refused().await;
    assert_eq!(
        refused.iter().map(|delivery| &delivery.resource_id).collect::<Vec<_>>(),
        [&group]
    );
    assert_eq!(refused[0].last_error_reason.as_deref(), Some("PLATFORM_NOT_EXPOSED"));
    it.scim.get(&format!("/Groups/{group}")).await.expect(200);
    it.platform.profile(json!({"role_writes": "rpc"})).await;
    it.retry(&group).await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.members("Rack").await.len(), 1);

    // A bare 404 of a group that exists is no sign that it is gone.
    it.platform.fault(fault("Roles/*", "bare404", 3)).await;
    it.scim
        .patch(
            &format!("/Groups/{group}"),
            json!({"op": "Replace", "path": "displayName", "value": "Racks"}),
        )
        .await
        .expect(204);
    it.settled().await;
    it.platform.no_faults().await;
    it.retry(&group).await;
    it.settled().await;
    assert_eq!(it.platform.group_names().await, ["Racks"]);
    assert_eq!(it.platform.members("Racks").await.len(), 1);
}

#[tokio::test]
async fn while_the_platform_is_down_scim_goes_on() {
    let mut it = Setup::default().platform_may_go().start().await;
    let early = it.scim.create_user("early@kestrel.example").await;
    it.settled().await;
    it.platform_goes_down();

    let late = it.scim.create_user("late@kestrel.example").await;
    let group = it.scim.create_group("Rack", &[&early, &late]).await;
    let path = format!("/Users/{early}");
    it.scim
        .patch(
            &path,
            json!({"op": "Replace", "path": "displayName", "value": "Changed"}),
        )
        .await
        .expect(204);
    assert_eq!(it.scim.get(&path).await.expect(200)["displayName"], "Changed");
    assert_eq!(
        it.scim
            .find("/Users", "userName eq \"late@kestrel.example\"")
            .await
            .len(),
        1
    );
    for id in [&early, &late, &group] {
        let delivery = it
            .delivered(id, |delivery| {
                delivery.last_error.is_some() || delivery.pending_members > 0
            })
            .await;
        assert_eq!(delivery.state(), DeliveryState::Pending, "{delivery:?}");
    }
    assert_eq!(it.listed(DeliveryState::Pending).await.len(), 3);

    it.platform_comes_back().await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(
        it.platform.names().await,
        ["early@kestrel.example", "late@kestrel.example"]
    );
    assert_eq!(
        it.platform.account("early@kestrel.example").await["DisplayName"],
        "Changed"
    );
    assert_eq!(it.platform.members("Rack").await.len(), 2);
}

#[tokio::test]
async fn odd_tenants_are_served_alike() {
    for profile in [
        json!({"create_result": "object", "column_casing": "pascal", "role_id_underscores": false}),
        json!({"display_name_lag_ms": 300, "query_lag_ms": 300}),
        json!({"unknown_principals": "fail_after_rest", "redrock": false}),
        json!({"unknown_principals": "skip", "latency_ms": 5, "suffixes": ["kestrel.example"]}),
    ] {
        let it = Deployment::start().await;
        it.platform.profile(profile).await;
        story(&it).await;
    }
}
