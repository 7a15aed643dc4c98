//! Who may call a gRPC service, and what: each method states the right that it needs (`access/rights.rs`), and each caller is
//! known by a token or by its certificate, and has rights. Whoever listens where other machines can reach it must say who
//! may call; on loopback that is optional.
//!
//! A caller that sends a token is known by it alone. One that sends none is known by its certificate, where the callers file
//! names it; where there is neither token nor callers file, every certificate of `GRPC_CLIENT_CA_FILE` has all rights.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::settings::parse_secret;
use crate::{Dependency, Error};

mod callers;
mod guard;
mod rights;
mod token;
mod watched;

use callers::Callers;
pub(crate) use guard::GuardLayer;
pub use rights::Right;
use rights::{Need, Needs, Rights};
use token::Presented;
pub(crate) use token::SharedToken;
use watched::Watched;

/// How often files are looked at for what has changed.
const LOOK: Duration = Duration::from_secs(1);

/// By what a service is known to others, whether it calls or is called.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GrpcArgs {
    /// Token that the services of a deployment show each other, of at least 32 characters; the same for all. Several, separated
    /// by commas: the first is sent, each is accepted.
    #[arg(long, env = "GRPC_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = parse_secret)]
    pub grpc_token: Option<SecretString>,
    /// File with that token, and with further ones that are accepted, one on each line; it is read anew when it changes, so that
    /// tokens can be rotated.
    #[arg(long, env = "GRPC_TOKEN_FILE", value_name = "FILE")]
    pub grpc_token_file: Option<PathBuf>,
}

/// How a service calls others by gRPC.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GrpcCallArgs {
    /// By what it is known to them.
    #[command(flatten)]
    pub own: GrpcArgs,
}

impl GrpcCallArgs {
    /// Whether the settings can be used.
    pub fn check(&self) -> Result<(), Error> {
        SharedToken::new(&self.own).map(drop)
    }
}

/// Who may call a service by gRPC.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GrpcServerArgs {
    /// File that names further callers, with their rights and how each is recognised, in TOML; see docs/operations.md. It is read
    /// anew when it changes.
    #[arg(long, env = "GRPC_CALLERS_FILE", value_name = "FILE")]
    pub grpc_callers_file: Option<PathBuf>,
    /// Serve whoever reaches the port, also from other machines, though nothing says who may call.
    #[arg(long, env = "GRPC_INSECURE", value_parser = clap::builder::FalseyValueParser::new())]
    pub grpc_insecure: bool,
}

/// What a service's contract says of its callers.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    /// The encoded descriptors, in which each method states its right.
    pub descriptors: &'static [u8],
    /// The status of a call by somebody unknown.
    pub caller_unknown: fn() -> Status,
    /// The status of a call by the caller named first, who lacks the right named second.
    pub right_missing: fn(&str, &str) -> Status,
}

/// Who may call one service. A clone is the same.
#[derive(Clone, Debug)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None` where nobody is asked who they are.
    door: Option<Door>,
    /// Why the operator should know that nobody is asked.
    open: Option<&'static str>,
}

#[derive(Debug)]
struct Door {
    needs: Needs,
    contract: Contract,
    token: Option<SharedToken>,
    callers: Option<Watched<Callers>>,
    refusals: Counter<u64>,
}

/// Whoever calls, once it is known; goes with the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(pub Arc<str>);

/// Why a call is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    Unknown,
    Lacks { caller: Arc<str>, right: Right },
}

impl Access {
    /// Nobody is asked who they are: for what serves its own process, or a test.
    pub fn open() -> Self {
        Self(Arc::new(Inner { door: None, open: None }))
    }

