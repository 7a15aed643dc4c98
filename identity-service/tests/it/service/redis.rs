//! The service on Redis: it is not ready while Redis is away, says when to try again, and needs nobody to go on.

use std::time::Duration;

use proto::error::{Details, ErrorReason};
use redis_for_tests::{Appendfsync, Options, RedisServer};
use service_runtime::health::{Report, State};
use tokio::time::timeout;
use tonic::Code;

use super::{Served, config};
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
