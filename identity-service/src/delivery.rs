//! The relay: takes due work under a lease, asks delinea-adapter to make the Platform match, and settles.
//!
//! It looks at what is wanted now, never at what woke it, so any step may be repeated and any process may die at any
//! moment: the work stays in the outbox until it is settled. It knows outcomes and schedules; it must not know the
//! Platform's fields.

mod apply;
mod backoff;
mod breaker;
mod clock;
mod doubt;
mod dry_run;
mod ending;
mod groups;
mod lease;
mod users;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use proto::{adapter::v1::adapter_service_client::AdapterServiceClient, error::ErrorReason};
use service_runtime::{Connection, Dependency, trace_context};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use self::{
    breaker::{Allowed, Breaker},
    clock::{Clock, is_ahead},
};
use crate::{
    config::DeliveryConfig,
    id::{Kind, Tenant},
    metrics,
    store::{
        Applied, Brake, Claim, Held, Settlement, Store, StoreError, Tried,
        traces::{self, Asked},
    },
    tenants::{Served, Tenants},
    wake::Wake,
};

/// How long the relay sleeps at most, should a bell be missed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How long deliveries that are under way may take when the relay is told to stop.
const LAST_DELIVERIES: Duration = Duration::from_secs(3);
/// For how long deliveries of a change, repeated ones too, belong to the trace of its request. What comes later is a trace of its own
/// with a link: a trace of hours shows nothing, and whoever keeps traces has long decided about it.
const ONE_TRACE: Duration = Duration::from_secs(60);
/// How long the relay waits after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What deliveries of any tenant need.
#[derive(Clone)]
pub struct Relays {
    /// The tenants that are served.
    pub tenants: Tenants,
    /// Where the work is.
    pub store: Arc<dyn Store>,
    /// The adapter.
    pub adapter: AdapterServiceClient<Connection>,
    /// Rings when there is new work.
    pub wake: Wake,
    /// The adapter's state, as the last call showed it.
    pub adapter_state: Dependency,
}

/// Delivers what is due of one tenant, by the settings that are in force when a delivery begins.
struct Relay {
    served: Arc<Served>,
    store: Arc<dyn Store>,
    adapter: AdapterServiceClient<Connection>,
    wake: Wake,
    adapter_state: Dependency,
}

impl Relays {
    /// Delivers what is due of a tenant until told to stop, or until it is no longer served; then finishes what is under way, as
    /// far as that takes a moment only. What is cut off keeps its lease: it may still be under way on the Platform, and is looked
    /// at anew when the lease is over or the next start takes it back.
    pub async fn run(self, tenant: Tenant, stop: CancellationToken) {
        let under_way = TaskTracker::new();
        let cut = CancellationToken::new();
        tokio::join!(
            self.take_work(&tenant, &under_way, &stop, &cut),
            self.deliver_planned(&tenant, &stop)
        );
        under_way.close();
        if tokio::time::timeout(LAST_DELIVERIES, under_way.wait()).await.is_err() {
            tracing::info!(
                scim.tenant = %tenant,
                deliveries = under_way.len(),
                "cut off what is still being delivered; it is repeated after the next start"
            );
            cut.cancel();
            under_way.wait().await;
        }
    }

    /// Deliveries by a tenant's settings.
    fn relay(&self, served: Arc<Served>) -> Arc<Relay> {
        Arc::new(Relay {
            served,
            store: self.store.clone(),
            adapter: self.adapter.clone(),
            wake: self.wake.clone(),
            adapter_state: self.adapter_state.clone(),
        })
    }

