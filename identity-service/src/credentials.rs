//! Who may call SCIM, as which tenant: bearer tokens, OAuth clients with secrets or with assertions of Entra, and Entra's own tokens.
//!
//! Secrets are told once and kept as hashes. What is kept of a tenant is one document, changed as a whole: who lost a race reads
//! and changes again. What settings name stands beside it and is never written. This room knows credentials and the store; it
//! must not know HTTP: gateways check what comes, by what `Credentials::verifiers` gives.

pub(crate) mod command;
pub(crate) mod kept;
mod named;
mod secret;
mod signing;

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

pub use named::{Named, NamedError};
pub use secret::{NotAHash, SecretHash, new_secret, new_token};

use crate::{
    error::Error,
    id::Tenant,
    store::{CredentialAct, Origin, Store, StoreError},
    tenants::{Served, Tenants},
};
use kept::{Credential, Kept, MOST_CREDENTIALS, Secret, Trust, What};
use signing::Bearer;

/// How often a lost race is run again before the caller is told to come back.
const RACES: usize = 16;
/// How many secrets of a client are live.
const LIVE_SECRETS: usize = 2;
/// For how long the repeat of a request is known to be one, as of every write.
const REPEATED_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// The credentials of all tenants.
#[derive(Clone)]
pub struct Credentials {
    store: Arc<dyn Store>,
    tenants: Tenants,
}

/// A credential as people see it.
pub(crate) struct Shown {
    pub(crate) credential: Credential,
    pub(crate) last_used: Option<Timestamp>,
}

/// When a credential ends.
pub(crate) struct End {
    /// What people call it.
    pub(crate) name: String,
    /// What it is: `bearer_token`, `client_secret`.
    pub(crate) kind: &'static str,
    at: Timestamp,
}

impl End {
    /// How many days it has left; less than 0 when it has ended.
    pub(crate) fn days_left(&self, now: Timestamp) -> f64 {
        self.at.duration_since(now).as_secs_f64() / 86_400.0
    }

    /// Whether it has less left than that.
    pub(crate) fn is_within(&self, time: Duration, now: Timestamp) -> bool {
        self.at < now + time
    }
}

/// Who changes credentials, and when.
pub(crate) struct By {
    pub(crate) origin: Option<Origin>,
    pub(crate) now: Timestamp,
    /// Tells a repeat of the same request, whose answer may have been lost.
    pub(crate) request_id: Option<String>,
}

impl By {
    fn told(self, what: String) -> CredentialAct {
        let origin = self.origin;
        CredentialAct { what, origin }
    }
}

/// What it takes to check a tenant's credentials.
pub(crate) struct Verifiers {
    pub(crate) tenant: Tenant,
    pub(crate) credentials: Vec<Credential>,
    /// The ids of the signing keys, and their public halves.
    pub(crate) keys: Vec<(String, [u8; 32])>,
}

/// An access token and for how long it is good.
pub(crate) struct AccessToken {
    pub(crate) token: String,
    pub(crate) lifetime: Duration,
}

impl Credentials {
    /// The credentials kept in a store, and those that settings name of each tenant.
    pub fn new(store: Arc<dyn Store>, tenants: Tenants) -> Self {
        Self { store, tenants }
    }

    /// What it takes to check each tenant's credentials. One that has ended is left out.
    pub(crate) async fn verifiers(&self, now: Timestamp) -> Result<Vec<Verifiers>, Error> {
        let tenants = self.tenants.all();
        let mut all = Vec::with_capacity(tenants.len());
        for served in tenants.values() {
            let (tenant, named) = (&served.tenant, &served.named);
            let (_, kept) = self.read(tenant).await?;
            let credentials = named.credentials.iter().cloned().chain(kept.credentials);
            all.push(Verifiers {
                tenant: tenant.clone(),
                credentials: credentials
                    .filter(|one| one.expires().is_none_or(|end| end > now))
                    .collect(),
                keys: kept.keys.iter().map(|key| (key.id.clone(), key.public())).collect(),
            });
        }
        Ok(all)
    }

    /// Tells of a tenant as which nobody can call.
    pub(crate) async fn warn_of_none(&self) -> Result<(), StoreError> {
        for Served { tenant, named, .. } in self.tenants.all().values().map(AsRef::as_ref) {
            if named.is_empty() && self.store.credentials(tenant).await?.is_none() {
                tracing::warn!(scim.tenant = %tenant, "nobody can call SCIM: the tenant has no credential; `admin token new` or `admin client new` makes one");
            }
        }
        Ok(())
    }

