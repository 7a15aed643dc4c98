//! Delivering a user: its account, and whom it reports to.

use proto::{
    adapter::v1::{
        ApplyUserRequest, Removal, RemovalMode, UserApplied, apply_user_request::Wanted, apply_user_response,
    },
    error::ErrorReason,
    resource::v1::User,
};
use tonic::Status;

use super::{
    Relay,
    apply::{Answer, Outcome},
};
use crate::{
    config::DeleteMode,
    directory::may_be_used,
    id::{Kind, ResourceId},
    index::names,
    record::{Malformed, Record},
    store::{Applied, Claim, Failure, Held, Order, Settlement, StoreError},
};

/// What is known of a user's manager.
#[derive(Default)]
struct Manager {
    platform_id: Option<String>,
    /// The manager is a user of ours without an account as yet.
    waits_for: Option<ResourceId>,
}

impl Relay {
    pub(super) async fn deliver_user(&self, claim: &Claim, order: Order) -> Result<Settlement, StoreError> {
        let versions = order
            .record
            .as_ref()
            .map_or((0, 0), |record| (record.version, record.document_version));
        let mut disabled = true;
        let document = order.record.as_ref().map(|record| record.document.clone());
        let (wanted, manager) = match order.record {
            None => (
                Wanted::Removal(Removal {
                    mode: self.removal_mode(claim) as i32,
                }),
                Manager::default(),
            ),
            Some(record) => {
                let manager = self.manager(claim, &record).await?;
                // Said always: an attribute that was removed must not leave open what the account shall be.
                let active = Some(may_be_used(&record.document));
                disabled = active == Some(false);
                match record.into_message::<User>() {
                    Ok(user) => (Wanted::User(User { active, ..user }), manager),
                    Err(error) => return Ok(self.malformed(&error)),
                }
            }
        };
        let outcome = self
            .apply(claim, &order.link, |standing| {
                let request = ApplyUserRequest {
                    tenant: claim.tenant.to_string(),
                    resource_id: claim.id.to_string(),
                    link: standing.link,
                    intents: Some(standing.intents),
                    adoption: standing.adoption as i32,
                    wanted: Some(wanted.clone()),
                    manager_platform_id: manager.platform_id.clone(),
                };
                self.call_user(request)
            })
            .await?;
        Ok(match outcome {
            Outcome::Ends(settlement) => *settlement,
            // An account that was gone already needs nobody to release it.
            Outcome::Applied(applied) if claim.braked.is_some() && applied.link.is_some() => Settlement::Held(Held {
                object: applied.link.map(|link| (link.platform_id, link.backend)),
                disabled,
                brake: claim.braked,
            }),
            Outcome::Applied(applied) => Settlement::Applied(Applied {
                object: applied.link.map(|link| (link.platform_id, link.backend)),
                disabled,
                names: names(Kind::User, document.as_ref()),
                document,
                versions,
                waits_for: manager.waits_for,
                retry_at: Some(self.look_again_at()),
                contested_until: Some(self.retry_at(claim, None)),
                ..Applied::default()
            }),
        })
    }

    async fn call_user(&self, request: ApplyUserRequest) -> Result<Answer<UserApplied>, Status> {
        if self.served.policy.dry_run {
            return self.ask_about_user(request).await;
        }
        let response = self.adapter.clone().apply_user(request).await?.into_inner();
        match response.outcome {
            Some(apply_user_response::Outcome::Applied(applied)) => Ok(Answer::Applied(applied)),
            Some(apply_user_response::Outcome::IntentRequired(required)) => Ok(Answer::IntentRequired(required)),
            Some(apply_user_response::Outcome::Found(found)) => Ok(Answer::Found(found)),
            None => Err(Status::internal("the adapter answered without an outcome")),
        }
    }

    /// The manager's account. One that has none yet makes the user be delivered again when it has.
    async fn manager(&self, claim: &Claim, record: &Record) -> Result<Manager, StoreError> {
        let named = record
            .document
            .get(scim::URN_ENTERPRISE_USER)
            .and_then(|enterprise| enterprise.pointer("/manager/value")?.as_str());
        let Some(id) = named.and_then(|text| text.parse::<ResourceId>().ok()) else {
            return Ok(Manager::default());
        };
        let platform_id = self
            .store
            .link(&claim.tenant, id)
            .await?
            .and_then(|link| link.platform_id);
        // A manager that is not there, or is gone, is nobody: clients may name what does not exist (R07).
        let exists = self.store.get(&claim.tenant, Kind::User, id).await?.is_some();
        Ok(match platform_id {
            Some(platform_id) => Manager {
                platform_id: exists.then_some(platform_id),
                waits_for: None,
            },
            None => Manager {
                platform_id: None,
                waits_for: exists.then_some(id).filter(|id| *id != claim.id),
            },
        })
    }

    /// Where a brake is on, a leaver loses access all the same.
    fn removal_mode(&self, claim: &Claim) -> RemovalMode {
        match self.served.policy.delete_mode {
            DeleteMode::Remove if claim.braked.is_none() => RemovalMode::Remove,
            DeleteMode::Remove | DeleteMode::Disable => RemovalMode::Disable,
        }
    }

    /// A stored resource that does not fit the contract is a fault of ours: it must be seen, and must not stop others.
    pub(super) fn malformed(&self, error: &Malformed) -> Settlement {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "a resource cannot be delivered"
        );
        let failure = Failure {
            reason: ErrorReason::Internal.name().to_owned(),
            message: error.to_string(),
        };
        Settlement::Refused {
            failure,
            retry_at: self.look_again_at(),
            void_intents: Vec::new(),
        }
    }
}
