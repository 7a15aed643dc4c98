//! What the two systems hold: SCIM read page by page, the simulated Platform by its state page.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Url, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    client::{self, Client, RequestKind},
    error::{Error, Failure},
};

/// Entra's page size for account discovery is not known; this one makes several pages of most directories.
const PAGE: usize = 100;
/// No endpoint is listed beyond this many pages.
const MAX_PAGES: usize = 10_000;

/// All users and all groups, these with their members.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ScimState {
    pub(crate) users: Vec<Value>,
    pub(crate) groups: Vec<Value>,
}

impl ScimState {
    pub(crate) async fn read(client: &Client) -> Result<Self, Failure> {
        let users = list(client, RequestKind::ListUsers).await?;
        let listed = list(client, RequestKind::ListGroups).await?;
        let groups: Vec<Value> = stream::iter(listed)
            .map(|group| async move {
                let id = group["id"].as_str().unwrap_or_default().to_owned();
                match client.send(RequestKind::ReadMembers, Some(&id), &[], None).await {
                    Ok(answer) => Ok(answer.body),
                    // Deleted between the list and this request.
                    Err(Failure::NotFound(_)) => Ok(None),
                    Err(failure) => Err(failure),
                }
            })
            .buffered(8)
            .try_filter_map(|group| async move { Ok(group) })
            .try_collect()
            .await?;
        Ok(Self { users, groups })
    }
}

async fn list(client: &Client, kind: RequestKind) -> Result<Vec<Value>, Failure> {
    let incompatible = |what: &str| Failure::Incompatible(format!("a page of {} {what}", kind.endpoint()));
    let mut found = Vec::new();
    for _ in 0..MAX_PAGES {
        let (start, count) = ((found.len() + 1).to_string(), PAGE.to_string());
        let mut query = vec![("startIndex", start.as_str()), ("count", count.as_str())];
        if kind == RequestKind::ListGroups {
            query.push(("excludedAttributes", "members"));
        }
        let mut page = client.send(kind, None, &query, None).await?.body.unwrap_or_default();
        let total = page["totalResults"]
            .as_u64()
            .ok_or_else(|| incompatible("has no totalResults"))?;
        let Value::Array(resources) = page["Resources"].take() else {
            return if total == 0 {
                Ok(found)
            } else {
                Err(incompatible("has no Resources"))
            };
        };
        if !resources.is_empty() && page["startIndex"].as_u64() != Some(found.len() as u64 + 1) {
            return Err(incompatible("does not begin where it was asked to"));
        }
        let is_empty = resources.is_empty();
        found.extend(resources);
        if found.len() as u64 >= total {
            return Ok(found);
        }
        if is_empty {
            return Err(incompatible("is empty before the end"));
        }
    }
    Err(incompatible("follows the last one that is read"))
}

/// Where the simulated Platform shows its state.
pub(crate) struct Platform {
    http: reqwest::Client,
    url: Url,
}

impl Platform {
    pub(crate) fn new(base: &str, timeout: Duration) -> Result<Self, Error> {
        let url = Url::parse(&format!("{}/_sim/state", base.trim().trim_end_matches('/'))).map_err(|error| {
            Error::BadUrl {
                url: base.to_owned(),
                reason: error.to_string(),
            }
        })?;
        Ok(Self {
            http: client::http_client(HeaderMap::new(), timeout, &url)?,
            url,
        })
    }

    pub(crate) async fn read(&self) -> Result<PlatformState, Failure> {
        let answer = client::read(self.http.get(self.url.clone()))
            .await
            .map_err(|refusal| refusal.failure)?;
        serde_json::from_value(answer.body.unwrap_or_default())
            .map_err(|error| Failure::Incompatible(format!("the state of the Platform: {error}")))
    }
}

/// What the simulated Platform holds, as its state page writes it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(crate) struct PlatformState {
    pub(crate) users: Vec<Account>,
    pub(crate) groups: Vec<PlatformGroup>,
    #[serde(default)]
    pub(crate) calls: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) writes: u64,
}

impl PlatformState {
    /// All calls that were counted, and the writes among them.
    pub(crate) fn calls(&self) -> (u64, u64) {
        (self.calls.values().filter_map(Value::as_u64).sum(), self.writes)
    }
}

/// An account on the Platform.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Account {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) mail: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) office_number: Option<String>,
    pub(crate) mobile_number: Option<String>,
    pub(crate) preferred_culture: Option<String>,
    pub(crate) reports_to: Option<String>,
    pub(crate) service_user: bool,
    pub(crate) built_in: bool,
}

/// A group on the Platform.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PlatformGroup {
    pub(crate) name: String,
    pub(crate) built_in: bool,
    pub(crate) members: Vec<PlatformMember>,
}

/// A member of a group on the Platform.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PlatformMember {
    pub(crate) guid: String,
    #[serde(rename = "Type")]
    pub(crate) kind: String,
}
