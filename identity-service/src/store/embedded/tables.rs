//! The tables of the file: what each holds, and small typed accessors. Layout version 2.
//!
//! Every key begins with the tenant, but for the facts of the file itself (`META`). Ids are UUIDv7 as numbers, so ranges are
//! in the order of creation. Values are JSON, so that a file can be read by a person.

use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};

use super::log::Bounds;
use crate::store::{StoreError, Work};

/// (tenant, kind, id) → record.
pub(super) const RECORDS: TableDefinition<'_, (&str, u8, u128), &[u8]> = TableDefinition::new("records");
/// (tenant, kind, folded name) → id; unique.
pub(super) const NAMES: TableDefinition<'_, (&str, u8, &str), u128> = TableDefinition::new("names");
/// (tenant, kind, folded name) → the resource that gives it up by a change that is not applied yet.
pub(super) const RESERVED: TableDefinition<'_, (&str, u8, &str), u128> = TableDefinition::new("reserved");
/// (tenant, id) → what the resource was when it was last applied, while something newer is wanted.
pub(super) const BEFORE: TableDefinition<'_, (&str, u128), &[u8]> = TableDefinition::new("before");
/// (tenant, kind, index, folded value, id): the other indexes.
pub(super) const LOOKUPS: TableDefinition<'_, (&str, u8, u8, &str, u128), ()> = TableDefinition::new("lookups");
/// (tenant, group, member) → the member's kind, 0 for a kept id that is no resource.
pub(super) const MEMBERS: TableDefinition<'_, (&str, u128, u128), u8> = TableDefinition::new("members");
/// (tenant, member, group): the same, the other way.
pub(super) const GROUPS_OF: TableDefinition<'_, (&str, u128, u128), ()> = TableDefinition::new("groups_of");
/// (tenant, id) → link, of resources and tombstones; see [`super::links`].
pub(super) const LINKS: TableDefinition<'_, (&str, u128), &[u8]> = TableDefinition::new("links");
/// (tenant, kind, platform id) → the resource or tombstone that owns the Platform object.
pub(super) const OWNERS: TableDefinition<'_, (&str, u8, &str), u128> = TableDefinition::new("owners");
/// (tenant, kind, folded Platform name) → the one resource or tombstone that has an intent of that name.
pub(super) const INTENTS: TableDefinition<'_, (&str, u8, &str), u128> = TableDefinition::new("intents");
/// (tenant, id) → tombstone.
pub(super) const TOMBSTONES: TableDefinition<'_, (&str, u128), &[u8]> = TableDefinition::new("tombstones");
/// (tenant, kind, folded name) → the tombstone of that name.
pub(super) const TOMBSTONE_NAMES: TableDefinition<'_, (&str, u8, &str), u128> = TableDefinition::new("tombstone_names");
/// (tenant, id) → work to do.
pub(super) const WORK: TableDefinition<'_, (&str, u128), &[u8]> = TableDefinition::new("work");
/// (tenant, due in ms, id): the order of the work. Leased work stands at the end of its lease; held and planned work does not stand here.
pub(super) const DUE: TableDefinition<'_, (&str, u64, u128), ()> = TableDefinition::new("due");
/// The same, of work that takes access away: it is taken before all other.
pub(super) const URGENT: TableDefinition<'_, (&str, u64, u128), ()> = TableDefinition::new("urgent");
/// (tenant, since in ms, id): pending work by its oldest change.
pub(super) const AGES: TableDefinition<'_, (&str, u64, u128), ()> = TableDefinition::new("ages");
/// (tenant, why it rests, since in ms, id): refused, planned and held work by its oldest change; see [`super::work`]. Made of the
/// work where a file of an earlier version of this layout has none.
pub(super) const REST_AGES: TableDefinition<'_, (&str, u8, u64, u128), ()> = TableDefinition::new("rest_ages");
/// (tenant, state, id): the work by its state.
pub(super) const WORK_STATES: TableDefinition<'_, (&str, u8, u128), ()> = TableDefinition::new("work_states");
/// (tenant, group, stage, member) → stamp: members whose wanted state is not confirmed on the Platform.
pub(super) const PENDING: TableDefinition<'_, (&str, u128, u64, u128), u64> = TableDefinition::new("pending_members");
/// (tenant, member, group) → stage: the same, the other way.
pub(super) const PENDING_OF: TableDefinition<'_, (&str, u128, u128), u64> = TableDefinition::new("pending_of");
/// (tenant, group) → how many of its members are unconfirmed.
pub(super) const PENDING_COUNTS: TableDefinition<'_, (&str, u128), u64> = TableDefinition::new("pending_counts");
/// (tenant, chore, id) → where to go on: what a step left to be done in batches.
pub(super) const CHORES: TableDefinition<'_, (&str, u8, u128), u128> = TableDefinition::new("chores");
/// (tenant, resource, waiter): the waiter is to be delivered again when the resource's delivery gets on.
pub(super) const WAITING: TableDefinition<'_, (&str, u128, u128), ()> = TableDefinition::new("waiting");
/// (tenant, position) → entry of the log. Earlier versions of this layout had changes alone, under the name that stays.
pub(super) const LOG: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("feed");
/// (tenant, counter) → number.
pub(super) const COUNTERS: TableDefinition<'_, (&str, u8), u64> = TableDefinition::new("counters");
/// (tenant, request id) → what was answered.
pub(super) const REQUESTS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("requests");
/// (tenant, answered at in ms, request id): what may be forgotten when.
pub(super) const REQUEST_AGES: TableDefinition<'_, (&str, u64, &str), ()> = TableDefinition::new("request_ages");
/// (tenant) → how far an import is that has not come to its end. Not in files of earlier versions of this layout.
pub(super) const IMPORTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("imports");
/// (tenant, brake, when in ms, stamp) → how many passed the brake.
pub(super) const BRAKES: TableDefinition<'_, (&str, u8, u64, u64), u64> = TableDefinition::new("brakes");
/// (tenant) → why nothing of it is delivered.
pub(super) const PAUSES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("pauses");
/// (tenant) → what came of the last comparison with the Platform. Not in files of earlier versions of this layout.
pub(super) const COMPARISONS: TableDefinition<'_, &str, &str> = TableDefinition::new("comparisons");
/// (tenant) → who may call. Not in files of earlier versions of this layout.
pub(super) const CREDENTIALS: TableDefinition<'_, &str, &str> = TableDefinition::new("credentials");
/// Facts of the file itself.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The counters of a tenant. Never change a number.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Counter {
    Users = 1,
    Groups = 2,
    Pending = 3,
    Refused = 4,
    /// Position of the newest entry of the log.
    Position = 5,
    /// Newest stamp of work.
    Stamp = 6,
    /// Position up to which the log was trimmed.
    Trimmed = 7,
    Held = 8,
    /// How many passed each brake in the last hour.
    RemovalsPassed = 9,
    DeactivationsPassed = 10,
    /// Position of the newest change that was trimmed from it.
    ChangesTrimmed = 11,
    /// When the tenant was last compared with the Platform, in ms; or first asked about.
    Compared = 12,
    Planned = 13,
}

