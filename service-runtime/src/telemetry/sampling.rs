//! Which traces leave the process. Every service decides alike, by the trace's id, so that a trace is there as a whole or not at all:
//! a collector that keeps what failed (tail sampling) can rely on that. What a caller inside the deployment has decided is kept.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// Takes a share of traces, and all that a sampled span leads to, as its parent or by a link.
#[derive(Clone, Debug)]
pub(super) struct Share(Sampler);

impl Share {
    /// A share between 0 and 1.
    pub(super) fn new(share: f64) -> Self {
        Self(Sampler::TraceIdRatioBased(share))
    }
}

impl ShouldSample for Share {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self.0.should_sample(parent, trace_id, name, kind, attributes, links);
        let parent_is_sampled = parent.is_some_and(|parent| parent.span().span_context().is_sampled());
        if parent_is_sampled || links.iter().any(|link| link.span_context.is_sampled()) {
            result.decision = SamplingDecision::RecordAndSample;
        }
        result
    }
}

/// A share of traces, as a setting.
pub(super) fn parse_share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "must be a number from 0 to 1".to_owned())?;
    match (0.0..=1.0).contains(&share) {
        true => Ok(share),
        false => Err("must be from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};

    use super::*;

    fn context(trace: u128, flags: TraceFlags) -> SpanContext {
        let state = TraceState::default();
        SpanContext::new(TraceId::from(trace), SpanId::from(1), flags, true, state)
    }

    fn sampled(share: f64, trace: u128, parent: Option<TraceFlags>, link: Option<TraceFlags>) -> bool {
        let parent = parent.map(|flags| Context::new().with_remote_span_context(context(trace, flags)));
        let links: Vec<Link> = link
            .map(|flags| Link::with_context(context(!trace, flags)))
            .into_iter()
            .collect();
        let kind = SpanKind::Server;
        let result = Share::new(share).should_sample(parent.as_ref(), TraceId::from(trace), "", &kind, &[], &links);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn a_trace_is_there_as_a_whole_or_not_at_all() {
        let step = u128::MAX / 1_000;
        let (not, yes) = (Some(TraceFlags::NOT_SAMPLED), Some(TraceFlags::SAMPLED));
        let mut taken = 0;
        for trace in (1..=1_000).map(|n| n * step) {
            let at_the_edge = sampled(0.1, trace, None, None);
            assert_eq!(sampled(0.1, trace, not, None), at_the_edge, "inside as at the edge");
            assert_eq!(
                sampled(0.1, trace, None, not),
                at_the_edge,
                "a link decides nothing by itself"
            );
            assert!(sampled(0.1, trace, yes, None), "what was decided is kept");
            assert!(
                sampled(0.1, trace, None, yes),
                "what leads to a trace that is there is there too"
            );
            taken += usize::from(at_the_edge);
        }
        assert!((50..200).contains(&taken), "{taken} of 1,000");
        assert!(sampled(1.0, step, not, None) && !sampled(0.0, step, None, None));
    }

    #[test]
    fn a_share_is_between_nothing_and_all() {
        for (text, share) in [
            ("0", Some(0.0)),
            ("0.01", Some(0.01)),
            ("1", Some(1.0)),
            ("1.1", None),
            ("-1", None),
            ("NaN", None),
            ("x", None),
        ] {
            assert_eq!(parse_share(text).ok(), share, "{text}");
        }
    }
}
