//! Deleting a resource, and taking it out of every set it is in.

use super::{count_of, keys::remove_keys, present, put, read};
use crate::{
    id::Kind,
    index::Key,
    store::{
        ChangeKind, Chore, Write, WriteError, Written,
        embedded::{
            chores, feed, membership,
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
        feed::append(
            tables,
            tenant,
            &left,
            ChangeKind::Updated,
            vec!["members".to_owned()],
            write.now,
        )?;
        work::mark(
            tables,
            tenant,
            Kind::Group,
            group,
            write.now,
            write.traceparent.as_deref(),
        )?;
    }
    match write.kind {
        Kind::Group => membership::dissolve(tables, tenant, write.id, write.now)?,
        Kind::User => chores::begin(tables, tenant, Chore::Reports, write.id, write.now)?,
    }
    let mut deleted = record.clone();
    deleted.version += 1;
    feed::append(tables, tenant, &deleted, ChangeKind::Deleted, Vec::new(), write.now)?;
    tombstone::bury(tables, tenant, write, deleted.version, keys)?;
    Ok(Ok(Written {
        record,
        changed: true,
        replaced_out: 0,
    }))
}
