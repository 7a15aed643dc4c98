//! The connection on real servers.

mod checks;
mod credentials;
mod long;
mod outages;
mod replicas;
mod servers;

use redis::Value;

use self::servers::{ask, start, until};
use super::{CallError, Connection, Script, Settings};

const KEY: &str = "scim:{default}:";

async fn open(settings: &Settings) -> Connection {
    Connection::open(settings).await.unwrap()
}

/// Counts up, and gives the count.
fn count() -> Script {
    Script::new("count", "return redis.call('INCR', KEYS[1] .. 'count')")
}

/// Gives the count.
fn counted() -> Script {
    Script::new("counted", "return tonumber(redis.call('GET', KEYS[1] .. 'count') or 0)")
}

#[tokio::test]
async fn a_script_is_sent_with_its_source_when_the_server_does_not_know_it() {
    let server = start(&[]).await;
    let connection = open(&Settings::new(&server.url())).await;
    for expected in 1..=2 {
        assert_eq!(
            connection.run(&count(), KEY, vec![]).await.unwrap(),
            Value::Int(expected)
        );
    }
    let () = ask(&server, "SCRIPT FLUSH").await;
    assert_eq!(connection.run(&count(), KEY, vec![]).await.unwrap(), Value::Int(3));
    let echo = Script::new("echo", "return {KEYS[1], ARGV[1], ARGV[2], false}");
    let args = vec![b"a\0\xff".to_vec(), vec![]];
    let bytes = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
    assert_eq!(
        connection.read(&echo, KEY, args).await.unwrap(),
        Value::Array(vec![bytes(KEY.as_bytes()), bytes(b"a\0\xff"), bytes(b""), Value::Nil])
    );
}

#[tokio::test]
async fn a_script_that_fails_is_refused_by_name() {
    let server = start(&[]).await;
    let connection = open(&Settings::new(&server.url())).await;
    let wrong = Script::new("wrong", "return nothing.at_all");
    let error = connection
        .run(&wrong, KEY, vec![b"odile@example.com".to_vec()])
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Refused { script: "wrong", .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("odile"), "{error:?}");
}

#[tokio::test]
async fn many_share_one_connection() {
    let server = start(&[]).await;
    let connection = open(&Settings::new(&server.url())).await;
    let calls = (0..500).map(|_| {
        let connection = connection.clone();
        tokio::spawn(async move { connection.run(&count(), KEY, vec![]).await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(connection.read(&counted(), KEY, vec![]).await.unwrap(), Value::Int(500));
    let clients: String = ask(&server, "CLIENT LIST TYPE normal").await;
    assert_eq!(clients.lines().count(), 2, "ours, and the one that asks: {clients}");
    drop(connection);
    until("the connection is closed", async || {
        ask::<String>(&server, "CLIENT LIST TYPE normal").await.lines().count() == 1
    })
    .await;
}
