//! The lease of a delivery that is under way: renewed for as long as the delivery takes, so that it may be short, and what a
//! replica that died had begun is soon taken by another.
//!
//! A delivery never outlives its lease: where the lease cannot be renewed, it is cut off before another may begin beside it.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::Relay;
use crate::store::Claim;

impl Relay {
    /// Runs a delivery for as long as its claim, made at that moment, certainly holds. `None` when the lease ended first.
    pub(super) async fn within_lease<T>(
        &self,
        claim: &Claim,
        claimed: Instant,
        delivery: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            done = delivery => Some(done),
            () = self.hold_on(claim, claimed) => None,
        }
    }

    /// Renews a claim until that is no longer possible, and returns when its lease is over.
    async fn hold_on(&self, claim: &Claim, claimed: Instant) {
        let lease = self.served.delivery.delivery_lease;
        let mut end = claimed + lease;
        sleep_until(claimed + lease / 3).await;
        loop {
            let asked = Instant::now();
            let pause = match timeout_at(end, self.store.renew(claim, Timestamp::now() + lease)).await {
                Ok(Ok(true)) => {
                    end = asked + lease;
                    lease / 3
                }
                // Settled by nobody and yet no longer ours: another resource took the object over and waits for our end.
                Ok(Ok(false)) => return sleep_until(end).await,
                Ok(Err(error)) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        scim.resource.id = %claim.id,
                        "the lease of a delivery cannot be renewed; trying again"
                    );
                    (lease / 10).max(Duration::from_millis(1))
                }
                Err(_) => return,
            };
            tokio::select! {
                () = sleep_until(end) => return,
                () = sleep(pause) => {}
            }
        }
    }
}