    /// When those of a tenant's credentials end that do: of a client, when its last secret does.
    pub(crate) async fn ends(&self, tenant: &Tenant) -> Result<Vec<End>, Error> {
        let (_, kept) = self.read(tenant).await?;
        let served = self.served(tenant)?;
        let end = |credential: &Credential| {
            let kind = match credential.what {
                What::BearerToken { .. } => "bearer_token",
                What::Client { .. } => "client_secret",
                What::WorkloadIdentity { .. } | What::EntraToken { .. } => return None,
            };
            let (name, at) = (credential.name.clone(), credential.expires()?);
            Some(End { name, kind, at })
        };
        let all = served.named.credentials.iter().chain(&kept.credentials);
        Ok(all.filter_map(end).collect())
    }

    /// Every credential of a tenant, those that settings name first.
    pub(crate) async fn list(&self, tenant: &Tenant) -> Result<Vec<Shown>, Error> {
        let (_, mut kept) = self.read(tenant).await?;
        let served = self.served(tenant)?;
        let all = served.named.credentials.iter().cloned();
        let all: Vec<_> = all.chain(std::mem::take(&mut kept.credentials)).collect();
        let shown = |credential: Credential| Shown {
            last_used: kept.used.get(&credential.id).copied(),
            credential,
        };
        Ok(all.into_iter().map(shown).collect())
    }

    /// Makes a bearer token.
    pub(crate) async fn new_bearer_token(
        &self,
        tenant: &Tenant,
        name: &str,
        expires: Option<Timestamp>,
        by: By,
    ) -> Result<(Shown, SecretString), Error> {
        let token = new_token();
        let sha256 = SecretHash::of(&token);
        let made = self
            .add(tenant, name, What::BearerToken { sha256, expires }, by)
            .await?;
        Ok((made, token))
    }

    /// Makes an OAuth client with a secret, or, where somebody's assertions are believed, without.
    pub(crate) async fn new_client(
        &self,
        tenant: &Tenant,
        name: &str,
        trust: Option<Trust>,
        expires: Option<Timestamp>,
        by: By,
    ) -> Result<(Shown, Option<SecretString>), Error> {
        let client_id = Uuid::new_v4().to_string();
        let (what, secret) = match trust {
            Some(trust) => {
                let secrets = Vec::new();
                (
                    What::WorkloadIdentity {
                        client_id,
                        trust,
                        secrets,
                    },
                    None,
                )
            }
            None => {
                let (kept, secret) = make_secret(expires, &by);
                let secrets = vec![kept];
                (What::Client { client_id, secrets }, Some(secret))
            }
        };
        Ok((self.add(tenant, name, what, by).await?, secret))
    }

    /// Makes another secret of a client; of two live ones the older ends.
    pub(crate) async fn rotate_secret(
        &self,
        tenant: &Tenant,
        called: &str,
        expires: Option<Timestamp>,
        by: By,
    ) -> Result<(Shown, SecretString), Error> {
        let now = by.now;
        let (kept, secret) = make_secret(expires, &by);
        let told = by.told(format!("a secret of {called} was made"));
        let shown = self
            .change(tenant, Some(told), now, |all| {
                let credential = self.kept_one(tenant, all, called)?;
                // Also where its last secret was revoked: this is how it comes to one again.
                let What::Client { secrets, .. } = &mut credential.what else {
                    return Err(Error::InvalidRequest {
                        field: "credential",
                        problem: "is no client with a secret".to_owned(),
                    });
                };
                secrets.retain(|secret| secret.expires.is_none_or(|end| end > now));
                // Otherwise a repeat would end the secret that the client has.
                secrets.retain(|secret| !by_same(&secret.made_by, secret.created, &kept.made_by, now));
                let surplus = (secrets.len() + 1).saturating_sub(LIVE_SECRETS);
                secrets.drain(..surplus);
                secrets.push(kept.clone());
                let credential = credential.clone();
                let last_used = all.used.get(&credential.id).copied();
                Ok(Shown { credential, last_used })
            })
            .await?;
        Ok((shown, secret))
    }

