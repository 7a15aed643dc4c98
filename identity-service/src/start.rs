//! Putting identity-service together: store, rules, relay, gRPC.

use std::sync::Arc;

use clap::{ArgMatches, Command};
use proto::{
    FILE_DESCRIPTOR_SET,
    adapter::v1::adapter_service_client::AdapterServiceClient,
    identity::v1::{
        audit_service_server::AuditServiceServer, change_service_server::ChangeServiceServer,
        credential_service_server::CredentialServiceServer, delivery_service_server::DeliveryServiceServer,
        drift_service_server::DriftServiceServer, group_service_server::GroupServiceServer,
        relink_service_server::RelinkServiceServer, schema_service_server::SchemaServiceServer,
        user_service_server::UserServiceServer,
    },
};
use service_runtime::{
    Access, Contract, Lifecycle, Listener, OpsArgs, Running, Service, TelemetryArgs, bind, connect_as, grpc_routes,
    serve_grpc,
};
use tonic::service::Routes;

use crate::{
    compact,
    config::{Config, ConfigError},
    credentials::{self, Credentials},
    delivery::Relays,
    drift::{Drift, Schedule},
    engine::Engine,
    figures::Figures,
    moving::{self, Origin},
    relink::Relink,
    service::{
        Audit, ChangeFeed, CredentialBook, Deliveries, Directories, Drifts, Groups, Relinks, SchemaTable, Users,
    },
    store::{Store, StoreError, embedded, redis},
    sweep::Sweep,
    tenants::{self, Keep},
    wake::Wake,
};

