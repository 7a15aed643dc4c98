//! Taking back what the Platform does not have.

use jiff::Timestamp;

use super::{
    RedisStore,
    args::{self, Args},
    keys::id_bytes,
};
use crate::{
    id::{Kind, ResourceId, Tenant},
    store::{Origin, PreImage, Revert, Reverted, Stage, StoreError},
};

impl RedisStore {
    pub(super) async fn image_of(
        &self,
        tenant: &Tenant,
        kind: Kind,
        id: ResourceId,
    ) -> Result<Option<PreImage>, StoreError> {
        let args = Args::new().id(id);
        let reply = self.read("read a pre-image", tenant, "pre_image", args).await?;
        reply.pre_image(kind, id)
    }

    pub(super) async fn stages_of(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<Vec<Option<(Stage, u64)>>, StoreError> {
        let mut stages = Vec::with_capacity(members.len());
        for some in members.chunks(self.options.batch) {
            let args = Args::new().id(group).ids(some);
            let reply = self.read("read where members stand", tenant, "stages", args).await?;
            stages.extend(reply.stages()?);
        }
        Ok(stages)
    }

    pub(super) async fn take_back(&self, tenant: &Tenant, revert: &Revert) -> Result<Reverted, StoreError> {
        let args = args::revert(revert);
        let script = &self.scripts.revert;
        let reply = self.step("take a change back", tenant, script, args).await?;
        reply.reverted(revert)
    }

    pub(super) async fn take_members_back(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[(ResourceId, u64)],
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let mut back = Vec::new();
        for some in members.chunks(self.options.batch) {
            let pairs = some.iter().flat_map(|(member, stamp)| {
                let stamp = stamp.to_string().into_bytes();
                [id_bytes(*member).to_vec(), stamp]
            });
            let args = args::members_step(group, origin, now)
                .text("revert")
                .texts(&pairs.collect::<Vec<_>>());
            let script = &self.scripts.put_back;
            let reply = self.step("take members back", tenant, script, args).await?;
            back.extend(reply.ids()?);
        }
        Ok(back)
    }

    pub(super) async fn put_members_back(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let args = args::members_step(group, origin, now).text("discard");
        let script = &self.scripts.put_back;
        let reply = self
            .step("discard the removal of members", tenant, script, args)
            .await?;
        Ok(!reply.ids()?.is_empty())
    }
}
