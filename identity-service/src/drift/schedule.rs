//! Comparing on a schedule. Of several replicas one compares: the store says whose turn it is, also after a restart.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Drift, Repair};
use crate::{
    id::Tenant,
    store::Store,
    tenants::{Served, Tenants},
};

/// How often the store is asked at least whether the turn has come.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The pause after a comparison that came to no end, before another try.
const RETRY: Duration = Duration::from_secs(600);

/// Compares tenants when their settings say so.
#[derive(Clone)]
pub(crate) struct Schedule {
    pub(crate) drift: Drift,
    pub(crate) tenants: Tenants,
}

impl Schedule {
    /// Compares one tenant again and again until told to stop, which cuts a comparison off wherever it is: it keeps nothing.
    pub(crate) async fn run(self, tenant: Tenant, stop: CancellationToken) {
        stop.run_until_cancelled(self.compare_again(&tenant)).await;
    }

    async fn compare_again(&self, tenant: &Tenant) {
        let mut tenants = self.tenants.clone();
        // Settings that change while a comparison runs hold for the next.
        loop {
            let served = tenants.once_served(tenant.as_str()).await;
            let interval = served.drift.drift_interval;
            tokio::select! {
                () = sleep(interval.min(LONGEST_SLEEP)) => {}
                () = tenants.changed() => continue,
            }
            if !self.has_turn(tenant, interval).await {
                continue;
            }
            let mut served = served;
            while !self.compare(&served).await {
                sleep(interval.min(RETRY)).await;
                served = tenants.once_served(tenant.as_str()).await;
            }
        }
    }

    async fn has_turn(&self, tenant: &Tenant, interval: Duration) -> bool {
        let store: &dyn Store = &*self.drift.0.store;
        match store.take_turn(tenant, Timestamp::now(), interval).await {
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
    async fn compare(&self, served: &Arc<Served>) -> bool {
        let repair: Repair = served.drift.drift_policy.repair();
        match self.drift.compare(served, repair, None, None).await {
            Ok(report) => report.failure.is_none(),
            Err(_) => true,
        }
    }
}

/// Sleeps for so long; without end where that is no time, for then nothing is compared by itself.
async fn sleep(interval: Duration) {
    if interval.is_zero() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(interval).await;
}