    /// Ends a credential, or one secret of it, and all that came of it.
    pub(crate) async fn revoke(&self, tenant: &Tenant, called: &str, secret: &str, by: By) -> Result<(), Error> {
        let (now, what) = match secret {
            "" => (by.now, format!("{called} was revoked")),
            secret => (by.now, format!("the secret {secret} of {called} was revoked")),
        };
        self.change(tenant, Some(by.told(what)), now, |all| {
            let credential = self.kept_one(tenant, all, called)?;
            if secret.is_empty() {
                let ended = credential.id.clone();
                all.credentials.retain(|one| one.id != ended);
                all.used.remove(&ended);
                return Ok(());
            }
            let secrets = credential.secrets_mut();
            let at = secrets
                .as_ref()
                .and_then(|all| all.iter().position(|one| one.id == secret));
            match (secrets, at) {
                (Some(secrets), Some(at)) => drop(secrets.remove(at)),
                _ => return Err(Error::NoSuchCredential(secret.to_owned())),
            }
            Ok(())
        })
        .await
    }

    /// Signs a token for a client whose secret or assertion was checked; makes a new key where that is due.
    pub(crate) async fn issue(
        &self,
        tenant: &Tenant,
        credential: &str,
        secret: &str,
        now: Timestamp,
    ) -> Result<AccessToken, Error> {
        let served = self.served(tenant)?;
        let Named { lifetime, rotation, .. } = served.named;
        let (_, mut kept) = self.read(tenant).await?;
        if signing::is_due(&kept.keys, now, rotation) {
            let told = CredentialAct {
                what: "a new key signs access tokens, as scheduled".to_owned(),
                origin: None,
            };
            kept.keys = self
                .change(tenant, Some(told), now, |all| {
                    if signing::is_due(&all.keys, now, rotation) {
                        signing::rotate(&mut all.keys, now, lifetime, false);
                    }
                    Ok(all.keys.clone())
                })
                .await?;
        }
        let unknown = || Error::NoSuchCredential(credential.to_owned());
        let all = served.named.credentials.iter().chain(&kept.credentials);
        let client = all.into_iter().find(|one| one.id == credential).ok_or_else(unknown)?;
        let live = |one: &Secret| one.id == secret && one.expires.is_none_or(|end| end > now);
        let may = if secret.is_empty() {
            matches!(client.what, What::WorkloadIdentity { .. })
        } else {
            client.secrets().iter().any(live)
        };
        let bearer = Bearer {
            tenant: tenant.as_str(),
            client_id: client.client_id().filter(|_| may).ok_or_else(unknown)?,
            credential: &client.id,
            secret,
        };
        let key = kept.keys.last().ok_or(Error::Contention)?;
        let token = key.sign(&bearer, now, lifetime).map_err(Error::Signing)?;
        Ok(AccessToken { token, lifetime })
    }

