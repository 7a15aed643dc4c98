//! Which node of a cluster holds a key, and the connections to all of them. The table of slots is fetched anew when a node
//! says that a key has moved, when a node is lost, and now and then. It must not know scripts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use redis::{Value, aio::MultiplexedConnection};
use tokio::{sync::Notify, time::timeout};

use super::{checks::Durability, dial::Dialer, error::OpenError, server::Server, slots, target::Host};

/// How often the table is fetched while all is well, and while a node is away or a slot has none.
const FETCH: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(250));
/// The shortest pause between two fetches, however often one is asked for.
const LEAST_PAUSE: Duration = Duration::from_millis(50);

/// A cluster. A clone is the same one.
#[derive(Clone)]
pub(super) struct Cluster {
    shared: Arc<Shared>,
}

struct Shared {
    seeds: Vec<Host>,
    dialer: Dialer,
    make: Box<dyn Fn(Dialer) -> Server + Send + Sync>,
    table: Mutex<Table>,
    fetch: Arc<Notify>,
}

#[derive(Default)]
struct Table {
    ranges: Vec<slots::Range>,
    nodes: HashMap<Host, Server>,
    /// Why there is no table.
    error: Option<Arc<OpenError>>,
}

impl Cluster {
    /// Begins to follow the cluster that these nodes belong to; `make` connects to a node.
    pub(super) fn follow(
        seeds: Vec<Host>,
        dialer: Dialer,
        make: impl Fn(Dialer) -> Server + Send + Sync + 'static,
    ) -> Self {
        let fetch = Arc::new(Notify::new());
        let shared = Arc::new(Shared {
            seeds,
            dialer,
            make: Box::new(make),
            table: Mutex::default(),
            fetch: fetch.clone(),
        });
        tokio::spawn(follow(Arc::downgrade(&shared), fetch));
        Self { shared }
    }

    /// The node that holds a key, as far as is known.
    pub(super) fn holder(&self, key: &str) -> Option<Server> {
        let slot = slots::of(key);
        let table = self.shared.table();
        let range = table.ranges.iter().find(|range| range.contains(slot))?;
        table.nodes.get(&range.node).cloned()
    }

    /// A node that another named. Its table may be newer than ours.
    pub(super) fn node(&self, host: &Host) -> Server {
        let mut table = self.shared.table();
        let node = table.nodes.entry(host.clone());
        node.or_insert_with(|| self.shared.connect(host)).clone()
    }

    /// Has the table fetched soon.
    pub(super) fn fetch_soon(&self) {
        self.shared.fetch.notify_one();
    }

    /// The weakest promise of its nodes, or why it does not work.
    pub(super) fn health(&self) -> Result<Durability, Arc<OpenError>> {
        let table = self.shared.table();
        if let Some(error) = &table.error {
            return Err(error.clone());
        }
        let mut weakest = Durability::Always;
        for node in table.nodes.values() {
            weakest = weakest.max(node.health()?);
        }
        match slots::cover_all(&table.ranges) {
            true => Ok(weakest),
            false => Err(self.uncovered()),
        }
    }

    /// That there is no node for some keys.
    pub(super) fn uncovered(&self) -> Arc<OpenError> {
        Arc::new(OpenError::Uncovered {
            target: self.shared.dialer.name(),
        })
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing under this lock can panic half-way through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, node: &Host) -> Server {
        (self.make)(self.dialer.to(node))
    }

    /// Fetches the table from the first node that gives one: those we are connected to, then those that the URL names.
    async fn fetch(&self) -> Result<Vec<slots::Range>, OpenError> {
        let nodes: Vec<_> = {
            let table = self.table();
            let nodes = table.nodes.iter().map(|(host, node)| (host.clone(), node.link.clone()));
            nodes.collect()
        };
        for (host, link) in nodes {
            if let Ok(up) = link.now()
                && let Ok(ranges) = self.ask(&host, up.connection).await
            {
                return Ok(ranges);
            }
        }
        let mut last = None;
        for seed in &self.seeds {
            let dialer = self.dialer.to(seed);
            let asked = timeout(dialer.answer_within(), async {
                self.ask(seed, dialer.connect(|| {}).await?).await
            });
            match asked.await {
                Ok(Ok(ranges)) => return Ok(ranges),
                Ok(Err(error)) => last = Some(error),
                Err(_) => last = Some(OpenError::Silent { target: dialer.name() }),
            }
        }
        Err(last.unwrap_or_else(|| OpenError::Silent {
            target: self.dialer.name(),
        }))
    }

    async fn ask(&self, node: &Host, mut connection: MultiplexedConnection) -> Result<Vec<slots::Range>, OpenError> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let answer: Value = command
            .query_async(&mut connection)
            .await
            .map_err(|error| self.dialer.to(node).failed(error))?;
        Ok(slots::read(&answer, node))
    }

    /// Takes a new table over. Connections to nodes that hold nothing any more end.
    fn take(&self, fetched: Result<Vec<slots::Range>, OpenError>) {
        let mut table = self.table();
        match fetched {
            Ok(ranges) => {
                table
                    .nodes
                    .retain(|host, _| ranges.iter().any(|range| range.node == *host));
                for range in &ranges {
                    let node = table.nodes.entry(range.node.clone());
                    node.or_insert_with(|| self.connect(&range.node));
                }
                table.ranges = ranges;
                table.error = None;
            }
            // An old table is better than none.
            Err(_) if !table.ranges.is_empty() => {}
            Err(error) => table.error = Some(Arc::new(error)),
        }
    }
}

async fn follow(shared: Weak<Shared>, fetch: Arc<Notify>) {
    loop {
        let Some(cluster) = shared.upgrade().map(|shared| Cluster { shared }) else {
            return;
        };
        cluster.shared.take(cluster.shared.fetch().await);
        let pause = match cluster.health() {
            Ok(_) => FETCH.0,
            Err(_) => FETCH.1,
        };
        drop(cluster);
        tokio::time::sleep(LEAST_PAUSE).await;
        let _ = timeout(pause, fetch.notified()).await;
    }
}
