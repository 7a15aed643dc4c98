//! How a log record looks: one line, text or JSON, with the ids of the trace it belongs to. The ids come from the active
//! trace context and not from log spans, so that they are there whatever the log filter lets through.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::LogFormat;

/// Formats the process's log records.
pub(crate) struct Records(pub(crate) LogFormat);

impl<S, N> FormatEvent<S, N> for Records
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let trace = Context::map_current(|context| context.span().span_context().clone());
        match self.0 {
            LogFormat::Json => json(&mut writer, event, &trace),
            LogFormat::Text => {
                let metadata = event.metadata();
                let now = jiff::Timestamp::now();
                write!(
                    writer,
                    "{now:.3} {:>5} {}: ",
                    metadata.level().as_str(),
                    metadata.target()
                )?;
                DefaultFields::new().format_fields(writer.by_ref(), event)?;
                if trace.is_valid() {
                    write!(writer, " trace_id={} span_id={}", trace.trace_id(), trace.span_id())?;
                }
                writeln!(writer)
            }
        }
    }
}

/// Keeps no text of the fields of spans: no record shows them, and each request has three spans.
pub(crate) struct NoSpanFields;

impl<'w> FormatFields<'w> for NoSpanFields {
    fn format_fields<R: RecordFields>(&self, _writer: Writer<'w>, _fields: R) -> fmt::Result {
        Ok(())
    }
}

#[derive(Serialize)]
struct Record<'a> {
    timestamp: String,
    level: &'a str,
    target: &'a str,
    message: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    fields: Map<String, Value>,
}

fn json(writer: &mut Writer<'_>, event: &Event<'_>, trace: &SpanContext) -> fmt::Result {
    let metadata = event.metadata();
    let mut fields = Fields(Map::new());
    event.record(&mut fields);
    let record = Record {
        timestamp: format!("{:.3}", jiff::Timestamp::now()),
        level: metadata.level().as_str(),
        target: metadata.target(),
        message: fields.0.remove("message").unwrap_or_default(),
        trace_id: trace.is_valid().then(|| trace.trace_id().to_string()),
        span_id: trace.is_valid().then(|| trace.span_id().to_string()),
        fields: fields.0,
    };
    writeln!(writer, "{}", serde_json::to_string(&record).map_err(|_| fmt::Error)?)
}

/// Gathers an event's fields as JSON values.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{EnvFilter, Layer};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged by `work` when only warnings are.
    fn logged(format: LogFormat, work: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let logs = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(Records(format))
            .with_filter(EnvFilter::new("warn"));
        let subscriber = tracing_subscriber::registry()
            .with(tracing_opentelemetry::layer().with_tracer(tracer))
            .with(logs);
        tracing::subscriber::with_default(subscriber, work);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_record_names_its_trace_also_when_its_span_is_not_logged() {
        let text = logged(LogFormat::Json, || {
            let _span = tracing::info_span!("request").entered();
            tracing::warn!(attempts = 3, ok = false, "a \"quoted\" line\nand another");
        });
        let record: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!(record["message"], "a \"quoted\" line\nand another");
        assert_eq!(record["fields"], serde_json::json!({ "attempts": 3, "ok": false }));
        assert_eq!(record["trace_id"].as_str().unwrap().len(), 32);
        assert_eq!(record["span_id"].as_str().unwrap().len(), 16);

        let line = logged(LogFormat::Text, || {
            let _span = tracing::info_span!("request").entered();
            tracing::warn!(attempts = 3, "late");
        });
        assert!(
            line.contains(" WARN ") && line.contains("late attempts=3 trace_id="),
            "{line}"
        );
    }

    #[test]
    fn a_record_outside_a_trace_names_none() {
        let line = logged(LogFormat::Text, || tracing::warn!("alone"));
        assert!(line.ends_with("alone\n"), "{line}");
    }
}
