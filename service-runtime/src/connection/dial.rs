//! How a connection over TLS is opened: whom we trust, and by which certificate we are known ourselves. The files are read for
//! each connection, so that a new one takes what is there now; files that cannot be used leave those of before in force.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::access::GrpcCallArgs;
use crate::tls::provider;
use crate::{Chain, Error};

/// What gRPC is over TLS (RFC 9113 §3.2).
const PROTOCOL: &[u8] = b"h2";

/// One peer that is reached over TLS.
pub(super) struct Dial {
    host: String,
    port: u16,
    name: ServerName<'static>,
    call: GrpcCallArgs,
    /// What was read last, and could be used.
    config: Mutex<Arc<ClientConfig>>,
}

impl Dial {
    /// Reads the files, which must be usable.
    pub(super) fn new(host: &str, port: u16, call: &GrpcCallArgs) -> Result<Self, Error> {
        let host = host.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::setting(host, "is no name that a certificate could have"))?;
        Ok(Self {
            host: host.to_owned(),
            port,
            name,
            call: call.clone(),
            config: Mutex::new(Arc::new(read(call)?)),
        })
    }

    /// Opens a connection.
    pub(super) async fn open(self: Arc<Self>) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(self.config());
        let stream = connector.connect(self.name.clone(), stream).await?;
        match stream.get_ref().1.alpn_protocol() {
            Some(PROTOCOL) => Ok(TokioIo::new(stream)),
            _ => Err(io::Error::other("the peer does not speak HTTP/2 over TLS")),
        }
    }

    fn config(&self) -> Arc<ClientConfig> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        match read(&self.call) {
            Ok(read) => *config = Arc::new(read),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the certificates for calls cannot be used; those of before stay in force");
            }
        }
        Arc::clone(&config)
    }
}

/// The settings of a client as the files have them.
pub(super) fn read(call: &GrpcCallArgs) -> Result<ClientConfig, Error> {
    let unusable = |source: rustls::Error| Error::tls("the certificate for calls", source);
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots(call.ca())?);
    let mut config = match call.own.pair()? {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|_| unreadable(key, "there is no key in it"))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, key)
                .map_err(unusable)?
        }
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

/// Whom we trust: the authorities of a file, or else those that the system knows.
fn roots(file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        // The system's may have some that nobody can use.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|source| Error::tls(file.display().to_string(), source))?;
    }
    Ok(roots)
}

/// At least one certificate.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        // What the parser says may quote what it read, which may be a key.
        _ => Err(unreadable(file, "there is no certificate in it")),
    }
}

/// Why a file is of no use. That it cannot be opened at all is told in the system's words.
fn unreadable(file: &Path, otherwise: &'static str) -> Error {
    let what = file.display().to_string();
    match std::fs::File::open(file) {
        Err(source) => Error::tls(what, source),
        Ok(_) => Error::tls(what, otherwise),
    }
}
