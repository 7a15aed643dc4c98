//! Into the file: each entry is put as it is, with its indexes, owners and counts. Putting it again changes nothing.

use redb::ReadableTable;

use crate::{
    id::{Kind, ResourceId},
    index::{Index, keys},
    record::Record,
    store::{
        Entry, ImportMark, KeptImage, KeptLink, Tombstone,
        embedded::{
            brakes, credentials, pending,
            tables::{Counter, Failed, Tables, get, to_json},
            work,
            write::{
                self,
                keys::{add_keys, remove_keys},
            },
        },
    },
};

/// Puts entries into the store.
pub(in crate::store::embedded) fn import(
    tables: &mut Tables<'_>,
    tenant: &str,
    entries: &[Entry],
) -> Result<(), Failed> {
    tables.dirty = true;
    for entry in entries {
        put(tables, tenant, entry)?;
    }
    // What comes after must be told from what was brought along.
    let newest = entries.iter().filter_map(newest_stamp).max().unwrap_or(0);
    if newest > tables.counter(tenant, Counter::Stamp)? {
        tables.set(tenant, Counter::Stamp, newest)?;
    }
    Ok(())
}

fn newest_stamp(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::Counters { stamp, .. } => Some(*stamp),
        Entry::Work { work, .. } => Some(work.stamp),
        Entry::Unconfirmed { members, .. } => members.iter().map(|(_, _, stamp)| *stamp).max(),
        _ => None,
    }
}

fn put(tables: &mut Tables<'_>, tenant: &str, entry: &Entry) -> Result<(), Failed> {
    match entry {
        Entry::Counters { pause, credentials, .. } => {
            if pause.is_some() {
                brakes::set_pause(tables, tenant, pause.as_ref())?;
            }
            match credentials {
                Some(text) => credentials::put(tables, tenant, text),
                None => Ok(()),
            }
        }
        Entry::Resource(record) => put_resource(tables, tenant, record),
        Entry::Members { group, members } => put_members(tables, tenant, group.as_u128(), members),
        Entry::Link { id, kind, link } => put_link(tables, tenant, *kind, id.as_u128(), link),
        Entry::Tombstone { id, newest, tombstone } => put_tombstone(tables, tenant, id.as_u128(), *newest, tombstone),
        Entry::Unconfirmed { group, members } => members
            .iter()
            .try_for_each(|(member, stage, stamp)| pending::stand(tables, tenant, *group, *member, *stage, *stamp)),
        Entry::Work { id, work, before } => {
            let id = id.as_u128();
            let old = tables.work(tenant, id)?;
            work::put(tables, tenant, id, old.as_ref(), &work.clone().without_lease())?;
            put_image(tables, tenant, work.kind, id, before.as_deref())
        }
        Entry::Waiting { on, waiter } => {
            tables.waiting.insert((tenant, on.as_u128(), waiter.as_u128()), ())?;
            Ok(())
        }
        Entry::Chore { chore, id, after } => {
            let cursor = after.map_or(0, |after| after.as_u128().saturating_add(1));
            tables.chores.insert((tenant, chore.number(), id.as_u128()), cursor)?;
            Ok(())
        }
        Entry::Import(mark) => put_mark(tables, tenant, mark),
    }
}

fn put_resource(tables: &mut Tables<'_>, tenant: &str, record: &Record) -> Result<(), Failed> {
    let new_keys = keys(record.kind, &record.document);
    let Some(name) = new_keys.iter().find(|key| key.index == Index::Name) else {
        return Err(Failed::Unfit("resource", "it has no name"));
    };
    let key = (tenant, record.kind.number(), name.value.as_str());
    let named = tables.names.get(key)?.map(|id| id.value());
    if named.is_some_and(|other| other != record.id.as_u128()) {
        return Err(Failed::Unfit("resource", "another one has its name"));
    }
    match write::read(tables, tenant, record.kind, record.id)? {
        Some(old) => remove_keys(tables, tenant, old.kind, old.id, &keys(old.kind, &old.document))?,
        None => drop(tables.add(tenant, write::count_of(record.kind), 1)?),
    }
    add_keys(tables, tenant, record.kind, record.id, &new_keys)?;
    write::put(tables, tenant, record)
}

fn put_members(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: u128,
    members: &[(ResourceId, Option<Kind>)],
) -> Result<(), Failed> {
    for (member, kind) in members {
        let member = member.as_u128();
        tables
            .members
            .insert((tenant, group, member), kind.map_or(0, Kind::number))?;
        tables.groups_of.insert((tenant, member, group), ())?;
    }
    Ok(())
}

fn put_link(tables: &mut Tables<'_>, tenant: &str, kind: Kind, id: u128, link: &KeptLink) -> Result<(), Failed> {
    let kind = kind.number();
    tables.remove_link(tenant, kind, id)?;
    if let Some(platform_id) = &link.link.platform_id {
        let before = tables.owners.insert((tenant, kind, platform_id.as_str()), id)?;
        if before.is_some() {
            return Err(Failed::Unfit("link", "another resource owns its Platform object"));
        }
    }
    for intent in &link.intents {
        let before = tables.intents.insert((tenant, kind, intent.folded.as_str()), id)?;
        if before.is_some_and(|other| other.value() != id) {
            return Err(Failed::Unfit("link", "another resource has an intent of the name"));
        }
    }
    tables.links.insert((tenant, id), to_json(link).as_slice())?;
    Ok(())
}

fn put_tombstone(
    tables: &mut Tables<'_>,
    tenant: &str,
    id: u128,
    newest: bool,
    tombstone: &Tombstone,
) -> Result<(), Failed> {
    tables.tombstones.insert((tenant, id), to_json(tombstone).as_slice())?;
    if newest {
        let key = (tenant, tombstone.kind.number(), tombstone.name.as_str());
        tables.tombstone_names.insert(key, id)?;
    }
    Ok(())
}

fn put_image(
    tables: &mut Tables<'_>,
    tenant: &str,
    kind: Kind,
    id: u128,
    before: Option<&KeptImage>,
) -> Result<(), Failed> {
    let Some(KeptImage { image, reserved }) = before else {
        return Ok(());
    };
    tables.before.insert((tenant, id), to_json(image).as_slice())?;
    for name in reserved {
        tables.reserved.insert((tenant, kind.number(), name.as_str()), id)?;
    }
    Ok(())
}

fn put_mark(tables: &mut Tables<'_>, tenant: &str, mark: &ImportMark) -> Result<(), Failed> {
    if mark.complete {
        tables.imports.remove(tenant)?;
        return Ok(());
    }
    // An earlier part that is put again does not take the mark back.
    let old: Option<ImportMark> = get(&tables.imports, tenant, "mark of an import")?;
    if old.is_none_or(|old| old.source != mark.source || old.lines <= mark.lines) {
        tables.imports.insert(tenant, to_json(mark).as_slice())?;
    }
    Ok(())
}
