//! Certificates by ACME, from Pebble: issued by either challenge and looked at for real, kept, renewed, and what becomes of faults.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway::{AcmeArgs, AcmeChallenge, Config};
use rustls::pki_types::CertificateDer;
use service_runtime::Running;
use service_runtime::health::{Report, State};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

mod pebble;

use pebble::{PATIENCE, Pebble, Ports, Trust, connect, here};

const A: &str = "a.gateway.example";
const B: &str = "b.gateway.example";
const DAYS: Duration = Duration::from_secs(90 * 86_400);

/// What is the same from start to start.
struct Place {
    ports: Ports,
    trust: Trust,
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            ports: Ports::free(),
            trust: Trust::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    async fn pebble(&self, validity: Duration) -> Pebble {
        Pebble::start(self.ports, &self.trust, validity).await
    }

    fn config(&self, challenge: AcmeChallenge, names: &[&str]) -> Config {
        Config {
            listen: here(self.ports.tls),
            // Nobody is there: what needs identity-service is 503, and what is looked at here needs none.
            identity_url: "http://127.0.0.1:1".to_owned(),
            acme: AcmeArgs {
                acme_domains: names.iter().map(ToString::to_string).collect(),
                acme_accept_terms: true,
                acme_contact: vec!["operator@gateway.example".to_owned()],
                acme_dir: self.folder.path().join("acme"),
                acme_challenge: challenge,
                acme_http_listen: here(self.ports.http),
                acme_directory_url: self.ports.directory_url(),
                acme_ca_file: Some(self.trust.ca_file()),
            },
            ..Config::default()
        }
    }

    async fn gateway(&self, challenge: AcmeChallenge, names: &[&str]) -> Running {
        gateway::start(self.config(challenge, names)).await.unwrap()
    }

    /// A file of the authority's folder.
    fn kept(&self, name: &str) -> PathBuf {
        let around = std::fs::read_dir(self.folder.path().join("acme")).unwrap();
        let mut folders = around.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        folders.next().unwrap().join(name)
    }

    /// The certificate by which the gateway answers to this name; asks something over it.
    async fn shown(
        &self,
        name: &'static str,
        root: &CertificateDer<'static>,
    ) -> std::io::Result<CertificateDer<'static>> {
        let mut stream = connect(self.ports.tls, name, root.clone()).await?;
        let request = format!("GET /scim/v2/Users HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        Ok(stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned())
    }
}

async fn told(running: &Running, expected: impl Fn(&State) -> bool) {
    let mut reports = running.readiness().subscribe();
    let tells = |report: &Report| report.dependencies.get("certificate").is_some_and(&expected);
    let told = timeout(PATIENCE, reports.wait_for(tells)).await;
    assert!(told.is_ok(), "{:?}", running.readiness().report());
}

async fn is_in_order(running: &Running) {
    told(running, |state| *state == State::Ready).await;
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_certificate_for_several_names_is_issued_on_the_gateways_own_port_and_outlives_the_authority() {
    let place = Place::new();
    let pebble = place.pebble(DAYS).await;
    let running = place.gateway(AcmeChallenge::TlsAlpn01, &[A, B, A]).await;
    is_in_order(&running).await;
    let root = pebble.root().await;
    let certificate = place.shown(A, &root).await.unwrap();
    assert_eq!(place.shown(B, &root).await.unwrap(), certificate);
    place.shown("c.gateway.example", &root).await.unwrap_err();
    for name in ["account.json", "certificate.pem"] {
        assert_eq!(mode(&place.kept(name)), 0o600, "{name}");
    }
    // Another gateway keeps its hands off.
    let mut other = place.config(AcmeChallenge::TlsAlpn01, &[A]);
    other.listen = here(0);
    let error = gateway::start(other).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("another gateway uses it"), "{error}");

    assert!(running.stop(PATIENCE).await);
    drop(pebble);
    let running = place.gateway(AcmeChallenge::TlsAlpn01, &[A, B]).await;
    is_in_order(&running).await;
    assert_eq!(place.shown(A, &root).await.unwrap(), certificate);
}

