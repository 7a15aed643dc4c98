//! The receiving end of OTLP, and ways through what it received.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value as AttributeValue,
    trace::v1::{Span, span::SpanKind},
};
use tokio::{net::TcpListener, time::Instant};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

use super::{CALLER, CALLER_SPAN};
use crate::processes::PATIENCE;

/// A span, and the service that made it.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) service: String,
    pub(super) span: Span,
}

/// The way up from a trace's first span of that name: service, kind and name of each, the caller last.
pub(super) fn chain<'a>(spans: &'a [Received], trace: &'a str, name: &'a str) -> Vec<(&'a str, SpanKind, &'a str)> {
    named(spans, trace, name).map_or_else(Vec::new, |first| chain_of(spans, first))
}

/// The way up from a span.
pub(super) fn chain_of<'a>(spans: &'a [Received], first: &'a Received) -> Vec<(&'a str, SpanKind, &'a str)> {
    let mut way = Vec::new();
    let mut next = Some(first);
    while let Some(Received { service, span }) = next {
        way.push((service.as_str(), span.kind(), span.name.as_str()));
        if hex(&span.parent_span_id) == CALLER {
            way.push(CALLER_SPAN);
        }
        next = spans
            .iter()
            .find(|above| above.span.trace_id == span.trace_id && above.span.span_id == span.parent_span_id);
    }
    way
}

pub(super) fn named<'a>(spans: &'a [Received], trace: &str, name: &str) -> Option<&'a Received> {
    in_trace(spans, trace).find(|received| received.span.name == name)
}

/// An attribute of a span, as text.
pub(super) fn attribute(received: &Received, name: &str) -> Option<String> {
    let attributes = &received.span.attributes;
    let attribute = attributes.iter().find(|it| it.key == name)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        AttributeValue::StringValue(text) => Some(text.clone()),
        AttributeValue::IntValue(number) => Some(number.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}

/// All spans of a trace that have a name.
pub(super) fn all<'a>(spans: &'a [Received], trace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Received> {
    in_trace(spans, trace).filter(move |received| received.span.name == name)
}

pub(super) fn in_trace<'a>(spans: &'a [Received], trace: &str) -> impl Iterator<Item = &'a Received> {
    spans
        .iter()
        .filter(move |received| hex(&received.span.trace_id) == trace)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The receiving end of OTLP.
pub(super) struct Collector {
    pub(super) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let service = TraceServiceServer::new(Receiver(Arc::clone(&received)));
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self { url, received }
    }

    /// Waits for spans; gives all that came.
    pub(super) async fn wait(&self, are_there: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let began = Instant::now();
        loop {
            let spans = self.received.lock().unwrap().clone();
            if are_there(&spans) {
                return spans;
            }
            if began.elapsed() > PATIENCE {
                let line = |it: &Received| format!("{} {} {}\n", hex(&it.span.trace_id), it.service, it.span.name);
                let came: String = spans.iter().map(line).collect();
                panic!("after {PATIENCE:?} only these spans came:\n{came}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

struct Receiver(Arc<Mutex<Vec<Received>>>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = Vec::new();
        for of_resource in request.into_inner().resource_spans {
            let attributes = of_resource.resource.unwrap_or_default().attributes;
            let name = attributes.into_iter().find(|it| it.key == "service.name");
            let service = match name.and_then(|it| it.value?.value) {
                Some(AttributeValue::StringValue(name)) => name,
                other => return Err(Status::invalid_argument(format!("a service without a name: {other:?}"))),
            };
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let service = service.clone();
                spans.push(Received { service, span });
            }
        }
        self.0.lock().unwrap().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
