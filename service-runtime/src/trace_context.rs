//! W3C trace context through HTTP, gRPC and stored work, so that one trace shows a change from the first request to the
//! last write. Works on headers and on one string; needs no set-up, and without telemetry it carries nothing.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, TraceId};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// The caller's context from a request's headers; empty when there is none, or a broken one.
pub fn extract(headers: &http::HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers))
}

/// The same context of a caller who is a stranger, without what it decided about sampling: that would be for it to say how much we
/// trace.
pub(crate) fn of_stranger(context: &Context) -> Context {
    let told = context.span().span_context().clone();
    let flags = told.trace_flags().with_sampled(false);
    let undecided = SpanContext::new(told.trace_id(), told.span_id(), flags, true, told.trace_state().clone());
    Context::new().with_remote_span_context(undecided)
}

/// Writes the current span's context into a request's headers.
pub fn inject(headers: &mut http::HeaderMap) {
    // The active context, not the innermost span: a span too fine to be traced must not cut the trace.
    TraceContextPropagator::new().inject_context(&Context::current(), &mut HeaderInjector(headers));
}

/// The current span's `traceparent`, to be stored beside work that is done later.
pub fn current() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Context::current(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// The current trace's id, if there is one.
pub fn trace_id() -> Option<TraceId> {
    Context::map_current(|context| {
        let span = context.span().span_context().clone();
        span.is_valid().then(|| span.trace_id())
    })
}

/// Makes `span` a child of the span that wrote `traceparent`. Call it before the span is first entered.
pub fn continue_from(span: &Span, traceparent: &str) {
    let context = parse(traceparent);
    if context.span().span_context().is_valid() {
        // An error says that telemetry is off or the span is filtered out: nothing to continue.
        let _ = span.set_parent(context);
    }
}

/// Links `span` to the span that wrote `traceparent`, for work that was asked for long ago or by many.
pub fn link_to(span: &Span, traceparent: &str) {
    span.add_link(parse(traceparent).span().span_context().clone());
}

fn parse(traceparent: &str) -> Context {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn headers_and_stored_text_carry_the_same_context() {
        let mut headers = http::HeaderMap::new();
        headers.insert(TRACEPARENT, PARENT.parse().unwrap());
        let from_headers = extract(&headers);
        assert_eq!(from_headers.span().span_context(), parse(PARENT).span().span_context());

        let _active = from_headers.attach();
        let mut onward = http::HeaderMap::new();
        inject(&mut onward);
        assert_eq!(onward[TRACEPARENT], PARENT);
        assert_eq!(current().as_deref(), Some(PARENT));
        assert_eq!(trace_id().unwrap().to_string(), &PARENT[3..35]);
    }

    #[test]
    fn a_broken_context_is_no_context() {
        for broken in [
            "",
            "00",
            "00-zz-zz-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        ] {
            assert!(!parse(broken).span().span_context().is_valid(), "{broken:?}");
            continue_from(&Span::none(), broken);
            link_to(&Span::none(), broken);
        }
        assert_eq!(current(), None);
    }
}
