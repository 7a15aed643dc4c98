//! The answer waits for the Platform's verdict, for a while: an administrator then reads in Entra's log why a change was
//! refused, and SCIM does not show what will never be. Whichever replica delivers, the waiter sees it in the store.
//!
//! Refused → an error with the Platform's words, and the change is taken back where that is safe. No verdict → the change is
//! durable and is delivered later.

use std::time::Duration;

use jiff::Timestamp;
use proto::error::ErrorReason;
use tokio::time::{Instant, timeout};

use super::{Caller, Directory};
use crate::{
    error::Error,
    id::ResourceId,
    store::{Delivery, Failure, Revert, Stage, WorkState, Written},
};

/// How often the store is looked at at least: deliveries of other replicas ring no bell here.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How many changes of members are waited for at most.
const MOST_MEMBERS: usize = 100;

/// What is known so far.
enum Verdict {
    /// Nothing yet.
    Open,
    /// The Platform has it, or nothing will be known soon.
    Done,
    /// The Platform, or a rule, said no to the resource.
    Refused(Failure),
    /// The Platform said no to these changes of members, with their stamps.
    MembersRefused(Failure, Vec<(ResourceId, u64)>),
}

impl Directory {
    /// Waits for what becomes of a change, of a document or of these members of a group.
    pub(super) async fn verdict(
        &self,
        written: &Written,
        members: &[ResourceId],
        caller: &Caller,
    ) -> Result<(), Error> {
        let wait = self.served.delivery.answer_wait.saturating_sub(caller.age);
        let began = Instant::now();
        // Who asks for what is wanted already waits, too: it may be taken back while somebody else waits for it.
        let worth = written.braked.is_none() && members.len() <= MOST_MEMBERS && !self.served.policy.dry_run;
        if !worth || !self.served.pulse.allows(wait) {
            return Ok(());
        }
        let (mut wakes, mut may_come) = (self.wake.listen(), false);
        while began.elapsed() < wait {
            match self.look(written, members).await? {
                Verdict::Open => {}
                Verdict::Done => return Ok(()),
                Verdict::Refused(failure) => return self.take_back(written, failure, caller).await,
                Verdict::MembersRefused(failure, which) => {
                    return self.take_members_back(written, failure, &which, caller).await;
                }
            }
            // Asked once, and only where there is something to wait for.
            if !may_come && self.store.pause(self.tenant()).await?.is_some() {
                return Ok(());
            }
            may_come = true;
            let left = wait.saturating_sub(began.elapsed());
            // A bell that stays silent is no reason to stop.
            let _ = timeout(left.min(LOOK_AGAIN), wakes.heard()).await;
        }
        Ok(())
    }

    /// Whether a resource is no longer what a request found to be so already: what was there may have been taken back since,
    /// and is then to be done after all.
    pub(super) async fn is_another(&self, written: &Written, seen: u64) -> Result<bool, Error> {
        if written.changed || self.served.delivery.answer_wait.is_zero() {
            return Ok(false);
        }
        let present = self
            .store
            .get(self.tenant(), written.record.kind, written.record.id)
            .await?;
        Ok(present.is_none_or(|present| present.version != seen))
    }

