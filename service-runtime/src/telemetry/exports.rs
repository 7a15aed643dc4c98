//! How exports to the collector end: measured each, and told to the log once when they begin to fail and once when they work
//! again. What fails is lost; a request never learns of it.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_semantic_conventions::attribute;
use tokio::time::Instant;

/// The exports of one kind of telemetry.
pub(super) struct Exports {
    exporter: &'static str,
    what: &'static str,
    /// Made with the first export: an exporter is there before the process has a meter.
    duration: OnceLock<Histogram<f64>>,
    failing: AtomicBool,
}

impl Exports {
    /// Those of an exporter, by the conventions' name of its kind, of what the log calls `what`.
    pub(super) fn new(exporter: &'static str, what: &'static str) -> Self {
        Self {
            exporter,
            what,
            duration: OnceLock::new(),
            failing: AtomicBool::new(false),
        }
    }

    /// An export has ended.
    pub(super) fn ended(&self, took: Duration, result: &OTelSdkResult) {
        let mut labels = vec![KeyValue::new("otel.component.type", self.exporter)];
        labels.extend(failure(result).map(|kind| KeyValue::new(attribute::ERROR_TYPE, kind)));
        self.duration.get_or_init(duration).record(took.as_secs_f64(), &labels);
        let was_failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => {
                tracing::warn!(%error, telemetry = self.what, "the collector takes no telemetry; what it misses is lost and counted");
            }
            Ok(()) if was_failing => tracing::info!(telemetry = self.what, "the collector takes telemetry again"),
            _ => {}
        }
    }
}

fn duration() -> Histogram<f64> {
    crate::meter("service-runtime")
        .f64_histogram("otel.sdk.exporter.operation.duration")
        .with_unit("s")
        .with_boundaries(super::SECONDS.to_vec())
        .with_description("How long the collector took for an export; with an error.type, it did not take it.")
        .build()
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exports")
            .field("exporter", &self.exporter)
            .finish_non_exhaustive()
    }
}

/// What kind of failure it was, if it was one.
pub(super) fn failure(result: &OTelSdkResult) -> Option<&'static str> {
    match result {
        Ok(()) => None,
        Err(OTelSdkError::Timeout(_)) => Some("timeout"),
        Err(_) => Some("export_failed"),
    }
}

/// An exporter of metrics whose exports are told of.
pub(super) struct Told<E> {
    exporter: E,
    exports: Exports,
}

impl<E> Told<E> {
    pub(super) fn new(exporter: E) -> Self {
        Self {
            exporter,
            exports: Exports::new("otlp_grpc_metric_exporter", "metrics"),
        }
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Told<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let began = Instant::now();
        let result = self.exporter.export(metrics).await;
        self.exports.ended(began.elapsed(), &result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
