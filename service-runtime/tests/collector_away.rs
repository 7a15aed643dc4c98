//! A collector that takes connections and never answers costs telemetry, which is counted, and nothing else. Telemetry is
//! process-wide, hence a test binary of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::time::Duration;

use service_runtime::{Lifecycle, OpsArgs, TelemetryArgs, bind, serve_http, telemetry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// More than are kept waiting.
const SPANS: u64 = 20_000;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_costs_spans_and_each_is_counted() {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let silent = TcpListener::bind(any_port).await.unwrap();
    let args = TelemetryArgs {
        otlp_endpoint: Some(format!("http://{}", silent.local_addr().unwrap())),
        ..TelemetryArgs::default()
    };
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = silent.accept().await {
            open.push(connection);
        }
    });
    let set_up = telemetry::init("test", &args).unwrap();
    let ops = OpsArgs {
        ops_listen: Some(any_port),
        ..OpsArgs::default()
    };
    let life = Lifecycle::start("test", &ops).await.unwrap();
    let running = serve_http(bind(any_port).await.unwrap(), axum::Router::new(), life).unwrap();
    let ops = running.ops_addr.unwrap();

    for _ in 0..SPANS {
        tracing::info_span!("work").in_scope(|| {});
    }
    let counted = |metrics: &str, name: &str, label: &str| -> u64 {
        let line = metrics.lines().find(|line| {
            line.starts_with(name) && line.contains("error_type") != label.is_empty() && line.contains(label)
        });
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    };
    let processed = "otel_sdk_processor_span_processed_total";
    let metrics = get(ops, "/metrics").await;
    let (queued, dropped) = (
        counted(&metrics, processed, ""),
        counted(&metrics, processed, "queue_full"),
    );
    assert_eq!(queued + dropped, SPANS, "each is counted once: {metrics}");
    assert!(dropped > 0 && queued > 0, "{metrics}");

    // In the end each export is given up, and what it had is counted as lost.
    let began = Instant::now();
    loop {
        let metrics = get(ops, "/metrics").await;
        let lost = counted(&metrics, "otel_sdk_exporter_span_exported_total", "error_type=");
        if lost > 0 {
            assert_eq!(counted(&metrics, "otel_sdk_exporter_span_exported_total", ""), 0);
            assert!(
                metrics.contains("otel_sdk_exporter_operation_duration_seconds_count"),
                "{metrics}"
            );
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{metrics}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(running.stop(Duration::from_secs(10)).await);
    // It gives up on what is left, and returns.
    tokio::task::spawn_blocking(|| set_up.shutdown()).await.unwrap();
}

async fn get(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
