//! A master and two replicas, watched by three Sentinels who put a replica in the place of a master that is gone.

use crate::{
    Options, RedisServer, Replicated,
    replicated::{is_following, is_master},
    server::Role,
    until,
};

/// The name that the Sentinels know the master by.
const NAME: &str = "mymaster";
/// After so many milliseconds without an answer a Sentinel takes a server for gone.
const DOWN_AFTER: u32 = 1000;
/// What Sentinels do every ten seconds or every two in earnest, they do more often here (milliseconds).
const PERIODS: [&str; 8] = [
    "info-period",
    "200",
    "publish-period",
    "200",
    "ask-period",
    "200",
    "min-link-reconnect-period",
    "200",
];

/// A master, two replicas, three Sentinels.
#[derive(Debug)]
pub struct SentinelTrio {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl SentinelTrio {
    /// Starts them; the Sentinels know all servers and each other when this returns.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    /// Starts them, the servers with these options, without user and TLS.
    pub async fn with(options: Options) -> Self {
        assert!(options.user.is_none(), "the Sentinels come without a password");
        let Replicated { master, mut replicas } = Replicated::with(options, 2).await;
        let config = format!(
            "sentinel monitor {NAME} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {NAME} {DOWN_AFTER}\n\
             sentinel failover-timeout {NAME} 3000\n\
             sentinel parallel-syncs {NAME} 2\n",
            master.port()
        );
        let mut trio = Self {
            servers: vec![master],
            sentinels: Vec::new(),
        };
        trio.servers.append(&mut replicas);
        for _ in 0..3 {
            let sentinel = RedisServer::launch(Role::Sentinel, &config, None, false).await;
            sentinel.cli(&[&["SENTINEL", "DEBUG"], &PERIODS[..]].concat()).await;
            trio.sentinels.push(sentinel);
        }
        trio.agrees().await;
        trio
    }

    /// Where the Sentinels are, and the name they know the master by.
    pub fn url(&self) -> String {
        let hosts = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port()));
        format!("redis+sentinel://{}/{NAME}", hosts.collect::<Vec<_>>().join(","))
    }

    /// The Sentinels.
    pub fn sentinels(&mut self) -> &mut [RedisServer] {
        &mut self.sentinels
    }

    /// The servers, masters and replicas, running or not.
    pub fn servers(&mut self) -> &mut [RedisServer] {
        &mut self.servers
    }

    /// The server that the Sentinels take for the master, if they are of one mind.
    async fn try_master(&self) -> Option<&RedisServer> {
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
        let mut master = None;
        for sentinel in self.sentinels.iter().filter(|sentinel| sentinel.is_running()) {
            let address = sentinel.try_cli(&ask).await.ok()?;
            let port = address.lines().nth(1)?.parse().ok()?;
            if master.is_some_and(|master| master != port) {
                return None;
            }
            master = Some(port);
        }
        self.servers.iter().find(|server| Some(server.port()) == master)
    }

    /// The server that all Sentinels take for the master.
    pub async fn master(&self) -> &RedisServer {
        let master = self.try_master().await;
        master.expect("the Sentinels agree about the master")
    }

    /// Kills the master, and waits until another server is in its place and the rest follow that.
    pub async fn kill_master(&mut self) {
        let port = self.master().await.port();
        let master = self.servers.iter_mut().find(|server| server.port() == port);
        master.unwrap().kill();
        self.agrees().await;
    }

    /// Starts the servers and Sentinels again that were killed, and waits until all agree.
    pub async fn start_again(&mut self) {
        for server in self.servers.iter_mut().chain(&mut self.sentinels) {
            if !server.is_running() {
                server.start_again().await;
            }
        }
        self.agrees().await;
    }

    /// Waits until the running servers are one master and its replicas, and the running Sentinels know it.
    pub async fn agrees(&self) {
        until("the Sentinels agree, and the servers are as they say", async || {
            self.is_agreed().await
        })
        .await;
    }

    async fn is_agreed(&self) -> bool {
        let Some(master) = self.try_master().await else {
            return false;
        };
        if !master.is_running() || !is_master(master).await {
            return false;
        }
        let is_other = |server: &&RedisServer| server.is_running() && server.port() != master.port();
        let replicas: Vec<_> = self.servers.iter().filter(is_other).collect();
        for replica in &replicas {
            if !is_following(replica, master).await {
                return false;
            }
        }
        for sentinel in self.sentinels.iter().filter(|sentinel| sentinel.is_running()) {
            // A line for each name and each value.
            let known = sentinel
                .try_cli(&["SENTINEL", "MASTER", NAME])
                .await
                .unwrap_or_default();
            let wanted = ["\nflags\nmaster\n", "\nnum-other-sentinels\n2\n"];
            if !wanted.iter().all(|wanted| known.contains(wanted)) {
                return false;
            }
            let known = sentinel
                .try_cli(&["SENTINEL", "REPLICAS", NAME])
                .await
                .unwrap_or_default();
            if known.matches("\nflags\nslave\n").count() != replicas.len() {
                return false;
            }
        }
        true
    }
}
