//! How fast calls to a tenant go out, and how many at once: never more than the settings say, less while the Platform has too
//! much to do, and nothing for as long as it asked. It knows time and what answers say of the Platform's load, not what is called.

mod concurrency;
mod rate;

use std::time::Duration;

use http::StatusCode;
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep_until, timeout_at},
};

use self::{concurrency::Concurrency, rate::Rate};
use super::{
    failure::{Failure, Trouble},
    transport::Answer,
};
use crate::{config::PlatformConfig, deadline, metrics::Metrics};

/// How long a call that can wait does so at most, in favour of others.
const MOST_YIELDED: Duration = Duration::from_secs(30);
/// With less time left than this, a call is not sent: its caller would be gone before the answer, and its outcome in doubt.
const LEAST_TIME: Duration = Duration::from_millis(250);
/// A longer answer is a list's, whose time depends on its length.
const ABOUT_ONE_OBJECT: usize = 64 << 10;

/// The pace of all calls to one tenant.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: Rate,
    concurrency: Concurrency,
    metrics: Metrics,
}

/// Why a call does not get its turn. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTurn {
    /// The Platform asked for a pause, which lasts so much longer.
    Paused(Duration),
    /// It would come when its caller is gone, or nearly.
    TooLate,
}

/// Why calls go out slower, or fewer at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// 429: too many calls.
    Throttled,
    /// 503: too much to do.
    Unavailable,
    /// Answers take several times as long as they did.
    Latency,
    /// An answer did not come in time.
    Timeout,
}

impl Cause {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Throttled, Self::Unavailable, Self::Latency, Self::Timeout];

    /// The cause's name, in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Latency => "latency",
            Self::Timeout => "timeout",
        }
    }
}

/// What became of a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change<T> {
    /// It is lower; `first` where it was as set before.
    Lower { now: T, first: bool },
    /// It is higher, and not yet as set.
    Higher(T),
    /// It is as set again.
    AsSet,
}

/// A call's turn: for as long as it is kept, the call is one of those under way.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    place: Option<SemaphorePermit<'a>>,
    concurrency: &'a Concurrency,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.concurrency.leave(place);
        }
    }
}

/// A request that was sent. Dropped without an end, it was given up by its caller.
#[derive(Debug)]
pub(crate) struct Sent<'a> {
    pace: &'a Pace,
    method: &'static str,
    at: Instant,
    ended: bool,
}

impl Pace {
    /// The pace that the settings give one of the tenant's adapters.
    pub(crate) fn new(config: &PlatformConfig, metrics: Metrics) -> Self {
        let adapters = config.adapter_replicas.max(1);
        let share = f64::from(config.calls_a_second()) / f64::from(adapters);
        let at_once = usize::from((config.max_concurrency / adapters).max(1));
        let adapts = config.pace_adapts;
        metrics.rate(share);
        metrics.concurrency(at_once);
        Self {
            rate: Rate::new(Some(share).filter(|share| *share > 0.0), adapts),
            concurrency: Concurrency::new(at_once, adapts),
            metrics,
        }
    }

