//! Where the gateway meets the world: TLS, the proxies that stand before it, the networks that may call, and by which address
//! clients reach us. It looks at the connection and at heads of requests only; it must not know credentials, tenants or SCIM.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::uri::Authority;
use ipnet::IpNet;
use service_runtime::tls::Files;
use service_runtime::{Lifecycle, Tls};

use crate::error::Problem;
use crate::location::Base;
use crate::refusals::{self, Reason};
use crate::{Error, Gateway};

mod networks;
mod proxies;

use networks::{Networks, parse_network};
pub use proxies::ProxyHeaders;
use proxies::{Proxies, Reached};

/// How clients reach the gateway.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct EdgeArgs {
    /// File with the certificate (PEM) that clients are shown, and after it those that lead to its authority. With it and
    /// TLS_KEY_FILE the gateway speaks TLS, and nothing else. Both are looked at every two seconds, and a new pair is taken over.
    #[arg(long, env = "TLS_CERT_FILE", value_name = "FILE")]
    pub tls_cert_file: Option<PathBuf>,
    /// File with the key (PEM) of that certificate.
    #[arg(long, env = "TLS_KEY_FILE", value_name = "FILE")]
    pub tls_key_file: Option<PathBuf>,
    /// File with authorities (PEM), by one of which each client must have a certificate beside its credential. Entra has none; a
    /// proxy may.
    #[arg(long, env = "TLS_CLIENT_CA_FILE", value_name = "FILE")]
    pub tls_client_ca_file: Option<PathBuf>,
    /// Addresses or networks (CIDR) of the proxies before the gateway, separated by commas. Who else sends PROXY_HEADERS is not
    /// listened to.
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = parse_network)]
    pub trusted_proxies: Vec<IpNet>,
    /// By which headers those proxies tell whom they speak for: `x-forwarded` is X-Forwarded-For, -Proto, -Host and -Prefix,
    /// `forwarded` that of RFC 7239. The other kind is ignored, as it would come from the client.
    #[arg(long, env = "PROXY_HEADERS", value_enum, default_value_t)]
    pub proxy_headers: ProxyHeaders,
    /// Addresses or networks (CIDR) that may call, separated by commas; others are answered with 403. All may when absent. Does not
    /// concern OPS_LISTEN.
    #[arg(long, env = "ALLOWED_NETWORKS", value_name = "NETWORKS", value_delimiter = ',', value_parser = parse_network)]
    pub allowed_networks: Vec<IpNet>,
}

impl EdgeArgs {
    /// Whether there is a certificate in files.
    pub(crate) fn serves_tls(&self) -> bool {
        self.tls_cert_file.is_some()
    }

    /// Whether the settings fit together, and the files can be used.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
            let reason = "trusts everybody, whose word about addresses then counts; name the proxies";
            return Err(Error::setting("--trusted-proxies", reason));
        }
        match self.files()? {
            Some(files) => files.check().map_err(Error::Start),
            None => Ok(()),
        }
    }

    fn files(&self) -> Result<Option<Files>, Error> {
        let other = |setting, other| Error::setting(setting, format!("is given without {other}"));
        match (&self.tls_cert_file, &self.tls_key_file) {
            (Some(certificate), Some(key)) => Ok(Some(Files {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: self.tls_client_ca_file.clone(),
            })),
            (Some(_), None) => Err(other("--tls-cert-file", "--tls-key-file")),
            (None, Some(_)) => Err(other("--tls-key-file", "--tls-cert-file")),
            (None, None) if self.tls_client_ca_file.is_some() => {
                Err(other("--tls-client-ca-file", "--tls-cert-file and --tls-key-file"))
            }
            (None, None) => Ok(None),
        }
    }

    /// TLS as the settings have it; it lives as long as the service.
    pub(crate) fn tls(&self, lifecycle: &Lifecycle) -> Result<Option<Tls>, Error> {
        let files = self.files()?;
        let tls = files.map(|files| files.serve(lifecycle, "certificate")).transpose();
        tls.map_err(Error::Start)
    }
}

/// The settings in force.
pub(crate) struct Edge {
    public: Option<Base>,
    secure: bool,
    proxies: Proxies,
    allowed: Option<Networks>,
}

/// Who sends a request: the address behind the trusted proxies, or `None` where they do not tell a usable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client(pub(crate) Option<IpAddr>);

impl Edge {
    /// `secure` says whether clients reach us by TLS; `public` is the address that the settings name, if they name one.
    pub(crate) fn new(args: &EdgeArgs, secure: bool, public: Option<Base>) -> Self {
        Self {
            public,
            secure,
            proxies: Proxies::new(&args.trusted_proxies, args.proxy_headers),
            allowed: (!args.allowed_networks.is_empty()).then(|| Networks::new(&args.allowed_networks)),
        }
    }

    fn base(&self, request: &Request, reached: &Reached) -> Base {
        if let Some(public) = &self.public {
            return public.clone();
        }
        let own = || {
            let host = request.headers().get(HOST);
            let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
            request.uri().authority().cloned().or(host)
        };
        let host = reached.host.clone().or_else(own);
        Base::reached(reached.secure.unwrap_or(self.secure), host.as_ref(), &reached.prefix)
    }
}

/// Notes with each request who sends it, and by which address it came.
pub(crate) async fn mark(State(gateway): State<Arc<Gateway>>, mut request: Request) -> Request {
    let edge = &gateway.edge;
    let peer = request
        .extensions()
        .get()
        .map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
    let reached = edge.proxies.reached(peer, request.headers());
    let base = edge.base(&request, &reached);
    request.extensions_mut().insert(Client(reached.client));
    request.extensions_mut().insert(base);
    request
}

/// Refuses who may not call from where they are.
pub(crate) async fn admit(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let Some(allowed) = &gateway.edge.allowed else {
        return next.run(request).await;
    };
    let client = request.extensions().get().and_then(|Client(address)| *address);
    if client.is_some_and(|address| allowed.contain(address)) {
        return next.run(request).await;
    }
    refusals::count(Reason::Network);
    let detail = "SCIM may not be called from this network; the gateway's ALLOWED_NETWORKS lists those that may.";
    Problem::forbidden(detail).into_response()
}
