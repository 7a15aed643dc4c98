//! Discarding: what is held or refused is taken back, so that a resource is again what it was when it was last applied.

use jiff::Timestamp;
use serde_json::Value;

use super::{Caller, Directory, differences};
use crate::{
    error::Error,
    id::{Kind, ResourceId},
    index::keys,
    store::{PreImage, Revert, Reverted, WhyNot, WorkState},
};

impl Directory {
    /// Takes back what is held or refused of a resource. A deleted group comes back with its members; a deleted user comes
    /// back without memberships, since access that is taken away is taken away at once.
    pub async fn discard(&self, id: &str, caller: &Caller) -> Result<(), Error> {
        let not_held = || Error::NotHeld(id.chars().take(64).collect());
        let parsed: ResourceId = id.parse().map_err(|_| not_held())?;
        let delivery = self.store.delivery(self.tenant(), parsed).await?.ok_or_else(not_held)?;
        let work = delivery.work.as_ref().ok_or_else(not_held)?;
        let origin = caller.origin.as_ref();
        if delivery.kind == Kind::Group
            && !delivery.deleted
            && self
                .store
                .discard_members(self.tenant(), parsed, origin, Timestamp::now())
                .await?
        {
            self.wake.ring();
            return Ok(());
        }
        let is_stuck = matches!(work.state, WorkState::Held | WorkState::Refused) || work.braked.is_some();
        if !is_stuck {
            return Err(not_held());
        }
        let present = self.store.get(self.tenant(), delivery.kind, parsed).await?;
        let image = self.store.pre_image(self.tenant(), delivery.kind, parsed).await?;
        let image = image.ok_or(Error::CannotDiscard(WhyNot::Unknown.words()))?;
        let version = present
            .as_ref()
            .map_or(delivery.version, |record| record.document_version);
        let document = present.as_ref().map(|record| &record.document);
        let revert = self.revert_to(image, (delivery.kind, parsed), version, document, caller);
        let reverted = self.store.revert(self.tenant(), revert).await?;
        self.wake.ring();
        match reverted {
            Reverted::Restored(_) | Reverted::Removed => Ok(()),
            Reverted::Not(why) => Err(Error::CannotDiscard(why.words())),
        }
    }

    /// The step from what a resource is, if it is there, back to a pre-image.
    pub(super) fn revert_to(
        &self,
        image: PreImage,
        (kind, id): (Kind, ResourceId),
        version: u64,
        present: Option<&Value>,
        caller: &Caller,
    ) -> Revert {
        let before = image.record.map(|before| before.document);
        let keys = |document: Option<&Value>| document.map_or_else(Vec::new, |document| keys(kind, document));
        let now = Timestamp::now();
        Revert {
            kind,
            id,
            expected: version,
            only_if_refused: false,
            old_keys: keys(present),
            new_keys: keys(before.as_ref()),
            attributes: match (&before, present) {
                (Some(before), Some(present)) => differences(before, present),
                _ => Vec::new(),
            },
            request: None,
            now,
            traceparent: caller.asked(now),
            diff: self.diff(
                kind,
                present.unwrap_or(&Value::Null),
                before.as_ref().unwrap_or(&Value::Null),
            ),
            origin: caller.origin.clone(),
        }
    }
}
