//! The server's side of TLS: which versions and suites are offered, and by which certificate a connection is answered. A
//! [`Tls`] is given to a [`crate::Listener`]; where its certificates come from is the affair of a [`Choose`]:
//! [`Files`] reads them from files and follows these. Knows neither HTTP nor gRPC but for the names of their protocols.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, danger::ClientCertVerifier};
use rustls::{ServerConfig, SupportedCipherSuite};

use crate::Error;

mod files;
mod state;
mod validity;

pub use files::Files;
pub use state::State;
pub use validity::{Invalid, Validity};

/// The protocols that a server of ours speaks, the better one first (RFC 7301, RFC 9113 §3.2).
pub(crate) const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS for a listener. A clone is the same.
#[derive(Clone)]
pub struct Tls(Arc<dyn Choose>);

/// Chooses how a handshake is answered, by what the client said first. Asked for each connection, and must not block.
pub trait Choose: Send + Sync + 'static {
    /// The settings for this client; `None` ends the connection.
    fn choose(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>>;
}

/// The certificates by which the client of a connection showed who it is, its own first: an extension of each request that
/// came over such a connection. They were checked against the authorities that the listener trusts.
#[derive(Clone, Debug)]
pub struct PeerCertificates(pub Arc<[CertificateDer<'static>]>);

impl Tls {
    /// TLS that is answered as `choose` says.
    pub fn new(choose: impl Choose) -> Self {
        Self(Arc::new(choose))
    }

    pub(crate) fn choose(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        self.0.choose(hello)
    }
}

/// The settings of a server whose certificates `certificates` finds: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, sessions resumed by
/// tickets that no other settings can read. With `clients`, a client needs a certificate too.
pub fn server_config(
    certificates: Arc<dyn ResolvesServerCert>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, Error> {
    let unusable = |source: rustls::Error| Error::tls("the crypto provider", source);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(unusable)?
        .with_client_cert_verifier(clients.unwrap_or_else(|| Arc::new(NoClientAuth)));
    let mut config = builder.with_cert_resolver(certificates);
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    config.ignore_client_order = true;
    config.ticketer = ring::Ticketer::new().map_err(unusable)?;
    Ok(config)
}

/// What this process signs and encrypts by as a server: ring, with the suites in the order in which Entra lists those of TLS 1.2.
/// Its list goes on with suites of CBC, which nothing here offers: the ones at its head suffice.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use ring::cipher_suite as s;
    const SUITES: [SupportedCipherSuite; 9] = [
        s::TLS13_AES_128_GCM_SHA256,
        s::TLS13_AES_256_GCM_SHA384,
        s::TLS13_CHACHA20_POLY1305_SHA256,
        s::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        s::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        s::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        s::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        s::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        s::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    const GROUPS: [&dyn SupportedKxGroup; 3] = [
        ring::kx_group::X25519,
        ring::kx_group::SECP256R1,
        ring::kx_group::SECP384R1,
    ];
    Arc::new(CryptoProvider {
        cipher_suites: SUITES.to_vec(),
        kx_groups: GROUPS.to_vec(),
        ..ring::default_provider()
    })
}
