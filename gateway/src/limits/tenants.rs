//! What each tenant has used. There is an entry only for those that have asked lately, and never more than a bounded number: one that
//! has used nothing needs none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Kind;
use super::bucket::Bucket;
use super::pool::Pool;

/// More tenants than ask at a time. Those beyond share one entry.
const MOST: usize = 10_000;

/// One tenant's use.
pub(super) struct Tenant {
    /// Changes of users, and all else.
    buckets: Option<[Mutex<Bucket>; 2]>,
    pub(super) pool: Option<Pool>,
}

impl Tenant {
    fn new(rate: u32, concurrency: u32, now: Instant) -> Self {
        let bucket = || Mutex::new(Bucket::new(rate, now));
        Self {
            buckets: (rate > 0).then(|| [bucket(), bucket()]),
            pool: Pool::new(concurrency),
        }
    }

    /// When a request may go, by the tenant's rate; see [`Bucket::reserve`].
    pub(super) fn reserve(&self, kind: Kind, now: Instant, until: Instant) -> Result<Instant, Duration> {
        let Some(buckets) = &self.buckets else {
            return Ok(now);
        };
        let bucket = &buckets[usize::from(kind == Kind::Other)];
        bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reserve(now, until)
    }

    fn has_used_nothing(&self, now: Instant) -> bool {
        let is_full = |bucket: &Mutex<Bucket>| bucket.lock().unwrap_or_else(PoisonError::into_inner).is_full(now);
        self.buckets.as_ref().is_none_or(|buckets| buckets.iter().all(is_full))
    }
}

/// All tenants that have asked lately.
pub(super) struct Tenants {
    rate: u32,
    concurrency: u32,
    known: Mutex<HashMap<Arc<str>, Arc<Tenant>>>,
    beyond: Arc<Tenant>,
    /// Told of each that was not known.
    begin: fn(&str),
}

impl Tenants {
    /// So many requests a second and so many at a time for each; zero means no limit.
    pub(super) fn new(rate: u32, concurrency: u32) -> Self {
        Self::beginning(rate, concurrency, |_| ())
    }

    /// The same; `begin` is told the name of each that was not known.
    pub(super) fn beginning(rate: u32, concurrency: u32, begin: fn(&str)) -> Self {
        Self {
            begin,
            rate,
            concurrency,
            known: Mutex::default(),
            beyond: Arc::new(Tenant::new(rate, concurrency, Instant::now())),
        }
    }

    /// A tenant's use.
    pub(super) fn of(&self, name: &Arc<str>, now: Instant) -> Arc<Tenant> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tenant) = known.get(name) {
            return Arc::clone(tenant);
        }
        if known.len() >= MOST {
            // Whoever is inside, or waits, has a hand on the entry.
            known.retain(|_, tenant| Arc::strong_count(tenant) > 1 || !tenant.has_used_nothing(now));
        }
        if known.len() >= MOST {
            return Arc::clone(&self.beyond);
        }
        let tenant = Arc::new(Tenant::new(self.rate, self.concurrency, now));
        known.insert(Arc::clone(name), Arc::clone(&tenant));
        (self.begin)(name);
        tenant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_bounded_and_go_when_nothing_is_used() {
        let tenants = Tenants::new(25, 4);
        let now = Instant::now();
        let name = |nth: usize| Arc::from(format!("t{nth}").as_str());
        let busy = tenants.of(&name(0), now);
        busy.reserve(Kind::Other, now, now).unwrap();
        let inside = tenants.of(&name(1), now);
        for nth in 2..MOST {
            tenants.of(&name(nth), now).reserve(Kind::UserChange, now, now).unwrap();
        }
        assert!(
            Arc::ptr_eq(&tenants.of(&name(MOST), now), &tenants.beyond),
            "all of them are in use"
        );
        assert!(Arc::ptr_eq(&tenants.of(&name(0), now), &busy));
        let later = now + Duration::from_secs(1);
        drop(busy);
        tenants.of(&name(MOST), later);
        assert_eq!(tenants.known.lock().unwrap().len(), 2);
        assert!(Arc::ptr_eq(&tenants.of(&name(1), later), &inside));
    }
}
