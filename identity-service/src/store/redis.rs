//! The Redis store: for several replicas and hosts. Works on Valkey alike.
//!
//! Each step is one Lua script (`redis/lua`), so that it is atomic without a lock, whatever other replicas do; all keys of a
//! tenant carry its hash tag, so that a Cluster spreads tenants. The scripts treat documents and ids as opaque: what they
//! need to know of a document, its keys and its names, comes with the call.

mod args;
mod connection;
mod decode;
mod drift;
mod keys;
mod large;
mod moving;
mod revert;
mod scripts;

use std::time::Duration;

use jiff::Timestamp;
use scim::fold_case;
use tonic::async_trait;

pub(crate) use self::connection::Connection;
use self::{
    args::{Args, nanos},
    connection::Script,
    decode::{Attempt, Reply},
    keys::{index_prefix, is_name, prefix},
    scripts::Scripts,
};
pub use self::{
    connection::{OpenError, Refusal, Settings, UrlError},
    keys::LAYOUT,
};
use super::{
    Claim, Claims, CredentialAct, DEFAULT_RETENTION, Delivery, Entry, ExportCursor, Found, From, ImportMark, Intent,
    Link, LogPage, Member, Order, Origin, Owned, Owner, Pause, PreImage, Relinked, RequestKey, Revert, Reverted, Seen,
    Settlement, Stage, Store, StoreError, Summary, Tried, Which, WorkState, Write, WriteError, Written,
};
use crate::{
    id::{Kind, ResourceId, Tenant},
    index::Key,
    record::Record,
};

/// How long a piece of work that cannot be read is left alone.
const CORRUPT_PAUSE: Duration = Duration::from_secs(60 * 60);

/// The chores from this number on are of this engine alone, or take a moment only.
const OUR_OWN_CHORES: u64 = 6;

/// What is to be swept.
#[derive(Debug, Clone, Copy)]
enum Sweep {
    /// Whatever is left.
    Everything,
    /// What no other engine would understand.
    OurOwn,
    /// The large change of one group.
    Layer(ResourceId),
}

/// What may be chosen of a store.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many entries each tenant's log keeps.
    pub feed_length: u64,
    /// For how long it keeps them; 0 for as long as there is room.
    pub log_retention: Duration,
    /// How many entries one script touches at most: what is more goes in batches.
    pub batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            feed_length: 100_000,
            log_retention: DEFAULT_RETENTION,
            batch: 1_000,
        }
    }
}

/// A store in Redis. Clones share its connections.
#[derive(Clone)]
pub struct RedisStore {
    connection: Connection,
    scripts: std::sync::Arc<Scripts>,
    options: Options,
}

impl RedisStore {
    /// Connects; which tenants there are is no matter of the connection.
    pub async fn open(settings: &Settings, options: Options) -> Result<Self, OpenError> {
        Ok(Self {
            connection: Connection::open(settings).await?,
            scripts: std::sync::Arc::new(Scripts::new(options)),
            options,
        })
    }

    /// The way to Redis, and how it is.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs a script that writes.
    async fn step(
        &self,
        doing: &'static str,
        tenant: &Tenant,
        script: &Script,
        args: Args,
    ) -> Result<Reply, StoreError> {
        let key = prefix(tenant);
        let value = self.connection.run(script, &key, args.into_inner()).await;
        let value = value.map_err(|error| error.while_doing(doing))?;
        // Also when nothing was written: then a repeat of what was, and was not confirmed.
        let replicated = self.connection.replicated(&key).await;
        replicated.map_err(|error| error.while_doing(doing))?;
        Ok(Reply::new(value, doing))
    }

    /// Runs one of the readings of `reads.lua`.
    async fn read(
        &self,
        doing: &'static str,
        tenant: &Tenant,
        what: &'static str,
        args: Args,
    ) -> Result<Reply, StoreError> {
        self.look(doing, tenant, &self.scripts.reads, args.led_by(what)).await
    }

    /// Runs a script that only reads.
    async fn look(
        &self,
        doing: &'static str,
        tenant: &Tenant,
        script: &Script,
        args: Vec<Vec<u8>>,
    ) -> Result<Reply, StoreError> {
        let value = self.connection.read(script, &prefix(tenant), args).await;
        Ok(Reply::new(value.map_err(|error| error.while_doing(doing))?, doing))
    }

