//! One simulated tenant: its state, how it behaves, and what was asked of it. Every handler gets it by reference.
//! Changes go through [`Platform::change`], which checks, applies and queues for the disk in one step.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

use crate::calls::Calls;
use crate::faults::Faults;
use crate::furniture::{federated, furniture};
use crate::journal::{Commit, Journal};
use crate::past::Past;
use crate::profile::Profile;
use crate::query::QueryCache;
use crate::rate::Rate;
use crate::records::{Group, User};
use crate::replay::Replay;
use crate::state::{Op, State};
use crate::tokens::Tokens;

/// The id of the service user on whose behalf all calls are made.
pub const CALLER_ID: &str = "5ca1ab1e-0000-4000-8000-000000000001";
/// The id of the default system administrator.
pub const ADMIN_ID: &str = "5ca1ab1e-0000-4000-8000-000000000002";

/// Whom the token endpoint knows.
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// The tenant.
pub(crate) struct Platform {
    pub(crate) client: Client,
    pub(crate) journal: Journal,
    replay: Option<Mutex<Replay>>,
    state: Mutex<State>,
    profile: Mutex<Arc<Profile>>,
    faults: Mutex<Faults>,
    calls: Mutex<Calls>,
    tokens: Mutex<Tokens>,
    cache: Mutex<QueryCache>,
    rate: Mutex<Rate>,
    old_names: Mutex<HashMap<String, (String, Instant)>>,
    past: Mutex<Past>,
    jitter: Mutex<StdRng>,
}

impl Platform {
    pub(crate) fn new(
        client: Client,
        journal: Journal,
        state: State,
        profile: Profile,
        replay: Option<Replay>,
        seed: u64,
    ) -> Self {
        let mut faults = Faults::new(seed);
        faults.set_standing(profile.faults.clone());
        Self {
            client,
            journal,
            replay: replay.map(Mutex::new),
            state: Mutex::new(state),
            profile: Mutex::new(Arc::new(profile)),
            faults: Mutex::new(faults),
            calls: Mutex::default(),
            tokens: Mutex::default(),
            cache: Mutex::default(),
            rate: Mutex::new(Rate::full()),
            old_names: Mutex::default(),
            past: Mutex::default(),
            jitter: Mutex::new(StdRng::seed_from_u64(seed)),
        }
    }

