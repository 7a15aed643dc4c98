//! Why the whole does not start, or its rehearsal cannot go on.

use std::path::PathBuf;

/// What went wrong, and in which part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of ours cannot be used.
    #[error("cannot {doing} {path}")]
    File {
        /// What was being tried.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The data folder was filled for another Platform.
    #[error("{folder} holds the users and groups of {there}; use another --data-dir for {asked}")]
    OtherPlatform {
        /// The folder.
        folder: PathBuf,
        /// The Platform that it was filled for.
        there: String,
        /// The Platform of this start.
        asked: String,
    },
    /// The file with the bearer token, or with the OAuth client, holds none.
    #[error("{0} holds no secret; remove it and a new one is made")]
    EmptyToken(PathBuf),
    /// The gateway cannot start.
    #[error("cannot start the gateway")]
    Gateway(#[source] gateway::Error),
    /// identity-service cannot start.
    #[error("cannot start identity-service")]
    Identity(#[source] identity_service::StartError),
    /// delinea-adapter cannot start.
    #[error("cannot start delinea-adapter")]
    Adapter(#[source] delinea_adapter::Error),
    /// The simulated Platform cannot start.
    #[error("cannot start the simulated Platform")]
    Simulator(#[source] platform_simulator::Error),
    /// The runtime's part: telemetry, signals, addresses.
    #[error(transparent)]
    Runtime(#[from] service_runtime::Error),
    /// The services did not become ready.
    #[error("the services did not become ready in time; GET /readyz on an OPS_LISTEN says why")]
    NotReady,
    /// The rehearsal could not go on.
    #[error("the rehearsal could not go on")]
    Rehearsal(#[source] entra_simulator::Error),
    /// Standard output is closed.
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
}

impl Error {
    /// Whether other settings would help.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::OtherPlatform { .. })
    }
}
