//! Removals while the Platform's list of what is there is not believed: another tenant may be behind the address, or a right may be
//! missing. Accounts are disabled, and nothing is removed. Whether the list is believed is for the comparison to say.

use jiff::Timestamp;

use super::Relay;
use crate::{
    config::DeleteMode,
    drift,
    id::Kind,
    metrics,
    store::{Brake, Claim, Held, Order, Settlement, StoreError},
};

/// Whether a removal ended held for that reason.
pub(super) fn held(settlement: &Settlement) -> bool {
    let alarm = Some(Brake::Alarm);
    matches!(settlement, Settlement::Held(Held { brake, .. }) if *brake == alarm)
}

impl Relay {
    /// The claim of a removal, with a brake on where the list is not believed. What a person released is removed all the same, and
    /// where nothing is written nothing needs to be held.
    pub(super) async fn doubtful(&self, claim: &Claim, order: &Order) -> Result<Option<Claim>, StoreError> {
        let removes = claim.kind == Kind::Group || self.served.policy.delete_mode == DeleteMode::Remove;
        let is_there = order.link.platform_id.is_some() || !order.link.intents.is_empty();
        let may_be_held = order.record.is_none() && removes && is_there && !self.served.policy.dry_run;
        if !may_be_held || claim.braked.is_some() || claim.released {
            return Ok(None);
        }
        if !drift::is_doubted(&*self.store, &claim.tenant).await? {
            return Ok(None);
        }
        metrics::braked(&claim.tenant, Brake::Alarm);
        let (kind, what) = (claim.kind.name(), Brake::Alarm.name());
        tracing::warn!(
            scim.tenant = %claim.tenant, scim.resource.type = kind, scim.resource.id = %claim.id, delivery.brake = what,
            "the Platform's list of users or groups is not believed: the removal of {kind} {} is held", claim.id
        );
        Ok(Some(Claim {
            braked: Some(Brake::Alarm),
            ..claim.clone()
        }))
    }

    /// Lets a removal go on that was held just when the list came to be believed again: the comparison may have looked for it
    /// before it was held.
    pub(super) async fn let_go(&self, claim: &Claim) -> Result<(), StoreError> {
        if drift::is_doubted(&*self.store, &claim.tenant).await? {
            return Ok(());
        }
        let now = Timestamp::now();
        if self.store.release(&claim.tenant, claim.id, None, now).await? {
            self.wake.ring();
        }
        Ok(())
    }
}
