//! The password of a new account: random, from the system's generator, with every kind of character that a policy may
//! ask for. Nobody learns it: people log in by federation, or reset it.

use rand::{Rng, TryRngCore, rngs::OsRng, seq::SliceRandom};
use secrecy::SecretString;

/// Characters that look alike are left out; symbols are those that hardly any policy refuses.
const KINDS: [&[u8]; 4] = [
    b"ABCDEFGHJKLMNPQRSTUVWXYZ",
    b"abcdefghijkmnopqrstuvwxyz",
    b"23456789",
    b"!#%+-.:=?@_~",
];

/// A new password of so many characters, at least one of each kind.
pub(crate) fn generate(length: usize) -> SecretString {
    let mut random = OsRng.unwrap_err();
    let all = KINDS.concat();
    let mut pick = |from: &[u8]| char::from(from[random.random_range(..from.len())]);
    let mut password: Vec<char> = KINDS.iter().map(|kind| pick(kind)).collect();
    while password.len() < length {
        password.push(pick(&all));
    }
    password.shuffle(&mut OsRng.unwrap_err());
    SecretString::from(password.into_iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn every_password_has_each_kind_and_no_two_are_alike() {
        let mut seen = std::collections::HashSet::new();
        for length in [8, 9, 32, 256] {
            for _ in 0..50 {
                let password = generate(length);
                let text = password.expose_secret();
                assert_eq!(text.len(), length);
                for kind in KINDS {
                    assert!(text.bytes().any(|byte| kind.contains(&byte)), "{length}");
                }
                assert!(seen.insert(text.to_owned()));
            }
        }
    }
}
