//! The verifiers of all tenants, as identity-service gave them: whose credential is this? A credential that would be two
//! tenants' is nobody's.
//!
//! Secrets are looked up by their SHA-256. Whoever guesses cannot choose a hash, so that the time a look-up takes tells nothing
//! of a secret; the comparison itself takes the same time wherever two hashes differ.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use proto::identity::v1::{
    AssertionTrust, BearerTokenVerifier, ClientVerifier, EntraTokenVerifier, GetVerifiersResponse, SecretVerifier,
    TenantVerifiers,
};
use proto::time::from_proto;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::verdicts::Verdicts;

/// Whose credential it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    /// The tenant that it is for.
    pub(crate) tenant: Arc<str>,
    /// The credential's id.
    pub(crate) credential: Arc<str>,
    /// What people call it.
    pub(crate) name: Arc<str>,
}

/// The verifiers.
#[derive(Default)]
pub(crate) struct Book {
    /// What tells this book from others.
    pub(super) hash: String,
    tenants: Vec<Arc<str>>,
    bearer_tokens: HashMap<[u8; 32], Option<Token>>,
    clients: HashMap<String, Option<Client>>,
    entra_tokens: Vec<(Who, Trust)>,
    keys: HashMap<String, Option<Key>>,
    /// What was found of tokens that take long to check.
    pub(super) verdicts: Verdicts,
}

struct Token {
    who: Who,
    sha256: [u8; 32],
    expires: Option<Timestamp>,
}

/// An OAuth client.
pub(crate) struct Client {
    pub(crate) who: Who,
    secrets: Vec<ClientSecret>,
    /// Whose assertions stand in for a secret.
    pub(crate) assertion: Option<Trust>,
}

struct ClientSecret {
    id: String,
    sha256: [u8; 32],
    expires: Option<Timestamp>,
}

/// Which tokens of Entra are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trust {
    pub(crate) entra_tenant_id: String,
    /// `None`: whoever it is.
    pub(crate) subject: Option<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) applications: Vec<String>,
}

/// What checks the signature of an access token.
pub(super) struct Key {
    pub(super) tenant: Arc<str>,
    pub(super) key: DecodingKey,
}

impl Book {
    /// Reads what identity-service gave. What cannot be read is left out and told.
    pub(super) fn read(response: GetVerifiersResponse) -> Self {
        let mut book = Self {
            hash: response.hash,
            ..Self::default()
        };
        for verifiers in response.tenants {
            book.add(verifiers);
        }
        book
    }

    fn add(&mut self, verifiers: TenantVerifiers) {
        let tenant: Arc<str> = verifiers.tenant.into();
        let who = |id: String, name: String| Who {
            tenant: Arc::clone(&tenant),
            credential: id.into(),
            name: name.into(),
        };
        for token in verifiers.bearer_tokens {
            let BearerTokenVerifier {
                id,
                name,
                sha256,
                expires_at,
            } = token;
            let (Ok(sha256), Ok(expires)) = (<[u8; 32]>::try_from(sha256), expiry(expires_at)) else {
                unreadable(&tenant, &id);
                continue;
            };
            let who = who(id, name);
            insert(&mut self.bearer_tokens, sha256, Token { who, sha256, expires }, |one| {
                &one.who.tenant
            });
        }
        for client in verifiers.clients {
            let ClientVerifier {
                id,
                name,
                client_id,
                secrets,
                assertion,
            } = client;
            let Some(secrets) = secrets.into_iter().map(secret).collect::<Option<_>>() else {
                unreadable(&tenant, &id);
                continue;
            };
            let client = Client {
                who: who(id, name),
                secrets,
                assertion: assertion.map(trust),
            };
            insert(&mut self.clients, client_id, client, |one| &one.who.tenant);
        }
        for token in verifiers.entra_tokens {
            let EntraTokenVerifier {
                id,
                name,
                entra_tenant_id,
                audiences,
                applications,
            } = token;
            let trust = Trust {
                entra_tenant_id,
                subject: None,
                audiences,
                applications,
            };
            self.entra_tokens.push((who(id, name), trust));
        }
        for key in verifiers.signing_keys {
            let verifier = Key {
                tenant: Arc::clone(&tenant),
                key: DecodingKey::from_ed_der(&key.ed25519_public_key),
            };
            insert(&mut self.keys, key.key_id, verifier, |one| &one.tenant);
        }
        self.tenants.push(tenant);
    }