/// All tables, open for writing.
pub(super) struct Tables<'t> {
    pub(super) records: Table<'t, (&'static str, u8, u128), &'static [u8]>,
    pub(super) names: Table<'t, (&'static str, u8, &'static str), u128>,
    pub(super) reserved: Table<'t, (&'static str, u8, &'static str), u128>,
    pub(super) before: Table<'t, (&'static str, u128), &'static [u8]>,
    pub(super) lookups: Table<'t, (&'static str, u8, u8, &'static str, u128), ()>,
    pub(super) members: Table<'t, (&'static str, u128, u128), u8>,
    pub(super) groups_of: Table<'t, (&'static str, u128, u128), ()>,
    pub(super) links: Table<'t, (&'static str, u128), &'static [u8]>,
    pub(super) owners: Table<'t, (&'static str, u8, &'static str), u128>,
    pub(super) intents: Table<'t, (&'static str, u8, &'static str), u128>,
    pub(super) tombstones: Table<'t, (&'static str, u128), &'static [u8]>,
    pub(super) tombstone_names: Table<'t, (&'static str, u8, &'static str), u128>,
    pub(super) work: Table<'t, (&'static str, u128), &'static [u8]>,
    pub(super) due: Table<'t, (&'static str, u64, u128), ()>,
    pub(super) urgent: Table<'t, (&'static str, u64, u128), ()>,
    pub(super) ages: Table<'t, (&'static str, u64, u128), ()>,
    pub(super) rest_ages: Table<'t, (&'static str, u8, u64, u128), ()>,
    pub(super) work_states: Table<'t, (&'static str, u8, u128), ()>,
    pub(super) pending: Table<'t, (&'static str, u128, u64, u128), u64>,
    pub(super) pending_of: Table<'t, (&'static str, u128, u128), u64>,
    pub(super) pending_counts: Table<'t, (&'static str, u128), u64>,
    pub(super) chores: Table<'t, (&'static str, u8, u128), u128>,
    pub(super) waiting: Table<'t, (&'static str, u128, u128), ()>,
    pub(super) log: Table<'t, (&'static str, u64), &'static [u8]>,
    pub(super) counters: Table<'t, (&'static str, u8), u64>,
    pub(super) requests: Table<'t, (&'static str, &'static str), &'static [u8]>,
    pub(super) request_ages: Table<'t, (&'static str, u64, &'static str), ()>,
    pub(super) imports: Table<'t, &'static str, &'static [u8]>,
    pub(super) brakes: Table<'t, (&'static str, u8, u64, u64), u64>,
    pub(super) pauses: Table<'t, &'static str, &'static [u8]>,
    pub(super) comparisons: Table<'t, &'static str, &'static str>,
    pub(super) credentials: Table<'t, &'static str, &'static str>,
    /// How much of its log a tenant keeps.
    pub(super) log_bounds: Bounds,
    /// Whether anything was written: a step that changes nothing costs no commit.
    pub(super) dirty: bool,
}

