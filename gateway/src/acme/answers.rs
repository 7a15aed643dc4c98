//! What the authority is answered when it looks whether a name is ours. There is an answer only while an order is under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use service_runtime::tls::server_config;

/// The protocol of a handshake that proves a name (RFC 8737 §4).
pub(super) const PROTOCOL: &[u8] = b"acme-tls/1";

/// The answers that wait for the authority.
#[derive(Default)]
pub(super) struct Answers {
    /// Of TLS-ALPN-01, by name.
    handshakes: Mutex<HashMap<String, Arc<ServerConfig>>>,
    /// Of HTTP-01, by token.
    files: Mutex<HashMap<String, String>>,
}

/// Why there can be no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("a certificate for the challenge cannot be made")]
    Made(#[source] rcgen::Error),
    #[error("the key for the challenge cannot be used")]
    Used(#[source] rustls::Error),
    #[error(transparent)]
    Config(service_runtime::Error),
}

impl Answers {
    /// Answers a handshake for this name (RFC 8737 §3): by a certificate that holds the digest of the key authorization.
    pub(super) fn by_handshake(&self, name: &str, digest: &[u8]) -> Result<(), Error> {
        let mut params = CertificateParams::new([name.to_owned()]).map_err(Error::Made)?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate().map_err(Error::Made)?;
        let certificate = params.self_signed(&key).map_err(Error::Made)?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(Error::Used)?;
        // Not compared with its key: that would read the certificate as a client's, for whom its extension is one too many.
        let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
        let mut config = server_config(Arc::new(SingleCertAndKey::from(certified)), None).map_err(Error::Config)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        lock(&self.handshakes).insert(name.to_ascii_lowercase(), Arc::new(config));
        Ok(())
    }

    /// Answers HTTP with the key authorization of this token (RFC 8555 §8.3).
    pub(super) fn by_file(&self, token: &str, key_authorization: &str) {
        lock(&self.files).insert(token.to_owned(), key_authorization.to_owned());
    }

    /// The answer to a handshake for this name.
    pub(super) fn to_handshake(&self, name: &str) -> Option<Arc<ServerConfig>> {
        lock(&self.handshakes).get(&name.to_ascii_lowercase()).cloned()
    }

    /// The order has come to its end.
    pub(super) fn forget(&self) {
        lock(&self.handshakes).clear();
        lock(&self.files).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is served for HTTP-01.
pub(super) fn router(answers: Arc<Answers>) -> Router {
    let file = |State(answers): State<Arc<Answers>>, Path(token): Path<String>| async move {
        lock(&answers.files).get(&token).cloned().ok_or(StatusCode::NOT_FOUND)
    };
    Router::new()
        .route("/.well-known/acme-challenge/{token}", get(file))
        .with_state(answers)
}