    /// The tenants that there are.
    pub(crate) fn tenants(&self) -> &[Arc<str>] {
        &self.tenants
    }

    /// Whose bearer token it is.
    pub(super) fn bearer_token(&self, token: &str, now: Timestamp) -> Option<&Who> {
        let given = hash(token);
        let known = self.bearer_tokens.get(&given)?.as_ref()?;
        let same: bool = known.sha256.ct_eq(&given).into();
        (same && lives(known.expires, now)).then_some(&known.who)
    }

    /// The client of that id.
    pub(crate) fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients.get(client_id)?.as_ref()
    }

    /// The one client that this service principal's assertions stand in for.
    pub(crate) fn client_of(&self, entra_tenant_id: &str, subject: &str) -> Option<&Client> {
        let mut all = self.clients.values().flatten().filter(|client| {
            let trusted = client.assertion.as_ref();
            trusted.is_some_and(|one| one.entra_tenant_id == entra_tenant_id && one.subject.as_deref() == Some(subject))
        });
        all.next().filter(|_| all.next().is_none())
    }

    /// Who is called by tokens that Entra makes for itself in this tenant of its.
    pub(super) fn entra_tokens(&self, entra_tenant_id: &str) -> impl Iterator<Item = &(Who, Trust)> {
        self.entra_tokens
            .iter()
            .filter(move |(_, trust)| trust.entra_tenant_id == entra_tenant_id)
    }

    /// The Entra tenants whose tokens or assertions somebody is trusted by.
    pub(super) fn entra_tenants(&self) -> BTreeSet<String> {
        let assertions = self
            .clients
            .values()
            .flatten()
            .filter_map(|client| client.assertion.as_ref());
        let trusts = assertions.chain(self.entra_tokens.iter().map(|(_, trust)| trust));
        trusts.map(|trust| trust.entra_tenant_id.clone()).collect()
    }

    /// What checks the signature of an access token of ours.
    pub(super) fn key(&self, key_id: &str) -> Option<&Key> {
        self.keys.get(key_id)?.as_ref()
    }
}

impl Client {
    /// The id of the client's secret that this is.
    pub(crate) fn secret(&self, secret: &str, now: Timestamp) -> Option<&str> {
        let given = hash(secret);
        // All are compared, whichever it is.
        let same = |known: &&ClientSecret| bool::from(known.sha256.ct_eq(&given)) && lives(known.expires, now);
        let found: Vec<_> = self.secrets.iter().filter(same).collect();
        found.first().map(|secret| secret.id.as_str())
    }

    /// Whether a secret that a token came of is still there; the empty id is an assertion.
    pub(super) fn has(&self, secret_id: &str, now: Timestamp) -> bool {
        if secret_id.is_empty() {
            return self.assertion.is_some();
        }
        let lives = |secret: &ClientSecret| secret.id == secret_id && lives(secret.expires, now);
        self.secrets.iter().any(lives)
    }
}

/// What two tenants would have, neither has.
fn insert<K: Hash + Eq, V>(map: &mut HashMap<K, Option<V>>, key: K, value: V, tenant: fn(&V) -> &Arc<str>) {
    match map.entry(key) {
        Entry::Vacant(free) => drop(free.insert(Some(value))),
        Entry::Occupied(mut taken) => {
            let other = taken.get().as_ref().map(tenant);
            if other.is_none_or(|other| other != tenant(&value)) {
                tracing::error!(scim.tenant = %tenant(&value), "a credential is that of two tenants, and opens neither");
                taken.insert(None);
            }
        }
    }
}

fn unreadable(tenant: &str, id: &str) {
    tracing::error!(
        scim.tenant = tenant,
        credential.id = id,
        "a credential cannot be read, and opens nothing"
    );
}

fn secret(verifier: SecretVerifier) -> Option<ClientSecret> {
    Some(ClientSecret {
        id: verifier.id,
        sha256: verifier.sha256.try_into().ok()?,
        expires: expiry(verifier.expires_at).ok()?,
    })
}

fn trust(trust: AssertionTrust) -> Trust {
    Trust {
        entra_tenant_id: trust.entra_tenant_id,
        subject: Some(trust.subject),
        audiences: trust.audiences,
        applications: trust.applications,
    }
}