/// The largest message taken: a PATCH of members has up to 10 MiB of JSON.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Why identity-service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings do not go together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be made.
    #[error("cannot make the data folder {path}")]
    DataDir {
        /// The folder.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] embedded::OpenError),
    /// Redis cannot be reached, or must not be used as it is.
    #[error(transparent)]
    Redis(#[from] redis::OpenError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of tenants cannot be used.
    #[error("the tenants cannot be served")]
    Tenants(#[source] service_runtime::tenants::Refused),
    /// Half of a directory must not be served: what is missing would be taken for deleted.
    #[error("an import into this store has not come to its end; run it again with the same --file, and it goes on")]
    HalfImported,
    /// The service cannot listen, or an address is no address.
    #[error(transparent)]
    Runtime(#[from] service_runtime::Error),
}

/// The service, for `service_runtime::main`.
#[derive(Debug)]
pub struct IdentityService;

impl Service for IdentityService {
    const NAME: &'static str = "identity-service";
    const ABOUT: &'static str = "Owns users, groups and memberships, and delivers them to the Delinea Platform";
    type Config = Config;
    type Error = StartError;

    fn telemetry(config: &Config) -> &TelemetryArgs {
        &config.telemetry
    }

    fn ops(config: &Config) -> &OpsArgs {
        &config.ops
    }

    fn check(config: &Config) -> Result<(), StartError> {
        access(config)?;
        config.grpc.check()?;
        tenants::check(config)
    }

    async fn start(config: Config) -> Result<Running, StartError> {
        start(config).await
    }

    fn commands() -> Vec<Command> {
        let own = [compact::command(), credentials::command::command()];
        moving::commands().into_iter().chain(own).collect()
    }

    async fn run_command(name: &str, arguments: &ArgMatches, config: Config) -> Result<(), Box<dyn std::error::Error>> {
        match name {
            compact::NAME => compact::run(&config).await,
            credentials::command::NAME => credentials::command::run(),
            _ => moving::run(name, arguments, &config).await,
        }
    }
}

/// Starts the service on the store that the settings name. It listens when this returns.
pub async fn start(config: Config) -> Result<Running, StartError> {
    tenants::check(&config)?;
    let engine = Engine::open(&config).await?;
    start_on(config, engine).await
}

/// The store of these settings, and what it is, for a command that only moves what it holds.
pub(crate) async fn open_store(config: &Config) -> Result<(Arc<dyn Store>, Origin), StartError> {
    let engine = Engine::open(config).await?;
    Ok((engine.store(), engine.origin()))
}

/// Starts the service on a store that is open. It listens when this returns.
pub async fn start_on(config: Config, engine: impl Into<Engine>) -> Result<Running, StartError> {
    config.check()?;
    let engine = engine.into();
    engine.take_back_leases().await?;
    let store = engine.store();
    let (tenants, file) = tenants::serve(&config, &store).await?;

    let credentials = Credentials::new(store.clone(), tenants.clone());
    credentials.warn_of_none().await?;

    let access = access(&config)?;
    let listener = bind(config.listen).await?;
    let life = Lifecycle::start("identity-service", &config.ops).await?;
    let state = life.readiness.dependency("store");
    engine.tell(&state);
    life.tasks.spawn("store", |stop| engine.watch(state, stop));
    if let Some(file) = file {
        let state = life.readiness.dependency("tenants file");
        state.ready();
        life.tasks.spawn("tenants file", |stop| file.run(state, stop));
    }
    let wake = Wake::new();
    let adapter = AdapterServiceClient::new(connect_as(
        &config.adapter_url,
        config.delivery.delivery_timeout,
        &config.grpc,
    )?)
    .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let relink = Relink::new(store.clone(), adapter.clone(), wake.clone());
    let sweep = Sweep {
        store: store.clone(),
        wake: wake.clone(),
    };
    let relays = Relays {
        tenants: tenants.clone(),
        store: store.clone(),
        adapter: adapter.clone(),
        wake: wake.clone(),
        adapter_state: life.readiness.dependency("delinea-adapter"),
    };
    // Changes are kept while the adapter is away, so its absence never makes this service unready.
    relays.adapter_state.degraded("not called yet");
    let drift = Drift::new(store.clone(), adapter, wake.clone(), config.delivery.delivery_lease);
    let schedule = Schedule {
        drift: drift.clone(),
        tenants: tenants.clone(),
    };
    let figures = Figures::new(store.clone(), credentials.clone(), tenants.clone());
    let keep = Keep::new(tenants.clone(), relays, sweep, schedule, figures, &life);
    life.tasks.spawn("tenants", |stop| keep.run(stop));

    let directories = Directories::new(tenants, store.clone(), wake.clone());
    let audit = Audit::new(directories.clone(), store.clone());
    let changes = ChangeFeed::new(directories.clone(), store.clone(), wake.clone(), life.closing());
    let routes = Routes::new(
        UserServiceServer::new(Users::new(directories.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES),
    )
    .add_service(GroupServiceServer::new(Groups::new(directories.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES))
    .add_service(ChangeServiceServer::new(changes))
    .add_service(AuditServiceServer::new(audit))
    .add_service(CredentialServiceServer::new(CredentialBook::new(credentials)))
    .add_service(DriftServiceServer::new(Drifts::new(
        directories.clone(),
        drift,
        life.closing(),
    )))
    .add_service(RelinkServiceServer::new(Relinks::new(directories.clone(), relink)))
    .add_service(SchemaServiceServer::new(SchemaTable::new(directories.clone())))
    .add_service(DeliveryServiceServer::new(Deliveries::new(directories, store, wake)));
    let routes = grpc_routes(routes, &life.readiness, &[FILE_DESCRIPTOR_SET])?;
    let tls = config.grpc_server.tls(&config.grpc.own, &life)?;
    Ok(serve_grpc(
        Listener::from(listener).with_tls(tls),
        routes,
        access,
        life,
    )?)
}

/// Who may call.
fn access(config: &Config) -> Result<Access, service_runtime::Error> {
    let contract = Contract {
        descriptors: FILE_DESCRIPTOR_SET,
        caller_unknown: proto::error::caller_unknown,
        right_missing: proto::error::right_missing,
    };
    Access::new(config.listen, &config.grpc.own, &config.grpc_server, contract)
}