    /// Reads the state.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&held(&self.state))
    }

    /// Decides on the state as it is, applies what was decided, and queues it for the disk; or changes nothing.
    /// Readers may see a change a moment before it is on disk; its own caller hears of it only afterwards.
    pub(crate) fn change<T, E>(
        &self,
        decide: impl FnOnce(&State) -> Result<(Vec<Op>, T), E>,
    ) -> Result<(T, Commit), E> {
        let mut state = held(&self.state);
        let (ops, answer) = decide(&state)?;
        if ops.is_empty() {
            return Ok((answer, Commit::default()));
        }
        if !self.journal.takes_changes() {
            return Ok((answer, Commit::failed()));
        }
        if self.profile().group_lag_ms > 0 {
            held(&self.past).remember(&state, &ops, self.group_lag());
        }
        ops.iter().for_each(|op| state.apply(op));
        let commit = self.journal.append(&ops);
        self.journal.compact_when_long(&state);
        Ok((answer, commit))
    }

    /// Makes what every tenant has, where it is missing: the caller, an administrator, and the built-in groups.
    /// `None` when the caller's login name is another account's.
    pub(crate) fn furnish(&self) -> Option<Commit> {
        let result = self.change(|state| match state.user_named(&self.client.id) {
            Some(other) if other.id != CALLER_ID => Err(()),
            _ => Ok((
                [furniture(&self.client.id, state), federated(&self.profile(), state)].concat(),
                (),
            )),
        });
        result.ok().map(|((), commit)| commit)
    }

    /// Back to an empty tenant; the profile stays.
    pub(crate) fn reset(&self) -> Commit {
        *self.calls() = Calls::default();
        *self.cache() = QueryCache::default();
        self.faults().clear();
        held(&self.old_names).clear();
        *held(&self.past) = Past::default();
        let empty = State::default();
        let ops = [
            vec![Op::Clear],
            furniture(&self.client.id, &empty),
            federated(&self.profile(), &empty),
        ]
        .concat();
        let Ok(((), commit)) = self.change(|_| Ok::<_, std::convert::Infallible>((ops, ())));
        commit
    }

    pub(crate) fn profile(&self) -> Arc<Profile> {
        Arc::clone(&held(&self.profile))
    }

    /// Behaves like this from now on; accounts that its federation has from the start are made where they are missing.
    pub(crate) fn set_profile(&self, profile: Profile) -> Commit {
        self.faults().set_standing(profile.faults.clone());
        *held(&self.profile) = Arc::new(profile);
        let Ok(((), commit)) =
            self.change(|state| Ok::<_, std::convert::Infallible>((federated(&self.profile(), state), ())));
        commit
    }

    /// The groups as reports and queries show them now, by id.
    pub(crate) fn groups_in_reports(&self, state: &State) -> Vec<Arc<Group>> {
        held(&self.past).groups(state, self.group_lag())
    }

    fn group_lag(&self) -> Duration {
        Duration::from_millis(self.profile().group_lag_ms)
    }

    /// How long a call to this method takes before anything else, with so many others under way.
    pub(crate) fn latency(&self, method: &str, others: u64) -> Duration {
        let profile = self.profile();
        let jitter = match profile.latency_jitter_ms {
            0 => 0,
            most => held(&self.jitter).random_range(0..=most),
        };
        let load = profile.latency_per_call_ms.saturating_mul(others);
        let fixed = profile.fixed_latency_ms(method);
        Duration::from_millis(fixed.saturating_add(jitter).saturating_add(load))
    }

    /// The transcript that takes the place of the simulated tenant, where there is one.
    pub(crate) fn replay(&self) -> Option<MutexGuard<'_, Replay>> {
        self.replay.as_ref().map(held)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        held(&self.faults)
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, Calls> {
        held(&self.calls)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        held(&self.tokens)
    }

    pub(crate) fn cache(&self) -> MutexGuard<'_, QueryCache> {
        held(&self.cache)
    }

    /// Takes one call out of the allowance; false: too many.
    pub(crate) fn within_rate(&self, profile: &Profile) -> bool {
        held(&self.rate).allows(profile)
    }

    /// Lets readers see this account's old display name for a while longer.
    pub(crate) fn hold_back_display_name(&self, id: &str, old: &str, lag: Duration) {
        let now = Instant::now();
        let mut names = held(&self.old_names);
        names.retain(|_, (_, until)| *until > now);
        names.insert(id.to_owned(), (old.to_owned(), now + lag));
    }

    /// The account as readers see it now.
    pub(crate) fn seen(&self, user: &Arc<User>) -> Arc<User> {
        let names = held(&self.old_names);
        match names.get(&user.id) {
            Some((old, until)) if *until > Instant::now() => Arc::new(User {
                display_name: old.clone(),
                ..User::clone(user)
            }),
            _ => Arc::clone(user),
        }
    }
}

/// A panic under a lock fails its own request; the data stays usable, since changes are applied whole.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(profile: Profile, seed: u64) -> Platform {
        let client = Client {
            id: "gateway@example.com".to_owned(),
            secret: "secret".to_owned(),
        };
        Platform::new(client, Journal::memory(), State::default(), profile, None, seed)
    }

    #[test]
    fn jitter_is_spread_evenly_and_follows_from_the_seed() {
        let profile = Profile {
            latency_ms: 10,
            latency_jitter_ms: 100,
            latency_per_call_ms: 1000,
            ..Profile::default()
        };
        let draw = |seed| {
            let platform = platform(profile.clone(), seed);
            (0..200)
                .map(|_| platform.latency("A/B", 2).as_millis())
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|ms| (2010..=2110).contains(ms)));
        let high = draw(7).into_iter().filter(|ms| *ms >= 2060).count();
        assert!((60..140).contains(&high), "{high} of 200 in the upper half");
    }
}
