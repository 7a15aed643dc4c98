//! What can go wrong between us and Redis, and what is known then about what was asked. No error repeats a secret or an
//! argument.

use std::sync::Arc;

use redis::RedisError;

use super::{checks::Refusal, script::Script, target::UrlError};
use crate::store::StoreError;

/// Why a connection to Redis cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// The URL says nothing that we can follow.
    #[error("REDIS_URL {0}")]
    Url(#[from] UrlError),
    /// A setting or a file that it names cannot be used.
    #[error("the settings for Redis cannot be used")]
    Settings(#[source] Arc<service_runtime::Error>),
    /// A file of certificates cannot be read.
    #[error("cannot read {setting} {path}")]
    File {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Nobody answers there, or not as Redis does.
    #[error("cannot reach Redis at {target}")]
    Unreachable {
        /// Where it was looked for.
        target: String,
        /// Why not.
        #[source]
        source: RedisError,
    },
    /// It did not answer in time.
    #[error("Redis at {target} does not answer within REDIS_TIMEOUT")]
    Silent {
        /// Where it was looked for.
        target: String,
    },
    /// User or password are wrong.
    #[error("Redis at {target} refuses the user or the password")]
    Credentials {
        /// The server.
        target: String,
        /// Its words.
        #[source]
        source: RedisError,
    },
    /// What answers is a replica, which takes no writes.
    #[error("Redis at {target} is a replica, and takes no writes")]
    Replica {
        /// The server.
        target: String,
    },
    /// It is starting, and has not read its data yet.
    #[error("Redis at {target} is still loading its data")]
    Loading {
        /// The server.
        target: String,
    },
    /// It must not be used as it is set up.
    #[error("Redis at {target} cannot be used")]
    Refused {
        /// The server.
        target: String,
        /// What must be changed.
        #[source]
        source: Refusal,
    },
    /// The cluster has no node for a part of the keys.
    #[error("the cluster at {target} has no node for some keys")]
    Uncovered {
        /// The cluster.
        target: String,
    },
}

impl OpenError {
    /// Whether trying again cannot help: a person has to change something.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Url(_) | Self::Settings(_) | Self::File { .. } | Self::Credentials { .. } | Self::Refused { .. } => {
                true
            }
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Replica { .. }
            | Self::Loading { .. }
            | Self::Uncovered { .. } => false,
        }
    }
}

/// Why a script gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CallError {
    /// Redis is away. The script was not run.
    #[error("Redis is away")]
    Away(#[source] Arc<OpenError>),
    /// Redis was not ready to run it for as long as REDIS_TIMEOUT. The script was not run.
    #[error("Redis does not take scripts at present")]
    Busy(#[source] RedisError),
    /// The connection broke, or the answer did not come in time. The script may have been run, or be run yet.
    #[error("Redis gave no answer to the script {script}")]
    Unanswered {
        /// The script.
        script: &'static str,
        /// How it broke.
        #[source]
        source: RedisError,
    },
    /// Redis refused the script or the script failed.
    #[error("Redis refused the script {script}")]
    Refused {
        /// The script.
        script: &'static str,
        /// Its words.
        #[source]
        source: RedisError,
    },
    /// What was written is on fewer replicas than REDIS_WAIT_REPLICAS, as far as could be told in REDIS_WAIT_TIMEOUT.
    #[error("what was written is on {reached} replicas, and REDIS_WAIT_REPLICAS asks for {wanted}")]
    Replicas {
        /// How many have it.
        reached: u32,
        /// How many should.
        wanted: u32,
    },
    /// The master changed after the write, or may have: nobody can tell whether the new one has it.
    #[error("the master may have changed since the write, and perhaps it was lost")]
    MasterChanged,
    /// Replicas could not be asked.
    #[error("cannot ask which replicas have what was written")]
    Wait(#[source] RedisError),
}

impl CallError {
    pub(super) fn unanswered(script: &Script, source: RedisError) -> Self {
        let script = script.name();
        Self::Unanswered { script, source }
    }

    pub(super) fn refused(script: &Script, source: RedisError) -> Self {
        let script = script.name();
        Self::Refused { script, source }
    }

    /// The boundary's error: the caller cannot know, and repeating the step is harmless.
    pub(crate) fn while_doing(self, doing: &'static str) -> StoreError {
        StoreError::Engine {
            doing,
            source: Arc::new(self),
        }
    }
}
