//! What changes while a call to the Platform is under way: the last acknowledged version wins (P3), and a call that comes
//! to its end too late leaves nothing behind (P2).

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::deployment::{Deployment, Setup};

const ODILE: &str = "odile@kestrel.example";
const ROY: &str = "odile.roy@kestrel.example";

/// A deployment whose Platform takes its time.
async fn slow() -> Deployment {
    let it = Deployment::start().await;
    it.platform.profile(json!({"latency_ms": 150})).await;
    it
}

/// Waits until the Platform was called once more than so many times.
async fn called(it: &Deployment, method: &str, before: u64) {
    let began = Instant::now();
    while it.platform.calls_of(method).await <= before {
        assert!(began.elapsed().as_secs() < 20, "{method} is never called");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

#[tokio::test]
async fn who_is_deleted_while_being_created_leaves_nothing() {
    for fault in [None, Some("lost_answer"), Some("slow")] {
        let it = slow().await;
        if let Some(fault) = fault {
            for method in ["CDirectoryService/CreateUser", "Roles/StoreRole"] {
                it.platform
                    .fault(json!({"method": method, "fault": fault, "times": 1, "delay_ms": 100}))
                    .await;
            }
        }
        let id = it.scim.create_user(ODILE).await;
        called(&it, "CDirectoryService/CreateUser", 0).await;
        it.scim.delete(&format!("/Users/{id}")).await.expect(204);
        let group = it.scim.create_group("Rack", &[""; 0]).await;
        called(&it, "Roles/StoreRole", 0).await;
        it.scim.delete(&format!("/Groups/{group}")).await.expect(204);
        it.settled().await;
        assert_eq!(it.refused().await, [], "{fault:?}");
        assert_eq!(it.platform.names().await, [""; 0], "{fault:?}");
        assert_eq!(it.platform.group_names().await, [""; 0], "{fault:?}");
    }
}

#[tokio::test]
async fn who_is_renamed_while_being_created_has_one_account() {
    for fault in [None, Some("lost_answer")] {
        let it = slow().await;
        if let Some(fault) = fault {
            it.platform
                .fault(json!({"method": "CDirectoryService/CreateUser", "fault": fault, "times": 1}))
                .await;
        }
        let id = it.scim.create_user(ODILE).await;
        let group = it.scim.create_group("Rack", &[&id]).await;
        called(&it, "CDirectoryService/CreateUser", 0).await;
        let rename = json!({"op": "replace", "value": {"userName": ROY, "active": false}});
        it.scim.patch(&format!("/Users/{id}"), rename).await.expect(204);
        called(&it, "Roles/StoreRole", 0).await;
        let rename = json!({"op": "replace", "value": {"displayName": "Racks"}});
        it.scim.patch(&format!("/Groups/{group}"), rename).await.expect(204);
        it.settled().await;
        assert_eq!(it.refused().await, [], "{fault:?}");
        assert_eq!(it.platform.names().await, [ROY], "{fault:?}");
        assert_eq!(it.platform.account(ROY).await["State"], "Disabled", "{fault:?}");
        assert_eq!(it.platform.group_names().await, ["Racks"], "{fault:?}");
        assert_eq!(it.platform.members("Racks").await, [ROY.to_owned()].into(), "{fault:?}");
    }
}

/// Created, but never linked, because its members could not be put in; then renamed, and the answer to that lost: it is
/// known by its names alone, and must be known by both.
#[tokio::test]
async fn a_rename_that_is_lost_before_the_first_link_leaves_it_ours() {
    for deleted in [false, true] {
        let it = Deployment::start().await;
        let id = it.scim.create_user(ODILE).await;
        it.settled().await;
        it.platform
            .fault(json!({"method": "Roles/UpdateRole", "fault": "unavailable"}))
            .await;
        let group = it.scim.create_group("Rack", &[&id]).await;
        called(&it, "Roles/UpdateRole", 0).await;
        let rename = json!({"op": "Replace", "path": "displayName", "value": "Racks"});
        it.scim.patch(&format!("/Groups/{group}"), rename).await.expect(204);
        let calls = it.platform.calls_of("Roles/UpdateRole").await;
        it.platform.no_faults().await;
        it.platform
            .fault(json!({"method": "Roles/UpdateRole", "fault": "lost_answer", "times": 2}))
            .await;
        if deleted {
            called(&it, "Roles/UpdateRole", calls).await;
            it.scim.delete(&format!("/Groups/{group}")).await.expect(204);
        }
        it.settled().await;
        assert_eq!(it.refused().await, []);
        let expected: &[&str] = if deleted { &[] } else { &["Racks"] };
        assert_eq!(it.platform.group_names().await, expected);
    }
}

/// The name that is given up while its account is being created may be another's at once.
#[tokio::test]
async fn a_name_given_up_in_flight_goes_to_the_next_user() {
    let it = slow().await;
    let first = it.scim.create_user(ODILE).await;
    called(&it, "CDirectoryService/CreateUser", 0).await;
    let rename = json!({"op": "Replace", "path": "userName", "value": ROY});
    it.scim.patch(&format!("/Users/{first}"), rename).await.expect(204);
    let second = it.scim.create_user(ODILE).await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.names().await, [ROY, ODILE]);
    it.linked_by_name(&[(&first, ROY), (&second, ODILE)]).await;
}

#[tokio::test]
async fn the_last_of_many_quick_changes_wins() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let group = it.scim.create_group("Rack", &[&id]).await;
    it.settled().await;
    it.platform.profile(json!({"latency_ms": 20})).await;
    for last in [false, true] {
        for n in 0..25 {
            let on = (n % 2 == 0) == last;
            let op = if on { "Add" } else { "Remove" };
            let member = json!({"op": op, "path": "members", "value": [{"value": id}]});
            it.scim.patch(&format!("/Groups/{group}"), member).await.expect(204);
            let change = json!({"op": "replace", "value": {"active": on, "displayName": format!("Odile {n}")}});
            it.scim.patch(&format!("/Users/{id}"), change).await.expect(204);
            tokio::time::sleep(Duration::from_millis(n % 7)).await;
        }
        it.settled().await;
        let account = it.platform.account(ODILE).await;
        assert_eq!(
            [&account["State"], &account["DisplayName"]],
            [if last { "None" } else { "Disabled" }, "Odile 24"]
        );
        assert_eq!(it.platform.members("Rack").await.len(), usize::from(last));
        let delivery = it.delivery(&id).await.unwrap();
        assert_eq!(delivery.applied_version, delivery.version);
    }
}

