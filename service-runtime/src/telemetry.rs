//! Logs, traces and metrics of the process, set up once by `main`. Traces always exist, so that every log record has a
//! trace id and context is handed on; they leave the process only when a collector is named. Metrics are always there
//! to be scraped. A collector that is down costs telemetry, never a request.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, reload};

use crate::{Error, log_format, process};

mod exports;
pub(crate) mod log_filter;
mod sampling;
mod span_queue;

use exports::Told;
use log_filter::LogFilter;
use sampling::Share;
use span_queue::SpanQueue;

/// Settings of logs, traces and metrics.
#[derive(clap::Args, Clone, Debug)]
pub struct TelemetryArgs {
    /// Which log records are written, as a level or a filter such as `info,gateway=debug`.
    #[arg(long, env = "LOG", value_name = "FILTER", default_value = "info,opentelemetry=warn")]
    pub log: String,
    /// How log records are written.
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Collector that traces and metrics are sent to by OTLP over gRPC, such as http://collector:4317; none when absent.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Share of traces that are sent to the collector, from 0 to 1. Every service decides alike, so set it alike for all. Leave it at
    /// 1 where the collector chooses, by what came of a request.
    #[arg(long, env = "TRACE_SHARE", value_name = "SHARE", default_value_t = 1.0, value_parser = sampling::parse_share)]
    pub trace_share: f64,
}

impl Default for TelemetryArgs {
    fn default() -> Self {
        Self {
            log: "info,opentelemetry=warn".to_owned(),
            log_format: LogFormat::Text,
            otlp_endpoint: None,
            trace_share: 1.0,
        }
    }
}

/// How log records are written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object on each line.
    Json,
}

/// The process's telemetry. Keep it until the end and shut it down, or the last spans are lost.
#[derive(Debug)]
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

/// Boundaries for durations in seconds, from the HTTP conventions, with room for slow deliveries: the SDK's own are meant for
/// milliseconds, so that every duration in seconds would fall into the first.
pub(crate) const SECONDS: [f64; 17] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// How many series one metric has at most; those beyond share one, which has the label `otel_metric_overflow`. The SDK's 2,000
/// would be used up by some tens of tenants.
const MOST_SERIES: usize = 20_000;
/// How long one export, and the last flush, may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

static SET_UP: AtomicBool = AtomicBool::new(false);
static REGISTRY: OnceLock<prometheus::Registry> = OnceLock::new();

/// Sets up the process's telemetry, which is called `service_name` by the collector. With a collector it must be called
/// inside a tokio runtime. A second call is an error and changes nothing.
pub fn init(service_name: &'static str, args: &TelemetryArgs) -> Result<Telemetry, Error> {
    let filter = EnvFilter::try_new(&args.log).map_err(|error| Error::setting("LOG", error.to_string()))?;
    // An empty variable is how deployment files say "not set".
    let endpoint = args.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
    if endpoint.is_some_and(|endpoint| !endpoint.starts_with("http://") && !endpoint.starts_with("https://")) {
        // Without a scheme the exporter would take TLS for granted and fail in silence.
        return Err(Error::setting(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "must begin with http:// or https://",
        ));
    }
    if SET_UP.swap(true, Ordering::SeqCst) {
        return Err(Error::TelemetryTwice);
    }
    let set_up = Telemetry::new(service_name, endpoint, args.trace_share)
        .and_then(|telemetry| telemetry.install(args.log_format, &args.log, filter));
    if set_up.is_err() {
        SET_UP.store(false, Ordering::SeqCst);
    }
    set_up
}

/// A meter of the process; `name` is the crate that measures. Create instruments after [`init`], when a service starts:
/// before it they measure nothing.
pub fn meter(name: &'static str) -> Meter {
    opentelemetry::global::meter(name)
}

/// The process's metrics in Prometheus' text form; empty before [`init`].
pub(crate) fn prometheus_text() -> Result<String, prometheus::Error> {
    let families = REGISTRY.get().map(prometheus::Registry::gather).unwrap_or_default();
    prometheus::TextEncoder::new().encode_to_string(&families)
}

