//! What a server is looked at for.

use redis_for_tests::free_port;

use super::{
    Settings, open,
    servers::{ask, start},
};
use crate::store::redis::connection::{Connection, OpenError, Refusal, checks::Durability};

#[tokio::test]
async fn the_promise_is_what_the_server_keeps() {
    for (options, durability) in [
        (&["appendonly yes", "appendfsync always"][..], Durability::Always),
        (&["appendonly yes", "appendfsync everysec"], Durability::EverySecond),
        (&["appendonly yes", "appendfsync no"], Durability::WhenConvenient),
        (&["appendonly no"], Durability::InMemory),
    ] {
        let server = start(options).await;
        let promise = open(&Settings::new(&server.url())).await.health().unwrap();
        assert_eq!(promise.durability, durability, "{options:?}");
        assert_eq!(promise.is_whole(), durability == Durability::Always, "{options:?}");
        assert!(!promise.lost_at_fail_over);
    }
}

#[tokio::test]
async fn what_the_server_keeps_to_itself_refuses_nothing() {
    let server = start(&["appendonly yes", "appendfsync always"]).await;
    let () = ask(&server, "ACL SETUSER managed on nopass ~* +@all -info -config -role").await;
    let url = server.url().replace("//", "//managed:any@");
    let promise = open(&Settings::new(&url)).await.health().unwrap();
    assert_eq!(promise.durability, Durability::Unknown);
    assert!(promise.words().contains("could not tell"), "{}", promise.words());
}

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let server = start(&["maxmemory 100mb", "maxmemory-policy allkeys-lru"]).await;
    let error = Connection::open(&Settings::new(&server.url())).await.err().unwrap();
    assert!(
        matches!(&error, OpenError::Refused { source: Refusal::Evicts(policy), .. } if policy == "allkeys-lru"),
        "{error:?}"
    );
    let () = ask(&server, "CONFIG SET maxmemory-policy noeviction").await;
    open(&Settings::new(&server.url())).await;
}

#[tokio::test]
async fn the_url_must_say_what_is_there() {
    let node = start(&["cluster-enabled yes", &format!("cluster-port {}", free_port())]).await;
    let error = Connection::open(&Settings::new(&node.url())).await.err().unwrap();
    assert!(error.is_final(), "{error:?}");
    assert!(
        matches!(
            error,
            OpenError::Refused {
                source: Refusal::Cluster,
                ..
            }
        ),
        "{error:?}"
    );
}
