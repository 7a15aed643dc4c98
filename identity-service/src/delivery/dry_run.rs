//! `DRY_RUN`: the adapter is asked what it would write, that is kept with the work, and nothing is written. Once it is off, what
//! was only planned is delivered.
//!
//! The calls that plan are others than those that write, so that an adapter which does not know them writes nothing.

use std::time::Duration;

use jiff::Timestamp;
use proto::adapter::v1::{
    ApplyGroupRequest, ApplyUserRequest, GroupApplied, PlanGroupRequest, PlanUserRequest, UserApplied,
    plan_group_response, plan_user_response,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{Relay, Relays, apply::Answer};
use crate::{
    id::{ResourceId, Tenant},
    store::{Failure, Settlement},
};

/// How often it is looked for what was only planned: a replica that is still to be restarted may plan meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl Relays {
    /// Makes what was only planned due, for as long as the relay runs, while something may be written.
    pub(super) async fn deliver_planned(&self, tenant: &Tenant, stop: &CancellationToken) {
        let (mut tenants, mut told) = (self.tenants.clone(), false);
        while let Some(served) = stop.run_until_cancelled(tenants.once_served(tenant.as_str())).await {
            let again = if served.policy.dry_run {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(scim.tenant = %tenant, "DRY_RUN is on: nothing is written to the Platform");
                }
                None
            } else {
                told = false;
                Some(self.make_planned_due(tenant).await)
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tenants.changed() => {}
                () = tokio::time::sleep(again.unwrap_or_default()), if again.is_some() => {}
            }
        }
    }

    /// Gives after how long to look again.
    async fn make_planned_due(&self, tenant: &Tenant) -> Duration {
        match self.store.deliver_planned(tenant, Timestamp::now()).await {
            Ok(0) => LOOK_AGAIN,
            Ok(planned) => {
                tracing::info!(scim.tenant = %tenant, planned, "what was planned in a dry run is delivered");
                self.wake.ring();
                Duration::ZERO
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    scim.tenant = %tenant,
                    "cannot look for what was planned; trying again"
                );
                LOOK_AGAIN
            }
        }
    }
}

impl Relay {
    /// What would become of a user's account.
    pub(super) async fn ask_about_user(&self, apply: ApplyUserRequest) -> Result<Answer<UserApplied>, Status> {
        let request = PlanUserRequest { apply: Some(apply) };
        let response = self.adapter.clone().plan_user(request).await?.into_inner();
        match response.outcome {
            Some(plan_user_response::Outcome::Applied(applied)) => Ok(Answer::Applied(applied)),
            Some(plan_user_response::Outcome::Planned(planned)) => Ok(Answer::Planned(planned.steps)),
            Some(plan_user_response::Outcome::Found(found)) => Ok(Answer::Found(found)),
            None => Err(Status::internal("the adapter answered without an outcome")),
        }
    }

    /// What would become of a group.
    pub(super) async fn ask_about_group(&self, apply: ApplyGroupRequest) -> Result<Answer<GroupApplied>, Status> {
        let request = PlanGroupRequest { apply: Some(apply) };
        let response = self.adapter.clone().plan_group(request).await?.into_inner();
        match response.outcome {
            Some(plan_group_response::Outcome::Applied(applied)) => Ok(Answer::Applied(applied)),
            Some(plan_group_response::Outcome::Planned(planned)) => Ok(Answer::Planned(planned.steps)),
            Some(plan_group_response::Outcome::Found(found)) => Ok(Answer::Found(found)),
            None => Err(Status::internal("the adapter answered without an outcome")),
        }
    }
}

/// The plan of what comes after another of ours: that one is not delivered either, so that trying again tells nothing new.
pub(super) fn after(on: ResourceId, failure: &Failure) -> Settlement {
    Settlement::Planned(vec![format!(
        "after {on} was delivered, which is in the way: {}",
        failure.message
    )])
}
