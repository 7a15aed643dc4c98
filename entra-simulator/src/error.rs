//! What can go wrong: for one object ([`Failure`], kept in the escrow and tried again) or for the whole run ([`Error`]).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Why a command or a cycle could not be carried out at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tenant URL or the Platform URL cannot be used.
    #[error("{url:?} is not a usable URL: {reason}")]
    BadUrl {
        /// The text that was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The bearer token cannot stand in a header.
    #[error("the bearer token holds characters that a header cannot carry")]
    BadToken,
    /// There is no bearer token.
    #[error("a bearer token is needed: give --token, --token-file, SCIM_TOKEN or SCIM_TOKEN_FILE")]
    MissingToken,
    /// A flag is missing that the way of signing in needs.
    #[error("{0} is needed for this way of signing in")]
    MissingFlag(&'static str),
    /// No HTTP client could be built.
    #[error("the HTTP client could not be set up")]
    HttpClient(#[source] reqwest::Error),
    /// R01 failed: the endpoint cannot be reached or does not answer the test query as it must.
    #[error("the connection test failed: {0}")]
    ConnectionTest(Failure),
    /// The endpoint refused the token; Entra quarantines the job at once.
    #[error("the job is in quarantine: the endpoint refused the bearer token (401)")]
    Quarantined,
    /// The object asked for is not in the directory.
    #[error("the directory has no {kind} that goes by the name {name:?} alone")]
    NoSuchObject {
        /// "user" or "group", or both.
        kind: &'static str,
        /// The name that was given.
        name: String,
    },
    /// On-demand provisioning was asked for more members than Entra allows.
    #[error("on-demand provisioning takes at most {limit} members of a group, and {asked} were chosen")]
    TooManyMembers {
        /// Entra's limit.
        limit: usize,
        /// How many were chosen.
        asked: usize,
    },
    /// SCIM or the Platform could not be read for the comparison.
    #[error("{system} could not be read: {failure}")]
    Unreadable {
        /// "SCIM" or "the Platform".
        system: &'static str,
        /// What happened.
        failure: Failure,
    },
    /// A file could not be read or written.
    #[error("{action} {path} failed")]
    File {
        /// "reading" or "writing".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The state file does not hold what this program writes.
    #[error("{path} is not a state file of this program")]
    StateFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

impl Error {
    /// Whether the caller asked for something that cannot be, rather than something going wrong.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::BadUrl { .. }
                | Self::BadToken
                | Self::MissingToken
                | Self::MissingFlag(_)
                | Self::NoSuchObject { .. }
                | Self::TooManyMembers { .. }
        )
    }
}

/// Why one request, and so one object, failed. The texts come from the endpoint or the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// 409: another object has the name.
    #[error("EntryConflict (409): {0}")]
    Conflict(String),
    /// 401: the token is not accepted.
    #[error("InvalidCredentials (401)")]
    Unauthorized,
    /// 404 where a resource was expected.
    #[error("InvalidAnchor (404): {0}")]
    NotFound(String),
    /// 429 or 5xx: worth another try later.
    #[error("status {status}: {detail}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// What the endpoint said.
        detail: String,
    },
    /// Any other status that is not a success.
    #[error("status {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the endpoint said.
        detail: String,
    },
    /// No answer within the client's patience; the write may have happened.
    #[error("no answer within the time limit")]
    Timeout,
    /// The connection broke or could not be made; the write may have happened.
    #[error("connection error: {0}")]
    Connection(String),
    /// The answer is not what SCIM prescribes.
    #[error("SystemForCrossDomainIdentityManagementServiceIncompatible: {0}")]
    Incompatible(String),
    /// More than one object fits; Entra touches none of them.
    #[error("DuplicateTargetEntries: {0} resources match")]
    DuplicateTarget(usize),
}

impl Failure {
    /// Whether the request may have been carried out although it failed.
    pub fn is_ambiguous(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Timeout | Self::Connection(_) | Self::Incompatible(_)
        )
    }
}
