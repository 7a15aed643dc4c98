//! What a plan has besides where a deployment serves several tenants: each has weather of its own, each one's Platform is away for
//! the whole of a cycle at least once while the others' are fine, and the file of tenants changes all the while.

use std::{fmt, time::Duration};

use rand::{
    Rng, SeedableRng,
    rngs::StdRng,
    seq::{IndexedRandom, SliceRandom},
};

use super::{Blow, Cycle, NAMES, Share, What, dialects, forecast};
use crate::{
    profile::Profile,
    weather::{Rule, Weather},
};

/// One Platform does not serve for a whole cycle. The others then have no faults, and are as they shall be before it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away {
    /// Whose Platform.
    pub tenant: usize,
    /// How it is away.
    pub how: Absence,
}

/// How a Platform is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// It cuts every connection.
    Cut,
    /// It takes every connection and says nothing: it takes whatever there is of places and time.
    Silent,
}

/// A change of the file of tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Whose settings.
    pub tenant: usize,
    /// Which of its sections.
    pub section: &'static str,
    /// Which setting.
    pub key: &'static str,
    /// What it shall be, as TOML.
    pub value: String,
    /// How it gets there.
    pub manner: Manner,
}

/// How a file is written, and how the services learn of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Another one is put into its place; the services find out.
    Replaced,
    /// The same, and the services are told by SIGHUP.
    Signalled,
    /// It is written in place, and is broken off in the middle for so long.
    InHalves(Duration),
}

/// Lets further tenants take part in these cycles, which have one.
pub(super) fn join(cycles: &mut [Cycle], seed: u64, profile: Profile, tenants: usize) {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x00AB_A2D5_EED0_F0A1);
    for tenant in 1..tenants {
        let dialects = dialects(&mut rng);
        let weathers = forecast(seed, tenant as u64, profile);
        for (number, (cycle, weather)) in cycles.iter_mut().zip(weathers).enumerate() {
            cycle.shares.push(Share {
                dialect: dialects[number % 2],
                weather,
                until_clean: rng.random_bool(0.5),
            });
        }
    }
    send_away(cycles, &mut rng, tenants);
    for cycle in cycles {
        for blow in &mut cycle.blows {
            if let What::TokensEnd { tenant } | What::Outage { tenant, .. } = &mut blow.what {
                // Who is fine while another is away stays so.
                let any = rng.random_range(0..tenants);
                *tenant = cycle.away.map_or(any, |away| away.tenant);
            }
        }
        for _ in 0..rng.random_range(1..=3) {
            let blow = Blow {
                after: Duration::from_millis(rng.random_range(30..300)),
                what: What::Edit(Edit::random(&mut rng, tenants)),
            };
            cycle.blows.insert(rng.random_range(0..=cycle.blows.len()), blow);
        }
    }
}

/// Each tenant's Platform is away in one cycle, and one of them in another.
fn send_away(cycles: &mut [Cycle], rng: &mut StdRng, tenants: usize) {
    let mut numbers: Vec<usize> = (0..cycles.len()).collect();
    numbers.shuffle(rng);
    let whose = (0..tenants).chain([rng.random_range(0..tenants)]);
    for (number, tenant) in numbers.into_iter().zip(whose) {
        let how = *[Absence::Cut, Absence::Silent].choose(rng).unwrap_or(&Absence::Cut);
        let cycle = &mut cycles[number];
        for (nth, share) in cycle.shares.iter_mut().enumerate() {
            if nth == tenant {
                share.weather = how.weather();
            } else {
                (share.weather, share.until_clean) = (Weather::default(), true);
            }
        }
        cycle.away = Some(Away { tenant, how });
    }
}

impl Absence {
    fn weather(self) -> Weather {
        let rules = match self {
            Self::Cut => Rule::outage(),
            Self::Silent => Rule::silence(),
        };
        Weather {
            rules: rules.into(),
            token_lifetime_s: None,
        }
    }
}

