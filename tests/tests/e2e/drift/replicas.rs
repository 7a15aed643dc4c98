//! Two replicas over one Redis: one of them compares, and each tells what came of it.

use std::time::Duration;

use redis_for_tests::{Appendfsync, Options, RedisServer};
use serde_json::json;
use tokio::time::Instant;

use super::{account_id, clean, last, usual};

const INTERVAL: Duration = Duration::from_millis(500);

#[tokio::test]
async fn one_of_two_replicas_compares_and_both_tell_of_it() {
    let redis = RedisServer::with(Options::durable(Appendfsync::Always)).await;
    let began = Instant::now();
    let flags = [&*format!("--redis-url={}", redis.url()), "--drift-interval=500ms"];
    let it = usual().identity(&flags).start().await;
    let (_other, other) = it.another_identity().await;

    // Each comparison reads the list once, and none begins before an interval has gone by since the last.
    let lists = async || u32::try_from(it.platform.calls_of("entities/localusers").await).unwrap();
    it.until(async |_| lists().await >= 4).await;
    let (read, took) = (lists().await, began.elapsed());
    assert!(took >= INTERVAL * (read - 1), "{read} comparisons in {took:?}");

    let both = [it.drift(), other];
    it.until(async |_| {
        let [one, other] = [last(&both[0]).await.summary, last(&both[1]).await.summary];
        let whole = one.as_ref().is_some_and(|one| one.failure.is_none());
        whole && one == other
    })
    .await;
}

#[tokio::test]
async fn over_redis_what_differs_is_found_and_repaired() {
    let redis = RedisServer::with(Options::durable(Appendfsync::Always)).await;
    let it = usual()
        .identity(&[&format!("--redis-url={}", redis.url())])
        .start()
        .await;
    let odile = it.scim.create_user("odile@x.example").await;
    let bert = it.scim.create_user("bert@x.example").await;
    it.scim.create_group("Crew", &[&odile]).await;
    clean(&it).await;
    let before = it.platform.account("odile@x.example").await;
    let (one, other) = (
        account_id(&it, "odile@x.example").await,
        account_id(&it, "bert@x.example").await,
    );
    it.platform.edit(&one, json!({"DisplayName": "Somebody"})).await;
    let crew = super::group_id(&it, "Crew").await;
    it.platform.take_out(&crew, &one).await;
    it.platform.put_in(&crew, &other).await;

    let found = super::apply(&it, false).await;
    assert_eq!(found.summary.repaired, 3, "{found:#?} {bert}");
    it.settled().await;
    let now = it.platform.account("odile@x.example").await;
    assert_eq!(now["DisplayName"], before["DisplayName"]);
    assert_eq!(it.platform.members("Crew").await, ["odile@x.example".to_owned()].into());
    clean(&it).await;
}
