//! Faults on request: rules that say which call goes wrong, how, how often and how likely. Rules given at run time come
//! first, behind them those of the profile. The first rule that matches and whose dice fall wins. The dice are seeded, so a run can be repeated.
//! It decides; `api` carries out.

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// At most so many rules are kept.
const MAX_RULES: usize = 1000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 429 with `Retry-After`; nothing is done.
    Throttle,
    /// `status` (500 unless told otherwise); nothing is done.
    Error,
    /// 503, with `Retry-After` when `retry_after_s` is set; nothing is done.
    Unavailable,
    /// Done and committed, answered after `delay_ms` (5 s unless told otherwise).
    Slow,
    /// Done and committed, then the connection is cut without an answer.
    LostAnswer,
    /// 404 with an empty body, as where the method is not exposed; nothing is done.
    Bare404,
    /// A proxy's HTML page with `status` (502 unless told otherwise); nothing is done.
    Html,
    /// Done and committed, but the answer ends in the middle.
    Truncated,
    /// 401; nothing is done.
    Unauthorized,
    /// The connection is cut at once; nothing is done.
    Drop,
    /// `success:false` with the rule's `message` and `error_id`, under `status` (200 unless told otherwise); nothing is done.
    Failure,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::Throttle,
        Self::Error,
        Self::Unavailable,
        Self::Slow,
        Self::LostAnswer,
        Self::Bare404,
        Self::Html,
        Self::Truncated,
        Self::Unauthorized,
        Self::Drop,
        Self::Failure,
    ];
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// `Controller/Method`, `Controller/*`, `entities/localusers`, `scim:POST /Users`, `scim:*`, `token`, or `*` for each
    /// API call but `token`.
    pub method: String,
    /// What goes wrong.
    pub fault: Fault,
    /// Only calls whose body has this text, such as a login name or an id, are hit; null: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How many calls are still hit; null: all.
    #[serde(default)]
    pub times: Option<u64>,
    /// How likely a matching call is hit.
    #[serde(default = "always")]
    pub probability: f64,
    /// The seconds in `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// Milliseconds before the answer, or before the cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// The HTTP status, where the fault has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The words of `failure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether the call is carried out and committed before it goes wrong, where the fault alone would not say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after: bool,
    /// The `ErrorID` of `failure`, such as `ChallengeRequired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_id: Option<String>,
    /// How many calls were hit.
    #[serde(default)]
    pub hits: u64,
}

fn always() -> f64 {
    1.0
}

impl FaultRule {
    /// A rule that hits this method each time.
    pub fn new(method: &str, fault: Fault) -> Self {
        Self {
            method: method.to_owned(),
            fault,
            about: None,
            times: None,
            probability: 1.0,
            retry_after_s: None,
            delay_ms: None,
            status: None,
            message: None,
            after: false,
            error_id: None,
            hits: 0,
        }
    }

