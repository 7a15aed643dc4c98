//! TLS at real sockets: versions and suites, certificates that are replaced, expired or faulty, and clients that need one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rcgen::{CertificateParams, date_time_ymd};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, ProtocolVersion};
use service_runtime::health::{Report, State};
use service_runtime::tls::Files;
use service_runtime::{
    Access, Lifecycle, Listener, OpsArgs, PeerCertificates, Running, bind, grpc_routes, serve_grpc, serve_http,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::service::Routes;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

mod authority;

use authority::{Authority, Pair, connect};

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with the files of a server.
struct Folder {
    folder: TempDir,
    files: Files,
}

impl Folder {
    fn with(pair: &Pair, client_ca: Option<&Authority>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        pair.write(folder.path());
        let client_ca = client_ca.map(|authority| {
            let path = folder.path().join("clients.pem");
            std::fs::write(&path, authority.pem()).unwrap();
            path
        });
        let files = Files {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
            client_ca,
        };
        Self { folder, files }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

async fn listener(life: &Lifecycle, files: &Files) -> Listener {
    let tls = files.clone().serve(life, "certificate").unwrap();
    let tcp = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    Listener::from(tcp).with_tls(Some(tls))
}

/// A server that answers with the certificate of who asks.
async fn start(files: &Files) -> Running {
    let life = Lifecycle::start("test", &OpsArgs::default()).await.unwrap();
    let listener = listener(&life, files).await;
    let who = |request: axum::extract::Request| async move {
        let peer = request.extensions().get::<PeerCertificates>();
        peer.map_or_else(|| b"nobody".to_vec(), |peer| peer.0[0].to_vec())
    };
    serve_http(listener, Router::new().route("/", get(who)), life).unwrap()
}

/// The body of an answer to a request by HTTP/1.1.
async fn ask(addr: SocketAddr, config: ClientConfig) -> std::io::Result<Vec<u8>> {
    let mut stream = connect(addr, config).await?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    Ok(answer.split_off(head + 4))
}

async fn told(running: &Running, expected: impl Fn(&State) -> bool) {
    let mut reports = running.readiness().subscribe();
    let tells = |report: &Report| report.dependencies.get("certificate").is_some_and(&expected);
    timeout(PATIENCE, reports.wait_for(tells)).await.unwrap().unwrap();
}

fn is_degraded(state: &State, by: &str) -> bool {
    matches!(state, State::Degraded(reason) if reason.contains(by))
}

#[tokio::test]
async fn both_versions_are_spoken_with_the_suites_that_entra_lists() {
    let authority = Authority::new();
    let folder = Folder::with(&authority.certify("localhost"), None);
    let running = start(&folder.files).await;
    for (version, expected, suite) in [
        (
            &TLS12,
            ProtocolVersion::TLSv1_2,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ),
        (&TLS13, ProtocolVersion::TLSv1_3, CipherSuite::TLS13_AES_128_GCM_SHA256),
    ] {
        let mut config = authority.client(&[version], None);
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
        let stream = connect(running.addr, config.clone()).await.unwrap();
        let connection = stream.get_ref().1;
        assert_eq!(connection.protocol_version(), Some(expected));
        // Ours goes first, whatever the client's order.
        assert_eq!(connection.negotiated_cipher_suite().unwrap().suite(), suite);
        assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
        config.alpn_protocols.pop();
        assert_eq!(ask(running.addr, config.clone()).await.unwrap(), b"nobody");
        config.alpn_protocols.clear();
        assert_eq!(ask(running.addr, config.clone()).await.unwrap(), b"nobody");
        config.alpn_protocols = vec![b"smtp".to_vec()];
        connect(running.addr, config).await.unwrap_err();
    }
    told(&running, |state| *state == State::Ready).await;
    assert!(running.stop(PATIENCE).await);
}

#[tokio::test]
async fn who_speaks_no_tls_or_nothing_keeps_nobody_waiting() {
    let authority = Authority::new();
    let folder = Folder::with(&authority.certify("localhost"), None);
    let running = start(&folder.files).await;
    let silent = TcpStream::connect(running.addr).await.unwrap();
    let mut plain = TcpStream::connect(running.addr).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    // Reset or closed; never answered over a connection without TLS.
    let _ = timeout(PATIENCE, plain.read_to_end(&mut heard)).await.unwrap();
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    let config = || authority.client(&[&TLS13], None);
    let mut idle = connect(running.addr, config()).await.unwrap();
    assert_eq!(ask(running.addr, config()).await.unwrap(), b"nobody");
    // Neither the one that never began nor the one that never asked holds up the drain.
    assert!(running.stop(PATIENCE).await);
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    drop(silent);
}

#[tokio::test]
async fn certificates_are_replaced_while_the_server_runs_and_a_faulty_pair_changes_nothing() {
    let (before, after) = (Authority::new(), Authority::new());
    let folder = Folder::with(&before.certify("localhost"), None);
    let running = start(&folder.files).await;
    let old = || before.client(&[&TLS13], None);
    let new = || after.client(&[&TLS13], None);
    let mut open = connect(running.addr, old()).await.unwrap();

    // Half of the pair is there; then a key that is cut off.
    let pair = after.certify("localhost");
    std::fs::write(folder.path().join("cert.pem"), &pair.certificate).unwrap();
    told(&running, |state| is_degraded(state, "cert.pem with ")).await;
    ask(running.addr, old()).await.unwrap();
    std::fs::write(folder.path().join("key.pem"), &pair.key[..pair.key.len() / 2]).unwrap();
    told(&running, |state| {
        is_degraded(state, "key.pem cannot be used: it ends in the middle")
    })
    .await;
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    told(&running, |state| is_degraded(state, "No such file")).await;
    ask(running.addr, old()).await.unwrap();
    assert!(running.readiness().report().is_ready());

    pair.write(folder.path());
    told(&running, |state| *state == State::Ready).await;
    ask(running.addr, new()).await.unwrap();
    ask(running.addr, old()).await.unwrap_err();

    // Who was connected stays so.
    open.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("nobody"), "{answer}");
}

#[tokio::test]
async fn an_expired_certificate_is_told_and_still_served() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    let folder = Folder::with(&authority.certify_as(params, "localhost"), None);
    let running = start(&folder.files).await;
    told(&running, |state| is_degraded(state, "expired at 2021-01-01T00:00:00Z")).await;
    let refused = ask(running.addr, authority.client(&[&TLS13], None)).await.unwrap_err();
    assert!(refused.to_string().contains("expired"), "{refused}");
    authority.certify("localhost").write(folder.path());
    told(&running, |state| *state == State::Ready).await;
    ask(running.addr, authority.client(&[&TLS13], None)).await.unwrap();
}

#[tokio::test]
async fn files_that_cannot_be_used_keep_a_service_from_starting() {
    let authority = Authority::new();
    let life = Lifecycle::start("test", &OpsArgs::default()).await.unwrap();
    let folder = Folder::with(&authority.certify("localhost"), None);
    let says = |files: &Files, expected: &str| {
        let error = files.clone().serve(&life, "certificate").map(drop).unwrap_err();
        let text = service_runtime::Chain(&error).to_string();
        assert!(text.contains(expected) && files.check().is_err(), "{text}");
        assert!(!text.contains("BEGIN"), "{text}");
    };
    let other = authority.certify("localhost");
    let mut files = folder.files.clone();
    std::fs::write(folder.path().join("other.pem"), &other.key).unwrap();
    files.key = folder.path().join("other.pem");
    says(&files, "other.pem cannot be used: keys may not be consistent");
    files.key.clone_from(&files.certificate);
    says(&files, "there is nothing of that kind in it");
    files = folder.files.clone();
    files.certificate.clone_from(&files.key);
    says(&files, "there is no certificate in it");
    files.certificate = folder.path().join("none.pem");
    says(&files, "none.pem cannot be used: No such file");
    files = folder.files.clone();
    files.client_ca = Some(files.key.clone());
    says(&files, "there is no certificate in it");
}

#[tokio::test]
async fn a_client_without_a_certificate_of_the_right_authority_is_refused() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let folder = Folder::with(&authority.certify("localhost"), Some(&clients));
    let running = start(&folder.files).await;
    let (right, wrong) = (clients.certify("gateway"), authority.certify("gateway"));
    for version in [&TLS12, &TLS13] {
        let client = |own: Option<&Pair>| authority.client(&[version], own);
        let answer = ask(running.addr, client(Some(&right))).await.unwrap();
        assert_eq!(answer, right.der().as_ref(), "the handler sees whose certificate it is");
        // With TLS 1.3 a client learns of it when it reads.
        assert!(ask(running.addr, client(None)).await.is_err());
        assert!(ask(running.addr, client(Some(&wrong))).await.is_err());
    }
}

