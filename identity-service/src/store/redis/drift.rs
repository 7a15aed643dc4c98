//! What a comparison with the Platform needs.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    RedisStore,
    args::{Args, nanos},
};
use crate::{
    id::{Kind, ResourceId, Tenant},
    store::{Origin, Owned, StoreError},
};

impl RedisStore {
    pub(super) async fn owners_of(
        &self,
        tenant: &Tenant,
        kind: Kind,
        platform_ids: &[String],
    ) -> Result<Vec<Option<Owned>>, StoreError> {
        let mut owned = Vec::with_capacity(platform_ids.len());
        for some in platform_ids.chunks(self.options.batch) {
            let args = Args::new().kind(kind).texts(some);
            let reply = self.read("read owners", tenant, "owned", args).await?;
            owned.extend(reply.owned(kind)?);
        }
        Ok(owned)
    }

    pub(super) async fn unconfirm_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[ResourceId],
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut doubted = 0;
        for some in members.chunks(self.options.batch) {
            let args = Args::new()
                .id(group)
                .time(now)
                .text(nanos(now))
                .origin(origin)
                .ids(some);
            let reply = self.step("doubt members", tenant, &self.scripts.doubt, args).await?;
            doubted += reply.number::<usize>()?;
        }
        Ok(doubted)
    }

    pub(super) async fn turn(&self, tenant: &Tenant, now: Timestamp, interval: Duration) -> Result<bool, StoreError> {
        let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let args = Args::new().time(now).number(interval);
        let reply = self.step("take a turn", tenant, &self.scripts.turn, args).await?;
        Ok(reply.number::<u8>()? == 1)
    }
}
