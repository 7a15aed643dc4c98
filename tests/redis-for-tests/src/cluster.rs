//! A cluster of three masters, each with a replica.

use crate::{Options, RedisServer, User, server::Role, until};

/// How many masters it has, and how many replicas.
const MASTERS: usize = 3;
/// The hash slots of a cluster.
const SLOTS: usize = 16_384;
/// After so many milliseconds without an answer a node takes another for gone.
const NODE_TIMEOUT: u32 = 1000;

/// A cluster: three masters, each with a replica. A node is known by its place in [`Cluster::nodes`].
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<RedisServer>,
}

/// What one node says of another.
struct Known {
    port: u16,
    is_master: bool,
    is_failed: bool,
    /// First and last.
    slots: Vec<(u16, u16)>,
}

impl Cluster {
    /// Starts it; all slots are served and all replicas follow when this returns.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    /// Starts it, each node with these options, without TLS.
    pub async fn with(options: Options) -> Self {
        assert!(
            !options.tls,
            "each node has an authority of its own, which the others do not know"
        );
        let config = format!("cluster-node-timeout {NODE_TIMEOUT}\n{}", options.config());
        let mut cluster = Self { nodes: Vec::new() };
        for _ in 0..2 * MASTERS {
            let node = RedisServer::launch(Role::ClusterNode, &config, options.user.clone(), false).await;
            cluster.nodes.push(node);
        }
        cluster.join().await;
        cluster
    }

    /// As `redis-cli --cluster create` does, without its pauses.
    async fn join(&self) {
        for (place, node) in self.nodes.iter().enumerate() {
            let epoch = (place + 1).to_string();
            node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            if place < MASTERS {
                let [first, end] = [place, place + 1].map(|place| place * SLOTS / MASTERS);
                let [first, last] = [first, end - 1].map(|slot| slot.to_string());
                node.cli(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
            }
            let [port, bus] = [node.port(), node.cluster_port()].map(|port| port.to_string());
            self.nodes[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
        }
        for node in &self.nodes {
            until("all nodes know each other", async || {
                let known = known(node).await;
                known.len() == self.nodes.len() && known.iter().filter(|node| !node.slots.is_empty()).count() == MASTERS
            })
            .await;
        }
        for (place, node) in self.nodes.iter().enumerate().skip(MASTERS) {
            let master = &self.nodes[place - MASTERS];
            let id = master.cli(&["CLUSTER", "MYID"]).await;
            node.cli(&["CLUSTER", "REPLICATE", &id]).await;
        }
        self.serves().await;
        let replicas = &self.nodes[MASTERS..];
        for replica in replicas {
            until("replicas follow", async || {
                let info = replica.cli(&["INFO", "replication"]).await;
                info.contains("master_link_status:up")
            })
            .await;
        }
    }

    /// Where its nodes are.
    pub fn url(&self) -> String {
        let (scheme, user) = ("redis+cluster://", self.nodes[0].user_of_url());
        let hosts = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port()));
        format!("{scheme}{user}{}", hosts.collect::<Vec<_>>().join(","))
    }

    /// Its nodes, running or not.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The master that serves this key, by its place.
    pub async fn master_of(&self, key: &str) -> usize {
        let slot = self.slot_of(key).await;
        let running = self.nodes.iter().find(|node| node.is_running()).unwrap();
        let known = known(running).await;
        let serves = |node: &&Known| node.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot));
        let master = known
            .iter()
            .filter(|node| node.is_master && !node.is_failed)
            .find(serves);
        let port = master.expect("the slot is served").port;
        self.nodes.iter().position(|node| node.port() == port).unwrap()
    }

    async fn slot_of(&self, key: &str) -> u16 {
        let running = self.nodes.iter().find(|node| node.is_running()).unwrap();
        running.cli(&["CLUSTER", "KEYSLOT", key]).await.parse().unwrap()
    }

    /// Ends a node as `kill -9` does.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Starts a node again, and waits until all is served.
    pub async fn start_again(&mut self, node: usize) {
        self.nodes[node].start_again().await;
        self.serves().await;
    }

    /// Waits until all running nodes say that every slot is served, each by the same running master.
    pub async fn serves(&self) {
        until("the cluster serves all slots", async || self.is_serving().await).await;
    }

    async fn is_serving(&self) -> bool {
        let mut agreed = None;
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            let info = node.try_cli(&["CLUSTER", "INFO"]).await.unwrap_or_default();
            let mut masters = known(node).await;
            masters.retain(|known| known.is_master && !known.is_failed && !known.slots.is_empty());
            let is_running = |port| self.nodes.iter().any(|node| node.port() == port && node.is_running());
            if !info.contains("cluster_state:ok") || !masters.iter().all(|master| is_running(master.port)) {
                return false;
            }
            let mut served: Vec<_> = masters.into_iter().map(|master| (master.slots, master.port)).collect();
            served.sort_unstable();
            let slots = served.iter().flat_map(|(slots, _)| slots);
            if slots.map(|(first, last)| usize::from(last - first) + 1).sum::<usize>() != SLOTS {
                return false;
            }
            if agreed.get_or_insert_with(|| served.clone()) != &served {
                return false;
            }
        }
        true
    }

    /// Gives the slot of this key to another master, key by key, as an administrator does who spreads the load anew.
    pub async fn move_slot_of(&self, key: &str, to: usize) {
        let slot = self.slot_of(key).await.to_string();
        let from = &self.nodes[self.master_of(key).await];
        let to = &self.nodes[to];
        let [from_id, to_id] = [from.cli(&["CLUSTER", "MYID"]).await, to.cli(&["CLUSTER", "MYID"]).await];
        to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).await;
        from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).await;
        loop {
            let keys = from.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).await;
            let keys: Vec<_> = keys.lines().collect();
            if keys.is_empty() {
                break;
            }
            let port = to.port().to_string();
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000"];
            if let Some(User { name, password }) = to.user() {
                migrate.extend(["AUTH2", name, password]);
            }
            migrate.push("KEYS");
            from.cli(&[migrate, keys].concat()).await;
        }
        for node in [to, from] {
            node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).await;
        }
        self.serves().await;
    }
}

/// All nodes that one knows, itself among them.
async fn known(node: &RedisServer) -> Vec<Known> {
    let nodes = node.try_cli(&["CLUSTER", "NODES"]).await.unwrap_or_default();
    nodes.lines().filter_map(parse_known).collect()
}

/// `<id> <ip:port@bus> <flags> <master> <ping> <pong> <epoch> <link> <slot> <first-last> …`
fn parse_known(line: &str) -> Option<Known> {
    let words: Vec<_> = line.split(' ').collect();
    let [_, address, flags, _, _, _, _, _, slots @ ..] = &words[..] else {
        return None;
    };
    let (host_and_port, _) = address.split_once('@')?;
    let flags: Vec<_> = flags.split(',').collect();
    // One that is in brackets is on its way.
    let slots = slots.iter().filter(|slots| !slots.starts_with('[')).map(|slots| {
        let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    Some(Known {
        port: host_and_port.rsplit_once(':')?.1.parse().ok()?,
        is_master: flags.contains(&"master"),
        is_failed: flags.contains(&"fail") || flags.contains(&"fail?"),
        slots: slots.collect::<Option<_>>()?,
    })
}
