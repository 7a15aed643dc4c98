//! A token bucket that knows only one moment: when the request after the last one would be due, were they to come at the rate
//! exactly. A request that comes later than its moment finds the bucket filled as far as it goes; one that comes earlier waits until
//! then, in the order in which they came.

use std::time::Duration;

use tokio::time::Instant;

/// The requests of one tenant and kind.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Time for one request.
    each: Duration,
    /// How far ahead of their moments requests may go: what a bucket of one second holds.
    burst: Duration,
    due: Instant,
}

impl Bucket {
    /// A full one, for so many requests a second.
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self {
            each: Duration::from_secs(1) / rate.max(1),
            burst: Duration::from_secs(1),
            due: now,
        }
    }

    /// When a request may go that came now, which has its place then. If that is later than `until`, it has none, and the error says in how
    /// long there would be one for it.
    pub(super) fn reserve(&mut self, now: Instant, until: Instant) -> Result<Instant, Duration> {
        let due = self.due.max(now);
        let at = due.checked_sub(self.burst).map_or(now, |at| at.max(now));
        if at > until {
            return Err(at - until);
        }
        self.due = due + self.each;
        Ok(at)
    }

    /// Whether it is full, so that another could stand in for it.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.due <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_then_the_rate_holds_and_the_queue_ends() {
        let start = Instant::now();
        let wait = Duration::from_secs(2);
        let mut bucket = Bucket::new(25, start);
        let at = |moment: Result<Instant, Duration>| moment.map(|moment| moment - start);
        let each = Duration::from_millis(40);
        // A bucket of one second: 25 requests, and the one that takes it below.
        for _ in 0..=25 {
            assert_eq!(at(bucket.reserve(start, start + wait)), Ok(Duration::ZERO));
        }
        for nth in 1..=50 {
            assert_eq!(at(bucket.reserve(start, start + wait)), Ok(each * nth), "{nth}");
        }
        assert_eq!(bucket.reserve(start, start + wait), Err(each));
        // What was refused took nothing.
        assert_eq!(bucket.reserve(start, start + wait), Err(each));
        let later = start + each;
        assert_eq!(at(bucket.reserve(later, later + wait)), Ok(each * 51));
        assert!(!bucket.is_full(later));
        let much_later = start + Duration::from_secs(60);
        assert!(bucket.is_full(much_later));
        for _ in 0..=25 {
            assert_eq!(bucket.reserve(much_later, much_later), Ok(much_later));
        }
        assert!(
            bucket.reserve(much_later, much_later).is_err(),
            "no more than a second's worth is saved up"
        );
    }
}