    async fn look(&self, written: &Written, members: &[ResourceId]) -> Result<Verdict, Error> {
        let record = &written.record;
        let Some(delivery) = self.store.delivery(self.tenant(), record.id).await? else {
            return Ok(Verdict::Done);
        };
        let Delivery { link, work, .. } = delivery;
        let Some(work) = work else { return Ok(Verdict::Done) };
        if delivery.deleted || !work.state.has_a_time() {
            return Ok(Verdict::Done);
        }
        let failure = work.failure.clone();
        if link.applied_document < record.document_version {
            return Ok(match (work.state, failure) {
                (WorkState::Refused, Some(failure)) if delivery.version == record.version => Verdict::Refused(failure),
                (WorkState::Refused, _) => Verdict::Done,
                // It failed and is tried later, or must not be tried yet.
                _ if work.attempts > 0 || work.not_before.is_some() || work.held_until.is_some() => Verdict::Done,
                _ => Verdict::Open,
            });
        }
        let stages = self.store.stages(self.tenant(), record.id, members).await?;
        let standing = || {
            members
                .iter()
                .zip(&stages)
                .filter_map(|(id, stage)| Some((*id, (*stage)?)))
        };
        if standing().any(|(_, (stage, _))| stage == Stage::Ready) {
            let failed = work.attempts > 0 || work.not_before.is_some();
            return Ok(if failed { Verdict::Done } else { Verdict::Open });
        }
        let refused: Vec<_> = standing()
            .filter(|(_, (stage, _))| matches!(stage, Stage::Refused(_)))
            .map(|(id, (_, stamp))| (id, stamp))
            .collect();
        Ok(match failure {
            Some(failure) if !refused.is_empty() => Verdict::MembersRefused(failure, refused),
            _ => Verdict::Done,
        })
    }

    /// Takes a refused change back, if it is still the only one since the last that was applied; else it stays listed as
    /// refused.
    async fn take_back(&self, written: &Written, failure: Failure, caller: &Caller) -> Result<(), Error> {
        let Some(reason) = verdict_of(&failure) else {
            return Ok(());
        };
        let record = &written.record;
        if let Some(image) = self.store.pre_image(self.tenant(), record.kind, record.id).await? {
            let revert = Revert {
                only_if_refused: true,
                request: caller.request.as_ref().map(|request| request.id.clone()),
                ..self.revert_to(
                    image,
                    (record.kind, record.id),
                    record.document_version,
                    Some(&record.document),
                    caller,
                )
            };
            self.store.revert(self.tenant(), revert).await?;
        }
        // Another who waited for the same may have been first.
        let present = self.store.get(self.tenant(), record.kind, record.id).await?;
        let undone = present.is_none_or(|present| present.document_version != record.document_version);
        self.wake.ring();
        tracing::info!(
            scim.tenant = %self.tenant(), scim.resource.type = record.kind.name(), scim.resource.id = %record.id,
            delivery.reason = failure.reason, undone,
            "the Platform refused a change while its caller waited"
        );
        Err(Error::Refused {
            reason,
            message: failure.message,
            undone,
        })
    }

    /// Takes those changes of members back that the Platform refused; the others stand.
    async fn take_members_back(
        &self,
        written: &Written,
        failure: Failure,
        refused: &[(ResourceId, u64)],
        caller: &Caller,
    ) -> Result<(), Error> {
        let Some(reason) = verdict_of(&failure) else {
            return Ok(());
        };
        let (group, now) = (written.record.id, Timestamp::now());
        let origin = caller.origin.as_ref();
        let back = self
            .store
            .revert_members(self.tenant(), group, refused, origin, now)
            .await?;
        self.wake.ring();
        tracing::info!(
            scim.tenant = %self.tenant(), scim.resource.id = %group, refused = refused.len(), undone = back.len(),
            "the Platform refused members while their caller waited"
        );
        Err(Error::Refused {
            reason,
            message: failure.message,
            undone: back.len() == refused.len(),
        })
    }
}

/// The reason, where it is a verdict on this change. Where the Platform does not let us in, or does not have the call, that says
/// nothing of the change: it stays listed until that is settled.
fn verdict_of(failure: &Failure) -> Option<ErrorReason> {
    use ErrorReason::{DirectoryPolicy, PlatformAmbiguous, PlatformObjectExists, PlatformProtected, PlatformRefused};
    let reason = ErrorReason::from_name(&failure.reason)?;
    let verdicts = [
        PlatformObjectExists,
        PlatformAmbiguous,
        PlatformRefused,
        PlatformProtected,
        DirectoryPolicy,
    ];
    verdicts.contains(&reason).then_some(reason)
}
