//! The system that is measured: gateway, identity-service and delinea-adapter as processes of the release build, over Redis
//! or the embedded file, filled and ready. Delivery is paused, so that what is measured is the way of a request from the
//! socket to the disk and back, or on, to a simulated Platform that answers at once.

mod deliveries;
mod platform;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::time::Instant;

pub use self::{
    deliveries::{Backlog, Deliveries},
    platform::{Answers, Calls, SimulatedPlatform},
};
use crate::{
    client::Target,
    fill::Directory,
    processes::{Process, command, free_address},
    redis::RedisServer,
};

const TOKEN: &str = "dsg_the-token-of-the-load-generator";

/// What identity-service keeps its state in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Its own file.
    Embedded,
    /// A redis-server.
    Redis,
}

/// Whether changes are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// DELIVERY_CONCURRENCY=0 keeps every change pending.
    Paused,
    /// To a simulated Platform of its own, which knows nobody at the start. No brake is on.
    On(Answers),
}

/// Where a system sends its traces.
#[derive(Clone, Debug)]
pub struct Tracing {
    /// The collector.
    pub collector: String,
    /// The share of traces that are sent, from 0 to 1.
    pub share: f64,
}

/// What a system is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where the programs are.
    pub programs: PathBuf,
    /// Where the program is that imports: of another build, only serving is compared.
    pub importer: PathBuf,
    /// Threads of each service, if not as many as there are cores.
    pub threads: Option<usize>,
    /// Where its files go.
    pub folder: PathBuf,
    /// The engine.
    pub engine: Engine,
    /// Whether changes are delivered.
    pub delivery: Delivery,
    /// How long an answer waits for the Platform's verdict, if not as long as by default.
    pub answer_wait: Option<Duration>,
    /// Where its traces go, if anywhere.
    pub tracing: Option<Tracing>,
    /// `appendfsync` of its redis-server, for a start.
    pub appendfsync: String,
    /// How many users.
    pub users: usize,
    /// The sizes of its groups.
    pub groups: Vec<usize>,
}

/// The system, filled and ready.
#[derive(Debug)]
pub struct System {
    /// Where SCIM is served.
    pub target: Target,
    /// Who is in it.
    pub directory: Directory,
    /// Its redis-server, if it has one.
    pub redis: Option<RedisServer>,
    /// What filling it took.
    pub filled: Filled,
    /// The gateway.
    pub gateway: Process,
    /// identity-service.
    pub identity: Process,
    /// Whether changes are delivered.
    pub delivery: Delivery,
    /// What becomes of changes.
    pub deliveries: Deliveries,
    /// delinea-adapter.
    pub adapter: Process,
    platform: Option<SimulatedPlatform>,
    ops: [SocketAddr; 2],
    _folder: TempDir,
}

/// How a system was filled.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// Whether by an import: otherwise every change is still to be delivered.
    pub imported: bool,
    /// How long it took.
    pub took: Duration,
    /// Redis's memory before and after.
    pub memory: Option<(u64, u64)>,
}

impl System {
    /// Starts and fills one.
    pub async fn start(setup: &Setup) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("system-").tempdir_in(&setup.folder)?;
        let redis = match setup.engine {
            Engine::Redis => Some(RedisServer::start(folder.path(), &setup.appendfsync).await?),
            Engine::Embedded => None,
        };
        let store = match &redis {
            Some(redis) => format!("--redis-url={}", redis.url()),
            None => format!("--data-dir={}", folder.path().join("identity").display()),
        };
        let program = |name: &str| setup.programs.join(name);
        let empty = memory(redis.as_ref()).await?;
        let began = Instant::now();
        let imported = match setup.delivery {
            Delivery::Paused => import(&setup.importer.join("identity-service"), &store, folder.path(), setup).await?,
            // Of those who are imported, the simulated Platform would know nothing.
            Delivery::On(_) => None,
        };

