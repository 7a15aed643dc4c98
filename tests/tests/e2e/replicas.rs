//! Two gateways and two identity-services over one Redis, behind balancers. Promises P1 and P2 when any of them dies at
//! any moment, and in a rolling restart: who got no answer repeats the request.

mod load;
mod long;

use std::net::SocketAddr;

use redis_for_tests::{Appendfsync, Options, RedisServer};
use tempfile::TempDir;

use self::load::Load;
use crate::{
    balancer::Balancer,
    deployment::{Platform, Scim, TOKEN},
    processes::{Process, free_port, settled},
};

/// All of it. Balancers and addresses stay when processes go and come.
struct Replicas {
    /// Two gateways, then two identity-services.
    pairs: [Process; 4],
    /// The simulated Platform and delinea-adapter, which live on.
    others: [Process; 2],
    gateways: Balancer,
    identities: Balancer,
    platform_url: String,
    _redis: RedisServer,
    _folder: TempDir,
}

impl Replicas {
    async fn start() -> Self {
        service_runtime::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let redis = RedisServer::with(Options::durable(Appendfsync::Always)).await;
        let [platform, adapter, identity_1, identity_2, gateway_1, gateway_2] =
            std::array::from_fn(|_| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let identities = Balancer::start(vec![identity_1, identity_2]).await;
        let gateways = Balancer::start(vec![gateway_1, gateway_2]).await;

        let path = folder.path();
        let (platform, adapter) = (platform.to_string(), adapter.to_string());
        let store = format!("--redis-url={}", redis.url());
        let identity = |listen: SocketAddr| Process::identity(&listen.to_string(), &adapter, &[&store], path);
        let (callee, public) = (identities.addr().to_string(), gateways.addr().to_string());
        let gateway = |listen: SocketAddr| Process::gateway(&listen.to_string(), &callee, &public, &[], path);
        let mut replicas = Self {
            pairs: [
                gateway(gateway_1),
                gateway(gateway_2),
                identity(identity_1),
                identity(identity_2),
            ],
            others: [
                Process::simulator(&platform, path),
                Process::adapter(&adapter, &platform, &[], path),
            ],
            gateways,
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
        replicas
    }

    /// SCIM, each request on a connection of its own, so that the balancer gives each to the next gateway.
    fn scim(&self) -> Scim {
        let base = format!("http://{}{}", self.gateways.addr(), gateway::BASE_PATH);
        Scim::unpooled(&base, TOKEN)
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
