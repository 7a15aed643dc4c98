//! The real programs, as a deployment has them: the simulated Platform, Redis if the store is there, and the three services.
//! Times are short, so that a campaign of a minute has as many leases, retries and time-outs as a bad day.

use std::{fs, path::Path, time::Duration};

use anyhow::Result;
use entra_simulator::{Client, Dialect, Knobs, TenantUrl};
use redis_for_tests::{Appendfsync, Options, RedisServer, free_port};
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use crate::{
    plan::Victim,
    platform::Platform,
    process::{Folders, Process},
    store::Store,
};

/// The bearer token of the simulated Entra.
const TOKEN: &str = "dlnscim_torture";
/// The tenant's name.
pub(crate) const TENANT: &str = "default";
/// How long Entra waits for an answer.
const ENTRAS_PATIENCE: Duration = Duration::from_secs(10);

const ADAPTER: [&str; 8] = [
    "--platform-client-id=scim-gateway@example.com",
    "--platform-client-secret=simulated-secret",
    "--max-rps=0",
    "--max-concurrency=16",
    "--platform-timeout=400ms",
    "--read-back-timeout=500ms",
    "--read-back-interval=20ms",
    // Tokens are used until they end.
    "--token-early-refresh=0",
];
const IDENTITY: [&str; 5] = [
    "--backoff-base=50ms",
    "--backoff-ceiling=1s",
    "--refused-retry=1s",
    // Longer than the adapter's two together, and shorter than the lease.
    "--delivery-timeout=1200ms",
    "--delivery-lease=2s",
];

/// All of them.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) platform: Platform,
    pub(crate) identity_url: String,
    scim_base: String,
    /// The simulated Platform, delinea-adapter, identity-service, the gateway.
    processes: [Process; 4],
    redis: Option<RedisServer>,
}

impl Services {
    /// Starts them; all are ready when this returns.
    pub(crate) async fn start(seed: u64, store: Store, log: &str, folders: Folders<'_>) -> Result<Self> {
        service_runtime::install_crypto_provider();
        let redis = match store {
            Store::Embedded => None,
            Store::Redis => Some(RedisServer::with(Options::durable(Appendfsync::Always)).await),
        };
        let [platform, adapter, identity, gateway] = std::array::from_fn(|_| format!("127.0.0.1:{}", free_port()));
        let kept_in = match &redis {
            Some(redis) => format!("--redis-url={}", redis.url()),
            None => format!("--data-dir={}", folders.work.join("identity").display()),
        };
        let hash: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        let flags = |fixed: &[&str], own: &[String]| -> Vec<String> {
            let fixed = fixed.iter().map(|flag| (*flag).to_owned());
            fixed.chain(own.iter().cloned()).chain([format!("--log={log}")]).collect()
        };
        let simulator = [
            format!("--data-dir={}", folders.work.join("platform").display()),
            format!("--seed={seed}"),
        ];
        let of_gateway = [
            format!("--identity-url=http://{identity}"),
            format!("--bearer-token-sha256={hash}"),
        ];
        let to_platform = [format!("--platform-url=http://{platform}")];
        let of_identity = [format!("--adapter-url=http://{adapter}"), kept_in];
        let service = |name, listen: &str, flags: &[String]| Process::service(name, listen, flags, folders);
        let mut services = Self {
            platform: Platform::at(format!("http://{platform}"))?,
            identity_url: format!("http://{identity}"),
            scim_base: format!("http://{gateway}/scim/v2"),
            processes: [
                Process::simulator(&platform, &simulator, folders)?,
                service("delinea-adapter", &adapter, &flags(&ADAPTER, &to_platform))?,
                service("identity-service", &identity, &flags(&IDENTITY, &of_identity))?,
                service("gateway", &gateway, &flags(&[], &of_gateway))?,
            ],
            redis,
        };
        for process in &mut services.processes {
            process.start()?;
        }
        services.ready().await?;
        Ok(services)
    }

    /// Waits until every one of them is ready.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        for process in &mut self.processes {
            process.ready().await?;
        }
        Ok(())
    }

    /// Kills these together and starts them again; they are alive when this returns.
    pub(crate) async fn kill(&mut self, victims: &[Victim], gone: Duration, folder: &Path) -> Result<()> {
        for victim in victims {
            match self.process(*victim) {
                Some(process) => process.kill().await?,
                None => self.redis.iter_mut().for_each(RedisServer::kill),
            }
        }
        sleep(gone).await;
        for victim in victims {
            match self.process(*victim) {
                Some(process) => process.start()?,
                None => self.restart_redis(folder).await?,
            }
        }
        for victim in victims {
            if let Some(process) = self.process(*victim) {
                process.alive().await?;
            }
        }
        Ok(())
    }

    /// The server begins its log anew with each start.
    async fn restart_redis(&mut self, folder: &Path) -> Result<()> {
        keep_redis_log(self.redis.as_ref(), folder)?;
        if let Some(redis) = &mut self.redis {
            redis.start_again().await;
        }
        Ok(())
    }

    fn process(&mut self, victim: Victim) -> Option<&mut Process> {
        let at = match victim {
            Victim::Redis => return None,
            Victim::Adapter => 1,
            Victim::Identity => 2,
            Victim::Gateway => 3,
        };
        self.processes.get_mut(at)
    }

    /// Entra's client for these services.
    pub(crate) fn entra(&self, dialect: Dialect) -> Result<Client> {
        let knobs = Knobs {
            timeout: ENTRAS_PATIENCE,
            ..Knobs::of(dialect)
        };
        let url = TenantUrl::parse(&self.scim_base)?;
        Ok(Client::new(url, &TOKEN.to_owned().into(), knobs)?)
    }

    /// An error if one has ended by itself.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::goes_on)
    }

    /// Each program's name, and the file that it writes into.
    pub(crate) fn logs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.processes.iter().map(Process::log)
    }

    /// Puts what Redis wrote, and what it has on disk, beside the others' logs.
    pub(crate) fn keep_redis(&self, folder: &Path) -> Result<()> {
        keep_redis_log(self.redis.as_ref(), folder)?;
        let Some(redis) = &self.redis else { return Ok(()) };
        let files = redis.folder().join("appendonlydir");
        let kept = folder.join("appendonlydir");
        fs::create_dir_all(&kept)?;
        for file in fs::read_dir(files)? {
            let file = file?;
            fs::copy(file.path(), kept.join(file.file_name()))?;
        }
        Ok(())
    }
}

fn keep_redis_log(redis: Option<&RedisServer>, folder: &Path) -> Result<()> {
    use std::io::Write;
    let Some(redis) = redis else { return Ok(()) };
    let log = fs::read(redis.folder().join("redis.log")).unwrap_or_default();
    let kept = folder.join("redis-server.log");
    let mut kept = fs::OpenOptions::new().create(true).append(true).open(kept)?;
    Ok(kept.write_all(&log)?)
}