    /// Tries a write in one script.
    async fn attempt(&self, tenant: &Tenant, write: &Write, staged: Option<&str>) -> Result<Attempt, WriteError> {
        let args = args::write(write, staged);
        let reply = self.step("write a resource", tenant, &self.scripts.write, args).await?;
        reply.written(write)
    }

    /// Goes on with what is left to be done in batches, of one group's large change or of anything. Gives how many entries
    /// it touched; `None` when another is at work on the group.
    async fn sweep_some(&self, tenant: &Tenant, now: Timestamp, what: Sweep) -> Result<Option<usize>, StoreError> {
        let (group, least) = match what {
            Sweep::Everything => (None, 0),
            Sweep::OurOwn => (None, OUR_OWN_CHORES),
            Sweep::Layer(group) => (Some(group), 0),
        };
        let args = Args::new().time(now).text(nanos(now)).optional_id(group).number(least);
        let touched: i64 = self.step("sweep", tenant, &self.scripts.sweep, args).await?.number()?;
        Ok(usize::try_from(touched).ok())
    }

    async fn owner_in(&self, tenant: &Tenant, index: String, name: &str) -> Result<Option<Owner>, StoreError> {
        let args = Args::new().text(index).text(name);
        self.read("read an owner", tenant, "owner", args).await?.owner()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn get(&self, tenant: &Tenant, kind: Kind, id: ResourceId) -> Result<Option<Record>, StoreError> {
        Ok(self.get_many(tenant, kind, &[id]).await?.pop())
    }

    async fn get_many(&self, tenant: &Tenant, kind: Kind, ids: &[ResourceId]) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::with_capacity(ids.len());
        for some in ids.chunks(self.options.batch) {
            let args = Args::new().kind(kind).ids(some).into_inner();
            let reply = self.look("read resources", tenant, &self.scripts.get, args).await?;
            records.extend(reply.records(kind, some)?);
        }
        Ok(records)
    }

