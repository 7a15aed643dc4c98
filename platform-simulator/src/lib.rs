//! A stand-in for the Delinea Platform's identity API: it speaks the real protocol from the other side, keeps its state
//! in a data folder, and goes wrong on request. Started by tests on port 0, by the one-command demo, and as a process of
//! its own. It follows the public facts about the Platform and shares no code with any client of it.
//!
//! `/identity/...` is the Platform; `/_sim` is for people and test programs.

mod api;
mod by_hand;
mod calls;
mod control;
mod envelope;
mod error;
mod faults;
mod furniture;
mod journal;
mod like;
mod page;
mod past;
mod platform;
mod profile;
mod query;
mod rate;
#[cfg(test)]
mod readme;
mod records;
mod replay;
mod server;
mod state;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use calls::Call;
pub use error::Error;
pub use faults::{Fault, FaultRule};
pub use journal::{JournalError, NotDurable};
pub use platform::{ADMIN_ID, CALLER_ID};
pub use profile::{
    ClearWith, ColumnCasing, CreateResult, DEFAULT as DEFAULT_PROFILE, Denial, GroupMapping, NAMES as PROFILE_NAMES,
    NoSuchProfile, Profile, ProfileError, ProfileSource, RateLimitAnswer, Renames, Right, RoleWrites, ScimIds, Texts,
    UnknownFields, UnknownPrincipals, UnsentFields,
};
pub use records::{Group, Kind, Member, User};
pub use replay::ReplayError;

use journal::Journal;
use platform::{Client, Platform};
use replay::Replay;
use server::{Doors, Scissors};
use state::State;

/// A request body may be this long.
const MAX_BODY: usize = 64 << 20;

/// The settings of the simulated Platform.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Simulated Platform")]
pub struct Config {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "PLATFORM_SIMULATOR_LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// Folder that keeps users, groups and memberships over restarts; without it everything is forgotten
    #[arg(long, env = "PLATFORM_SIMULATOR_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Login name of the service user that may ask for tokens; it is also the caller of every call
    #[arg(
        long,
        env = "PLATFORM_SIMULATOR_CLIENT_ID",
        default_value = "scim-gateway@example.com"
    )]
    pub client_id: String,
    /// Secret of the service user
    #[arg(
        long,
        env = "PLATFORM_SIMULATOR_CLIENT_SECRET",
        default_value = "simulated-secret",
        hide_env_values = true
    )]
    pub client_secret: String,
    /// File with the secret of the service user; it wins over the setting above
    #[arg(long, env = "PLATFORM_SIMULATOR_CLIENT_SECRET_FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// How this tenant behaves: default, modern, no-role-writes, heritage, scim-only, federated, hostile, or a JSON file
    #[arg(long, env = "PLATFORM_SIMULATOR_PROFILE", value_name = "NAME|FILE")]
    pub profile: Option<ProfileSource>,
    /// Transcript of a real tenant (a file, or a folder of .jsonl files) whose answers are given in place of simulated ones
    #[arg(long, env = "PLATFORM_SIMULATOR_REPLAY", value_name = "PATH")]
    pub replay: Option<PathBuf>,
    /// Seed of the dice that faults with a probability are thrown with
    #[arg(long, env = "PLATFORM_SIMULATOR_SEED", default_value_t = 1)]
    pub seed: u64,
}

impl Config {
    /// A tenant in memory on a free port of this machine, with all other settings at their defaults.
    pub fn ephemeral() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ..Self::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8090)),
            data_dir: None,
            client_id: "scim-gateway@example.com".to_owned(),
            client_secret: "simulated-secret".to_owned(),
            client_secret_file: None,
            profile: None,
            replay: None,
            seed: 1,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .field("client_id", &self.client_id)
            .field("client_secret_file", &self.client_secret_file)
            .field("profile", &self.profile)
            .field("replay", &self.replay)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// A simulated Platform that serves. Dropped, it goes as a killed process does: connections are cut, the folder is free.
pub struct Running {
    /// The address it listens on.
    pub addr: SocketAddr,
    platform: Arc<Platform>,
    stopping: CancellationToken,
    closed: Arc<AtomicBool>,
    serving: JoinHandle<()>,
}

