use std::{net::TcpStream, panic::AssertUnwindSafe};

use redis_for_tests::{Appendfsync, Options, RedisServer, User};

use crate::assert_gone;

#[tokio::test]
async fn a_server_answers_and_is_gone_after_it_was_dropped() {
    let (one, other) = tokio::join!(RedisServer::start(), RedisServer::start());
    assert_eq!(one.url(), format!("redis://127.0.0.1:{}", one.port()));
    assert_eq!(one.cli(&["SET", "a", "1"]).await, "OK");
    assert_eq!(one.cli(&["GET", "a"]).await, "1");
    assert_eq!(other.cli(&["DBSIZE"]).await, "0");
    assert_eq!(one.cli(&["CONFIG", "GET", "appendonly"]).await, "appendonly\nno");
    assert!(
        one.try_cli(&["NO-COMMAND"])
            .await
            .unwrap_err()
            .contains("unknown command")
    );
    assert_gone(vec![one, other]);
}

#[tokio::test]
async fn a_server_goes_with_a_test_that_panics() {
    let server = RedisServer::start().await;
    let port = server.port();
    let panicked = std::panic::catch_unwind(AssertUnwindSafe(move || {
        let _server = server;
        panic!("as a failed test does");
    }));
    assert!(panicked.is_err());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[tokio::test]
async fn a_server_with_an_append_only_file_keeps_what_it_has() {
    let mut server = RedisServer::with(Options::durable(Appendfsync::Always)).await;
    assert_eq!(
        server.cli(&["CONFIG", "GET", "appendfsync"]).await,
        "appendfsync\nalways"
    );
    server.cli(&["SET", "a", "1"]).await;
    let (port, first) = (server.port(), server.pid());
    server.kill();
    assert!(!server.is_running());
    assert!(server.try_cli(&["PING"]).await.is_err());
    server.start_again().await;
    assert_eq!((server.port(), server.pid() == first), (port, false));
    assert_eq!(server.cli(&["GET", "a"]).await, "1");
    server.stop().await;
    server.start_again().await;
    assert_eq!(server.cli(&["GET", "a"]).await, "1");
    assert_gone(vec![server]);
}

#[tokio::test]
async fn a_server_without_one_forgets() {
    let mut server = RedisServer::with(Options::settings(&["maxmemory 100mb"])).await;
    assert_eq!(
        server.cli(&["CONFIG", "GET", "maxmemory"]).await,
        "maxmemory\n104857600"
    );
    server.cli(&["SET", "a", "1"]).await;
    server.stop().await;
    server.start_again().await;
    assert_eq!(server.cli(&["DBSIZE"]).await, "0");
}

#[tokio::test]
async fn a_user_comes_in_and_nobody_else() {
    let [name, password] = ["scim", "s3cret"].map(str::to_owned);
    let options = Options {
        user: Some(User { name, password }),
        ..Options::default()
    };
    let server = RedisServer::with(options).await;
    assert_eq!(server.url(), format!("redis://scim:s3cret@127.0.0.1:{}", server.port()));
    assert_eq!(server.cli(&["ACL", "WHOAMI"]).await, "scim");
    assert_eq!(nobody(&server, &[]).await, "NOAUTH Authentication required.");
}

#[tokio::test]
async fn tls_is_checked_by_the_servers_own_authority() {
    let options = Options {
        tls: true,
        ..Options::default()
    };
    let server = RedisServer::with(options).await;
    assert_eq!(server.url(), format!("rediss://127.0.0.1:{}", server.port()));
    assert_eq!(server.cli(&["PING"]).await, "PONG");
    let ca = server.ca_file().display().to_string();
    assert_eq!(nobody(&server, &["--tls", "--cacert", &ca]).await, "PONG");
    assert!(nobody(&server, &["--tls"]).await.contains("certificate verify failed"));
    assert_ne!(nobody(&server, &[]).await, "PONG");
    let strangers = RedisServer::with(Options {
        tls: true,
        ..Options::default()
    })
    .await;
    let ca = strangers.ca_file().display().to_string();
    assert!(
        nobody(&server, &["--tls", "--cacert", &ca])
            .await
            .contains("certificate verify failed")
    );
}

#[tokio::test]
async fn a_server_that_is_paused_says_nothing_until_it_goes_on() {
    let server = RedisServer::start().await;
    server.pause();
    let asked = server.cli(&["PING"]);
    tokio::pin!(asked);
    let unanswered = tokio::time::timeout(std::time::Duration::from_millis(200), &mut asked).await;
    assert!(unanswered.is_err());
    server.resume();
    assert_eq!(asked.await, "PONG");
}

/// What it answers to the PING of somebody who comes with these arguments of `redis-cli` alone.
async fn nobody(server: &RedisServer, arguments: &[&str]) -> String {
    let mut command = tokio::process::Command::new("redis-cli");
    command.args(["-p", &server.port().to_string()]).args(arguments);
    let output = command.arg("PING").output().await.unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (out + &err).trim().to_owned()
}
