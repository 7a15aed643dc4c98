//! The answer waits for the Platform's verdict, for a while: an administrator then reads in Entra's log why a change was
//! refused, and SCIM does not show what will never be. Whichever replica delivers, the waiter sees it in the store.
//!
//! Refused → an error with the Platform's words, and the change is taken back where that is safe. No verdict → the change is
//! durable and is delivered later.

use std::time::Duration;

use jiff::Timestamp;
use proto::error::ErrorReason;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{Caller, Directory, differences};
use crate::{
    error::Error,
    id::{Kind, ResourceId, Tenant},
    index::keys,
    store::{Delivery, Failure, Origin, Revert, Reverted, Stage, WorkState, Written},
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
        tenant: &Tenant,
        written: &Written,
        members: &[ResourceId],
        caller: &Caller,
    ) -> Result<(), Error> {
        let (wait, began) = (self.answer_wait, Instant::now());
        // Who asks for what is wanted already waits, too: it may be taken back while somebody else waits for it.
        let worth = written.braked.is_none() && members.len() <= MOST_MEMBERS;
        if !worth || !self.pulse.allows(wait) || self.store.pause(tenant).await?.is_some() {
            return Ok(());
        }
        let mut wakes = self.wake.listen();
        while began.elapsed() < wait {
            match self.look(tenant, written, members).await? {
                Verdict::Open => {}
                Verdict::Done => return Ok(()),
                Verdict::Refused(failure) => return self.take_back(tenant, written, failure, caller).await,
                Verdict::MembersRefused(failure, which) => {
                    return self.take_members_back(tenant, written, failure, &which, caller).await;
                }
            }
            let left = wait.saturating_sub(began.elapsed());
            // A bell that stays silent is no reason to stop.
            let _ = timeout(left.min(LOOK_AGAIN), wakes.heard()).await;
        }
        Ok(())
    }

    /// Whether a resource is no longer what a request found to be so already: what was there may have been taken back since,
    /// and is then to be done after all.
    pub(super) async fn is_another(&self, tenant: &Tenant, written: &Written, seen: u64) -> Result<bool, Error> {
        if written.changed || self.answer_wait.is_zero() {
            return Ok(false);
        }
        let present = self.store.get(tenant, written.record.kind, written.record.id).await?;
        Ok(present.is_none_or(|present| present.version != seen))
    }

    async fn look(&self, tenant: &Tenant, written: &Written, members: &[ResourceId]) -> Result<Verdict, Error> {
        let record = &written.record;
        let Some(delivery) = self.store.delivery(tenant, record.id).await? else {
            return Ok(Verdict::Done);
        };
        let Delivery { link, work, .. } = delivery;
        let Some(work) = work else { return Ok(Verdict::Done) };
        if delivery.deleted || work.state == WorkState::Held {
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
        let stages = self.store.stages(tenant, record.id, members).await?;
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
    async fn take_back(
        &self,
        tenant: &Tenant,
        written: &Written,
        failure: Failure,
        caller: &Caller,
    ) -> Result<(), Error> {
        let Some(reason) = verdict_of(&failure) else {
            return Ok(());
        };
        let record = &written.record;
        let undone = match self.store.pre_image(tenant, record.kind, record.id).await? {
            None => false,
            Some(image) => {
                let before = image.record.as_ref().map(|before| &before.document);
                let revert = Revert {
                    kind: record.kind,
                    id: record.id,
                    expected: record.document_version,
                    only_if_refused: true,
                    old_keys: keys(record.kind, &record.document),
                    new_keys: before.map_or_else(Vec::new, |document| keys(record.kind, document)),
                    attributes: before.map_or_else(Vec::new, |document| differences(document, &record.document)),
                    request: caller.request.as_ref().map(|request| request.id.clone()),
                    now: Timestamp::now(),
                    traceparent: caller.traceparent.clone(),
                    diff: self.diff(record.kind, &record.document, before.unwrap_or(&Value::Null)),
                    origin: caller.origin.clone(),
                };
                !matches!(self.store.revert(tenant, revert).await?, Reverted::Not(_))
            }
        };
        self.wake.ring();
        tracing::info!(
            scim.tenant = %tenant, scim.resource.type = record.kind.name(), scim.resource.id = %record.id,
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
        tenant: &Tenant,
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
        let back = self.store.revert_members(tenant, group, refused, origin, now).await?;
        self.wake.ring();
        tracing::info!(
            scim.tenant = %tenant, scim.resource.id = %group, refused = refused.len(), undone = back.len(),
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

impl Directory {
    /// Takes back what is held or refused of a resource, so that it is what it was when it was last applied. Gives whether a
    /// user's memberships could not be restored with it.
    pub async fn discard(&self, tenant: &Tenant, id: &str, origin: Option<Origin>) -> Result<(), Error> {
        let not_held = || Error::NotHeld(id.chars().take(64).collect());
        let parsed: ResourceId = id.parse().map_err(|_| not_held())?;
        let delivery = self.store.delivery(tenant, parsed).await?.ok_or_else(not_held)?;
        let state = delivery.work.as_ref().map(|work| work.state);
        let now = Timestamp::now();
        let members = delivery.kind == Kind::Group
            && !delivery.deleted
            && self.store.discard_members(tenant, parsed, origin.as_ref(), now).await?;
        if members {
            self.wake.ring();
            return Ok(());
        }
        if !matches!(state, Some(WorkState::Held | WorkState::Refused)) {
            let braked = delivery.work.as_ref().is_some_and(|work| work.braked.is_some());
            if !braked {
                return Err(not_held());
            }
        }
        let present = self.store.get(tenant, delivery.kind, parsed).await?;
        let image = self.store.pre_image(tenant, delivery.kind, parsed).await?;
        let image = image.ok_or(Error::CannotDiscard("what was last applied is not known"))?;
        let before = image.record.map(|before| before.document);
        let document = present.as_ref().map(|record| &record.document);
        let revert = Revert {
            kind: delivery.kind,
            id: parsed,
            expected: present
                .as_ref()
                .map_or(delivery.version, |record| record.document_version),
            only_if_refused: false,
            old_keys: document.map_or_else(Vec::new, |document| keys(delivery.kind, document)),
            new_keys: before
                .as_ref()
                .map_or_else(Vec::new, |before| keys(delivery.kind, before)),
            attributes: match (&before, document) {
                (Some(before), Some(document)) => differences(before, document),
                _ => Vec::new(),
            },
            request: None,
            now,
            traceparent: service_runtime::trace_context::current(),
            diff: self.diff(
                delivery.kind,
                document.unwrap_or(&Value::Null),
                before.as_ref().unwrap_or(&Value::Null),
            ),
            origin,
        };
        let reverted = self.store.revert(tenant, revert).await?;
        self.wake.ring();
        match reverted {
            Reverted::Restored(_) | Reverted::Removed => Ok(()),
            Reverted::Not(why) => Err(Error::CannotDiscard(why.words())),
        }
    }
}
