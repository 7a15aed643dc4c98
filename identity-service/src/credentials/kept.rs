//! What is kept of a tenant's credentials: one document, small enough to be written whole. Secrets are not in it, but for the
//! private halves of signing keys; so it is never logged, and has no `Debug`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{secret::SecretHash, signing::SigningKey};

/// How many credentials a tenant may have.
pub(crate) const MOST_CREDENTIALS: usize = 64;

/// The document.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    /// In the order in which they were made.
    pub(crate) credentials: Vec<Credential>,
    /// The newest last: it signs.
    pub(super) keys: Vec<SigningKey>,
    /// When credentials were last used, by id; also of those that settings name.
    pub(crate) used: BTreeMap<String, Timestamp>,
}

/// One credential.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Credential {
    /// Tells it from the tenant's others, also from those that were.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
    /// When it was made; `None` where settings name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<Timestamp>,
    /// The id of the request that made it, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made_by: Option<String>,
    /// What it is.
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What a credential is.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum What {
    /// A token that SCIM takes as it is.
    BearerToken {
        sha256: SecretHash,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    /// An OAuth client with one or two secrets, the newest last.
    Client { client_id: String, secrets: Vec<Secret> },
    /// An OAuth client that shows assertions of Entra, with or without secrets besides.
    WorkloadIdentity {
        client_id: String,
        trust: Trust,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<Secret>,
    },
    /// Entra's own tokens.
    EntraToken { trust: Trust },
}

/// One secret of a client.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Secret {
    pub(crate) id: String,
    pub(crate) sha256: SecretHash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
    /// The id of the request that made it, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made_by: Option<String>,
}

/// Which tokens of Entra are believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trust {
    /// The Entra tenant.
    pub(crate) entra_tenant_id: String,
    /// The service principal's object id; empty for Entra's own tokens, which are told by tenant and application.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    /// The accepted audiences.
    pub(crate) audiences: Vec<String>,
    /// The accepted callers.
    pub(crate) applications: Vec<String>,
}

impl Credential {
    /// The client's own name for itself; `None` for what is no client.
    pub(crate) fn client_id(&self) -> Option<&str> {
        match &self.what {
            What::Client { client_id, .. } | What::WorkloadIdentity { client_id, .. } => Some(client_id),
            What::BearerToken { .. } | What::EntraToken { .. } => None,
        }
    }

    /// The client's secrets.
    pub(crate) fn secrets(&self) -> &[Secret] {
        match &self.what {
            What::Client { secrets, .. } | What::WorkloadIdentity { secrets, .. } => secrets,
            What::BearerToken { .. } | What::EntraToken { .. } => &[],
        }
    }

    /// The client's secrets, to be changed.
    pub(crate) fn secrets_mut(&mut self) -> Option<&mut Vec<Secret>> {
        match &mut self.what {
            What::Client { secrets, .. } | What::WorkloadIdentity { secrets, .. } => Some(secrets),
            What::BearerToken { .. } | What::EntraToken { .. } => None,
        }
    }

    /// When nothing of it opens anything any more; `None` is never.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        match &self.what {
            What::BearerToken { expires, .. } => *expires,
            What::Client { secrets, .. } => {
                let ends: Option<Vec<_>> = secrets.iter().map(|secret| secret.expires).collect();
                ends?.into_iter().max()
            }
            What::WorkloadIdentity { .. } | What::EntraToken { .. } => None,
        }
    }

    /// Whether a person means this one.
    pub(crate) fn is_called(&self, id_or_name: &str) -> bool {
        self.id == id_or_name || self.name == id_or_name
    }
}
