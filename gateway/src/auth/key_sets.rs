//! The keys that Entra signs its tokens with, one set for each Entra tenant that somebody is trusted by (RFC 7517). They are
//! fetched when first needed, again now and then, and when a token names a key that is not there; never more often than the
//! bounds below allow, whatever tokens come. A set that cannot be fetched again serves on for a day.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use reqwest::redirect::Policy;
use serde_json::Value;
use service_runtime::Chain;
use tokio::time::Instant;

/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two fetches of one set, whatever is asked for.
const PAUSE: Duration = Duration::from_secs(5);
/// How old a set may be before it is fetched anew in the background.
const REFRESH: Duration = Duration::from_secs(3600);
/// How old a set may be at all.
const MOST_AGE: Duration = Duration::from_secs(24 * 3600);
/// Entra's set has some ten keys in as many kilobytes.
const MOST_BYTES: usize = 256 << 10;
const MOST_KEYS: usize = 64;
/// How many characters an RSA modulus has in base64url: 2048 to 8192 bits; and an exponent at most.
const MODULUS: std::ops::RangeInclusive<usize> = 342..=1366;
const EXPONENT: usize = 8;

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    /// The set has no such key, as it is now.
    #[error("the issuer has no such key")]
    Unknown,
    /// Whether there is such a key cannot be told.
    #[error("the issuer's keys cannot be fetched")]
    Unavailable,
}

/// Why a set could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer")]
    Http(#[from] reqwest::Error),
    #[error("the answer was {0}")]
    Status(reqwest::StatusCode),
    #[error("it is larger than 256 KiB")]
    TooLarge,
    #[error("it is not a set of keys")]
    Malformed,
    #[error("it has no key that can be used")]
    Empty,
}

/// The sets.
pub(crate) struct KeySets {
    http: reqwest::Client,
    /// Where they are, without a slash at its end.
    authority: String,
    sets: Mutex<HashMap<String, Arc<KeySet>>>,
}

#[derive(Default)]
struct KeySet {
    known: Mutex<Known>,
    /// Held while it is fetched.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    keys: HashMap<String, Arc<DecodingKey>>,
    /// When it was fetched.
    fetched: Option<Instant>,
    /// When that was tried last.
    tried: Option<Instant>,
}

impl KeySets {
    /// The sets of an authority such as `https://login.microsoftonline.com`. `direct` passes the environment's proxy by.
    pub(super) fn new(authority: &str, direct: bool) -> Result<Self, reqwest::Error> {
        service_runtime::install_crypto_provider();
        let mut builder = reqwest::Client::builder()
            // Whoever may answer in the authority's place is decided by TLS, and by nobody's redirect.
            .redirect(Policy::none())
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("delinea-scim-gateway/", env!("CARGO_PKG_VERSION")));
        if direct {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build()?,
            authority: authority.trim_end_matches('/').to_owned(),
            sets: Mutex::default(),
        })
    }

    /// The key of that id. Must be asked for tenants only that somebody is trusted by: each has a set of its own.
    pub(super) async fn key(&self, entra_tenant_id: &str, key_id: &str) -> Result<Arc<DecodingKey>, KeyError> {
        let asked = Instant::now();
        let set = self.set(entra_tenant_id);
        if let Some(key) = set.known().find(key_id) {
            return Ok(key);
        }
        let _alone = set.fetching.lock().await;
        // Another may have fetched it meanwhile.
        if let Some(key) = set.known().find(key_id) {
            return Ok(key);
        }
        if set.known().may_be_fetched() {
            self.fetch(entra_tenant_id, &set).await;
        }
        let known = set.known();
        match known.find(key_id) {
            Some(key) => Ok(key),
            // Only a set that was fetched after somebody came says that there is no such key: it may be a new one.
            None if known.fetched.is_some_and(|at| at >= asked) => Err(KeyError::Unknown),
            None => Err(KeyError::Unavailable),
        }
    }

    /// Fetches the sets of these tenants anew that are old, and forgets those of others.
    pub(super) async fn refresh(&self, entra_tenant_ids: &BTreeSet<String>) {
        self.sets().retain(|id, _| entra_tenant_ids.contains(id));
        for id in entra_tenant_ids {
            let set = self.set(id);
            let known = set.known();
            let old = known.fetched.is_none_or(|at| at.elapsed() >= REFRESH);
            if old && known.may_be_fetched() {
                let _alone = set.fetching.lock().await;
                self.fetch(id, &set).await;
            }
        }
    }

    fn sets(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<KeySet>>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, entra_tenant_id: &str) -> Arc<KeySet> {
        Arc::clone(self.sets().entry(entra_tenant_id.to_owned()).or_default())
    }

    async fn fetch(&self, entra_tenant_id: &str, set: &KeySet) {
        let url = format!("{}/{entra_tenant_id}/discovery/v2.0/keys", self.authority);
        let fetched = self.get(&url).await;
        let mut known = set.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        known.tried = Some(now);
        match fetched {
            Ok(keys) => {
                known.keys = keys;
                known.fetched = Some(now);
            }
            Err(error) => {
                tracing::warn!(entra.tenant.id = entra_tenant_id, error = %Chain(&error), "cannot fetch Entra's keys");
            }
        }
    }

    async fn get(&self, url: &str) -> Result<HashMap<String, Arc<DecodingKey>>, FetchError> {
        let without_url = |error: reqwest::Error| FetchError::Http(error.without_url());
        let mut response = self.http.get(url).send().await.map_err(without_url)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(without_url)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let keys = read(&body)?;
        if keys.is_empty() {
            Err(FetchError::Empty)
        } else {
            Ok(keys)
        }
    }
}

