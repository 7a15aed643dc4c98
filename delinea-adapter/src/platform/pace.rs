//! How fast calls go out: so many a second, evenly, with a second's allowance saved up at most; and none for as long as the
//! Platform asked. It knows time only, not what is called.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// A pause up to this long is waited for; who would have to wait longer is told when to come back.
const WORTH_WAITING: Duration = Duration::from_secs(2);
/// How long a call that can wait does so at most, in favour of others.
const MOST_YIELDED: Duration = Duration::from_secs(30);
/// How much of the allowance is saved up while nothing is called.
const SAVED: Duration = Duration::from_secs(1);

/// The pace of all calls to one tenant.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The time between two calls; `None` sets no limit.
    interval: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the next call may go out, were nothing saved up.
    next: Instant,
    /// When the next call that can wait may go out.
    next_spare: Instant,
    /// Until when nothing goes out.
    paused_until: Option<Instant>,
}

impl Pace {
    /// A pace of so many calls a second, shared evenly by so many processes; 0 sets no limit.
    pub(crate) fn new(per_second: u32, processes: u16) -> Self {
        let interval = (per_second > 0).then(|| Duration::from_secs(1) * u32::from(processes.max(1)) / per_second);
        let state = State {
            next: Instant::now(),
            next_spare: Instant::now(),
            paused_until: None,
        };
        Self {
            interval,
            state: Mutex::new(state),
        }
    }

    /// Waits until a call may go out; or gives how long that would take, where it is not worth waiting for.
    pub(crate) async fn turn(&self) -> Result<(), Duration> {
        let at = self.reserve(Instant::now())?;
        sleep_until(at).await;
        Ok(())
    }

    /// Waits until a call that can wait holds no other up: nobody waits for a turn, and every second turn is left free. That
    /// comes to an end, however much is called; then comes the call's turn like any other's.
    pub(crate) async fn spare(&self) {
        let latest = Instant::now() + MOST_YIELDED;
        while let Err(until) = self.reserve_spare(Instant::now(), latest) {
            sleep_until(until).await;
        }
    }

    /// Takes a spare moment, if now is one; else gives when to look again.
    fn reserve_spare(&self, now: Instant, latest: Instant) -> Result<(), Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = state.next_spare;
        if self.interval.is_some() {
            free = free.max(state.next);
        }
        let free = state.paused_until.map_or(free, |until| free.max(until));
        if free > now && now < latest {
            return Err(free.min(latest));
        }
        if let Some(interval) = self.interval {
            state.next_spare = now + 2 * interval;
        }
        Ok(())
    }

    /// Lets nothing out for a while.
    pub(crate) fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.paused_until = state.paused_until.max(Some(until));
    }

    /// When the next call may go out; that moment is taken.
    fn reserve(&self, now: Instant) -> Result<Instant, Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = now;
        if let Some(until) = state.paused_until {
            let left = until.saturating_duration_since(now);
            if left > WORTH_WAITING {
                return Err(left);
            }
            at += left;
        }
        if let Some(interval) = self.interval {
            let saved = SAVED.saturating_sub(interval);
            let earliest = at.checked_sub(saved).unwrap_or(at);
            let slot = state.next.max(earliest);
            state.next = slot + interval;
            at = at.max(slot);
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long each of so many calls waits that come at once.
    fn waits(pace: &Pace, now: Instant, calls: usize) -> Vec<u128> {
        let wait = |_| pace.reserve(now).unwrap().duration_since(now).as_millis();
        (0..calls).map(wait).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_go_out_evenly_after_what_was_saved_up() {
        let now = Instant::now();
        let pace = Pace::new(5, 1);
        assert_eq!(waits(&pace, now + SAVED, 7), [0, 0, 0, 0, 0, 200, 400]);
        let later = now + Duration::from_secs(60);
        assert_eq!(waits(&pace, later, 6), [0, 0, 0, 0, 0, 200], "no more than a second's");
        let half = Pace::new(5, 2);
        assert_eq!(waits(&half, now + SAVED, 4), [0, 0, 200, 600]);
        assert_eq!(waits(&Pace::new(0, 1), now, 100), [0; 100]);
        assert_eq!(waits(&Pace::new(1, 1), now + SAVED, 3), [0, 1000, 2000]);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_can_wait_leave_every_second_turn_free_and_yield() {
        let pace = Pace::new(10, 1);
        let began = Instant::now();
        for _ in 0..5 {
            pace.spare().await;
        }
        assert_eq!(began.elapsed(), Duration::from_millis(800), "half of ten a second");
        // Who waits for a turn goes first.
        tokio::time::sleep(SAVED).await;
        let now = Instant::now();
        waits(&pace, now, 30);
        pace.spare().await;
        let waited = now.elapsed();
        assert!(waited >= Duration::from_millis(1_900), "{waited:?}");
        // But nobody waits for ever.
        let now = Instant::now();
        waits(&pace, now, 10_000);
        pace.spare().await;
        assert_eq!(now.elapsed(), MOST_YIELDED);
        let free = Pace::new(0, 1);
        let now = Instant::now();
        free.spare().await;
        assert_eq!(now.elapsed(), Duration::ZERO);
        free.pause(Duration::from_secs(3));
        free.spare().await;
        assert_eq!(now.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everything_up() {
        let pace = Pace::new(0, 1);
        pace.pause(Duration::from_secs(1));
        let began = Instant::now();
        pace.turn().await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        pace.pause(Duration::from_secs(30));
        pace.pause(Duration::from_secs(1));
        assert_eq!(pace.turn().await, Err(Duration::from_secs(30)));
    }
}