        let [
            adapter_at,
            identity_at,
            gateway_at,
            platform_at,
            identity_ops,
            gateway_ops,
        ] = addresses()?;
        let traced = setup.tracing.as_ref().map_or_else(Vec::new, |tracing| {
            let Tracing { collector, share } = tracing;
            vec![format!("--otlp-endpoint={collector}"), format!("--trace-share={share}")]
        });
        let start = |name: &str, listen: SocketAddr, more: Vec<String>| {
            let arguments = [vec![format!("--listen={listen}")], more].concat();
            Process::start(&program(name), arguments, setup.threads, folder.path())
        };
        let platform = match setup.delivery {
            Delivery::Paused => None,
            Delivery::On(answers) => {
                let mut process = start("platform-simulator", platform_at, platform::settings())?;
                process.listens(platform_at).await?;
                Some(SimulatedPlatform::new(process, platform_at, answers).await?)
            }
        };
        // Where nothing is delivered, nobody listens there.
        let max_rps = match setup.delivery {
            Delivery::Paused => 0,
            Delivery::On(answers) => answers.max_rps,
        };
        let adapter = platform::adapter_settings(platform_at, max_rps);
        let adapter = start("delinea-adapter", adapter_at, [adapter, traced.clone()].concat())?;
        let hash: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut identity = vec![
            store,
            format!("--bearer-token-sha256={hash}"),
            format!("--ops-listen={identity_ops}"),
            format!("--adapter-url=http://{adapter_at}"),
        ];
        match setup.delivery {
            Delivery::Paused => identity.push("--delivery-concurrency=0".to_owned()),
            Delivery::On(_) => identity.extend([
                "--max-removals-per-hour=0".to_owned(),
                "--max-deactivations-per-hour=0".to_owned(),
            ]),
        }
        if let Some(wait) = setup.answer_wait {
            identity.push(format!("--answer-wait={}ms", wait.as_millis()));
        }
        identity.extend(traced.clone());
        let mut identity = start("identity-service", identity_at, identity)?;
        let gateway = vec![
            format!("--ops-listen={gateway_ops}"),
            format!("--identity-url=http://{identity_at}"),
            // What it could do is measured, and not what it may.
            "--rate-limit=0".to_owned(),
        ];
        let gateway = [gateway, traced].concat();
        let mut gateway = start("gateway", gateway_at, gateway)?;
        identity.ready(identity_ops).await?;
        gateway.ready(gateway_ops).await?;

        let deliveries = Deliveries::of(identity_at).await?;
        let target = Target {
            addr: gateway_at,
            base: "/scim/v2".to_owned(),
            token: Some(TOKEN.to_owned()),
        };
        let mut memory_after = memory(redis.as_ref()).await?;
        let (directory, imported) = match imported {
            Some(directory) => (directory, true),
            None => {
                let mut directory = Directory::post_users(&target, setup.users).await?;
                if setup.delivery != Delivery::Paused {
                    deliveries.done().await?;
                }
                memory_after = memory(redis.as_ref()).await?;
                directory.post_groups(&target, &setup.groups).await?;
                (directory, false)
            }
        };
        let filled = Filled {
            imported,
            took: began.elapsed(),
            memory: empty.zip(memory_after),
        };
        Ok(Self {
            target,
            directory,
            redis,
            filled,
            gateway,
            identity,
            delivery: setup.delivery,
            deliveries,
            adapter,
            platform,
            ops: [identity_ops, gateway_ops],
            _folder: folder,
        })
    }

    /// The CPU time that gateway and identity-service have taken so far.
    pub fn cpu(&self) -> Result<Duration> {
        Ok(self.gateway.cpu()? + self.identity.cpu()?)
    }

    /// The Platform that it delivers to.
    pub fn platform(&self) -> Result<&SimulatedPlatform> {
        self.platform.as_ref().context("nothing is delivered here")
    }

    /// Ends identity-service and the gateway, and starts them again: how long until each is ready.
    pub async fn restart(&mut self, killed: bool) -> Result<[Duration; 2]> {
        for process in [&mut self.gateway, &mut self.identity] {
            if killed {
                process.kill().await?;
            } else {
                process.stop().await?;
            }
        }
        let began = Instant::now();
        self.identity.spawn()?;
        self.gateway.spawn()?;
        self.identity.ready(self.ops[0]).await?;
        let identity = began.elapsed();
        self.gateway.ready(self.ops[1]).await?;
        Ok([identity, began.elapsed()])
    }
}

/// Puts the directory into the store that no service has open yet; `None` where the program cannot.
async fn import(program: &Path, store: &str, folder: &Path, setup: &Setup) -> Result<Option<Directory>> {
    let asked = command(program).args(["import", "--help"]).output().await;
    if !asked.context("cannot run identity-service")?.status.success() {
        return Ok(None);
    }
    let file = folder.join("directory.jsonl");
    let directory = Directory::new(setup.users, &setup.groups);
    directory.write(&file)?;
    let path = format!("--file={}", file.display());
    let done = command(program).args([store, "import", &path]).output().await?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "the import failed: {said}");
    std::fs::remove_file(file)?;
    Ok(Some(directory))
}

async fn memory(redis: Option<&RedisServer>) -> Result<Option<u64>> {
    match redis {
        Some(redis) => Ok(Some(redis.used_memory().await?)),
        None => Ok(None),
    }
}

/// Free addresses, all different: each is held until all are found.
fn addresses() -> Result<[SocketAddr; 6]> {
    let mut found = Vec::new();
    while found.len() < 6 {
        let address = free_address()?;
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found.try_into().map_err(|_| anyhow::anyhow!("no six addresses"))
}
