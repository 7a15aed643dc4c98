//! The embedded store: one redb file, durable, no server; right for one machine.
//!
//! All writes go through one thread, which takes whatever is waiting, runs each step in turn in one transaction, and
//! commits once: many writers share one `fsync`. A step that fails its checks has written nothing, and one that fails by a
//! fault of its own fails alone. Readers see a snapshot and never wait for the writer. When the engine itself has failed,
//! nothing helps but opening the file again: [`EmbeddedStore::failed`] tells.

mod brakes;
mod chores;
mod compact;
mod credentials;
mod drift;
mod health;
mod links;
mod log;
mod membership;
mod moving;
mod pending;
mod read;
mod relink;
mod revert;
mod tables;
mod tombstone;
mod work;
mod write;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend,
    backends::{FileBackend, InMemoryBackend},
};
use scim::fold_case;
use tonic::async_trait;

use self::{
    health::Health,
    log::Bounds,
    tables::{Failed, META, REST_AGES, Reading, Tables, create_all},
    writer::Writer,
};
use super::{
    Claim, Claims, CredentialAct, DEFAULT_RETENTION, Delivery, Entry, ExportCursor, Found, From, ImportMark, Intent,
    Link, LogPage, MOVED_AT_ONCE, Member, Order, Origin, Owned, Owner, Pause, PreImage, Relinked, RequestKey, Revert,
    Reverted, Settlement, Stage, Store, StoreError, Subject, Summary, Tried, Which, WorkState, Write, WriteError,
    Written,
};
use crate::{
    id::{Kind, ResourceId, Tenant},
    index::Key,
    record::Record,
};

pub use self::compact::Compacted;

/// The layout that this version writes and reads.
pub const LAYOUT: u64 = 2;
/// How long after a crash leased work is left alone.
const LEASE_GRACE: Duration = Duration::from_secs(2);

/// What may be chosen of a store.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many entries each tenant's log keeps.
    pub feed_length: u64,
    /// For how long it keeps them; 0 for as long as there is room.
    pub log_retention: Duration,
    /// How much of the file is kept in memory at most, in bytes.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            feed_length: 100_000,
            log_retention: DEFAULT_RETENTION,
            cache_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Why the file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has the file open.
    #[error("the store {path} is in use; each process needs a data folder of its own")]
    InUse {
        /// The file.
        path: String,
    },
    /// The file, or its folder, cannot be made or read, or it is no store.
    #[error("cannot open the store {path}")]
    Open {
        /// The file.
        path: String,
        /// The engine's reason.
        #[source]
        source: Box<redb::Error>,
    },
    /// Another version wrote the file.
    #[error("the store {path} has layout {found}; this version reads layout {LAYOUT}. Use the version that wrote it")]
    Layout {
        /// The file.
        path: String,
        /// The layout found.
        found: u64,
    },
}

impl OpenError {
    fn of_engine(path: &str, error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse { path: path.to_owned() },
            error => Self::new(path, error),
        }
    }

    fn new(path: &str, source: impl Into<redb::Error>) -> Self {
        Self::Open {
            path: path.to_owned(),
            source: Box::new(source.into()),
        }
    }
}

/// A store in one file. Clones share it; when the last is dropped the file is closed and may be opened again.
#[derive(Clone)]
pub struct EmbeddedStore {
    database: Arc<Database>,
    writer: Arc<Writer>,
    health: Health,
    log_bounds: Bounds,
    feed_id: u64,
}

