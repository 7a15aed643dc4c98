//! The change feed as a watcher sees it: where it begins, and when it has to begin anew.

use identity_service::store::embedded::{EmbeddedStore, Options};
use proto::{
    error::{Details, ErrorReason},
    identity::v1::{
        AttributeChange, CreateGroupRequest, MembersChange, RetryDeliveryRequest, WatchChangesRequest,
        WatchChangesResponse, group_service_client::GroupServiceClient,
    },
    resource::v1::{Group, Member},
};
use redb::backends::InMemoryBackend;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use super::{Served, TENANT};
use crate::store::engine::PATIENCE;

fn store(feed_length: u64) -> EmbeddedStore {
    let options = Options {
        feed_length,
        ..Options::default()
    };
    EmbeddedStore::on_backend(InMemoryBackend::new(), options).unwrap()
}

async fn watch(it: &Served, token: Option<&str>) -> Result<Streaming<WatchChangesResponse>, Status> {
    let request = WatchChangesRequest {
        tenant: TENANT.to_owned(),
        resume_token: token.map(str::to_owned),
    };
    Ok(it.changes().watch_changes(request).await?.into_inner())
}

async fn next(watch: &mut Streaming<WatchChangesResponse>) -> Result<WatchChangesResponse, Status> {
    let next = timeout(PATIENCE, watch.message()).await.expect("a response in time");
    Ok(next?.expect("the watch goes on"))
}

fn assert_expired(status: &Status) {
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert_eq!(Details::of(status).unwrap().reason, ErrorReason::ResumeTokenExpired);
}

/// Watches until the watch ends, and why it did.
async fn end(mut watch: Streaming<WatchChangesResponse>) -> Status {
    loop {
        if let Err(status) = next(&mut watch).await {
            return status;
        }
    }
}

#[tokio::test]
async fn a_watcher_that_heard_of_nothing_can_resume() {
    let it = Served::on(store(100)).await;
    it.user("before").await.unwrap();
    let mut first = watch(&it, None).await.unwrap();
    let beginning = next(&mut first).await.unwrap();
    assert_eq!(beginning.change, None);
    drop(first);
    let meanwhile = it.user("meanwhile").await.unwrap();
    let mut resumed = watch(&it, Some(&beginning.resume_token)).await.unwrap();
    let again = next(&mut resumed).await.unwrap();
    assert_eq!((again.change, again.resume_token), (None, beginning.resume_token));
    let change = next(&mut resumed).await.unwrap().change.unwrap();
    assert_eq!(change.resource_id, meanwhile);
}

