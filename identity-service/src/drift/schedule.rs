//! Comparing on a schedule. Of several replicas one compares: the store says whose turn it is, also after a restart.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Drift, Repair};
use crate::{id::Tenant, store::Store};

/// How often the store is asked at least whether the turn has come.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The pause after a comparison that came to no end, before another try.
const RETRY: Duration = Duration::from_secs(600);

/// Compares each tenant, for as long as it runs.
pub(crate) struct Schedule {
    pub(crate) drift: Drift,
    pub(crate) tenants: Vec<Tenant>,
    /// 0 is never.
    pub(crate) interval: Duration,
    pub(crate) repair: Repair,
}

impl Schedule {
    /// Runs until told to stop, which cuts a comparison off wherever it is: it keeps nothing.
    pub(crate) async fn run(self, stop: CancellationToken) {
        if self.interval.is_zero() {
            return stop.cancelled().await;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = join_all(self.tenants.iter().map(|tenant| self.compare_again(tenant))) => {}
        }
    }

    /// Compares one tenant again and again; none waits for another's comparison.
    async fn compare_again(&self, tenant: &Tenant) {
        loop {
            tokio::time::sleep(self.interval.min(LONGEST_SLEEP)).await;
            if self.has_turn(tenant).await {
                while !self.compare(tenant).await {
                    tokio::time::sleep(self.interval.min(RETRY)).await;
                }
            }
        }
    }

    async fn has_turn(&self, tenant: &Tenant) -> bool {
        let store: &dyn Store = &*self.drift.0.store;
        match store.take_turn(tenant, Timestamp::now(), self.interval).await {
            Ok(turn) => turn,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    scim.tenant = %tenant,
                    "cannot ask the store whether it is time to compare; trying again"
                );
                false
            }
        }
    }

    /// Whether it came to an end. What a person compares meanwhile is as good.
    async fn compare(&self, tenant: &Tenant) -> bool {
        match self.drift.compare(tenant, self.repair, None, None).await {
            Ok(report) => report.failure.is_none(),
            Err(_) => true,
        }
    }
}
