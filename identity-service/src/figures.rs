//! What is known of each tenant now, for those who watch the service: gauges tell it when metrics are collected.
//!
//! Each replica looks by itself, every few seconds; the store keeps counts and orders work by its age, so a look costs the same
//! whatever the size of the directory. All replicas of a store tell the same of it, so whoever adds up takes the largest. What
//! could not be looked at is not told, nor is a tenant that is no longer served: a gauge that stands still would be believed.
//!
//! It knows the store, the settings in force and the credentials' ends; it must not know who collects.

mod gauges;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    credentials::{Credentials, End},
    drift::{Report, last_summary},
    error::Error,
    id::Tenant,
    store::{Store, Summary},
    tenants::Tenants,
};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(5);
/// For how long what was seen is told, should a look take its time.
const GOOD_FOR: Duration = Duration::from_secs(15);
/// How long before its end a credential is spoken of.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often it is spoken of.
const AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks at tenants. Clones share what was seen.
#[derive(Clone)]
pub(crate) struct Figures {
    store: Arc<dyn Store>,
    credentials: Credentials,
    tenants: Tenants,
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
}

/// What was seen of one tenant.
struct Seen {
    at: Instant,
    summary: Summary,
    is_paused: bool,
    /// The last comparison with the Platform, whoever made it.
    comparison: Option<Report>,
    ends: Vec<End>,
}

impl Figures {
    /// Begins to tell what is seen; nothing is, before [`Self::run`].
    pub(crate) fn new(store: Arc<dyn Store>, credentials: Credentials, tenants: Tenants) -> Self {
        let figures = Self {
            store,
            credentials,
            tenants,
            seen: Arc::default(),
        };
        gauges::register(&figures);
        figures
    }

    /// Looks at a tenant until told to stop; then it is not told of any more.
    pub(crate) async fn run(self, tenant: Tenant, stop: CancellationToken) {
        stop.run_until_cancelled(self.look_again(&tenant)).await;
        self.seen().remove(tenant.as_str());
    }

    async fn look_again(&self, tenant: &Tenant) {
        let mut warned: Option<Instant> = None;
        let mut fails = false;
        loop {
            match self.look(tenant).await {
                Ok(seen) => {
                    fails = false;
                    if warned.is_none_or(|at| at.elapsed() >= AGAIN) {
                        warned = Some(Instant::now());
                        warn_of(tenant, &seen.ends, Timestamp::now());
                    }
                    self.seen().insert(tenant.to_string(), seen);
                }
                Err(error) => {
                    self.seen().remove(tenant.as_str());
                    // The store's own state is told elsewhere; this is said once, not at every look.
                    if !std::mem::replace(&mut fails, true) {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            scim.tenant = %tenant,
                            "cannot tell how much is to be delivered; metrics do not tell it until this is possible again"
                        );
                    }
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn look(&self, tenant: &Tenant) -> Result<Seen, Error> {
        Ok(Seen {
            at: Instant::now(),
            summary: self.store.summary(tenant).await?,
            is_paused: self.store.pause(tenant).await?.is_some(),
            comparison: last_summary(&*self.store, tenant).await?,
            ends: self.credentials.ends(tenant).await?,
        })
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        // Nothing that holds it can panic half-way.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says which credentials end soon, or have ended and are still there.
fn warn_of(tenant: &Tenant, ends: &[End], now: Timestamp) {
    for end in ends.iter().filter(|end| end.is_within(SOON, now)) {
        tracing::warn!(
            scim.tenant = %tenant,
            credential = end.name,
            kind = end.kind,
            days = end.days_left(now).floor(),
            "a credential of SCIM ends soon, or has ended: make another, give it to the client, and revoke this one"
        );
    }
}
