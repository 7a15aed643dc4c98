//! A service's health as metrics: where it is in its life, and the state of each dependency. Read when somebody looks, for as long
//! as the service is there.

use opentelemetry::KeyValue;
use tokio::sync::watch;

use super::{Phase, Readiness, Report, State};

const PHASES: [(Phase, &str); 3] = [
    (Phase::Starting, "starting"),
    (Phase::Running, "running"),
    (Phase::Draining, "draining"),
];
const STATES: [&str; 3] = ["ready", "degraded", "not_ready"];

/// Registers the gauges of a service. One process may have several services.
pub(crate) fn register(service: &'static str, readiness: &Readiness) {
    let meter = crate::meter("service-runtime");
    let service = KeyValue::new("service", service);
    let (reports, of) = (readiness.subscribe(), service.clone());
    meter
        .u64_observable_gauge("service.phase")
        .with_description("1 for where the service is in its life, 0 elsewhere: starting, running, draining.")
        .with_callback(move |gauge| {
            let Some(report) = present(&reports) else { return };
            for (phase, name) in PHASES {
                let labels = [of.clone(), KeyValue::new("phase", name)];
                gauge.observe(u64::from(report.phase == phase), &labels);
            }
        })
        .build();
    let reports = readiness.subscribe();
    meter
        .u64_observable_gauge("service.dependency.state")
        .with_description(
            "1 for the state in which a dependency is, 0 for its other states: ready, degraded, not_ready.",
        )
        .with_callback(move |gauge| {
            let Some(report) = present(&reports) else { return };
            for (dependency, present) in &report.dependencies {
                for state in STATES {
                    let labels = [
                        service.clone(),
                        KeyValue::new("dependency", dependency.clone()),
                        KeyValue::new("state", state),
                    ];
                    gauge.observe(u64::from(name(present) == state), &labels);
                }
            }
        })
        .build();
}

/// The report of a service that is there: none of one that has ended.
fn present(reports: &watch::Receiver<Report>) -> Option<Report> {
    reports.has_changed().ok()?;
    Some(reports.borrow().clone())
}

fn name(state: &State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::Degraded(_) => "degraded",
        State::NotReady(_) => "not_ready",
    }
}
