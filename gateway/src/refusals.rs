//! Requests that are refused before any handler saw them: counted, each with its reason and, where that is known, its tenant.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

/// Made once, on first use, from whatever meter the process has by then.
static REFUSED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    service_runtime::meter("gateway")
        .u64_counter("scim.requests.refused")
        .with_unit("{request}")
        .with_description(
            "Requests refused before they were looked at, by reason: network, url, headers, rate, concurrency, overload, token_rate.",
        )
        .build()
});

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It came from a network that may not call.
    Network,
    /// Its URL is too long.
    Url,
    /// Its headers are too large.
    Headers,
    /// Its tenant sends too many in a second.
    Rate,
    /// Its address, or its tenant, asks for too many access tokens in a second.
    TokenRate,
    /// Its tenant has too many under way.
    Concurrency,
    /// There are too many under way altogether.
    Overload,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Url => "url",
            Self::Headers => "headers",
            Self::Rate => "rate",
            Self::TokenRate => "token_rate",
            Self::Concurrency => "concurrency",
            Self::Overload => "overload",
        }
    }
}

/// Counts a request that was refused.
pub(crate) fn count(reason: Reason) {
    REFUSED.add(1, &[KeyValue::new("reason", reason.name())]);
}

/// Counts a request of a tenant's that was refused.
pub(crate) fn count_of(reason: Reason, tenant: &str) {
    let labels = [
        KeyValue::new("reason", reason.name()),
        KeyValue::new("scim.tenant", tenant.to_owned()),
    ];
    REFUSED.add(1, &labels);
}

/// Has refusals of requests that are nobody's yet begin at 0, so that the first can be told from none.
pub(crate) fn begin() {
    for reason in [Reason::Network, Reason::Url, Reason::Headers, Reason::TokenRate] {
        REFUSED.add(0, &[KeyValue::new("reason", reason.name())]);
    }
}

/// The same of a tenant's requests.
pub(crate) fn begin_of(tenant: &str) {
    for reason in [Reason::Rate, Reason::TokenRate, Reason::Concurrency, Reason::Overload] {
        let labels = [
            KeyValue::new("reason", reason.name()),
            KeyValue::new("scim.tenant", tenant.to_owned()),
        ];
        REFUSED.add(0, &labels);
    }
}
