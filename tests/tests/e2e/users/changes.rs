//! What internal services see by gRPC: the change feed, and requests that may be repeated.

use proto::{
    error::{Details, ErrorReason},
    identity::v1::{ChangeKind, CreateUserRequest, WatchChangesRequest, WatchChangesResponse},
    resource::v1::User,
};
use serde_json::json;
use tonic::{Code, Streaming};

use super::{ODILE, at};
use crate::deployment::{Deployment, TENANT};

async fn watch(it: &Deployment, resume_token: Option<&str>) -> Streaming<WatchChangesResponse> {
    let request = WatchChangesRequest {
        tenant: TENANT.to_owned(),
        resume_token: resume_token.map(str::to_owned),
    };
    let mut changes = it.changes().watch_changes(request).await.unwrap().into_inner();
    let beginning = response(&mut changes).await;
    assert_eq!(beginning.change, None, "where the watch begins");
    changes
}

async fn response(changes: &mut Streaming<WatchChangesResponse>) -> WatchChangesResponse {
    let patience = std::time::Duration::from_secs(20);
    let response = tokio::time::timeout(patience, changes.message()).await;
    response.expect("a response in time").unwrap().unwrap()
}

/// The next change: what happened to what, its version, and the token.
async fn next(changes: &mut Streaming<WatchChangesResponse>) -> (ChangeKind, String, u64, Vec<String>, String) {
    let response = response(changes).await;
    let change = response.change.unwrap();
    (
        change.kind(),
        change.resource_id,
        change.version,
        change.attributes,
        response.resume_token,
    )
}

#[tokio::test]
async fn the_feed_tells_every_change_once_and_resumes() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    it.scim
        .patch(&at(&id), json!({"op": "Replace", "path": "title", "value": "Lead"}))
        .await
        .expect(204);
    it.scim
        .patch(&at(&id), json!({"op": "Replace", "path": "title", "value": "Lead"}))
        .await
        .expect(204);
    let group = it.scim.create_group("Rack Operators", &[&id]).await;
    it.settled().await;

    let mut all = watch(&it, Some("")).await;
    let mut from_now = watch(&it, None).await;
    let (kind, of, version, attributes, _) = next(&mut all).await;
    assert_eq!((kind, &of, version), (ChangeKind::Created, &id, 1));
    assert!(attributes.iter().any(|name| name == "userName"), "{attributes:?}");
    let (kind, of, version, attributes, token) = next(&mut all).await;
    assert_eq!(
        (kind, &of, version, &attributes[..]),
        (ChangeKind::Updated, &id, 2, &["title".to_owned()][..])
    );
    let (kind, of, version, ..) = next(&mut all).await;
    assert_eq!((kind, &of, version), (ChangeKind::Created, &group, 1));

    // A watcher hears what happens meanwhile, in the order of each resource.
    it.scim.delete(&at(&id)).await.expect(204);
    let mut heard = vec![next(&mut from_now).await, next(&mut from_now).await];
    heard.sort_by_key(|change| change.0 as i32);
    let (kind, of, version, attributes, _) = heard.remove(0);
    assert_eq!(
        (kind, &of, version, &attributes[..]),
        (ChangeKind::Updated, &group, 2, &["members".to_owned()][..])
    );
    let (kind, of, _, attributes, _) = heard.remove(0);
    assert_eq!((kind, &of, attributes.len()), (ChangeKind::Deleted, &id, 0));

    // Resumed after the second change, the rest comes again.
    let mut rest = watch(&it, Some(&token)).await;
    let mut kinds = vec![
        next(&mut rest).await.0,
        next(&mut rest).await.0,
        next(&mut rest).await.0,
    ];
    assert_eq!(kinds.remove(0), ChangeKind::Created);
    kinds.sort_unstable();
    assert_eq!(kinds, [ChangeKind::Updated, ChangeKind::Deleted]);
    let request = WatchChangesRequest {
        tenant: TENANT.to_owned(),
        resume_token: Some("no token".to_owned()),
    };
    assert_eq!(
        it.changes().watch_changes(request).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let it = Deployment::start().await;
    let request = |name: &str, request_id: &str| CreateUserRequest {
        tenant: TENANT.to_owned(),
        user: Some(User {
            user_name: Some(name.to_owned()),
            ..User::default()
        }),
        request_id: Some(request_id.to_owned()),
    };
    let first = it
        .users()
        .create_user(request(ODILE, "r-1"))
        .await
        .unwrap()
        .into_inner();
    it.scim
        .patch(
            &at(first.user.as_ref().unwrap().id()),
            json!({"op": "Replace", "path": "title", "value": "Lead"}),
        )
        .await
        .expect(204);
    let repeated = it
        .users()
        .create_user(request(ODILE, "r-1"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(repeated, first, "the answer of then, not of now");

    let reused = it
        .users()
        .create_user(request("other@kestrel.example", "r-1"))
        .await
        .unwrap_err();
    assert_eq!(Details::of(&reused).unwrap().reason, ErrorReason::RequestIdReused);
    let clash = it.users().create_user(request(ODILE, "r-2")).await.unwrap_err();
    assert_eq!(
        (clash.code(), Details::of(&clash).unwrap().reason),
        (Code::AlreadyExists, ErrorReason::Uniqueness)
    );
    // What failed is not remembered: the same request succeeds once it can.
    it.scim.delete(&at(first.user.as_ref().unwrap().id())).await.expect(204);
    it.users().create_user(request(ODILE, "r-2")).await.unwrap();
    it.settled().await;
    assert_eq!(it.platform.names().await, [ODILE]);
    let stranger = CreateUserRequest {
        tenant: "another".to_owned(),
        ..request("x@kestrel.example", "r-3")
    };
    let unknown = it.users().create_user(stranger).await.unwrap_err();
    assert_eq!(Details::of(&unknown).unwrap().reason, ErrorReason::UnknownTenant);
}