    /// Waits until a call may go out, where that is worth waiting for and its caller is still there then.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, NoTurn> {
        let latest = deadline::present().map(|end| end.checked_sub(LEAST_TIME).unwrap_or(end));
        let place = match latest {
            Some(latest) => timeout_at(latest, self.concurrency.enter())
                .await
                .map_err(|_| NoTurn::TooLate)?,
            None => self.concurrency.enter().await,
        };
        let turn = Turn {
            place,
            concurrency: &self.concurrency,
        };
        let mut at = self.rate.reserve(Instant::now(), latest)?;
        // A pause that comes meanwhile is for who waits already, too.
        while at > Instant::now() {
            sleep_until(at).await;
            at = self.rate.unless_paused(Instant::now(), latest)?;
        }
        Ok(turn)
    }

    /// Waits until a call that can wait holds no other up: nobody waits for a turn, and every second turn is left free. That
    /// comes to an end, however much is called; then comes the call's turn like any other's.
    pub(crate) async fn spare(&self) {
        let latest = Instant::now() + MOST_YIELDED;
        while let Err(until) = self.rate.reserve_spare(Instant::now(), latest) {
            sleep_until(until).await;
        }
    }

    /// The Platform asked for fewer calls in words: a refusal whose status says nothing of it.
    pub(crate) fn throttled(&self, pause: Option<Duration>) {
        if let Some(pause) = pause {
            self.rate.pause(Instant::now() + pause);
        }
        self.too_many(Cause::Throttled);
    }

    /// A request goes out now.
    pub(crate) fn sent(&self, method: &'static str) -> Sent<'_> {
        Sent {
            pace: self,
            method,
            at: Instant::now(),
            ended: false,
        }
    }

    fn too_many(&self, cause: Cause) {
        if let Some(Change::Lower { now, first }) = self.rate.lower(Instant::now()) {
            self.metrics.slow_down(cause.name());
            self.metrics.rate(now);
            if first {
                let cause = cause.name();
                tracing::warn!(
                    scim.tenant = self.metrics.tenant(),
                    cause,
                    calls_a_second = now,
                    "the Platform has too much to do; calls go out slower"
                );
            }
        }
    }

    fn too_slow(&self, cause: Cause) {
        if let Some(Change::Lower { now, first }) = self.concurrency.lower(Instant::now()) {
            self.metrics.slow_down(cause.name());
            self.metrics.concurrency(now);
            if first {
                let cause = cause.name();
                tracing::warn!(
                    scim.tenant = self.metrics.tenant(),
                    cause,
                    at_once = now,
                    "the Platform is slow; fewer calls are made at once"
                );
            }
        }
    }

    /// The Platform gave an answer that says nothing of too much to do.
    fn went_well(&self) {
        let now = Instant::now();
        match self.rate.raise(now) {
            Some(Change::Higher(rate)) => self.metrics.rate(rate),
            Some(_) => {
                self.metrics.rate(self.rate.as_set());
                tracing::info!(
                    scim.tenant = self.metrics.tenant(),
                    "calls go out as fast as is set again"
                );
            }
            None => {}
        }
        match self.concurrency.raise(now) {
            Some(Change::Higher(at_once)) => self.metrics.concurrency(at_once),
            Some(_) => {
                self.metrics.concurrency(self.concurrency.as_set());
                tracing::info!(
                    scim.tenant = self.metrics.tenant(),
                    "as many calls as is set are made at once again"
                );
            }
            None => {}
        }
    }
}

impl Sent<'_> {
    /// Learns from what became of the request, and hands it on.
    pub(crate) fn ended(mut self, result: Result<Answer, Failure>) -> Result<Answer, Failure> {
        self.ended = true;
        match &result {
            Ok(answer) => self.learn(answer),
            Err(Failure::Unavailable {
                trouble: Trouble::Timeout,
                ..
            }) => self.pace.too_slow(Cause::Timeout),
            // A connection that failed says nothing of the load.
            Err(_) => {}
        }
        result
    }

    fn learn(&self, answer: &Answer) {
        match answer.status {
            StatusCode::TOO_MANY_REQUESTS => self.pace.throttled(answer.retry_after),
            StatusCode::SERVICE_UNAVAILABLE => self.pace.too_many(Cause::Unavailable),
            _ => {
                let is_small = answer.body.len() <= ABOUT_ONE_OBJECT;
                let now = Instant::now();
                if is_small
                    && self
                        .pace
                        .concurrency
                        .is_slow(now, self.method, now.duration_since(self.at))
                {
                    self.pace.too_slow(Cause::Latency);
                } else {
                    self.pace.went_well();
                }
            }
        }
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let waited = self.at.elapsed();
        if !self.ended && self.pace.concurrency.was_long(self.method, waited) {
            self.pace.too_slow(Cause::Timeout);
        }
    }
}

#[cfg(test)]
mod tests;
