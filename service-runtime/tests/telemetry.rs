//! One process's telemetry from end to end: a trace through HTTP and two kinds of gRPC connection, what `/metrics` then
//! shows, and a second set-up. Telemetry is process-wide, hence a test binary of its own in which one test sets it up.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use futures_util::{Stream, StreamExt, stream};
use service_runtime::{
    Access, Connection, Error, Lifecycle, OpsArgs, TelemetryArgs, bind, connect, grpc_routes, http_server_layer,
    in_process, serve_grpc, serve_http, telemetry, trace_context,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// A gRPC service that notes what trace it finds itself in: at the call, and while its answer streams.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<(String, String)>>>);

impl Witness {
    fn note(&self, header: Option<&str>) {
        let inside = trace_context::current().unwrap_or_default();
        self.0
            .lock()
            .unwrap()
            .push((header.unwrap_or_default().to_owned(), inside));
    }
}

#[tonic::async_trait]
impl Health for Witness {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.note(
            request
                .metadata()
                .get("traceparent")
                .and_then(|value| value.to_str().ok()),
        );
        match request.get_ref().service.as_str() {
            "slow" => std::future::pending().await,
            "panics" => panic!("a test"),
            "" => Ok(Response::new(HealthCheckResponse::default())),
            _ => Err(Status::not_found("no such service")),
        }
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let witness = self.clone();
        let panics = request.get_ref().service == "panics";
        let answer = stream::once(async move {
            assert!(!panics, "a test");
            witness.note(trace_context::current().as_deref());
            Ok(HealthCheckResponse::default())
        });
        Ok(Response::new(answer.boxed()))
    }
}

/// A piece of an answer that never comes.
async fn broken() -> Result<&'static str, std::io::Error> {
    panic!("a test")
}

async fn ask(connection: Connection, service: &str) -> Result<(), Status> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    HealthClient::new(connection).check(request).await.map(|_| ())
}

async fn http(addr: SocketAddr, path: &str) -> String {
    send(addr, "GET", path, "").await
}

