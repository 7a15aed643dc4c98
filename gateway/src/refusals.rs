//! Requests that are refused before any handler saw them: counted, each with its reason.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

/// Made once, on first use, from whatever meter the process has by then.
static REFUSED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    service_runtime::meter("gateway")
        .u64_counter("scim.requests.refused")
        .with_unit("{request}")
        .with_description("Requests refused before they were looked at, by reason: network.")
        .build()
});

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It came from a network that may not call.
    Network,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
        }
    }
}

/// Counts a request that was refused.
pub(crate) fn count(reason: Reason) {
    REFUSED.add(1, &[KeyValue::new("reason", reason.name())]);
}
