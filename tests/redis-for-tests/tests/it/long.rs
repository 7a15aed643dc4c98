//! What takes seconds: Sentinels and a cluster that put a replica in a master's place.

use redis_for_tests::{Appendfsync, Cluster, Options, SentinelTrio, User};

#[tokio::test]
async fn sentinels_put_a_replica_in_the_place_of_a_master_that_is_gone() {
    let mut trio = SentinelTrio::with(Options::durable(Appendfsync::Everysec)).await;
    let sentinels = trio.sentinels().iter();
    let sentinels: Vec<_> = sentinels.map(|one| format!("127.0.0.1:{}", one.port())).collect();
    assert_eq!(trio.url(), format!("redis+sentinel://{}/mymaster", sentinels.join(",")));
    let first = trio.master().await.port();
    trio.master().await.cli(&["SET", "a", "1"]).await;

    trio.kill_master().await;
    let second = trio.master().await.port();
    assert_ne!(second, first);
    trio.master().await.cli(&["SET", "a", "2"]).await;

    trio.start_again().await;
    assert_eq!(trio.master().await.port(), second, "who comes back follows");
    let returned = trio.servers().iter().find(|server| server.port() == first).unwrap();
    assert_eq!(returned.cli(&["GET", "a"]).await, "2");
}

#[tokio::test]
async fn a_cluster_serves_all_keys_also_after_a_master_was_killed_and_a_slot_was_moved() {
    let mut cluster = Cluster::start().await;
    // One for each master, and one more.
    let keys = ["{a}1", "{b}1", "{c}1", "{d}1"];
    let mut masters = Vec::new();
    for key in keys {
        let master = cluster.master_of(key).await;
        assert_eq!(cluster.nodes()[master].cli(&["SET", key, "1"]).await, "OK");
        masters.push(master);
    }
    masters.sort_unstable();
    masters.dedup();
    assert_eq!(masters.len(), 3, "the keys are spread");

    let from = cluster.master_of(keys[0]).await;
    let to = cluster.master_of(keys[1]).await;
    cluster.move_slot_of(keys[0], to).await;
    assert_eq!(cluster.master_of(keys[0]).await, to);
    assert_eq!(cluster.nodes()[to].cli(&["GET", keys[0]]).await, "1");
    let moved = cluster.nodes()[from].try_cli(&["GET", keys[0]]).await.unwrap_err();
    assert!(moved.contains("MOVED"), "{moved}");

    cluster.kill(to);
    cluster.serves().await;
    let successor = cluster.master_of(keys[1]).await;
    assert_ne!(successor, to);
    assert_eq!(cluster.nodes()[successor].cli(&["SET", keys[1], "2"]).await, "OK");
    cluster.start_again(to).await;
    assert_eq!(cluster.master_of(keys[1]).await, successor, "who comes back follows");
}

#[tokio::test]
async fn a_cluster_lets_a_user_in_and_nobody_else() {
    let [name, password] = ["scim", "s3cret"].map(str::to_owned);
    let options = Options {
        user: Some(User { name, password }),
        ..Options::default()
    };
    let cluster = Cluster::with(options).await;
    let nodes = cluster.nodes().iter();
    let nodes: Vec<_> = nodes.map(|node| format!("127.0.0.1:{}", node.port())).collect();
    assert_eq!(
        cluster.url(),
        format!("redis+cluster://scim:s3cret@{}", nodes.join(","))
    );
}
