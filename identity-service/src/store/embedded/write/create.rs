//! Creating a resource.

use super::{
    count_of,
    keys::{add_keys, names_are_free},
    put,
};
use crate::{
    id::ResourceId,
    index::Key,
    record::Record,
    store::{
        ChangeKind, MemberChange, Write, WriteError, Written,
        embedded::{
            log::{self, Told},
            membership, revert,
            tables::{Failed, Tables},
            tombstone, work,
        },
    },
};

pub(super) fn create(
    tables: &mut Tables<'_>,
    tenant: &str,
    write: &Write,
    document: &serde_json::Value,
    keys: &[Key],
    members: &[ResourceId],
) -> Result<Result<Written, WriteError>, Failed> {
    if let Err(refused) = names_are_free(tables, tenant, write.kind, write.id, keys)? {
        return Ok(Err(refused));
    }
    let change = MemberChange {
        replace: false,
        add: members.to_vec(),
        remove: Vec::new(),
    };
    let kinds = match membership::check(tables, tenant, &change.add, write.keep_unknown_members)? {
        Ok(kinds) => kinds,
        Err(refused) => return Ok(Err(refused)),
    };

    let mut record = Record::new(write.id, write.kind, document.clone(), write.now);
    add_keys(tables, tenant, write.kind, write.id, keys)?;
    let moved = membership::apply(tables, tenant, write.id, &change, &kinds)?;
    record.member_count = moved.added;
    put(tables, tenant, &record)?;
    tables.add(tenant, count_of(write.kind), 1)?;
    let told = Told {
        what: ChangeKind::Created,
        attributes: attributes_of(document, !members.is_empty()),
        members: moved.told(),
    };
    log::change(tables, tenant, &record, told, write)?;
    work::mark(
        tables,
        tenant,
        write.kind,
        write.id,
        write.now,
        write.traceparent.as_deref(),
    )?;
    if !tombstone::take_over(tables, tenant, &record, keys, write.now)? {
        revert::keep_nothing(tables, tenant, write.id)?;
    }
    Ok(Ok(Written {
        record,
        changed: true,
        replaced_out: 0,
        braked: None,
    }))
}

fn attributes_of(document: &serde_json::Value, members: bool) -> Vec<String> {
    let attributes = document
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .filter(|name| *name != "schemas")
        .cloned();
    attributes.chain(members.then(|| "members".to_owned())).collect()
}