impl<'t> Tables<'t> {
    /// Opens every table, making those that are missing.
    pub(super) fn open(transaction: &'t WriteTransaction, log_bounds: Bounds) -> Result<Self, redb::Error> {
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            names: transaction.open_table(NAMES)?,
            reserved: transaction.open_table(RESERVED)?,
            before: transaction.open_table(BEFORE)?,
            lookups: transaction.open_table(LOOKUPS)?,
            members: transaction.open_table(MEMBERS)?,
            groups_of: transaction.open_table(GROUPS_OF)?,
            links: transaction.open_table(LINKS)?,
            owners: transaction.open_table(OWNERS)?,
            intents: transaction.open_table(INTENTS)?,
            tombstones: transaction.open_table(TOMBSTONES)?,
            tombstone_names: transaction.open_table(TOMBSTONE_NAMES)?,
            work: transaction.open_table(WORK)?,
            due: transaction.open_table(DUE)?,
            urgent: transaction.open_table(URGENT)?,
            ages: transaction.open_table(AGES)?,
            rest_ages: transaction.open_table(REST_AGES)?,
            work_states: transaction.open_table(WORK_STATES)?,
            pending: transaction.open_table(PENDING)?,
            pending_of: transaction.open_table(PENDING_OF)?,
            pending_counts: transaction.open_table(PENDING_COUNTS)?,
            chores: transaction.open_table(CHORES)?,
            waiting: transaction.open_table(WAITING)?,
            log: transaction.open_table(LOG)?,
            counters: transaction.open_table(COUNTERS)?,
            requests: transaction.open_table(REQUESTS)?,
            request_ages: transaction.open_table(REQUEST_AGES)?,
            imports: transaction.open_table(IMPORTS)?,
            brakes: transaction.open_table(BRAKES)?,
            pauses: transaction.open_table(PAUSES)?,
            comparisons: transaction.open_table(COMPARISONS)?,
            credentials: transaction.open_table(CREDENTIALS)?,
            log_bounds,
            dirty: false,
        })
    }

    /// A counter's value.
    pub(super) fn counter(&self, tenant: &str, counter: Counter) -> Result<u64, Failed> {
        read_counter(&self.counters, tenant, counter)
    }

    /// Adds to a counter and gives its new value.
    pub(super) fn add(&mut self, tenant: &str, counter: Counter, delta: i64) -> Result<u64, Failed> {
        let value = self.counter(tenant, counter)?.saturating_add_signed(delta);
        self.set(tenant, counter, value)?;
        Ok(value)
    }

    /// Sets a counter.
    pub(super) fn set(&mut self, tenant: &str, counter: Counter, value: u64) -> Result<(), Failed> {
        self.dirty = true;
        self.counters.insert((tenant, counter as u8), value)?;
        Ok(())
    }

    /// The work of a resource or tombstone.
    pub(super) fn work(&self, tenant: &str, id: u128) -> Result<Option<Work>, Failed> {
        get(&self.work, (tenant, id), "piece of work")
    }
}