#[tokio::test]
async fn a_token_of_another_history_is_refused() {
    let (it, other) = (Served::on(store(100)).await, Served::on(store(100)).await);
    for name in ["a", "b"] {
        it.user(name).await.unwrap();
        other.user(name).await.unwrap();
    }
    let token = next(&mut watch(&other, None).await.unwrap())
        .await
        .unwrap()
        .resume_token;
    assert_expired(&watch(&it, Some(&token)).await.unwrap_err());
    let own = next(&mut watch(&it, None).await.unwrap()).await.unwrap().resume_token;
    watch(&it, Some(&own)).await.unwrap();
    for nonsense in ["7", "no token", "-1", &own[1..], &format!("{own}x")] {
        let refused = watch(&it, Some(nonsense)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{nonsense}");
    }
}

#[tokio::test]
async fn a_token_older_than_the_feed_is_refused() {
    let it = Served::on(store(8)).await;
    let token = next(&mut watch(&it, None).await.unwrap()).await.unwrap().resume_token;
    for number in 0..20 {
        it.user(&format!("u{number}")).await.unwrap();
    }
    let refused = match watch(&it, Some(&token)).await {
        Err(refused) => refused,
        Ok(watch) => end(watch).await,
    };
    assert_expired(&refused);
}

#[tokio::test]
async fn a_change_tells_before_and_after() {
    let it = Served::on(store(100)).await;
    let user = it.user("odile").await.unwrap();
    it.entitle(&user, "Lead").await;
    it.entitle(&user, "Keeper of \"Keys\"").await;
    let group = Group {
        display_name: Some("sales".to_owned()),
        members: vec![Member {
            value: Some(user.clone()),
            ..Member::default()
        }],
        ..Group::default()
    };
    let request = CreateGroupRequest {
        tenant: TENANT.to_owned(),
        group: Some(group),
        request_id: None,
    };
    GroupServiceClient::new(it.channel.clone())
        .create_group(request)
        .await
        .unwrap();
    it.delete_user(&user).await;
    let mut watch = watch(&it, Some("")).await.unwrap();
    next(&mut watch).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..6 {
        let change = next(&mut watch).await.unwrap().change.unwrap();
        told.push((change.attribute_changes, change.members));
    }
    let attribute = |path: &str, before: Option<&str>, after: Option<&str>| AttributeChange {
        path: path.to_owned(),
        before_json: before.map(str::to_owned),
        after_json: after.map(str::to_owned),
        values_left_out: false,
    };
    let keeper = r#""Keeper of \"Keys\"""#;
    assert_eq!(
        told[0].0,
        [
            attribute("active", None, Some("true")),
            attribute("userName", None, Some(r#""odile""#))
        ]
    );
    assert_eq!(told[1].0, [attribute("title", None, Some(r#""Lead""#))]);
    assert_eq!(told[2].0, [attribute("title", Some(r#""Lead""#), Some(keeper))]);
    assert_eq!(told[3].0, [attribute("displayName", None, Some(r#""sales""#))]);
    let came = MembersChange {
        added: 1,
        added_ids: vec![user.clone()],
        ..MembersChange::default()
    };
    let went = MembersChange {
        removed: 1,
        removed_ids: vec![user],
        ..MembersChange::default()
    };
    assert_eq!(told[3].1, Some(came));
    assert_eq!(told[4], (Vec::new(), Some(went)));
    assert_eq!(
        told[5].0,
        [
            attribute("active", Some("true"), None),
            attribute("title", Some(keeper), None),
            attribute("userName", Some(r#""odile""#), None)
        ]
    );
}

/// What else the log has pushes changes out, and tells nobody that a change was missed who missed none.
#[tokio::test]
async fn a_token_outlives_entries_that_are_no_changes() {
    let it = Served::on(store(8)).await;
    let user = it.user("odile").await.unwrap();
    let token = next(&mut watch(&it, None).await.unwrap()).await.unwrap().resume_token;
    for _ in 0..20 {
        let request = RetryDeliveryRequest {
            tenant: TENANT.to_owned(),
            resource_id: user.clone(),
        };
        it.deliveries().retry_delivery(request).await.unwrap();
    }
    it.entitle(&user, "Lead").await;
    let mut resumed = watch(&it, Some(&token)).await.unwrap();
    next(&mut resumed).await.unwrap();
    let change = next(&mut resumed).await.unwrap().change.unwrap();
    assert_eq!((change.resource_id, change.version), (user, 2));
}

/// One deletion is more changes at once than the feed keeps.
#[tokio::test]
async fn a_watch_that_falls_behind_the_feed_ends() {
    let it = Served::on(store(8)).await;
    let user = it.user("odile").await.unwrap();
    for number in 0..20 {
        let group = Group {
            display_name: Some(format!("g{number}")),
            members: vec![Member {
                value: Some(user.clone()),
                ..Member::default()
            }],
            ..Group::default()
        };
        let request = CreateGroupRequest {
            tenant: TENANT.to_owned(),
            group: Some(group),
            request_id: None,
        };
        GroupServiceClient::new(it.channel.clone())
            .create_group(request)
            .await
            .unwrap();
    }
    let mut watch = watch(&it, None).await.unwrap();
    next(&mut watch).await.unwrap();
    it.delete_user(&user).await;
    assert_expired(&end(watch).await);
}
