//! A whole deployment in this process: the simulated Platform, delinea-adapter, identity-service on a store of its own in
//! a temporary folder, and the gateway, each on a free port and each reached as its clients reach it.
//!
//! Settings are given as an operator gives them, so that a test also says which flag it is about. A test has its
//! deployment to itself; dropped, everything ends.

mod platform;
pub(crate) mod profile;
mod scim;

use std::{net::SocketAddr, time::Duration};

use clap::{Args, Command, FromArgMatches, builder::Resettable};
use entra_simulator::{Client, Job, Knobs, TenantUrl};
use identity_service::credentials::SecretHash;
use proto::identity::v1::{
    Delivery, DeliveryState, GetDeliveryRequest, ListDeliveriesRequest, RetryDeliveryRequest,
    SummarizeDeliveriesRequest, audit_service_client::AuditServiceClient, change_service_client::ChangeServiceClient,
    credential_service_client::CredentialServiceClient, delivery_service_client::DeliveryServiceClient,
    drift_service_client::DriftServiceClient, relink_service_client::RelinkServiceClient,
    schema_service_client::SchemaServiceClient, user_service_client::UserServiceClient,
};
use service_runtime::{Connection, Readiness, Running};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::processes::free_port;

pub(crate) use platform::{Platform, fault};
pub(crate) use scim::{Answer, Scim, encoded, group, patch, user};

/// The tenant that everything is about.
pub(crate) const TENANT: &str = "default";
/// A bearer token that the gateway accepts.
pub(crate) const TOKEN: &str = "dsg_the-token-of-the-end-to-end-tests";
/// Another one, as during a rotation.
pub(crate) const NEXT_TOKEN: &str = "dsg_the-token-that-takes-over";

/// The accounts that a new tenant has.
pub(crate) const BUILT_IN: [&str; 4] = [
    "scim-gateway@example.com",
    "cloudadmin@example.com",
    // Those of the federation, in the profile that has one.
    "fay.adler@example.com",
    "finn.berg@example.com",
];

/// The file that declares the tenant's own schemas, in the deployment's folder.
const SCHEMAS_FILE: &str = "schemas.json";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(10);

/// What differs from the usual deployment, as flags of each service.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    identity: Vec<String>,
    adapter: Vec<String>,
    gateway: Vec<String>,
    adopt_list: Option<String>,
    /// 0 is any.
    platform_port: u16,
    schemas: Option<String>,
    access_token_lifetime: Option<Duration>,
    tls: bool,
}

impl Setup {
    /// Access tokens that are good for so long, which no flag lets be.
    pub(crate) fn access_tokens_for(mut self, lifetime: Duration) -> Self {
        self.access_token_lifetime = Some(lifetime);
        self
    }

