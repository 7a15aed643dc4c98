//! The circuit breaker of a tenant's Platform: after failures in a row, of so many resources, that say nothing of any one of
//! them, nothing is delivered for a while, then one delivery at a time is tried; the first success closes it.
//!
//! Each replica has its own: what it saw is what it knows. It spares a Platform that is down, and keeps tries of single resources
//! from being counted against them. One resource that the Platform has no answer for, however often, is no Platform that is down.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::id::ResourceId;

/// How many resources fail in a row before it opens.
const FAILING: usize = 8;

/// A circuit breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    first_pause: Duration,
    longest_pause: Duration,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Who failed since the last success, each once.
    failing: Vec<ResourceId>,
    /// How often it opened since the last success.
    openings: u32,
    open_until: Option<Instant>,
}

/// What may be tried.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// As much as there is.
    All,
    /// One delivery, to see whether the Platform is back.
    Probe,
    /// Nothing before then.
    NothingBefore(Instant),
}

impl Breaker {
    /// A closed breaker, which opens for the first pause, and for twice as long each time after, up to the longest.
    pub(super) fn new(first_pause: Duration, longest_pause: Duration) -> Self {
        Self {
            first_pause,
            longest_pause,
            seen: Mutex::default(),
        }
    }

    /// What may be tried now.
    pub(super) fn allowed(&self, now: Instant) -> Allowed {
        match self.lock().open_until {
            None => Allowed::All,
            Some(until) if until > now => Allowed::NothingBefore(until),
            Some(_) => Allowed::Probe,
        }
    }

    /// Whether it is open, or on probation.
    pub(super) fn is_open(&self) -> bool {
        self.lock().open_until.is_some()
    }

    /// Notes that the Platform gave a verdict. Gives whether that closed the breaker.
    pub(super) fn succeeded(&self) -> bool {
        let mut seen = self.lock();
        let was_open = seen.open_until.is_some();
        *seen = Seen::default();
        was_open
    }

    /// Notes that the Platform gave none about a resource. Gives for how long that opened the breaker, if it did.
    pub(super) fn failed(&self, which: ResourceId, now: Instant) -> Option<Duration> {
        let mut seen = self.lock();
        if seen.failing.len() < FAILING && !seen.failing.contains(&which) {
            seen.failing.push(which);
        }
        let on_probation = seen.open_until.is_some_and(|until| until <= now);
        let opens = on_probation || (seen.open_until.is_none() && seen.failing.len() >= FAILING);
        if !opens {
            return None;
        }
        let doubled = 1_u32.checked_shl(seen.openings).unwrap_or(u32::MAX);
        let pause = self.first_pause.saturating_mul(doubled).min(self.longest_pause);
        seen.openings = seen.openings.saturating_add(1);
        seen.open_until = Some(now + pause);
        Some(pause)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Nothing that holds it can panic half-way.
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Eight resources.
    fn resources() -> Vec<ResourceId> {
        std::iter::repeat_with(ResourceId::generate).take(FAILING).collect()
    }

    #[test]
    fn many_that_fail_in_a_row_open_it_for_longer_each_time_until_a_success() {
        let breaker = Breaker::new(SECOND, 4 * SECOND);
        let mut now = Instant::now();
        let [first, rest @ ..] = &resources()[..] else { panic!() };
        for id in rest {
            assert_eq!(breaker.failed(*id, now), None);
        }
        assert_eq!(breaker.allowed(now), Allowed::All);
        for seconds in [1, 2, 4, 4] {
            assert_eq!(breaker.failed(*first, now), Some(seconds * SECOND));
            assert_eq!(breaker.allowed(now), Allowed::NothingBefore(now + seconds * SECOND));
            assert_eq!(breaker.failed(*first, now), None, "what was under way opens nothing");
            now += seconds * SECOND;
            assert_eq!(breaker.allowed(now), Allowed::Probe);
        }
        assert!(breaker.is_open() && breaker.succeeded() && !breaker.is_open());
        assert_eq!(breaker.allowed(now), Allowed::All);
        assert!(!breaker.succeeded(), "it was closed already");
    }

    #[test]
    fn failures_with_a_success_between_them_do_not_open_it() {
        let breaker = Breaker::new(SECOND, SECOND);
        for _ in 0..10 {
            for id in &resources()[1..] {
                assert_eq!(breaker.failed(*id, Instant::now()), None);
            }
            breaker.succeeded();
        }
    }

    #[test]
    fn one_that_fails_and_fails_does_not_open_it() {
        let breaker = Breaker::new(SECOND, SECOND);
        let poisoned = ResourceId::generate();
        for _ in 0..10 * FAILING {
            assert_eq!(breaker.failed(poisoned, Instant::now()), None);
        }
        assert_eq!(breaker.allowed(Instant::now()), Allowed::All);
    }
}
