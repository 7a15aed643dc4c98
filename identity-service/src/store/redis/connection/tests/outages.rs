//! Redis goes away, in each of the ways in which it does, and comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::Value;
use redis_for_tests::RedisServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::{
    CallError, Connection, KEY, Settings, count, counted, open,
    servers::{ask, start, until},
};

fn quick(server: &RedisServer) -> Settings {
    Settings {
        timeout: Duration::from_millis(500),
        ..Settings::new(&server.url())
    }
}

async fn works_again(connection: &Connection) {
    until("it works again", async || {
        connection.run(&count(), KEY, vec![]).await.is_ok()
    })
    .await;
    until("it is healthy again", async || connection.health().is_ok()).await;
}

#[tokio::test]
async fn a_server_that_dies_is_missed_for_no_longer_than_it_is_away() {
    let mut server = start(&["appendonly yes", "appendfsync always"]).await;
    let connection = open(&quick(&server)).await;
    assert_eq!(connection.run(&count(), KEY, vec![]).await.unwrap(), Value::Int(1));
    server.kill();
    until("its absence is known", async || connection.health().is_err()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let begun = Instant::now();
    let error = connection.run(&count(), KEY, vec![]).await.unwrap_err();
    assert!(matches!(error, CallError::Away(_)), "{error:?}");
    assert!(
        begun.elapsed() < Duration::from_millis(400),
        "long away, so nobody waits: {:?}",
        begun.elapsed()
    );
    server.start_again().await;
    works_again(&connection).await;
    assert!(matches!(
        connection.read(&counted(), KEY, vec![]).await.unwrap(),
        Value::Int(2..)
    ));
}

#[tokio::test]
async fn a_short_absence_is_waited_for() {
    let mut server = start(&[]).await;
    let patient = Settings {
        timeout: Duration::from_secs(20),
        ..quick(&server)
    };
    let connection = open(&patient).await;
    server.kill();
    until("its absence is known", async || connection.health().is_err()).await;
    let waiting = {
        let connection = connection.clone();
        tokio::spawn(async move { connection.run(&count(), KEY, vec![]).await })
    };
    server.start_again().await;
    assert_eq!(waiting.await.unwrap().unwrap(), Value::Int(1), "run once");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up() {
    let server = start(&[]).await;
    let connection = open(&quick(&server)).await;
    server.pause();
    let begun = Instant::now();
    let error = connection.run(&count(), KEY, vec![]).await.unwrap_err();
    assert!(
        matches!(error, CallError::Unanswered { script: "count", .. }),
        "{error:?}"
    );
    let error = connection.read(&counted(), KEY, vec![]).await.unwrap_err();
    assert!(matches!(error, CallError::Away(_)), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(connection.health().is_err());
    server.resume();
    works_again(&connection).await;
}

/// Stands before a server and, when told, cuts a connection instead of handing on the next number that it answers.
struct Cutter {
    url: String,
    cut: Arc<AtomicBool>,
}

impl Cutter {
    async fn before(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (cut, port) = (Arc::new(AtomicBool::new(false)), server.port());
        let told = cut.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(Self::hand_on(client, server, told.clone()));
            }
        });
        Self { url, cut }
    }

    async fn hand_on(client: TcpStream, server: TcpStream, cut: Arc<AtomicBool>) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let there = tokio::io::copy(&mut from_client, &mut to_server);
        let back = async {
            let mut buffer = vec![0; 65_536];
            while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                if buffer[0] == b':' && cut.swap(false, Ordering::SeqCst) {
                    return;
                }
                to_client.write_all(&buffer[..length]).await.unwrap();
            }
        };
        tokio::select! {
            _ = there => {}
            () = back => {}
        }
    }
}

#[tokio::test]
async fn a_script_that_may_have_run_is_not_sent_again_but_one_that_reads_is() {
    let server = start(&[]).await;
    let cutter = Cutter::before(&server).await;
    let connection = open(&Settings::new(&cutter.url)).await;
    connection.run(&count(), KEY, vec![]).await.unwrap();
    cutter.cut.store(true, Ordering::SeqCst);
    let error = connection.run(&count(), KEY, vec![]).await.unwrap_err();
    assert!(
        matches!(error, CallError::Unanswered { script: "count", .. }),
        "{error:?}"
    );
    cutter.cut.store(true, Ordering::SeqCst);
    assert_eq!(
        connection.read(&counted(), KEY, vec![]).await.unwrap(),
        Value::Int(2),
        "run once"
    );
    assert!(!cutter.cut.load(Ordering::SeqCst), "it was cut on the way");
}

#[tokio::test]
async fn a_server_that_becomes_a_replica_is_left_until_it_is_master_again() {
    let (server, other) = (start(&[]).await, start(&[]).await);
    let connection = open(&quick(&server)).await;
    let () = ask(&server, &format!("REPLICAOF 127.0.0.1 {}", other.port())).await;
    let error = connection.run(&count(), KEY, vec![]).await.unwrap_err();
    assert!(
        matches!(error, CallError::Away(_) | CallError::Busy(_)),
        "not run: {error:?}"
    );
    assert!(connection.health().is_err());
    let () = ask(&server, "REPLICAOF NO ONE").await;
    works_again(&connection).await;
}