impl Telemetry {
    fn new(service_name: &'static str, endpoint: Option<&str>, share: f64) -> Result<Self, Error> {
        // Who else has it: OTEL_RESOURCE_ATTRIBUTES, which the builder reads.
        let resource = Resource::builder()
            .with_service_name(service_name)
            .with_attributes([
                KeyValue::new("service.namespace", "delinea-scim-gateway"),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()),
            ])
            .build();
        let registry = prometheus::Registry::new();
        let scraped = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .build()
            .map_err(|error| Error::Metrics(error.into()))?;
        let mut metrics = SdkMeterProvider::builder()
            .with_resource(resource.clone())
            .with_reader(scraped)
            .with_view(room);
        let mut traces = SdkTracerProvider::builder()
            .with_resource(resource)
            // Where nobody takes them, spans are there for the ids that logs and calls have, and cost little.
            .with_sampler(Share::new(endpoint.map_or(0.0, |_| share)));
        let refused = |source: opentelemetry_otlp::ExporterBuildError| Error::Exporter {
            endpoint: endpoint.unwrap_or_default().to_owned(),
            source: source.into(),
        };
        if let Some(endpoint) = endpoint {
            let figures = MetricExporter::builder()
                .with_tonic()
                .with_endpoint(endpoint)
                .with_timeout(EXPORT_TIMEOUT);
            metrics = metrics.with_periodic_exporter(Told::new(figures.build().map_err(refused)?));
        }
        let metrics = metrics.build();
        if let Some(endpoint) = endpoint {
            let spans = SpanExporter::builder()
                .with_tonic()
                .with_endpoint(endpoint)
                .with_timeout(EXPORT_TIMEOUT);
            let exporter = spans.build().map_err(refused)?;
            traces = traces.with_span_processor(SpanQueue::new(exporter, &metrics.meter("service-runtime")));
        }
        // A set-up that failed halfway leaves the registry empty for the next.
        let _ = REGISTRY.set(registry);
        Ok(Self {
            traces: traces.build(),
            metrics,
        })
    }

    fn install(self, format: LogFormat, configured: &str, filter: EnvFilter) -> Result<Self, Error> {
        // What is traced does not depend on what is logged, or a quiet log would cut the traces. The transport's own
        // spans are left out: exporting them would make more of them.
        let traced = [
            "h2",
            "hyper",
            "hyper_util",
            "tonic",
            "tower",
            "reqwest",
            "rustls",
            "opentelemetry",
        ]
        .into_iter()
        .fold(Targets::new().with_default(LevelFilter::INFO), |targets, target| {
            targets.with_target(target, LevelFilter::OFF)
        });
        let spans = tracing_opentelemetry::layer()
            .with_tracer(self.traces.tracer("service-runtime"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(traced);
        let (filter, handle) = reload::Layer::new(filter);
        let logs = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(std::io::stderr)
            .event_format(log_format::Records(format))
            .fmt_fields(log_format::NoSpanFields)
            .with_filter(filter);
        tracing_subscriber::registry()
            .with(logs)
            .with(spans)
            .try_init()
            .map_err(|_| Error::TelemetryTwice)?;
        LogFilter::of(configured, handle).install();
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        opentelemetry::global::set_tracer_provider(self.traces.clone());
        opentelemetry::global::set_meter_provider(self.metrics.clone());
        process::register(&meter("process"));
        Ok(self)
    }

    /// Sends what is left, within a bounded time. Blocks: call it when the service has stopped, outside asynchronous
    /// code, while the runtime still lives.
    pub fn shutdown(self) {
        for result in [
            self.traces.shutdown_with_timeout(EXPORT_TIMEOUT),
            self.metrics.shutdown_with_timeout(EXPORT_TIMEOUT),
        ] {
            if let Err(error) = result {
                tracing::warn!(%error, "the last telemetry was not delivered");
            }
        }
    }
}

/// Gives what is measured of each tenant room for many of them; what the runtime measures of itself has few labels. Room costs
/// memory whether or not it is used.
fn room(instrument: &Instrument) -> Option<Stream> {
    let is_our_own = ["service-runtime", "process"].contains(&instrument.scope().name());
    // Each tenant's Platform is a dependency.
    if is_our_own && instrument.name() != "service.dependency.state" {
        return None;
    }
    Stream::builder().with_cardinality_limit(MOST_SERIES).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_of_each_tenant_has_room_for_many_and_keeps_its_boundaries() {
        let registry = prometheus::Registry::new();
        let scraped = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .build()
            .unwrap();
        let provider = SdkMeterProvider::builder().with_reader(scraped).with_view(room).build();
        let meter = provider.meter("identity-service");
        let counter = meter.u64_counter("scim.things").build();
        for tenant in 0..5_000 {
            counter.add(1, &[KeyValue::new("scim.tenant", format!("tenant-{tenant}"))]);
        }
        let delay = meter.f64_histogram("scim.delay").with_unit("s");
        delay.with_boundaries(vec![0.5, 86_400.0]).build().record(60.0, &[]);
        let meter = provider.meter("service-runtime");
        let own = meter.f64_histogram("own").with_unit("s");
        own.with_boundaries(SECONDS.to_vec()).build().record(0.07, &[]);
        let told = prometheus::TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        assert!(!told.contains("otel_metric_overflow"), "{told}");
        assert_eq!(
            told.lines()
                .filter(|line| line.starts_with("scim_things_total{"))
                .count(),
            5_000
        );
        for bound in [
            "scim_delay_seconds_bucket{otel_scope_name=\"identity-service\",le=\"86400\"} 1",
            "le=\"0.075\"} 1",
        ] {
            assert!(told.contains(bound), "{told}");
        }
    }
}