impl EmbeddedStore {
    /// Opens the file, or makes it, for its owner alone. Reads and writes the file: not for a runtime's thread.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        Self::on(open_file(path, true)?, &shown, options)
    }

    /// A store that lives in memory, and is gone with the process; for tests, by the same code.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::on_backend(InMemoryBackend::new(), Options::default())
    }

    /// A store that the engine keeps wherever a backend puts it.
    pub fn on_backend(backend: impl StorageBackend, options: Options) -> Result<Self, OpenError> {
        Self::on(backend, "(a backend)", options)
    }

    fn on(backend: impl StorageBackend, path: &str, options: Options) -> Result<Self, OpenError> {
        let (database, facts) = open_database(backend, path, options)?;
        let (database, health) = (Arc::new(database), Health::new());
        let log_bounds = Bounds {
            length: options.feed_length,
            retention: options.log_retention,
        };
        let writer = Writer::start(Arc::clone(&database), log_bounds, health.clone())
            .map_err(|error| OpenError::new(path, redb::Error::Io(error)))?;
        Ok(Self {
            writer: Arc::new(writer),
            database,
            health,
            log_bounds,
            feed_id: facts.feed_id,
        })
    }

    /// Resolves once the engine has failed so that only opening the file again can help.
    pub async fn failed(&self) -> StoreError {
        self.health.failed().await
    }

    /// Takes back the leases of a process that is gone: the file is ours alone, so nobody holds one. Gives how many.
    pub async fn release_leases(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.step("release leases", move |tables| {
            work::release_leases(tables, now + LEASE_GRACE)
        })
        .await
    }

    /// Runs a step on the writer's thread and waits until it is durable.
    async fn step<T: Send + 'static>(
        &self,
        doing: &'static str,
        run: impl for<'t> Fn(&mut Tables<'t>) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.step(doing, run).await
    }

    /// Reads from a snapshot, off the runtime's threads.
    async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        run: impl FnOnce(&Reading) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.database);
        let reading = tokio::task::spawn_blocking(move || run(&Reading(database.begin_read()?)));
        match reading.await {
            Ok(read) => read.map_err(|failed| self.health.note(failed, doing)),
            Err(_) => Err(Failed::Panicked.while_doing(doing)),
        }
    }
}

/// Opens the file for its owner alone; makes it, if that is wanted.
fn open_file(path: &Path, create: bool) -> Result<FileBackend, OpenError> {
    let shown = path.display().to_string();
    let mut file = std::fs::OpenOptions::new();
    file.read(true).write(true).create(create).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    let file = file
        .open(path)
        .map_err(|error| OpenError::new(&shown, redb::Error::Io(error)))?;
    FileBackend::new(file).map_err(|error| OpenError::of_engine(&shown, error))
}

fn open_database(backend: impl StorageBackend, path: &str, options: Options) -> Result<(Database, Facts), OpenError> {
    let database = Builder::new()
        .set_cache_size(options.cache_bytes)
        .create_with_backend(backend)
        .map_err(|error| OpenError::of_engine(path, error))?;
    let facts = prepare(&database).map_err(|error| OpenError::new(path, error))?;
    if facts.layout != LAYOUT {
        return Err(OpenError::Layout {
            path: path.to_owned(),
            found: facts.layout,
        });
    }
    Ok((database, facts))
}

/// Facts of a file.
struct Facts {
    layout: u64,
    /// Tells this history of changes from any other, such as that of the file that was here before.
    feed_id: u64,
}