impl KeySet {
    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Known {
    /// The key, if the set is not too old.
    fn find(&self, key_id: &str) -> Option<Arc<DecodingKey>> {
        let fresh = self.fetched.is_some_and(|at| at.elapsed() < MOST_AGE);
        self.keys.get(key_id).filter(|_| fresh).cloned()
    }

    fn may_be_fetched(&self) -> bool {
        self.tried.is_none_or(|at| at.elapsed() >= PAUSE)
    }
}

/// The keys for RS256 of a set; what else is in it is passed over, so that a new kind of key harms nobody.
fn read(body: &[u8]) -> Result<HashMap<String, Arc<DecodingKey>>, FetchError> {
    let set: Value = serde_json::from_slice(body).map_err(|_| FetchError::Malformed)?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or(FetchError::Malformed)?;
    let usable = keys.iter().take(MOST_KEYS).filter_map(|key| {
        let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
        let AlgorithmParameters::RSA(rsa) = &jwk.algorithm else {
            return None;
        };
        let for_signatures = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
        let bounded = MODULUS.contains(&rsa.n.len()) && rsa.e.len() <= EXPONENT;
        let id = jwk.common.key_id.clone()?;
        (for_signatures && bounded).then_some(())?;
        Some((id, Arc::new(DecodingKey::from_jwk(&jwk).ok()?)))
    });
    Ok(usable.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_that_can_be_used_are_taken() {
        let rsa = |id: &str, length: usize| json!({"kty": "RSA", "use": "sig", "kid": id, "n": "A".repeat(length), "e": "AQAB"});
        let set = json!({"keys": [
            rsa("right", 342),
            rsa("short", 341),
            rsa("huge", 1 << 17),
            {"kty": "RSA", "use": "enc", "kid": "other use", "n": "A".repeat(342), "e": "AQAB"},
            {"kty": "RSA", "use": "sig", "n": "A".repeat(342), "e": "AQAB"},
            {"kty": "RSA", "kid": "exponent", "n": "A".repeat(342), "e": "A".repeat(100)},
            {"kty": "oct", "kid": "symmetric", "k": "AAAA"},
            {"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
            {"kty": "new", "kid": "unknown"},
            "nonsense",
        ]});
        let keys = read(set.to_string().as_bytes()).unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["right"]);
        for wrong in ["", "[]", "{}", r#"{"keys": {}}"#, "<html>"] {
            assert!(matches!(read(wrong.as_bytes()), Err(FetchError::Malformed)), "{wrong}");
        }
    }
}