#[tokio::test]
async fn grpc_is_served_by_the_same_means() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let folder = Folder::with(&authority.certify("localhost"), Some(&clients));
    let life = Lifecycle::start("test", &OpsArgs::default()).await.unwrap();
    let listener = listener(&life, &folder.files).await;
    let descriptors = [tonic_health::pb::FILE_DESCRIPTOR_SET];
    let routes = grpc_routes(Routes::default(), &life.readiness, &descriptors).unwrap();
    let running = serve_grpc(listener, routes, Access::open(), life).unwrap();
    let call = async |own: Option<&Pair>| {
        let mut tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificate(Certificate::from_pem(authority.pem()));
        if let Some(own) = own {
            tls = tls.identity(Identity::from_pem(&own.certificate, &own.key));
        }
        let endpoint = Endpoint::from_shared(format!("https://{}", running.addr)).unwrap();
        let channel = endpoint.tls_config(tls).unwrap().connect_lazy();
        HealthClient::new(channel).check(HealthCheckRequest::default()).await
    };
    service_runtime::install_crypto_provider();
    call(Some(&clients.certify("gateway"))).await.unwrap();
    call(None).await.unwrap_err();
    call(Some(&authority.certify("gateway"))).await.unwrap_err();
}

mod long {
    use super::*;

    #[tokio::test]
    async fn a_handshake_that_does_not_come_to_its_end_is_given_up() {
        let authority = Authority::new();
        let folder = Folder::with(&authority.certify("localhost"), None);
        let running = start(&folder.files).await;
        let mut silent = TcpStream::connect(running.addr).await.unwrap();
        let mut trickling = TcpStream::connect(running.addr).await.unwrap();
        // The head of a handshake's record (RFC 8446 §5.1), whose rest never comes.
        trickling.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        for stream in [&mut silent, &mut trickling] {
            let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
            assert!(ended.is_ok(), "the connection is closed");
        }
    }
}
