//! Why a simulated Platform did not start or did not stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::journal::{JournalError, NotDurable};
use crate::profile::ProfileError;
use crate::replay::ReplayError;

/// Why the simulated Platform did not start or did not stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file named in the settings cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The secret is empty.
    #[error("the secret of the service user is empty")]
    EmptySecret,
    /// The profile cannot be understood.
    #[error("the profile {path} is not valid")]
    Profile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ProfileError,
    },
    /// The transcript cannot be replayed.
    #[error("the transcript cannot be replayed")]
    Replay(#[source] ReplayError),
    /// The service user's login name is another account's in the data folder.
    #[error("the login name of the service user is another account's in the data folder")]
    NameTaken,
    /// The data folder cannot be used.
    #[error("cannot use the data folder")]
    Journal(#[source] JournalError),
    /// The first change could not be kept.
    #[error("cannot keep the first change")]
    NotDurable(#[source] NotDurable),
    /// A task of ours panicked.
    #[error("a task of the simulated Platform failed")]
    Task(#[source] tokio::task::JoinError),
    /// Some connections did not end in time and were cut.
    #[error("connections were still busy after {0:?} and were cut")]
    Drain(Duration),
}

impl Error {
    /// Whether a setting is wrong, so that starting again would not help.
    pub fn is_setting(&self) -> bool {
        matches!(
            self,
            Self::File { .. } | Self::EmptySecret | Self::Profile { .. } | Self::Replay(_) | Self::NameTaken
        )
    }
}
