//! The real programs, as a deployment has them: a simulated Platform for each tenant, Redis if the store is there, and the three services;
//! where several can share the store, two gateways and two identity-services, each pair behind a balancer.
//! Times are short, so that a campaign of a minute has as many leases, retries and time-outs as a bad day.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use entra_simulator::{Client, Dialect, Knobs, TenantUrl};
use redis_for_tests::{Appendfsync, Options, RedisServer, free_port};
use tokio::time::sleep;

use crate::{
    balancer::Balancer,
    plan::{Edit, Manner, Plan, Victim},
    platform::Platform,
    process::{Folders, Process},
    settings::{self, TenantsFile},
    store::Store,
};

/// How long Entra waits for an answer.
const ENTRAS_PATIENCE: Duration = Duration::from_secs(10);

const ADAPTER: [&str; 7] = [
    "--max-rps=0",
    // Faults that are drawn say nothing of how much is called.
    "--pace-adapts=false",
    "--max-concurrency=16",
    "--platform-timeout=400ms",
    "--read-back-timeout=500ms",
    "--read-back-interval=20ms",
    // Tokens are used until they end.
    "--token-early-refresh=0",
];
const IDENTITY: [&str; 8] = [
    "--backoff-base=50ms",
    "--backoff-ceiling=1s",
    "--refused-retry=1s",
    "--answer-wait=500ms",
    // A campaign has more leavers in a minute than a company has in a week.
    "--max-removals-per-hour=0",
    "--max-deactivations-per-hour=0",
    // Longer than the adapter's two together.
    "--delivery-timeout=1200ms",
    "--delivery-lease=2s",
];

/// All of them.
#[derive(Debug)]
pub(crate) struct Services {
    /// What the tenants are called.
    pub(crate) names: &'static [&'static str],
    /// A tenant's each.
    pub(crate) platforms: Vec<Platform>,
    pub(crate) identity_url: String,
    scim_base: String,
    /// Where there are several.
    file: Option<TenantsFile>,
    simulators: Vec<Process>,
    adapter: Process,
    identities: Vec<Process>,
    gateways: Vec<Process>,
    redis: Option<RedisServer>,
    /// Before the identity-services, and before the gateways.
    _balancers: [Balancer; 2],
}

impl Services {
    /// Starts them; all are ready when this returns.
    pub(crate) async fn start(plan: &Plan, log: &str, folders: Folders<'_>) -> Result<Self> {
        service_runtime::install_crypto_provider();
        let Plan {
            seed, store, profile, ..
        } = *plan;
        let redis = match store {
            Store::Embedded => None,
            Store::Redis => Some(RedisServer::with(Options::durable(Appendfsync::Always)).await),
        };
        let address = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        let addresses = || (0..store.replicas()).map(|_| address()).collect::<Vec<_>>();
        let names = plan.names();
        let platforms: Vec<SocketAddr> = names.iter().map(|_| address()).collect();
        let (adapter, identities, gateways) = (address(), addresses(), addresses());
        let before_identities = Balancer::start(identities.clone()).await?;
        let before_gateways = Balancer::start(gateways.clone()).await?;
        let kept_in = match &redis {
            Some(redis) => format!("--redis-url={}", redis.url()),
            None => format!("--data-dir={}", folders.work.join("identity").display()),
        };
        let urls: Vec<String> = platforms.iter().map(|platform| format!("http://{platform}")).collect();
        let (file, of_tenants) = settings::of_tenants(names, &urls, folders.work)?;
        let service = |program, listen: SocketAddr, fixed: &[&str], own: &[String]| {
            let fixed = fixed.iter().map(|flag| (*flag).to_owned());
            let flags: Vec<String> = fixed
                .chain(own.iter().cloned())
                .chain([format!("--log={log}")])
                .collect();
            Process::service(program, &listen.to_string(), &flags, folders)
        };
        let replicas = |program, listen: Vec<SocketAddr>, fixed: &[&str], own: &[String]| {
            let made = listen
                .into_iter()
                .enumerate()
                .map(|(nth, listen)| Ok(service(program, listen, fixed, own)?.numbered(nth, folders.work)));
            made.collect::<Result<Vec<_>>>()
        };
        let simulators = platforms.iter().enumerate().map(|(nth, listen)| {
            let flags = [
                format!("--data-dir={}", platform_folder(folders.work, nth).display()),
                format!("--seed={}", seed.wrapping_add(nth as u64)),
                format!("--profile={profile}"),
            ];
            let simulator = Process::simulator(&listen.to_string(), &flags, folders)?;
            Ok(if names.len() == 1 {
                simulator
            } else {
                simulator.numbered(nth, folders.work)
            })
        });
        let of_gateway = [
            format!("--identity-url=http://{}", before_identities.addr()),
            format!("--public-url=http://{}", before_gateways.addr()),
        ];
        let mut of_adapter = of_tenants.adapter;
        of_adapter.extend(profile.adapter_flags().iter().map(|flag| (*flag).to_owned()));
        let mut of_identity = of_tenants.identity;
        of_identity.extend([format!("--adapter-url=http://{adapter}"), kept_in]);
        let mut services = Self {
            names,
            platforms: urls.into_iter().map(Platform::at).collect::<Result<_>>()?,
            identity_url: format!("http://{}", before_identities.addr()),
            scim_base: format!("http://{}/scim/v2", before_gateways.addr()),
            file,
            simulators: simulators.collect::<Result<_>>()?,
            adapter: service("delinea-adapter", adapter, &ADAPTER, &of_adapter)?,
            identities: replicas("identity-service", identities, &IDENTITY, &of_identity)?,
            gateways: replicas("gateway", gateways, &[], &of_gateway)?,
            redis,
            _balancers: [before_identities, before_gateways],
        };
        for process in services.processes() {
            process.start()?;
        }
        services.ready().await?;
        Ok(services)
    }

