//! The gateway: SCIM 2.0 over HTTP in, gRPC out. It checks the credential, brings bodies into canonical form (both of
//! Entra's dialects end here in one), makes one call to identity-service and renders the answer.
//!
//! It holds no state but the tenants' schema tables and what credentials are checked by, and decides nothing about users: it knows SCIM's HTTP binding, and must never know where
//! identity-service keeps things or what becomes of a change afterwards.

mod acme;
mod answer;
mod auth;
mod body;
mod bulk;
mod call;
mod conditional;
mod config;
mod delivery;
mod discovery;
mod edge;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod groups;
mod identity;
mod json;
mod limits;
mod list;
mod location;
mod members;
mod oauth;
mod origin;
mod query;
mod refusals;
mod router;
mod schemas;
mod traced;
mod users;

use std::sync::Arc;

use service_runtime::{Connection, Lifecycle, Listener, OpsArgs, Running, TelemetryArgs};

pub use acme::{AcmeArgs, AcmeChallenge};
pub use auth::AuthArgs;
pub use config::{Config, ScimArgs};
pub use edge::{EdgeArgs, ProxyHeaders};
pub use limits::LimitArgs;
pub use oauth::PATH as TOKEN_PATH;
pub use router::BASE_PATH;

use auth::Credentials;
use edge::Edge;
use identity::Identity;
use limits::Limits;
use schemas::Tables;

/// What keeps the gateway from starting. The text never contains a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is missing or cannot be used.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting, as the operator writes it.
        setting: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The HTTP client that fetches Entra's keys cannot be built.
    #[error("Entra's keys cannot be fetched")]
    KeySets(#[source] reqwest::Error),
    /// What identity-service shall know us by cannot be used.
    #[error(transparent)]
    Grpc(service_runtime::Error),
    /// A part that all services share failed: the listener, or the address of identity-service.
    #[error("the gateway cannot start")]
    Start(#[source] service_runtime::Error),
}

impl Error {
    fn setting(setting: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting {
            setting,
            reason: reason.into(),
        }
    }
}

/// The gateway as a process runs it.
#[derive(Debug)]
pub struct Service;

impl service_runtime::Service for Service {
    const NAME: &'static str = "gateway";
    const ABOUT: &'static str = "SCIM 2.0 over HTTP in, gRPC out";
    type Config = Config;
    type Error = Error;

    fn telemetry(config: &Config) -> &TelemetryArgs {
        &config.telemetry
    }

    fn ops(config: &Config) -> &OpsArgs {
        &config.ops
    }

    fn check(config: &Config) -> Result<(), Error> {
        config.check().map(drop)
    }

    async fn start(config: Config) -> Result<Running, Error> {
        start(config).await
    }
}

/// Starts a gateway that calls identity-service at `--identity-url`. It listens when this returns, and becomes ready
/// when identity-service is and has handed out who may call, and the tenants' schema tables.
pub async fn start(config: Config) -> Result<Running, Error> {
    let timeout = config.scim.request_timeout;
    let identity = service_runtime::connect_as(&config.identity_url, timeout, &config.grpc).map_err(Error::Start)?;
    start_with(config, identity).await
}

/// Starts a gateway on a connection that exists already, such as to an identity-service in the same process;
/// `--identity-url` is not looked at.
pub async fn start_with(config: Config, identity: Connection) -> Result<Running, Error> {
    let credentials = Credentials::new(&config.auth, None, auth::MAX_AGE)?;
    begin(config, identity, Tables::default(), credentials).await
}

async fn begin(
    config: Config,
    identity: Connection,
    tables: Tables,
    credentials: Credentials,
) -> Result<Running, Error> {
    let gateway = Arc::new(Gateway::new(&config, identity.clone(), tables, credentials)?);
    let lifecycle = Lifecycle::start("gateway", &config.ops).await.map_err(Error::Start)?;
    // Before the certificate: an authority may come to look as soon as it is asked.
    let listener = service_runtime::bind(config.listen).await.map_err(Error::Start)?;
    let tls = match config.acme.tls(&lifecycle).await? {
        Some(tls) => Some(tls),
        None => config.edge.tls(&lifecycle)?,
    };
    let limits = config.limits.connections(&config.edge.trusted_proxies);
    let listener = Listener::from(listener).with_tls(tls).with_limits(limits);
    let dependency = lifecycle.readiness.dependency("identity-service");
    let health = |stop| identity::follow_health(identity, dependency, stop);
    lifecycle.tasks.spawn("identity-service health", health);
    let dependency = lifecycle.readiness.dependency("credentials");
    let (credentials, service) = (Arc::clone(&gateway.credentials), gateway.identity.clone());
    let follow = |stop| auth::follow(credentials, service, dependency, stop);
    lifecycle.tasks.spawn("credentials", follow);
    let credentials = Arc::clone(&gateway.credentials);
    let follow = |stop| auth::follow_keys(credentials, stop);
    lifecycle.tasks.spawn("keys of Entra", follow);
    let dependency = lifecycle.readiness.dependency("schemas");
    let follower = Arc::clone(&gateway);
    let follow = |stop| schemas::follow(follower, dependency, stop);
    lifecycle.tasks.spawn("schema table", follow);
    service_runtime::serve_http(listener, router::router(gateway), lifecycle).map_err(Error::Start)
}

/// What every request needs; but for credentials and schema tables none of it changes while the gateway runs.
struct Gateway {
    identity: Identity,
    tables: Tables,
    credentials: Arc<Credentials>,
    settings: ScimArgs,
    edge: Edge,
    limits: Limits,
}

impl Gateway {
    fn new(config: &Config, identity: Connection, tables: Tables, credentials: Credentials) -> Result<Self, Error> {
        let public = config.check()?;
        Ok(Self {
            identity: Identity::new(identity),
            tables,
            credentials: Arc::new(credentials),
            settings: config.scim.clone(),
            edge: Edge::new(&config.edge, config.serves_tls(), public),
            limits: Limits::new(&config.limits),
        })
    }
}
