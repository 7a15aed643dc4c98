//! What these tests ask of real servers beyond `redis-for-tests`.

use redis::FromRedisValue;
use redis_for_tests::{Options, RedisServer};

pub(super) use redis_for_tests::until;

/// A server of these lines of configuration.
pub(super) async fn start(lines: &[&str]) -> RedisServer {
    RedisServer::with(Options::settings(lines)).await
}

/// What a server answers to a command, asked by a connection of our own.
pub(super) async fn ask<T: FromRedisValue>(server: &RedisServer, command: &str) -> T {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut words = command.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.query_async(&mut connection).await.unwrap()
}
