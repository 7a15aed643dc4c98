//! While the Platform's list is not believed nothing is removed there: another tenant may be behind the address, or a right may be
//! missing. No leaver keeps access for it (P9).

use proto::identity::v1::{Brake, Delivery, DeliveryState};
use redis_for_tests::{Appendfsync, Options, RedisServer};
use serde_json::json;

use super::{account_id, apply, at, clean, last, plan, try_plan, usual};
use crate::deployment::Deployment;

const LISTS: [&str; 2] = ["entities/localusers", "Report/RunReport"];

/// A deployment with so many users, which are at rest.
async fn with_users(flags: &[&str], count: usize) -> (Deployment, Vec<(String, String)>) {
    let it = usual().identity(flags).start().await;
    let users = it.staff(count).await;
    clean(&it).await;
    (it, users)
}

/// Somebody deletes the accounts of these.
async fn lose(it: &Deployment, users: &[(String, String)]) {
    for (_, name) in users {
        it.platform.delete_account(&account_id(it, name).await).await;
    }
}

async fn delete(it: &Deployment, kind: &str, id: &str) {
    it.scim.delete(&at(kind, id)).await.expect(204);
}

async fn held(it: &Deployment, id: &str) -> Delivery {
    let held = it
        .delivered(id, |delivery| delivery.state() == DeliveryState::Held)
        .await;
    assert!(held.deleted && held.brake() == Brake::Alarm, "{held:#?}");
    held
}

async fn is_there(it: &Deployment, name: &str) -> bool {
    it.platform.names().await.iter().any(|one| one == name)
}

async fn is_disabled(it: &Deployment, name: &str) -> bool {
    it.platform.account(name).await["State"] == "Disabled"
}

#[tokio::test]
async fn while_a_list_is_not_believed_removals_are_held_and_leavers_disabled() {
    let (it, users) = with_users(&[], 20).await;
    let crew = it.scim.create_group("Crew", &[&users[10].0]).await;
    clean(&it).await;
    lose(&it, &users[..6]).await;
    let found = plan(&it).await;
    assert!(found.summary.removals_held_since.is_some(), "{found:#?}");

    for (id, _) in &users[10..13] {
        delete(&it, "Users", id).await;
    }
    delete(&it, "Groups", &crew).await;
    for (id, name) in &users[10..13] {
        held(&it, id).await;
        assert!(is_disabled(&it, name).await, "{name}");
    }
    held(&it, &crew).await;
    assert_eq!(it.platform.group_names().await, ["Crew"]);
    // An account that is gone needs nobody to let it go.
    delete(&it, "Users", &users[0].0).await;
    it.until(async |it| it.delivery(&users[0].0).await.is_err()).await;
    // Everything else goes on.
    it.scim.create_user("new@x.example").await;
    it.deactivate(&users[15].0).await;
    it.settled().await;
    assert!(is_there(&it, "new@x.example").await && is_disabled(&it, &users[15].1).await);
    let shown = it.admin(0, &["held"]).await;
    assert_eq!(shown.out.matches(" alarm ").count(), 4, "{shown:?}");
    it.admin(3, &["status", "--check"]).await;

    // What a person releases goes at once, for as long as the alarm stands.
    it.release(&users[10].0).await.unwrap();
    it.until(async |it| !is_there(it, &users[10].1).await).await;
    // A comparison that comes to no end says nothing, so the alarm stands.
    for method in LISTS {
        it.platform.fault(json!({"method": method, "fault": "error"})).await;
    }
    let failed = try_plan(&it).await.unwrap().summary;
    assert!(failed.failure.is_some() && failed.alarms.is_empty());
    assert_eq!(failed.removals_held_since, found.summary.removals_held_since);
    it.admin(3, &["status", "--check"]).await;
    it.platform.no_faults().await;
    delete(&it, "Users", &users[13].0).await;
    held(&it, &users[13].0).await;
    assert_eq!(it.summary().await.held, 4);

    // A person looks, and says so: what was held goes on, and what comes after is removed at once.
    let found = apply(&it, true).await;
    assert!(!found.summary.alarms.is_empty() && found.summary.removals_held_since.is_none());
    it.until(async |it| it.summary().await.held == 0).await;
    it.settled().await;
    for (_, name) in &users[10..14] {
        assert!(!is_there(&it, name).await, "{name}");
    }
    assert!(it.platform.group_names().await.is_empty());
    delete(&it, "Users", &users[14].0).await;
    it.settled().await;
    assert!(!is_there(&it, &users[14].1).await);
}

#[tokio::test]
async fn what_was_held_goes_on_when_the_list_is_believed_again_on_whichever_replica() {
    let redis = RedisServer::with(Options::durable(Appendfsync::Always)).await;
    let url = format!("--redis-url={}", redis.url());
    // A fifth is lost, which by default raises none.
    let (it, users) = with_users(&[&url, "--drift-alarm-share=19"], 25).await;
    lose(&it, &users[..5]).await;
    let (_other, other) = it.another_identity().await;
    let found = plan(&it).await;
    assert!(found.summary.removals_held_since.is_some(), "{found:#?}");
    let known = last(&other).await.summary.unwrap();
    assert_eq!(known.removals_held_since, found.summary.removals_held_since);

    // Whichever replica delivers them.
    for (id, name) in &users[10..16] {
        delete(&it, "Users", id).await;
        held(&it, id).await;
        assert!(is_disabled(&it, name).await, "{name}");
    }
    // Those who are missing are deleted in Entra, too: the list is as it should be.
    for (id, _) in &users[..5] {
        delete(&it, "Users", id).await;
    }
    it.settled().await;
    let found = plan_again(&it).await;
    assert_eq!((found.alarms.len(), found.removals_held_since), (0, None));
    it.until(async |it| it.summary().await.held == 0).await;
    it.settled().await;
    let names: Vec<_> = users.iter().map(|(_, name)| name.clone()).collect();
    assert_eq!(it.platform.names().await, [&names[5..10], &names[16..]].concat());
}

/// Compares, whatever is written meanwhile.
async fn plan_again(it: &Deployment) -> proto::identity::v1::DriftSummary {
    let summary = try_plan(it).await.unwrap().summary;
    assert_eq!(summary.failure, None);
    summary
}

#[tokio::test]
async fn by_the_default_share_a_fifth_that_is_missing_holds_nothing() {
    let (it, users) = with_users(&[], 25).await;
    lose(&it, &users[..5]).await;
    let found = plan(&it).await;
    assert_eq!((found.summary.gone, found.summary.removals_held_since), (5, None));
    delete(&it, "Users", &users[10].0).await;
    it.settled().await;
    assert!(!is_there(&it, &users[10].1).await);
}
