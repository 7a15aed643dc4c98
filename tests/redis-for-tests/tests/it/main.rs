//! Each kind of server starts, answers, and is gone after it was dropped.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod long;
mod replicated;
mod standalone;

use std::net::TcpStream;

use redis_for_tests::RedisServer;

/// Nobody listens where it was, and nothing of it is left on disk.
fn assert_gone(servers: Vec<RedisServer>) {
    let were: Vec<_> = servers
        .iter()
        .map(|server| (server.port(), server.folder().to_owned()))
        .collect();
    drop(servers);
    for (port, folder) in were {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port}");
        assert!(!folder.exists(), "{}", folder.display());
    }
}
