//! What is so now of each tenant: gauges tell it when metrics are collected. It is told as long as somebody serves the tenant, so that
//! one that went is told of no more: a gauge that stands still would be believed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak},
};

use jiff::Timestamp;
use opentelemetry::{KeyValue, metrics::Meter};

use crate::{follow::days_left, platform::capabilities::State};

/// What is known of a tenant.
#[derive(Debug)]
pub(super) struct Told {
    tenant: KeyValue,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    rate: Option<f64>,
    concurrency: Option<usize>,
    /// By method.
    capabilities: BTreeMap<&'static str, State>,
    secret_ends: Option<Timestamp>,
}

/// Everybody of whom something is told.
static ALL: Mutex<Vec<Weak<Told>>> = Mutex::new(Vec::new());

/// Makes the gauges, once. Not before the service starts: settings are checked, and tenants made for that, before there is telemetry.
pub(crate) fn tell() {
    static GAUGES: Once = Once::new();
    GAUGES.call_once(|| register(&service_runtime::meter("delinea-adapter")));
}

impl Told {
    /// Of a tenant nothing is known yet.
    pub(super) fn of(tenant: &str) -> Arc<Self> {
        let told = Arc::new(Self {
            tenant: KeyValue::new("scim.tenant", tenant.to_owned()),
            known: Mutex::default(),
        });
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.strong_count() > 0);
        all.push(Arc::downgrade(&told));
        told
    }

    pub(super) fn rate(&self, calls_a_second: f64) {
        self.known().rate = Some(calls_a_second);
    }

    pub(super) fn concurrency(&self, at_once: usize) {
        self.known().concurrency = Some(at_once);
    }

    pub(super) fn capability(&self, method: &'static str, state: State) {
        self.known().capabilities.insert(method, state);
    }

    pub(super) fn secret_ends(&self, at: Option<Timestamp>) {
        self.known().secret_ends = at;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing that holds it can panic half-way.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everybody who is still served; of a tenant whose settings changed while calls are under way, the newest last, which is what counts.
fn everybody() -> Vec<Arc<Told>> {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter_map(Weak::upgrade).collect()
}

fn register(meter: &Meter) {
    meter
        .u64_observable_gauge("platform.capability")
        .with_description("1 for the state in which the last probe found a call, 0 for its other states")
        .with_callback(|gauge| {
            for told in everybody() {
                for (method, found) in &told.known().capabilities {
                    for state in State::ALL {
                        let labels = [
                            told.tenant.clone(),
                            KeyValue::new("method", *method),
                            KeyValue::new("state", state.name()),
                        ];
                        gauge.observe((state == *found).into(), &labels);
                    }
                }
            }
        })
        .build();
    meter
        .f64_observable_gauge("platform.pace.rate")
        // Not `{call}/s`, which Prometheus would have as `_per_second` at the end of a name that dashboards know without.
        .with_unit("{call}")
        .with_description("How many calls a second go out at most; 0 where there is no limit")
        .with_callback(|gauge| {
            for told in everybody() {
                if let Some(rate) = told.known().rate {
                    gauge.observe(rate, std::slice::from_ref(&told.tenant));
                }
            }
        })
        .build();
    meter
        .u64_observable_gauge("platform.pace.concurrency")
        .with_description("How many calls are under way at most")
        .with_callback(|gauge| {
            for told in everybody() {
                if let Some(at_once) = told.known().concurrency {
                    gauge.observe(at_once as u64, std::slice::from_ref(&told.tenant));
                }
            }
        })
        .build();
    meter
        .f64_observable_gauge("platform.secret.remaining")
        .with_unit("d")
        .with_description("Days until the secret of the service user ends, where the settings say when; less than 0 when it has ended")
        .with_callback(|gauge| {
            let now = Timestamp::now();
            for told in everybody() {
                if let Some(ends) = told.known().secret_ends {
                    gauge.observe(days_left(ends, now), std::slice::from_ref(&told.tenant));
                }
            }
        })
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_served_any_more_is_not_told_of() {
        let is_told = |name: &str| everybody().iter().any(|told| told.tenant.value.as_str() == name);
        let (kestrel, merlin) = (Told::of("a kestrel"), Told::of("a merlin"));
        assert!(is_told("a kestrel") && is_told("a merlin"));
        drop(merlin);
        assert!(is_told("a kestrel") && !is_told("a merlin"));
        drop(kestrel);
    }
}
