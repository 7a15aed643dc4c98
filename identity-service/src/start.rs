//! Putting identity-service together: store, rules, relay, gRPC.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use proto::{
    FILE_DESCRIPTOR_SET,
    adapter::v1::adapter_service_client::AdapterServiceClient,
    identity::v1::{
        change_service_server::ChangeServiceServer, delivery_service_server::DeliveryServiceServer,
        group_service_server::GroupServiceServer, schema_service_server::SchemaServiceServer,
        user_service_server::UserServiceServer,
    },
};
use service_runtime::{
    Dependency, Lifecycle, OpsArgs, Running, Service, TelemetryArgs, bind, connect, grpc_routes, private, serve_grpc,
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    config::{Config, ConfigError},
    delivery::Relay,
    directory::Directory,
    id::Tenant,
    service::{ChangeFeed, Deliveries, Groups, SchemaTable, Users},
    store::{
        Store, StoreError,
        embedded::{EmbeddedStore, OpenError, Options},
    },
    sweep::Sweep,
    wake::Wake,
};

/// The largest message taken: a PATCH of members has up to 10 MiB of JSON.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// The store's file in the data folder.
const STORE_FILE: &str = "identity.redb";

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
    Open(#[from] OpenError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
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
        Ok(config.check()?)
    }

    async fn start(config: Config) -> Result<Running, StartError> {
        start(config).await
    }
}

/// Starts the service on the embedded store's file. It listens when this returns.
pub async fn start(config: Config) -> Result<Running, StartError> {
    config.check()?;
    let (folder, cache) = (config.data_dir.clone(), config.store_cache);
    // A large file that was not closed cleanly takes its time.
    let opening = tokio::task::spawn_blocking(move || open(&folder, cache));
    let store = opening
        .await
        .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?;
    start_on(config, store).await
}

fn open(folder: &Path, cache: u64) -> Result<EmbeddedStore, StartError> {
    // Who is in which group is nobody else's.
    private::make_folder(folder).map_err(|source| StartError::DataDir {
        path: folder.display().to_string(),
        source,
    })?;
    let options = Options {
        cache_bytes: usize::try_from(cache).unwrap_or(usize::MAX),
        ..Options::default()
    };
    Ok(EmbeddedStore::open(&folder.join(STORE_FILE), options)?)
}

/// Starts the service on a store that is open. It listens when this returns.
pub async fn start_on(config: Config, embedded: EmbeddedStore) -> Result<Running, StartError> {
    config.check()?;
    let adopt_list = config.policy.read_adopt_list()?;
    let schemas = config.read_schemas()?;
    let released = embedded.release_leases(Timestamp::now()).await?;
    if released > 0 {
        tracing::info!(
            released,
            "took back {released} leases of a process that did not end cleanly"
        );
    }
    let store: Arc<dyn Store> = Arc::new(embedded.clone());

    let listener = bind(config.listen).await?;
    let life = Lifecycle::start(&config.ops).await?;
    let state = life.readiness.dependency("store");
    state.ready();
    life.tasks.spawn("store", |stop| watch_store(embedded, state, stop));
    let wake = Wake::new();
    let tenant = Tenant::new(&config.tenant);
    let sweep = Sweep {
        store: store.clone(),
        tenants: vec![tenant.clone()],
        wake: wake.clone(),
    };
    life.tasks.spawn("sweep", |stop| sweep.run(stop));
    let relay = Relay {
        tenants: vec![tenant.clone()],
        store: store.clone(),
        adapter: AdapterServiceClient::new(connect(&config.adapter_url, config.delivery.delivery_timeout)?)
            .max_encoding_message_size(MAX_MESSAGE_BYTES),
        config: config.delivery.clone(),
        policy: config.policy.clone(),
        adopt_list,
        wake: wake.clone(),
        adapter_state: life.readiness.dependency("delinea-adapter"),
    };
    // Changes are kept while the adapter is away, so its absence never makes this service unready.
    relay.adapter_state.degraded("not called yet");
    life.tasks.spawn("relay", |stop| relay.run(stop));

    let directory = Directory::new(store.clone(), Arc::new(schemas), config.policy, tenant, wake.clone());
    let changes = ChangeFeed::new(directory.clone(), store.clone(), wake.clone(), life.draining());
    let routes =
        Routes::new(UserServiceServer::new(Users::new(directory.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES))
            .add_service(
                GroupServiceServer::new(Groups::new(directory.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES),
            )
            .add_service(ChangeServiceServer::new(changes))
            .add_service(SchemaServiceServer::new(SchemaTable::new(directory.clone())))
            .add_service(DeliveryServiceServer::new(Deliveries::new(directory, store, wake)));
    let routes = grpc_routes(routes, &life.readiness, &[FILE_DESCRIPTOR_SET])?;
    Ok(serve_grpc(listener, routes, life)?)
}

/// Ends when the store has failed for good, and so ends the service: only opening the file again can help, and whoever
/// supervises the service starts it again.
async fn watch_store(store: EmbeddedStore, state: Dependency, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        error = store.failed() => {
            state.not_ready("the store has failed; the service must be started again");
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the store has failed and does not mend itself; ending"
            );
        }
    }
}
