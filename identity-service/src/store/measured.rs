//! The store as the rest of the service has it: how long each step takes is counted, and inside a trace each step is a span.
//!
//! It stands before every engine, so that no engine measures itself and no caller does. It must not change what a step does, nor
//! show what a step is about: no key, no value, no id. Labels are made beforehand, since every request comes through here.
//!
//! A step outside a trace, such as the relay's look for work, has no span: it would be a trace of its own, several in a second.

use std::time::Duration;

use jiff::Timestamp;
use opentelemetry::{KeyValue, metrics::Histogram};
use opentelemetry_semantic_conventions::attribute;
use tokio::time::Instant;
use tonic::async_trait;
use tracing::{Instrument, Span, field::Empty};

use super::{
    Claim, Claims, CredentialAct, Delivery, Entry, ExportCursor, Found, From, ImportMark, Intent, Link, LogPage,
    Member, Order, Origin, Owned, Owner, Pause, PreImage, Relinked, RequestKey, Revert, Reverted, Settlement, Stage,
    Store, StoreError, Summary, Tried, Which, WorkState, Write, WriteError, Written,
};
use crate::{
    id::{Kind, ResourceId, Tenant},
    index::Key,
    record::Record,
};

/// Boundaries in seconds: a file on one machine answers in a part of a millisecond, a server far away in some of them, and one
/// that is away not before its time limit.
const SECONDS: [f64; 12] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0,
];

/// A store whose steps are measured.
pub(crate) struct Measured<S> {
    store: S,
    system: System,
    duration: Histogram<f64>,
    /// The labels of each operation where it went well, in the order of [`OPERATIONS`].
    labels: Vec<[KeyValue; 2]>,
}

/// What keeps the data, by its name in OpenTelemetry's conventions.
#[derive(Debug, Clone, Copy)]
pub(crate) enum System {
    /// A file of this process.
    Redb,
    /// A server.
    Redis,
}

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Redis => "redis",
        }
    }

    /// What a span of it is: a call of another process, or none.
    fn span_kind(self) -> &'static str {
        match self {
            Self::Redb => "internal",
            Self::Redis => "client",
        }
    }
}

impl<S: Store> Measured<S> {
    pub(crate) fn new(store: S, system: System) -> Self {
        let labels = |operation: &&'static str| {
            [
                KeyValue::new(attribute::DB_SYSTEM_NAME, system.name()),
                KeyValue::new(attribute::DB_OPERATION_NAME, *operation),
            ]
        };
        Self {
            store,
            system,
            duration: service_runtime::meter("identity-service")
                .f64_histogram("db.client.operation.duration")
                .with_unit("s")
                .with_boundaries(SECONDS.to_vec())
                .with_description("How long steps of the store take")
                .build(),
            labels: OPERATIONS.iter().map(labels).collect(),
        }
    }

    async fn measure<T, E: Failure>(
        &self,
        operation: Operation,
        step: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let span = self.span(operation);
        let began = Instant::now();
        let result = step.instrument(span.clone()).await;
        let took = began.elapsed().as_secs_f64();
        let labels = &self.labels[operation as usize];
        match result.as_ref().err().and_then(Failure::kind) {
            None => self.duration.record(took, labels),
            Some(error) => {
                span.record("error.type", error);
                span.record("otel.status_code", "ERROR");
                let [system, name] = labels.clone();
                let labels = [system, name, KeyValue::new(attribute::ERROR_TYPE, error)];
                self.duration.record(took, &labels);
            }
        }
        result
    }

    fn span(&self, operation: Operation) -> Span {
        if Span::current().is_none() {
            return Span::none();
        }
        let name = OPERATIONS[operation as usize];
        tracing::info_span!(
            "store",
            otel.name = name,
            otel.kind = self.system.span_kind(),
            otel.status_code = Empty,
            db.system.name = self.system.name(),
            db.operation.name = name,
            error.type = Empty,
        )
    }
}

/// An error of which can be told whether the store failed, or said what is so.
trait Failure {
    /// What kind of failure it is; `None` for an answer.
    fn kind(&self) -> Option<&'static str>;
}

impl Failure for StoreError {
    fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::Engine { .. } => "engine",
            Self::Corrupt { .. } => "corrupt",
            Self::Unfit { .. } => "unfit",
            Self::Closed => "closed",
        })
    }
}

impl Failure for WriteError {
    fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) => error.kind(),
            _ => None,
        }
    }
}

