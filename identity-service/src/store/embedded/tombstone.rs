//! Tombstones: what a deleted resource leaves behind until its removal is applied, and who takes it over.

use jiff::Timestamp;
use redb::ReadableTable;

use super::{
    membership, pending, revert,
    tables::{Failed, Tables, from_json, get, take, to_json},
    work,
};
use crate::{
    id::{Kind, ResourceId},
    index::{Index, Key},
    record::Record,
    store::{Brake, PreImage, Tombstone, Write},
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

/// Leaves a tombstone, unless nothing can have reached the Platform: no link, no intent, and no delivery under way. A group's
/// members stay with it: a deletion that is held or refused may be taken back.
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
        revert::forget(tables, tenant, write.kind, id)?;
        tables.remove_link(tenant, write.kind.number(), id)?;
        if write.kind == Kind::Group {
            membership::dissolve(tables, tenant, write.id, write.now)?;
        }
        return work::wake_waiters(tables, tenant, write.id, write.now);
    }
    // Its former names are free at once: who takes one waits for the account that may still have it.
    if let Some(image) = get::<_, PreImage>(&tables.before, (tenant, id), "pre-image")? {
        revert::free_names(tables, tenant, write.kind, id, &image)?;
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

/// A user created under the name of a deleted one takes its account over and cancels a removal not yet done, which is told. A
/// group waits instead until its namesake is gone: the old group's members must not become the new one's.
pub(super) fn take_over(
    tables: &mut Tables<'_>,
    tenant: &str,
    record: &Record,
    keys: &[Key],
    now: Timestamp,
) -> Result<bool, Failed> {
    let Some(name) = keys.iter().find(|key| key.index == Index::Name) else {
        return Ok(false);
    };
    let kind = record.kind.number();
    let Some(old) = tables
        .tombstone_names
        .get((tenant, kind, name.value.as_str()))?
        .map(|id| id.value())
    else {
        return Ok(false);
    };
    let old_id = ResourceId::from_u128(old);
    if record.kind == Kind::Group {
        work::wait_for(tables, tenant, old_id, record.id, now)?;
        return Ok(false);
    }
    tables.move_link(tenant, kind, old, record.id.as_u128())?;
    tables.tombstone_names.remove((tenant, kind, name.value.as_str()))?;
    take::<_, Tombstone>(&mut tables.tombstones, (tenant, old), "tombstone")?;
    revert::forget(tables, tenant, record.kind, old)?;
    pending::rename(tables, tenant, old_id, record.id)?;
    let removal = work::remove(tables, tenant, old)?;
    work::wake_waiters(tables, tenant, old_id, now)?;
    // A removal that is under way this moment must not be overtaken: the new resource is due when that has ended, at the
    // latest with its lease. One that was itself held back hands its wait on.
    let held = removal.and_then(|work| match work.lease {
        Some(token) => Some((work.due, token)),
        None => work.held_until.zip(work.held_by),
    });
    if let Some((until, token)) = held.filter(|(until, _)| *until > now) {
        work::hold(tables, tenant, old_id, record.id, until, token)?;
    }
    Ok(true)
}

/// Forgets a tombstone.
pub(super) fn forget(
    tables: &mut Tables<'_>,
    tenant: &str,
    id: ResourceId,
    tombstone: &Tombstone,
) -> Result<(), Failed> {
    tables.dirty = true;
    tables.tombstones.remove((tenant, id.as_u128()))?;
    let key = (tenant, tombstone.kind.number(), tombstone.name.as_str());
    let newest = tables.tombstone_names.get(key)?.map(|newest| newest.value());
    if newest == Some(id.as_u128()) {
        tables.tombstone_names.remove(key)?;
    }
    Ok(())
}
