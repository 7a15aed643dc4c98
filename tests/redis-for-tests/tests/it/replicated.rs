use redis_for_tests::{RedisServer, Replicated, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::assert_gone;

#[tokio::test]
async fn replicas_have_what_their_master_has_unless_they_are_paused() {
    let servers = Replicated::start(2).await;
    assert_eq!(set_and_wait(&servers.master, "1", 60_000).await, "+OK\r\n:2\r\n");
    for replica in &servers.replicas {
        assert_eq!(replica.cli(&["GET", "a"]).await, "1");
    }

    servers.pause_replicas();
    assert_eq!(set_and_wait(&servers.master, "2", 50).await, "+OK\r\n:0\r\n");
    servers.resume_replicas();
    for replica in &servers.replicas {
        until("what was missed arrives", async || {
            replica.cli(&["GET", "a"]).await == "2"
        })
        .await;
    }
    let Replicated { master, mut replicas } = servers;
    replicas.push(master);
    assert_gone(replicas);
}

/// What is answered to a write and to WAIT for two replicas, which is asked for on the same connection.
async fn set_and_wait(server: &RedisServer, value: &str, milliseconds: u32) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    let commands = format!("SET a {value}\r\nWAIT 2 {milliseconds}\r\nQUIT\r\n");
    connection.write_all(commands.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer.strip_suffix("+OK\r\n").unwrap().to_owned()
}