impl Running {
    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How many calls a second its profile allows at present; 0 sets no limit.
    pub fn max_rps(&self) -> u32 {
        self.platform.profile().max_rps
    }

    /// Ends when serving ends, which happens only after a stop or a failure.
    pub async fn ended(&mut self) {
        let _ = (&mut self.serving).await;
    }

    /// Lets the requests under way end, within ten seconds, and gives the data folder back.
    pub async fn stop(mut self) -> Result<(), Error> {
        const DRAIN: Duration = Duration::from_secs(10);
        self.stopping.cancel();
        let drained = tokio::time::timeout(DRAIN, &mut self.serving).await;
        let platform = Arc::clone(&self.platform);
        tokio::task::spawn_blocking(move || platform.journal.close())
            .await
            .map_err(Error::Task)?;
        drained.map_err(|_| Error::Drain(DRAIN))?.map_err(Error::Task)
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        // Wakes the connections that wait for a request, so that nobody sends one into a tenant that is gone.
        self.stopping.cancel();
        self.serving.abort();
        self.platform.journal.close();
    }
}

/// Starts a simulated Platform: reads its folder, binds, and serves in the background.
pub async fn start(config: Config) -> Result<Running, Error> {
    let secret = match &config.client_secret_file {
        Some(path) => read(path).await?.trim_end_matches(['\r', '\n']).to_owned(),
        None => config.client_secret.clone(),
    };
    if secret.is_empty() {
        return Err(Error::EmptySecret);
    }
    let profile = match &config.profile {
        Some(ProfileSource::File(path)) => {
            Profile::read(read(path).await?.as_bytes()).map_err(|source| Error::Profile {
                path: path.clone(),
                source,
            })?
        }
        Some(ProfileSource::Named(name)) => Profile::named(name).unwrap_or_default(),
        None => Profile::default(),
    };
    let replay = match config.replay {
        Some(path) => tokio::task::spawn_blocking(move || Replay::read(&path))
            .await
            .map_err(Error::Task)?
            .map(Some)
            .map_err(Error::Replay)?,
        None => None,
    };
    if let Some(replay) = &replay {
        tracing::info!(exchanges = replay.len(), "answers come from a transcript");
    }
    let listener = service_runtime::listen(config.listen)
        .await
        .map_err(|source| Error::Listen {
            addr: config.listen,
            source,
        })?;
    let addr = listener.local_addr().map_err(|source| Error::Listen {
        addr: config.listen,
        source,
    })?;
    let (journal, state) = match config.data_dir {
        Some(folder) => tokio::task::spawn_blocking(move || Journal::open(&folder))
            .await
            .map_err(Error::Task)?
            .map_err(Error::Journal)?,
        None => (Journal::memory(), State::default()),
    };
    let client = Client {
        id: config.client_id,
        secret,
    };
    let platform = Arc::new(Platform::new(client, journal, state, profile, replay, config.seed));
    platform
        .furnish()
        .ok_or(Error::NameTaken)?
        .durable()
        .await
        .map_err(Error::NotDurable)?;

    let (stopping, closed) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
    let app = router(Arc::clone(&platform)).into_make_service_with_connect_info::<Scissors>();
    let server = axum::serve(Doors::new(listener, Arc::clone(&closed)), app)
        .with_graceful_shutdown(stopping.clone().cancelled_owned());
    let serving = tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "serving ended");
        }
    });
    tracing::info!(%addr, "simulated Platform is ready");
    Ok(Running {
        addr,
        platform,
        stopping,
        closed,
        serving,
    })
}

fn router(platform: Arc<Platform>) -> Router {
    Router::new()
        .route("/health", get(api::health))
        // Not the Platform's: what the health check of our services asks.
        .route("/readyz", get(|| async { "ready\n" }))
        .route("/_sim", get(page::show))
        .nest("/_sim", control::router())
        .fallback(api::serve)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(platform)
}

async fn read(path: &PathBuf) -> Result<String, Error> {
    tokio::fs::read_to_string(path).await.map_err(|source| Error::File {
        path: path.clone(),
        source,
    })
}
