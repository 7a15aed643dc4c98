//! What the simulated Platform does to calls while a cycle goes on: rules as its control interface takes them, made of one
//! generator. Each kind of fault comes up in every campaign.

use std::fmt;

use rand::{
    Rng,
    rngs::StdRng,
    seq::{IndexedRandom, SliceRandom},
};
use serde::Serialize;

use crate::profile::Profile;

/// The faults of one cycle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weather {
    /// The first that matches and whose dice fall wins.
    pub rules: Vec<Rule>,
    /// For how many seconds a token lives, if not for long.
    pub token_lifetime_s: Option<u64>,
}

/// One rule, as `/_sim/faults` takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// Which calls.
    pub method: &'static str,
    /// What goes wrong.
    pub fault: &'static str,
    /// How likely it is.
    pub probability: f64,
    /// Milliseconds before the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// The seconds in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// The HTTP status, where it is not the fault's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Whether the call is carried out all the same.
    pub after: bool,
}

/// The kinds of faults that are dealt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Throttled,
    ServerError,
    Unavailable,
    ProxyPage,
    Slow,
    TooSlow,
    AnswerLost,
    AnswerCut,
    ConnectionCut,
    Unauthorized,
    NoToken,
    ShortTokens,
    Bare404,
}

const KINDS: [Kind; 13] = [
    Kind::Throttled,
    Kind::ServerError,
    Kind::Unavailable,
    Kind::ProxyPage,
    Kind::Slow,
    Kind::TooSlow,
    Kind::AnswerLost,
    Kind::AnswerCut,
    Kind::ConnectionCut,
    Kind::Unauthorized,
    Kind::NoToken,
    Kind::ShortTokens,
    Kind::Bare404,
];

/// The weather of so many cycles in such a tenant. Each kind comes about equally often.
pub(crate) fn forecast(rng: &mut StdRng, profile: Profile, cycles: usize) -> Vec<Weather> {
    let mut deck: Vec<Kind> = Vec::new();
    let mut forecast = Vec::new();
    for _ in 0..cycles {
        let mut weather = Weather::default();
        for _ in 0..rng.random_range(2..=4) {
            if deck.is_empty() {
                deck = KINDS.to_vec();
                deck.shuffle(rng);
            }
            if let Some(kind) = deck.pop() {
                weather.add(rng, profile, kind);
            }
        }
        forecast.push(weather);
    }
    forecast
}

impl Weather {
    fn add(&mut self, rng: &mut StdRng, profile: Profile, kind: Kind) {
        let rule = match kind {
            Kind::Throttled => Rule {
                retry_after_s: Some(rng.random_range(0..=1)),
                ..Rule::new("throttle", rng.random_range(0.03..0.12))
            },
            Kind::ServerError => Rule {
                status: [500, 502, 504].choose(rng).copied(),
                after: rng.random_bool(0.5),
                ..Rule::new("error", rng.random_range(0.03..0.12))
            },
            Kind::Unavailable => Rule {
                retry_after_s: *[None, Some(0), Some(1)].choose(rng).unwrap_or(&None),
                ..Rule::new("unavailable", rng.random_range(0.03..0.12))
            },
            Kind::ProxyPage => Rule {
                after: rng.random_bool(0.5),
                ..Rule::new("html", rng.random_range(0.02..0.08))
            },
            // Within the adapter's time limit for a call, and beyond it.
            Kind::Slow => Rule {
                delay_ms: Some(rng.random_range(20..250)),
                ..Rule::new("slow", rng.random_range(0.1..0.4))
            },
            Kind::TooSlow => Rule {
                delay_ms: Some(rng.random_range(500..1500)),
                ..Rule::new("slow", rng.random_range(0.02..0.08))
            },
            Kind::AnswerLost => Rule::new("lost_answer", rng.random_range(0.03..0.12)),
            Kind::AnswerCut => Rule::new("truncated", rng.random_range(0.03..0.1)),
            Kind::ConnectionCut => Rule::new("drop", rng.random_range(0.03..0.12)),
            Kind::Unauthorized => Rule::new("unauthorized", rng.random_range(0.02..0.08)),
            Kind::NoToken => Rule {
                method: "token",
                ..Rule::new(
                    ["error", "unavailable", "drop"].choose(rng).unwrap_or(&"error"),
                    rng.random_range(0.2..0.6),
                )
            },
            Kind::ShortTokens => {
                self.token_lifetime_s = Some(1);
                return;
            }
            Kind::Bare404 => Rule {
                method: profile.calls().choose(rng).unwrap_or(&"*"),
                ..Rule::new("bare404", rng.random_range(0.01..0.06))
            },
        };
        self.rules.push(rule);
    }
}

impl Rule {
    fn new(fault: &'static str, probability: f64) -> Self {
        Self {
            method: "*",
            fault,
            probability,
            delay_ms: None,
            retry_after_s: None,
            status: None,
            after: false,
        }
    }

    /// The Platform cuts every connection, the token's too.
    pub(crate) fn outage() -> [Self; 2] {
        ["*", "token"].map(|method| Self {
            method,
            ..Self::new("drop", 1.0)
        })
    }

    /// The Platform takes every connection and says nothing, until long after nobody waits any more.
    pub(crate) fn silence() -> [Self; 2] {
        ["*", "token"].map(|method| Self {
            method,
            delay_ms: Some(3000),
            ..Self::new("drop", 1.0)
        })
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<String> = self.rules.iter().map(ToString::to_string).collect();
        f.write_str(&rules.join(", "))?;
        if let Some(lifetime) = self.token_lifetime_s {
            let comma = if rules.is_empty() { "" } else { ", " };
            write!(f, "{comma}tokens live for {lifetime} s")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} % {}", self.probability * 100.0, self.fault)?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        if let Some(delay) = self.delay_ms {
            write!(f, " by {delay} ms")?;
        }
        if let Some(seconds) = self.retry_after_s {
            write!(f, " with Retry-After {seconds}")?;
        }
        if self.after {
            f.write_str(" after the call was carried out")?;
        }
        if self.method != "*" {
            write!(f, " of {}", self.method)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_kind_of_fault_comes_up() {
        for (seed, profile) in (0..50).zip(Profile::ALL.into_iter().cycle()) {
            let weathers = forecast(&mut StdRng::seed_from_u64(seed), profile, 11);
            let rules = || weathers.iter().flat_map(|weather| &weather.rules);
            let faults: BTreeSet<_> = rules().map(|rule| rule.fault).collect();
            assert!(faults.len() >= 10, "seed {seed}: {faults:?}");
            assert!(rules().any(|rule| rule.method == "token"), "seed {seed}");
            assert!(rules().any(|rule| rule.delay_ms > Some(400)), "seed {seed}");
            assert!(weathers.iter().any(|weather| weather.token_lifetime_s.is_some()));
            assert!(weathers.iter().all(|weather| !weather.to_string().is_empty()));
        }
    }
}