impl Edit {
    fn random(rng: &mut StdRng, tenants: usize) -> Self {
        let tenant = rng.random_range(0..tenants);
        let (section, key, value) = match rng.random_range(0..7) {
            0 => ("platform", "max_rps", rng.random_range(200..400).to_string()),
            1 => ("platform", "page_size", rng.random_range(100..500).to_string()),
            2 => ("platform", "member_batch", rng.random_range(20..100).to_string()),
            3 => ("directory", "scan_limit", rng.random_range(20_000..50_000).to_string()),
            4 => ("directory", "member_batch", rng.random_range(20..100).to_string()),
            5 => ("directory", "delivery_concurrency", rng.random_range(4..12).to_string()),
            _ => {
                let policy = ["report", "repair"].choose(rng).unwrap_or(&"report");
                ("directory", "drift_policy", format!("'{policy}'"))
            }
        };
        let manner = match rng.random_range(0..3) {
            0 => Manner::Replaced,
            1 => Manner::Signalled,
            _ => Manner::InHalves(Duration::from_millis(rng.random_range(50..900))),
        };
        Self {
            tenant,
            section,
            key,
            value,
            manner,
        }
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            Absence::Cut => "cuts every connection",
            Absence::Silent => "says nothing",
        };
        write!(f, "the Platform of {} {how}, the others' are fine", NAMES[self.tenant])
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tenant,
            section,
            key,
            value,
            manner,
        } = self;
        write!(f, "{}.{section}.{key} becomes {value}", NAMES[*tenant])?;
        match manner {
            Manner::Replaced => Ok(()),
            Manner::Signalled => f.write_str(", with a signal"),
            Manner::InHalves(lasts) => write!(f, ", and the file is half for {lasts:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::Plan, store::Store};

    #[test]
    fn each_platform_is_away_for_a_cycle_while_the_others_are_fine() {
        for (seed, tenants) in (0..100).flat_map(|seed| [(seed, 2), (seed, 4)]) {
            let plan = Plan::of(seed, Store::Redis, Profile::Default, tenants);
            let away = || {
                let all = plan.cycles.iter();
                all.filter_map(|cycle| cycle.away.map(|away| (away.tenant, cycle)))
            };
            for tenant in 0..tenants {
                assert!(away().any(|(whose, _)| whose == tenant), "seed {seed}: {tenant}");
            }
            for (whose, cycle) in away() {
                for (tenant, share) in cycle.shares.iter().enumerate() {
                    let is_fine = share.weather == Weather::default() && share.until_clean;
                    assert_eq!(is_fine, tenant != whose, "seed {seed}: {tenant}");
                }
                let strikes_another = |blow: &Blow| match blow.what {
                    What::TokensEnd { tenant } | What::Outage { tenant, .. } => tenant != whose,
                    _ => false,
                };
                assert!(
                    !cycle.blows.iter().any(strikes_another),
                    "seed {seed}: {:?}",
                    cycle.blows
                );
            }
        }
    }

    #[test]
    fn the_file_changes_in_every_cycle_and_each_tenant_has_its_own_weather() {
        for seed in 0..100 {
            let plan = Plan::of(seed, Store::Embedded, Profile::Default, 2);
            let is_edit = |blow: &Blow| matches!(blow.what, What::Edit(_));
            assert!(plan.cycles.iter().all(|cycle| cycle.blows.iter().any(is_edit)));
            let differ = |cycle: &&Cycle| cycle.shares[0].weather != cycle.shares[1].weather;
            assert_eq!(
                plan.cycles.iter().filter(differ).count(),
                plan.cycles.len(),
                "seed {seed}"
            );
        }
    }

    /// What one tenant meets is the first one's, but for what there is because of the others.
    #[test]
    fn the_others_change_nothing_of_who_is_killed() {
        let one = Plan::of(7, Store::Redis, Profile::Default, 1);
        let two = Plan::of(7, Store::Redis, Profile::Default, 2);
        assert_eq!(one.kills(), two.kills());
        assert!(
            one.cycles
                .iter()
                .all(|cycle| cycle.away.is_none() && cycle.shares.len() == 1)
        );
    }
}
