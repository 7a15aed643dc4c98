//! Pebble, the authority that Let's Encrypt's people made for tests, with a name server of its own: it looks at every answer, as a
//! real one does. All of it ends with the test.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where everything is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// The gateway's own.
    pub(crate) tls: u16,
    /// The gateway's for HTTP-01.
    pub(crate) http: u16,
    directory: u16,
    management: u16,
    names: u16,
    names_management: u16,
}

impl Ports {
    pub(crate) fn free() -> Self {
        let held = [(); 6].map(|()| TcpListener::bind(here(0)).unwrap());
        let [tls, http, directory, management, names, names_management] =
            held.each_ref().map(|listener| listener.local_addr().unwrap().port());
        Self {
            tls,
            http,
            directory,
            management,
            names,
            names_management,
        }
    }

    pub(crate) fn directory_url(self) -> String {
        format!("https://localhost:{}/dir", self.directory)
    }
}

pub(crate) fn here(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A certificate for Pebble itself, by an authority that is not Pebble's.
pub(crate) struct Trust {
    folder: TempDir,
}

impl Trust {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&key, &authority).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("ca.pem", authority.pem()),
            ("cert.pem", server.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn authority(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.ca_file()).unwrap()
    }
}

pub(crate) struct Pebble {
    ports: Ports,
    ca_file: PathBuf,
    _processes: [Process; 2],
}

impl Pebble {
    /// Starts one whose certificates are valid for so long. It knows nothing of those before it.
    pub(crate) async fn start(ports: Ports, trust: &Trust, validity: Duration) -> Self {
        let folder = trust.folder.path();
        let config = json!({ "pebble": {
            "listenAddress": here(ports.directory).to_string(),
            "managementListenAddress": here(ports.management).to_string(),
            "certificate": folder.join("cert.pem"),
            "privateKey": folder.join("key.pem"),
            "httpPort": ports.http,
            "tlsPort": ports.tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": validity.as_secs(),
        }});
        let config_file = folder.join("pebble.json");
        std::fs::write(&config_file, config.to_string()).unwrap();
        let address = |port| here(port).to_string();
        let mut names = Command::new("pebble-challtestsrv");
        // Every name is this machine; it answers no challenge itself.
        names.args([
            "-dns01",
            &address(ports.names),
            "-management",
            &address(ports.names_management),
        ]);
        names.args([
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-defaultIPv4",
            "127.0.0.1",
            "-defaultIPv6",
            "",
        ]);
        let mut pebble = Command::new("pebble");
        pebble
            .arg("-strict")
            .arg("-config")
            .arg(&config_file)
            .args(["-dnsserver", &address(ports.names)]);
        // At full speed, and every name is looked at for every order.
        pebble.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
        let processes = [Process::start(names, folder), Process::start(pebble, folder)];
        for port in [ports.names, ports.directory, ports.management] {
            listens(port).await;
        }
        Self {
            ports,
            ca_file: trust.ca_file(),
            _processes: processes,
        }
    }

    /// The root of what it issues.
    pub(crate) async fn root(&self) -> CertificateDer<'static> {
        let ca = CertificateDer::from_pem_file(&self.ca_file).unwrap();
        let mut stream = connect(self.ports.management, "localhost", ca).await.unwrap();
        stream
            .write_all(b"GET /roots/0 HTTP/1.0\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .unwrap()
            .unwrap();
        CertificateDer::from_pem_slice(&answer).unwrap()
    }
}

/// A process that ends with the test.
struct Process(Child);

impl Process {
    fn start(mut command: Command, folder: &Path) -> Self {
        let program = command.get_program().to_owned();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .unwrap();
        let command = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{} (Debian's package pebble): {error}", program.display());
        });
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "a process of the test's was {:?}", self.0);
        }
    }
}

async fn listens(port: u16) {
    let connected = async {
        while TcpStream::connect(here(port)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, connected).await.expect("it listens");
}

/// A connection to somebody who must be of this name, by a certificate that leads to this root.
pub(crate) async fn connect(
    port: u16,
    name: &'static str,
    root: CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(here(port)).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name).unwrap(), stream)
        .await
}
