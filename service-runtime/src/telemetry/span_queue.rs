//! Spans on their way to the collector. A span that ends is put into a queue of fixed length, and one task sends what is there.
//! Nobody ever waits for it: when the queue is full, because the collector is slow or away, the span is dropped and counted.
//!
//! The SDK's own processor does as much, but tells nobody how many it dropped until the process ends.

use std::sync::Mutex;
use std::sync::mpsc as blocking;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Meter};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use opentelemetry_semantic_conventions::attribute;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::EXPORT_TIMEOUT;
use super::exports::{Exports, failure};

/// How many spans wait at most: some seconds of a busy service, a few megabytes.
const QUEUE: usize = 4096;
/// How many are sent at once.
const BATCH: usize = 512;
/// How long a span waits for others to be sent with.
const DELAY: Duration = Duration::from_secs(1);
/// The `error.type` of a span that found no room.
const QUEUE_FULL: &str = "queue_full";

/// The queue, and the way to have it emptied.
#[derive(Debug)]
pub(super) struct SpanQueue<E> {
    spans: mpsc::Sender<SpanData>,
    flushes: mpsc::UnboundedSender<Flush>,
    counts: Counts,
    /// What will send them, until it is known in whose name.
    idle: Mutex<Option<Sender<E>>>,
}

/// Asks for all that is queued to be sent, and to be told then.
type Flush = blocking::SyncSender<()>;

/// What is counted of spans.
#[derive(Clone, Debug)]
struct Counts {
    processed: Counter<u64>,
    exported: Counter<u64>,
}

impl<E: SpanExporter + 'static> SpanQueue<E> {
    /// A queue that `exporter` empties, counted by `meter`.
    pub(super) fn new(exporter: E, meter: &Meter) -> Self {
        let (spans, queued) = mpsc::channel(QUEUE);
        let (flushes, asked) = mpsc::unbounded_channel();
        let counts = Counts::new(&spans, meter);
        let idle = Sender {
            queued,
            asked,
            exporter,
            exports: Exports::new("otlp_grpc_span_exporter", "spans"),
            counts: counts.clone(),
        };
        Self {
            spans,
            flushes,
            counts,
            idle: Mutex::new(Some(idle)),
        }
    }

    fn emptied_within(&self, limit: Duration) -> OTelSdkResult {
        let (told, emptied) = blocking::sync_channel(1);
        self.flushes.send(told).map_err(|_| OTelSdkError::AlreadyShutdown)?;
        emptied.recv_timeout(limit).map_err(|_| OTelSdkError::Timeout(limit))
    }
}

impl<E: SpanExporter + 'static> SpanProcessor for SpanQueue<E> {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        match self.spans.try_send(span) {
            Ok(()) => self.counts.processed.add(1, &[]),
            Err(mpsc::error::TrySendError::Full(_)) => self.counts.dropped(),
            // The process is about to end: nothing is measured any more either.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.emptied_within(EXPORT_TIMEOUT)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.emptied_within(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        let idle = self.idle.get_mut().ok().and_then(Option::take);
        if let Some(mut sender) = idle {
            sender.exporter.set_resource(resource);
            tokio::spawn(sender.run());
        }
    }
}

/// Sends what is queued.
#[derive(Debug)]
struct Sender<E> {
    queued: mpsc::Receiver<SpanData>,
    asked: mpsc::UnboundedReceiver<Flush>,
    exporter: E,
    exports: Exports,
    counts: Counts,
}

impl<E: SpanExporter> Sender<E> {
    async fn run(mut self) {
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            let flush = self.gather(&mut batch).await;
            let ended = flush.is_none() && batch.is_empty();
            self.send(batch).await;
            if let Some(told) = flush {
                // What ended before it was asked for; what ends meanwhile may wait.
                for _ in 0..=QUEUE / BATCH {
                    let mut rest = Vec::new();
                    while rest.len() < BATCH
                        && let Ok(span) = self.queued.try_recv()
                    {
                        rest.push(span);
                    }
                    self.send(rest).await;
                }
                // Whoever asked may have stopped waiting.
                let _ = told.try_send(());
            }
            if ended {
                return;
            }
        }
    }

    /// Takes spans until they are as many as are sent at once, until the first has waited long enough, or until all shall be
    /// sent. Nothing at all: there will be no more.
    async fn gather(&mut self, batch: &mut Vec<SpanData>) -> Option<Flush> {
        tokio::select! {
            flush = self.asked.recv() => return flush,
            taken = self.queued.recv_many(batch, BATCH) => if taken == 0 { return None },
        }
        let until = Instant::now() + DELAY;
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                flush = self.asked.recv() => return flush,
                taken = self.queued.recv_many(batch, room) => if taken == 0 { break },
                () = sleep_until(until) => break,
            }
        }
        None
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        if count == 0 {
            return;
        }
        let began = Instant::now();
        let result = self.exporter.export(batch).await;
        self.counts.exported(count, &result);
        self.exports.ended(began.elapsed(), &result);
    }
}

impl Counts {
    fn new(spans: &mpsc::Sender<SpanData>, meter: &Meter) -> Self {
        let processed = meter
            .u64_counter("otel.sdk.processor.span.processed")
            .with_unit("{span}")
            .with_description("Spans that ended and were queued for the collector; with an error.type, dropped.")
            .build();
        let exported = meter
            .u64_counter("otel.sdk.exporter.span.exported")
            .with_unit("{span}")
            .with_description("Spans sent to the collector; with an error.type, lost on the way.")
            .build();
        let queue = spans.downgrade();
        meter
            .u64_observable_gauge("otel.sdk.processor.span.queue.size")
            .with_unit("{span}")
            .with_description("Spans that wait to be sent to the collector.")
            .with_callback(move |gauge| {
                if let Some(queue) = queue.upgrade() {
                    gauge.observe((queue.max_capacity() - queue.capacity()) as u64, &[]);
                }
            })
            .build();
        let counts = Self { processed, exported };
        counts
            .processed
            .add(0, &[KeyValue::new(attribute::ERROR_TYPE, QUEUE_FULL)]);
        counts.exported.add(0, &[]);
        counts
    }

    fn dropped(&self) {
        self.processed
            .add(1, &[KeyValue::new(attribute::ERROR_TYPE, QUEUE_FULL)]);
    }

    fn exported(&self, spans: u64, result: &OTelSdkResult) {
        match failure(result) {
            None => self.exported.add(spans, &[]),
            Some(kind) => self.exported.add(spans, &[KeyValue::new(attribute::ERROR_TYPE, kind)]),
        }
    }
}
