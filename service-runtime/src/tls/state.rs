//! How a certificate is: told to readiness whenever somebody looks, to the log when it changes, and as a metric.

use jiff::Timestamp;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;

use super::Validity;
use crate::{Dependency, Readiness};

const SECONDS_A_DAY: f64 = 86_400.0;

/// Tells how one certificate is.
#[derive(Debug)]
pub struct State {
    name: String,
    dependency: Dependency,
    remaining: Gauge<f64>,
    /// What was wrong when it was told last.
    said: Option<String>,
}

impl State {
    /// Names the dependency under which readiness tells of it.
    pub fn new(readiness: &Readiness, name: &str) -> Self {
        let remaining = crate::meter("service-runtime")
            .f64_gauge("tls.certificate.remaining")
            .with_unit("d")
            .with_description("Days until the certificate in force expires; below 0, it has.")
            .build();
        Self {
            name: name.to_owned(),
            dependency: readiness.dependency(name),
            remaining,
            said: None,
        }
    }

    /// Tells how the certificate in force is, and what keeps it from being replaced. Without one, nobody can be served. One that
    /// is not valid is a restriction only: some clients may go on, and no restart would mend it.
    pub fn tell(&mut self, fault: Option<String>, in_force: Option<Validity>, now: Timestamp) {
        let invalid = in_force.and_then(|validity| validity.check(now).err());
        let reasons: Vec<String> = invalid
            .map(|invalid| invalid.to_string())
            .into_iter()
            .chain(fault)
            .collect();
        let said = (!reasons.is_empty()).then(|| reasons.join("; "));
        match (in_force, &said) {
            (Some(_), None) => self.dependency.ready(),
            (Some(_), Some(reason)) => self.dependency.degraded(reason),
            (None, reason) => {
                let reason = reason.as_deref().unwrap_or("there is no certificate as yet");
                self.dependency.not_ready(reason);
            }
        }
        if let Some(validity) = in_force {
            let labels = [KeyValue::new("name", self.name.clone())];
            let left = validity.not_after.duration_since(now).as_secs_f64();
            self.remaining.record(left / SECONDS_A_DAY, &labels);
        }
        if said != self.said {
            match &said {
                Some(reason) => tracing::warn!(certificate = self.name, reason, "a certificate needs attention"),
                None => tracing::info!(certificate = self.name, "the certificate is in order"),
            }
            self.said = said;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::State as Told;

    #[test]
    fn readiness_tells_how_a_certificate_is() {
        let readiness = Readiness::new();
        let mut state = State::new(&readiness, "certificate");
        let at = |second| Timestamp::from_second(second).unwrap();
        let valid = Some(Validity {
            not_before: at(100),
            not_after: at(200),
        });
        let fault = Some("cannot be read".to_owned());
        let degraded = |text: &str| Told::Degraded(text.to_owned());
        let not_ready = |text: &str| Told::NotReady(text.to_owned());
        let expired = "the certificate expired at 1970-01-01T00:03:20Z";
        for (fault, in_force, now, expected) in [
            (None, valid, 150, Told::Ready),
            (None, valid, 201, degraded(expired)),
            (
                None,
                valid,
                99,
                degraded("the certificate is not valid before 1970-01-01T00:01:40Z"),
            ),
            (fault.clone(), valid, 150, degraded("cannot be read")),
            (
                fault.clone(),
                valid,
                300,
                degraded(&format!("{expired}; cannot be read")),
            ),
            (fault, None, 150, not_ready("cannot be read")),
            (None, None, 150, not_ready("there is no certificate as yet")),
        ] {
            state.tell(fault, in_force, at(now));
            assert_eq!(readiness.report().dependencies["certificate"], expected);
        }
    }
}
