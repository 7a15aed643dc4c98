//! Changing a resource: its document, a group's members, or both.

use super::{
    keys::{add_keys, names_are_free, remove_keys},
    present, put,
};
use crate::store::{
    ChangeKind, DocumentChange, MemberChange, Write, WriteError, Written,
    embedded::{
        feed, membership,
        tables::{Failed, Tables},
        work,
    },
};

pub(super) fn update(
    tables: &mut Tables<'_>,
    tenant: &str,
    write: &Write,
    document: Option<&DocumentChange>,
    members: Option<&MemberChange>,
) -> Result<Result<Written, WriteError>, Failed> {
    let mut record = match present(tables, tenant, write)? {
        Ok(record) => record,
        Err(refused) => return Ok(Err(refused)),
    };
    if let Some(change) = document {
        if change.expected != record.document_version {
            return Ok(Err(WriteError::DocumentMoved));
        }
        let gained: Vec<_> = change
            .new_keys
            .iter()
            .filter(|key| !change.old_keys.contains(key))
            .cloned()
            .collect();
        if let Err(refused) = names_are_free(tables, tenant, write.kind, &gained)? {
            return Ok(Err(refused));
        }
    }
    let kinds = match members {
        None => Vec::new(),
        Some(change) => match membership::check(tables, tenant, &change.add, write.keep_unknown_members)? {
            Ok(kinds) => kinds,
            Err(refused) => return Ok(Err(refused)),
        },
    };

    let moved = match members {
        None => membership::Moved::default(),
        Some(change) => membership::apply(tables, tenant, write.id, change, &kinds)?,
    };
    let members_changed = moved.added + moved.removed > 0;
    if document.is_none() && !members_changed {
        return Ok(Ok(Written {
            record,
            changed: false,
            replaced_out: 0,
        }));
    }
    record.version += 1;
    record.modified = write.now;
    record.member_count = record.member_count + moved.added - moved.removed;
    let mut attributes = Vec::new();
    if let Some(change) = document {
        record.document_version = record.version;
        record.document = change.document.clone();
        remove_keys(
            tables,
            tenant,
            write.kind,
            write.id,
            change.old_keys.iter().filter(|key| !change.new_keys.contains(key)),
        )?;
        add_keys(
            tables,
            tenant,
            write.kind,
            write.id,
            change.new_keys.iter().filter(|key| !change.old_keys.contains(key)),
        )?;
        attributes.clone_from(&change.attributes);
    }
    if members_changed {
        attributes.push("members".to_owned());
    }
    put(tables, tenant, &record)?;
    feed::append(tables, tenant, &record, ChangeKind::Updated, attributes, write.now)?;
    work::mark(
        tables,
        tenant,
        write.kind,
        write.id,
        write.now,
        write.traceparent.as_deref(),
    )?;
    let replaced_out = if members.is_some_and(|change| change.replace) {
        moved.removed
    } else {
        0
    };
    Ok(Ok(Written {
        record,
        changed: true,
        replaced_out,
    }))
}