    /// Takes a tenant's work until told to stop. A claim that is asked for is waited for and delivered: dropped, its work
    /// would be left alone until its lease is over.
    async fn take_work(
        &self,
        tenant: &Tenant,
        under_way: &TaskTracker,
        stop: &CancellationToken,
        cut: &CancellationToken,
    ) {
        let mut tenants = self.tenants.clone();
        let Some(served) = stop.run_until_cancelled(tenants.once_served(tenant.as_str())).await else {
            return;
        };
        let mut relay = self.relay(served);
        let mut way = Way::new(&relay.served.delivery);
        let mut wakes = self.wake.listen();
        let mut clock = Clock::new(Timestamp::now(), Instant::now());
        let mut went_back = self.ahead_of_us(tenant).await;
        loop {
            let Some(served) = stop.run_until_cancelled(tenants.once_served(tenant.as_str())).await else {
                return;
            };
            if !Arc::ptr_eq(&served, &relay.served) {
                way = way.by(&served.delivery);
                relay = self.relay(served);
            }
            let Way { slots, breaker, .. } = &way;
            let (pulse, config) = (&relay.served.pulse, &relay.served.delivery);
            if config.delivery_concurrency == 0 {
                tracing::warn!(scim.tenant = %tenant, "DELIVERY_CONCURRENCY is 0: nothing is delivered, everything stays pending");
                pulse.stands_still(true);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tenants.changed() => continue,
                }
            }
            let unseen = clock.went_back(Timestamp::now(), Instant::now());
            self.rewind(tenant, config.delivery_lease, went_back.take().or(unseen))
                .await;
            let allowed = breaker.allowed(Instant::now());
            pulse.breaker_is(breaker.is_open());
            if let Allowed::NothingBefore(until) = allowed {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tenants.changed() => continue,
                    () = tokio::time::sleep_until(until) => continue,
                }
            }
            // One free slot is enough to go on.
            let first = tokio::select! {
                () = stop.cancelled() => return,
                () = tenants.changed() => continue,
                first = slots.clone().acquire_owned() => first,
            };
            let Ok(first) = first else { return };
            if stop.is_cancelled() {
                return;
            }
            let mut free = vec![first];
            // On probation one is tried at a time.
            if allowed == Allowed::Probe && slots.available_permits() + 1 < config.delivery_concurrency {
                drop(free);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = wakes.heard() => continue,
                    () = tokio::time::sleep(STORE_PAUSE) => continue,
                }
            }
            while allowed == Allowed::All
                && let Ok(another) = slots.clone().try_acquire_owned()
            {
                free.push(another);
            }
            let wanted = free.len();
            let claimed = Instant::now();
            let sleep = match self
                .store
                .claim(tenant, Timestamp::now(), config.delivery_lease, wanted)
                .await
            {
                Ok(claims) => {
                    let full = claims.claims.len() == wanted;
                    pulse.is_behind(since(claims.next_due));
                    for (claim, slot) in claims.claims.into_iter().zip(free) {
                        let (relay, breaker, cut) = (relay.clone(), breaker.clone(), cut.clone());
                        under_way.spawn(async move {
                            tokio::select! {
                                () = relay.deliver(claim, claimed, &breaker) => {}
                                () = cut.cancelled() => {}
                            }
                            drop(slot);
                            relay.wake.ring();
                        });
                    }
                    if full { Duration::ZERO } else { until(claims.next_due) }
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        scim.tenant = %tenant,
                        "cannot take work from the store; trying again"
                    );
                    STORE_PAUSE
                }
            };
            if !sleep.is_zero() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep_until(Instant::now() + sleep) => {}
                    () = wakes.heard() => {}
                    () = tenants.changed() => {}
                    by = clock.goes_back() => went_back = Some(by),
                }
            }
        }
    }

    /// By how much the store has seen a later time than it is now, if it has: the clock went back while nobody looked.
    async fn ahead_of_us(&self, tenant: &Tenant) -> Option<Duration> {
        let newest = self.store.newest_entry(tenant).await.ok()?;
        let page = self.store.log(tenant, newest.checked_sub(1)?, 1).await.ok()?;
        is_ahead(page.entries.first()?.at, Timestamp::now())
    }

    /// Has nothing wait for the clock to be again where it was.
    async fn rewind(&self, tenant: &Tenant, lease: Duration, went_back: Option<Duration>) {
        let Some(by) = went_back else { return };
        tracing::warn!(scim.tenant = %tenant, by_ms = by.as_millis(), "the clock went back; what waits for a time is due now");
        if let Err(error) = self.store.rewind(tenant, Timestamp::now(), lease).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the store could not be told that the clock went back; what waits may wait for as long again"
            );
        }
    }
}

