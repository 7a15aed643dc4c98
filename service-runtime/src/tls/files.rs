//! Certificates from files, followed while the service runs: who renews them writes the files, and restarts nothing. Their
//! contents are compared, not their times, so that it does not matter how they are replaced. Files that do not fit together, as
//! between the writing of the certificate and that of its key, change nothing: what was good stays in force, and readiness says why.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::{Choose, State, Tls, Validity, provider, server_config};
use crate::{Chain, Error, Lifecycle};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// No certificate with its chain is longer, nor a bundle of authorities; a larger file is the wrong file.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The files that a server's TLS is made of, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The server's certificate, and after it those that lead to its authority.
    pub certificate: PathBuf,
    /// The key of that certificate.
    pub key: PathBuf,
    /// The authorities by one of which each client's certificate must be; without, clients need none.
    pub client_ca: Option<PathBuf>,
}

impl Files {
    /// Reads the files, which must fit together, and follows them as long as the service lives. `dependency` names what
    /// readiness tells of them: degraded, while the files cannot be used or the certificate is not valid.
    pub fn serve(self, lifecycle: &Lifecycle, dependency: &str) -> Result<Tls, Error> {
        let contents = self.read()?;
        let loaded = Loaded::from(&self, &contents)?;
        let (current, followed) = watch::channel(Arc::clone(&loaded.config));
        let mut follower = Follower {
            state: State::new(&lifecycle.readiness, dependency),
            validity: loaded.validity,
            files: self,
            seen: contents,
            fault: None,
            current,
        };
        follower.tell(None);
        lifecycle.tasks.spawn("certificate files", |stop| follower.run(stop));
        Ok(Tls::new(Followed(followed)))
    }

    /// Whether the files can be read and fit together.
    pub fn check(&self) -> Result<(), Error> {
        Loaded::from(self, &self.read()?).map(drop)
    }

    fn read(&self) -> Result<Contents, Error> {
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_ca: self.client_ca.as_deref().map(read).transpose()?,
        })
    }
}

/// What stands in the files. It holds a key: not to be printed.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |source: io::Error| Error::tls(path.display().to_string(), source);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match bytes.len() as u64 > MAX_FILE_BYTES {
        true => Err(Error::tls(path.display().to_string(), "the file is larger than 4 MiB")),
        false => Ok(bytes),
    }
}

/// The files as a server uses them.
struct Loaded {
    config: Arc<ServerConfig>,
    validity: Validity,
}

impl Loaded {
    fn from(files: &Files, contents: &Contents) -> Result<Self, Error> {
        let chain = certificates(&files.certificate, &contents.certificate)?;
        let validity = Validity::of(&chain[0])?;
        let named = |path: &Path| path.display().to_string();
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|error| Error::tls(named(&files.key), without_contents(&error)))?;
        let both = || format!("{} with {}", named(&files.certificate), named(&files.key));
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|source| Error::tls(both(), source))?;
        let clients = files.client_ca.as_deref().zip(contents.client_ca.as_deref());
        let clients = clients.map(|(path, pem)| verifier(path, pem)).transpose()?;
        let config = server_config(Arc::new(SingleCertAndKey::from(certified)), clients)?;
        Ok(Self {
            config: Arc::new(config),
            validity,
        })
    }
}

/// At least one certificate.
fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unusable = |reason: String| Error::tls(path.display().to_string(), reason);
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.map_err(|error| unusable(without_contents(&error)))?;
    match certificates.is_empty() {
        true => Err(unusable("there is no certificate in it".to_owned())),
        false => Ok(certificates),
    }
}

fn verifier(path: &Path, pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let unusable = |reason: String| Error::tls(path.display().to_string(), reason);
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        authorities
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider());
    let verifier = builder.build().map_err(|error| unusable(error.to_string()))?;
    Ok(verifier)
}

/// Some of these errors quote what they could not read, which may be a part of a key.
fn without_contents(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "there is nothing of that kind in it",
        pem::Error::MissingSectionEnd { .. } => "it ends in the middle",
        pem::Error::Base64Decode(_) => "it is not in base64",
        _ => "it is not PEM",
    }
    .to_owned()
}

/// The settings in force.
struct Followed(watch::Receiver<Arc<ServerConfig>>);

impl Choose for Followed {
    fn choose(&self, _hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        Some(Arc::clone(&self.0.borrow()))
    }
}

/// Looks at the files from time to time.
struct Follower {
    files: Files,
    current: watch::Sender<Arc<ServerConfig>>,
    /// Of the certificate in force.
    validity: Validity,
    /// What was read last, in force or not.
    seen: Contents,
    /// Why that is not in force.
    fault: Option<String>,
    state: State,
}

impl Follower {
    async fn run(mut self, stop: CancellationToken) {
        let mut looks = interval(EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            let files = self.files.clone();
            // A file system may be slow.
            let Ok(read) = tokio::task::spawn_blocking(move || files.read()).await else {
                continue;
            };
            let unread = match read {
                Ok(contents) => {
                    self.take(contents);
                    None
                }
                Err(error) => Some(Chain(&error).to_string()),
            };
            self.tell(unread);
        }
    }

    fn take(&mut self, contents: Contents) {
        if contents == self.seen {
            return;
        }
        self.fault = match Loaded::from(&self.files, &contents) {
            Ok(loaded) => {
                self.current.send_replace(loaded.config);
                self.validity = loaded.validity;
                tracing::info!(certificate = %self.files.certificate.display(), not_after = %self.validity.not_after, "the certificate was replaced");
                None
            }
            Err(error) => Some(Chain(&error).to_string()),
        };
        self.seen = contents;
    }

    fn tell(&mut self, unread: Option<String>) {
        let kept = unread.or_else(|| self.fault.clone());
        let kept = kept.map(|fault| format!("the certificate of before is kept: {fault}"));
        self.state.tell(kept, Some(self.validity), Timestamp::now());
    }
}
