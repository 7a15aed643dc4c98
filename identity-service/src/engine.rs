//! Which engine the store is on, by the settings, and how readiness follows it. The rest of the service sees a `Store`.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use service_runtime::{Dependency, private};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    moving::Origin,
    start::StartError,
    store::{
        Store, StoreError,
        embedded::{self, EmbeddedStore},
        measured::{Measured, System},
        redis::{self, RedisStore},
    },
};

/// The embedded store's file in the data folder.
const STORE_FILE: &str = "identity.redb";
/// How often readiness looks at the connection to Redis, which is itself asked every two seconds.
const LOOK: Duration = Duration::from_millis(500);

/// A store that is open.
#[derive(Clone)]
pub struct Engine(Kind);

#[derive(Clone)]
enum Kind {
    Embedded(EmbeddedStore),
    Redis(RedisStore),
}

impl From<EmbeddedStore> for Engine {
    fn from(store: EmbeddedStore) -> Self {
        Self(Kind::Embedded(store))
    }
}

impl From<RedisStore> for Engine {
    fn from(store: RedisStore) -> Self {
        Self(Kind::Redis(store))
    }
}

impl Engine {
    /// Opens the store that the settings name.
    pub(crate) async fn open(config: &Config) -> Result<Self, StartError> {
        if let Some(settings) = config.redis.settings() {
            let store = RedisStore::open(&settings, redis_options(config)).await?;
            return Ok(store.into());
        }
        let (folder, options) = (config.data_dir.clone(), options(config));
        // A large file that was not closed cleanly takes its time.
        let opening = tokio::task::spawn_blocking(move || open_file(&folder, options));
        let store = opening
            .await
            .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?;
        Ok(store.into())
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match &self.0 {
            Kind::Embedded(store) => Arc::new(Measured::new(store.clone(), System::Redb)),
            Kind::Redis(store) => Arc::new(Measured::new(store.clone(), System::Redis)),
        }
    }

    /// What an export says of where it comes from.
    pub(crate) fn origin(&self) -> Origin {
        let (engine, layout) = match &self.0 {
            Kind::Embedded(_) => ("embedded", embedded::LAYOUT),
            Kind::Redis(_) => ("redis", redis::LAYOUT),
        };
        Origin {
            engine: engine.to_owned(),
            layout,
        }
    }

    /// Takes back the leases of a process that did not end cleanly. A file has one process at a time; those in Redis may be
    /// another replica's, and end by themselves.
    pub(crate) async fn take_back_leases(&self) -> Result<(), StoreError> {
        let Kind::Embedded(store) = &self.0 else { return Ok(()) };
        let released = store.release_leases(Timestamp::now()).await?;
        if released > 0 {
            tracing::info!(
                released,
                "took back {released} leases of a process that did not end cleanly"
            );
        }
        Ok(())
    }

    /// Tells readiness how the store is now.
    pub(crate) fn tell(&self, state: &Dependency) {
        let Kind::Redis(store) = &self.0 else {
            return state.ready();
        };
        match store.connection().health() {
            Ok(promise) if promise.is_whole() => state.ready(),
            Ok(promise) => state.degraded(promise.words()),
            Err(error) => state.not_ready(service_runtime::Chain(&*error).to_string()),
        }
    }

    /// Keeps readiness up to date. Ends only when the store has failed for good, and so ends the service.
    pub(crate) async fn watch(self, state: Dependency, stop: CancellationToken) {
        match &self.0 {
            Kind::Embedded(store) => watch_file(store, &state, &stop).await,
            Kind::Redis(_) => {
                while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
                    self.tell(&state);
                }
            }
        }
    }
}

/// Makes the embedded store's file as small as may be.
pub(crate) async fn compact(config: &Config) -> Result<embedded::Compacted, StartError> {
    let (path, options) = (config.data_dir.join(STORE_FILE), options(config));
    let compacting = tokio::task::spawn_blocking(move || EmbeddedStore::compact(&path, options));
    let compacted = compacting
        .await
        .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?;
    Ok(compacted)
}

fn options(config: &Config) -> embedded::Options {
    embedded::Options {
        cache_bytes: usize::try_from(config.store_cache).unwrap_or(usize::MAX),
        log_retention: config.log.log_retention,
        ..embedded::Options::default()
    }
}

fn redis_options(config: &Config) -> redis::Options {
    redis::Options {
        log_retention: config.log.log_retention,
        ..redis::Options::default()
    }
}

fn open_file(folder: &Path, options: embedded::Options) -> Result<EmbeddedStore, StartError> {
    // Who is in which group is nobody else's.
    private::make_folder(folder).map_err(|source| StartError::DataDir {
        path: folder.display().to_string(),
        source,
    })?;
    Ok(EmbeddedStore::open(&folder.join(STORE_FILE), options)?)
}

/// Only opening the file again can help, and whoever supervises the service starts it again.
async fn watch_file(store: &EmbeddedStore, state: &Dependency, stop: &CancellationToken) {
    let Some(error) = stop.run_until_cancelled(store.failed()).await else {
        return;
    };
    state.not_ready("the store has failed; the service must be started again");
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "the store has failed and does not mend itself; ending"
    );
}