async fn send(addr: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ntraceparent: {CALLER}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_through_http_and_grpc_and_its_metrics() {
    // Nobody listens there: a collector that is down must not be felt.
    let args = TelemetryArgs {
        otlp_endpoint: Some("http://127.0.0.1:1".to_owned()),
        ..TelemetryArgs::default()
    };
    let set_up = telemetry::init("test", &args).unwrap();
    assert!(matches!(telemetry::init("test", &args), Err(Error::TelemetryTwice)));

    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let witness = Witness::default();

    let life = Lifecycle::start("back", &OpsArgs::default()).await.unwrap();
    let routes = Routes::new(HealthServer::new(witness.clone()));
    let grpc = serve_grpc(bind(any_port).await.unwrap(), routes, Access::open(), life).unwrap();
    let network = connect(&format!("http://{}", grpc.addr), Duration::from_secs(10)).unwrap();
    let beside = in_process(HealthServer::new(witness.clone()));

    let handler = {
        let (network, beside) = (network.clone(), beside.clone());
        move |Path(_id): Path<String>| async move {
            ask(network, "").await.unwrap();
            ask(beside.clone(), "").await.unwrap();
            let mut watch = HealthClient::new(beside)
                .watch(HealthCheckRequest::default())
                .await
                .unwrap()
                .into_inner();
            watch.message().await.unwrap().unwrap();
            "done"
        }
    };
    let router = Router::new()
        .route("/users/{id}", get(handler))
        .route("/breaks", get(|| async { Body::from_stream(stream::once(broken())) }))
        .layer(http_server_layer());
    let ops = OpsArgs {
        ops_listen: Some(any_port),
        drain_linger: Some(Duration::ZERO),
        ..OpsArgs::default()
    };
    let life = Lifecycle::start("front", &ops).await.unwrap();
    life.readiness.dependency("store").degraded("one replica");
    let front = serve_http(bind(any_port).await.unwrap(), router, life).unwrap();

    let answer = http(front.addr, "/users/anna@example.com?filter=anna").await;
    assert!(answer.ends_with("done"), "{answer}");
    let seen = witness.0.lock().unwrap().clone();
    assert_eq!(seen.len(), 3);
    for (header, inside) in &seen {
        assert_eq!(&header[3..35], TRACE_ID, "the caller's trace is handed on");
        assert_eq!(&inside[3..35], TRACE_ID, "the server's span continues it");
        assert_ne!(header, CALLER, "the parent is a span of ours, not the first caller's");
    }

    // Ordinary answers, a deadline and a panic all reach the caller as what they are.
    for connection in [&network, &beside] {
        assert_eq!(
            ask(connection.clone(), "other").await.unwrap_err().code(),
            tonic::Code::NotFound
        );
        assert_eq!(
            ask(connection.clone(), "panics").await.unwrap_err().code(),
            tonic::Code::Internal
        );
        let mut request = Request::new(HealthCheckRequest {
            service: "slow".to_owned(),
        });
        request.set_timeout(Duration::from_millis(50));
        HealthClient::new(connection.clone()).check(request).await.unwrap_err();
    }

    // One in the midst of an answer breaks that off, and nothing else.
    let broken = http(front.addr, "/breaks").await;
    assert!(!broken.ends_with("\r\n0\r\n\r\n"), "{broken}");
    let request = HealthCheckRequest {
        service: "panics".to_owned(),
    };
    let mut watch = HealthClient::new(network.clone())
        .watch(request)
        .await
        .unwrap()
        .into_inner();
    watch.message().await.unwrap_err();
    ask(network.clone(), "").await.unwrap();

    let metrics = http(front.ops_addr.unwrap(), "/metrics").await;
    let line = |parts: &[&str]| metrics.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(
        line(&[
            "http_server_request_duration_seconds_bucket",
            "http_route=\"/users/{id}\"",
            "le=\"0.005\""
        ]),
        "{metrics}"
    );
    assert!(line(&[
        "rpc_server_call_duration_seconds_count",
        "rpc_method=\"grpc.health.v1.Health/Check\"",
        "rpc_response_status_code=\"NOT_FOUND\""
    ]));
    assert!(line(&[
        "rpc_client_call_duration_seconds_count",
        "error_type=\"INTERNAL\""
    ]));
    for figure in [
        "process_memory_usage_bytes",
        "process_cpu_time_seconds_total",
        "process_uptime_seconds",
        "tokio_workers",
        "tokio_alive_tasks",
        "tokio_worker_busy_time_seconds_total",
    ] {
        let told = metrics.lines().find(|line| line.starts_with(figure));
        let value: f64 = told.unwrap_or("none 0").rsplit(' ').next().unwrap().parse().unwrap();
        assert!(value > 0.0, "{figure}: {told:?}");
    }
    assert!(line(&["service_phase", "service=\"front\"", "phase=\"running\"", " 1"]));
    assert!(line(&["service_phase", "service=\"back\"", "phase=\"starting\"", " 0"]));
    assert!(line(&[
        "service_dependency_state",
        "dependency=\"store\"",
        "state=\"degraded\"",
        " 1"
    ]));
    assert!(line(&[
        "service_dependency_state",
        "dependency=\"store\"",
        "state=\"ready\"",
        " 0"
    ]));
    the_log_can_be_turned_up(front.ops_addr.unwrap()).await;
    for during in ["grpc", "answer"] {
        let counted = format!("during=\"{during}\"");
        let twice = metrics
            .lines()
            .any(|line| line.starts_with("panics_total") && line.contains(&counted) && line.ends_with(" 2"));
        assert!(twice, "{during}: {metrics}");
    }
    assert!(!metrics.contains("anna"), "nothing personal becomes a label");

    assert!(front.stop(Duration::from_secs(10)).await);
    assert!(
        grpc.stop(Duration::from_secs(10)).await,
        "an idle channel does not hold up the drain"
    );
    assert_eq!(ask(network, "").await.unwrap_err().code(), tonic::Code::Unavailable);
    tokio::task::spawn_blocking(|| set_up.shutdown()).await.unwrap();
}

/// As an operator does it, who looks for something: for a while, and it comes back by itself.
async fn the_log_can_be_turned_up(ops: SocketAddr) {
    let present = || async move { http(ops, "/log").await.lines().last().unwrap_or_default().to_owned() };
    let configured = TelemetryArgs::default().log;
    assert_eq!(present().await, configured);
    assert!(!tracing::enabled!(target: "gateway", tracing::Level::DEBUG));

    let answer = send(ops, "PUT", "/log", "info,gateway=debug").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("info,gateway=debug\n"),
        "{answer}"
    );
    assert!(tracing::enabled!(target: "gateway", tracing::Level::DEBUG));
    for (path, filter, because) in [
        ("/log", "=,=", "is not a level or a filter"),
        ("/log", "info,h2=trace", "h2 carries requests"),
        ("/log?for=soon", "debug", "for: "),
    ] {
        let answer = send(ops, "PUT", path, filter).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains(because),
            "{answer}"
        );
    }
    assert_eq!(
        present().await,
        "info,gateway=debug",
        "what cannot be used changes nothing"
    );

    send(ops, "DELETE", "/log", "").await;
    assert_eq!(present().await, configured);
    send(ops, "PUT", "/log?for=300ms", "debug").await;
    while present().await != configured {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!tracing::enabled!(target: "gateway", tracing::Level::DEBUG));
}

#[tokio::test]
async fn health_and_reflection_are_served() {
    let life = Lifecycle::start("test", &OpsArgs::default()).await.unwrap();
    let descriptors: &[&[u8]] = &[tonic_health::pb::FILE_DESCRIPTOR_SET];
    let store = life.readiness.dependency("store");
    let routes = grpc_routes(Routes::default(), &life.readiness, descriptors).unwrap();
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let running = serve_grpc(listener, routes, Access::open(), life).unwrap();
    let connection = connect(&format!("http://{}", running.addr), Duration::ZERO).unwrap();

    let mut client = HealthClient::new(connection);
    let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status().as_str_name(),
        "NOT_SERVING"
    );
    store.ready();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status().as_str_name(),
        "SERVING"
    );
    assert!(
        running.stop(Duration::from_secs(10)).await,
        "a watcher does not hold up the drain"
    );
    assert_eq!(
        watch.message().await.unwrap().unwrap().status().as_str_name(),
        "NOT_SERVING"
    );
    assert!(watch.message().await.unwrap().is_none());
}
