//! The password of a new account: random, from the system's generator, with every kind of character that a policy may
//! ask for. Nobody learns it: people log in by federation, or reset it.

use rand::{Rng, TryRngCore, rngs::OsRng, seq::SliceRandom};
use secrecy::SecretString;

use crate::config::AccountSettings;

/// Letters and digits; those that look alike are left out.
const LETTERS: [&[u8]; 3] = [b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"abcdefghijkmnopqrstuvwxyz", b"23456789"];

/// A new password by these settings.
pub(crate) fn generate(settings: &AccountSettings) -> SecretString {
    let (length, each) = (settings.password_length, settings.password_each_kind);
    let kinds = kinds(settings.password_symbols.as_bytes());
    let mut random = OsRng.unwrap_err();
    let all = kinds.concat();
    let mut pick = |from: &[u8]| char::from(from[random.random_range(..from.len())]);
    let mut password: Vec<char> = Vec::with_capacity(usize::from(length));
    for kind in kinds {
        password.extend((0..each).map(|_| pick(kind)));
    }
    while password.len() < usize::from(length) {
        password.push(pick(&all));
    }
    password.shuffle(&mut OsRng.unwrap_err());
    SecretString::from(password.into_iter().collect::<String>())
}

fn kinds(symbols: &[u8]) -> [&[u8]; 4] {
    let [capital, small, digits] = LETTERS;
    [capital, small, digits, symbols]
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::tests::platform;

    #[test]
    fn every_password_has_so_many_of_each_kind_and_no_two_are_alike() {
        let mut seen = std::collections::HashSet::new();
        for (length, each, symbols) in [
            (8, 1, "!"),
            (8, 2, "-_"),
            (32, 1, "!#%+-.:=?@_~"),
            (32, 8, "."),
            (256, 64, "!?"),
        ] {
            let (length_text, each_text) = (length.to_string(), each.to_string());
            let settings = platform(&[
                "--password-length",
                &length_text,
                "--password-each-kind",
                &each_text,
                "--password-symbols",
                symbols,
            ]);
            let settings = settings.unwrap().accounts;
            settings.check().unwrap();
            for _ in 0..50 {
                let password = generate(&settings);
                let text = password.expose_secret();
                assert_eq!(text.len(), length);
                for kind in kinds(symbols.as_bytes()) {
                    let count = text.bytes().filter(|byte| kind.contains(byte)).count();
                    assert!(count >= each, "{length} {each}");
                }
                assert!(seen.insert(text.to_owned()));
            }
        }
    }
}
