//! How clients reach the gateway: over TLS, through proxies, and from which networks.

use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use service_runtime::Running;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::client::{Ask, ask};
use super::{config, start};
use crate::{EdgeArgs, ProxyHeaders};

async fn gateway(edge: EdgeArgs) -> Running {
    let mut config = config();
    config.edge = edge;
    start(config).await
}

fn networks(texts: &[&str]) -> Vec<ipnet::IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// By which address the gateway is known to who asks.
async fn location(asked: Ask<'_>, running: &Running) -> String {
    let body = asked.of(running).await.json();
    let location = body["meta"]["location"].as_str().unwrap();
    location.strip_suffix("/ServiceProviderConfig").unwrap().to_owned()
}

const LINE: &str = "GET /scim/v2/ServiceProviderConfig";

#[tokio::test]
async fn over_tls_addresses_begin_with_https() {
    let folder = tempfile::tempdir().unwrap();
    let made = generate_simple_self_signed(["gw.example".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let running = gateway(EdgeArgs {
        tls_cert_file: file("cert.pem", made.cert.pem()),
        tls_key_file: file("key.pem", made.signing_key.serialize_pem()),
        ..EdgeArgs::default()
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    service_runtime::install_crypto_provider();
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(running.addr).await.unwrap();
    let name = ServerName::try_from("gw.example").unwrap();
    let stream = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
        .unwrap();
    let answer = ask(LINE).over(stream).await.json();
    let location = answer["meta"]["location"].as_str().unwrap();
    assert_eq!(location, "https://gw.example/scim/v2/ServiceProviderConfig");
    let report = running.readiness().report();
    assert!(report.dependencies.contains_key("certificate"), "{report:?}");
}

#[tokio::test]
async fn only_trusted_proxies_say_how_a_client_came() {
    let told = || {
        ask(LINE)
            .with("X-Forwarded-For", "203.0.113.9")
            .with("X-Forwarded-Proto", "https")
            .with("X-Forwarded-Host", "scim.example.com")
            .with("X-Forwarded-Prefix", "/idp")
            .with("Forwarded", "for=203.0.113.8;proto=https;host=other.example")
    };
    let stranger = gateway(EdgeArgs::default()).await;
    assert_eq!(location(told(), &stranger).await, "http://gw.example/scim/v2");
    let trusted_proxies = networks(&["127.0.0.0/8"]);
    let proxy = gateway(EdgeArgs {
        trusted_proxies: trusted_proxies.clone(),
        ..EdgeArgs::default()
    })
    .await;
    assert_eq!(location(told(), &proxy).await, "https://scim.example.com/idp/scim/v2");
    let by_rfc = gateway(EdgeArgs {
        trusted_proxies,
        proxy_headers: ProxyHeaders::Forwarded,
        ..EdgeArgs::default()
    })
    .await;
    assert_eq!(location(told(), &by_rfc).await, "https://other.example/scim/v2");
}

#[tokio::test]
async fn the_setting_goes_before_what_proxies_say() {
    let mut config = config();
    config.edge.trusted_proxies = networks(&["127.0.0.1/32"]);
    config.scim.public_url = Some("https://set.example/t".to_owned());
    let running = start(config).await;
    let told = ask(LINE).with("X-Forwarded-Host", "scim.example.com");
    assert_eq!(location(told, &running).await, "https://set.example/t/scim/v2");
}

#[tokio::test]
async fn who_is_in_no_allowed_network_is_refused_before_the_credential_is_looked_at() {
    let elsewhere = gateway(EdgeArgs {
        allowed_networks: networks(&["203.0.113.0/24"]),
        ..EdgeArgs::default()
    })
    .await;
    for asked in [
        ask(LINE),
        ask(LINE).without("Authorization"),
        ask("GET /"),
        // Nobody listens to it.
        ask(LINE).with("X-Forwarded-For", "203.0.113.9"),
    ] {
        let (_, detail) = asked.of(&elsewhere).await.error(403);
        assert!(detail.contains("ALLOWED_NETWORKS"), "{detail}");
    }
    let through_proxy = gateway(EdgeArgs {
        trusted_proxies: networks(&["127.0.0.1/32"]),
        allowed_networks: networks(&["203.0.113.0/24"]),
        ..EdgeArgs::default()
    })
    .await;
    let from = |address: &'static str| ask(LINE).with("X-Forwarded-For", address);
    for (address, status) in [
        ("203.0.113.9", 200),
        ("198.51.100.1", 403),
        ("203.0.113.9, 198.51.100.1", 403),
        ("198.51.100.1, 203.0.113.9", 200),
        ("unknown", 403),
    ] {
        assert_eq!(from(address).of(&through_proxy).await.status, status, "{address}");
    }
    ask(LINE).of(&through_proxy).await.error(403);
    let here = gateway(EdgeArgs {
        allowed_networks: networks(&["127.0.0.0/8"]),
        ..EdgeArgs::default()
    })
    .await;
    assert_eq!(ask(LINE).of(&here).await.status, 200);
    ask(LINE).without("Authorization").of(&here).await.error(401);
}
