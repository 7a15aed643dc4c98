//! One observed request until its end: where its status comes from, what counts as a fault, and what is then recorded.
//! The end is reached once, by the last byte, by trailers, or by being dropped when the caller has gone.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use opentelemetry_semantic_conventions::attribute;
use tokio::time::Instant;
use tonic::Code;
use tracing::Span;

use super::RPC_METHOD;

const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Call {
    span: Span,
    grpc: bool,
    started: Instant,
    labels: Vec<KeyValue>,
    duration: Histogram<f64>,
    ending: Ending,
    recorded: bool,
}

/// What is known of how the request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Http(StatusCode),
    Grpc(Code),
    /// No answer came, for want of a connection.
    Unanswered,
    /// Nobody waited for the answer.
    Abandoned,
}

impl Call {
    pub(super) fn new(span: Span, grpc: bool, labels: Vec<KeyValue>, duration: Histogram<f64>) -> Self {
        let (started, ending) = (Instant::now(), Ending::Abandoned);
        Self {
            span,
            grpc,
            started,
            labels,
            duration,
            ending,
            recorded: false,
        }
    }

    /// The answer's head has come. gRPC tells its status here only when there is no message at all.
    pub(super) fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        if !self.grpc {
            self.ending = Ending::Http(status);
        } else if status != StatusCode::OK {
            // Not a gRPC server: what a client makes of it is the transport's affair.
            self.ending = Ending::Unanswered;
        } else {
            self.trailers(headers);
        }
    }

    /// No answer came.
    pub(super) fn unanswered(&mut self) {
        self.ending = Ending::Unanswered;
        self.record();
    }

    fn trailers(&mut self, trailers: &HeaderMap) {
        if self.grpc
            && let Some(status) = trailers.get("grpc-status")
        {
            self.ending = Ending::Grpc(Code::from_bytes(status.as_bytes()));
        }
    }

    fn record(&mut self) {
        if std::mem::replace(&mut self.recorded, true) {
            return;
        }
        let elapsed = self.started.elapsed();
        match self.ending {
            Ending::Http(status) => {
                self.span.record("http.response.status_code", status.as_u16());
                self.labels.push(KeyValue::new(
                    attribute::HTTP_RESPONSE_STATUS_CODE,
                    i64::from(status.as_u16()),
                ));
            }
            Ending::Grpc(code) => {
                self.span.record(RPC_RESPONSE_STATUS_CODE, code_name(code));
                if code == Code::Unimplemented {
                    // A caller may ask for any name; labels must stay few.
                    self.labels.retain(|label| label.key.as_str() != RPC_METHOD);
                    self.labels.push(KeyValue::new(RPC_METHOD, "_OTHER"));
                }
                self.labels
                    .push(KeyValue::new(RPC_RESPONSE_STATUS_CODE, code_name(code)));
            }
            Ending::Unanswered | Ending::Abandoned => {}
        }
        let fault = self.ending.fault();
        if let Some(kind) = self.ending.error_type() {
            self.span.record("error.type", &*kind);
            self.labels.push(KeyValue::new(attribute::ERROR_TYPE, kind));
        }
        if fault {
            self.span.record("otel.status_code", "ERROR");
        }
        self.duration.record(elapsed.as_secs_f64(), &self.labels);
        self.span.in_scope(|| log(self.ending, fault, elapsed));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.record();
    }
}

fn log(ending: Ending, fault: bool, elapsed: Duration) {
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if fault {
        tracing::warn!(ending = ending.text(), duration_ms, "request failed");
    } else {
        tracing::debug!(ending = ending.text(), duration_ms, "request handled");
    }
}

impl Ending {
    /// Whether one of us must look. The other gRPC codes are ordinary answers to what a caller asked.
    fn fault(self) -> bool {
        match self {
            Self::Http(status) => status.is_server_error(),
            Self::Grpc(code) => matches!(
                code,
                Code::Unknown
                    | Code::DeadlineExceeded
                    | Code::Unimplemented
                    | Code::Internal
                    | Code::Unavailable
                    | Code::DataLoss
            ),
            Self::Unanswered => true,
            Self::Abandoned => false,
        }
    }

    /// What kind of failure it is, where it is one: the status, or why there is none.
    fn error_type(self) -> Option<Cow<'static, str>> {
        match self {
            Self::Unanswered => Some("unanswered".into()),
            Self::Abandoned => Some("abandoned".into()),
            Self::Http(status) if self.fault() => Some(status.as_u16().to_string().into()),
            Self::Grpc(code) if self.fault() => Some(code_name(code).into()),
            Self::Http(_) | Self::Grpc(_) => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Http(status) => status.as_u16().to_string(),
            Self::Grpc(code) => code_name(code).to_owned(),
            Self::Unanswered => "unanswered".to_owned(),
            Self::Abandoned => "abandoned".to_owned(),
        }
    }
}

/// The name that gRPC gives a code.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// A response's body that ends its request's span.
#[derive(Debug)]
pub struct Observed<B> {
    inner: B,
    call: Call,
}

impl<B> Observed<B> {
    pub(super) fn new(inner: B, call: Call) -> Self {
        Self { inner, call }
    }
}

impl<B: Body + Unpin> Body for Observed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        let polled = this.call.span.in_scope(|| Pin::new(&mut this.inner).poll_frame(cx));
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            this.call.trailers(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_answers_are_no_faults() {
        let ordinary = [
            Code::Ok,
            Code::NotFound,
            Code::AlreadyExists,
            Code::InvalidArgument,
            Code::FailedPrecondition,
            Code::Aborted,
            Code::Cancelled,
            Code::Unauthenticated,
            Code::PermissionDenied,
            Code::ResourceExhausted,
            Code::OutOfRange,
        ];
        for code in ordinary {
            assert!(!Ending::Grpc(code).fault(), "{code:?}");
        }
        for code in [
            Code::Unknown,
            Code::DeadlineExceeded,
            Code::Internal,
            Code::Unavailable,
            Code::DataLoss,
        ] {
            assert!(Ending::Grpc(code).fault(), "{code:?}");
        }
        assert!(!Ending::Http(StatusCode::NOT_FOUND).fault());
        assert!(Ending::Http(StatusCode::BAD_GATEWAY).fault());
        assert!(!Ending::Abandoned.fault());
        assert!(Ending::Unanswered.fault());
    }
}
