//! Which calls a tenant exposes, as its answers show: a bare 404 says that a call is not there, any verdict that it is. What
//! was learned holds until the next answer, or until the tenant is asked anew.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// What is known of each call.
#[derive(Debug, Default)]
pub(crate) struct Exposure {
    /// The tenant, for the log.
    tenant: Box<str>,
    known: Mutex<HashMap<&'static str, Known>>,
    /// Whether a call turned out not to be there of which that was not known.
    surprised: AtomicBool,
    /// Whether the tenant is being asked: what comes out is no surprise.
    asking: AtomicBool,
    surprise: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    exposed: bool,
    since: Instant,
}

impl Exposure {
    /// Nothing is known of that tenant yet.
    pub(crate) fn of_tenant(tenant: &str) -> Self {
        Self {
            tenant: tenant.into(),
            ..Self::default()
        }
    }

    /// An answer to a call: a verdict of any kind, or a bare 404.
    pub(crate) fn learn(&self, method: &'static str, exposed: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(method).map(|known| known.exposed);
        if before == Some(exposed) {
            return;
        }
        let since = Instant::now();
        known.insert(method, Known { exposed, since });
        drop(known);
        if exposed {
            tracing::debug!(method, "the Platform exposes the call");
        } else {
            tracing::warn!(
                scim.tenant = &*self.tenant,
                method,
                "the Platform does not expose the call (HTTP 404 without a body)"
            );
            if !self.asking.load(Ordering::Acquire) {
                self.surprised.store(true, Ordering::Release);
                self.surprise.notify_one();
            }
        }
    }

    /// Whether a call is exposed; `None` when that is not known.
    pub(crate) fn of(&self, method: &str) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(method).map(|known| known.exposed)
    }

    /// Waits until a call turns out not to be there of which that was not known.
    pub(crate) async fn surprise(&self) {
        while !self.surprised.swap(false, Ordering::AcqRel) {
            self.surprise.notified().await;
        }
    }

    /// The tenant is asked from now on, until [`Self::settled`].
    pub(crate) fn asks(&self) {
        self.asking.store(true, Ordering::Release);
    }

    /// What was learned so far surprises nobody: the tenant has been asked.
    pub(crate) fn settled(&self) {
        self.asking.store(false, Ordering::Release);
        self.surprised.store(false, Ordering::Release);
    }

    /// Forgets that calls are not there of which it was learned longer ago, but for those that a probe asks about anew: they
    /// are tried once more.
    pub(crate) fn forget_older(&self, age: Duration, asked: &[&str]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|method, known| known.exposed || known.since.elapsed() < age || asked.contains(method));
    }

    /// The calls that are known not to be there, in order.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing: Vec<_> = known
            .iter()
            .filter(|(_, known)| !known.exposed)
            .map(|(name, _)| *name)
            .collect();
        missing.sort_unstable();
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_is_forgotten_in_time_and_what_is_there_is_not() {
        let exposure = Exposure::default();
        exposure.learn("A/Gone", false);
        exposure.learn("A/Asked", false);
        exposure.learn("A/There", true);
        assert_eq!(exposure.missing(), ["A/Asked", "A/Gone"]);
        tokio::time::advance(Duration::from_secs(10)).await;
        exposure.forget_older(Duration::from_secs(60), &["A/Asked"]);
        assert_eq!(exposure.of("A/Gone"), Some(false));
        exposure.forget_older(Duration::from_secs(5), &["A/Asked"]);
        assert_eq!(exposure.of("A/Gone"), None);
        assert_eq!(exposure.of("A/Asked"), Some(false));
        assert_eq!(exposure.of("A/There"), Some(true));
        exposure.learn("A/Asked", true);
        assert!(exposure.missing().is_empty());
    }

    #[tokio::test]
    async fn only_what_is_new_is_a_surprise() {
        let exposure = Exposure::default();
        exposure.learn("A/Gone", false);
        exposure.surprise().await;
        exposure.learn("A/Gone", false);
        let again = tokio::time::timeout(Duration::from_millis(20), exposure.surprise());
        assert!(again.await.is_err());
        exposure.asks();
        exposure.learn("A/There", true);
        exposure.learn("A/There", false);
        exposure.settled();
        let settled = tokio::time::timeout(Duration::from_millis(20), exposure.surprise());
        assert!(settled.await.is_err());
    }
}
