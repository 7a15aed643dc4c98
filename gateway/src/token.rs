//! Bearer tokens of our own making. The prefix makes a leaked token recognisable; only its hash is ever kept.
//!
//! ```text
//! dsg_ h4Kx…43 characters of A–Z a–z 0–9 - _ … Qp
//! prefix  258 random bits
//! ```

use std::io::{self, Write};
use std::process::ExitCode;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::TokenHash;

/// What each token of ours begins with.
pub const PREFIX: &str = "dsg_";

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Makes a bearer token that nobody can guess.
pub fn new_token() -> SecretString {
    let random: [u8; 43] = rand::random();
    let mut token = PREFIX.to_owned();
    // Six bits of each byte: 64 divides 256, so every character is as likely as any other.
    token.extend(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])));
    SecretString::from(token)
}

/// The hash of a token: what the settings keep of it.
pub fn hash_token(token: &str) -> TokenHash {
    TokenHash::from(<[u8; 32]>::from(Sha256::digest(token)))
}

/// Writes a new token and its hash to standard output, for `gateway token`.
pub fn print_new() -> ExitCode {
    let token = new_token();
    let token = token.expose_secret();
    let text = format!("token   {token}\nsha256  {}\n", hash_token(token));
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_recognisable_differ_and_fit_a_header() {
        let (one, two) = (new_token(), new_token());
        assert_ne!(one.expose_secret(), two.expose_secret());
        let random = one.expose_secret().strip_prefix(PREFIX).unwrap();
        assert_eq!(random.len(), 43);
        assert!(random.bytes().all(|byte| ALPHABET.contains(&byte)));
    }

    #[test]
    fn the_hash_is_sha_256_in_hex() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash_token("abc").to_string(), expected);
    }
}
