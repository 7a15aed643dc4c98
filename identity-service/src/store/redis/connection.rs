//! How the Redis store reaches its servers: one, the master that Sentinels name, or the nodes of a cluster. Scripts go in, and
//! either an answer comes out or an error that says whether the script may have been run. Connections are kept and made anew
//! by themselves ([`link`]); a server is looked at before it is used ([`checks`]).
//!
//! It must not know what the scripts do, nor tenants and resources. The crate's own ConnectionManager and cluster client are
//! not used: the one keeps a connection whose server no longer answers and does not leave a demoted master, the other sends
//! again what may have been run already.

mod checks;
mod cluster;
mod dial;
mod error;
mod link;
mod replicas;
mod script;
mod server;
mod slots;
mod target;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::Value;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep};

pub(crate) use self::{checks::Promise, error::CallError, script::Script};
pub use self::{checks::Refusal, error::OpenError, target::UrlError};

use self::{
    cluster::Cluster,
    dial::Dialer,
    link::Up,
    script::Verdict,
    server::Server,
    target::{Host, Target, Topology},
};

/// How long a start waits for Redis. Longer than a restart of it takes, and shorter than anyone watches a service do nothing:
/// then the service ends and says why, and whoever supervises it starts it again.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The pause before a script is sent again that was not taken.
const PAUSE: Duration = Duration::from_millis(20);

/// Where Redis is, and how it is spoken to. No secret in it is ever printed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `redis://`, `rediss://`, `redis+sentinel://`, `redis+cluster://` and so on, with user and password if need be.
    pub url: SecretString,
    /// File with the password, instead of one in the URL.
    pub password_file: Option<PathBuf>,
    /// File with the password of the Sentinels, where they ask for one.
    pub sentinel_password_file: Option<PathBuf>,
    /// Certificates (PEM) that the servers' are checked against, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate (PEM), where servers ask for one.
    pub cert_file: Option<PathBuf>,
    /// The key of our own certificate (PEM).
    pub key_file: Option<PathBuf>,
    /// How long Redis may take to accept a connection, and to answer.
    pub timeout: Duration,
    /// How many replicas must have a change before it is answered.
    pub wait_replicas: u32,
    /// How long they may take.
    pub wait_timeout: Duration,
}

impl Settings {
    /// The settings for a server of that URL, all others at their defaults.
    pub fn new(url: &str) -> Self {
        Self {
            url: SecretString::from(url),
            password_file: None,
            sentinel_password_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            timeout: Duration::from_secs(2),
            wait_replicas: 0,
            wait_timeout: Duration::from_secs(1),
        }
    }

    /// Whether the settings fit together. Opens no connection.
    pub fn check(&self) -> Result<(), OpenError> {
        let target = self.target()?;
        let wrong = |setting, reason| {
            let error = service_runtime::Error::setting(setting, reason);
            Err(OpenError::Settings(Arc::new(error)))
        };
        for (setting, time) in [
            ("REDIS_TIMEOUT", self.timeout),
            ("REDIS_WAIT_TIMEOUT", self.wait_timeout),
        ] {
            if time.is_zero() {
                return wrong(setting, "must be longer than 0");
            }
        }
        if self.cert_file.is_some() != self.key_file.is_some() {
            return wrong(
                "REDIS_CERT_FILE",
                "goes with REDIS_KEY_FILE, and neither without the other",
            );
        }
        if !target.tls && (self.ca_file.is_some() || self.cert_file.is_some()) {
            return wrong("REDIS_URL", "must begin with rediss for certificates to mean anything");
        }
        Dialer::new(Arc::new(self.clone()), Arc::new(target)).check_files()
    }

    fn target(&self) -> Result<Target, OpenError> {
        Ok(Target::parse(self.url.expose_secret())?)
    }
}

/// A way to Redis that is kept. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Connection {
    servers: Servers,
    timeout: Duration,
    /// Whether a replica may take over that lacks what was acknowledged.
    lost_at_fail_over: bool,
}

#[derive(Clone)]
enum Servers {
    /// One server, or whichever is master.
    One(Server),
    Cluster(Cluster),
}

