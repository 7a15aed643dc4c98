//! What is told of callers: to the operator in log, metrics and readiness, and to whoever runs `admin`.

use proto::{error::ErrorReason, identity::v1::ListUsersRequest, identity::v1::user_service_client::UserServiceClient};
use service_runtime::health::State;
use tonic::Code;

use super::{FIRST, Identity, SECOND, assert_refused, known_by};
use crate::{
    deployment::{TENANT, settings},
    processes::{PATIENCE, Process, free_port},
    programs::run_in,
};

#[tokio::test]
async fn a_refusal_is_counted_and_logged_without_what_was_sent() {
    service_runtime::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let flags = [
        &*format!("--grpc-token={FIRST}"),
        &*format!("--data-dir={}", folder.path().join("identity").display()),
    ];
    let mut identity = Process::identity(&listen, "127.0.0.1:1", &flags, folder.path());
    identity.start();
    identity.ready().await;
    let request = ListUsersRequest {
        tenant: TENANT.to_owned(),
        ..ListUsersRequest::default()
    };
    let mut users = UserServiceClient::new(known_by(&format!("http://{listen}"), Some(SECOND)));
    let refused = users.list_users(request).await.unwrap_err();
    assert_refused(&refused, Code::Unauthenticated, ErrorReason::CallerUnknown);
    let metrics = identity.metrics().await;
    let counted = metrics
        .lines()
        .find(|line| line.starts_with("rpc_server_refused_calls_total{"));
    let counted = counted.unwrap_or_else(|| panic!("{metrics}"));
    assert!(
        counted.contains("caller_unknown") && counted.ends_with(" 1"),
        "{counted}"
    );
    let log = identity.log();
    assert!(
        log.contains("a caller is not known; refused") && log.contains("UserService/ListUsers"),
        "{log}"
    );
    for secret in [FIRST, SECOND] {
        assert!(!log.contains(secret) && !metrics.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn that_everybody_may_call_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--listen=0.0.0.0:0".to_owned(),
        "--grpc-insecure".to_owned(),
        format!("--data-dir={}", folder.path().join("identity").display()),
    ];
    let running = identity_service::start(settings(&flags)).await.unwrap();
    let mut reports = running.readiness().subscribe();
    let told = reports.wait_for(
        |report| matches!(&report.dependencies["callers"], State::Degraded(why) if why.contains("GRPC_INSECURE")),
    );
    tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
}

#[tokio::test]
async fn admin_is_known_by_the_same_settings() {
    let identity = Identity::start(&[], &[&format!("--grpc-token={FIRST}")]).await;
    let status = ["status", "--identity-url", &identity.url];
    for (token, code, told) in [("", 1, "CALLER_UNKNOWN"), (SECOND, 1, "CALLER_UNKNOWN"), (FIRST, 0, "")] {
        let done = run_in("admin", &status, &[("GRPC_TOKEN", token)]).await;
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.err.contains(told), "{done:?}");
    }
    let file = identity.folder.path().join("token");
    std::fs::write(&file, FIRST).unwrap();
    let file = ["--grpc-token-file", file.to_str().unwrap()];
    let done = run_in("admin", &[&status[..], &file].concat(), &[]).await;
    assert_eq!(done.code, 0, "{done:?}");
}
