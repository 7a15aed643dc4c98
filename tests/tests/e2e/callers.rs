//! Who may call a service by gRPC, and what: one token for all services of a deployment, callers of their own with rights, and
//! files that are replaced while everything runs.

mod authority;
mod certificates;
mod contract;
mod starting;
mod told;

use std::{path::PathBuf, time::Duration};

use http::{Method, Request, header::AUTHORIZATION};
use identity_service::credentials::SecretHash;
use proto::{
    error::{Details, ErrorReason},
    identity::v1::{
        DeliveryState, GetDeliveryRequest, ListUsersRequest, delivery_service_client::DeliveryServiceClient,
        user_service_client::UserServiceClient,
    },
};
use service_runtime::{Connection, GrpcArgs, GrpcCallArgs, Running, health::State};
use tempfile::TempDir;
use tokio::time::Instant;
use tonic::{Code, Status};
use tower::ServiceExt;

use crate::{
    deployment::{Setup, TENANT, settings, user},
    processes::PATIENCE,
};

const FIRST: &str = "first-token-of-these-tests-0123456789";
const SECOND: &str = "second-token-of-these-tests-0123456789";
const READER: &str = "a-token-that-may-only-read-0123456789";
const OPERATOR: &str = "a-token-that-may-only-operate-0123456789";
const PAUSE: Duration = Duration::from_millis(20);

/// identity-service alone; it delivers nothing.
struct Identity {
    running: Option<Running>,
    url: String,
    flags: Vec<String>,
    folder: TempDir,
}

impl Identity {
    /// Starts it with these files in its folder, each named by its flag.
    async fn start(files: &[(&str, &str)], flags: &[&str]) -> Self {
        service_runtime::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let mut all = vec![
            "--listen=127.0.0.1:0".to_owned(),
            "--delivery-concurrency=0".to_owned(),
            format!("--data-dir={}", folder.path().join("identity").display()),
        ];
        for (flag, text) in files {
            let path = folder.path().join(flag);
            std::fs::write(&path, text).unwrap();
            all.push(format!("--{flag}={}", path.display()));
        }
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let running = identity_service::start(settings(&all)).await.unwrap();
        Self {
            url: format!("http://{}", running.addr),
            running: Some(running),
            flags: all,
            folder,
        }
    }

    /// Its address for callers that speak TLS.
    fn over_tls(&self) -> String {
        format!("https://localhost:{}", self.running().addr.port())
    }

    /// It goes, and comes back at the same address.
    async fn restart(&mut self) {
        let listen = format!("--listen={}", self.running().addr);
        self.running.take().unwrap().stop(PATIENCE).await;
        let flags: Vec<_> = self.flags.iter().cloned().chain([listen]).collect();
        self.running = Some(identity_service::start(settings(&flags)).await.unwrap());
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Replaces a file as a tool does that writes it whole: beside it, and then in its place.
    fn replace(&self, flag: &str, text: &str) {
        let [new, place] = ["new", flag].map(|name| self.folder.path().join(name));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, place).unwrap();
    }

    /// Calls a method without a message, which it cannot serve: who may not call is refused before that is seen, and nothing is
    /// done for who may.
    async fn ask(&self, path: &str, authorization: Option<&str>) -> Status {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let request = match authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        };
        let connection = service_runtime::connect(&self.url, PATIENCE).unwrap();
        let answer = connection.oneshot(request.body(tonic::body::Body::empty()).unwrap());
        let answer = answer.await.unwrap();
        Status::from_header_map(answer.headers()).unwrap()
    }

    async fn users(&self, token: Option<&str>) -> Result<(), Status> {
        let request = ListUsersRequest {
            tenant: TENANT.to_owned(),
            ..ListUsersRequest::default()
        };
        let mut users = UserServiceClient::new(known_by(&self.url, token));
        users.list_users(request).await.map(drop)
    }

    /// What readiness says of the callers.
    fn callers(&self) -> State {
        self.running().readiness().report().dependencies["callers"].clone()
    }

    /// Waits until it says something that fits.
    async fn says(&self, fits: impl Fn(&State) -> bool) {
        let mut reports = self.running().readiness().subscribe();
        let fitting = reports.wait_for(|report| fits(&report.dependencies["callers"]));
        tokio::time::timeout(PATIENCE, fitting).await.unwrap().unwrap();
    }
}

