//! What shall happen in a campaign: which changes, in which dialect, under which faults, and who dies when. All of it follows
//! from the seed, the store and the profile, by one generator for the faults and one for the blows (the directory and its changes have
//! Entra's own, and the simulated Platform throws dice of its own for rules with a probability); so a seed can be played again.
//! It knows no process and no socket.

use std::{fmt, time::Duration};

use entra_simulator::Dialect;
use rand::{
    Rng, SeedableRng,
    rngs::StdRng,
    seq::{IndexedRandom, SliceRandom},
};

use crate::{
    profile::Profile,
    store::Store,
    weather::{self, Weather},
};

/// How many rounds of changes follow the initial cycle.
pub const ROUNDS: usize = 10;

/// A campaign as it is meant to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// What identity-service keeps its state in.
    pub store: Store,
    /// Which kind of tenant the Platform is.
    pub profile: Profile,
    /// The initial cycle, then one for each round of changes.
    pub cycles: Vec<Cycle>,
}

/// One of Entra's cycles and what happens meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Cycle {
    /// How Entra speaks in it.
    pub dialect: Dialect,
    /// What the Platform does to calls.
    pub weather: Weather,
    /// Whether Entra repeats the cycle until nothing is left to be tried again. Otherwise what failed is left for the next
    /// cycle, when the directory has changed again.
    pub until_clean: bool,
    /// One after the other.
    pub blows: Vec<Blow>,
}

/// Something that happens at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blow {
    /// How long after the one before, or after the cycle's begin.
    pub after: Duration,
    /// What it is.
    pub what: What,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// These are killed together, and started again a while later.
    Kill {
        /// Who.
        victims: Vec<Victim>,
        /// How long they are gone.
        gone: Duration,
    },
    /// It stands still, for longer than a lease, and goes on as if nothing had been.
    Freeze {
        /// Who.
        victim: Victim,
        /// For how long.
        lasts: Duration,
    },
    /// Every token that the Platform has given out ends.
    TokensEnd,
    /// The Platform cuts every connection without having done anything.
    Outage(Duration),
}

/// A process that can be killed. The simulated Platform lives, as Delinea's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// The store's server, where it is Redis.
    Redis,
    /// delinea-adapter.
    Adapter,
    /// One of the identity-services.
    Identity(usize),
    /// One of the gateways.
    Gateway(usize),
}

impl Plan {
    /// The plan of this seed; the same arguments always give the same.
    pub fn of(seed: u64, store: Store, profile: Profile) -> Self {
        // Each generator has a stream of its own, so that more of the one changes nothing of the other.
        let mut faults = StdRng::seed_from_u64(seed ^ 0x0FA0_17ED_0BAD_5EED);
        let mut blows = StdRng::seed_from_u64(seed ^ 0x00D0_0D1E_D0FF_5EED);
        let first = if blows.random_bool(0.5) {
            [Dialect::Default, Dialect::Flagged]
        } else {
            [Dialect::Flagged, Dialect::Default]
        };
        let cycles = weather::forecast(&mut faults, profile, 1 + ROUNDS)
            .into_iter()
            .enumerate()
            .map(|(number, weather)| {
                // The initial cycle is the longest.
                let count = if number == 0 {
                    blows.random_range(5..=8)
                } else {
                    blows.random_range(1..=4)
                };
                Cycle {
                    dialect: first[number % 2],
                    weather,
                    until_clean: blows.random_bool(0.5),
                    blows: (0..count).map(|_| blow(&mut blows, store)).collect(),
                }
            })
            .collect();
        Self {
            seed,
            store,
            profile,
            cycles,
        }
    }

    /// How many processes are killed.
    pub fn kills(&self) -> usize {
        let blows = self.cycles.iter().flat_map(|cycle| &cycle.blows);
        blows
            .map(|blow| match &blow.what {
                What::Kill { victims, .. } => victims.len(),
                What::Freeze { .. } | What::TokensEnd | What::Outage(_) => 0,
            })
            .sum()
    }
}

