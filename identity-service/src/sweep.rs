//! Goes on with what steps of the store left to be done in batches, after each change and at the start.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    id::Tenant,
    store::{Store, StoreError},
    wake::Wake,
};

/// How often it looks at most: what is left shows nowhere, so nothing is lost by letting changes gather.
const PAUSE: Duration = Duration::from_secs(1);
/// How long it sleeps at most, should a bell be missed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Sweeps tenants.
#[derive(Clone)]
pub(crate) struct Sweep {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) wake: Wake,
}

impl Sweep {
    /// Sweeps one tenant until told to stop.
    pub(crate) async fn run(self, tenant: Tenant, stop: CancellationToken) {
        let mut wakes = self.wake.listen();
        while !stop.is_cancelled() {
            if let Err(error) = self.sweep(&tenant, &stop).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    scim.tenant = %tenant,
                    "the store could not be swept; trying again"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LONGEST_SLEEP) => {}
                () = wakes.heard() => {}
            }
        }
    }

    async fn sweep(&self, tenant: &Tenant, stop: &CancellationToken) -> Result<(), StoreError> {
        while !stop.is_cancelled() && self.store.sweep(tenant, Timestamp::now()).await? > 0 {
            // There may be work now that was not there before.
            self.wake.ring();
        }
        Ok(())
    }
}
