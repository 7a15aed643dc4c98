//! How delinea-adapter speaks to a Platform that has TLS before it, as every tenant has: HTTP/2 where that is offered, HTTP/1.1 where
//! it is not, over connections that are used again.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use proto::{
    adapter::v1::{
        ApplyUserRequest, PlanUserRequest, adapter_service_client::AdapterServiceClient, apply_user_request,
        plan_user_response,
    },
    resource::v1::User,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use service_runtime::Connection;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    deployment::TENANT,
    processes::{PATIENCE, Process, free_port},
};

const CALLS: usize = 50;
const AT_ONCE: usize = 4;

/// What ends TLS before the simulated Platform.
struct Edge {
    accepted: Arc<AtomicUsize>,
    /// The protocol that each connection came to be.
    protocols: Arc<Mutex<Vec<Option<String>>>>,
    port: u16,
    /// The certificate of its authority, in PEM.
    authority: String,
}

impl Edge {
    /// One that offers these protocols, before a Platform at that address.
    async fn before(platform: String, protocols: &[&str]) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let edge = Self {
            accepted: Arc::default(),
            protocols: Arc::default(),
            port: listener.local_addr().unwrap().port(),
            authority: authority.pem(),
        };
        let (accepted, spoken) = (edge.accepted.clone(), edge.protocols.clone());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                let (acceptor, platform, spoken) = (acceptor.clone(), platform.clone(), spoken.clone());
                tokio::spawn(async move {
                    let mut tls = acceptor.accept(stream).await.unwrap();
                    let protocol = tls.get_ref().1.alpn_protocol();
                    let protocol = protocol.map(|name| String::from_utf8_lossy(name).into_owned());
                    spoken.lock().unwrap().push(protocol);
                    let mut onward = TcpStream::connect(&platform).await.unwrap();
                    // However the connection ends, it has ended.
                    let _ = copy_bidirectional(&mut tls, &mut onward).await;
                });
            }
        });
        edge
    }
}

/// Makes many calls, one after another or at once, of a Platform whose edge offers these protocols; gives what they came to be.
async fn spoken(offered: &[&str], at_once: bool) -> Vec<Option<String>> {
    service_runtime::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let [platform, adapter] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
    let edge = Edge::before(platform.clone(), offered).await;
    let authority = folder.path().join("authority.pem");
    fs::write(&authority, &edge.authority).unwrap();

    let mut simulator = Process::simulator(&platform, folder.path());
    simulator.start();
    simulator.ready().await;
    let mut service = Process::adapter(&adapter, &platform, &[], folder.path());
    service.set(&format!("--max-concurrency={AT_ONCE}"));
    service.set(&format!("--platform-url=https://localhost:{}", edge.port));
    service.with("SSL_CERT_FILE", authority.to_str().unwrap());
    service.start();
    service.ready().await;

    let connection = service_runtime::connect(&format!("http://{adapter}"), PATIENCE).unwrap();
    let client = AdapterServiceClient::new(connection);
    if at_once {
        join_all((0..CALLS).map(|number| plan(client.clone(), number))).await;
    } else {
        for number in 0..CALLS {
            plan(client.clone(), number).await;
        }
    }
    let spoken = edge.protocols.lock().unwrap().clone();
    assert_eq!(edge.accepted.load(Ordering::Relaxed), spoken.len());
    spoken
}

/// Asks what would be written for somebody who has no account: that takes a look at the Platform.
async fn plan(mut client: AdapterServiceClient<Connection>, number: usize) {
    let user = User {
        user_name: Some(format!("u{number}@x.example")),
        ..User::default()
    };
    let apply = ApplyUserRequest {
        tenant: TENANT.to_owned(),
        resource_id: "r".to_owned(),
        wanted: Some(apply_user_request::Wanted::User(user)),
        ..ApplyUserRequest::default()
    };
    let planned = client.plan_user(PlanUserRequest { apply: Some(apply) }).await.unwrap();
    let outcome = planned.into_inner().outcome.unwrap();
    assert!(
        matches!(outcome, plan_user_response::Outcome::Planned(_)),
        "{outcome:?}"
    );
}

/// That there were few, each of that protocol. A call that comes before an earlier one's connection is free may begin another.
fn are_few(spoken: &[Option<String>], protocol: Option<&str>) -> bool {
    (1..=2 * AT_ONCE).contains(&spoken.len()) && spoken.iter().all(|one| one.as_deref() == protocol)
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered_and_all_calls_share_a_connection() {
    for at_once in [false, true] {
        let spoken = spoken(&["h2", "http/1.1"], at_once).await;
        assert!(are_few(&spoken, Some("h2")), "{spoken:?}");
    }
}

#[tokio::test]
async fn http_1_1_is_spoken_where_nothing_else_is_offered_and_connections_are_used_again() {
    for (offered, protocol) in [(&["http/1.1"][..], Some("http/1.1")), (&[][..], None)] {
        for at_once in [false, true] {
            let spoken = spoken(offered, at_once).await;
            assert!(are_few(&spoken, protocol), "{spoken:?}");
        }
    }
}