    /// Notes when credentials were used.
    pub(crate) async fn record_uses(
        &self,
        tenant: &Tenant,
        uses: &[(String, Timestamp)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let served = self.served(tenant)?;
        let named: HashSet<&str> = served.named.credentials.iter().map(|one| one.id.as_str()).collect();
        self.change(tenant, None, now, |all| {
            for (id, at) in uses {
                if named.contains(id.as_str()) || all.credentials.iter().any(|one| one.id == *id) {
                    let minute = to_the_minute(*at);
                    let last = all.used.entry(id.clone()).or_insert(minute);
                    *last = (*last).max(minute);
                }
            }
            // Of what is gone nobody asks any more.
            let Kept { credentials, used, .. } = all;
            used.retain(|id, _| named.contains(id.as_str()) || credentials.iter().any(|one| one.id == *id));
            Ok(())
        })
        .await
    }

    /// Has a new key sign; what the old ones signed ends with them, or now.
    pub(crate) async fn rotate_key(&self, tenant: &Tenant, end_tokens: bool, by: By) -> Result<String, Error> {
        let (now, lifetime) = (by.now, self.served(tenant)?.named.lifetime);
        let ends = if end_tokens { "; earlier tokens ended" } else { "" };
        let told = by.told(format!("a new key signs access tokens{ends}"));
        self.change(tenant, Some(told), now, |all| {
            signing::rotate(&mut all.keys, now, lifetime, end_tokens);
            Ok(all.keys.last().map(|key| key.id.clone()).unwrap_or_default())
        })
        .await
    }

    async fn add(&self, tenant: &Tenant, name: &str, what: What, by: By) -> Result<Shown, Error> {
        let now = by.now;
        if !is_name(name) {
            return Err(Error::InvalidRequest {
                field: "name",
                problem: "has 1 to 64 letters, digits and -_.".to_owned(),
            });
        }
        let credential = Credential {
            id: Uuid::now_v7().to_string(),
            name: name.to_owned(),
            created: Some(now),
            made_by: by.request_id.clone(),
            what,
        };
        let served = self.served(tenant)?;
        let named = &served.named.credentials;
        let told = by.told(format!("{name} was made"));
        self.change(tenant, Some(told), now, |all| {
            // What has ended makes room, under its name too.
            all.credentials
                .retain(|one| one.expires().is_none_or(|end| end > now) || one.name != name);
            // A repeat comes in place of what nobody received. What was used, somebody has.
            let Kept { credentials, used, .. } = all;
            credentials.retain(|one| {
                let is_repeat = by_same(&one.made_by, one.created, &credential.made_by, now);
                one.name != name || !is_repeat || used.contains_key(&one.id)
            });
            if named.iter().chain(&all.credentials).any(|one| one.is_called(name)) {
                return Err(Error::CredentialExists(name.to_owned()));
            }
            if all.credentials.len() >= MOST_CREDENTIALS {
                return Err(Error::InvalidRequest {
                    field: "tenant",
                    problem: format!("has {MOST_CREDENTIALS} credentials; revoke those that are not used"),
                });
            }
            all.credentials.push(credential.clone());
            Ok(())
        })
        .await?;
        let last_used = None;
        Ok(Shown { credential, last_used })
    }

    /// The kept credential that a person means.
    fn kept_one<'k>(&self, tenant: &Tenant, all: &'k mut Kept, called: &str) -> Result<&'k mut Credential, Error> {
        let served = self.served(tenant)?;
        let named = &served.named.credentials;
        match all.credentials.iter_mut().find(|one| one.is_called(called)) {
            Some(credential) => Ok(credential),
            None if named.iter().any(|one| one.is_called(called)) => Err(Error::CredentialReadOnly(called.to_owned())),
            None => Err(Error::NoSuchCredential(called.to_owned())),
        }
    }

    /// Changes what is kept, and tells it; again, where another was faster.
    async fn change<T>(
        &self,
        tenant: &Tenant,
        told: Option<CredentialAct>,
        now: Timestamp,
        mut change: impl FnMut(&mut Kept) -> Result<T, Error>,
    ) -> Result<T, Error> {
        for _ in 0..RACES {
            let (seen, before) = self.read(tenant).await?;
            let mut kept = before.clone();
            let changed = change(&mut kept)?;
            if kept == before {
                return Ok(changed);
            }
            let text = serde_json::to_string(&kept).map_err(|error| corrupt(&error))?;
            if self
                .store
                .keep_credentials(tenant, seen, text, told.clone(), now)
                .await?
            {
                if let Some(told) = told {
                    tracing::info!(scim.tenant = %tenant, act = told.what, "credentials have changed");
                }
                return Ok(changed);
            }
        }
        Err(Error::Contention)
    }

    /// What is kept, and the text of it.
    async fn read(&self, tenant: &Tenant) -> Result<(Option<String>, Kept), Error> {
        let text = self.store.credentials(tenant).await?;
        let kept = match &text {
            None => Kept::default(),
            Some(text) => serde_json::from_str(text).map_err(|error| corrupt(&error))?,
        };
        Ok((text, kept))
    }

    fn served(&self, tenant: &Tenant) -> Result<Arc<Served>, Error> {
        self.tenants.get(tenant.as_str())
    }

    /// The tenant of that name.
    pub(crate) fn tenant(&self, name: &str) -> Result<Tenant, Error> {
        Ok(self.tenants.get(name)?.tenant.clone())
    }
}

fn make_secret(expires: Option<Timestamp>, by: &By) -> (Secret, SecretString) {
    let secret = new_secret();
    let kept = Secret {
        id: Uuid::now_v7().to_string(),
        sha256: SecretHash::of(&secret),
        created: Some(by.now),
        expires,
        made_by: by.request_id.clone(),
    };
    (kept, secret)
}

/// Whether something was made by the same request, not longer ago than that is known of any request.
fn by_same(made_by: &Option<String>, made: Option<Timestamp>, request_id: &Option<String>, now: Timestamp) -> bool {
    let is_recent = made.is_some_and(|made| now < made + REPEATED_WITHIN);
    is_recent && request_id.is_some() && made_by == request_id
}

/// Whether a credential may be called so. What is no name cannot be taken for an id, or spoil a log.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

fn to_the_minute(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}

/// The error's place says nothing of a secret; its text might.
fn corrupt(error: &serde_json::Error) -> Error {
    Error::Store(StoreError::Corrupt {
        what: "document of credentials",
        problem: format!("line {}, column {}", error.line(), error.column()),
    })
}
