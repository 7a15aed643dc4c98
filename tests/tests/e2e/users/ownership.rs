//! Whose an account is when only its name speaks for us (P2, P8): a name that was once meant for one of ours is no claim
//! on what somebody else, or another of ours, has under it.

use proto::identity::v1::DeliveryState;
use serde_json::{Value, json};

use super::{ODILE, at};
use crate::deployment::{Deployment, Setup, user};

const CREATE: &str = "CDirectoryService/CreateUser";
const ANNA: &str = "anna@kestrel.example";
const ROY: &str = "odile.roy@kestrel.example";

/// A deployment that tries nothing again by itself while a test looks.
async fn unhurried() -> Deployment {
    let flags = ["--backoff-base=1000h", "--backoff-ceiling=1000h"];
    Setup::default().identity(&flags).start().await
}

#[tokio::test]
async fn a_create_that_did_nothing_leaves_no_claim_on_the_name() {
    for rule in [
        json!({"method": CREATE, "fault": "failure", "message": "The password does not meet the policy."}),
        json!({"method": CREATE, "fault": "failure", "message": "You lack the permission."}),
        json!({"method": CREATE, "fault": "throttle", "retry_after_s": 0}),
        json!({"method": CREATE, "fault": "bare404"}),
        json!({"method": CREATE, "fault": "unauthorized"}),
    ] {
        let it = unhurried().await;
        it.platform.fault(rule.clone()).await;
        let id = it.scim.create_user(ODILE).await;
        it.delivered(&id, |delivery| delivery.last_error.is_some()).await;
        // The administrator helps out by hand.
        it.platform.strangers(&[ODILE]).await;
        let before = it.platform.account(ODILE).await;
        it.platform.no_faults().await;
        it.retry(&id).await;
        it.settled().await;
        let refused = it.refused().await;
        assert_eq!(refused.len(), 1, "{rule}");
        assert_eq!(
            refused[0].last_error_reason.as_deref(),
            Some("PLATFORM_OBJECT_EXISTS"),
            "{rule}"
        );
        assert_eq!(it.platform.account(ODILE).await, before, "{rule}");
        it.scim.delete(&at(&id)).await.expect(204);
        it.settled().await;
        assert_eq!(it.platform.account(ODILE).await, before, "{rule}");
    }
}

/// One of ours may have been created under a name, or not; meanwhile the account of another of ours got it.
#[tokio::test]
async fn an_old_intent_is_no_claim_on_another_users_account() {
    for deleted in [false, true] {
        let it = unhurried().await;
        let anna = it.scim.create_user(ANNA).await;
        it.settled().await;
        let account = it.platform.account(ANNA).await["ID"].clone();

        it.platform.fault(json!({"method": CREATE, "fault": "error"})).await;
        let other = it.scim.create_user(ODILE).await;
        it.delivered(&other, |delivery| delivery.attempts > 0).await;
        it.scim.patch(&at(&other), rename(ROY)).await.expect(204);
        it.retry(&other).await;
        hit_again(&it).await;
        it.delivered(&other, |delivery| delivery.attempts > 0).await;
        it.scim.patch(&at(&anna), rename(ODILE)).await.expect(204);
        it.delivered(&anna, |delivery| delivery.applied_version == 2).await;
        it.platform.no_faults().await;

        let mut names = vec![ODILE];
        if deleted {
            it.scim.delete(&at(&other)).await.expect(204);
        } else {
            names.insert(0, ROY);
        }
        it.retry(&other).await;
        it.settled().await;
        assert_eq!(it.refused().await, [], "{deleted}");
        assert_eq!(it.platform.names().await, names, "{deleted}");
        let annas = it.platform.account(ODILE).await;
        assert_eq!(annas["ID"], account, "{deleted}");
        assert_eq!(
            [&annas["DisplayName"], &annas["State"]],
            [&user(ANNA)["displayName"], &json!("None")],
            "{deleted}"
        );
    }
}

