//! Panics that were caught. Each is a fault of ours that somebody must mend; none takes down more than what it was about. The panic
//! hook has logged it by the time that it is counted here.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

/// What was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panicked {
    /// A request over HTTP, which is answered with 500.
    Http,
    /// A call over gRPC, which is answered with `INTERNAL`.
    Grpc,
    /// An answer whose head was sent already: it breaks off.
    Answer,
    /// Background work, without which the service ends.
    Task,
}

impl Panicked {
    /// Counts it.
    pub fn count(self) {
        static PANICS: LazyLock<Counter<u64>> = LazyLock::new(|| {
            crate::meter("service-runtime")
                .u64_counter("panics")
                .with_unit("{panic}")
                .with_description("Panics that were caught, by what was under way: http, grpc, answer, task.")
                .build()
        });
        let during = match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
            Self::Answer => "answer",
            Self::Task => "task",
        };
        PANICS.add(1, &[KeyValue::new("during", during)]);
    }
}