/// A failure inside a step, before it becomes the boundary's [`StoreError`].
#[derive(Debug)]
pub(super) enum Failed {
    Engine(redb::Error),
    /// What cannot be read, and where it goes wrong. Never the values: they may be personal.
    Corrupt(&'static str, String),
    /// What kind of entry cannot be put into the store, and why.
    Unfit(&'static str, &'static str),
    Panicked,
}

impl<E: Into<redb::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}

impl Failed {
    /// Whether the engine will not work again before the file is opened anew.
    pub(super) fn is_final(&self) -> bool {
        use redb::Error::{Backend, Corrupted, DatabaseClosed, Io, LockPoisoned, PreviousIo};
        matches!(
            self,
            Self::Engine(Io(_) | Backend(_) | PreviousIo | Corrupted(_) | LockPoisoned(_) | DatabaseClosed)
        )
    }

    /// The boundary's error, saying what was being tried.
    pub(super) fn while_doing(self, doing: &'static str) -> StoreError {
        match self {
            Self::Engine(source) => StoreError::Engine {
                doing,
                source: std::sync::Arc::new(source),
            },
            Self::Corrupt(what, problem) => StoreError::Corrupt { what, problem },
            Self::Unfit(what, problem) => StoreError::Unfit {
                what,
                problem: problem.to_owned(),
            },
            Self::Panicked => StoreError::Engine {
                doing,
                source: std::sync::Arc::new(StepPanicked),
            },
        }
    }
}

/// The step panicked: a fault of ours.
#[derive(Debug, thiserror::Error)]
#[error("the step panicked")]
struct StepPanicked;

/// Reads a counter from a table open in either way.
pub(super) fn read_counter(
    counters: &impl ReadableTable<(&'static str, u8), u64>,
    tenant: &str,
    counter: Counter,
) -> Result<u64, Failed> {
    Ok(counters.get((tenant, counter as u8))?.map_or(0, |value| value.value()))
}

/// Reads a JSON value.
pub(super) fn get<'k, K: redb::Key + 'static, T: DeserializeOwned>(
    table: &impl ReadableTable<K, &'static [u8]>,
    key: impl std::borrow::Borrow<K::SelfType<'k>>,
    what: &'static str,
) -> Result<Option<T>, Failed> {
    table.get(key)?.map(|value| from_json(value.value(), what)).transpose()
}

/// Removes a JSON value and gives it.
pub(super) fn take<'k, K: redb::Key + 'static, T: DeserializeOwned>(
    table: &mut Table<'_, K, &'static [u8]>,
    key: impl std::borrow::Borrow<K::SelfType<'k>>,
    what: &'static str,
) -> Result<Option<T>, Failed> {
    table
        .remove(key)?
        .map(|value| from_json(value.value(), what))
        .transpose()
}

/// Reads a value back.
pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, Failed> {
    // The error's own words may quote a value.
    serde_json::from_slice(bytes).map_err(|error| {
        Failed::Corrupt(
            what,
            format!("{:?} error at column {}", error.classify(), error.column()),
        )
    })
}

/// Writes a value.
pub(super) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value)
        .expect("what a store keeps has string keys and no failing Serialize, so it is always JSON")
}

/// A time as a key: milliseconds since 1970, rounded up, so that nothing is due early.
pub(super) fn millis(at: Timestamp) -> u64 {
    let millis = at.as_millisecond();
    let rounded = if at.subsec_nanosecond() % 1_000_000 == 0 {
        millis
    } else {
        millis.saturating_add(1)
    };
    u64::try_from(rounded).unwrap_or(0)
}

/// Makes every table exist, so that readers need not ask.
pub(super) fn create_all(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let bounds = Bounds {
        length: 0,
        retention: std::time::Duration::ZERO,
    };
    Tables::open(transaction, bounds)?;
    transaction.open_table(META)?;
    Ok(())
}

/// A read transaction over the tables.
pub(super) struct Reading(pub(super) ReadTransaction);

impl Reading {
    /// Opens one table for reading.
    pub(super) fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<redb::ReadOnlyTable<K, V>, Failed> {
        Ok(self.0.open_table(definition)?)
    }
}
