//! How deliveries go in this process, as the relay last saw it: who waits for a delivery asks whether that is worth while.
//! It is a hint, never the truth: that is in the store.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::id::ResourceId;

/// How deliveries go. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    behind_ms: AtomicU64,
    stands: AtomicBool,
    breaker_is_open: AtomicBool,
    /// When members of a group were last delivered, of the groups for which that is not long ago.
    members: Mutex<HashMap<ResourceId, Instant>>,
}

impl Pulse {
    /// Says for how long work has been due that could not be taken yet.
    pub fn is_behind(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.behind_ms.store(by, Ordering::Relaxed);
    }

    /// Says whether nothing is delivered here for now: the circuit breaker is open, or this process delivers nothing at all.
    pub fn stands_still(&self, stands: bool) {
        self.0.stands.store(stands, Ordering::Relaxed);
    }

    /// Says whether the circuit breaker is open: then nothing is delivered here for now.
    pub fn breaker_is(&self, open: bool) {
        self.0.breaker_is_open.store(open, Ordering::Relaxed);
        self.stands_still(open);
    }

    /// Whether the circuit breaker is open.
    pub fn is_breaker_open(&self) -> bool {
        self.0.breaker_is_open.load(Ordering::Relaxed)
    }

    /// Says that members of a group are delivered, and gives whether the last time was less than so long ago.
    pub fn had_members(&self, group: ResourceId, within: Duration) -> bool {
        let now = Instant::now();
        let mut members = self.0.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|_, last| now.duration_since(*last) < within);
        members.insert(group, now).is_some()
    }

    /// Whether a change made now may be delivered within that time.
    pub fn allows(&self, within: Duration) -> bool {
        let behind = Duration::from_millis(self.0.behind_ms.load(Ordering::Relaxed));
        !self.0.stands.load(Ordering::Relaxed) && behind < within
    }
}
