//! Tombstones: what a deleted resource leaves behind until its removal is applied, and who takes it over.

use jiff::Timestamp;
use redb::ReadableTable;

use super::{
    pending,
    tables::{Failed, Tables, from_json, take, to_json},
    work,
};
use crate::{
    id::{Kind, ResourceId},
    index::{Index, Key},
    record::Record,
    store::{Brake, Tombstone, Write},
};

/// Reads a tombstone back.
pub(super) fn read(
    table: &impl ReadableTable<(&'static str, u128), &'static [u8]>,
    tenant: &str,
    id: u128,
) -> Result<Option<Tombstone>, Failed> {
    table
        .get((tenant, id))?
        .map(|value| from_json(value.value(), "tombstone"))
        .transpose()
}

/// Leaves a tombstone, unless nothing can have reached the Platform: no link, no intent, and no delivery under way.
pub(super) fn bury(
    tables: &mut Tables<'_>,
    tenant: &str,
    write: &Write,
    version: u64,
    keys: &[Key],
    braked: Option<Brake>,
) -> Result<(), Failed> {
    let id = write.id.as_u128();
    let link = tables.link(tenant, id)?;
    let under_way = tables.work(tenant, id)?.is_some_and(|work| work.lease.is_some());
    if link.platform_id.is_none() && link.intents.is_empty() && !under_way {
        work::remove(tables, tenant, id)?;
        tables.remove_link(tenant, write.kind.number(), id)?;
        return work::wake_waiters(tables, tenant, write.id, write.now);
    }
    let name = keys
        .iter()
        .find(|key| key.index == Index::Name)
        .map_or("", |key| key.value.as_str());
    let tombstone = Tombstone {
        kind: write.kind,
        name: name.to_owned(),
        version,
        at: write.now,
    };
    tables.tombstones.insert((tenant, id), to_json(&tombstone).as_slice())?;
    tables.tombstone_names.insert((tenant, write.kind.number(), name), id)?;
    work::change(tables, tenant, write, true, Some(braked))
}

/// A user created under the name of a deleted one takes its account over and cancels a removal not yet done. A group
/// waits instead until its namesake is gone: the old group's members must not become the new one's.
pub(super) fn take_over(
    tables: &mut Tables<'_>,
    tenant: &str,
    record: &Record,
    keys: &[Key],
    now: Timestamp,
) -> Result<(), Failed> {
    let Some(name) = keys.iter().find(|key| key.index == Index::Name) else {
        return Ok(());
    };
    let kind = record.kind.number();
    let Some(old) = tables
        .tombstone_names
        .get((tenant, kind, name.value.as_str()))?
        .map(|id| id.value())
    else {
        return Ok(());
    };
    let old_id = ResourceId::from_u128(old);
    if record.kind == Kind::Group {
        return work::wait_for(tables, tenant, old_id, record.id, now);
    }
    tables.move_link(tenant, kind, old, record.id.as_u128())?;
    tables.tombstone_names.remove((tenant, kind, name.value.as_str()))?;
    take::<_, Tombstone>(&mut tables.tombstones, (tenant, old), "tombstone")?;
    pending::rename(tables, tenant, old_id, record.id)?;
    let removal = work::remove(tables, tenant, old)?;
    work::wake_waiters(tables, tenant, old_id, now)?;
    // A removal that is under way this moment must not be overtaken: the new resource is due when that has ended, at the
    // latest with its lease. One that was itself held back hands its wait on.
    let held = removal.and_then(|work| match work.lease {
        Some(token) => Some((work.due, token)),
        None => work.held_until.zip(work.held_by),
    });
    match held.filter(|(until, _)| *until > now) {
        Some((until, token)) => work::hold(tables, tenant, old_id, record.id, until, token),
        None => Ok(()),
    }
}