impl Relay {
    /// Delivers one claim, made at that moment, and settles it.
    async fn deliver(&self, claim: Claim, claimed: Instant, breaker: &Breaker) {
        let span = tracing::info_span!(
            "deliver",
            otel.kind = "internal",
            scim.tenant = %claim.tenant,
            scim.resource.type = claim.kind.name(),
            scim.resource.id = %claim.id,
            delivery.attempt = claim.attempts + 1,
            delivery.outcome = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
            error.type = tracing::field::Empty,
        );
        place(
            &span,
            claim.traceparent.as_deref().unwrap_or_default(),
            Timestamp::now(),
        );
        let settled = async {
            let Some(delivered) = self
                .within_lease(&claim, claimed, Box::pin(self.try_deliver(&claim)))
                .await
            else {
                tracing::warn!(
                    scim.resource.id = %claim.id,
                    "a delivery was cut off: its lease is over and could not be renewed"
                );
                return Ok(());
            };
            let (version, settlement) = delivered?;
            note(&claim, &settlement);
            self.mind(breaker, &claim, &settlement);
            let tried = Tried {
                version,
                trace_id: trace_context::trace_id().map(|id| id.to_string()),
            };
            let doubted = doubt::held(&settlement);
            self.store.settle(&claim, &tried, settlement, Timestamp::now()).await?;
            if doubted { self.let_go(&claim).await } else { Ok(()) }
        };
        if let Err(error) = settled.instrument(span).await {
            // The lease ends by itself and the work is taken again.
            tracing::error!(
                error = &error as &dyn std::error::Error,
                scim.resource.id = %claim.id,
                "a delivery could not be settled; it is repeated when its lease is over"
            );
        }
    }

    /// Lets the breaker know what came of a delivery.
    fn mind(&self, breaker: &Breaker, claim: &Claim, settlement: &Settlement) {
        let tenant = &claim.tenant;
        let away = match settlement {
            Settlement::Postponed { failure, .. } => ErrorReason::from_name(&failure.reason).is_some_and(says_nothing),
            _ => false,
        };
        if away {
            if let Some(pause) = breaker.failed(claim.id, Instant::now()) {
                metrics::breaker(tenant, true);
                tracing::warn!(scim.tenant = %tenant, pause_ms = pause.as_millis(), "the Platform gives no verdict; nothing is delivered for a while");
            }
        } else if breaker.succeeded() {
            metrics::breaker(tenant, false);
            tracing::info!(scim.tenant = %tenant, "the Platform is back");
        }
        self.served.pulse.breaker_is(breaker.is_open());
    }

    /// Delivers what is wanted now; gives its version, none of a removal, and how the claim ends.
    async fn try_deliver(&self, claim: &Claim) -> Result<(Option<u64>, Settlement), StoreError> {
        let (read_at, most) = (Timestamp::now(), self.served.delivery.member_batch);
        let Some(order) = self.store.order(claim, most).await? else {
            return Ok((None, Settlement::Applied(Applied::default())));
        };
        let version = order.record.as_ref().map(|record| record.version);
        let braked = self.doubtful(claim, &order).await?;
        let claim = braked.as_ref().unwrap_or(claim);
        // A brake on removals lets a user's account be disabled.
        let may_disable = matches!(claim.braked, Some(Brake::Removals | Brake::Alarm)) && claim.kind == Kind::User;
        if claim.braked.is_some() && !may_disable {
            let brake = braked.and_then(|claim| claim.braked);
            return Ok((
                version,
                Settlement::Held(Held {
                    brake,
                    ..Held::default()
                }),
            ));
        }
        let is_all = order.batch.len() < most;
        let mut settlement = match claim.kind {
            Kind::User => self.deliver_user(claim, order).await?,
            Kind::Group => self.deliver_group(claim, order).await?,
        };
        if let Settlement::Applied(applied) = &mut settlement {
            applied.caught_up = is_all.then_some(read_at);
        }
        Ok((version, settlement))
    }
}

