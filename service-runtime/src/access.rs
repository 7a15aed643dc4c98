//! Who may call a gRPC service, and what: each method states the right that it needs (`access/rights.rs`), and each caller is
//! known by a token or by its certificate, and has rights. Whoever listens where other machines can reach it must say who
//! may call; on loopback that is optional.
//!
//! A caller that sends a token is known by it alone. One that sends none is known by its certificate: by the name that the callers
//! file has for it, or, where there is neither callers file nor token, by its authority alone (`GRPC_CLIENT_CA_FILE`); such a caller
//! has all rights.

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
use crate::tls::{Files, PeerCertificates, Tls};
use crate::{Dependency, Error, Lifecycle};

mod callers;
mod certificate;
mod guard;
mod rights;
mod token;
mod watched;

use callers::{Callers, Known};
pub(crate) use guard::GuardLayer;
pub use rights::Right;
use rights::{Need, Needs, Rights};
pub(crate) use token::SharedToken;
use token::{Digest, Presented};
use watched::Watched;

/// The name of whoever is known by what the services of a deployment share.
const DEPLOYMENT: &str = "deployment";
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
    /// File with our certificate (PEM), and after it those that lead to its authority: a service that listens has TLS by it, and
    /// who is called over TLS is shown it. Read anew when it changes, with its key.
    #[arg(long, env = "GRPC_CERT_FILE", value_name = "FILE")]
    pub grpc_cert_file: Option<PathBuf>,
    /// File with the key of that certificate (PEM).
    #[arg(long, env = "GRPC_KEY_FILE", value_name = "FILE")]
    pub grpc_key_file: Option<PathBuf>,
}

impl GrpcArgs {
    /// Whether a service with these settings that listens does so with TLS.
    pub fn has_certificate(&self) -> bool {
        given(self.grpc_cert_file.as_ref()).is_some()
    }

    /// The files of our certificate and its key, if there are any.
    pub(crate) fn pair(&self) -> Result<Option<(&Path, &Path)>, Error> {
        match (given(self.grpc_cert_file.as_ref()), given(self.grpc_key_file.as_ref())) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            _ => Err(Error::setting(
                "GRPC_CERT_FILE",
                "goes with GRPC_KEY_FILE; one of them is not set",
            )),
        }
    }
}

/// How a service calls others by gRPC.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GrpcCallArgs {
    /// By what it is known to them.
    #[command(flatten)]
    pub own: GrpcArgs,
    /// File with the authorities (PEM) that vouch for those we call by https; those of the system when absent.
    #[arg(long, env = "GRPC_CA_FILE", value_name = "FILE")]
    pub grpc_ca_file: Option<PathBuf>,
}

impl GrpcCallArgs {
    /// Whether the settings can be used.
    pub fn check(&self) -> Result<(), Error> {
        SharedToken::new(&self.own)?;
        match (self.ca(), self.own.pair()?) {
            (None, None) => Ok(()),
            _ => crate::connection::check(self),
        }
    }

    pub(crate) fn ca(&self) -> Option<&Path> {
        given(self.grpc_ca_file.as_ref())
    }
}

/// Who may call a service by gRPC.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GrpcServerArgs {
    /// File that names further callers, with their rights and how each is recognised, in TOML; see docs/operations.md. It is read
    /// anew when it changes.
    #[arg(long, env = "GRPC_CALLERS_FILE", value_name = "FILE")]
    pub grpc_callers_file: Option<PathBuf>,
    /// File with the authorities (PEM) by one of which each caller's certificate must be. Needs GRPC_CERT_FILE, since only TLS shows
    /// certificates; without it nobody is asked for one.
    #[arg(long, env = "GRPC_CLIENT_CA_FILE", value_name = "FILE")]
    pub grpc_client_ca_file: Option<PathBuf>,
    /// Serve whoever reaches the port, also from other machines, though nothing says who may call.
    #[arg(long, env = "GRPC_INSECURE", value_parser = clap::builder::FalseyValueParser::new())]
    pub grpc_insecure: bool,
}

