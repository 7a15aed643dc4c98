//! What is done to a value on its way from an attribute into a field. Values come trimmed, and one of which nothing is left
//! is no value.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One step. Steps are done in their order.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// Small letters.
    Lower,
    /// Capital letters.
    Upper,
    /// So many characters from the beginning.
    First(usize),
    /// This in front.
    Prefix(String),
    /// This behind.
    Suffix(String),
    /// Another value for each that is named, whatever its case; null is no value. `*` names all others, which are kept
    /// without it.
    Map(BTreeMap<String, Option<String>>),
}

/// What names all values that have no entry of their own.
const OTHERS: &str = "*";

impl Step {
    /// Whether the step can be meant.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::First(0) => Err("`first` 0 leaves nothing; `off` switches a field off".to_owned()),
            Self::Map(map) => {
                let mut keys: Vec<_> = map.keys().map(|key| key.trim().to_lowercase()).collect();
                keys.sort_unstable();
                match keys.windows(2).find(|pair| pair[0] == pair[1]) {
                    Some(pair) => Err(format!("`map` has {:?} twice, and case does not matter", pair[0])),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn of(&self, value: &str) -> Option<String> {
        match self {
            Self::Lower => Some(value.to_lowercase()),
            Self::Upper => Some(value.to_uppercase()),
            Self::First(count) => Some(value.chars().take(*count).collect()),
            Self::Prefix(prefix) => Some(format!("{prefix}{value}")),
            Self::Suffix(suffix) => Some(format!("{value}{suffix}")),
            Self::Map(map) => {
                let folded = value.to_lowercase();
                let named = map.iter().find(|(key, _)| key.trim().to_lowercase() == folded);
                match named.map(|(_, to)| to).or_else(|| map.get(OTHERS)) {
                    Some(to) => to.clone(),
                    None => Some(value.to_owned()),
                }
            }
        }
    }
}

/// What the steps make of a value.
pub(super) fn apply(steps: &[Step], value: String) -> Option<String> {
    steps.iter().try_fold(value, |value, step| {
        let made = step.of(&value)?;
        let trimmed = made.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(json: &str) -> Vec<Step> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_step_does_what_it_is_called() {
        for (written, value, made) in [
            ("[]", "Anna", Some("Anna")),
            (r#"["lower"]"#, "ANNA \u{c9}", Some("anna \u{e9}")),
            (r#"["upper"]"#, "anna", Some("ANNA")),
            (
                r#"[{"first": 3}]"#,
                "\u{e9}\u{e9}\u{e9}\u{e9}",
                Some("\u{e9}\u{e9}\u{e9}"),
            ),
            (r#"[{"first": 5}]"#, "Anna Berg", Some("Anna")),
            (r#"[{"prefix": "x-"}, {"suffix": "-y"}, "upper"]"#, "a", Some("X-A-Y")),
            (r#"[{"map": {"Contractor": "Vendor"}}]"#, "contractor", Some("Vendor")),
            (r#"[{"map": {"Contractor": "Vendor"}}]"#, "Intern", Some("Intern")),
            (
                r#"[{"map": {"Contractor": "Vendor", "*": "Employee"}}]"#,
                "Intern",
                Some("Employee"),
            ),
            (r#"[{"map": {"Contractor": "Vendor", "*": null}}]"#, "Intern", None),
            (r#"[{"map": {"x": " "}}]"#, "x", None),
            (r#"[{"map": {"x": null}}, {"prefix": "y"}]"#, "x", None),
        ] {
            assert_eq!(
                apply(&steps(written), value.to_owned()).as_deref(),
                made,
                "{written} {value}"
            );
        }
    }

    #[test]
    fn steps_that_cannot_be_meant_are_refused() {
        for written in [r#"[{"first": 0}]"#, r#"[{"map": {"a": "x", "A": "y"}}]"#] {
            assert!(steps(written)[0].check().is_err(), "{written}");
        }
        for written in [
            r#"["lowr"]"#,
            r#"[{"first": -1}]"#,
            r#"[{"prefix": 1}]"#,
            r#"[{"lower": 1}]"#,
            r#"["map"]"#,
            r#"[{"prefix": "a", "suffix": "b"}]"#,
        ] {
            assert!(serde_json::from_str::<Vec<Step>>(written).is_err(), "{written}");
        }
    }

    proptest! {
        #[test]
        fn nothing_blank_comes_out(value in ".{0,12}", count in 1usize..5, text in ".{0,3}") {
            let steps = [Step::Lower, Step::First(count), Step::Suffix(text), Step::Upper];
            for end in 0..=steps.len() {
                if let Some(made) = apply(&steps[..end], value.clone()) {
                    prop_assert!(end == 0 || (!made.is_empty() && made.trim() == made));
                }
            }
        }
    }
}
