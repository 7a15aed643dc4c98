//! The floor: the least that an HTTP service over Redis does. A bare handler that makes one script call of a record's size,
//! with the server, the runtime and the kind of connection that our services have. What the system is slower by is the price
//! of what it does: credentials, SCIM, a second process, indexes, feed, outbox.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Path as UrlPath, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use redis::{Script, aio::MultiplexedConnection};
use tokio::net::TcpListener;

use crate::{
    client::Target,
    people,
    processes::{Process, free_address},
    redis::RedisServer,
};

/// How many records the floor has.
pub const RECORDS: u64 = 1000;

/// The floor as a process of its own, with a redis-server of its own.
#[derive(Debug)]
pub struct Floor {
    _process: Process,
    /// Its redis-server.
    pub redis: RedisServer,
    /// Where it is reached.
    pub target: Target,
}

impl Floor {
    /// Starts it: `program` is this program.
    pub async fn start(program: &Path, threads: Option<usize>, folder: &Path, appendfsync: &str) -> Result<Self> {
        let redis = RedisServer::start(folder, appendfsync).await?;
        let addr = free_address()?;
        let arguments = vec!["floor".to_owned(), addr.to_string(), redis.url()];
        let mut process = Process::start(program, arguments, threads, folder)?;
        process.listens(addr).await?;
        let target = Target {
            addr,
            base: String::new(),
            token: None,
        };
        Ok(Self {
            _process: process,
            redis,
            target,
        })
    }
}

struct Scripts {
    redis: MultiplexedConnection,
    read: Script,
    write: Script,
}

/// Serves the floor until it is killed.
pub async fn serve(addr: &str, redis_url: &str) -> Result<()> {
    let client = redis::Client::open(redis_url)?;
    let scripts = Scripts {
        redis: client.get_multiplexed_async_connection().await?,
        read: Script::new("return redis.call('HGET', KEYS[1], ARGV[1])"),
        write: Script::new("return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])"),
    };
    for n in 0..RECORDS {
        scripts.put(n, people::user(n).to_string().as_bytes()).await?;
    }
    let router = Router::new()
        .route("/{n}", get(read).post(write))
        .with_state(Arc::new(scripts));
    let listener = TcpListener::bind(addr).await.context("cannot listen")?;
    Ok(axum::serve(listener, router).await?)
}

impl Scripts {
    async fn put(&self, n: u64, record: &[u8]) -> redis::RedisResult<()> {
        let mut call = self.write.key("floor");
        call.arg(n).arg(record).invoke_async(&mut self.redis.clone()).await
    }

    async fn get(&self, n: u64) -> redis::RedisResult<Vec<u8>> {
        let mut call = self.read.key("floor");
        call.arg(n).invoke_async(&mut self.redis.clone()).await
    }
}

async fn read(State(scripts): State<Arc<Scripts>>, UrlPath(n): UrlPath<u64>) -> Response {
    match scripts.get(n).await {
        Ok(record) => ([(header::CONTENT_TYPE, "application/scim+json")], record).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn write(State(scripts): State<Arc<Scripts>>, UrlPath(n): UrlPath<u64>, body: Bytes) -> StatusCode {
    match scripts.put(n, &body).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