/// Makes of each method one that measures. The compiler sees to it that none is missing.
macro_rules! measured {
    ($($operation:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        /// The names of the operations: those of the trait's methods.
        const OPERATIONS: &[&str] = &[$(stringify!($operation)),*];

        /// The place of an operation in [`OPERATIONS`].
        #[derive(Debug, Clone, Copy)]
        #[expect(non_camel_case_types, reason = "named as the methods are")]
        enum Operation {
            $($operation),*
        }

        #[async_trait]
        impl<S: Store> Store for Measured<S> {
            $(async fn $operation(&self, $($argument: $type),*) -> $result {
                self.measure(Operation::$operation, self.store.$operation($($argument),*)).await
            })*
        }
    };
}

measured! {
    get(tenant: &Tenant, kind: Kind, id: ResourceId) -> Result<Option<Record>, StoreError>;
    get_many(tenant: &Tenant, kind: Kind, ids: &[ResourceId]) -> Result<Vec<Record>, StoreError>;
    find(tenant: &Tenant, kind: Kind, key: &Key, limit: usize) -> Result<Vec<ResourceId>, StoreError>;
    look_up(tenant: &Tenant, kind: Kind, which: Which<'_>, groups: usize) -> Result<Found, StoreError>;
    list(tenant: &Tenant, kind: Kind, from: From, limit: usize) -> Result<Vec<Record>, StoreError>;
    count(tenant: &Tenant, kind: Kind) -> Result<u64, StoreError>;
    members(tenant: &Tenant, group: ResourceId, after: Option<ResourceId>, limit: usize) -> Result<Vec<Member>, StoreError>;
    is_member(tenant: &Tenant, group: ResourceId, member: ResourceId) -> Result<bool, StoreError>;
    groups_of(tenant: &Tenant, member: ResourceId, after: Option<ResourceId>, limit: usize) -> Result<Vec<ResourceId>, StoreError>;
    write(tenant: &Tenant, write: Write) -> Result<Written, WriteError>;
    answered(tenant: &Tenant, request: &RequestKey, now: Timestamp) -> Result<Option<Written>, WriteError>;
    log(tenant: &Tenant, after: u64, limit: usize) -> Result<LogPage, StoreError>;
    feed_id(tenant: &Tenant) -> Result<u64, StoreError>;
    newest_entry(tenant: &Tenant) -> Result<u64, StoreError>;
    claim(tenant: &Tenant, now: Timestamp, lease: Duration, limit: usize) -> Result<Claims, StoreError>;
    renew(claim: &Claim, until: Timestamp) -> Result<bool, StoreError>;
    rewind(tenant: &Tenant, now: Timestamp, lease: Duration) -> Result<(), StoreError>;
    order(claim: &Claim, batch: usize) -> Result<Option<Order>, StoreError>;
    record_intent(claim: &Claim, name: &str) -> Result<Intent, StoreError>;
    release(tenant: &Tenant, id: ResourceId, origin: Option<&Origin>, now: Timestamp) -> Result<bool, StoreError>;
    pre_image(tenant: &Tenant, kind: Kind, id: ResourceId) -> Result<Option<PreImage>, StoreError>;
    revert(tenant: &Tenant, revert: Revert) -> Result<Reverted, StoreError>;
    stages(tenant: &Tenant, group: ResourceId, members: &[ResourceId]) -> Result<Vec<Option<(Stage, u64)>>, StoreError>;
    revert_members(tenant: &Tenant, group: ResourceId, members: &[(ResourceId, u64)], origin: Option<&Origin>, now: Timestamp) -> Result<Vec<ResourceId>, StoreError>;
    discard_members(tenant: &Tenant, group: ResourceId, origin: Option<&Origin>, now: Timestamp) -> Result<bool, StoreError>;
    set_pause(tenant: &Tenant, pause: Option<Pause>, origin: Option<&Origin>, now: Timestamp) -> Result<(), StoreError>;
    pause(tenant: &Tenant) -> Result<Option<Pause>, StoreError>;
    settle(claim: &Claim, tried: &Tried, settlement: Settlement, now: Timestamp) -> Result<(), StoreError>;
    link(tenant: &Tenant, id: ResourceId) -> Result<Option<Link>, StoreError>;
    owner(tenant: &Tenant, kind: Kind, platform_id: &str) -> Result<Option<Owner>, StoreError>;
    intender(tenant: &Tenant, kind: Kind, name: &str) -> Result<Option<Owner>, StoreError>;
    delivery(tenant: &Tenant, id: ResourceId) -> Result<Option<Delivery>, StoreError>;
    deliveries(tenant: &Tenant, state: Option<WorkState>, after: Option<ResourceId>, limit: usize) -> Result<Vec<Delivery>, StoreError>;
    retry(tenant: &Tenant, id: ResourceId, origin: Option<&Origin>, now: Timestamp) -> Result<bool, StoreError>;
    repair(tenant: &Tenant, id: ResourceId, urgent: bool, origin: Option<&Origin>, now: Timestamp) -> Result<bool, StoreError>;
    relink(tenant: &Tenant, kind: Kind, id: ResourceId, object: (String, String), origin: Option<&Origin>, now: Timestamp) -> Result<Relinked, StoreError>;
    deliver_planned(tenant: &Tenant, now: Timestamp) -> Result<usize, StoreError>;
    summary(tenant: &Tenant) -> Result<Summary, StoreError>;
    sweep(tenant: &Tenant, now: Timestamp) -> Result<usize, StoreError>;
    owned(tenant: &Tenant, kind: Kind, platform_ids: &[String]) -> Result<Vec<Option<Owned>>, StoreError>;
    doubt_members(tenant: &Tenant, group: ResourceId, members: &[ResourceId], origin: Option<&Origin>, now: Timestamp) -> Result<usize, StoreError>;
    log_repair(tenant: &Tenant, group: ResourceId, origin: Option<&Origin>, now: Timestamp) -> Result<(), StoreError>;
    take_turn(tenant: &Tenant, now: Timestamp, interval: Duration) -> Result<bool, StoreError>;
    keep_comparison(tenant: &Tenant, summary: String) -> Result<(), StoreError>;
    comparison(tenant: &Tenant) -> Result<Option<String>, StoreError>;
    credentials(tenant: &Tenant) -> Result<Option<String>, StoreError>;
    keep_credentials(tenant: &Tenant, seen: Option<String>, credentials: String, told: Option<CredentialAct>, now: Timestamp) -> Result<bool, StoreError>;
    export(tenant: &Tenant, after: Option<ExportCursor>, limit: usize) -> Result<(Vec<Entry>, Option<ExportCursor>), StoreError>;
    import(tenant: &Tenant, entries: Vec<Entry>) -> Result<(), StoreError>;
    importing(tenant: &Tenant) -> Result<Option<ImportMark>, StoreError>;
}
