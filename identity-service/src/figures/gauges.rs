//! The gauges that tell what was seen. Ages and days are reckoned when somebody collects, so they move on between two looks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use jiff::Timestamp;
use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter},
};

use super::{Figures, GOOD_FOR, Seen};
use crate::{
    id::{Kind, Tenant},
    metrics::drift_kinds,
    store::{Brake, Summary},
    tenants::{Served, Tenants},
};

/// Registers every gauge. None of them keeps the service alive: of one that has ended nothing is told.
pub(super) fn register(figures: &Figures) {
    let meter = service_runtime::meter("identity-service");
    let seen = || Source(Arc::downgrade(&figures.seen));
    outbox(&meter, seen());
    state(&meter, seen(), figures);
    drift(&meter, seen());
    credentials(&meter, seen());
}

fn outbox(meter: &Meter, seen: Source) {
    let (counts, ages, resources) = (seen.clone(), seen.clone(), seen);
    meter
        .u64_observable_gauge("scim.outbox.items")
        .with_unit("{item}")
        .with_description(
            "Users and groups of which something is to be delivered, by state: pending, refused, held, planned",
        )
        .with_callback(move |gauge| {
            counts.each(|told, seen| {
                for (state, count, _) in states(&seen.summary) {
                    gauge.observe(count, &told.with("state", state));
                }
            });
        })
        .build();
    meter
        .f64_observable_gauge("scim.outbox.oldest_age")
        .with_unit("s")
        .with_description("Age of the oldest change in each state that is not applied; 0 when there is none")
        .with_callback(move |gauge| {
            ages.each(|told, seen| {
                for (state, _, oldest) in states(&seen.summary) {
                    let age = oldest.map_or(0.0, |oldest| told.now.duration_since(oldest).as_secs_f64());
                    gauge.observe(age.max(0.0), &told.with("state", state));
                }
            });
        })
        .build();
    meter
        .u64_observable_gauge("scim.resources")
        .with_unit("{resource}")
        .with_description("Users and groups that there are")
        .with_callback(move |gauge| {
            resources.each(|told, seen| {
                for (kind, count) in [(Kind::User, seen.summary.users), (Kind::Group, seen.summary.groups)] {
                    gauge.observe(count, &told.with("scim.resource.type", kind.name()));
                }
            });
        })
        .build();
}

fn state(meter: &Meter, seen: Source, figures: &Figures) {
    let (paused, engaged) = (seen.clone(), seen);
    meter
        .u64_observable_gauge("scim.tenant.paused")
        .with_description("1 while a person has paused the tenant's deliveries")
        .with_callback(move |gauge| paused.each(|told, seen| gauge.observe(seen.is_paused.into(), &told.labels())))
        .build();
    meter
        .u64_observable_gauge("scim.brake.engaged")
        .with_description("1 while something is held by the brake: removals, deactivations, alarm")
        .with_callback(move |gauge| {
            engaged.each(|told, seen| {
                for (brake, oldest) in Brake::ALL.iter().zip(seen.summary.oldest_held) {
                    gauge.observe(oldest.is_some().into(), &told.with("brake", brake.name()));
                }
            });
        })
        .build();
    // What this process knows without the store. It ends with what was seen, too.
    let of_each = |value: fn(&Served) -> bool| {
        let (alive, tenants): (_, Tenants) = (Arc::downgrade(&figures.seen), figures.tenants.clone());
        move |gauge: &dyn AsyncInstrument<u64>| {
            if alive.strong_count() == 0 {
                return;
            }
            for served in tenants.all().values() {
                gauge.observe(value(served).into(), &[of(&served.tenant)]);
            }
        }
    };
    meter
        .u64_observable_gauge("scim.tenant.dry_run")
        .with_description("1 while nothing may be written to the tenant's Platform")
        .with_callback(of_each(|served| served.policy.dry_run))
        .build();
    meter
        .u64_observable_gauge("scim.platform.breaker.open")
        .with_description(
            "1 while this replica delivers nothing, or one at a time, because the Platform gives no verdict",
        )
        .with_callback(of_each(|served| served.pulse.is_breaker_open()))
        .build();
}

fn drift(meter: &Meter, seen: Source) {
    let (found, compared) = (seen.clone(), seen);
    meter
        .u64_observable_gauge("scim.drift.found")
        .with_unit("{difference}")
        .with_description("What the last comparison with the Platform found, by kind")
        .with_callback(move |gauge| {
            found.each(|told, seen| {
                let counts = seen.comparison.as_ref().map(|report| report.counts).unwrap_or_default();
                for (kind, count) in drift_kinds(&counts) {
                    gauge.observe(count, &told.with("kind", kind));
                }
            });
        })
        .build();
    meter
        .f64_observable_gauge("scim.drift.last_comparison.timestamp")
        .with_unit("s")
        .with_description(
            "When the last comparison with the Platform ended, in seconds since 1970; 0 when there was none",
        )
        .with_callback(move |gauge| {
            compared.each(|told, seen| {
                let last = seen.comparison.as_ref();
                let at = last.map(|report| report.finished.unwrap_or(report.started));
                let seconds = at.map_or(0.0, |at| at.as_duration().as_secs_f64());
                gauge.observe(seconds, &told.labels());
            });
        })
        .build();
}

fn credentials(meter: &Meter, seen: Source) {
    meter
        .f64_observable_gauge("scim.credential.remaining")
        .with_unit("d")
        .with_description(
            "Days until a credential of SCIM ends, of those that end; less than 0 when it has ended and is still there",
        )
        .with_callback(move |gauge| {
            seen.each(|told, seen| {
                for end in &seen.ends {
                    let mut labels = told.with("credential", end.name.clone());
                    labels.push(KeyValue::new("kind", end.kind));
                    gauge.observe(end.days_left(told.now), &labels);
                }
            });
        })
        .build();
}

/// How much work is in each state, and when the oldest change of it was made.
fn states(summary: &Summary) -> [(&'static str, u64, Option<Timestamp>); 4] {
    let oldest_held = summary.oldest_held.into_iter().flatten().min();
    [
        ("pending", summary.pending, summary.oldest_pending),
        ("refused", summary.refused, summary.oldest_refused),
        ("held", summary.held, oldest_held),
        ("planned", summary.planned, summary.oldest_planned),
    ]
}

fn of(tenant: &Tenant) -> KeyValue {
    KeyValue::new("scim.tenant", tenant.to_string())
}

/// What was seen, as long as the service lives.
#[derive(Clone)]
struct Source(Weak<Mutex<BTreeMap<String, Seen>>>);

impl Source {
    /// Tells what was seen of each tenant, if that is not too long ago.
    fn each(&self, tell: impl Fn(&Told<'_>, &Seen)) {
        let Some(all) = self.0.upgrade() else { return };
        let now = Timestamp::now();
        let all = all.lock().unwrap_or_else(PoisonError::into_inner);
        for (tenant, seen) in all.iter().filter(|(_, seen)| seen.at.elapsed() < GOOD_FOR) {
            tell(&Told { tenant, now }, seen);
        }
    }
}

/// Of whom something is told, and when.
struct Told<'t> {
    tenant: &'t str,
    now: Timestamp,
}

impl Told<'_> {
    fn labels(&self) -> Vec<KeyValue> {
        vec![KeyValue::new("scim.tenant", self.tenant.to_owned())]
    }

    fn with(&self, label: &'static str, value: impl Into<opentelemetry::Value>) -> Vec<KeyValue> {
        let mut labels = self.labels();
        labels.push(KeyValue::new(label, value));
        labels
    }
}
