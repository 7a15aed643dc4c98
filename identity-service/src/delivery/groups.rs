//! Delivering a group: its attributes, and a batch of the members whose state is not confirmed.

use std::collections::HashMap;

use jiff::Timestamp;
use proto::{
    adapter::v1::{
        ApplyGroupRequest, GroupApplied, Removal, RemovalMode, apply_group_request::Wanted, apply_group_response,
    },
    error::ErrorReason,
    resource::v1::Group,
};
use tonic::Status;

use super::{
    Relay,
    apply::{Answer, Outcome},
};
use crate::{
    config::DeliveryConfig,
    id::Kind,
    index::names,
    store::{Applied, Claim, Failure, Order, PendingMember, Settlement, StoreError},
};

impl Relay {
    pub(super) async fn deliver_group(&self, claim: &Claim, order: Order) -> Result<Settlement, StoreError> {
        let Order { record, link, batch } = order;
        let versions = record
            .as_ref()
            .map_or((0, 0), |record| (record.version, record.document_version));
        let document = record.as_ref().map(|record| record.document.clone());
        let gather_until = self.gather_until(batch.len());
        let is_busy = gather_until.is_some()
            && self
                .served
                .pulse
                .had_members(claim.id, self.served.delivery.member_gather);
        let settled = |applied: Applied| {
            Settlement::Applied(Applied {
                versions,
                names: names(Kind::Group, document.as_ref()),
                document: document.clone(),
                retry_at: Some(self.look_again_at()),
                more_at: gather_until,
                gather_until: gather_until.filter(|_| is_busy),
                contested_until: Some(self.retry_at(claim, None)),
                ..applied
            })
        };
        if let (Some(record), Some(platform_id)) = (&record, &link.platform_id)
            && batch.is_empty()
            && link.applied_document == record.document_version
        {
            // Woken for nothing that the Platform would notice.
            return Ok(settled(Applied {
                object: Some((platform_id.clone(), link.backend)),
                ..Applied::default()
            }));
        }
        let wanted = match record {
            None => Wanted::Removal(Removal {
                mode: RemovalMode::Remove as i32,
            }),
            Some(record) => match record.into_message::<Group>() {
                Ok(group) => Wanted::Group(group),
                Err(error) => return Ok(self.malformed(&error)),
            },
        };
        let outcome = self
            .apply(claim, &link, |standing| {
                let ids = |wanted| {
                    batch
                        .iter()
                        .filter(move |member| member.wanted == wanted)
                        .map(|member| member.platform_id.clone())
                };
                let request = ApplyGroupRequest {
                    tenant: claim.tenant.to_string(),
                    resource_id: claim.id.to_string(),
                    link: standing.link,
                    intents: Some(standing.intents),
                    adoption: standing.adoption as i32,
                    wanted: Some(wanted.clone()),
                    members_in: ids(true).collect(),
                    members_out: ids(false).collect(),
                };
                self.call_group(request)
            })
            .await?;
        Ok(match outcome {
            Outcome::Ends(settlement) => *settlement,
            Outcome::Applied(answer) => settled(member_by_member(answer, batch)),
        })
    }

    /// Until when changes of members are gathered after a batch that was not full: those that came while it was delivered, and
    /// where it is the second in that time, all that come. Each delivery would find a few, and take as many calls as for a hundred.
    fn gather_until(&self, batch_size: usize) -> Option<Timestamp> {
        let DeliveryConfig {
            member_batch,
            member_gather,
            ..
        } = self.served.delivery;
        let gathers = (1..member_batch).contains(&batch_size) && !member_gather.is_zero();
        gathers.then(|| Timestamp::now() + member_gather)
    }

    async fn call_group(&self, request: ApplyGroupRequest) -> Result<Answer<GroupApplied>, Status> {
        if self.served.policy.dry_run {
            return self.ask_about_group(request).await;
        }
        let response = self.adapter.clone().apply_group(request).await?.into_inner();
        match response.outcome {
            Some(apply_group_response::Outcome::Applied(applied)) => Ok(Answer::Applied(applied)),
            Some(apply_group_response::Outcome::IntentRequired(required)) => Ok(Answer::IntentRequired(required)),
            Some(apply_group_response::Outcome::Found(found)) => Ok(Answer::Found(found)),
            None => Err(Status::internal("the adapter answered without an outcome")),
        }
    }
}

/// Sorts the batch by what the Platform made of each member.
fn member_by_member(answer: GroupApplied, batch: Vec<PendingMember>) -> Applied {
    let refused: HashMap<_, _> = answer
        .refused_members
        .into_iter()
        .map(|member| (member.platform_id, member.message))
        .collect();
    let (refused_members, confirmed): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .partition(|member| refused.contains_key(&member.platform_id));
    let refused_because = refused_members.first().map(|member| Failure {
        reason: ErrorReason::PlatformRefused.name().to_owned(),
        message: format!(
            "{} of the members were refused, {} first: {}",
            refused_members.len(),
            member.id,
            refused[&member.platform_id]
        ),
    });
    Applied {
        object: answer.link.map(|link| (link.platform_id, link.backend)),
        confirmed,
        refused: refused_members,
        refused_because,
        ..Applied::default()
    }
}

#[cfg(test)]
mod tests {
    use proto::adapter::v1::{Link, RefusedMember};

    use super::*;
    use crate::id::ResourceId;

    #[test]
    fn each_member_of_a_batch_is_settled_by_its_own_verdict() {
        let batch: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|account| PendingMember {
                id: ResourceId::generate(),
                stamp: 7,
                wanted: true,
                platform_id: account.to_owned(),
            })
            .collect();
        let answer = GroupApplied {
            link: Some(Link {
                platform_id: "role".to_owned(),
                backend: "rpc".to_owned(),
            }),
            refused_members: vec![RefusedMember {
                platform_id: "b".to_owned(),
                message: "no such user".to_owned(),
            }],
            ..GroupApplied::default()
        };
        let applied = member_by_member(answer, batch.clone());
        assert_eq!(applied.object, Some(("role".to_owned(), "rpc".to_owned())));
        assert_eq!(applied.confirmed, [batch[0].clone(), batch[2].clone()]);
        assert_eq!(applied.refused, [batch[1].clone()]);
        let because = applied.refused_because.unwrap();
        assert!(because.message.contains("no such user") && because.message.contains(&batch[1].id.to_string()));
    }
}
