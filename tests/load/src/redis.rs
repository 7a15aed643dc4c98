//! A redis-server of the harness's own, and what it says of its memory.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;

use crate::processes::{Process, free_address};

/// How many keys are asked about at once.
const AT_ONCE: usize = 1000;
/// What stands once for each resource that has it; all such keys are shown as one.
const EACH: [&str; 8] = [
    "members:",
    "unknown:",
    "groups:",
    "pending:",
    "stamps:",
    "pending_in:",
    "waiters:",
    "request:",
];

/// A server, empty when it starts.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    addr: SocketAddr,
}

impl RedisServer {
    /// Starts one whose files are in `folder`. It never rewrites its log by itself, so that no slice has to share the disk
    /// with that.
    pub async fn start(folder: &Path, appendfsync: &str) -> Result<Self> {
        let addr = free_address()?;
        let port = addr.port().to_string();
        let folder_text = folder.display().to_string();
        let arguments = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--dir",
            &folder_text,
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            appendfsync,
            "--auto-aof-rewrite-percentage",
            "0",
            "--maxmemory-policy",
            "noeviction",
        ];
        let arguments = arguments.map(str::to_owned).to_vec();
        let mut process = Process::start(Path::new("redis-server"), arguments, None, folder)?;
        process.listens(addr).await?;
        Ok(Self { process, addr })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Its resident memory.
    pub fn resident(&self) -> Result<u64> {
        self.process.resident()
    }

    /// When it writes its log through to the disk.
    pub async fn set_fsync(&self, appendfsync: &str) -> Result<()> {
        let mut connection = self.connect().await?;
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("appendfsync").arg(appendfsync);
        Ok(command.query_async(&mut connection).await?)
    }

    /// The memory that its data takes, by its own count.
    pub async fn used_memory(&self) -> Result<u64> {
        let mut connection = self.connect().await?;
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await?;
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        line.and_then(|line| line.trim().parse().ok())
            .context("no used_memory in INFO")
    }

    /// How many scripts it has run.
    pub async fn scripts_run(&self) -> Result<u64> {
        let mut connection = self.connect().await?;
        let mut command = redis::cmd("INFO");
        let info: String = command.arg("commandstats").query_async(&mut connection).await?;
        let scripts = info.lines().filter(|line| line.starts_with("cmdstat_evalsha"));
        let calls = scripts.filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok());
        Ok(calls.sum())
    }

    /// How many bytes each kind of key takes, all its keys together.
    pub async fn parts(&self) -> Result<BTreeMap<String, u64>> {
        let mut connection = self.connect().await?;
        let (mut parts, mut cursor) = (BTreeMap::new(), 0_u64);
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("COUNT").arg(AT_ONCE);
            let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut connection).await?;
            let mut asked = redis::pipe();
            for key in &keys {
                // All samples: an estimate of a hash of a million entries would be one of its first five.
                asked.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0);
            }
            let sizes: Vec<Option<u64>> = asked.query_async(&mut connection).await?;
            for (key, size) in keys.iter().zip(sizes) {
                *parts.entry(kind(key)).or_default() += size.unwrap_or(0);
            }
            if next == 0 {
                return Ok(parts);
            }
            cursor = next;
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        // A walk over a million keys takes longer than an answer usually may.
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }
}

/// The kind of a key of `scim:{tenant}:`.
fn kind(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    let rest = text.split_once("}:").map_or(&*text, |(_, rest)| rest);
    let each = EACH.iter().find(|each| rest.starts_with(**each));
    each.map_or_else(|| rest.to_owned(), |each| format!("{each}…"))
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn keys_of_one_resource_are_counted_together() {
        assert_eq!(kind(b"scim:{default}:user:names"), "user:names");
        assert_eq!(kind(b"scim:{default}:groups:\x01\xff:"), "groups:…");
        assert_eq!(kind(b"floor"), "floor");
    }
}
