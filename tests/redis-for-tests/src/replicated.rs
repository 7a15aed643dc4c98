//! A master and its replicas, with nobody who would put one in the other's place.

use crate::{Options, RedisServer, until};

/// A master and its replicas.
#[derive(Debug)]
pub struct Replicated {
    /// The one that takes writes.
    pub master: RedisServer,
    /// Those that follow it.
    pub replicas: Vec<RedisServer>,
}

impl Replicated {
    /// Starts a master with so many replicas; all follow it when this returns.
    pub async fn start(replicas: usize) -> Self {
        Self::with(Options::default(), replicas).await
    }

    /// Starts them with these options, each; without TLS.
    pub async fn with(options: Options, replicas: usize) -> Self {
        assert!(
            !options.tls,
            "each server has an authority of its own, which the others do not know"
        );
        let master = RedisServer::with(options.clone()).await;
        let mut following = options;
        following
            .settings
            .push(format!("replicaof 127.0.0.1 {}", master.port()));
        let mut replicated = Self {
            master,
            replicas: Vec::new(),
        };
        for _ in 0..replicas {
            replicated.replicas.push(RedisServer::with(following.clone()).await);
        }
        replicated.follows().await;
        replicated
    }

    /// The URL of the master.
    pub fn url(&self) -> String {
        self.master.url()
    }

    /// Waits until all replicas follow the master, and the master counts on them.
    pub async fn follows(&self) {
        for replica in &self.replicas {
            until("a replica follows its master", async || {
                is_following(replica, &self.master).await
            })
            .await;
        }
        until("the master counts on all replicas", async || {
            let info = self.master.try_cli(&["INFO", "replication"]).await.unwrap_or_default();
            info.matches("state=online").count() == self.replicas.len()
        })
        .await;
    }

    /// Makes the replicas say nothing, so that no write is known to be on any of them.
    pub fn pause_replicas(&self) {
        self.replicas.iter().for_each(RedisServer::pause);
    }

    /// Lets them go on.
    pub fn resume_replicas(&self) {
        self.replicas.iter().for_each(RedisServer::resume);
    }
}

/// Whether one follows the other, up to date since its connection was made.
pub(crate) async fn is_following(replica: &RedisServer, master: &RedisServer) -> bool {
    let info = replica.try_cli(&["INFO", "replication"]).await.unwrap_or_default();
    let port = format!("master_port:{}", master.port());
    let wanted = ["role:slave", "master_link_status:up", &port];
    wanted.iter().all(|wanted| info.lines().any(|line| line == *wanted))
}

/// Whether it takes writes.
pub(crate) async fn is_master(server: &RedisServer) -> bool {
    let info = server.try_cli(&["INFO", "replication"]).await.unwrap_or_default();
    info.lines().any(|line| line == "role:master")
}
