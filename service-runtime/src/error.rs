//! What can go wrong while a service starts, runs or is asked how it is. Each variant names what was being tried; the
//! cause hangs behind it as `source`, and [`Chain`] prints the whole.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An error of the parts that all services share.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used. The text names the setting and never contains a secret.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting, as the operator writes it.
        setting: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A secret's file cannot be read.
    #[error("{setting}: cannot read {path}", path = .path.display())]
    SecretFile {
        /// The setting that named the file.
        setting: String,
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        source: io::Error,
    },
    /// A certificate, its key or the authorities of client certificates cannot be used.
    #[error("TLS: {what} cannot be used")]
    Tls {
        /// Which file or part it is.
        what: String,
        /// Why it cannot be used; never a part of a key.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The file of tenants cannot be read.
    #[error("TENANTS_FILE: cannot read {path}", path = .path.display())]
    TenantsFile {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        source: io::Error,
    },
    /// A tenant of the file cannot be served by its settings.
    #[error("TENANTS_FILE: tenants.{tenant}")]
    Tenant {
        /// Its name.
        tenant: String,
        /// Which setting, and what is wrong.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Bind {
        /// The address that was asked for.
        addr: SocketAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The address of another service is not a URI that can be called.
    #[error("{uri:?} is not an address that can be called; expected http://host:port or https://host:port")]
    Address {
        /// The text that was given.
        uri: String,
        /// What the parser said.
        #[source]
        source: tonic::transport::Error,
    },
    /// Logs, traces and metrics are set up once in a process.
    #[error("telemetry is already set up in this process")]
    TelemetryTwice,
    /// The OTLP exporter cannot be built.
    #[error("cannot export telemetry to {endpoint}")]
    Exporter {
        /// The collector's address.
        endpoint: String,
        /// What the exporter said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The metric reader cannot be built.
    #[error("cannot collect metrics")]
    Metrics(#[source] Box<dyn StdError + Send + Sync>),
    /// Descriptors given for reflection are not a file descriptor set.
    #[error("the gRPC descriptors cannot be served")]
    Descriptors(#[source] Box<dyn StdError + Send + Sync>),
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] io::Error),
    /// The asynchronous runtime did not start.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    /// A command was ended before it was done.
    #[error("ended by {0} before it was done")]
    Interrupted(&'static str),
    /// A server or a task that must run until it is told to stop has ended.
    #[error("{0}")]
    Ended(String),
    /// A health check found no answer.
    #[error("no answer from {addr}")]
    NoAnswer {
        /// The listener that was asked.
        addr: SocketAddr,
        /// What happened instead.
        #[source]
        source: io::Error,
    },
    /// A health check found a service that is not ready.
    #[error("{addr} is not ready: {answer}")]
    NotReady {
        /// The listener that was asked.
        addr: SocketAddr,
        /// Its status line.
        answer: String,
    },
}

impl Error {
    /// An error about something that TLS needs.
    pub fn tls(what: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Tls {
            what: what.into(),
            source: source.into(),
        }
    }

    /// An error about one tenant of the file.
    pub fn tenant(tenant: &str, source: impl StdError + Send + Sync + 'static) -> Self {
        Self::Tenant {
            tenant: tenant.to_owned(),
            source: source.into(),
        }
    }

    /// An error about one setting.
    pub fn setting(setting: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Setting {
            setting: setting.into(),
            reason: reason.into(),
        }
    }
}

/// Prints an error with all its causes, `outer: middle: inner`.
pub struct Chain<'a>(pub &'a dyn StdError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = Error::Bind {
            addr: SocketAddr::from(([127, 0, 0, 1], 80)),
            source: io::Error::new(io::ErrorKind::PermissionDenied, "not yours"),
        };
        assert_eq!(Chain(&error).to_string(), "cannot listen on 127.0.0.1:80: not yours");
    }
}
