//! A span and a duration for each request, on the server's and the client's side, named by the semantic conventions.
//! Labels are bounded: the route template or the RPC, never a path, a query or an id; nothing personal is recorded.
//! The span covers the body too, so a streamed answer's own calls belong to the request's trace.

use std::task::{Context, Poll};

use axum::extract::MatchedPath;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::USER_AGENT;
use http::{Method, Request, Response, Version};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_semantic_conventions::{attribute, metric};
use tower::{Layer, Service};
use tracing::field::Empty;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::trace_context;

mod call;

use call::{Call, Observed};

/// Observes an HTTP server. Put it on a router with `Router::layer`, after its routes, so that it sees their templates.
pub fn http_server_layer() -> ObserveLayer {
    ObserveLayer::new(Side::HttpServer, metric::HTTP_SERVER_REQUEST_DURATION)
}

/// Observes a gRPC server. [`crate::serve_grpc`] and [`crate::in_process`] apply it themselves.
pub fn grpc_server_layer() -> ObserveLayer {
    ObserveLayer::new(Side::GrpcServer, "rpc.server.call.duration")
}

/// Observes a gRPC client and hands the trace on. [`crate::connect`] and [`crate::in_process`] apply it themselves.
pub(crate) fn grpc_client_layer() -> ObserveLayer {
    ObserveLayer::new(Side::GrpcClient, "rpc.client.call.duration")
}

/// A caller's name for itself; longer ones are left out.
const LONGEST_USER_AGENT: usize = 256;
const RPC_SYSTEM_NAME: &str = "rpc.system.name";
const RPC_METHOD: &str = "rpc.method";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    HttpServer,
    GrpcServer,
    GrpcClient,
}

/// A tower layer that observes each request.
#[derive(Clone, Debug)]
pub struct ObserveLayer {
    side: Side,
    duration: Histogram<f64>,
}

impl ObserveLayer {
    fn new(side: Side, metric: &'static str) -> Self {
        let duration = crate::meter("service-runtime")
            .f64_histogram(metric)
            .with_unit("s")
            .with_boundaries(crate::telemetry::SECONDS.to_vec())
            .build();
        Self { side, duration }
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service whose requests are observed.
#[derive(Clone, Debug)]
pub struct Observe<S> {
    inner: S,
    layer: ObserveLayer,
}

impl<S, Q, R> Service<Request<Q>> for Observe<S>
where
    S: Service<Request<Q>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<Observed<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        let side = self.layer.side;
        let (span, labels) = match side {
            Side::HttpServer => http_span(&request),
            Side::GrpcServer | Side::GrpcClient => grpc_span(side, request.uri().path()),
        };
        match side {
            Side::HttpServer | Side::GrpcServer => {
                let mut caller = trace_context::extract(request.headers());
                if side == Side::HttpServer {
                    caller = trace_context::of_stranger(&caller);
                }
                if caller.span().span_context().is_valid() {
                    // An error says that telemetry is off: nothing to continue.
                    let _ = span.set_parent(caller);
                }
            }
            Side::GrpcClient => span.in_scope(|| trace_context::inject(request.headers_mut())),
        }
        let mut call = Call::new(
            span.clone(),
            side != Side::HttpServer,
            labels,
            self.layer.duration.clone(),
        );
        let answer = span.in_scope(|| self.inner.call(request));
        async move {
            match answer.await {
                Ok(response) => {
                    call.head(response.status(), response.headers());
                    Ok(response.map(|body| Observed::new(body, call)))
                }
                Err(error) => {
                    call.unanswered();
                    Err(error)
                }
            }
        }
        .instrument(span)
        .boxed()
    }
}

fn http_span<Q>(request: &Request<Q>) -> (Span, Vec<KeyValue>) {
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    let user_agent = request.headers().get(USER_AGENT).and_then(|name| name.to_str().ok());
    let user_agent = user_agent.filter(|name| name.len() <= LONGEST_USER_AGENT);
    let span = tracing::info_span!(
        "request",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        error.type = Empty,
        network.protocol.version = protocol_version(request.version()),
        user_agent.original = user_agent,
    );
    let mut labels = vec![KeyValue::new(attribute::HTTP_REQUEST_METHOD, method)];
    labels.extend(route.map(|route| KeyValue::new(attribute::HTTP_ROUTE, route.to_owned())));
    (span, labels)
}

fn grpc_span(side: Side, path: &str) -> (Span, Vec<KeyValue>) {
    let method = path.trim_start_matches('/');
    let span = tracing::info_span!(
        "rpc",
        otel.name = method,
        otel.kind = if side == Side::GrpcClient { "client" } else { "server" },
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = Empty,
        error.type = Empty,
    );
    let labels = vec![
        KeyValue::new(RPC_SYSTEM_NAME, "grpc"),
        KeyValue::new(RPC_METHOD, method.to_owned()),
    ];
    (span, labels)
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// The method if it is one of HTTP's own; a caller may invent others, and labels must stay few.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_methods_share_one_label() {
        assert_eq!(known_method(&Method::PATCH), "PATCH");
        assert_eq!(known_method(&Method::from_bytes(b"BREW").unwrap()), "_OTHER");
    }
}
