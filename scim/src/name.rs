//! How names and texts are compared.
//!
//! Attribute names and URNs ignore ASCII case (RFC 7643 §2.1, RFC 8141 §3.1); values of attributes that are not
//! `caseExact` are compared after Unicode case folding.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Folds case, so that two texts which differ only in case fold to the same text.
///
/// It is Unicode's full case folding but for the Cherokee script, whose letters fold to lower case here: `ß` and `ẞ`
/// become `ss`, `ſ` becomes `s`, all three sigmas become `σ`, ligatures come apart. Dotless `ı` stays apart from `i`, as
/// in Unicode's own table. Text is not normalised: an `é` in one code point and one in two are different.
///
/// ```
/// assert_eq!(scim::fold_case("STRASSE"), scim::fold_case("Straße"));
/// assert_eq!(scim::fold_case("ΟΔΥΣΣΕΥΣ"), scim::fold_case("Οδυσσευς"));
/// ```
pub fn fold_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(fold_char).collect()
}

/// Upper case first, because that is what brings `ſ`, `ς` and ligatures together with their plain letters.
fn fold_char(letter: char) -> impl Iterator<Item = char> {
    // The capital sharp s is its own upper case; dotless i must not meet the dotted one on the way up.
    let letter = if letter == 'ẞ' { 'ß' } else { letter };
    let keep = letter == 'ı';
    let kept = keep.then_some(letter);
    let folded = (!keep).then(|| letter.to_uppercase().flat_map(char::to_lowercase));
    kept.into_iter().chain(folded.into_iter().flatten())
}

/// Takes a member out. Of two that differ only in letter case one would be ignored, so there must not be two.
pub(crate) fn take(map: &mut Map<String, Value>, name: &str) -> Result<Option<Value>, String> {
    let mut keys = map.keys().filter(|key| key.eq_ignore_ascii_case(name));
    let (key, another) = (keys.next().cloned(), keys.next().is_some());
    if another {
        return Err(format!("`{name}` is there more than once, in different letter case"));
    }
    Ok(key.and_then(|key| map.remove(&key)))
}

/// The folded text, borrowed when there is nothing to fold.
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if plain {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(fold_case(text))
    }
}

/// Whether the text has the form of a UUID, in any letter case.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_twice_changes_nothing_for_any_character() {
        for letter in '\0'..=char::MAX {
            let once = fold_case(letter.encode_utf8(&mut [0; 4]));
            assert_eq!(fold_case(&once), once, "{letter:?}");
        }
    }

    #[test]
    fn case_is_all_that_folding_ignores() {
        let alike = [
            ("Ångström", "ÅNGSTRÖM"),
            ("ẞ", "ss"),
            ("ſ", "S"),
            ("ﬁ", "FI"),
            ("K", "k"),
            ("ς", "Σ"),
        ];
        for (left, right) in alike {
            assert_eq!(fold_case(left), fold_case(right), "{left} and {right}");
        }
        let apart = [("ı", "i"), ("é", "e"), ("é", "e\u{301}"), ("а", "a")];
        for (left, right) in apart {
            assert_ne!(fold_case(left), fold_case(right), "{left} and {right}");
        }
    }

    #[test]
    fn uuids_are_known_by_their_form() {
        assert!(is_uuid("6C0F8A52-0f4e-4f6e-9b1f-5d2f6a1c7e90"));
        for other in [
            "",
            "6c0f8a520f4e4f6e9b1f5d2f6a1c7e90",
            "6c0f8a52-0f4e-4f6e-9b1f-5d2f6a1c7e9g",
        ] {
            assert!(!is_uuid(other));
        }
    }
}