/// Has the span of a delivery continue the trace of the newest change, if that is recent, and link to those of the others.
fn place(span: &tracing::Span, changes: &str, now: Timestamp) {
    for (nth, change) in traces::changes(changes).enumerate() {
        if nth == 0 && is_recent(&change, now) {
            trace_context::continue_from(span, change.traceparent);
        } else {
            trace_context::link_to(span, change.traceparent);
        }
    }
}

fn is_recent(change: &Asked<'_>, now: Timestamp) -> bool {
    // A clock may have been set; then the difference is below zero, or it is a trace of its own.
    change
        .at
        .is_some_and(|at| now.duration_since(at).as_secs_f64() < ONE_TRACE.as_secs_f64())
}

/// What a tenant's deliveries need to go. Each tenant has its own, so that none waits for another's.
struct Way {
    slots: Arc<Semaphore>,
    breaker: Arc<Breaker>,
    /// What they were made by.
    made_by: (usize, Duration, Duration),
}

impl Way {
    fn new(config: &DeliveryConfig) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(config.delivery_concurrency)),
            breaker: Arc::new(Breaker::new(config.backoff_base, config.backoff_ceiling)),
            made_by: Self::settings(config),
        }
    }

    /// The same by other settings. Deliveries that are under way keep what they have.
    fn by(self, config: &DeliveryConfig) -> Self {
        if self.made_by == Self::settings(config) {
            self
        } else {
            Self::new(config)
        }
    }

    fn settings(config: &DeliveryConfig) -> (usize, Duration, Duration) {
        (config.delivery_concurrency, config.backoff_base, config.backoff_ceiling)
    }
}

/// Whether a failure says nothing of the resource.
fn says_nothing(reason: ErrorReason) -> bool {
    use ErrorReason::{PlatformThrottled, PlatformUnavailable, UnknownTenant};
    matches!(reason, PlatformThrottled | PlatformUnavailable | UnknownTenant)
}

/// For how long that has been due.
fn since(due: Option<Timestamp>) -> Duration {
    let late = due.map(|due| Timestamp::now().duration_since(due));
    late.and_then(|late| Duration::try_from(late).ok()).unwrap_or_default()
}

fn until(next_due: Option<Timestamp>) -> Duration {
    let Some(due) = next_due else { return LONGEST_SLEEP };
    let ahead = due.duration_since(Timestamp::now());
    Duration::try_from(ahead)
        .unwrap_or_default()
        .clamp(Duration::from_millis(1), LONGEST_SLEEP)
}

/// Says what came of a delivery, in the span, the metrics and, where it is not as it should be, the log.
fn note(claim: &Claim, settlement: &Settlement) {
    let (outcome, failure) = match settlement {
        Settlement::Applied(_) => ("applied", None),
        Settlement::Postponed { failure, .. } => ("later", Some(failure)),
        // The brake told when it came on.
        Settlement::Held(_) => ("held", None),
        Settlement::Planned(_) => ("planned", None),
        Settlement::Refused { failure, .. } => ("refused", Some(failure)),
    };
    let span = tracing::Span::current();
    span.record("delivery.outcome", outcome);
    if let Settlement::Refused { failure, .. } = settlement {
        // A person has to look.
        span.record("otel.status_code", "ERROR");
        span.record("error.type", &*failure.reason);
    }
    let reason = failure.map(|failure| failure.reason.as_str());
    metrics::delivered(claim, outcome, reason, since(Some(claim.since)));
    let Some(failure) = failure else { return };
    // The Platform's words may name people: they are kept with the work, for those who may read it, and not logged.
    tracing::warn!(
        scim.tenant = %claim.tenant,
        scim.resource.type = claim.kind.name(),
        scim.resource.id = %claim.id,
        delivery.outcome = outcome,
        delivery.reason = failure.reason,
        delivery.attempt = claim.attempts + 1,
        "the delivery of {} {} was {outcome}: {}",
        claim.kind.name(),
        claim.id,
        failure.reason
    );
}
