//! The tables of the file: what each holds, and small typed accessors. Layout version 1.
//!
//! Every key begins with the tenant, but for what is looked at across tenants (`DUE`, `REQUEST_AGES`, `META`). Ids are
//! UUIDv7 as numbers, so ranges are in the order of creation. Values are JSON, so that a file can be read by a person.

use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};
use scim::fold_case;
use serde::{Serialize, de::DeserializeOwned};

use crate::store::{Link, StoreError, Work};

/// (tenant, kind, id) → record.
pub(super) const RECORDS: TableDefinition<'_, (&str, u8, u128), &[u8]> = TableDefinition::new("records");
/// (tenant, kind, folded name) → id; unique.
pub(super) const NAMES: TableDefinition<'_, (&str, u8, &str), u128> = TableDefinition::new("names");
/// (tenant, kind, index, folded value, id): the other indexes.
pub(super) const LOOKUPS: TableDefinition<'_, (&str, u8, u8, &str, u128), ()> = TableDefinition::new("lookups");
/// (tenant, group, member) → the member's kind, 0 for a kept id that is no resource.
pub(super) const MEMBERS: TableDefinition<'_, (&str, u128, u128), u8> = TableDefinition::new("members");
/// (tenant, member, group): the same, the other way.
pub(super) const GROUPS_OF: TableDefinition<'_, (&str, u128, u128), ()> = TableDefinition::new("groups_of");
/// (tenant, id) → link, of resources and tombstones.
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
/// (due in ms, tenant, id): the order of the work. Leased work stands at the end of its lease.
pub(super) const DUE: TableDefinition<'_, (u64, &str, u128), ()> = TableDefinition::new("due");
/// (tenant, group, stage, member) → stamp: members whose wanted state is not confirmed on the Platform.
pub(super) const PENDING: TableDefinition<'_, (&str, u128, u8, u128), u64> = TableDefinition::new("pending_members");
/// (tenant, member, group) → stage: the same, the other way.
pub(super) const PENDING_OF: TableDefinition<'_, (&str, u128, u128), u8> = TableDefinition::new("pending_of");
/// (tenant, resource, waiter): the waiter is to be delivered again when the resource's delivery gets on.
pub(super) const WAITING: TableDefinition<'_, (&str, u128, u128), ()> = TableDefinition::new("waiting");
/// (tenant, position) → change.
pub(super) const FEED: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("feed");
/// (tenant, counter) → number.
pub(super) const COUNTERS: TableDefinition<'_, (&str, u8), u64> = TableDefinition::new("counters");
/// (tenant, request id) → what was answered.
pub(super) const REQUESTS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("requests");
/// (answered at in ms, tenant, request id): what may be forgotten when.
pub(super) const REQUEST_AGES: TableDefinition<'_, (u64, &str, &str), ()> = TableDefinition::new("request_ages");
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
    /// Position of the newest change in the feed.
    Position = 5,
    /// Newest stamp of work.
    Stamp = 6,
    /// Position up to which the feed was trimmed.
    Trimmed = 7,
}

/// All tables, open for writing.
pub(super) struct Tables<'t> {
    pub(super) records: Table<'t, (&'static str, u8, u128), &'static [u8]>,
    pub(super) names: Table<'t, (&'static str, u8, &'static str), u128>,
    pub(super) lookups: Table<'t, (&'static str, u8, u8, &'static str, u128), ()>,
    pub(super) members: Table<'t, (&'static str, u128, u128), u8>,
    pub(super) groups_of: Table<'t, (&'static str, u128, u128), ()>,
    pub(super) links: Table<'t, (&'static str, u128), &'static [u8]>,
    pub(super) owners: Table<'t, (&'static str, u8, &'static str), u128>,
    pub(super) intents: Table<'t, (&'static str, u8, &'static str), u128>,
    pub(super) tombstones: Table<'t, (&'static str, u128), &'static [u8]>,
    pub(super) tombstone_names: Table<'t, (&'static str, u8, &'static str), u128>,
    pub(super) work: Table<'t, (&'static str, u128), &'static [u8]>,
    pub(super) due: Table<'t, (u64, &'static str, u128), ()>,
    pub(super) pending: Table<'t, (&'static str, u128, u8, u128), u64>,
    pub(super) pending_of: Table<'t, (&'static str, u128, u128), u8>,
    pub(super) waiting: Table<'t, (&'static str, u128, u128), ()>,
    pub(super) feed: Table<'t, (&'static str, u64), &'static [u8]>,
    pub(super) counters: Table<'t, (&'static str, u8), u64>,
    pub(super) requests: Table<'t, (&'static str, &'static str), &'static [u8]>,
    pub(super) request_ages: Table<'t, (u64, &'static str, &'static str), ()>,
    /// How many changes a tenant's feed keeps.
    pub(super) feed_length: u64,
    /// Whether anything was written: a step that changes nothing costs no commit.
    pub(super) dirty: bool,
}

