//! Starting everything in the order in which it depends on each other, and stopping it in the reverse.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use service_runtime::{GrpcArgs, Running, Signals, drain, run_with};
use tempfile::TempDir;

use identity_service::credentials::SecretHash;

use crate::{
    Endpoints, Error, Settings, data_folder,
    token::{OAuthClient, client, token},
};

/// How long the services may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Everything, running. Dropped, it goes as a killed process does.
pub struct Deployment {
    /// Where everything is.
    pub endpoints: Endpoints,
    /// The SCIM base URL on this machine, whatever name the world knows it by.
    pub(crate) local_base_url: String,
    /// The services, callers before those they call.
    services: Vec<Running>,
    simulator: Option<platform_simulator::Running>,
    drain_limit: Duration,
    /// The folder that goes with `--ephemeral`.
    _folder: Option<TempDir>,
}

/// Starts everything; it is ready when this returns.
pub async fn start(mut settings: Settings) -> Result<Deployment, Error> {
    let folder = settings.options.ephemeral.then(tempfile::tempdir).transpose();
    let folder = folder.map_err(|source| Error::File {
        doing: "make a folder in",
        path: std::env::temp_dir(),
        source,
    })?;
    if let Some(folder) = &folder {
        settings.identity.data_dir = folder.path().to_owned();
    }
    data_folder::claim(&settings)?;
    data_folder::keep_rehearsed_apart(&mut settings)?;
    let (token, client) = if settings.serves_many() {
        // Whoever may call as one of them stands in their file, or is made at run time.
        (None, None)
    } else {
        let set = settings.identity.credentials.oauth_client_id.as_deref();
        let client = match set.filter(|id| !id.is_empty()) {
            Some(_) => None,
            None => Some(client(settings.data_dir())?),
        };
        let token = token(settings.data_dir())?;
        accept(&mut settings.identity, &token, client.as_ref());
        (Some(token), client)
    };

    let simulator = if settings.serves_real_tenant() {
        None
    } else {
        Some(start_simulator(&mut settings).await?)
    };
    let adapter = delinea_adapter::start(settings.adapter.clone())
        .await
        .map_err(Error::Adapter)?;
    settings.identity.adapter_url = grpc_url(&adapter, &settings.adapter.grpc);
    let identity = identity_service::start(settings.identity.clone())
        .await
        .map_err(Error::Identity)?;
    settings.gateway.identity_url = grpc_url(&identity, &settings.identity.grpc.own);
    let gateway = gateway::start(settings.gateway.clone()).await.map_err(Error::Gateway)?;

    let base = settings
        .gateway
        .scim
        .public_url
        .clone()
        .filter(|url| !url.is_empty())
        .unwrap_or_else(|| gateway_url(&settings, &gateway));
    let base = base.trim_end_matches('/').trim_end_matches(gateway::BASE_PATH);
    let endpoints = Endpoints {
        scim_base_url: format!("{base}{}", gateway::BASE_PATH),
        bearer_token: token.map(|token| token.expose_secret().to_owned()).unwrap_or_default(),
        oauth_token_url: format!("{base}{}", gateway::TOKEN_PATH),
        oauth_client_id: client.as_ref().map(|client| client.client_id.clone()),
        oauth_client_secret: client.map(|client| client.secret.expose_secret().to_owned()),
        identity_grpc: settings.gateway.identity_url.clone(),
        adapter_grpc: settings.identity.adapter_url.clone(),
        platform_url: settings.adapter.platform.platform_url.clone().unwrap_or_default(),
    };
    let local_base_url = format!("{}{}", gateway_url(&settings, &gateway), gateway::BASE_PATH);
    let services = vec![gateway, identity, adapter];
    for service in &services {
        tokio::time::timeout(READY_WITHIN, service.readiness().ready())
            .await
            .map_err(|_| Error::NotReady)?;
    }
    let drain_limit = settings.gateway.ops.drain_limit;
    Ok(Deployment {
        endpoints,
        local_base_url,
        services,
        simulator,
        drain_limit,
        _folder: folder,
    })
}

impl Deployment {
    /// Serves until a signal comes, then drains. `true` says that everything came to its end within the limit.
    pub async fn run_until_stopped(self, signals: &mut Signals) -> Result<bool, Error> {
        let drained = run_with(signals, self.services, self.drain_limit).await?;
        if let Some(simulator) = self.simulator {
            simulator.stop().await.map_err(Error::Simulator)?;
        }
        Ok(drained)
    }

    /// Drains now; a signal ends even that.
    pub async fn stop(self, signals: &mut Signals) -> Result<bool, Error> {
        let drained = drain(signals, self.services, self.drain_limit).await?;
        if let Some(simulator) = self.simulator {
            simulator.stop().await.map_err(Error::Simulator)?;
        }
        Ok(drained)
    }
}

/// The simulated Platform, with the adapter set to it.
async fn start_simulator(settings: &mut Settings) -> Result<platform_simulator::Running, Error> {
    let config = platform_simulator::Config {
        listen: settings.options.platform_simulator_listen,
        data_dir: Some(settings.data_dir().join("platform")),
        profile: settings.options.platform_simulator_profile.clone(),
        ..platform_simulator::Config::default()
    };
    let client = config.clone();
    let simulator = platform_simulator::start(config).await.map_err(Error::Simulator)?;
    reach(&mut settings.adapter, &client, simulator.url());
    settings.adapter.platform.max_rps.get_or_insert(simulator.max_rps());
    Ok(simulator)
}

/// Sets the adapter to a simulated Platform.
pub(crate) fn reach(adapter: &mut delinea_adapter::Config, simulator: &platform_simulator::Config, url: String) {
    let platform = &mut adapter.platform;
    platform.platform_url = Some(url);
    platform.platform_client_id = Some(simulator.client_id.clone());
    platform.platform_client_secret = Some(SecretString::from(simulator.client_secret.clone()));
    platform.platform_client_secret_file = None;
    platform.platform_client_secret_expires = None;
}

/// Lets token and client in, beside any that the settings name. Settings name one client at most: where they do, ours is
/// `None`.
pub(crate) fn accept(identity: &mut identity_service::Config, token: &SecretString, client: Option<&OAuthClient>) {
    let credentials = &mut identity.credentials;
    let hash = SecretHash::of(token).to_string();
    let hashes = &mut credentials.bearer_token_sha256;
    *hashes = Some(match hashes.take().filter(|hashes| !hashes.is_empty()) {
        Some(others) => format!("{others},{hash}"),
        None => hash,
    });
    if let Some(client) = client {
        credentials.oauth_client_id = Some(client.client_id.clone());
        credentials.oauth_client_secret_sha256 = Some(SecretHash::of(&client.secret).to_string());
    }
}

/// The gateway alone may speak TLS here.
fn gateway_url(settings: &Settings, gateway: &Running) -> String {
    let scheme = if settings.gateway.serves_tls() { "https" } else { "http" };
    format!("{scheme}://{}", gateway.addr)
}

fn url(service: &Running) -> String {
    format!("http://{}", service.addr)
}

/// The same of one that is called by gRPC, over TLS where it has a certificate. That must name the address.
fn grpc_url(service: &Running, own: &GrpcArgs) -> String {
    match own.has_certificate() {
        true => format!("https://{}", service.addr),
        false => url(service),
    }
}
