//! How many calls a second: evenly, with a second's allowance saved up at most. Too many for the Platform halve it; it grows
//! again with each answer, slowly up to where it was too much, and then faster.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Change, NoTurn};

/// A pause up to this long is waited for; who would have to wait longer is told when to come back.
const WORTH_WAITING: Duration = Duration::from_secs(2);
/// How much of the allowance is saved up while nothing is called.
const SAVED: Duration = Duration::from_secs(1);
/// It is not lowered again within this time: calls that are refused together are refused for one reason.
const ONE_REASON: Duration = Duration::from_secs(2);
/// It is not lowered below this many a second, or a delivery of several calls would never come to its end.
const LEAST: f64 = 0.5;
/// Where no limit is set, one that is found is at least twice this at first: a rate that was measured over few calls says little.
const LEAST_MEASURED: f64 = 10.0;
/// In so many seconds of answers it grows by as much as is set, or below what was too much, by as much as that.
const RECOVERY_SECONDS: f64 = 60.0;
/// So much more than what was too much is no longer near it.
const NEAR: f64 = 1.25;
/// One answer vouches for no longer a time than this.
const LONGEST_STEP: Duration = Duration::from_secs(3);

/// The rate.
#[derive(Debug)]
pub(super) struct Rate {
    /// The rate that is set; `None` sets no limit.
    most: Option<f64>,
    adapts: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The limit in force, in calls a second.
    rate: Option<f64>,
    /// The rate that was too much, when it was last lowered.
    too_much: f64,
    lowered_at: Option<Instant>,
    raised_at: Instant,
    /// When the next call may go out, were nothing saved up.
    next: Instant,
    /// When the next call that can wait may go out.
    next_spare: Instant,
    /// Until when nothing goes out.
    paused_until: Option<Instant>,
    measured: Measured,
}

/// How many calls went out in this second and in the one before.
#[derive(Debug)]
struct Measured {
    since: Instant,
    now: u32,
    before: u32,
}

impl Rate {
    /// So many calls a second; without, there is no limit.
    pub(super) fn new(most: Option<f64>, adapts: bool) -> Self {
        let now = Instant::now();
        let state = State {
            rate: most,
            too_much: 0.0,
            lowered_at: None,
            raised_at: now,
            next: now,
            next_spare: now,
            paused_until: None,
            measured: Measured {
                since: now,
                now: 0,
                before: 0,
            },
        };
        Self {
            most,
            adapts,
            state: Mutex::new(state),
        }
    }

    /// When the next call may go out; that moment is taken, unless it comes after `latest`.
    pub(super) fn reserve(&self, now: Instant, latest: Option<Instant>) -> Result<Instant, NoTurn> {
        let mut state = self.state();
        let mut at = state.unless_paused(now)?;
        let (mut next, interval) = (state.next, state.interval());
        if let Some(interval) = interval {
            let saved = SAVED.saturating_sub(interval);
            let slot = next.max(at.checked_sub(saved).unwrap_or(at));
            next = slot + interval;
            at = at.max(slot);
        }
        if latest.is_some_and(|latest| at > latest) {
            return Err(NoTurn::TooLate);
        }
        state.next = next;
        state.measured.count(now);
        Ok(at)
    }

    /// Now, or when a pause that came meanwhile is over.
    pub(super) fn unless_paused(&self, now: Instant, latest: Option<Instant>) -> Result<Instant, NoTurn> {
        let at = self.state().unless_paused(now)?;
        if latest.is_some_and(|latest| at > latest) {
            return Err(NoTurn::TooLate);
        }
        Ok(at)
    }

    /// Takes a spare moment, if now is one; else gives when to look again.
    pub(super) fn reserve_spare(&self, now: Instant, latest: Instant) -> Result<(), Instant> {
        let mut state = self.state();
        let interval = state.interval();
        let mut free = state.next_spare;
        if interval.is_some() {
            free = free.max(state.next);
        }
        let free = state.paused_until.map_or(free, |until| free.max(until));
        if free > now && now < latest {
            return Err(free.min(latest));
        }
        if let Some(interval) = interval {
            state.next_spare = now + 2 * interval;
        }
        Ok(())
    }

    /// Lets nothing out until then.
    pub(super) fn pause(&self, until: Instant) {
        let mut state = self.state();
        state.paused_until = state.paused_until.max(Some(until));
    }

    /// It was too much for the Platform.
    pub(super) fn lower(&self, now: Instant) -> Option<Change<f64>> {
        let mut state = self.state();
        let lately = |at: Instant| now.duration_since(at) < ONE_REASON;
        if !self.adapts || state.lowered_at.is_some_and(lately) {
            return None;
        }
        let (first, before) = (state.rate == self.most, state.rate);
        let too_much = state
            .rate
            .unwrap_or_else(|| state.measured.rate(now).max(LEAST_MEASURED));
        let rate = (too_much / 2.0).max(self.most.map_or(LEAST, |most| LEAST.min(most)));
        (state.too_much, state.rate) = (too_much, Some(rate));
        (state.lowered_at, state.raised_at) = (Some(now), now);
        if before.is_some_and(|before| before <= rate) {
            return None;
        }
        Some(Change::Lower { now: rate, first })
    }

    /// The Platform answered.
    pub(super) fn raise(&self, now: Instant) -> Option<Change<f64>> {
        let mut state = self.state();
        let rate = state.rate.filter(|_| state.rate != self.most)?;
        // Where no limit is set, the one that was found is given up at twice what was too much.
        let most = self.most.unwrap_or(2.0 * state.too_much);
        let seconds = now.duration_since(state.raised_at).min(LONGEST_STEP).as_secs_f64();
        state.raised_at = now;
        let is_near = rate < state.too_much * NEAR;
        let pace = if is_near { state.too_much } else { most } / RECOVERY_SECONDS;
        let rate = rate + pace * seconds;
        if rate < most {
            state.rate = Some(rate);
            return Some(Change::Higher(rate));
        }
        state.rate = self.most;
        Some(Change::AsSet)
    }

    /// The rate that is set; 0 where there is no limit.
    pub(super) fn as_set(&self) -> f64 {
        self.most.unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn interval(&self) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(1.0 / rate))
    }

    fn unless_paused(&self, now: Instant) -> Result<Instant, NoTurn> {
        let until = self.paused_until.unwrap_or(now).max(now);
        match until.duration_since(now) {
            left if left > WORTH_WAITING => Err(NoTurn::Paused(left)),
            _ => Ok(until),
        }
    }
}

impl Measured {
    fn count(&mut self, now: Instant) {
        self.turn(now);
        self.now += 1;
    }

    fn turn(&mut self, now: Instant) {
        let seconds = now.duration_since(self.since).as_secs();
        if seconds > 0 {
            self.before = if seconds == 1 { self.now } else { 0 };
            self.now = 0;
            self.since += Duration::from_secs(seconds);
        }
    }

    fn rate(&mut self, now: Instant) -> f64 {
        self.turn(now);
        f64::from(self.now.max(self.before))
    }
}
