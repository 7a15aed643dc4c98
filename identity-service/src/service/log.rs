//! Places in a tenant's log, as callers name them: tokens that say of which tenant's log they are.

use std::sync::Arc;

use super::paging::mark;
use crate::{error::Error, id::Tenant, store::Store};

/// A tenant's log.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) store: Arc<dyn Store>,
    pub(super) tenant: Tenant,
    feed: u64,
}

impl Log {
    pub(super) async fn of(store: Arc<dyn Store>, tenant: Tenant) -> Result<Self, Error> {
        // Tenants may share a history: a file of the embedded store has one.
        let feed = store.feed_id(&tenant).await? ^ mark(tenant.as_str());
        Ok(Self { store, tenant, feed })
    }

    /// The token of a position: the log's id before it, so that another log's is recognised.
    pub(super) fn token(&self, position: u64) -> String {
        format!("{:016x}-{position}", self.feed)
    }

    /// The position that a token names; `field` is where the caller has it. An empty one names the oldest that is kept.
    pub(super) async fn position(&self, field: &'static str, token: &str) -> Result<u64, Error> {
        if token.is_empty() {
            return Ok(self.store.log(&self.tenant, 0, 0).await?.trimmed);
        }
        let (of, position) = parse(token).ok_or_else(|| Error::InvalidRequest {
            field,
            problem: "is not a token of this feed".to_owned(),
        })?;
        // A token of another history, or from before a restore: waiting for it would lose changes.
        if of != self.feed || position > self.store.newest_entry(&self.tenant).await? {
            return Err(Error::ResumeTokenExpired(token.to_owned()));
        }
        Ok(position)
    }

    /// What followed a position is gone.
    pub(super) fn expired(&self, position: u64) -> Error {
        Error::ResumeTokenExpired(self.token(position))
    }
}

fn parse(token: &str) -> Option<(u64, u64)> {
    let (feed, position) = token.split_once('-')?;
    let plain = feed.len() == 16 && position.bytes().all(|byte| byte.is_ascii_digit());
    plain.then_some(())?;
    Some((u64::from_str_radix(feed, 16).ok()?, position.parse().ok()?))
}
