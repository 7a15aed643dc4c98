//! Two gateways and two identity-services over one Redis, behind balancers. Promises P1 and P2 when any of them dies at
//! any moment: who got no answer repeats the request. In a rolling restart every request is answered.

mod load;
mod long;
mod race;

use std::{net::SocketAddr, time::Duration};

use redis_for_tests::{Appendfsync, Options, RedisServer};
use tempfile::TempDir;

use self::load::Load;
use crate::{
    balancer::Balancer,
    deployment::{Platform, Scim, TOKEN},
    processes::{Process, free_port, settled},
};

/// Several times what a balancer takes on a busy machine to see that one is not ready.
const LINGER: &str = "--drain-linger=2s";

/// All of it. Balancers and addresses stay when processes go and come.
struct Replicas {
    /// Two gateways, then two identity-services.
    pairs: [Process; 4],
    /// The simulated Platform and delinea-adapter, which live on.
    others: [Process; 2],
    gateways: Balancer,
    /// Where each gateway listens.
    gateway_addrs: [String; 2],
    identities: Balancer,
    platform_url: String,
    _redis: RedisServer,
    _folder: TempDir,
}

impl Replicas {
    /// Starts all; they are ready, and get their share, when this returns.
    async fn start() -> Self {
        Self::start_as(false).await
    }

    /// Each gateway calls one of the identity-services, and no other.
    async fn start_in_pairs() -> Self {
        Self::start_as(true).await
    }

    async fn start_as(in_pairs: bool) -> Self {
        service_runtime::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let redis = RedisServer::with(Options::durable(Appendfsync::Always)).await;
        let [platform, adapter] = std::array::from_fn(|_| format!("127.0.0.1:{}", free_port()));
        let (identities, gateways) = (Balancer::start().await, Balancer::start().await);

        let path = folder.path();
        let store = format!("--redis-url={}", redis.url());
        let identity = || {
            behind(&identities, |listen| {
                Process::identity(listen, &adapter, &[&store, LINGER], path)
            })
        };
        let [(identity_1, first), (identity_2, second)] = [identity(), identity()];
        let (any, public) = (identities.addr().to_string(), gateways.addr().to_string());
        let gateway = |own: &str| {
            let callee = if in_pairs { own } else { &any };
            behind(&gateways, |listen| {
                Process::gateway(listen, callee, &public, &[LINGER], path)
            })
        };
        let [(gateway_1, before_first), (gateway_2, before_second)] = [gateway(&identity_1), gateway(&identity_2)];
        let mut replicas = Self {
            pairs: [before_first, before_second, first, second],
            others: [
                Process::simulator(&platform, path),
                Process::adapter(&adapter, &platform, &[], path),
            ],
            gateways,
            gateway_addrs: [gateway_1, gateway_2],
            identities,
            platform_url: format!("http://{platform}"),
            _redis: redis,
            _folder: folder,
        };
        let Self { others, pairs, .. } = &mut replicas;
        for process in others.iter_mut().chain(pairs.iter_mut()) {
            process.start();
        }
        for process in others.iter_mut().chain(pairs) {
            process.ready().await;
        }
        replicas.gateways.whole().await;
        replicas.identities.whole().await;
        replicas
    }

    /// Stops each in turn as an orchestrator does, and starts it again; the next one goes when all get their share again.
    async fn restart_in_turn(&mut self, pause: Duration) {
        for process in &mut self.pairs {
            tokio::time::sleep(pause).await;
            process.stop().await;
            process.start();
            process.ready().await;
            self.gateways.whole().await;
            self.identities.whole().await;
        }
    }

    /// SCIM, each request on a connection of its own, so that the balancer gives each to the next gateway.
    fn scim(&self) -> Scim {
        Scim::unpooled(&self.scim_base(), TOKEN)
    }

    fn scim_base(&self) -> String {
        format!("http://{}{}", self.gateways.addr(), gateway::BASE_PATH)
    }

    /// SCIM, on connections that are kept.
    fn scim_with_kept_connections(&self) -> Scim {
        Scim::at(&self.scim_base(), TOKEN)
    }

    /// SCIM at each gateway.
    fn each_scim(&self) -> [Scim; 2] {
        self.gateway_addrs
            .each_ref()
            .map(|addr| Scim::at(&format!("http://{addr}{}", gateway::BASE_PATH), TOKEN))
    }

    fn platform(&self) -> Platform {
        Platform::at(self.platform_url.clone())
    }

    /// Waits until every delivery is done.
    async fn settled(&self) {
        settled(&format!("http://{}", self.identities.addr())).await;
    }

    /// What was answered with success is there and on the Platform, each once.
    async fn holds(&self, load: &Load) {
        self.settled().await;
        load.is_in(&self.scim()).await;
        load.is_on(&self.platform()).await;
        for process in &self.pairs {
            let log = process.log();
            for unheard in ["panicked", " was refused"] {
                let line = log.lines().find(|line| line.contains(unheard));
                assert!(line.is_none(), "{} wrote {line:?}", process.program());
            }
        }
    }
}

/// One that listens at an address of its own, behind that balancer; with the address.
fn behind(balancer: &Balancer, process: impl FnOnce(&str) -> Process) -> (String, Process) {
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let process = process(&listen.to_string());
    balancer.add(listen, process.readyz());
    (listen.to_string(), process)
}
