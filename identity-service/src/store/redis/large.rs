//! Changes of more members than one script may touch: written beside, batch by batch, as the group's layer, and put in force
//! by one script. A process that dies meanwhile leaves a layer that nobody sees, and that a sweep forgets.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    RedisStore, Sweep,
    args::{self, Args},
    decode::Attempt,
};
use crate::{
    id::{ResourceId, Tenant},
    store::{Action, MemberChange, Store, StoreError, Write, WriteError, Written},
};

/// How long after the time of its write a layer that is still being staged counts as abandoned.
const STAGING: Duration = Duration::from_secs(60);
/// How long a large change waits for another one of the same group.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it waits between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Another large change of the same group does not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("another large change of the group is under way")]
struct Busy;

/// Whether a write has more members than one script may touch.
pub(super) fn is_large(write: &Write, batch: usize) -> bool {
    let (add, remove) = members(write);
    add.len() + remove.len() > batch
}

fn members(write: &Write) -> (&[ResourceId], &[ResourceId]) {
    match &write.action {
        Action::Create { members, .. } => (members, &[]),
        Action::Update {
            members: Some(MemberChange { add, remove, .. }),
            ..
        } => (add, remove),
        _ => (&[], &[]),
    }
}

impl RedisStore {
    /// Writes what has more members than one script may touch.
    pub(super) async fn write_large(&self, tenant: &Tenant, write: &Write) -> Result<Written, WriteError> {
        let token = format!("{:016x}", rand::random::<u64>());
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A repeat is answered before anything is staged, also when it had to wait for the first one to come to its end.
            if let Some(request) = &write.request
                && let Some(written) = self.answered(tenant, request, write.now).await?
            {
                return Ok(written);
            }
            let attempt = match self.stage(tenant, write, &token).await {
                Ok(Attempt::Staged) => self.attempt(tenant, write, Some(&token)).await,
                other => other,
            };
            match attempt {
                Ok(Attempt::Done(written)) => return Ok(written),
                // The layer was there too long, or the group came into being meanwhile: once more from the start.
                Ok(Attempt::Gone | Attempt::TooLarge | Attempt::Staged | Attempt::Busy) => {}
                Err(refused) => {
                    self.drop_layer(tenant, write, &token).await?;
                    return Err(refused);
                }
            }
            if Instant::now() > deadline {
                let source = std::sync::Arc::new(Busy);
                let doing = "change many members";
                return Err(StoreError::Engine { doing, source }.into());
            }
            // Whatever of another's is already in force can be merged by anybody.
            if self
                .sweep_some(tenant, write.now, Sweep::Layer(write.id))
                .await?
                .is_none_or(|touched| touched == 0)
            {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Stages every batch.
    async fn stage(&self, tenant: &Tenant, write: &Write, token: &str) -> Result<Attempt, WriteError> {
        let (add, remove) = members(write);
        let in_batches = add.chunks(self.options.batch).map(|add| (add, &[][..]));
        let out_batches = remove.chunks(self.options.batch).map(|remove| (&[][..], remove));
        // A group that is emptied has no batch, and yet a layer.
        let empty = (add.is_empty() && remove.is_empty()).then_some((&[][..], &[][..]));
        for (add, remove) in in_batches.chain(out_batches).chain(empty) {
            let args = args::stage(write, token, write.now + STAGING, (add, remove));
            let staged = self.step("stage members", tenant, &self.scripts.stage, args).await?;
            match staged.written(write)? {
                Attempt::Staged => {}
                other => return Ok(other),
            }
        }
        Ok(Attempt::Staged)
    }

    /// Gives up what was staged.
    async fn drop_layer(&self, tenant: &Tenant, write: &Write, token: &str) -> Result<(), StoreError> {
        let args: Args = args::drop_stage(write, token);
        self.step("drop staged members", tenant, &self.scripts.stage, args)
            .await?;
        Ok(())
    }
}
