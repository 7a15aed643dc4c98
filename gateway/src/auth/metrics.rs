//! What is counted about credentials: never what they were, nor whose.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use super::Rejection;

/// The instruments.
pub(super) struct Metrics {
    refusals: Counter<u64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let meter = service_runtime::meter("gateway");
        let metrics = Self {
            refusals: meter
                .u64_counter("scim.credential.refusals")
                .with_unit("{request}")
                .with_description(
                    "Requests whose credential was refused, by reason; keys_unavailable and unavailable are faults of ours.",
                )
                .build(),
        };
        // So that the first of each can be told from none.
        for reason in Rejection::NAMES {
            metrics.refusals.add(0, &[KeyValue::new("reason", reason)]);
        }
        metrics
    }

    pub(super) fn refused(&self, reason: &'static str) {
        self.refusals.add(1, &[KeyValue::new("reason", reason)]);
    }
}
