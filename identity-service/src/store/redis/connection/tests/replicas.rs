//! Changes that are answered only when a replica has them.

use std::time::Duration;

use redis_for_tests::RedisServer;

use super::{
    CallError, KEY, Settings, count, open,
    servers::{ask, start, until},
};

async fn with_replica() -> (RedisServer, RedisServer, Settings) {
    let master = start(&[]).await;
    let replica = start(&[&format!("replicaof 127.0.0.1 {}", master.port())]).await;
    until("the replica follows", async || {
        ask::<String>(&master, "INFO replication")
            .await
            .contains("state=online")
    })
    .await;
    let settings = Settings {
        wait_replicas: 1,
        // Generous: a replica that has just come takes its time until it first says how far it is.
        wait_timeout: Duration::from_secs(20),
        ..Settings::new(&master.url())
    };
    (master, replica, settings)
}

#[tokio::test]
async fn what_is_confirmed_is_on_the_replica() {
    let (master, mut replica, settings) = with_replica().await;
    let connection = open(&settings).await;
    connection.run(&count(), KEY, vec![]).await.unwrap();
    connection.replicated(KEY).await.unwrap();
    assert_eq!(ask::<i64>(&replica, &format!("GET {KEY}count")).await, 1);
    assert_eq!(ask::<i64>(&master, "EXISTS scim:{default}:wait").await, 1);

    let impatient = Settings {
        wait_timeout: Duration::from_millis(300),
        ..settings
    };
    let connection = open(&impatient).await;
    replica.kill();
    connection.run(&count(), KEY, vec![]).await.unwrap();
    let unmet = connection.replicated(KEY).await.unwrap_err();
    assert!(
        matches!(unmet, CallError::Replicas { reached: 0, wanted: 1 }),
        "{unmet:?}"
    );
    replica.start_again().await;
    until("it is confirmed again", async || {
        connection.replicated(KEY).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn many_share_one_wait() {
    let (master, _replica, settings) = with_replica().await;
    let connection = open(&settings).await;
    let () = ask(&master, "CONFIG RESETSTAT").await;
    let calls = (0..200).map(|_| {
        let connection = connection.clone();
        tokio::spawn(async move {
            connection.run(&count(), KEY, vec![]).await.unwrap();
            connection.replicated(KEY).await.unwrap();
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let stats: String = ask(&master, "INFO commandstats").await;
    let waits = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_wait:calls="))
        .unwrap();
    let waits: u32 = waits.split(',').next().unwrap().parse().unwrap();
    assert!(waits < 200, "{waits}");
}

#[tokio::test]
async fn a_master_that_came_after_the_write_confirms_nothing() {
    let (mut master, _replica, settings) = with_replica().await;
    let connection = open(&settings).await;
    connection.run(&count(), KEY, vec![]).await.unwrap();
    master.kill();
    master.start_again().await;
    // The write is gone with the process: it kept no append-only file.
    until("it is connected again", async || connection.health().is_ok()).await;
    let error = connection.replicated(KEY).await.unwrap_err();
    assert!(matches!(error, CallError::MasterChanged), "{error:?}");
    until("what is written from now on is confirmed", async || {
        connection.run(&count(), KEY, vec![]).await.is_ok() && connection.replicated(KEY).await.is_ok()
    })
    .await;
}