    /// Callees before those who call them.
    fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        let first = self.simulators.iter_mut().chain([&mut self.adapter]);
        first.chain(&mut self.identities).chain(&mut self.gateways)
    }

    /// Waits until every one of them is ready.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        for process in self.processes() {
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

    /// Lets one stand still for so long.
    pub(crate) async fn freeze(&mut self, victim: Victim, lasts: Duration) -> Result<()> {
        match self.process(victim) {
            Some(process) => process.signal("STOP").await?,
            None => self.redis.iter().for_each(RedisServer::pause),
        }
        sleep(lasts).await;
        match self.process(victim) {
            Some(process) => process.signal("CONT").await?,
            None => self.redis.iter().for_each(RedisServer::resume),
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
        match victim {
            Victim::Redis => None,
            Victim::Adapter => Some(&mut self.adapter),
            Victim::Identity(nth) => self.identities.get_mut(nth),
            Victim::Gateway(nth) => self.gateways.get_mut(nth),
        }
    }

    /// Changes the file of tenants. It is whole again when this returns, and nothing is killed meanwhile: a service does not start with
    /// one that is broken.
    pub(crate) async fn edit(&mut self, edit: &Edit) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.set(edit);
        match edit.manner {
            Manner::Replaced | Manner::Signalled => file.replace()?,
            Manner::InHalves(lasts) => {
                file.write_half()?;
                sleep(lasts).await;
                file.write()?;
            }
        }
        if edit.manner == Manner::Signalled {
            for reader in [&mut self.adapter].into_iter().chain(&mut self.identities) {
                reader.signal("HUP").await?;
            }
        }
        Ok(())
    }

    /// The client of a tenant's Entra for these services.
    pub(crate) fn entra(&self, tenant: usize, dialect: Dialect) -> Result<Client> {
        let knobs = Knobs {
            timeout: ENTRAS_PATIENCE,
            ..Knobs::of(dialect)
        };
        let url = TenantUrl::parse(&self.scim_base)?;
        Ok(Client::new(url, &settings::token(self.names[tenant]).into(), knobs)?)
    }

    /// An error if one has ended by itself.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        self.processes().try_for_each(Process::goes_on)
    }

    /// Each process's name, and the file that it writes into.
    pub(crate) fn logs(&self) -> impl Iterator<Item = (&str, &Path)> {
        let first = self.simulators.iter().chain([&self.adapter]);
        first.chain(&self.identities).chain(&self.gateways).map(Process::log)
    }

    /// Puts what Redis wrote, and what it has on disk, beside the others' logs.
    pub(crate) fn keep_redis(&self, folder: &Path) -> Result<()> {
        keep_redis_log(self.redis.as_ref(), folder)?;
        let Some(redis) = &self.redis else { return Ok(()) };
        let kept = folder.join("appendonlydir");
        fs::create_dir_all(&kept)?;
        // It has none when it never came so far.
        for file in fs::read_dir(redis.folder().join("appendonlydir")).into_iter().flatten() {
            let file = file?;
            fs::copy(file.path(), kept.join(file.file_name()))?;
        }
        Ok(())
    }
}

/// Where a tenant's simulated Platform keeps what it holds.
pub(crate) fn platform_folder(work: &Path, tenant: usize) -> PathBuf {
    work.join(if tenant == 0 {
        "platform".to_owned()
    } else {
        format!("platform-{tenant}")
    })
}

fn keep_redis_log(redis: Option<&RedisServer>, folder: &Path) -> Result<()> {
    use std::io::Write;
    let Some(redis) = redis else { return Ok(()) };
    let log = fs::read(redis.folder().join("redis.log")).unwrap_or_default();
    let kept = folder.join("redis-server.log");
    let mut kept = fs::OpenOptions::new().create(true).append(true).open(kept)?;
    Ok(kept.write_all(&log)?)
}