    /// Flags of identity-service.
    pub(crate) fn identity(mut self, flags: &[&str]) -> Self {
        self.identity.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Flags of delinea-adapter.
    pub(crate) fn adapter(mut self, flags: &[&str]) -> Self {
        self.adapter.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Flags of the gateway.
    pub(crate) fn gateway(mut self, flags: &[&str]) -> Self {
        self.gateway.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// `ADOPT=listed`, with this text in the list.
    pub(crate) fn adopt_listed(mut self, list: &str) -> Self {
        self.adopt_list = Some(list.to_owned());
        self
    }

    /// The Platform at an address that nobody else is given while it is away.
    pub(crate) fn platform_may_go(mut self) -> Self {
        self.platform_port = free_port();
        self
    }

    /// `SCHEMAS_FILE`, with this text in it.
    pub(crate) fn schemas(mut self, file: &str) -> Self {
        self.schemas = Some(file.to_owned());
        self
    }

    /// The services call each other over TLS; their flags have the certificates, which are for `localhost`.
    pub(crate) fn over_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Starts it.
    pub(crate) async fn start(self) -> Deployment {
        service_runtime::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let simulator = platform_simulator::start(simulator(&folder, ([127, 0, 0, 1], self.platform_port).into()))
            .await
            .unwrap();
        let platform = Platform::at(simulator.url());

        let url = simulator.url();
        let mut flags = vec![
            "--listen=127.0.0.1:0".to_owned(),
            format!("--platform-url={url}"),
            "--platform-client-id=scim-gateway@example.com".to_owned(),
            "--platform-client-secret=simulated-secret".to_owned(),
            "--platform-timeout=1s".to_owned(),
            "--max-rps=0".to_owned(),
            // Faults that a test draws say nothing of how much is called.
            "--pace-adapts=false".to_owned(),
            "--read-back-timeout=1s".to_owned(),
            "--read-back-interval=20ms".to_owned(),
        ];
        flags.extend(profile::adapter_flags(folder.path()));
        flags.extend(self.adapter);
        let adapter = delinea_adapter::start(settings(&flags)).await.unwrap();
        // The tenant has been asked what it exposes: from here on there are a test's own calls only.
        adapter.readiness().ready().await;
        platform.forget_calls().await;

        let mut flags = vec![
            "--listen=127.0.0.1:0".to_owned(),
            format!("--data-dir={}", folder.path().join("identity").display()),
            format!("--adapter-url={}", grpc_url(&adapter, self.tls)),
            "--backoff-base=10ms".to_owned(),
            "--backoff-ceiling=200ms".to_owned(),
            "--refused-retry=1h".to_owned(),
            "--answer-wait=0".to_owned(),
            "--max-removals-per-hour=0".to_owned(),
            "--max-deactivations-per-hour=0".to_owned(),
        ];
        if let Some(list) = self.adopt_list {
            let path = folder.path().join("adopt.txt");
            std::fs::write(&path, list).unwrap();
            flags.push("--adopt=listed".to_owned());
            flags.push(format!("--adopt-list={}", path.display()));
        }
        if let Some(schemas) = self.schemas {
            let path = folder.path().join(SCHEMAS_FILE);
            std::fs::write(&path, schemas).unwrap();
            flags.push(format!("--schemas-file={}", path.display()));
        }
        let hashes = [TOKEN, NEXT_TOKEN].map(|token| SecretHash::of(&token.into()).to_string());
        flags.push(format!("--bearer-token-sha256={}", hashes.join(",")));
        flags.extend(self.identity);
        let mut config: identity_service::Config = settings(&flags);
        if let Some(lifetime) = self.access_token_lifetime {
            config.credentials.access_token_lifetime = lifetime;
        }
        let identity = identity_service::start(config).await.unwrap();
        let identity_flags = flags;
        let identity_url = grpc_url(&identity, self.tls);
        let connection = service_runtime::connect(&format!("http://{}", identity.addr), PATIENCE).unwrap();

        let mut flags = vec![
            "--listen=127.0.0.1:0".to_owned(),
            format!("--identity-url={identity_url}"),
        ];
        flags.extend(self.gateway);
        let gateway = gateway::start(settings(&flags)).await.unwrap();
        // Before it has the schemas it answers 503.
        tokio::time::timeout(PATIENCE, gateway.readiness().ready())
            .await
            .unwrap();

        Deployment {
            scim: Scim::at(&format!("http://{}{}", gateway.addr, gateway::BASE_PATH), TOKEN),
            platform,
            connection,
            simulator: Some(simulator),
            _gateway: gateway,
            identity: Some(identity),
            identity_flags,
            _adapter: adapter,
            folder,
        }
    }
}

/// Where a service is called.
fn grpc_url(service: &Running, tls: bool) -> String {
    match tls {
        true => format!("https://localhost:{}", service.addr.port()),
        false => format!("http://{}", service.addr),
    }
}

fn simulator(folder: &TempDir, listen: SocketAddr) -> platform_simulator::Config {
    platform_simulator::Config {
        listen,
        data_dir: Some(folder.path().join("platform")),
        profile: profile::of_this_run(folder.path()),
        ..platform_simulator::Config::default()
    }
}

/// A service's settings from its flags; a later flag wins. The environment is not asked.
pub(crate) fn settings<C: Args + FromArgMatches>(flags: &[String]) -> C {
    let command = C::augment_args(Command::new("service").no_binary_name(true))
        .mut_args(|arg| arg.env(Resettable::Reset))
        .args_override_self(true);
    C::from_arg_matches(&command.get_matches_from(flags)).unwrap()
}

/// The services of one test, and how to talk to them.
pub(crate) struct Deployment {
    /// SCIM, as Entra reaches it.
    pub(crate) scim: Scim,
    /// The simulated Platform's own side.
    pub(crate) platform: Platform,
    connection: Connection,
    simulator: Option<platform_simulator::Running>,
    _gateway: Running,
    identity: Option<Running>,
    identity_flags: Vec<String>,
    _adapter: Running,
    folder: TempDir,
}

impl Deployment {
    /// The usual one.
    pub(crate) async fn start() -> Self {
        Setup::default().start().await
    }

    /// identity-service's users by gRPC.
    pub(crate) fn users(&self) -> UserServiceClient<Connection> {
        UserServiceClient::new(self.connection.clone())
    }

    /// Its change feed.
    pub(crate) fn changes(&self) -> ChangeServiceClient<Connection> {
        ChangeServiceClient::new(self.connection.clone())
    }

    /// Its audit trail.
    pub(crate) fn audit(&self) -> AuditServiceClient<Connection> {
        AuditServiceClient::new(self.connection.clone())
    }

    pub(crate) fn deliveries(&self) -> DeliveryServiceClient<Connection> {
        DeliveryServiceClient::new(self.connection.clone())
    }

    /// What rebuilds links.
    pub(crate) fn relink(&self) -> RelinkServiceClient<Connection> {
        RelinkServiceClient::new(self.connection.clone())
    }

    /// Who may call.
    pub(crate) fn credentials(&self) -> CredentialServiceClient<Connection> {
        CredentialServiceClient::new(self.connection.clone())
    }

    /// Where access tokens are given.
    pub(crate) fn token_url(&self) -> String {
        let base = self.scim.base().trim_end_matches(gateway::BASE_PATH);
        format!("{base}{}", gateway::TOKEN_PATH)
    }

    /// Where identity-service answers.
    pub(crate) fn identity_url(&self) -> String {
        format!("http://{}", self.identity.as_ref().unwrap().addr)
    }

    /// What it says of its readiness.
    pub(crate) fn identity_readiness(&self) -> &Readiness {
        self.identity.as_ref().unwrap().readiness()
    }

    /// Its comparisons with the Platform.
    pub(crate) fn drift(&self) -> DriftServiceClient<Connection> {
        DriftServiceClient::new(self.connection.clone())
    }

    /// An Entra job that provisions into this deployment.
    pub(crate) fn job(&self, knobs: Knobs) -> Job {
        let url = TenantUrl::parse(self.scim.base()).unwrap();
        Job::new(Client::new(url, &TOKEN.to_owned().into(), knobs).unwrap())
    }

    /// Waits until nothing is pending any more; what was refused stays refused.
    pub(crate) async fn settled(&self) {
        let began = Instant::now();
        loop {
            let request = SummarizeDeliveriesRequest {
                tenant: TENANT.to_owned(),
            };
            let summary = self
                .deliveries()
                .summarize_deliveries(request)
                .await
                .unwrap()
                .into_inner();
            if summary.pending == 0 {
                return;
            }
            if began.elapsed() > PATIENCE {
                let pending = self.listed(DeliveryState::Pending).await;
                panic!("after {PATIENCE:?} {} are pending: {pending:#?}", summary.pending);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until the delivery of a resource is as it should be.
    pub(crate) async fn delivered(&self, id: &str, is: impl Fn(&Delivery) -> bool) -> Delivery {
        let began = Instant::now();
        loop {
            let delivery = self.delivery(id).await.unwrap();
            if is(&delivery) {
                return delivery;
            }
            assert!(began.elapsed() < PATIENCE, "after {PATIENCE:?}: {delivery:#?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Each of these users is linked to the account of that name.
    pub(crate) async fn linked_by_name(&self, users: &[(&String, &str)]) {
        for (id, name) in users {
            let linked = self.delivery(id).await.unwrap().platform_id;
            let account = self.platform.account(name).await;
            assert_eq!(linked, account["ID"].as_str().map(profile::kept), "{name}");
        }
    }

    /// The delivery state of a resource.
    pub(crate) async fn delivery(&self, id: &str) -> Result<Delivery, tonic::Status> {
        let request = GetDeliveryRequest {
            tenant: TENANT.to_owned(),
            resource_id: id.to_owned(),
        };
        let response = self.deliveries().get_delivery(request).await?;
        Ok(response.into_inner().delivery.unwrap())
    }

    /// Everything that was refused.
    pub(crate) async fn refused(&self) -> Vec<Delivery> {
        self.listed(DeliveryState::Refused).await
    }

    /// Everything in one state, all pages.
    pub(crate) async fn listed(&self, state: DeliveryState) -> Vec<Delivery> {
        let (mut all, mut page_token) = (Vec::new(), None);
        loop {
            let request = ListDeliveriesRequest {
                tenant: TENANT.to_owned(),
                state: state.into(),
                page_size: Some(100),
                page_token,
            };
            let page = self.deliveries().list_deliveries(request).await.unwrap().into_inner();
            all.extend(page.deliveries);
            page_token = page.next_page_token;
            if page_token.is_none() {
                return all;
            }
        }
    }

    /// Delivers a resource once more.
    pub(crate) async fn retry(&self, id: &str) {
        let request = RetryDeliveryRequest {
            tenant: TENANT.to_owned(),
            resource_id: id.to_owned(),
        };
        self.deliveries().retry_delivery(request).await.unwrap();
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, so: impl AsyncFn(&Self) -> bool) {
        let began = Instant::now();
        while !so(self).await {
            assert!(began.elapsed() < PATIENCE, "not so after {PATIENCE:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Its schemas, and whoever asks for a tenant's.
    pub(crate) fn schemas(&self) -> SchemaServiceClient<Connection> {
        SchemaServiceClient::new(self.connection.clone())
    }

    /// identity-service stops, and starts at the same address with another text in `SCHEMAS_FILE`. The gateway goes on.
    pub(crate) async fn identity_restarts_with_schemas(&mut self, file: &str) {
        let running = self.identity.take().unwrap();
        let address = running.addr;
        running.stop(PATIENCE).await;
        std::fs::write(self.folder.path().join(SCHEMAS_FILE), file).unwrap();
        let listen = format!("--listen={address}");
        let flags: Vec<_> = self.identity_flags.iter().cloned().chain([listen]).collect();
        self.identity = Some(identity_service::start(settings(&flags)).await.unwrap());
    }

    /// Another identity-service on the same store, which must be Redis, and its comparisons with the Platform.
    pub(crate) async fn another_identity(&self) -> (Running, DriftServiceClient<Connection>) {
        let running = identity_service::start(settings(&self.identity_flags)).await.unwrap();
        let connection = service_runtime::connect(&format!("http://{}", running.addr), PATIENCE).unwrap();
        (running, DriftServiceClient::new(connection))
    }

    /// identity-service stops, and starts at the same address with these flags besides. The gateway goes on.
    pub(crate) async fn identity_restarts(&mut self, flags: &[&str]) {
        let running = self.identity.take().unwrap();
        let listen = format!("--listen={}", running.addr);
        running.stop(PATIENCE).await;
        self.identity_starts(listen, flags).await;
    }

    /// The same, and all that it kept is gone meanwhile.
    pub(crate) async fn identity_loses_its_store(&mut self, flags: &[&str]) {
        let running = self.identity.take().unwrap();
        let listen = format!("--listen={}", running.addr);
        running.stop(PATIENCE).await;
        std::fs::remove_dir_all(self.folder.path().join("identity")).unwrap();
        self.identity_starts(listen, flags).await;
    }

    async fn identity_starts(&mut self, listen: String, flags: &[&str]) {
        self.identity_flags.push(listen);
        self.identity_flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self.identity = Some(identity_service::start(settings(&self.identity_flags)).await.unwrap());
    }

    /// identity-service stops.
    pub(crate) async fn identity_goes_away(&mut self) {
        self.identity.take().unwrap().stop(PATIENCE).await;
    }

    /// Takes the Platform away, with all its connections.
    pub(crate) fn platform_goes_down(&mut self) {
        drop(self.simulator.take().unwrap());
    }

    /// Brings it back at the same address, with all that it held.
    pub(crate) async fn platform_comes_back(&mut self) {
        let config = simulator(&self.folder, self.platform.addr());
        self.simulator = Some(platform_simulator::start(config).await.unwrap());
    }
}