impl Connection {
    /// Connects. While Redis is away, it is waited for; what only a person can mend is an error at once.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        settings.check()?;
        service_runtime::install_crypto_provider();
        let target = Arc::new(settings.target()?);
        let settings = Arc::new(settings.clone());
        let dialer = Dialer::new(settings.clone(), target.clone());
        let begun = Instant::now();
        let is_open = Arc::new(AtomicBool::new(false));
        let servers = match target.topology {
            Topology::Standalone | Topology::Sentinel { .. } => Servers::One(Server::keep(dialer, &settings, true)),
            Topology::Cluster => {
                let (settings, is_open) = (settings.clone(), is_open.clone());
                // Nothing was written before the start is over.
                let make = move |dialer| Server::keep(dialer, &settings, !is_open.load(Ordering::Acquire));
                Servers::Cluster(Cluster::follow(target.hosts.clone(), dialer, make))
            }
        };
        let connection = Self {
            servers,
            timeout: settings.timeout,
            lost_at_fail_over: target.topology != Topology::Standalone && settings.wait_replicas == 0,
        };
        let promise = loop {
            match connection.health() {
                Ok(promise) => break promise,
                Err(error) if error.is_final() || begun.elapsed() > START_LIMIT => return Err((*error).clone()),
                Err(_) => sleep(PAUSE).await,
            }
        };
        is_open.store(true, Ordering::Release);
        match promise.is_whole() {
            true => tracing::info!(%target, "the store is in Redis: {}", promise.words()),
            false => tracing::warn!(%target, "the store is in Redis: {}", promise.words()),
        }
        Ok(connection)
    }

    /// Runs a script on the node that holds `key`, its only key. It is sent again only while it certainly was not run.
    pub(crate) async fn run(&self, script: &Script, key: &str, args: Vec<Vec<u8>>) -> Result<Value, CallError> {
        self.send(script, key, &args, 0).await
    }

    /// The same for a script that only reads: it is sent once more after a connection that broke.
    pub(crate) async fn read(&self, script: &Script, key: &str, args: Vec<Vec<u8>>) -> Result<Value, CallError> {
        self.send(script, key, &args, 1).await
    }

    /// Waits until what was written under `key` so far is on as many replicas as the settings say. To be asked right after
    /// the write was answered: later, a change of the master in between would not be noticed.
    pub(crate) async fn replicated(&self, key: &str) -> Result<(), CallError> {
        let Some(server) = self.holder(key) else {
            return Err(CallError::MasterChanged);
        };
        let Some(replicas) = &server.replicas else {
            return Ok(());
        };
        let up = server.link.now().map_err(CallError::Away)?;
        replicas.have(key, up.facts.run_id.clone()).await
    }

    /// What an acknowledged change survives, or why Redis is away, as it is now.
    pub(crate) fn health(&self) -> Result<Promise, Arc<OpenError>> {
        let durability = match &self.servers {
            Servers::One(server) => server.health(),
            Servers::Cluster(cluster) => cluster.health(),
        }?;
        let lost_at_fail_over = self.lost_at_fail_over;
        Ok(Promise {
            durability,
            lost_at_fail_over,
        })
    }

    async fn send(&self, script: &Script, key: &str, args: &[Vec<u8>], mut repeats: u8) -> Result<Value, CallError> {
        let deadline = Instant::now() + self.timeout;
        let (mut named, mut with_source) = (None, false);
        loop {
            let (at, up) = self.reach(named.take(), key, deadline).await?;
            let error = match script.send(&up.connection, with_source, key, args).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match Verdict::on(&error) {
                Verdict::Refused => return Err(CallError::refused(script, error)),
                Verdict::Broken => {
                    at.link.give_up(up.generation, error.clone());
                    if repeats == 0 {
                        return Err(CallError::unanswered(script, error));
                    }
                    repeats -= 1;
                    continue;
                }
                Verdict::Unknown if !with_source => {
                    with_source = true;
                    continue;
                }
                Verdict::Moved(Some(host)) => named = Some(self.named(&at, host)),
                Verdict::NotMaster => at.link.give_up(up.generation, error.clone()),
                Verdict::Later | Verdict::Unknown | Verdict::Moved(None) => {}
            }
            if Instant::now() > deadline {
                return Err(CallError::Busy(error));
            }
            if let Servers::Cluster(cluster) = &self.servers {
                cluster.fetch_soon();
            }
            sleep(PAUSE).await;
        }
    }

    /// A connection to the server named, or else to the one that holds the key. In a cluster another may come to hold it
    /// while we wait.
    async fn reach(&self, named: Option<Server>, key: &str, deadline: Instant) -> Result<(Server, Up), CallError> {
        let cluster = match &self.servers {
            Servers::One(server) => {
                let up = server.link.up(deadline).await.map_err(CallError::Away)?;
                return Ok((server.clone(), up));
            }
            Servers::Cluster(cluster) => cluster,
        };
        let mut named = named;
        loop {
            let reason = match named.take().or_else(|| cluster.holder(key)) {
                Some(server) => match server.link.up(deadline.min(Instant::now() + PAUSE)).await {
                    Ok(up) => return Ok((server, up)),
                    Err(reason) if server.link.is_long_away() => return Err(CallError::Away(reason)),
                    Err(reason) => reason,
                },
                None => {
                    sleep(PAUSE).await;
                    cluster.uncovered()
                }
            };
            if Instant::now() > deadline {
                return Err(CallError::Away(reason));
            }
        }
    }

    fn holder(&self, key: &str) -> Option<Server> {
        match &self.servers {
            Servers::One(server) => Some(server.clone()),
            Servers::Cluster(cluster) => cluster.holder(key),
        }
    }

    /// The node that `at` names. One without a name is on the same host.
    fn named(&self, at: &Server, host: Host) -> Server {
        match &self.servers {
            Servers::One(server) => server.clone(),
            Servers::Cluster(cluster) if host.name.is_empty() => {
                let name = Host::parse(at.link.name(), host.port).map_or(host.name, |at| at.name);
                cluster.node(&Host::new(name, host.port))
            }
            Servers::Cluster(cluster) => cluster.node(&host),
        }
    }
}