/// When it ends; an end that cannot be read is no end that was meant to be never.
fn expiry(at: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>, ()> {
    at.map(|at| from_proto(&at).ok_or(())).transpose()
}

fn lives(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|end| end > now)
}

/// A book with one bearer token, for tests in which identity-service has handed it out and gone.
#[cfg(test)]
pub(crate) fn of_one_token(tenant: &str, token: &str) -> Book {
    Book::read(GetVerifiersResponse {
        hash: "one".to_owned(),
        tenants: vec![TenantVerifiers {
            tenant: tenant.to_owned(),
            bearer_tokens: vec![BearerTokenVerifier {
                id: "id".to_owned(),
                name: "test".to_owned(),
                sha256: hash(token).to_vec(),
                expires_at: None,
            }],
            ..TenantVerifiers::default()
        }],
    })
}

/// The hash by which a secret is known.
pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use proto::identity::v1::SigningKeyVerifier;
    use proto::time::to_proto;

    use super::*;

    fn bearer(name: &str, token: &str, expires: Option<i64>) -> BearerTokenVerifier {
        BearerTokenVerifier {
            id: format!("id-{name}"),
            name: name.to_owned(),
            sha256: hash(token).to_vec(),
            expires_at: expires.map(|second| to_proto(at(second))),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn book(tenants: Vec<TenantVerifiers>) -> Book {
        Book::read(GetVerifiersResponse {
            hash: "h".to_owned(),
            tenants,
        })
    }

    fn tenant(name: &str) -> TenantVerifiers {
        TenantVerifiers {
            tenant: name.to_owned(),
            ..TenantVerifiers::default()
        }
    }

    #[test]
    fn a_token_is_one_tenants_until_it_ends() {
        let book = book(vec![
            TenantVerifiers {
                bearer_tokens: vec![bearer("old", "dsg_old", Some(100)), bearer("new", "dsg_new", None)],
                ..tenant("a")
            },
            TenantVerifiers {
                bearer_tokens: vec![bearer("entra", "dsg_b", None)],
                ..tenant("b")
            },
        ]);
        let whose = |token: &str, now: i64| {
            let who = book.bearer_token(token, at(now));
            who.map(|who| (who.tenant.to_string(), who.name.to_string()))
        };
        let is = |tenant: &str, name: &str| Some((tenant.to_owned(), name.to_owned()));
        assert_eq!(whose("dsg_old", 99), is("a", "old"));
        assert_eq!(whose("dsg_old", 100), None);
        assert_eq!(whose("dsg_new", 4_000_000_000), is("a", "new"));
        assert_eq!(whose("dsg_b", 0), is("b", "entra"));
        assert_eq!(whose("dsg_", 0), None);
    }

    #[test]
    fn what_two_tenants_have_opens_neither() {
        let shared = || vec![bearer("shared", "dsg_shared", None)];
        let client = |secret: &str| ClientVerifier {
            client_id: "entra".to_owned(),
            secrets: vec![SecretVerifier {
                id: "s".to_owned(),
                sha256: hash(secret).to_vec(),
                expires_at: None,
            }],
            ..ClientVerifier::default()
        };
        let key = || SigningKeyVerifier {
            key_id: "k".to_owned(),
            ed25519_public_key: vec![0; 32],
        };
        let of = |name: &str, secret: &str| TenantVerifiers {
            bearer_tokens: shared(),
            clients: vec![client(secret)],
            signing_keys: vec![key()],
            ..tenant(name)
        };
        let book = book(vec![of("a", "one"), of("b", "two"), of("c", "three")]);
        assert!(book.bearer_token("dsg_shared", at(0)).is_none());
        assert!(book.client("entra").is_none());
        assert!(book.key("k").is_none());
    }

    #[test]
    fn a_hash_of_another_length_opens_nothing() {
        let short = BearerTokenVerifier {
            sha256: vec![],
            ..bearer("short", "", None)
        };
        let book = book(vec![TenantVerifiers {
            bearer_tokens: vec![short, bearer("right", "dsg_right", None)],
            ..tenant("a")
        }]);
        assert!(book.bearer_token("", at(0)).is_none());
        assert!(book.bearer_token("dsg_right", at(0)).is_some());
    }
}
