//! Deleting a resource, and taking it out of every set it is in.

use super::{count_of, keys::remove_keys, present, put, read};
use crate::{
    id::Kind,
    index::Key,
    record::Record,
    store::{
        Brake, Brakes, ChangeKind, Chore, Write, WriteError, Written,
        brakes::weight,
        embedded::{
            brakes, chores,
            log::{self, Told},
            membership::{self, Moved},
            revert,
            tables::{Failed, Tables},
            tombstone, work,
        },
    },
};

pub(super) fn delete(
    tables: &mut Tables<'_>,
    tenant: &str,
    write: &Write,
    expected: u64,
    keys: &[Key],
) -> Result<Result<Written, WriteError>, Failed> {
    let record = match present(tables, tenant, write)? {
        Ok(record) => record,
        Err(refused) => return Ok(Err(refused)),
    };
    if record.document_version != expected {
        return Ok(Err(WriteError::DocumentMoved));
    }

    let id = write.id.as_u128();
    tables.dirty = true;
    revert::keep(tables, tenant, &record, keys, record.version + 1)?;
    tables.records.remove((tenant, write.kind.number(), id))?;
    remove_keys(tables, tenant, write.kind, write.id, keys)?;
    tables.add(tenant, count_of(write.kind), -1)?;
    for group in membership::leave_all(tables, tenant, write.id)? {
        let Some(mut left) = read(tables, tenant, Kind::Group, group)? else {
            continue;
        };
        left.version += 1;
        left.modified = write.now;
        left.member_count -= 1;
        put(tables, tenant, &left)?;
        let moved = Moved::left(write.id);
        log::members(tables, tenant, &left, moved, write.origin.as_ref(), write.now)?;
        let leave = Write {
            kind: Kind::Group,
            id: group,
            ..write.clone()
        };
        work::change(tables, tenant, &leave, true, None)?;
    }
    let braked = braked(tables, tenant, write, &record)?;
    if write.kind == Kind::User {
        chores::begin(tables, tenant, Chore::Reports, write.id, write.now)?;
    }
    let mut deleted = record.clone();
    deleted.version += 1;
    let told = Told {
        what: ChangeKind::Deleted,
        attributes: Vec::new(),
        members: None,
    };
    log::change(tables, tenant, &deleted, told, write)?;
    tombstone::bury(tables, tenant, write, deleted.version, keys, braked)?;
    Ok(Ok(Written {
        record,
        changed: true,
        replaced_out: 0,
        braked,
    }))
}

/// The brake that comes on for a deletion. Where it is the one on removals, a user's account is disabled all the same,
/// unless too many are.
fn braked(tables: &mut Tables<'_>, tenant: &str, write: &Write, record: &Record) -> Result<Option<Brake>, Failed> {
    let link = tables.link(tenant, write.id.as_u128())?;
    if link.platform_id.is_none() && link.intents.is_empty() {
        return Ok(None);
    }
    let Brakes {
        removals,
        deactivations,
    } = write.brakes;
    let removes = write.kind == Kind::Group || !write.deletion_disables;
    let weight = weight(write.kind, record.member_count, record.member_count, true);
    if removes && brakes::pass(tables, tenant, Brake::Removals, removals, weight, write.now)? {
        return Ok(None);
    }
    // Who is held by that brake can be used still.
    let held = tables.work(tenant, write.id.as_u128())?.and_then(|work| work.braked) == Some(Brake::Deactivations);
    let disables = write.kind == Kind::User && (write.usable.before || held) && !link.disabled;
    if disables && !brakes::pass(tables, tenant, Brake::Deactivations, deactivations, 1, write.now)? {
        return Ok(Some(Brake::Deactivations));
    }
    Ok(removes.then_some(Brake::Removals))
}
