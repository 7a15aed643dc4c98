//! Names that come back: a user deleted and created again under the same name, at leisure and in a hurry.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{ODILE, at};
use crate::deployment::{Deployment, Setup, profile, user};

#[tokio::test]
async fn after_the_removal_it_is_a_new_account() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    it.settled().await;
    let account = it.platform.account(ODILE).await;
    it.scim.delete(&at(&id)).await.expect(204);
    it.settled().await;
    assert!(it.platform.names().await.is_empty());

    let again = it.scim.create_user(&ODILE.to_uppercase()).await;
    assert_ne!(again, id);
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_ne!(it.platform.account(ODILE).await["ID"], account["ID"]);
    it.scim.get(&at(&id)).await.error(404, "");
}

/// The Platform is away while a user is deleted and created again: the new one takes the account over, enabled, and
/// without the memberships of the old one.
#[tokio::test]
async fn in_a_hurry_it_takes_the_account_over() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let stays = it.scim.create_user("stays@kestrel.example").await;
    it.scim.create_group("Rack Operators", &[&id, &stays]).await;
    it.scim.create_group("Door Keepers", &[&id]).await;
    it.settled().await;
    let account = it.platform.account(ODILE).await;

    it.platform.fault(json!({"method": "*", "fault": "unavailable"})).await;
    it.scim.delete(&at(&id)).await.expect(204);
    it.delivered(&id, |delivery| delivery.deleted && delivery.attempts > 0)
        .await;
    let mut body = user("Odile@Kestrel.example");
    body["displayName"] = json!("Another Odile");
    let again = it.scim.create("/Users", &body).await;
    let door = it.scim.find("/Groups", "displayName eq \"Door Keepers\"").await[0]["id"].clone();
    it.scim
        .patch(
            &format!("/Groups/{}", door.as_str().unwrap()),
            json!({"op": "Add", "path": "members", "value": [{"value": again}]}),
        )
        .await
        .expect(204);
    it.platform.no_faults().await;
    it.settled().await;

    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.names().await.len(), 2, "never doubled");
    let taken = it.platform.account(ODILE).await;
    assert_eq!(taken["ID"], account["ID"]);
    assert_eq!([&taken["DisplayName"], &taken["State"]], ["Another Odile", "None"]);
    assert_eq!(
        it.platform.members("Rack Operators").await,
        ["stays@kestrel.example".to_owned()].into()
    );
    assert_eq!(
        it.platform.members("Door Keepers").await.len(),
        1,
        "put in again by the new one"
    );
    // The old one is nothing any more.
    assert_eq!(it.delivery(&id).await.unwrap_err().code(), tonic::Code::NotFound);
    it.scim.get(&at(&id)).await.error(404, "");
    let calls = it.platform.calls_of("UserMgmt/RemoveUsers").await;
    it.scim.delete(&at(&again)).await.expect(204);
    it.settled().await;
    assert_eq!(it.platform.names().await, ["stays@kestrel.example"]);
    assert_eq!(it.platform.calls_of("UserMgmt/RemoveUsers").await, calls + 1);
}

/// The call that removes the account is on its way when the name comes back: it must neither be overtaken, or it would
/// remove the new account, nor be waited for longer than it takes.
#[tokio::test]
async fn a_removal_under_way_is_waited_for_and_no_longer() {
    let it = Deployment::start().await;
    for chain in [1, 3] {
        let mut id = it.scim.create_user(ODILE).await;
        it.settled().await;
        it.platform.profile(json!({"latency_ms": 400})).await;
        let calls = it.platform.calls_of("UserMgmt/RemoveUsers").await;
        it.scim.delete(&at(&id)).await.expect(204);
        let began = Instant::now();
        while it.platform.calls_of("UserMgmt/RemoveUsers").await == calls {
            assert!(began.elapsed().as_secs() < 20, "the removal is never called");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        id = it.scim.create_user(ODILE).await;
        for _ in 1..chain {
            it.scim.delete(&at(&id)).await.expect(204);
            id = it.scim.create_user(ODILE).await;
        }
        it.platform.profile(json!({"latency_ms": 0})).await;
        it.settled().await;
        assert!(
            began.elapsed().as_secs() < 20,
            "the lease of two minutes is not waited for"
        );
        assert_eq!(it.refused().await, []);
        let account = it.platform.account(ODILE).await;
        assert_eq!(account["State"], "None");
        assert_eq!(
            it.delivery(&id).await.unwrap().platform_id,
            account["ID"].as_str().map(profile::kept)
        );
        it.scim.delete(&at(&id)).await.expect(204);
        it.settled().await;
        assert!(it.platform.names().await.is_empty());
    }
}

/// Fast hands: nothing is waited for between deletion and creation, many times over.
#[tokio::test]
async fn however_fast_it_is_never_doubled() {
    let it = Deployment::start().await;
    it.platform.profile(json!({"latency_ms": 3})).await;
    let mut id = it.scim.create_user(ODILE).await;
    it.scim.create_group("Rack Operators", &[&id]).await;
    for _ in 0..15 {
        it.scim.delete(&at(&id)).await.expect(204);
        id = it.scim.create_user(ODILE).await;
    }
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.names().await, [ODILE]);
    assert_eq!(it.platform.account(ODILE).await["State"], "None");
    assert!(it.platform.members("Rack Operators").await.is_empty());
    let linked = it.delivery(&id).await.unwrap().platform_id;
    assert_eq!(
        linked,
        it.platform.account(ODILE).await["ID"].as_str().map(profile::kept)
    );
}

#[tokio::test]
async fn where_deletion_only_disables_the_account_waits_for_its_successor() {
    let it = Setup::default().identity(&["--delete-mode=disable"]).start().await;
    let id = it.scim.create_user(ODILE).await;
    it.scim.create_group("Rack Operators", &[&id]).await;
    it.settled().await;
    let account = it.platform.account(ODILE).await["ID"].clone();
    for round in 0..2 {
        let present = it.scim.find("/Users", &format!("userName eq \"{ODILE}\"")).await[0]["id"].clone();
        it.scim.delete(&at(present.as_str().unwrap())).await.expect(204);
        it.settled().await;
        let kept = it.platform.account(ODILE).await;
        assert_eq!(
            (&kept["ID"], &kept["State"]),
            (&account, &json!("Disabled")),
            "round {round}"
        );
        assert!(
            it.platform.members("Rack Operators").await.is_empty(),
            "a leaver is in no group"
        );
        it.scim.get(&at(&id)).await.error(404, "");

        let again = it.scim.create_user(ODILE).await;
        assert_ne!(again, id);
        it.settled().await;
        let taken = it.platform.account(ODILE).await;
        assert_eq!(
            (&taken["ID"], &taken["State"]),
            (&account, &json!("None")),
            "round {round}"
        );
        assert!(it.platform.members("Rack Operators").await.is_empty());
    }
    assert_eq!(it.refused().await, []);
}
