//! Changing a resource: its document, a group's members, or both.

use super::{
    keys::{add_keys, names_are_free, remove_keys},
    present, put,
};
use crate::{
    id::Kind,
    store::{
        Brake, ChangeKind, DocumentChange, MemberChange, Stage, Write, WriteError, Written,
        brakes::weight,
        embedded::{
            brakes,
            log::{self, Told},
            membership, pending, revert,
            tables::{Failed, Tables},
            work,
        },
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
        if let Err(refused) = names_are_free(tables, tenant, write.kind, write.id, &gained)? {
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
            braked: None,
        }));
    }
    let before = record.member_count;
    if let Some(change) = document {
        revert::keep(tables, tenant, &record, &change.old_keys, record.version + 1)?;
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
        revert::reserve(tables, tenant, write.kind, write.id)?;
        attributes.clone_from(&change.attributes);
    }
    if members_changed {
        attributes.push("members".to_owned());
    }
    put(tables, tenant, &record)?;
    let held_members = hold_members(tables, tenant, write, &moved, before)?;
    let braked = match document {
        Some(_) if write.kind == Kind::User => brake_on_use(tables, tenant, write)?,
        _ => None,
    };
    let urgent = write.usable.ends() || moved.removed > 0;
    work::change(tables, tenant, write, urgent, braked)?;
    let replaced_out = if members.is_some_and(|change| change.replace) {
        moved.removed
    } else {
        0
    };
    let told = Told {
        what: ChangeKind::Updated,
        attributes,
        members: moved.told(),
    };
    log::change(tables, tenant, &record, told, write)?;
    Ok(Ok(Written {
        record,
        changed: true,
        replaced_out,
        braked: braked.flatten().or(held_members.then_some(Brake::Removals)),
    }))
}

/// The brake on deactivations: on (`Some(Some)`), off (`Some(None)`), or as it was.
fn brake_on_use(tables: &mut Tables<'_>, tenant: &str, write: &Write) -> Result<Option<Option<Brake>>, Failed> {
    if write.usable.after {
        return Ok(Some(None));
    }
    if !write.usable.ends() {
        return Ok(None);
    }
    let link = tables.link(tenant, write.id.as_u128())?;
    let ends = link.platform_id.is_some() && !link.disabled;
    let (brake, limit) = (Brake::Deactivations, write.brakes.deactivations);
    let passes = !ends || brakes::pass(tables, tenant, brake, limit, 1, write.now)?;
    Ok(Some((!passes).then_some(brake)))
}

/// Holds those who went, where they are too many; gives whether they are.
fn hold_members(
    tables: &mut Tables<'_>,
    tenant: &str,
    write: &Write,
    moved: &membership::Moved,
    before: u64,
) -> Result<bool, Failed> {
    let weight = weight(Kind::Group, before, moved.removed, false);
    if brakes::pass(
        tables,
        tenant,
        Brake::Removals,
        write.brakes.removals,
        weight,
        write.now,
    )? {
        return Ok(false);
    }
    for member in &moved.gone {
        pending::restage(tables, tenant, write.id, *member, Stage::Held)?;
    }
    Ok(true)
}