impl GrpcServerArgs {
    /// TLS for a service that listens, if its settings ask for it; it lives as long as the service.
    pub fn tls(&self, own: &GrpcArgs, lifecycle: &Lifecycle) -> Result<Option<Tls>, Error> {
        let files = self.files(own)?;
        files
            .map(|files| files.serve(lifecycle, "grpc certificate"))
            .transpose()
    }

    fn files(&self, own: &GrpcArgs) -> Result<Option<Files>, Error> {
        let client_ca = given(self.grpc_client_ca_file.as_ref()).map(Path::to_owned);
        match own.pair()? {
            Some((certificate, key)) => Ok(Some(Files {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
                client_ca,
            })),
            None if client_ca.is_some() => Err(Error::setting(
                "GRPC_CLIENT_CA_FILE",
                "needs GRPC_CERT_FILE and GRPC_KEY_FILE: without TLS no caller shows a certificate",
            )),
            None => Ok(None),
        }
    }
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
        let files = server.files(own)?;
        files.as_ref().map(Files::check).transpose()?;
        let by_certificate = files.is_some_and(|files| files.client_ca.is_some());
        let callers = given(server.grpc_callers_file.as_ref())
            .map(|path| Watched::open("GRPC_CALLERS_FILE", path, callers::read))
            .transpose()?;
        if token.is_some() || callers.is_some() || by_certificate {
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
                 (the same for all services), GRPC_CALLERS_FILE, or GRPC_CLIENT_CA_FILE. GRPC_INSECURE=true serves everybody all the same"
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
    fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        certificates: Option<&PeerCertificates>,
        peer: Option<SocketAddr>,
    ) -> Result<Option<Caller>, Status> {
        let Some(door) = &self.0.door else {
            return Ok(None);
        };
        door.admit(path, headers, certificates).map(|name| name.map(Caller)).map_err(|refusal| {
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
    fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        certificates: Option<&PeerCertificates>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let right = match self.needs.of(path) {
            Need::Nothing => return Ok(None),
            Need::Right(right) => right,
        };
        let (caller, rights) = self.recognise(headers, certificates).ok_or(Refusal::Unknown)?;
        match rights.contain(right) {
            true => Ok(Some(caller)),
            false => Err(Refusal::Lacks { caller, right }),
        }
    }

    fn recognise(&self, headers: &HeaderMap, certificates: Option<&PeerCertificates>) -> Option<Known> {
        match token::bearer(headers) {
            Presented::Token(token) => self.by_token(&token::digest(token)),
            Presented::Nothing => self.by_certificate(certificates?),
            Presented::Unusable => None,
        }
    }

    fn by_token(&self, digest: &Digest) -> Option<Known> {
        if self.token.as_ref().is_some_and(|shared| shared.accepts(digest)) {
            return Some((Arc::from(DEPLOYMENT), Rights::ALL));
        }
        self.callers.as_ref()?.get().by_token(digest)
    }

    fn by_certificate(&self, certificates: &PeerCertificates) -> Option<Known> {
        match &self.callers {
            Some(callers) => {
                let callers = callers.get();
                let names = certificate::names(certificates.0.first()?);
                names.iter().find_map(|name| callers.by_certificate(name))
            }
            // Nothing else says who may call than who certifies.
            None if self.token.is_none() => Some((Arc::from(DEPLOYMENT), Rights::ALL)),
            None => None,
        }
    }
}

/// A method for the log: callers may ask for any name.
fn known<'a>(needs: &Needs, path: &'a str) -> &'a str {
    if needs.knows(path) { path } else { "unknown" }
}

/// An empty path is how deployment files say "not set".
fn given(path: Option<&PathBuf>) -> Option<&Path> {
    path.map(PathBuf::as_path).filter(|path| !path.as_os_str().is_empty())
}
