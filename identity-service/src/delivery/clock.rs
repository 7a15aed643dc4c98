//! A wall clock that goes back: what is due at a time of the clock would wait until it is there again. Everything that is waited
//! for in this process goes by the monotonic clock; what the store keeps goes by the wall clock, since it outlives the process.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// How often it is looked at while nothing else is to be done.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Clocks are set right by a little all the time, and replicas' clocks are not the same.
const SLACK: Duration = Duration::from_secs(5);

/// The wall clock as it was seen last.
#[derive(Debug)]
pub(super) struct Clock {
    wall: Timestamp,
    seen: Instant,
}

impl Clock {
    /// The wall clock as it is.
    pub(super) fn new(wall: Timestamp, seen: Instant) -> Self {
        Self { wall, seen }
    }

    /// Waits for it to go back; gives by how much it did.
    pub(super) async fn goes_back(&mut self) -> Duration {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            if let Some(by) = self.went_back(Timestamp::now(), Instant::now()) {
                return by;
            }
        }
    }

    /// By how much the wall clock went back since it was looked at last, if it did.
    pub(super) fn went_back(&mut self, wall: Timestamp, seen: Instant) -> Option<Duration> {
        let expected = self.wall + seen.saturating_duration_since(self.seen);
        *self = Self { wall, seen };
        is_ahead(expected, wall)
    }
}

/// By how much a time is ahead of another, if it is by more than clocks differ.
pub(super) fn is_ahead(time: Timestamp, of: Timestamp) -> Option<Duration> {
    let by = Duration::try_from(time.duration_since(of)).ok()?;
    (by > SLACK).then_some(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_noticed_once_when_the_wall_clock_goes_back() {
        let (start, began) = (Timestamp::from_second(1_000_000).unwrap(), Instant::now());
        let mut clock = Clock::new(start, began);
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
        let mut look = |monotonic: Duration, wall: Timestamp| clock.went_back(wall, began + monotonic);
        assert_eq!(look(second, start + second), None);
        assert_eq!(look(2 * second, start - second), None, "it was set right by a little");
        assert_eq!(look(3 * second, start - hour), Some(hour));
        assert_eq!(look(4 * second, start - hour + second), None, "that is known");
        assert_eq!(look(5 * second, start + hour), None, "forward, nothing waits too long");
    }
}