/// A connection that is known by that token.
fn known_by(url: &str, token: Option<&str>) -> Connection {
    let call = GrpcCallArgs {
        own: GrpcArgs {
            grpc_token: token.map(Into::into),
            ..GrpcArgs::default()
        },
        ..GrpcCallArgs::default()
    };
    service_runtime::connect_as(url, PATIENCE, &call).unwrap()
}

fn hash(token: &str) -> String {
    SecretHash::of(&token.into()).to_string()
}

/// A callers file with a reader and an operator.
fn callers() -> String {
    format!(
        "[callers.reporting]\nrights = [\"read\"]\ntoken_sha256 = [\"{}\"]\n\n[callers.on-call]\nrights = [\"operate\"]\ntoken_sha256 = [\"{}\"]\n",
        hash(READER),
        hash(OPERATOR)
    )
}

#[track_caller]
fn assert_refused(status: &Status, code: Code, reason: ErrorReason) {
    let told = Details::of(status).map(|details| details.reason);
    assert_eq!((status.code(), told), (code, Some(reason)), "{status:?}");
}

#[tokio::test]
async fn who_is_not_known_is_served_nothing_but_health() {
    let identity = Identity::start(&[], &[&format!("--grpc-token={FIRST}")]).await;
    let list = "/delinea.scim.identity.v1.UserService/ListUsers";
    let whole = format!("Bearer {FIRST}");
    for wrong in [
        None,
        Some(""),
        Some("Bearer"),
        Some(FIRST),
        Some("Bearer first-token-of-these-tests-012345678"),
        Some("Bearer first-token-of-these-tests-0123456789x"),
        Some("Basic first-token-of-these-tests-0123456789"),
    ] {
        for path in [
            list,
            "/delinea.scim.identity.v1.DeliveryService/PauseDeliveries",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            "/no.such.Service/Method",
        ] {
            let status = identity.ask(path, wrong).await;
            assert_refused(&status, Code::Unauthenticated, ErrorReason::CallerUnknown);
            assert!(!status.message().contains("first-token"), "{status:?}");
        }
        let health = identity.ask("/grpc.health.v1.Health/Check", wrong).await;
        assert_ne!(health.code(), Code::Unauthenticated, "{wrong:?}");
    }
    let known = identity.ask(list, Some(&whole)).await;
    assert!(Details::of(&known).is_none(), "it was served: {known:?}");
    identity.users(Some(FIRST)).await.unwrap();
    assert_eq!(identity.callers(), State::Ready);
}