/// Makes the tables of a new file; a file of another layout is left alone.
fn prepare(database: &Database) -> Result<Facts, redb::Error> {
    let transaction = database.begin_write()?;
    let facts = {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get("layout")?.map(|layout| layout.value());
        let feed_id = meta.get("feed")?.map(|feed_id| feed_id.value());
        let facts = Facts {
            layout: found.unwrap_or(LAYOUT),
            feed_id: feed_id.unwrap_or_else(rand::random),
        };
        if facts.layout != LAYOUT {
            return Ok(facts);
        }
        meta.insert("layout", facts.layout)?;
        meta.insert("feed", facts.feed_id)?;
        facts
    };
    let is_ordered = transaction
        .list_tables()?
        .any(|table| redb::TableHandle::name(&table) == redb::TableHandle::name(&REST_AGES));
    create_all(&transaction)?;
    if !is_ordered {
        work::order_by_age(&transaction)?;
    }
    transaction.commit()?;
    Ok(facts)
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(&self, tenant: &Tenant, kind: Kind, id: ResourceId) -> Result<Option<Record>, StoreError> {
        let tenant = tenant.clone();
        self.read("read a resource", move |file| file.get(tenant.as_str(), kind, id))
            .await
    }

    async fn get_many(&self, tenant: &Tenant, kind: Kind, ids: &[ResourceId]) -> Result<Vec<Record>, StoreError> {
        let (tenant, ids) = (tenant.clone(), ids.to_vec());
        self.read("read resources", move |file| file.get_many(tenant.as_str(), kind, &ids))
            .await
    }

    async fn find(&self, tenant: &Tenant, kind: Kind, key: &Key, limit: usize) -> Result<Vec<ResourceId>, StoreError> {
        let (tenant, key) = (tenant.clone(), key.clone());
        self.read("look up a key", move |file| {
            file.find(tenant.as_str(), kind, &key, limit)
        })
        .await
    }

    async fn look_up(&self, tenant: &Tenant, kind: Kind, which: Which<'_>, groups: usize) -> Result<Found, StoreError> {
        let (tenant, which) = (tenant.clone(), which.into());
        self.read("look resources up", move |file| {
            file.look_up(tenant.as_str(), kind, &which, groups)
        })
        .await
    }

    async fn list(&self, tenant: &Tenant, kind: Kind, from: From, limit: usize) -> Result<Vec<Record>, StoreError> {
        let tenant = tenant.clone();
        self.read("list resources", move |file| {
            file.list(tenant.as_str(), kind, from, limit)
        })
        .await
    }

    async fn count(&self, tenant: &Tenant, kind: Kind) -> Result<u64, StoreError> {
        let tenant = tenant.clone();
        self.read("count resources", move |file| file.count(tenant.as_str(), kind))
            .await
    }

    async fn members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError> {
        let tenant = tenant.clone();
        self.read("read members", move |file| {
            file.members(tenant.as_str(), group, after, limit)
        })
        .await
    }

    async fn is_member(&self, tenant: &Tenant, group: ResourceId, member: ResourceId) -> Result<bool, StoreError> {
        let tenant = tenant.clone();
        self.read("read a membership", move |file| {
            file.is_member(tenant.as_str(), group, member)
        })
        .await
    }

    async fn groups_of(
        &self,
        tenant: &Tenant,
        member: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let tenant = tenant.clone();
        self.read("read memberships", move |file| {
            file.groups_of(tenant.as_str(), member, after, limit)
        })
        .await
    }

    async fn write(&self, tenant: &Tenant, write: Write) -> Result<Written, WriteError> {
        let tenant = tenant.clone();
        self.step("write a resource", move |tables| {
            write::write(tables, tenant.as_str(), &write)
        })
        .await?
    }

    async fn answered(
        &self,
        tenant: &Tenant,
        request: &RequestKey,
        now: Timestamp,
    ) -> Result<Option<Written>, WriteError> {
        let (tenant, request) = (tenant.clone(), request.clone());
        self.read("read an answer", move |file| {
            file.answered(tenant.as_str(), &request, now)
        })
        .await?
        .transpose()
    }

    async fn log(&self, tenant: &Tenant, after: u64, limit: usize) -> Result<LogPage, StoreError> {
        let tenant = tenant.clone();
        self.read("read the log", move |file| file.log(tenant.as_str(), after, limit))
            .await
    }

    async fn feed_id(&self, _: &Tenant) -> Result<u64, StoreError> {
        Ok(self.feed_id)
    }

    async fn newest_entry(&self, tenant: &Tenant) -> Result<u64, StoreError> {
        let tenant = tenant.clone();
        self.read("read the log", move |file| file.newest_entry(tenant.as_str()))
            .await
    }

    async fn claim(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        lease: Duration,
        limit: usize,
    ) -> Result<Claims, StoreError> {
        let tenant = tenant.clone();
        self.step("claim work", move |tables| {
            work::claim(tables, tenant.as_str(), now, lease, limit)
        })
        .await
    }

    async fn renew(&self, claim: &Claim, until: Timestamp) -> Result<bool, StoreError> {
        let claim = claim.clone();
        self.step("renew a claim", move |tables| work::renew(tables, &claim, until))
            .await
    }

    async fn rewind(&self, tenant: &Tenant, now: Timestamp, lease: Duration) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.step("rewind the outbox", move |tables| {
            work::rewind(tables, tenant.as_str(), now, lease)
        })
        .await
    }

    async fn order(&self, claim: &Claim, batch: usize) -> Result<Option<Order>, StoreError> {
        let claim = claim.clone();
        self.read("read an order", move |file| file.order(&claim, batch)).await
    }

    async fn record_intent(&self, claim: &Claim, name: &str) -> Result<Intent, StoreError> {
        let (claim, name, folded) = (claim.clone(), name.to_owned(), fold_case(name));
        self.step("record an intent", move |tables| {
            work::record_intent(tables, &claim, &name, &folded)
        })
        .await
    }

    async fn settle(
        &self,
        claim: &Claim,
        tried: &Tried,
        settlement: Settlement,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (claim, tried) = (claim.clone(), tried.clone());
        self.step("settle a claim", move |tables| {
            work::settle(tables, &claim, &tried, &settlement, now)
        })
        .await
    }

    async fn link(&self, tenant: &Tenant, id: ResourceId) -> Result<Option<Link>, StoreError> {
        let tenant = tenant.clone();
        self.read("read a link", move |file| file.link(tenant.as_str(), id))
            .await
    }

    async fn owner(&self, tenant: &Tenant, kind: Kind, platform_id: &str) -> Result<Option<Owner>, StoreError> {
        let (tenant, platform_id) = (tenant.clone(), platform_id.to_owned());
        self.read("read an owner", move |file| {
            file.owner(tenant.as_str(), kind, &platform_id)
        })
        .await
    }

    async fn intender(&self, tenant: &Tenant, kind: Kind, name: &str) -> Result<Option<Owner>, StoreError> {
        let (tenant, folded) = (tenant.clone(), fold_case(name));
        self.read("read an intent", move |file| {
            file.intender(tenant.as_str(), kind, &folded)
        })
        .await
    }

    async fn delivery(&self, tenant: &Tenant, id: ResourceId) -> Result<Option<Delivery>, StoreError> {
        let tenant = tenant.clone();
        self.read("read a delivery state", move |file| file.delivery(tenant.as_str(), id))
            .await
    }

    async fn deliveries(
        &self,
        tenant: &Tenant,
        state: Option<WorkState>,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let tenant = tenant.clone();
        self.read("list deliveries", move |file| {
            file.deliveries(tenant.as_str(), state, after, limit)
        })
        .await
    }

    async fn retry(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (tenant, origin) = (tenant.clone(), origin.cloned());
        self.step("make work due", move |tables| {
            work::retry(tables, tenant.as_str(), id, origin.as_ref(), now)
        })
        .await
    }

    async fn repair(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        urgent: bool,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (tenant, origin) = (tenant.clone(), origin.cloned());
        self.step("deliver once more", move |tables| {
            work::repair(tables, tenant.as_str(), id, urgent, origin.as_ref(), now)
        })
        .await
    }

    async fn relink(
        &self,
        tenant: &Tenant,
        kind: Kind,
        id: ResourceId,
        object: (String, String),
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<Relinked, StoreError> {
        let (tenant, origin) = (tenant.clone(), origin.cloned());
        self.step("link a resource", move |tables| {
            relink::relink(
                tables,
                tenant.as_str(),
                Subject { kind, id },
                &object,
                origin.as_ref(),
                now,
            )
        })
        .await
    }

    async fn deliver_planned(&self, tenant: &Tenant, now: Timestamp) -> Result<usize, StoreError> {
        let tenant = tenant.clone();
        self.step("make planned work due", move |tables| {
            work::deliver_planned(tables, tenant.as_str(), now, MOVED_AT_ONCE)
        })
        .await
    }

    async fn release(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (tenant, origin) = (tenant.clone(), origin.cloned());
        self.step("release what is held", move |tables| {
            work::release(tables, tenant.as_str(), id, origin.as_ref(), now)
        })
        .await
    }

    async fn pre_image(&self, tenant: &Tenant, _: Kind, id: ResourceId) -> Result<Option<PreImage>, StoreError> {
        let tenant = tenant.clone();
        self.read("read a pre-image", move |file| file.pre_image(tenant.as_str(), id))
            .await
    }

    async fn revert(&self, tenant: &Tenant, revert: Revert) -> Result<Reverted, StoreError> {
        let tenant = tenant.clone();
        self.step("take a change back", move |tables| {
            revert::revert(tables, tenant.as_str(), &revert)
        })
        .await
    }

    async fn stages(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<Vec<Option<(Stage, u64)>>, StoreError> {
        let (tenant, members) = (tenant.clone(), members.to_vec());
        self.read("read where members stand", move |file| {
            file.stages(tenant.as_str(), group, &members)
        })
        .await
    }

    async fn revert_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[(ResourceId, u64)],
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let (tenant, members, origin) = (tenant.clone(), members.to_vec(), origin.cloned());
        self.step("take members back", move |tables| {
            revert::revert_members(tables, tenant.as_str(), group, &members, origin.as_ref(), now)
        })
        .await
    }

    async fn discard_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (tenant, origin) = (tenant.clone(), origin.cloned());
        self.step("discard the removal of members", move |tables| {
            revert::discard_members(tables, tenant.as_str(), group, origin.as_ref(), now)
        })
        .await
    }

    async fn set_pause(
        &self,
        tenant: &Tenant,
        pause: Option<Pause>,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, origin) = (tenant.clone(), origin.cloned());
        self.step("pause a tenant", move |tables| {
            brakes::change_pause(tables, tenant.as_str(), pause.as_ref(), origin.as_ref(), now)
        })
        .await
    }

    async fn pause(&self, tenant: &Tenant) -> Result<Option<Pause>, StoreError> {
        let tenant = tenant.clone();
        self.read("read a pause", move |file| file.pause(tenant.as_str())).await
    }

    async fn summary(&self, tenant: &Tenant) -> Result<Summary, StoreError> {
        let tenant = tenant.clone();
        self.read("count work", move |file| file.summary(tenant.as_str())).await
    }

    async fn sweep(&self, tenant: &Tenant, now: Timestamp) -> Result<usize, StoreError> {
        let (name, bounds) = (tenant.clone(), self.log_bounds);
        let left = self
            .read("look for chores", move |file| {
                Ok(file.has_chores(name.as_str())? || file.has_old_entries(name.as_str(), bounds, now)?)
            })
            .await?;
        if !left {
            return Ok(0);
        }
        let tenant = tenant.clone();
        self.step("sweep", move |tables| chores::sweep(tables, tenant.as_str(), now))
            .await
    }

    async fn owned(
        &self,
        tenant: &Tenant,
        kind: Kind,
        platform_ids: &[String],
    ) -> Result<Vec<Option<Owned>>, StoreError> {
        let (tenant, platform_ids) = (tenant.clone(), platform_ids.to_vec());
        self.read("read owners", move |file| {
            file.owned(tenant.as_str(), kind, &platform_ids)
        })
        .await
    }

    async fn doubt_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[ResourceId],
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let (tenant, members, origin) = (tenant.clone(), members.to_vec(), origin.cloned());
        self.step("doubt members", move |tables| {
            drift::doubt_members(tables, tenant.as_str(), group, &members, origin.as_ref(), now)
        })
        .await
    }

    async fn keep_comparison(&self, tenant: &Tenant, summary: String) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.step("keep a comparison", move |tables| {
            drift::keep_comparison(tables, tenant.as_str(), &summary)
        })
        .await
    }

    async fn comparison(&self, tenant: &Tenant) -> Result<Option<String>, StoreError> {
        let tenant = tenant.clone();
        self.read("read a comparison", move |file| file.comparison(tenant.as_str()))
            .await
    }

    async fn credentials(&self, tenant: &Tenant) -> Result<Option<String>, StoreError> {
        let tenant = tenant.clone();
        self.read("read credentials", move |file| file.credentials(tenant.as_str()))
            .await
    }

    async fn keep_credentials(
        &self,
        tenant: &Tenant,
        seen: Option<String>,
        credentials: String,
        told: Option<CredentialAct>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let tenant = tenant.clone();
        self.step("keep credentials", move |tables| {
            let (tenant, seen) = (tenant.as_str(), seen.as_deref());
            credentials::keep(tables, tenant, seen, &credentials, told.as_ref(), now)
        })
        .await
    }

    async fn log_repair(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, origin) = (tenant.clone(), origin.cloned());
        self.step("log a repair", move |tables| {
            drift::log_repair(tables, tenant.as_str(), group, origin.as_ref(), now)
        })
        .await
    }

    async fn take_turn(&self, tenant: &Tenant, now: Timestamp, interval: Duration) -> Result<bool, StoreError> {
        let tenant = tenant.clone();
        self.step("take a turn", move |tables| {
            drift::take_turn(tables, tenant.as_str(), now, interval)
        })
        .await
    }

    async fn export(
        &self,
        tenant: &Tenant,
        after: Option<ExportCursor>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<ExportCursor>), StoreError> {
        let tenant = tenant.clone();
        self.read("export", move |file| {
            file.export(tenant.as_str(), after.as_ref(), limit)
        })
        .await
    }

    async fn import(&self, tenant: &Tenant, entries: Vec<Entry>) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.step("import", move |tables| {
            moving::import(tables, tenant.as_str(), &entries)
        })
        .await
    }

    async fn importing(&self, tenant: &Tenant) -> Result<Option<ImportMark>, StoreError> {
        let tenant = tenant.clone();
        self.read("read how far an import is", move |file| file.importing(tenant.as_str()))
            .await
    }
}
