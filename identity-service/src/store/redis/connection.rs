//! How Redis is reached.

use redis::{Client, RedisError, Script as RedisScript, Value, aio::ConnectionManager};

/// Where Redis is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URL.
    pub url: String,
}

/// Why Redis cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to Redis")]
pub struct OpenError(#[from] RedisError);

/// Why a script did not answer.
#[derive(Debug, thiserror::Error)]
#[error("Redis did not answer a script")]
pub(super) struct CallError(#[from] RedisError);

/// A script, known by its hash.
pub(super) struct Script(RedisScript);

impl Script {
    pub(super) fn new(_name: &'static str, source: &str) -> Self {
        Self(RedisScript::new(source))
    }
}

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) struct Connection(ConnectionManager);

impl Connection {
    pub(super) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let client = Client::open(settings.url.as_str())?;
        Ok(Self(client.get_connection_manager().await?))
    }

    /// Runs a script on the node that holds a key.
    pub(super) async fn run(&self, script: &Script, key: &str, args: Vec<Vec<u8>>) -> Result<Value, CallError> {
        let mut call = script.0.key(key);
        for arg in args {
            call.arg(arg);
        }
        Ok(call.invoke_async(&mut self.0.clone()).await?)
    }

    /// Runs a script that only reads.
    pub(super) async fn read(&self, script: &Script, key: &str, args: Vec<Vec<u8>>) -> Result<Value, CallError> {
        self.run(script, key, args).await
    }
}
