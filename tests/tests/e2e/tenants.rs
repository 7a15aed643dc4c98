//! Two tenants of one deployment, each with a simulated Platform of its own: what one does, or what becomes of its Platform,
//! is nothing to the other, and no credential reaches further than its tenant.

mod apart;
mod crossing;
mod long;

use std::time::Duration;

use http::Method;
use identity_service::credentials::SecretHash;
use proto::identity::v1::{
    SummarizeDeliveriesRequest, SummarizeDeliveriesResponse, delivery_service_client::DeliveryServiceClient,
    drift_service_client::DriftServiceClient, relink_service_client::RelinkServiceClient,
};
use serde_json::Value;
use service_runtime::{Connection, Running};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::deployment::{Platform, Scim, settings};

const NAMES: [&str; 2] = ["kestrel", "merlin"];
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(10);

/// The deployment.
struct Two {
    /// SCIM by each tenant's credential.
    scim: [Scim; 2],
    platforms: [Platform; 2],
    connection: Connection,
    identity: Running,
    adapter: Running,
    _gateway: Running,
    _simulators: Vec<platform_simulator::Running>,
    folder: TempDir,
}

fn token(tenant: &str) -> String {
    format!("dsg_the-token-of-{tenant}")
}

impl Two {
    /// Starts it. `more` is what a tenant's section for identity-service says.
    async fn start(flags: &[&str], more: [&str; 2]) -> Self {
        service_runtime::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let (mut simulators, mut sections) = (Vec::new(), Vec::new());
        std::fs::write(folder.path().join("secret"), "simulated-secret").unwrap();
        for (name, more) in NAMES.into_iter().zip(more) {
            let simulator = platform_simulator::start(platform_simulator::Config::ephemeral())
                .await
                .unwrap();
            std::fs::write(
                folder.path().join(name),
                SecretHash::of(&token(name).into()).to_string(),
            )
            .unwrap();
            sections.push(section(&folder, name, &simulator.url(), more));
            simulators.push(simulator);
        }
        let file = folder.path().join("tenants.toml");
        std::fs::write(&file, sections.concat()).unwrap();
        let file = [
            format!("--tenants-file={}", file.display()),
            "--tenants-poll=20ms".to_owned(),
        ];
        let of_adapter = [
            "--listen=127.0.0.1:0",
            "--platform-timeout=1s",
            "--max-rps=0",
            "--pace-adapts=false",
            "--read-back-timeout=1s",
            "--read-back-interval=20ms",
        ];
        let given = |flags: &[&str]| -> Vec<String> {
            let flags = flags.iter().map(|flag| (*flag).to_owned());
            flags.chain(file.iter().cloned()).collect()
        };
        let adapter = delinea_adapter::start(settings(&given(&of_adapter))).await.unwrap();
        let (data, adapter_url) = (
            format!("--data-dir={}", folder.path().join("identity").display()),
            format!("--adapter-url=http://{}", adapter.addr),
        );
        let of_identity = [
            "--listen=127.0.0.1:0",
            &data,
            &adapter_url,
            "--backoff-base=10ms",
            "--backoff-ceiling=200ms",
            "--max-removals-per-hour=0",
        ];
        let of_identity = given(&[&of_identity[..], flags].concat());
        let identity = identity_service::start(settings(&of_identity)).await.unwrap();
        let identity_url = format!("http://{}", identity.addr);
        let of_gateway = [
            "--listen=127.0.0.1:0".to_owned(),
            format!("--identity-url={identity_url}"),
        ];
        let gateway = gateway::start(settings(&of_gateway)).await.unwrap();
        timeout(PATIENCE, gateway.readiness().ready()).await.unwrap();
        let base = format!("http://{}{}", gateway.addr, gateway::BASE_PATH);
        let two = Self {
            scim: NAMES.map(|name| Scim::at(&base, &token(name))),
            platforms: std::array::from_fn(|tenant| Platform::at(simulators[tenant].url())),
            connection: service_runtime::connect(&identity_url, PATIENCE).unwrap(),
            identity,
            adapter,
            _gateway: gateway,
            _simulators: simulators,
            folder,
        };
        // Each Platform has been asked what it exposes: from here on there are a test's own calls only.
        two.platforms_are_known().await;
        two
    }

    async fn platforms_are_known(&self) {
        let mut reports = self.adapter.readiness().subscribe();
        let is_ready = |state: &service_runtime::health::State| *state == service_runtime::health::State::Ready;
        let known = reports.wait_for(|report| report.dependencies.values().all(is_ready));
        timeout(PATIENCE, known).await.unwrap().unwrap();
    }

    /// Puts this into the file's place in one step.
    fn write(&self, sections: &[String]) {
        let (path, beside) = (
            self.folder.path().join("tenants.toml"),
            self.folder.path().join("beside"),
        );
        std::fs::write(&beside, sections.concat()).unwrap();
        std::fs::rename(&beside, &path).unwrap();
    }

    fn section(&self, tenant: usize, more: &str) -> String {
        section(&self.folder, NAMES[tenant], self.platforms[tenant].url(), more)
    }

    fn deliveries(&self) -> DeliveryServiceClient<Connection> {
        DeliveryServiceClient::new(self.connection.clone())
    }

    fn drift(&self) -> DriftServiceClient<Connection> {
        DriftServiceClient::new(self.connection.clone())
    }

    fn relink(&self) -> RelinkServiceClient<Connection> {
        RelinkServiceClient::new(self.connection.clone())
    }

    async fn summary(&self, tenant: usize) -> Result<SummarizeDeliveriesResponse, tonic::Status> {
        let request = SummarizeDeliveriesRequest {
            tenant: NAMES[tenant].to_owned(),
        };
        Ok(self.deliveries().summarize_deliveries(request).await?.into_inner())
    }

    /// Waits until nothing of a tenant is pending.
    async fn settled(&self, tenant: usize) {
        until(async || self.summary(tenant).await.unwrap().pending == 0).await;
    }

    /// The names of a Platform's accounts but for those that a new tenant has.
    async fn names(&self, tenant: usize) -> Vec<String> {
        let mut names = self.platforms[tenant].names().await;
        names.retain(|name| !crate::deployment::BUILT_IN.contains(&name.as_str()));
        names
    }
}

/// Waits until something holds.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("it comes in time");
}

fn section(folder: &TempDir, name: &str, platform: &str, more: &str) -> String {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (secret, hash) = (path("secret"), path(name));
    format!(
        "[tenants.{name}.platform]\nplatform_url = '{platform}'\nplatform_client_id = 'scim-gateway@example.com'\n\
         platform_client_secret = {{ file = '{secret}' }}\n\
         [tenants.{name}.credentials]\nbearer_token_sha256_file = '{hash}'\n[tenants.{name}.directory]\n{more}\n"
    )
}

/// A request of any kind, for what has no method of its own.
async fn ask(scim: &Scim, method: Method, path: &str, body: &Value) -> u16 {
    let request = scim.request(method, path).json(body);
    crate::deployment::Answer::of(request).await.status.as_u16()
}
