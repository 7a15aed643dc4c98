//! What is counted about calls to the Platform, for each tenant. Attributes are tenants, method names, outcome classes and paths
//! of SCIM attributes, all from short lists: never an id, a name or a text of the Platform's.

mod told;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};

use self::told::Told;
pub(crate) use self::told::tell;
use crate::platform::{capabilities::State, pace::Cause};

/// Boundaries in seconds: a call takes milliseconds when all is well, and tens of seconds when it is not.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What may become of a request for a token: `ok`, or the kind of its failure.
const TOKENS: [&str; 6] = [
    "ok",
    "credentials",
    "throttled",
    "unreachable",
    "timeout",
    "unavailable",
];

/// The instruments. A clone is the same instruments.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    name: Arc<str>,
    tenant: KeyValue,
    calls: Counter<u64>,
    duration: Histogram<f64>,
    tokens: Counter<u64>,
    read_backs: Counter<u64>,
    slow_downs: Counter<u64>,
    unmapped: Counter<u64>,
    unknown_refusals: Counter<u64>,
    /// What is so now, as long as the tenant is served.
    told: Arc<Told>,
}

impl Metrics {
    /// Those of a tenant.
    pub(crate) fn new(tenant: &str) -> Self {
        let meter = service_runtime::meter("delinea-adapter");
        Self {
            name: tenant.into(),
            tenant: KeyValue::new("scim.tenant", tenant.to_owned()),
            told: Told::of(tenant),
            calls: meter
                .u64_counter("platform.calls")
                .with_description("Calls to the Platform by method and outcome")
                .build(),
            duration: meter
                .f64_histogram("platform.call.duration")
                .with_unit("s")
                .with_boundaries(SECONDS.to_vec())
                .with_description("How long a call to the Platform took, the wait for its turn excluded")
                .build(),
            tokens: meter
                .u64_counter("platform.token.renewals")
                .with_description("Tokens asked for, by outcome")
                .build(),
            read_backs: meter
                .u64_counter("platform.read_backs")
                .with_description("Writes whose outcome was looked for, by what came of it")
                .build(),
            slow_downs: meter
                .u64_counter("platform.pace.slow_downs")
                .with_description("Times that calls were made slower or fewer at once, by cause")
                .build(),
            unmapped: meter
                .u64_counter("platform.unmapped.attributes")
                .with_description(
                    "SCIM attributes that users have and no Platform field is made of; each is counted once",
                )
                .build(),
            unknown_refusals: meter
                .u64_counter("platform.unknown.refusals")
                .with_description("Refusals of which no matcher knows what they are about, by method")
                .build(),
        }
    }

    /// Has what is counted begin at 0, as far as its labels are known beforehand, so that the first of each can be told from none.
    pub(crate) fn begin(&self) {
        for outcome in TOKENS {
            self.tokens.add(0, &self.with([KeyValue::new("outcome", outcome)]));
        }
        for cause in Cause::ALL {
            self.slow_downs
                .add(0, &self.with([KeyValue::new("cause", cause.name())]));
        }
    }

    /// When the secret of the service user ends, if that is known.
    pub(crate) fn secret_ends(&self, at: Option<Timestamp>) {
        self.told.secret_ends(at);
    }

    /// The tenant, for logs and spans.
    pub(crate) fn tenant(&self) -> &str {
        &self.name
    }

    /// A call has ended.
    pub(crate) fn call(&self, method: &'static str, outcome: &'static str, took: Duration) {
        let attributes = self.with([KeyValue::new("method", method), KeyValue::new("outcome", outcome)]);
        self.calls.add(1, &attributes);
        self.duration.record(took.as_secs_f64(), &attributes);
    }

    /// A probe found a call in a state.
    pub(crate) fn capability(&self, method: &'static str, state: State) {
        self.told.capability(method, state);
    }

    /// A token was asked for.
    pub(crate) fn token(&self, outcome: &'static str) {
        self.tokens.add(1, &self.with([KeyValue::new("outcome", outcome)]));
    }

    /// A write in doubt was looked for.
    pub(crate) fn read_back(&self, method: &'static str, found: bool) {
        let outcome = if found { "found" } else { "not_found" };
        let attributes = self.with([KeyValue::new("method", method), KeyValue::new("outcome", outcome)]);
        self.read_backs.add(1, &attributes);
    }

    /// So many calls a second go out at most; 0 is no limit.
    pub(crate) fn rate(&self, calls_a_second: f64) {
        self.told.rate(calls_a_second);
    }

    /// So many calls are under way at most.
    pub(crate) fn concurrency(&self, at_once: usize) {
        self.told.concurrency(at_once);
    }

    /// Calls are made slower or fewer at once.
    pub(crate) fn slow_down(&self, cause: &'static str) {
        self.slow_downs.add(1, &self.with([KeyValue::new("cause", cause)]));
    }

    /// Users have an attribute that is not mapped.
    pub(crate) fn unmapped(&self, attribute: &str) {
        let attributes = self.with([KeyValue::new("attribute", attribute.to_owned())]);
        self.unmapped.add(1, &attributes);
    }

    /// A refusal is not known.
    pub(crate) fn unknown_refusal(&self, method: &'static str) {
        self.unknown_refusals
            .add(1, &self.with([KeyValue::new("method", method)]));
    }

    fn with<const N: usize>(&self, attributes: [KeyValue; N]) -> Vec<KeyValue> {
        let mut all = Vec::with_capacity(N + 1);
        all.push(self.tenant.clone());
        all.extend(attributes);
        all
    }
}