/// By hand, while we are at it: whatever the other hand does, the next change is delivered and nothing is doubled.
#[tokio::test]
async fn an_object_removed_by_hand_is_made_anew_by_the_next_change() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let group = it.scim.create_group("Rack", &[&id]).await;
    it.settled().await;
    for (kind, object) in [
        ("users", it.platform.account(ODILE).await),
        ("groups", it.platform.group("Rack").await),
    ] {
        let path = format!("{kind}/{}", object["ID"].as_str().unwrap());
        it.platform.control(Method::DELETE, &path, &Value::Null).await;
    }
    let change = json!({"op": "Replace", "path": "displayName", "value": "Changed"});
    it.scim.patch(&format!("/Users/{id}"), change.clone()).await.expect(204);
    it.scim.patch(&format!("/Groups/{group}"), change).await.expect(204);
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.account(ODILE).await["DisplayName"], "Changed");
    assert_eq!(it.platform.group_names().await, ["Changed"]);
    assert_eq!(it.platform.members("Changed").await, [ODILE.to_owned()].into());
}

#[tokio::test]
async fn a_delivery_that_takes_longer_than_its_lease_is_not_begun_twice() {
    let setup = Setup::default()
        .identity(&["--delivery-lease=300ms"])
        .adapter(&["--platform-timeout=20s"]);
    let it = setup.start().await;
    it.platform
        .fault(json!({"method": "CDirectoryService/CreateUser", "fault": "slow", "times": 1, "delay_ms": 1500}))
        .await;
    it.scim.create_user(ODILE).await;
    it.settled().await;
    assert_eq!(it.platform.names().await, [ODILE]);
    assert_eq!(it.platform.calls_of("CDirectoryService/CreateUser").await, 1);
}
