//! The service on Redis: it is not ready while Redis is away, says when to try again, and needs nobody to go on.

use std::time::Duration;

use proto::{
    error::{Details, ErrorReason},
    identity::v1::{
        CreateGroupRequest, GetUserRequest, ListUsersRequest, group_service_client::GroupServiceClient,
        user_service_client::UserServiceClient,
    },
    resource::v1::{Group, Member},
};
use redis_for_tests::{Appendfsync, Options, RedisServer, until};
use service_runtime::health::{Report, State};
use tokio::time::timeout;
use tonic::Code;

use super::{Served, TENANT, config};
use crate::store::engine::PATIENCE;

/// The state of the store, once it is as wanted.
async fn store_is(it: &Served, wanted: impl Fn(&State) -> bool) -> State {
    let mut reports = it.running.readiness().subscribe();
    let is = |report: &Report| report.dependencies.get("store").is_some_and(&wanted);
    let report = timeout(PATIENCE, reports.wait_for(is)).await.expect("in time").unwrap();
    report.dependencies["store"].clone()
}

#[tokio::test]
async fn redis_may_go_away_and_come_back() {
    let mut server = RedisServer::with(Options::durable(Appendfsync::Everysec)).await;
    server.kill();
    let url = format!("--redis-url={}", server.url());
    let settings = config(&[&url, "--redis-timeout=500ms", "--delivery-concurrency=0"]);
    // The service is started first, and waits.
    let starting = tokio::spawn(identity_service::start(settings));
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.start_again().await;
    let it = Served::by(timeout(PATIENCE, starting).await.unwrap().unwrap().unwrap()).await;
    let state = store_is(&it, |state| *state != State::Ready).await;
    let State::Degraded(words) = state else {
        panic!("{state:?}")
    };
    assert!(words.contains("appendfsync everysec"), "{words}");
    it.user("odile").await.unwrap();

    server.kill();
    store_is(&it, |state| matches!(state, State::NotReady(_))).await;
    assert!(!it.running.readiness().report().is_ready());
    let refused = it.user("anders").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    let details = Details::of(&refused).unwrap();
    assert_eq!(details.reason, ErrorReason::StoreUnavailable);
    assert!(details.retry_after.is_some());

    server.start_again().await;
    store_is(&it, |state| matches!(state, State::Degraded(_))).await;
    it.user("anders").await.unwrap();
    let taken = it.user("odile").await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists, "what was answered is still there");
}

/// How often each command was given so far: those of clients and those of scripts.
async fn given(server: &RedisServer) -> impl Fn(&str) -> u64 + use<> {
    let stats = server.cli(&["INFO", "commandstats"]).await;
    move |command| {
        let line = stats.lines().find_map(|line| {
            let rest = line.strip_prefix("cmdstat_")?.strip_prefix(command)?;
            rest.strip_prefix(":calls=")
        });
        line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    }
}

#[tokio::test]
async fn a_read_is_one_call_of_redis() {
    let server = RedisServer::start().await;
    let url = format!("--redis-url={}", server.url());
    let settings = config(&[&url, "--delivery-concurrency=0"]);
    let it = Served::by(identity_service::start(settings).await.unwrap()).await;
    let id = it.user("odile").await.unwrap();
    for name in ["Fencing", "Rowing"] {
        let request = CreateGroupRequest {
            tenant: TENANT.to_owned(),
            group: Some(Group {
                display_name: Some(name.to_owned()),
                members: vec![Member {
                    value: Some(id.clone()),
                    ..Member::default()
                }],
                ..Group::default()
            }),
            request_id: None,
        };
        let mut groups = GroupServiceClient::new(it.channel.clone());
        groups.create_group(request).await.unwrap();
    }
    let mut users = UserServiceClient::new(it.channel.clone());
    for include_groups in [true, false] {
        let get = GetUserRequest {
            tenant: TENANT.to_owned(),
            id: id.clone(),
            include_groups,
        };
        let by = |filter: String| ListUsersRequest {
            tenant: TENANT.to_owned(),
            filter: Some(filter),
            include_groups,
            ..ListUsersRequest::default()
        };
        let by_name = by("userName eq \"ODILE\"".to_owned());
        let by_id = by(format!("id eq \"{id}\""));
        // What is done beside it only adds calls: in a round without any there are those of the reads alone.
        until("a round of three reads has three calls", async || {
            let before = given(&server).await;
            let got = users.get_user(get.clone()).await.unwrap().into_inner().user.unwrap();
            let named = users.list_users(by_name.clone()).await.unwrap().into_inner().users;
            let listed = users.list_users(by_id.clone()).await.unwrap().into_inner().users;
            let after = given(&server).await;
            let groups: Vec<_> = got.groups.iter().filter_map(|group| group.display.as_deref()).collect();
            assert_eq!(
                groups,
                if include_groups {
                    &["Fencing", "Rowing"][..]
                } else {
                    &[]
                }
            );
            assert_eq!((&named, &listed), (&vec![got.clone()], &vec![got]));
            let calls = |command| after(command) - before(command);
            let groups_read = calls("zrange") > 0;
            calls("evalsha") + calls("eval") == 3 && groups_read == include_groups
        })
        .await;
    }
}