/// Every method of the contract, tried by callers who have one right each: served by who has the right that it states, and by
/// nobody else.
#[tokio::test]
async fn each_method_is_served_to_the_right_that_it_states_alone() {
    let identity = Identity::start(&[("grpc-callers-file", &callers())], &[]).await;
    let mut tried = 0;
    for (path, right) in contract::methods("delinea.scim.identity.v1.") {
        for (token, has) in [(READER, "read"), (OPERATOR, "operate")] {
            let status = identity.ask(&path, Some(&format!("Bearer {token}"))).await;
            if right == has {
                assert!(Details::of(&status).is_none(), "{path} was served to {has}: {status:?}");
            } else {
                assert_refused(&status, Code::PermissionDenied, ErrorReason::RightMissing);
                assert!(status.message().contains(&right), "{status:?}");
            }
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} calls were made");
}

#[tokio::test]
async fn a_token_is_rotated_while_everything_runs() {
    let identity = Identity::start(&[("grpc-token-file", FIRST)], &[]).await;
    let file: PathBuf = identity.folder.path().join("grpc-token-file");
    let caller = GrpcCallArgs {
        own: GrpcArgs {
            grpc_token_file: Some(file),
            ..GrpcArgs::default()
        },
        ..GrpcCallArgs::default()
    };
    let connection = service_runtime::connect_as(&identity.url, PATIENCE, &caller).unwrap();
    let request = || ListUsersRequest {
        tenant: TENANT.to_owned(),
        ..ListUsersRequest::default()
    };
    // The new one is accepted first, then sent, and then the old one goes. While both are accepted, whoever reads the file is served at each moment.
    for (text, accepted) in [
        (format!("{FIRST}\n{SECOND}\n"), SECOND),
        (format!("{SECOND}\n{FIRST}\n"), SECOND),
    ] {
        identity.replace("grpc-token-file", &text);
        let began = Instant::now();
        while identity.users(Some(accepted)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "it is not accepted");
            tokio::time::sleep(PAUSE).await;
        }
        UserServiceClient::new(connection.clone())
            .list_users(request())
            .await
            .unwrap();
    }
    identity.replace("grpc-token-file", SECOND);
    let began = Instant::now();
    while identity.users(Some(FIRST)).await.is_ok() {
        assert!(began.elapsed() < PATIENCE, "the old one is accepted still");
        tokio::time::sleep(PAUSE).await;
    }
    let refused = identity.users(Some(FIRST)).await.unwrap_err();
    assert_refused(&refused, Code::Unauthenticated, ErrorReason::CallerUnknown);
    // Who reads the file sends the new one by now, or soon: all is replaced here faster than operators are told to.
    while UserServiceClient::new(connection.clone())
        .list_users(request())
        .await
        .is_err()
    {
        assert!(began.elapsed() < PATIENCE, "the new one is not sent");
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test]
async fn a_faulty_callers_file_changes_nothing_and_says_why() {
    let identity = Identity::start(&[("grpc-callers-file", &callers())], &[]).await;
    identity.users(Some(READER)).await.unwrap();
    // A part of the file, as when the disk became full.
    let whole = callers();
    identity.replace("grpc-callers-file", &whole[..whole.len() - 20]);
    let says_why = |state: &State| matches!(state, State::Degraded(why) if why.contains("GRPC_CALLERS_FILE"));
    identity.says(says_why).await;
    identity.users(Some(READER)).await.unwrap();
    identity.replace("grpc-callers-file", "");
    identity.says(|state| *state == State::Ready).await;
    let gone = identity.users(Some(READER)).await.unwrap_err();
    assert_refused(&gone, Code::Unauthenticated, ErrorReason::CallerUnknown);
}

/// A gateway that identity-service does not know is our fault: Entra must not take it for a matter of its own credential.
#[tokio::test]
async fn a_gateway_that_is_not_known_answers_503() {
    let mut deployment = Setup::default().start().await;
    deployment.scim.create_user("odile@example.com").await;
    let token = format!("--grpc-token={FIRST}");
    deployment.identity_restarts(&[&token]).await;
    let refused = deployment.scim.post("/Users", &user("pascal@example.com")).await;
    assert_eq!(refused.header("www-authenticate"), "");
    refused.error(503, "");
}

/// The whole way with one token; and while the adapter knows another, what is to be delivered waits and is refused by nobody.
#[tokio::test]
async fn services_that_share_a_token_deliver_and_wait_while_one_has_another() {
    let [first, second] = [FIRST, SECOND].map(|token| format!("--grpc-token={token}"));
    let mut deployment = Setup::default()
        .adapter(&[&second])
        .identity(&[&first])
        .gateway(&[&first])
        .start()
        .await;
    let id = deployment.scim.create_user("odile@example.com").await;
    let adapter = |deployment: &crate::deployment::Deployment| {
        deployment.identity_readiness().report().dependencies["delinea-adapter"].clone()
    };
    let says_why = |state: State| matches!(state, State::Degraded(why) if why.contains("GRPC_"));
    deployment.until(async |it| says_why(adapter(it))).await;
    let mut deliveries = DeliveryServiceClient::new(known_by(&deployment.identity_url(), Some(FIRST)));
    let request = GetDeliveryRequest {
        tenant: TENANT.to_owned(),
        resource_id: id,
    };
    let delivery = deliveries.get_delivery(request).await.unwrap().into_inner().delivery;
    assert_eq!(delivery.unwrap().state(), DeliveryState::Pending);

    // Each sends its first and accepts all: the adapter's is in the list of identity-service, which restarts with it.
    let both = format!("--grpc-token={SECOND},{FIRST}");
    deployment.identity_restarts(&[&both]).await;
    deployment
        .until(async |it| it.platform.names().await.contains(&"odile@example.com".to_owned()))
        .await;
}
