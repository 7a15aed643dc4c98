//! How many calls at once: fewer when answers take several times as long as they did, or do not come; one more by and by, while
//! they come as they did.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::Change;

/// An answer that came within this time was quick, however quick others are.
const QUICK: Duration = Duration::from_secs(1);
/// An answer that took so many times as long as the quickest to that method was slow.
const SLOW: f64 = 4.0;
/// No answer counts for more than this, so that one alone changes nothing.
const MOST: f64 = 16.0;
/// The weight of an answer in the smoothed value.
const WEIGHT: f64 = 0.125;
/// For how long the quickest answer is remembered: once to twice this.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The number is not changed again within this time.
const STEP: Duration = Duration::from_secs(5);

/// How many at once.
#[derive(Debug)]
pub(super) struct Concurrency {
    most: usize,
    adapts: bool,
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The number in force.
    at_once: usize,
    /// Places that are to be taken away, and that somebody still has.
    owed: usize,
    /// How many times as long as the quickest answers take, smoothed.
    slowness: f64,
    changed_at: Option<Instant>,
    quickest: HashMap<&'static str, Quickest>,
}

/// The quickest answers to a method, in this span of time and in the one before.
#[derive(Debug)]
struct Quickest {
    since: Instant,
    now: Duration,
    before: Duration,
}

impl Concurrency {
    /// So many at once, at least one.
    pub(super) fn new(most: usize, adapts: bool) -> Self {
        let state = State {
            at_once: most,
            owed: 0,
            slowness: 1.0,
            changed_at: None,
            quickest: HashMap::new(),
        };
        Self {
            most,
            adapts,
            places: Semaphore::new(most),
            state: Mutex::new(state),
        }
    }

    /// Waits for a place. The semaphore is never closed; were it, the call would go ahead without one.
    pub(super) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// Gives a place back, unless there are to be fewer.
    pub(super) fn leave(&self, place: SemaphorePermit<'_>) {
        let mut state = self.state();
        if state.owed > 0 {
            state.owed -= 1;
            place.forget();
        }
    }

    /// Notes how long an answer took. Whether answers are slow by now.
    pub(super) fn is_slow(&self, now: Instant, method: &'static str, took: Duration) -> bool {
        let mut state = self.state();
        let quickest = state.quickest.entry(method).or_insert(Quickest {
            since: now,
            now: took,
            before: took,
        });
        let times = times(took, quickest.note(now, took));
        state.slowness += (times.min(MOST) - state.slowness) * WEIGHT;
        state.slowness > SLOW
    }

    /// Whether a call that was given up had taken long enough for a slow one.
    pub(super) fn was_long(&self, method: &'static str, waited: Duration) -> bool {
        let state = self.state();
        let quickest = state.quickest.get(method);
        quickest.is_some_and(|quickest| times(waited, quickest.now.min(quickest.before)) > SLOW)
    }

    /// The Platform is slow.
    pub(super) fn lower(&self, now: Instant) -> Option<Change<usize>> {
        let mut state = self.state();
        if !self.adapts || state.at_once == 1 || state.lately(now) {
            return None;
        }
        let (first, before) = (state.at_once == self.most, state.at_once);
        state.at_once /= 2;
        state.changed_at = Some(now);
        // What was slow was so with more at once: it takes as many slow answers again to lower it further.
        state.slowness = 1.0;
        for _ in state.at_once..before {
            match self.places.try_acquire() {
                Ok(place) => place.forget(),
                Err(_) => state.owed += 1,
            }
        }
        Some(Change::Lower {
            now: state.at_once,
            first,
        })
    }

    /// The Platform answers as it did.
    pub(super) fn raise(&self, now: Instant) -> Option<Change<usize>> {
        let mut state = self.state();
        if state.at_once == self.most || state.lately(now) {
            return None;
        }
        state.at_once += 1;
        state.changed_at = Some(now);
        if state.owed > 0 {
            state.owed -= 1;
        } else {
            self.places.add_permits(1);
        }
        Some(if state.at_once == self.most {
            Change::AsSet
        } else {
            Change::Higher(state.at_once)
        })
    }

    /// The number that is set.
    pub(super) fn as_set(&self) -> usize {
        self.most
    }

    /// How many places nobody has.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.places.available_permits()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lately(&self, now: Instant) -> bool {
        self.changed_at.is_some_and(|at| now.duration_since(at) < STEP)
    }
}

impl Quickest {
    fn note(&mut self, now: Instant, took: Duration) -> Duration {
        if now.duration_since(self.since) >= REMEMBERED {
            (self.since, self.before, self.now) = (now, self.now, took);
        }
        self.now = self.now.min(took);
        self.now.min(self.before)
    }
}

/// How many times as long as the quickest that is; once, where it was quick by itself.
fn times(took: Duration, quickest: Duration) -> f64 {
    if took <= QUICK {
        return 1.0;
    }
    took.as_secs_f64() / quickest.as_secs_f64().max(0.001)
}
