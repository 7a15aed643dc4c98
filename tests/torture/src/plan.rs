//! What shall happen in a campaign: which changes, in which dialect, under which faults, and who dies when. All of it follows
//! from the seed, the store, the profile and the number of tenants, by one generator for the faults and one for the blows (the directory
//! and its changes have Entra's own, and the simulated Platform throws dice of its own for rules with a probability); so a seed can be
//! played again. It knows no process and no socket.

mod several;

use std::{fmt, time::Duration};

use entra_simulator::Dialect;
use rand::{
    Rng, SeedableRng,
    rngs::StdRng,
    seq::{IndexedRandom, SliceRandom},
};

pub use several::{Absence, Away, Edit, Manner};

use crate::{
    profile::Profile,
    store::Store,
    weather::{self, Weather},
};

/// How many rounds of changes follow the initial cycle.
pub const ROUNDS: usize = 10;

/// What the tenants of a deployment that has several are called; a campaign has no more than these.
pub const NAMES: [&str; 4] = ["kestrel", "merlin", "osprey", "harrier"];

/// What the tenant of a deployment is called that has one.
const ALONE: &str = "default";

/// The names of so many tenants.
pub(crate) fn names(tenants: usize) -> &'static [&'static str] {
    if tenants == 1 { &[ALONE] } else { &NAMES[..tenants] }
}

/// A campaign as it is meant to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// What identity-service keeps its state in.
    pub store: Store,
    /// Which kind of tenant each Platform is.
    pub profile: Profile,
    /// How many tenants the deployment has, each with an Entra and a Platform of its own.
    pub tenants: usize,
    /// The initial cycle, then one for each round of changes.
    pub cycles: Vec<Cycle>,
}

/// A cycle of each tenant's Entra, all at the same time, and what happens meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Cycle {
    /// What each tenant does and meets.
    pub shares: Vec<Share>,
    /// Whose Platform is away for the whole of it, while the others' are fine.
    pub away: Option<Away>,
    /// One after the other.
    pub blows: Vec<Blow>,
}

/// One tenant's part of a cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// How Entra speaks in it.
    pub dialect: Dialect,
    /// What the Platform does to calls.
    pub weather: Weather,
    /// Whether Entra repeats the cycle until nothing is left to be tried again. Otherwise what failed is left for the next
    /// cycle, when the directory has changed again.
    pub until_clean: bool,
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
    /// Every token that a Platform has given out ends.
    TokensEnd {
        /// Whose Platform.
        tenant: usize,
    },
    /// A Platform cuts every connection without having done anything.
    Outage {
        /// Whose Platform.
        tenant: usize,
        /// For how long.
        lasts: Duration,
    },
    /// The file of tenants is changed, in what harms nobody.
    Edit(Edit),
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
    ///
    /// # Panics
    ///
    /// If there shall be no tenant, or more than there are [`NAMES`].
    pub fn of(seed: u64, store: Store, profile: Profile, tenants: usize) -> Self {
        assert!((1..=NAMES.len()).contains(&tenants), "{tenants} tenants");
        // Each generator has a stream of its own, so that more of the one changes nothing of the other.
        let mut blows = StdRng::seed_from_u64(seed ^ 0x00D0_0D1E_D0FF_5EED);
        let dialects = dialects(&mut blows);
        let mut cycles: Vec<Cycle> = forecast(seed, 0, profile)
            .into_iter()
            .enumerate()
            .map(|(number, weather)| {
                // The initial cycle is the longest.
                let count = if number == 0 {
                    blows.random_range(5..=8)
                } else {
                    blows.random_range(1..=4)
                };
                let share = Share {
                    dialect: dialects[number % 2],
                    weather,
                    until_clean: blows.random_bool(0.5),
                };
                Cycle {
                    shares: vec![share],
                    away: None,
                    blows: (0..count).map(|_| blow(&mut blows, store)).collect(),
                }
            })
            .collect();
        if tenants > 1 {
            several::join(&mut cycles, seed, profile, tenants);
        }
        Self {
            seed,
            store,
            profile,
            tenants,
            cycles,
        }
    }

    /// What the tenants are called.
    pub fn names(&self) -> &'static [&'static str] {
        names(self.tenants)
    }

    /// How many processes are killed.
    pub fn kills(&self) -> usize {
        let blows = self.cycles.iter().flat_map(|cycle| &cycle.blows);
        blows
            .map(|blow| match &blow.what {
                What::Kill { victims, .. } => victims.len(),
                _ => 0,
            })
            .sum()
    }
}

impl Plan {
    /// How often the file of tenants changes.
    pub(crate) fn edits(&self) -> usize {
        let blows = self.cycles.iter().flat_map(|cycle| &cycle.blows);
        blows.filter(|blow| matches!(blow.what, What::Edit(_))).count()
    }
}