fn blow(rng: &mut StdRng, store: Store) -> Blow {
    let after = Duration::from_millis(rng.random_range(30..500));
    let mut victims = Victim::all(store);
    let what = match rng.random_range(0..20) {
        0 | 1 => What::TokensEnd,
        2 | 3 => What::Outage(Duration::from_millis(rng.random_range(200..1500))),
        4 => What::Freeze {
            victim: *victims.choose(rng).unwrap_or(&Victim::Adapter),
            lasts: Duration::from_millis(rng.random_range(2200..3200)),
        },
        _ => {
            let count = *[1, 1, 1, 1, 1, 1, 2, 2, 2, victims.len()].choose(rng).unwrap_or(&1);
            victims.shuffle(rng);
            victims.truncate(count);
            // They come back in this order: callees before those who call them.
            victims.sort_unstable();
            What::Kill {
                victims,
                gone: Duration::from_millis(rng.random_range(0..400)),
            }
        }
    };
    Blow { after, what }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {}, {}", self.seed, self.store, self.profile)?;
        for (number, cycle) in self.cycles.iter().enumerate() {
            writeln!(f, "cycle {number}: {cycle}")?;
            for Blow { after, what } in &cycle.blows {
                writeln!(f, "    {after:?} later {what}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeated = if self.until_clean {
            "until nothing is left"
        } else {
            "once"
        };
        write!(f, "{:?} dialect, {repeated}; {}", self.dialect, self.weather)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { victims, gone } => {
                let names: Vec<_> = victims.iter().map(ToString::to_string).collect();
                write!(f, "kill {}, back after {gone:?}", names.join(" and "))
            }
            Self::Freeze { victim, lasts } => write!(f, "{victim} stands still for {lasts:?}"),
            Self::TokensEnd => f.write_str("all tokens end"),
            Self::Outage(lasts) => write!(f, "the Platform is away for {lasts:?}"),
        }
    }
}

impl Victim {
    /// Everybody who can be killed, callees before those who call them.
    pub fn all(store: Store) -> Vec<Self> {
        let replicas = 0..store.replicas();
        let redis = (store == Store::Redis).then_some(Self::Redis);
        let services = replicas.clone().map(Self::Identity).chain(replicas.map(Self::Gateway));
        redis.into_iter().chain([Self::Adapter]).chain(services).collect()
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis => f.write_str("redis-server"),
            Self::Adapter => f.write_str("delinea-adapter"),
            Self::Identity(nth) => write!(f, "identity-service {nth}"),
            Self::Gateway(nth) => write!(f, "gateway {nth}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn discriminant(victim: &Victim) -> u8 {
        match victim {
            Victim::Redis => 0,
            Victim::Adapter => 1,
            Victim::Identity(_) => 2,
            Victim::Gateway(_) => 3,
        }
    }

    #[test]
    fn a_seed_gives_one_plan_and_another_gives_another() {
        for store in Store::BOTH {
            assert_eq!(
                Plan::of(7, store, Profile::Heritage),
                Plan::of(7, store, Profile::Heritage)
            );
            assert_eq!(
                Plan::of(7, store, Profile::Heritage).to_string(),
                Plan::of(7, store, Profile::Heritage).to_string()
            );
            assert_ne!(
                Plan::of(7, store, Profile::Heritage),
                Plan::of(8, store, Profile::Heritage)
            );
        }
    }

    #[test]
    fn every_plan_has_both_dialects_and_kills_everybody() {
        for store in Store::BOTH {
            for seed in 0..200 {
                let plan = Plan::of(seed, store, Profile::Default);
                assert_eq!(plan.cycles.len(), 1 + ROUNDS);
                let dialects = plan.cycles.iter().filter(|cycle| cycle.dialect == Dialect::Flagged);
                assert!((5..=6).contains(&dialects.count()));
                let blows = plan.cycles.iter().flat_map(|cycle| &cycle.blows);
                let victims: BTreeSet<_> = blows
                    .filter_map(|blow| match &blow.what {
                        What::Kill { victims, .. } => Some(victims),
                        What::Freeze { .. } | What::TokensEnd | What::Outage(_) => None,
                    })
                    .flatten()
                    .collect();
                let kinds: BTreeSet<_> = victims.iter().map(|victim| discriminant(victim)).collect();
                let all = if store == Store::Redis { 4 } else { 3 };
                assert_eq!(kinds.len(), all, "seed {seed}: {victims:?}");
                assert!((15..=90).contains(&plan.kills()), "seed {seed}: {}", plan.kills());
            }
        }
    }
}
