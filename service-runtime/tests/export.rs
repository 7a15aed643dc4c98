//! What reaches a collector: spans of a service, flushed at the end, linked and continued as stored work asks for.
//! Telemetry is process-wide, hence a test binary of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use service_runtime::{Access, Lifecycle, OpsArgs, TelemetryArgs, bind, serve_grpc, telemetry, trace_context};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request
            .into_inner()
            .resource_spans
            .into_iter()
            .flat_map(|resource| resource.scope_spans);
        self.0.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_work_continues_or_links_its_trace_and_the_last_spans_arrive() {
    let collector = Collector::default();
    let life = Lifecycle::start("test", &OpsArgs::default()).await.unwrap();
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    // Served before telemetry is set up, so that the collector itself measures nothing.
    let running = serve_grpc(
        listener,
        Routes::new(TraceServiceServer::new(collector.clone())),
        Access::open(),
        life,
    )
    .unwrap();
    let endpoint = Some(format!("http://{}", running.addr));
    // A quiet log must not cut the traces.
    let args = TelemetryArgs {
        otlp_endpoint: endpoint,
        log: "off".to_owned(),
        ..TelemetryArgs::default()
    };
    let set_up = telemetry::init("test", &args).unwrap();

    let stored = tracing::info_span!("change").in_scope(trace_context::current).unwrap();
    let at_once = tracing::info_span!("at once");
    trace_context::continue_from(&at_once, &stored);
    at_once.in_scope(|| {});
    let later = tracing::info_span!("later");
    trace_context::link_to(&later, &stored);
    later.in_scope(|| {});
    drop((at_once, later));
    tokio::task::spawn_blocking(|| set_up.shutdown()).await.unwrap();

    let spans = collector.0.lock().unwrap().clone();
    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (change, at_once, later) = (span("change"), span("at once"), span("later"));
    assert_eq!(
        (&at_once.trace_id, &at_once.parent_span_id),
        (&change.trace_id, &change.span_id)
    );
    assert_ne!(later.trace_id, change.trace_id);
    assert_eq!(
        (&later.links[0].trace_id, &later.links[0].span_id),
        (&change.trace_id, &change.span_id)
    );
    assert!(running.stop(Duration::from_secs(10)).await);
}