    /// What the settings say for a service that listens there. Files are read; what is wrong with them is an error now, and later
    /// changes nothing.
    pub fn new(listen: SocketAddr, own: &GrpcArgs, server: &GrpcServerArgs, contract: Contract) -> Result<Self, Error> {
        let token = SharedToken::new(own)?;
        let path = server.grpc_callers_file.as_deref().filter(|path| is_set(path));
        let callers = path
            .map(|path| Watched::open("GRPC_CALLERS_FILE", path, callers::read))
            .transpose()?;
        if token.is_some() || callers.is_some() {
            let refusals = crate::meter("service-runtime")
                .u64_counter("rpc.server.refused_calls")
                .with_description("Calls that were not served for who the caller is")
                .build();
            let door = Door {
                needs: Needs::read(contract.descriptors)?,
                contract,
                token,
                callers,
                refusals,
            };
            return Ok(Self(Arc::new(Inner {
                door: Some(door),
                open: None,
            })));
        }
        if listen.ip().to_canonical().is_loopback() {
            return Ok(Self::open());
        }
        if !server.grpc_insecure {
            let reason = format!(
                "{listen} can be reached from other machines, and nothing says who may call: set GRPC_TOKEN or GRPC_TOKEN_FILE \
                 (the same for all services), or GRPC_CALLERS_FILE. GRPC_INSECURE=true serves everybody all the same"
            );
            return Err(Error::setting("LISTEN", reason));
        }
        let open = Some("GRPC_INSECURE: whoever reaches the port may do everything");
        Ok(Self(Arc::new(Inner { door: None, open })))
    }

    /// Tells the operator what is to be told of the callers, and follows the files, until it is to stop.
    pub(crate) async fn follow(self, state: Dependency, stop: CancellationToken) {
        if let Some(open) = self.0.open {
            tracing::warn!("{open}");
            state.degraded(open);
            stop.cancelled().await;
            return;
        }
        loop {
            match self.fault() {
                Some(fault) => state.degraded(fault),
                None => state.ready(),
            }
            if tokio::time::timeout(LOOK, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Whether there is anything that readiness should tell.
    pub(crate) fn is_told(&self) -> bool {
        self.0.open.is_some() || self.0.door.is_some()
    }

    /// Looks at the files, and says what is wrong with them.
    fn fault(&self) -> Option<String> {
        let door = self.0.door.as_ref()?;
        let token = door.token.as_ref().and_then(SharedToken::fault);
        token.or_else(|| door.callers.as_ref().and_then(Watched::fault))
    }

    /// Whether a call may go in; `None` for the caller where nobody is asked.
    fn admit(&self, path: &str, headers: &HeaderMap, peer: Option<SocketAddr>) -> Result<Option<Caller>, Status> {
        let Some(door) = &self.0.door else {
            return Ok(None);
        };
        door.admit(path, headers).map(|name| name.map(Caller)).map_err(|refusal| {
            let peer = peer.map(tracing::field::display);
            let (reason, status) = match &refusal {
                Refusal::Unknown => {
                    tracing::warn!(peer, method = known(&door.needs, path), "a caller is not known; refused");
                    ("caller_unknown", (door.contract.caller_unknown)())
                }
                Refusal::Lacks { caller, right } => {
                    tracing::warn!(peer, method = path, caller = %caller, right = right.name(), "a caller lacks a right; refused");
                    ("right_missing", (door.contract.right_missing)(caller, right.name()))
                }
            };
            door.refusals.add(1, &[KeyValue::new("reason", reason)]);
            status
        })
    }
}

impl Door {
    fn admit(&self, path: &str, headers: &HeaderMap) -> Result<Option<Arc<str>>, Refusal> {
        let right = match self.needs.of(path) {
            Need::Nothing => return Ok(None),
            Need::Right(right) => right,
        };
        let (caller, rights) = self.recognise(headers).ok_or(Refusal::Unknown)?;
        match rights.contain(right) {
            true => Ok(Some(caller)),
            false => Err(Refusal::Lacks { caller, right }),
        }
    }

    fn recognise(&self, headers: &HeaderMap) -> Option<(Arc<str>, Rights)> {
        let Presented::Token(token) = token::bearer(headers) else {
            return None;
        };
        let digest = token::digest(token);
        if self.token.as_ref().is_some_and(|shared| shared.accepts(&digest)) {
            return Some((Arc::from("deployment"), Rights::ALL));
        }
        self.callers.as_ref()?.get().by_token(&digest)
    }
}

/// A method for the log: callers may ask for any name.
fn known<'a>(needs: &Needs, path: &'a str) -> &'a str {
    if needs.knows(path) { path } else { "unknown" }
}

/// An empty path is how deployment files say "not set".
fn is_set(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}