/// The weather of that tenant's Platform in each cycle.
fn forecast(seed: u64, tenant: u64, profile: Profile) -> Vec<Weather> {
    let of_tenant = tenant.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut faults = StdRng::seed_from_u64(seed ^ 0x0FA0_17ED_0BAD_5EED ^ of_tenant);
    weather::forecast(&mut faults, profile, 1 + ROUNDS)
}

/// Both, in the order in which they take turns.
fn dialects(rng: &mut StdRng) -> [Dialect; 2] {
    if rng.random_bool(0.5) {
        [Dialect::Default, Dialect::Flagged]
    } else {
        [Dialect::Flagged, Dialect::Default]
    }
}

fn blow(rng: &mut StdRng, store: Store) -> Blow {
    let after = Duration::from_millis(rng.random_range(30..500));
    let mut victims = Victim::all(store);
    let what = match rng.random_range(0..20) {
        0 | 1 => What::TokensEnd { tenant: 0 },
        2 | 3 => What::Outage {
            tenant: 0,
            lasts: Duration::from_millis(rng.random_range(200..1500)),
        },
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
        writeln!(f, "{}", self.title())?;
        for (number, cycle) in self.cycles.iter().enumerate() {
            writeln!(f, "cycle {number}: {cycle}")?;
            for Blow { after, what } in &cycle.blows {
                writeln!(f, "    {after:?} later {}", what.told(self.names()))?;
            }
        }
        Ok(())
    }
}

impl Plan {
    fn title(&self) -> String {
        let Self {
            seed, store, profile, ..
        } = self;
        if self.tenants == 1 {
            format!("seed {seed}, {store}, {profile}")
        } else {
            format!("seed {seed}, {store}, {profile}, {} tenants", self.tenants)
        }
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [alone] = &self.shares[..] {
            return write!(f, "{alone}");
        }
        match &self.away {
            Some(away) => write!(f, "{away}")?,
            None => f.write_str("side by side")?,
        }
        for (share, name) in self.shares.iter().zip(NAMES) {
            write!(f, "\n    {name}: {share}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeated = if self.until_clean {
            "until nothing is left"
        } else {
            "once"
        };
        write!(f, "{:?} dialect, {repeated}; ", self.dialect)?;
        if self.weather == Weather::default() {
            f.write_str("no faults")
        } else {
            self.weather.fmt(f)
        }
    }
}

impl What {
    /// In words, where the tenants are called so.
    pub(crate) fn told(&self, names: &[&str]) -> String {
        let whose = |tenant: &usize| match names {
            [_] => "the Platform".to_owned(),
            names => format!("the Platform of {}", names[*tenant]),
        };
        match self {
            Self::Kill { victims, gone } => {
                let victims: Vec<_> = victims.iter().map(ToString::to_string).collect();
                format!("kill {}, back after {gone:?}", victims.join(" and "))
            }
            Self::Freeze { victim, lasts } => format!("{victim} stands still for {lasts:?}"),
            Self::TokensEnd { .. } if names.len() == 1 => "all tokens end".to_owned(),
            Self::TokensEnd { tenant } => format!("all tokens of {} end", whose(tenant)),
            Self::Outage { tenant, lasts } => format!("{} is away for {lasts:?}", whose(tenant)),
            Self::Edit(edit) => edit.to_string(),
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

    use sha2::{Digest, Sha256};

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
        for (store, tenants) in Store::BOTH.into_iter().flat_map(|store| [(store, 1), (store, 2)]) {
            assert_eq!(
                Plan::of(7, store, Profile::Heritage, tenants),
                Plan::of(7, store, Profile::Heritage, tenants)
            );
            assert_eq!(
                Plan::of(7, store, Profile::Heritage, tenants).to_string(),
                Plan::of(7, store, Profile::Heritage, tenants).to_string()
            );
            assert_ne!(
                Plan::of(7, store, Profile::Heritage, tenants),
                Plan::of(8, store, Profile::Heritage, tenants)
            );
        }
    }

    /// What a seed means is only changed on purpose: campaigns of before are told by their seeds (docs/reliability.md).
    #[test]
    fn a_seed_means_what_it_meant() {
        let plan = Plan::of(17, Store::Redis, Profile::Default, 1).to_string();
        let digest = Sha256::digest(plan);
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "84d0e20c4903d91f");
    }

    #[test]
    fn every_plan_has_both_dialects_and_kills_everybody() {
        for store in Store::BOTH {
            for seed in 0..200 {
                let plan = Plan::of(seed, store, Profile::Default, 1);
                assert_eq!(plan.cycles.len(), 1 + ROUNDS);
                let dialects = plan
                    .cycles
                    .iter()
                    .filter(|cycle| cycle.shares[0].dialect == Dialect::Flagged);
                assert!((5..=6).contains(&dialects.count()));
                let blows = plan.cycles.iter().flat_map(|cycle| &cycle.blows);
                let victims: BTreeSet<_> = blows
                    .filter_map(|blow| match &blow.what {
                        What::Kill { victims, .. } => Some(victims),
                        _ => None,
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