    async fn find(&self, tenant: &Tenant, kind: Kind, key: &Key, limit: usize) -> Result<Vec<ResourceId>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let args = Args::new().kind(kind).key(key).number(limit as u64).into_inner();
        let script = &self.scripts.find;
        self.look("look up a key", tenant, script, args).await?.ids()
    }

    async fn look_up(&self, tenant: &Tenant, kind: Kind, which: Which<'_>, groups: usize) -> Result<Found, StoreError> {
        let batch = self.options.batch;
        let asked = |how| Args::new().kind(kind).number(groups as u64).text(how);
        let args = match which {
            // The script for records alone is a third of this one.
            Which::Ids(ids) if groups == 0 => {
                let records = self.get_many(tenant, kind, ids).await?;
                let seen = records.into_iter().map(Seen::alone).collect();
                return Ok(Found { seen, more: false });
            }
            Which::Ids(ids) if ids.len() > batch => {
                let mut found = Found::default();
                for some in ids.chunks(batch) {
                    let more = self.look_up(tenant, kind, Which::Ids(some), groups).await?;
                    found.seen.extend(more.seen);
                }
                return Ok(found);
            }
            Which::Ids([]) | Which::Key(_, 0) | Which::Listed(_, 0) => return Ok(Found::default()),
            Which::Ids(ids) => ids.iter().fold(asked("ids"), |args, id| args.id(*id)),
            Which::Key(key, _) if is_name(key) => asked("name").text(&key.value),
            Which::Key(key, limit) => asked("key").text(index_prefix(key)).number(limit.min(batch) as u64),
            Which::Listed(From::After(id), limit) => asked("after").id(id).number(limit.min(batch) as u64),
            Which::Listed(From::Offset(offset), limit) => asked("offset")
                .number(offset.min(keys::LARGEST_RANK))
                .number(limit.min(batch) as u64),
        };
        let script = &self.scripts.look_up;
        let reply = self
            .look("look resources up", tenant, script, args.into_inner())
            .await?;
        reply.found(kind)
    }

    async fn list(&self, tenant: &Tenant, kind: Kind, from: From, limit: usize) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        let mut from = from;
        while records.len() < limit {
            let wanted = (limit - records.len()).min(self.options.batch);
            let args = match from {
                From::Offset(offset) => Args::new().kind(kind).nothing().number(offset.min(keys::LARGEST_RANK)),
                From::After(id) => Args::new().kind(kind).id(id).number(0),
            };
            let args = args.number(wanted as u64);
            let reply = self.read("list resources", tenant, "list", args).await?;
            let (ids, found) = reply.listing(kind)?;
            records.extend(found);
            match ids.last() {
                Some(last) if ids.len() == wanted => from = From::After(*last),
                _ => break,
            }
        }
        Ok(records)
    }

    async fn count(&self, tenant: &Tenant, kind: Kind) -> Result<u64, StoreError> {
        self.read("count resources", tenant, "count", Args::new().kind(kind))
            .await?
            .number()
    }

    async fn members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError> {
        let (mut members, mut after) = (Vec::new(), after);
        while members.len() < limit {
            let wanted = (limit - members.len()).min(self.options.batch);
            let args = Args::new().id(group).optional_id(after).number(wanted as u64);
            let reply = self.read("read members", tenant, "members", args).await?;
            let (page, more_after) = reply.members(wanted)?;
            members.extend(page);
            match more_after {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        Ok(members)
    }

    async fn is_member(&self, tenant: &Tenant, group: ResourceId, member: ResourceId) -> Result<bool, StoreError> {
        let args = Args::new().id(group).id(member);
        let found = self.read("read a membership", tenant, "is_member", args).await?;
        Ok(found.number::<u8>()? == 1)
    }

    async fn groups_of(
        &self,
        tenant: &Tenant,
        member: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let args = Args::new().id(member).optional_id(after).number(limit as u64);
        self.read("read memberships", tenant, "groups_of", args).await?.ids()
    }

    async fn write(&self, tenant: &Tenant, write: Write) -> Result<Written, WriteError> {
        if !large::is_large(&write, self.options.batch)
            && let Attempt::Done(written) = self.attempt(tenant, &write, None).await?
        {
            return Ok(written);
        }
        self.write_large(tenant, &write).await
    }

    async fn answered(
        &self,
        tenant: &Tenant,
        request: &RequestKey,
        now: Timestamp,
    ) -> Result<Option<Written>, WriteError> {
        let args = Args::new().text(&request.id);
        let reply = self.read("read an answer", tenant, "request", args).await?;
        reply.answered(request, now)
    }

    async fn log(&self, tenant: &Tenant, after: u64, limit: usize) -> Result<LogPage, StoreError> {
        let args = Args::new().number(after.saturating_add(1)).number(limit as u64);
        self.read("read the log", tenant, "log", args).await?.log()
    }

    async fn feed_id(&self, tenant: &Tenant) -> Result<u64, StoreError> {
        let args = Args::new().number(LAYOUT).number(rand::random());
        let reply = self
            .step("prepare a tenant", tenant, &self.scripts.prepare, args)
            .await?;
        reply.feed_id()
    }

    async fn newest_entry(&self, tenant: &Tenant) -> Result<u64, StoreError> {
        self.read("read the log", tenant, "newest_entry", Args::new())
            .await?
            .number()
    }

    async fn claim(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Claims, StoreError> {
        let args = Args::new()
            .time(now)
            .time(now + lease)
            .time(now + CORRUPT_PAUSE)
            .number(limit as u64);
        let reply = self.step("claim work", tenant, &self.scripts.claim, args).await?;
        reply.claims(tenant)
    }

    async fn renew(&self, claim: &Claim, until: Timestamp) -> Result<bool, StoreError> {
        let args = Args::new().id(claim.id).number(claim.token).time(until);
        let script = &self.scripts.renew;
        let reply = self.step("renew a claim", &claim.tenant, script, args).await?;
        Ok(reply.number::<u8>()? == 1)
    }

    async fn rewind(&self, tenant: &Tenant, now: Timestamp, lease: Duration) -> Result<(), StoreError> {
        loop {
            let args = Args::new().time(now).time(now + lease);
            let script = &self.scripts.rewind;
            let touched: usize = self.step("rewind the outbox", tenant, script, args).await?.number()?;
            if touched < self.options.batch {
                return Ok(());
            }
        }
    }

    async fn order(&self, claim: &Claim, batch: usize) -> Result<Option<Order>, StoreError> {
        let args = Args::new().kind(claim.kind).id(claim.id).number(batch as u64);
        let reply = self.read("read an order", &claim.tenant, "order", args).await?;
        reply.order(claim)
    }

    async fn record_intent(&self, claim: &Claim, name: &str) -> Result<Intent, StoreError> {
        let args = Args::new()
            .kind(claim.kind)
            .id(claim.id)
            .number(claim.token)
            .text(name)
            .text(fold_case(name));
        let script = &self.scripts.intend;
        self.step("record an intent", &claim.tenant, script, args)
            .await?
            .intent()
    }

    async fn settle(
        &self,
        claim: &Claim,
        tried: &Tried,
        settlement: Settlement,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let args = args::settle(claim, tried, &settlement, now);
        let script = &self.scripts.settle;
        self.step("settle a claim", &claim.tenant, script, args).await?;
        Ok(())
    }

    async fn link(&self, tenant: &Tenant, id: ResourceId) -> Result<Option<Link>, StoreError> {
        self.read("read a link", tenant, "link", Args::new().id(id))
            .await?
            .link()
    }

    async fn owner(&self, tenant: &Tenant, kind: Kind, platform_id: &str) -> Result<Option<Owner>, StoreError> {
        let index = format!("{}:owners", keys::kind_name(kind));
        self.owner_in(tenant, index, platform_id).await
    }

    async fn intender(&self, tenant: &Tenant, kind: Kind, name: &str) -> Result<Option<Owner>, StoreError> {
        let index = format!("{}:intents", keys::kind_name(kind));
        self.owner_in(tenant, index, &fold_case(name)).await
    }

    async fn delivery(&self, tenant: &Tenant, id: ResourceId) -> Result<Option<Delivery>, StoreError> {
        let args = Args::new().id(id);
        self.read("read a delivery state", tenant, "delivery", args)
            .await?
            .delivery()
    }

    async fn deliveries(
        &self,
        tenant: &Tenant,
        state: Option<WorkState>,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let states: Vec<&str> = match state {
            Some(state) => vec![keys::state_name(state)],
            None => vec![
                keys::state_name(WorkState::Pending),
                keys::state_name(WorkState::Refused),
                keys::state_name(WorkState::Held),
                keys::state_name(WorkState::Planned),
            ],
        };
        let (mut deliveries, mut after) = (Vec::new(), after);
        while deliveries.len() < limit {
            let wanted = (limit - deliveries.len()).min(self.options.batch);
            let args = Args::new().texts(&states).optional_id(after).number(wanted as u64);
            let reply = self.read("list deliveries", tenant, "deliveries", args).await?;
            let (page, more_after) = reply.deliveries(wanted)?;
            deliveries.extend(page);
            match more_after {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        Ok(deliveries)
    }

    async fn retry(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let args = Args::new().text("retry").id(id).flag(false);
        let args = args.time(now).text(nanos(now)).origin(origin);
        let reply = self.step("make work due", tenant, &self.scripts.retry, args).await?;
        Ok(reply.number::<u8>()? == 1)
    }

    async fn repair(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        urgent: bool,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let args = Args::new().text("repair").id(id).flag(urgent);
        let args = args.time(now).text(nanos(now)).origin(origin);
        let reply = self
            .step("deliver once more", tenant, &self.scripts.retry, args)
            .await?;
        Ok(reply.number::<u8>()? == 1)
    }

    async fn release(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let args = Args::new().id(id).time(now).text(nanos(now)).origin(origin);
        let script = &self.scripts.release;
        let reply = self.step("release what is held", tenant, script, args).await?;
        Ok(reply.number::<u8>()? == 1)
    }

    async fn pre_image(&self, tenant: &Tenant, kind: Kind, id: ResourceId) -> Result<Option<PreImage>, StoreError> {
        self.image_of(tenant, kind, id).await
    }

    async fn revert(&self, tenant: &Tenant, revert: Revert) -> Result<Reverted, StoreError> {
        self.take_back(tenant, &revert).await
    }

    async fn stages(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<Vec<Option<(Stage, u64)>>, StoreError> {
        self.stages_of(tenant, group, members).await
    }

    async fn revert_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[(ResourceId, u64)],
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<Vec<ResourceId>, StoreError> {
        self.take_members_back(tenant, group, members, origin, now).await
    }

    async fn discard_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.put_members_back(tenant, group, origin, now).await
    }

    async fn set_pause(
        &self,
        tenant: &Tenant,
        pause: Option<Pause>,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let args = Args::new().time(now).text(nanos(now)).origin(origin);
        let args = match pause {
            Some(pause) => args
                .text(serde_json::json!(pause).to_string())
                .text(pause.by)
                .text(pause.reason),
            None => args.nothing().nothing().nothing(),
        };
        self.step("pause a tenant", tenant, &self.scripts.pause, args).await?;
        Ok(())
    }

    async fn pause(&self, tenant: &Tenant) -> Result<Option<Pause>, StoreError> {
        self.read("read a pause", tenant, "pause", Args::new()).await?.pause()
    }

    async fn relink(
        &self,
        tenant: &Tenant,
        kind: Kind,
        id: ResourceId,
        (platform_id, backend): (String, String),
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<Relinked, StoreError> {
        let args = Args::new().kind(kind).id(id).text(platform_id).text(backend);
        let args = args.time(now).text(nanos(now)).origin(origin);
        let reply = self.step("link a resource", tenant, &self.scripts.relink, args).await?;
        Ok(match reply.number::<u8>()? {
            1 => Relinked::Done,
            2 => Relinked::UnderWay,
            _ => Relinked::NotThis,
        })
    }

    async fn deliver_planned(&self, tenant: &Tenant, now: Timestamp) -> Result<usize, StoreError> {
        let (args, script) = (Args::new().time(now), &self.scripts.planned);
        self.step("make planned work due", tenant, script, args).await?.number()
    }

    async fn summary(&self, tenant: &Tenant) -> Result<Summary, StoreError> {
        self.read("count work", tenant, "summary", Args::new()).await?.summary()
    }

    async fn sweep(&self, tenant: &Tenant, now: Timestamp) -> Result<usize, StoreError> {
        self.sweep_some(tenant, now, Sweep::Everything)
            .await
            .map(|touched| touched.unwrap_or(0))
    }

    async fn owned(
        &self,
        tenant: &Tenant,
        kind: Kind,
        platform_ids: &[String],
    ) -> Result<Vec<Option<Owned>>, StoreError> {
        self.owners_of(tenant, kind, platform_ids).await
    }

    async fn doubt_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[ResourceId],
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.unconfirm_members(tenant, group, members, origin, now).await
    }

    async fn keep_comparison(&self, tenant: &Tenant, summary: String) -> Result<(), StoreError> {
        let args = Args::new().text(summary);
        self.step("keep a comparison", tenant, &self.scripts.compared, args)
            .await?;
        Ok(())
    }

    async fn comparison(&self, tenant: &Tenant) -> Result<Option<String>, StoreError> {
        let reply = self
            .read("read a comparison", tenant, "comparison", Args::new())
            .await?;
        reply.optional_text()
    }

    async fn credentials(&self, tenant: &Tenant) -> Result<Option<String>, StoreError> {
        let reply = self
            .read("read credentials", tenant, "credentials", Args::new())
            .await?;
        reply.optional_text()
    }

    async fn keep_credentials(
        &self,
        tenant: &Tenant,
        seen: Option<String>,
        credentials: String,
        told: Option<CredentialAct>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (what, origin) = told.map(|told| (told.what, told.origin)).unzip();
        let args = Args::new()
            .text(seen.unwrap_or_default())
            .text(credentials)
            .time(now)
            .text(nanos(now))
            .optional_text(what.as_deref())
            .origin(origin.flatten().as_ref());
        let reply = self
            .step("keep credentials", tenant, &self.scripts.credentials, args)
            .await?;
        Ok(reply.number::<u8>()? == 1)
    }

    async fn log_repair(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let args = Args::new().id(group).time(now).text(nanos(now)).origin(origin);
        self.step("log a repair", tenant, &self.scripts.repaired, args).await?;
        Ok(())
    }

    async fn take_turn(&self, tenant: &Tenant, now: Timestamp, interval: Duration) -> Result<bool, StoreError> {
        self.turn(tenant, now, interval).await
    }

    async fn export(
        &self,
        tenant: &Tenant,
        after: Option<ExportCursor>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<ExportCursor>), StoreError> {
        self.export_page(tenant, after, limit).await
    }

    async fn import(&self, tenant: &Tenant, entries: Vec<Entry>) -> Result<(), StoreError> {
        self.put_entries(tenant, entries).await
    }

    async fn importing(&self, tenant: &Tenant) -> Result<Option<ImportMark>, StoreError> {
        let reply = self
            .read("read how far an import is", tenant, "counters", Args::new())
            .await?;
        reply.import_mark()
    }
}
