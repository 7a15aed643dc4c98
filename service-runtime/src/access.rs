//! Who may call a gRPC service, and what: each method states the right that it needs (`access/rights.rs`), and each caller is
//! known by a token or by its certificate, and has rights. Whoever listens where other machines can reach it must say who
//! may call; on loopback that is optional.
//!
//! A caller that sends a token is known by it alone. One that sends none is known by its certificate: by the name that the callers
//! file has for it, or, where there is neither callers file nor token, by its authority alone (`GRPC_CLIENT_CA_FILE`); such a caller
//! has all rights.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::tls::{Files, PeerCertificates};
use crate::{Dependency, Error};

mod callers;
mod certificate;
mod guard;
mod rights;
mod settings;
mod token;
mod watched;

use callers::{Callers, Known};
pub(crate) use guard::GuardLayer;
pub use rights::Right;
use rights::{Need, Needs, Rights};
use settings::given;
pub use settings::{GrpcArgs, GrpcCallArgs, GrpcServerArgs};
pub(crate) use token::SharedToken;
use token::{Digest, Presented};
use watched::Watched;

/// The name of whoever is known by what the services of a deployment share.
const DEPLOYMENT: &str = "deployment";
/// How often files are looked at for what has changed.
const LOOK: Duration = Duration::from_secs(1);

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
            tracing::warn!(reason = open, "callers over gRPC are not asked who they are");
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
