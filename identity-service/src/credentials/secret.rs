//! Secrets of our own making, and the hash that is kept of one. The prefix makes one that leaked recognisable.
//!
//! ```text
//! dsg_ h4Kx…43 characters of A–Z a–z 0–9 - _ … Qp
//! prefix  258 random bits
//! ```

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What each bearer token of ours begins with.
pub(super) const TOKEN_PREFIX: &str = "dsg_";
/// What each client secret of ours begins with.
pub(super) const SECRET_PREFIX: &str = "dsgs_";

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Makes a bearer token that nobody can guess.
pub fn new_token() -> SecretString {
    random(TOKEN_PREFIX)
}

/// Makes a client secret that nobody can guess.
pub fn new_secret() -> SecretString {
    random(SECRET_PREFIX)
}

fn random(prefix: &str) -> SecretString {
    let random: [u8; 43] = rand::random();
    let mut secret = prefix.to_owned();
    // Six bits of each byte: 64 divides 256, so every character is as likely as any other.
    secret.extend(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])));
    SecretString::from(secret)
}

/// The SHA-256 of a secret; in hex as text. Secrets are random and long, so that nothing slower is needed to keep them from
/// being guessed by their hashes. Shown by `Display`, not by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretHash([u8; 32]);

/// The text is not a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits: the SHA-256 of the secret, not the secret itself")]
pub struct NotAHash;

impl SecretHash {
    /// The hash of a secret.
    pub fn of(secret: &SecretString) -> Self {
        Self(Sha256::digest(secret.expose_secret()).into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Enough of it to find it among settings; nothing of the secret.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl FromStr for SecretHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(NotAHash);
        }
        let digit = |at: usize| {
            let digit = char::from(digits[at]).to_digit(16);
            digit.and_then(|digit| u8::try_from(digit).ok()).ok_or(NotAHash)
        };
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = digit(2 * at)? << 4 | digit(2 * at + 1)?;
        }
        Ok(Self(hash))
    }
}

impl TryFrom<String> for SecretHash {
    type Error = NotAHash;

    fn try_from(text: String) -> Result<Self, NotAHash> {
        text.parse()
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(<hidden>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_recognisable_differ_and_fit_a_header() {
        for (prefix, new) in [
            (TOKEN_PREFIX, new_token as fn() -> SecretString),
            (SECRET_PREFIX, new_secret),
        ] {
            let (one, two) = (new(), new());
            assert_ne!(one.expose_secret(), two.expose_secret());
            let random = one.expose_secret().strip_prefix(prefix).unwrap();
            assert_eq!(random.len(), 43);
            assert!(random.bytes().all(|byte| ALPHABET.contains(&byte)));
        }
    }

    #[test]
    fn the_hash_is_sha_256_in_hex() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hash = SecretHash::of(&SecretString::from("abc"));
        assert_eq!(hash.to_string(), expected);
        assert_eq!(expected.to_uppercase().parse(), Ok(hash));
        for text in ["", "abc", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(text.parse::<SecretHash>(), Err(NotAHash), "{text}");
        }
        assert!(!format!("{hash:?}").contains("ba78"));
    }
}