#[tokio::test]
async fn a_name_is_proved_by_http_too_and_nothing_else_is_served_there() {
    let place = Place::new();
    let pebble = place.pebble(DAYS).await;
    let running = place.gateway(AcmeChallenge::Http01, &[A]).await;
    is_in_order(&running).await;
    place.shown(A, &pebble.root().await).await.unwrap();
    for path in ["/", "/scim/v2/Users", "/.well-known/acme-challenge/anything"] {
        let mut stream = TcpStream::connect(here(place.ports.http)).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nhost: {A}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.0 404 "), "{path}: {answer}");
    }
    assert!(running.stop(PATIENCE).await);
}

#[tokio::test]
async fn an_authority_that_is_away_is_asked_again_and_files_that_are_broken_are_told() {
    let place = Place::new();
    let running = place.gateway(AcmeChallenge::TlsAlpn01, &[A]).await;
    told(
        &running,
        |state| matches!(state, State::NotReady(reason) if reason.contains("cannot be asked")),
    )
    .await;
    connect(place.ports.tls, A, place.trust.authority()).await.unwrap_err();
    let pebble = place.pebble(DAYS).await;
    is_in_order(&running).await;
    assert!(running.stop(PATIENCE).await);

    // As a process leaves them that could not write to the end.
    for name in ["account.json", "certificate.pem"] {
        let text = std::fs::read_to_string(place.kept(name)).unwrap();
        std::fs::write(place.kept(name), &text[..text.len() / 2]).unwrap();
    }
    drop(pebble);
    let running = place.gateway(AcmeChallenge::TlsAlpn01, &[A]).await;
    told(
        &running,
        |state| matches!(state, State::NotReady(reason) if reason.contains("certificate.pem holds no certificate")),
    )
    .await;
    let pebble = place.pebble(DAYS).await;
    is_in_order(&running).await;
    place.shown(A, &pebble.root().await).await.unwrap();
    assert!(running.stop(PATIENCE).await);
}

#[tokio::test]
async fn a_new_name_needs_a_new_certificate_and_an_account_that_was_lost_is_made_anew() {
    let place = Place::new();
    let pebble = place.pebble(DAYS).await;
    let running = place.gateway(AcmeChallenge::TlsAlpn01, &[A]).await;
    is_in_order(&running).await;
    assert!(running.stop(PATIENCE).await);
    let account = std::fs::read_to_string(place.kept("account.json")).unwrap();
    drop(pebble);
    // One that knows nothing of the account.
    let pebble = place.pebble(DAYS).await;
    let root = pebble.root().await;
    let running = place.gateway(AcmeChallenge::TlsAlpn01, &[A, B]).await;
    let both = async {
        while place.shown(B, &root).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, both).await.unwrap();
    place.shown(A, &root).await.unwrap();
    assert_ne!(std::fs::read_to_string(place.kept("account.json")).unwrap(), account);
    is_in_order(&running).await;
}

#[tokio::test]
async fn what_the_authority_does_not_believe_is_told_with_its_words() {
    let place = Place::new();
    let _pebble = place.pebble(DAYS).await;
    let mut config = place.config(AcmeChallenge::TlsAlpn01, &[A]);
    // Not where the name leads.
    config.listen = here(0);
    let running = gateway::start(config).await.unwrap();
    let refused = |state: &State| matches!(state, State::NotReady(reason) if reason.contains("the authority refused: a.gateway.example: ") && reason.contains("refused"));
    told(&running, refused).await;
}

mod long {
    use super::*;

    #[tokio::test]
    async fn a_certificate_is_renewed_in_good_time_by_either_challenge() {
        for challenge in [AcmeChallenge::TlsAlpn01, AcmeChallenge::Http01] {
            let place = Place::new();
            let pebble = place.pebble(Duration::from_secs(21)).await;
            let running = place.gateway(challenge, &[A, B]).await;
            is_in_order(&running).await;
            let root = pebble.root().await;
            let mut last = place.shown(A, &root).await.unwrap();
            for _ in 0..2 {
                let renewed = async {
                    loop {
                        // It never shows one that has expired: this client would not take it.
                        let shown = place.shown(A, &root).await.unwrap();
                        if shown != last {
                            return shown;
                        }
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                };
                last = timeout(PATIENCE, renewed).await.unwrap();
                assert_eq!(place.shown(B, &root).await.unwrap(), last);
            }
            assert!(running.stop(PATIENCE).await);
        }
    }
}