#[tokio::test]
async fn an_old_intent_is_no_claim_on_another_group() {
    for deleted in [false, true] {
        let it = unhurried().await;
        let member = it.scim.create_user(ANNA).await;
        let rack = it.scim.create_group("Rack", &[&member]).await;
        it.settled().await;
        let role = it.platform.group("Rack").await["ID"].clone();

        it.platform
            .fault(json!({"method": "Roles/StoreRole", "fault": "error"}))
            .await;
        let other = it.scim.create_group("Door", &[""; 0]).await;
        it.delivered(&other, |delivery| delivery.attempts > 0).await;
        let path = |id: &str| format!("/Groups/{id}");
        it.scim.patch(&path(&other), rename_group("Gate")).await.expect(204);
        it.retry(&other).await;
        hit_again(&it).await;
        it.delivered(&other, |delivery| delivery.attempts > 0).await;
        it.scim.patch(&path(&rack), rename_group("Door")).await.expect(204);
        it.delivered(&rack, |delivery| delivery.applied_version == 2).await;
        it.platform.no_faults().await;

        let mut names = vec!["Door"];
        if deleted {
            it.scim.delete(&path(&other)).await.expect(204);
        } else {
            names.push("Gate");
        }
        it.retry(&other).await;
        it.settled().await;
        assert_eq!(it.refused().await, [], "{deleted}");
        assert_eq!(it.platform.group_names().await, names, "{deleted}");
        assert_eq!(it.platform.group("Door").await["ID"], role, "{deleted}");
        assert_eq!(it.platform.members("Door").await, [ANNA.to_owned()].into(), "{deleted}");
    }
}

/// What may have been created is waited for by whoever wants the name next: it is not refused as a stranger's.
#[tokio::test]
async fn an_account_that_may_be_another_of_ours_is_waited_for() {
    let it = unhurried().await;
    let blind = json!({"method": "Report/RunReport", "fault": "error"});
    it.platform
        .fault(json!([{"method": CREATE, "fault": "lost_answer", "times": 1}]))
        .await;
    let first = it.scim.create_user(ODILE).await;
    // Found free and created; then nothing can be looked up any more.
    let began = tokio::time::Instant::now();
    while it.platform.hits().await != [1] {
        assert!(began.elapsed().as_secs() < 20, "it is never created");
    }
    it.platform.fault(blind).await;
    it.delivered(&first, |delivery| delivery.attempts > 0 || delivery.applied_version > 0)
        .await;
    it.scim.patch(&at(&first), rename(ROY)).await.expect(204);
    let second = it.scim.create_user(ODILE).await;
    it.delivered(&second, |delivery| delivery.attempts > 0).await;
    it.platform.no_faults().await;
    it.retry(&second).await;
    let waits = it
        .delivered(&second, |delivery| {
            delivery.last_error_reason.as_deref() == Some("PLATFORM_OBJECT_EXISTS")
        })
        .await;
    assert_eq!(waits.state(), DeliveryState::Pending, "{waits:?}");
    it.retry(&first).await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.names().await, [ROY, ODILE]);
    it.linked_by_name(&[(&first, ROY), (&second, ODILE)]).await;
}

/// Who leaves is cut off, whatever else cannot be done.
#[tokio::test]
async fn a_leaver_whose_rename_is_stuck_is_cut_off() {
    let it = Setup::default().adapter(&["--allow-rename=false"]).start().await;
    let id = it.scim.create_user(ODILE).await;
    it.settled().await;
    let change = json!({"op": "replace", "value": {"userName": ROY, "active": false}});
    it.scim.patch(&at(&id), change).await.expect(204);
    it.settled().await;
    assert_eq!(it.refused().await.len(), 1);
    assert_eq!(it.platform.account(ODILE).await["State"], "Disabled");
}

/// A leaver does not wait for the next try of what failed before.
#[tokio::test]
async fn a_leaver_whose_last_change_failed_is_cut_off_at_once() {
    let it = unhurried().await;
    let id = it.scim.create_user(ODILE).await;
    it.settled().await;
    let rule = json!({"method": "CDirectoryService/ChangeUser", "fault": "unavailable"});
    it.platform.fault(rule).await;
    let title = json!({"op": "Replace", "path": "displayName", "value": "Odile Roy"});
    it.scim.patch(&at(&id), title).await.expect(204);
    it.delivered(&id, |delivery| delivery.last_error.is_some()).await;
    let leaves = json!({"op": "Replace", "path": "active", "value": "False"});
    it.scim.patch(&at(&id), leaves).await.expect(204);
    let began = tokio::time::Instant::now();
    while it.platform.account(ODILE).await["State"] != "Disabled" {
        assert!(began.elapsed().as_secs() < 30, "the leaver still gets in");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Waits until the fault has struck a second time.
async fn hit_again(it: &Deployment) {
    let began = tokio::time::Instant::now();
    while it.platform.hits().await != [2] {
        assert!(began.elapsed().as_secs() < 20, "it is never tried again");
    }
}

fn rename(name: &str) -> Value {
    json!({"op": "Replace", "path": "userName", "value": name})
}

fn rename_group(name: &str) -> Value {
    json!({"op": "Replace", "path": "displayName", "value": name})
}