    /// The same rule for so many calls only.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// The fault's name as rules spell it.
    pub fn name(&self) -> String {
        serde_json::to_value(self.fault)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    fn is_about(&self, body: &[u8]) -> bool {
        let Some(text) = &self.about else { return true };
        body.windows(text.len()).any(|part| part == text.as_bytes())
    }

    fn matches(&self, method: &str) -> bool {
        if method == "token" || self.method.eq_ignore_ascii_case("token") {
            return self.method.eq_ignore_ascii_case(method);
        }
        names(&self.method, method)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.method.is_empty() {
            return Err("method must not be empty".into());
        }
        if self.about.as_deref() == Some("") {
            return Err("about must not be empty".into());
        }
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(format!("probability {} is not between 0 and 1", self.probability));
        }
        match self.status {
            Some(status) if !(200..=599).contains(&status) => {
                Err(format!("status {status} is not a final HTTP status"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a name, or all that begins as the pattern does before its `*`, is meant; in any letter case.
pub(crate) fn names(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

/// The rules in force and the dice.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<FaultRule>,
    /// The profile's.
    standing: Vec<FaultRule>,
    seed: u64,
    dice: StdRng,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            standing: Vec::new(),
            seed,
            dice: StdRng::seed_from_u64(seed),
        }
    }

    /// The rules given at run time, used-up ones included.
    pub(crate) fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// The profile's rules.
    pub(crate) fn standing(&self) -> &[FaultRule] {
        &self.standing
    }

    /// Takes over the rules of another profile.
    pub(crate) fn set_standing(&mut self, rules: Vec<FaultRule>) {
        self.standing = rules;
    }

    /// Puts rules behind those in force; all of them or none.
    pub(crate) fn add(&mut self, rules: Vec<FaultRule>) -> Result<(), String> {
        rules.iter().try_for_each(FaultRule::check)?;
        if self.rules.len() + rules.len() > MAX_RULES {
            return Err(format!("more than {MAX_RULES} rules"));
        }
        self.rules.extend(rules);
        Ok(())
    }

    /// Drops the rules given at run time; the dice start anew.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            standing: std::mem::take(&mut self.standing),
            ..Self::new(self.seed)
        };
    }

    /// Drops the rule at this place, if there is one.
    pub(crate) fn remove(&mut self, at: usize) -> bool {
        let there = at < self.rules.len();
        if there {
            self.rules.remove(at);
        }
        there
    }

    /// The rule that hits this call, if any.
    pub(crate) fn hit(&mut self, method: &str, body: &[u8]) -> Option<FaultRule> {
        for rule in self.rules.iter_mut().chain(&mut self.standing) {
            if rule.times == Some(0) || !rule.matches(method) || !rule.is_about(body) {
                continue;
            }
            if rule.probability < 1.0 && self.dice.random::<f64>() >= rule.probability {
                continue;
            }
            rule.times = rule.times.map(|left| left - 1);
            rule.hits += 1;
            return Some(rule.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_match_exactly_by_controller_or_all() {
        for (rule, method, hit) in [
            ("CDirectoryService/CreateUser", "CDirectoryService/CreateUser", true),
            ("cdirectoryservice/createuser", "CDirectoryService/CreateUser", true),
            ("CDirectoryService/CreateUser", "CDirectoryService/ChangeUser", false),
            ("Roles/*", "Roles/UpdateRole", true),
            ("Roles/*", "UserMgmt/RemoveUser", false),
            ("*", "UserMgmt/RemoveUser", true),
            ("*", "token", false),
            ("token", "token", true),
            ("Token", "token", true),
        ] {
            assert_eq!(
                FaultRule::new(rule, Fault::Drop).matches(method),
                hit,
                "{rule} on {method}"
            );
        }
    }

    #[test]
    fn rules_are_used_up_in_order() {
        let mut faults = Faults::new(1);
        let rules = vec![
            FaultRule::new("*", Fault::Throttle).times(2),
            FaultRule::new("*", Fault::Slow).times(1),
        ];
        faults.add(rules).unwrap();
        let hits: Vec<_> = (0..4).map(|_| faults.hit("A/B", b"").map(|rule| rule.fault)).collect();
        assert_eq!(
            hits,
            [Some(Fault::Throttle), Some(Fault::Throttle), Some(Fault::Slow), None]
        );
        assert_eq!(faults.rules()[0].hits, 2);
    }

    #[test]
    fn a_rule_about_somebody_hits_nobody_else() {
        let mut faults = Faults::new(1);
        let about = Some("ada@x".to_owned());
        let rule = FaultRule {
            about,
            ..FaultRule::new("*", Fault::Drop)
        };
        faults.add(vec![rule]).unwrap();
        let hit = |faults: &mut Faults, body: &[u8]| faults.hit("A/B", body).is_some();
        assert!(hit(&mut faults, br#"{"Name":"ada@x"}"#));
        assert!(!hit(&mut faults, br#"{"Name":"bert@x"}"#));
        assert!(!hit(&mut faults, b"ada"));
    }

    #[test]
    fn the_same_seed_throws_the_same_dice() {
        let run = |seed| {
            let mut faults = Faults::new(seed);
            faults
                .add(vec![FaultRule {
                    probability: 0.3,
                    ..FaultRule::new("*", Fault::Drop)
                }])
                .unwrap();
            (0..200).map(|_| faults.hit("A/B", b"").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits = run(7).into_iter().filter(|hit| *hit).count();
        assert!((30..90).contains(&hits), "{hits} of 200 at 0.3");
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_refused_with_all_its_neighbours() {
        let good = FaultRule::new("*", Fault::Drop);
        for bad in [
            FaultRule::new("", Fault::Drop),
            FaultRule {
                about: Some(String::new()),
                ..good.clone()
            },
            FaultRule {
                probability: 1.5,
                ..good.clone()
            },
            FaultRule {
                probability: f64::NAN,
                ..good.clone()
            },
            FaultRule {
                status: Some(100),
                ..good.clone()
            },
        ] {
            let mut faults = Faults::new(1);
            faults.add(vec![good.clone(), bad]).unwrap_err();
            assert!(faults.rules().is_empty());
        }
    }
}
