//! Makes one object of the Delinea Platform match what is wanted: `ApplyUser` and `ApplyGroup` look up, compare, write
//! only the difference, and read back where the outcome is in doubt. It holds no state but a token.
//!
//! It knows the Platform's API: OAuth, fields, limits, failures. It must never know Redis, SCIM's HTTP form, or when a
//! failed delivery is tried again.

mod apply;
mod check;
mod config;
mod deadline;
mod entries;
mod error;
mod follow;
mod list;
mod mapping;
mod metrics;
mod password;
mod platform;
mod record;
mod service;
mod tenants;

use std::error::Error as StdError;

use clap::{Args as _, FromArgMatches as _};
use proto::adapter::v1::adapter_service_server::AdapterServiceServer;
use service_runtime::{Access, Contract, Lifecycle, Listener, OpsArgs, Running, Service, TelemetryArgs, TenantsArgs};
use tonic::service::Routes;

pub use config::{
    AccountSettings, BackendConfig, ChangeUserMode, ClearValue, Config, DirectoryPolicy, ExtraField, ExtraHeader,
    FieldName, GroupBackend, PasswordSource, PasswordSymbols, PlatformConfig, RestV3, StateCall, SuffixMapping,
    TableFiles, UserBackend,
};

use service::Adapter;

/// A request may name many members, and a user may have many values.
const MAX_REQUEST: usize = 4 << 20;

/// The service, for `main`.
#[derive(Debug, Clone, Copy)]
pub struct DelineaAdapter;

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used, an address cannot be listened on, or the like.
    #[error("the adapter cannot start")]
    Runtime(#[from] service_runtime::Error),
    /// The file of tenants cannot be used.
    #[error("the tenants cannot be served")]
    Tenants(#[source] service_runtime::tenants::Refused),
    /// The HTTP client cannot be built.
    #[error("calls to the Platform cannot be made")]
    HttpClient(#[source] reqwest::Error),
}

impl Service for DelineaAdapter {
    const NAME: &'static str = "delinea-adapter";
    const ABOUT: &'static str = "Makes one object of the Delinea Platform match what is wanted";
    type Config = Config;
    type Error = Error;

    fn telemetry(config: &Config) -> &TelemetryArgs {
        &config.telemetry
    }

    fn ops(config: &Config) -> &OpsArgs {
        &config.ops
    }

    fn check(config: &Config) -> Result<(), Error> {
        access(config)?;
        tenants::check(config)
    }

    async fn start(config: Config) -> Result<Running, Error> {
        start(config).await
    }

    fn commands() -> Vec<clap::Command> {
        let shared = |command| TenantsArgs::augment_args(PlatformConfig::augment_args(command));
        vec![shared(check::command::command()), shared(record::command())]
    }

    async fn run_command(name: &str, arguments: &clap::ArgMatches, _: Config) -> Result<(), Box<dyn StdError>> {
        let file = TenantsArgs::from_arg_matches(arguments)?.read()?;
        let config = tenants::chosen(PlatformConfig::from_arg_matches(arguments)?, file.as_ref())?;
        match name {
            check::command::NAME => check::command::run(arguments, config).await,
            _ => record::run(arguments, config).await,
        }
    }
}

/// Starts the adapter; it listens when this returns. The Platform need not be reachable yet.
pub async fn start(config: Config) -> Result<Running, Error> {
    tenants::check(&config)?;
    let access = access(&config)?;
    let lifecycle = Lifecycle::start("delinea-adapter", &config.ops).await?;
    let adapter = Adapter::new(tenants::serve(&config, &lifecycle).await?);
    let server = AdapterServiceServer::new(adapter).max_decoding_message_size(MAX_REQUEST);
    let routes =
        service_runtime::grpc_routes(Routes::new(server), &lifecycle.readiness, &[proto::FILE_DESCRIPTOR_SET])?;
    let tls = config.grpc_server.tls(&config.grpc, &lifecycle)?;
    let listener = Listener::from(service_runtime::bind(config.listen).await?).with_tls(tls);
    Ok(service_runtime::serve_grpc(listener, routes, access, lifecycle)?)
}

/// Who may call.
fn access(config: &Config) -> Result<Access, service_runtime::Error> {
    let contract = Contract {
        descriptors: proto::FILE_DESCRIPTOR_SET,
        caller_unknown: proto::error::caller_unknown,
        right_missing: proto::error::right_missing,
    };
    Access::new(config.listen, &config.grpc, &config.grpc_server, contract)
}
