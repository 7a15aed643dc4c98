//! Many at once on one resource: each sees its own change survive.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use identity_service::{directory::Caller, id::Kind};
use serde_json::json;
use tokio::task::JoinSet;

use super::{Home, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_of_many_patches_of_one_user_succeed() {
    let home = Arc::new(Home::new());
    let id = home.user("odile").await;
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        let home = Arc::clone(&home);
        tasks.spawn(async move {
            let value = json!([{"type": "other", "value": format!("{number}@x")}]);
            home.patch_user(id, json!([{"op": "add", "path": "emails", "value": value}]))
                .await
        });
    }
    assert!(tasks.join_all().await.iter().all(|(_, changed)| *changed));
    let record = home.record(Kind::User, id).await;
    assert_eq!(record.document["emails"].as_array().unwrap().len(), 16);
    assert_eq!(record.version, 17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_and_attributes_of_one_group_change_side_by_side() {
    let home = Arc::new(Home::new());
    let group = home.group("g", &[]).await;
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        let user = home.user(&format!("u{number}")).await;
        let home = Arc::clone(&home);
        tasks.spawn(async move {
            let operations = read(json!([
                {"op": "add", "path": "members", "value": [{"value": user.to_string()}]},
                {"op": "replace", "path": "displayName", "value": format!("g{number}")},
            ]));
            let id = group.to_string();
            home.directory
                .patch_group(&id, operations.clone(), Caller::default())
                .await
        });
    }
    for patched in tasks.join_all().await {
        assert!(patched.unwrap().1);
    }
    assert_eq!(home.members(group).await.len(), 16);
    assert_eq!(home.record(Kind::Group, group).await.version, 17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_deletions_one_succeeds() {
    let home = Arc::new(Home::new());
    let id = home.user("odile").await.to_string();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (home, id) = (Arc::clone(&home), id.clone());
        tasks.spawn(async move { home.directory.delete(Kind::User, &id, Caller::default()).await });
    }
    let succeeded = tasks.join_all().await.into_iter().filter(Result::is_ok).count();
    assert_eq!(succeeded, 1);
}

#[tokio::test]
async fn a_change_rings_though_nobody_waits_for_its_answer() {
    let home = Home::new();
    let mut wakes = home.wake.listen();
    // The caller goes away as soon as there is nothing to do but to wait.
    let body = json!({"userName": "odile"});
    let creating = home.directory.create_user(body, Caller::default());
    assert!(creating.now_or_never().is_none(), "a store takes longer than that");
    let heard = tokio::time::timeout(Duration::from_secs(20), wakes.heard()).await;
    heard.expect("a ring");
    assert_eq!(home.store.count(&home.tenant, Kind::User).await.unwrap(), 1);
}