impl<'t> Tables<'t> {
    /// Opens every table, making those that are missing.
    pub(super) fn open(transaction: &'t WriteTransaction, feed_length: u64) -> Result<Self, redb::Error> {
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            names: transaction.open_table(NAMES)?,
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
            pending: transaction.open_table(PENDING)?,
            pending_of: transaction.open_table(PENDING_OF)?,
            waiting: transaction.open_table(WAITING)?,
            feed: transaction.open_table(FEED)?,
            counters: transaction.open_table(COUNTERS)?,
            requests: transaction.open_table(REQUESTS)?,
            request_ages: transaction.open_table(REQUEST_AGES)?,
            feed_length,
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

    /// The link of a resource or tombstone; an empty one when there is none.
    pub(super) fn link(&self, tenant: &str, id: u128) -> Result<Link, Failed> {
        Ok(get(&self.links, (tenant, id), "link")?.unwrap_or_default())
    }

    /// Keeps a link, who owns its Platform object, and whose intents its names are.
    ///
    /// A name is intended by one resource at a time: who records it has just found it free, so whatever another meant to
    /// create under it is not there. Without this, the other would later take what stands there for its own.
    pub(super) fn put_link(&mut self, tenant: &str, kind: u8, id: u128, link: &Link) -> Result<(), Failed> {
        self.dirty = true;
        if let Some(platform_id) = &link.platform_id {
            self.owners.insert((tenant, kind, platform_id.as_str()), id)?;
        }
        let gone = self
            .link(tenant, id)?
            .intents
            .into_iter()
            .filter(|name| !link.intents.contains(name));
        self.forget_intents(tenant, kind, id, gone)?;
        for name in &link.intents {
            let before = self
                .intents
                .insert((tenant, kind, fold_case(name).as_str()), id)?
                .map(|owner| owner.value());
            let Some(other) = before.filter(|other| *other != id) else {
                continue;
            };
            let mut left = self.link(tenant, other)?;
            left.intents.retain(|intent| fold_case(intent) != fold_case(name));
            self.links.insert((tenant, other), to_json(&left).as_slice())?;
        }
        self.links.insert((tenant, id), to_json(link).as_slice())?;
        Ok(())
    }

    /// Forgets a link, that it owned its Platform object, and its intents.
    pub(super) fn remove_link(&mut self, tenant: &str, kind: u8, id: u128) -> Result<Link, Failed> {
        self.dirty = true;
        let link: Link = take(&mut self.links, (tenant, id), "link")?.unwrap_or_default();
        self.disown(tenant, kind, id, link.platform_id.as_deref())?;
        self.forget_intents(tenant, kind, id, link.intents.iter().cloned())?;
        Ok(link)
    }

    fn forget_intents(
        &mut self,
        tenant: &str,
        kind: u8,
        id: u128,
        names: impl Iterator<Item = String>,
    ) -> Result<(), Failed> {
        for name in names {
            let name = fold_case(&name);
            let intended = self
                .intents
                .get((tenant, kind, name.as_str()))?
                .is_some_and(|owner| owner.value() == id);
            if intended {
                self.intents.remove((tenant, kind, name.as_str()))?;
            }
        }
        Ok(())
    }

    /// Forgets that `id` owns a Platform object, if it does.
    pub(super) fn disown(&mut self, tenant: &str, kind: u8, id: u128, platform_id: Option<&str>) -> Result<(), Failed> {
        let Some(platform_id) = platform_id else { return Ok(()) };
        let owned = self
            .owners
            .get((tenant, kind, platform_id))?
            .is_some_and(|owner| owner.value() == id);
        if owned {
            self.dirty = true;
            self.owners.remove((tenant, kind, platform_id))?;
        }
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
    Corrupt(&'static str, serde_json::Error),
}

impl<E: Into<redb::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}

impl Failed {
    /// The boundary's error, saying what was being tried.
    pub(super) fn while_doing(self, doing: &'static str) -> StoreError {
        match self {
            Self::Engine(source) => StoreError::Engine {
                doing,
                source: std::sync::Arc::new(source),
            },
            Self::Corrupt(what, source) => StoreError::Corrupt {
                what,
                source: std::sync::Arc::new(source),
            },
        }
    }
}

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
    serde_json::from_slice(bytes).map_err(|error| Failed::Corrupt(what, error))
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
    Tables::open(transaction, 0)?;
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
