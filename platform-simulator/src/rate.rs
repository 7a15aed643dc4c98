//! How many calls the tenant takes: a bucket that fills evenly up to a burst.

use tokio::time::Instant;

use crate::profile::Profile;

/// What is left in the bucket.
#[derive(Debug)]
pub(crate) struct Rate {
    left: f64,
    at: Instant,
}

impl Rate {
    /// Full, whatever the allowance: it is cut to that when the first call is taken out.
    pub(crate) fn full() -> Self {
        Self {
            left: f64::INFINITY,
            at: Instant::now(),
        }
    }

    /// Takes one call out of what the profile allows; false: too many.
    pub(crate) fn allows(&mut self, profile: &Profile) -> bool {
        let (per_second, burst) = match (profile.max_rps, profile.rate_burst) {
            (0, _) => return true,
            (rate, 0) => (rate, rate),
            both => both,
        };
        self.take(f64::from(per_second), f64::from(burst), Instant::now())
    }

    fn take(&mut self, per_second: f64, burst: f64, now: Instant) -> bool {
        let passed = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * per_second).min(burst);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_allowance_fills_evenly_up_to_the_burst() {
        let profile = Profile {
            max_rps: 10,
            rate_burst: 3,
            ..Profile::default()
        };
        let mut rate = Rate::full();
        let mut taken = || (0..20).filter(|_| rate.allows(&profile)).count();
        assert_eq!(taken(), 3);
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(taken(), 2);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(taken(), 3);
    }
}
