//! The keys that access tokens are signed by, and the tokens (RFC 9068). A key signs for `SIGNING_KEY_ROTATION`; what it signed
//! is good to its end, so it is kept for as long.
//!
//! Ed25519: short keys, and no private operation of RSA, whose timing tells. A token names client and secret, so that it ends
//! with either; whether they are still there is looked at with each request.

use std::time::Duration;

use ed25519_dalek::SecretKey;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What stands before the key in PKCS #8 (RFC 8410 §7).
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// Who issues the tokens, and who takes them.
const ISSUER: &str = "delinea-scim-gateway";
/// For how long after its last token ended a key is kept: clocks differ.
const GRACE: Duration = Duration::from_secs(600);
/// How many keys a tenant may have that sign nothing any more; the oldest goes before there are more.
const MOST_KEYS: usize = 8;

/// One key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SigningKey {
    /// The `kid`.
    pub(super) id: String,
    /// When it was made.
    pub(super) created: Timestamp,
    /// The private key.
    secret: SecretKey,
    /// When it signed last what may still be good; `None` while it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retired: Option<Timestamp>,
}

/// What a token says.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    client_id: &'a str,
    tenant: &'a str,
    credential: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    secret: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

/// Whose token it is.
pub(super) struct Bearer<'a> {
    pub(super) tenant: &'a str,
    pub(super) client_id: &'a str,
    pub(super) credential: &'a str,
    pub(super) secret: &'a str,
}

impl SigningKey {
    pub(super) fn generate(now: Timestamp) -> Self {
        Self {
            id: Uuid::new_v4().simple().to_string(),
            created: now,
            secret: rand::random(),
            retired: None,
        }
    }

    /// The public half.
    pub(super) fn public(&self) -> [u8; 32] {
        ed25519_dalek::SigningKey::from_bytes(&self.secret)
            .verifying_key()
            .to_bytes()
    }

    /// Signs a token that is good for so long from now.
    pub(super) fn sign(
        &self,
        bearer: &Bearer<'_>,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.id.clone());
        let issued = now.as_second();
        let claims = Claims {
            iss: ISSUER,
            aud: ISSUER,
            sub: bearer.client_id,
            client_id: bearer.client_id,
            tenant: bearer.tenant,
            credential: bearer.credential,
            secret: bearer.secret,
            iat: issued,
            exp: issued.saturating_add_unsigned(lifetime.as_secs()),
            jti: Uuid::new_v4().to_string(),
        };
        let key = EncodingKey::from_ed_der(&[&PKCS8[..], &self.secret].concat());
        jsonwebtoken::encode(&header, &claims, &key)
    }
}

/// Whether a new key is due to sign.
pub(super) fn is_due(keys: &[SigningKey], now: Timestamp, rotation: Duration) -> bool {
    // A clock that went back is no reason for a new one.
    let old = |key: &SigningKey| !rotation.is_zero() && now.duration_since(key.created).unsigned_abs() >= rotation;
    keys.last().is_none_or(|key| key.created <= now && old(key))
}

/// Puts a new key in charge, and drops those whose tokens have ended; all of them, if they shall end now.
pub(super) fn rotate(keys: &mut Vec<SigningKey>, now: Timestamp, lifetime: Duration, end_tokens: bool) {
    if end_tokens {
        keys.clear();
    }
    if let Some(last) = keys.last_mut() {
        last.retired = Some(now);
    }
    let kept = lifetime.saturating_add(GRACE);
    keys.retain(|key| {
        key.retired
            .is_none_or(|at| now.duration_since(at).unsigned_abs() < kept)
    });
    keys.push(SigningKey::generate(now));
    let surplus = keys.len().saturating_sub(MOST_KEYS);
    keys.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_key_is_replaced_in_time_and_kept_for_what_it_signed() {
        let mut keys = Vec::new();
        assert!(is_due(&keys, at(0), HOUR));
        rotate(&mut keys, at(0), HOUR, false);
        assert!(!is_due(&keys, at(3599), HOUR) && is_due(&keys, at(3600), HOUR));
        assert!(!is_due(&keys, at(4_000_000_000), Duration::ZERO), "0 never rotates");
        assert!(!is_due(&keys, at(-3600), HOUR), "the clock went back");
        let first = keys[0].id.clone();
        rotate(&mut keys, at(3600), HOUR, false);
        assert_eq!(keys.len(), 2);
        rotate(&mut keys, at(3600 + 4199), HOUR, false);
        assert!(
            keys.iter().any(|key| key.id == first),
            "its last token may still be good"
        );
        rotate(&mut keys, at(3600 + 4200), HOUR, false);
        assert!(keys.iter().all(|key| key.id != first));
        rotate(&mut keys, at(3600 + 4201), HOUR, true);
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn there_are_never_many_keys() {
        let mut keys = Vec::new();
        for second in 0..100 {
            rotate(&mut keys, at(second), HOUR, false);
        }
        assert_eq!(keys.len(), MOST_KEYS);
        assert!(keys.last().unwrap().retired.is_none());
    }

    #[test]
    fn a_token_is_verified_by_the_public_half_alone() {
        use jsonwebtoken::{DecodingKey, Validation, decode};
        let key = SigningKey::generate(Timestamp::now());
        let bearer = Bearer {
            tenant: "default",
            client_id: "c",
            credential: "id",
            secret: "s",
        };
        let token = key.sign(&bearer, Timestamp::now(), HOUR).unwrap();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[ISSUER]);
        let read = |key: &SigningKey| {
            decode::<serde_json::Value>(&token, &DecodingKey::from_ed_der(&key.public()), &validation)
        };
        let read_back = read(&key).unwrap();
        assert_eq!(read_back.header.kid.as_deref(), Some(&*key.id));
        assert_eq!(
            read_back.claims["exp"].as_i64().unwrap() - read_back.claims["iat"].as_i64().unwrap(),
            3600
        );
        assert!(read(&SigningKey::generate(Timestamp::now())).is_err());
    }
}
