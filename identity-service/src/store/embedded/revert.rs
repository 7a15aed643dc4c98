//! Pre-images: what a resource was when it was last applied; and the steps that restore it.

use redb::ReadableTable;

use super::{
    chores,
    log::{self, Told},
    membership::{self, Moved},
    pending,
    tables::{BEFORE, Failed, Reading, Tables, get, take, to_json},
    tombstone, work,
    write::{
        self,
        keys::{add_keys, names_are_free, remove_keys},
    },
};
use crate::{
    id::{Kind, ResourceId},
    index::{Index, Key},
    record::Record,
    store::{
        Action, Applied, Brakes, ChangeKind, Chore, Claim, Deed, Origin, PreImage, Revert, Reverted, Subject,
        Tombstone, Usable, WhyNot, WorkState, Write,
    },
};

// === Keeping ===

/// Keeps what a resource was before its first change since it was applied; nothing when that is kept already, or when it was
/// not applied.
pub(super) fn keep(
    tables: &mut Tables<'_>,
    tenant: &str,
    before: &Record,
    keys: &[Key],
    first: u64,
) -> Result<(), Failed> {
    let id = before.id.as_u128();
    if tables.link(tenant, id)?.applied_document != before.document_version {
        return Ok(());
    }
    if tables.before.get((tenant, id))?.is_some() {
        return Ok(());
    }
    let names = keys.iter().filter(|key| key.index == Index::Name);
    let image = PreImage {
        first,
        names: names.map(|key| key.value.clone()).collect(),
        record: Some(before.clone()),
    };
    put(tables, tenant, id, &image)
}

/// Notes that there was nothing before a resource was created.
pub(super) fn keep_nothing(tables: &mut Tables<'_>, tenant: &str, id: ResourceId) -> Result<(), Failed> {
    let image = PreImage {
        first: 1,
        names: Vec::new(),
        record: None,
    };
    put(tables, tenant, id.as_u128(), &image)
}

fn put(tables: &mut Tables<'_>, tenant: &str, id: u128, image: &PreImage) -> Result<(), Failed> {
    tables.dirty = true;
    tables.before.insert((tenant, id), to_json(image).as_slice())?;
    Ok(())
}

/// Forgets a pre-image, and gives its names free.
pub(super) fn forget(tables: &mut Tables<'_>, tenant: &str, kind: Kind, id: u128) -> Result<Option<PreImage>, Failed> {
    let image: Option<PreImage> = take(&mut tables.before, (tenant, id), "pre-image")?;
    if let Some(image) = &image {
        tables.dirty = true;
        free_names(tables, tenant, kind, id, image)?;
    }
    Ok(image)
}

/// Gives the names of a pre-image free, which is kept.
pub(super) fn free_names(
    tables: &mut Tables<'_>,
    tenant: &str,
    kind: Kind,
    id: u128,
    image: &PreImage,
) -> Result<(), Failed> {
    for name in &image.names {
        let key = (tenant, kind.number(), name.as_str());
        let owned = tables.reserved.get(key)?.is_some_and(|owner| owner.value() == id);
        if owned {
            tables.reserved.remove(key)?;
        }
    }
    Ok(())
}

/// Reserves those names of a pre-image that the resource no longer has, and takes back those that it has again.
pub(super) fn reserve(tables: &mut Tables<'_>, tenant: &str, kind: Kind, id: ResourceId) -> Result<(), Failed> {
    let Some(image) = image(tables, tenant, id.as_u128())? else {
        return Ok(());
    };
    for name in &image.names {
        let key = (tenant, kind.number(), name.as_str());
        let owner = tables.names.get(key)?.map(|owner| owner.value());
        match owner {
            None => drop(tables.reserved.insert(key, id.as_u128())?),
            Some(owner) if owner == id.as_u128() => drop(tables.reserved.remove(key)?),
            Some(_) => {}
        }
    }
    Ok(())
}

/// Who has one of these names reserved, other than the resource itself.
pub(super) fn reserved_by(
    tables: &Tables<'_>,
    tenant: &str,
    kind: Kind,
    id: ResourceId,
    keys: &[Key],
) -> Result<Option<ResourceId>, Failed> {
    for key in keys.iter().filter(|key| key.index == Index::Name) {
        let owner = tables.reserved.get((tenant, kind.number(), key.value.as_str()))?;
        let owner = owner.map(|owner| ResourceId::from_u128(owner.value()));
        if let Some(owner) = owner.filter(|owner| *owner != id) {
            return Ok(Some(owner));
        }
    }
    Ok(None)
}

fn image(tables: &Tables<'_>, tenant: &str, id: u128) -> Result<Option<PreImage>, Failed> {
    get(&tables.before, (tenant, id), "pre-image")
}

/// Notes what was applied: that is what a resource with newer changes was before them.
pub(super) fn applied(tables: &mut Tables<'_>, claim: &Claim, applied: &Applied) -> Result<(), Failed> {
    let (tenant, id) = (claim.tenant.as_str(), claim.id.as_u128());
    let present = write::read(tables, tenant, claim.kind, claim.id)?;
    let moved = present.filter(|record| record.document_version != applied.versions.1);
    let image = forget(tables, tenant, claim.kind, id)?;
    let (Some(present), Some(document), Some(_)) = (moved, &applied.document, image) else {
        return Ok(());
    };
    let record = Record {
        version: applied.versions.0,
        document_version: applied.versions.1,
        document: document.clone(),
        ..present
    };
    let image = PreImage {
        first: 0,
        names: applied.names.clone(),
        record: Some(record),
    };
    put(tables, tenant, id, &image)?;
    reserve(tables, tenant, claim.kind, claim.id)
}

// === Taking back ===

/// Takes back what the Platform does not have.
pub(super) fn revert(tables: &mut Tables<'_>, tenant: &str, revert: &Revert) -> Result<Reverted, Failed> {
    let (kind, id) = (revert.kind, revert.id);
    let work = tables.work(tenant, id.as_u128())?;
    if work.as_ref().is_some_and(|work| work.lease.is_some()) {
        return Ok(Reverted::Not(WhyNot::UnderWay));
    }
    let Some(image) = image(tables, tenant, id.as_u128())? else {
        return Ok(Reverted::Not(WhyNot::Unknown));
    };
    let present = write::read(tables, tenant, kind, id)?;
    let buried = tombstone::read(&tables.tombstones, tenant, id.as_u128())?;
    let version = match (&present, &buried) {
        (Some(record), _) => record.document_version,
        (None, Some(tombstone)) => tombstone.version,
        (None, None) => 0,
    };
    let refused = work.is_some_and(|work| work.state == WorkState::Refused);
    if version != revert.expected || (revert.only_if_refused && !(refused && image.first == revert.expected)) {
        return Ok(Reverted::Not(WhyNot::Moved));
    }
    let reverted = match (present, buried, image.record) {
        (Some(present), _, Some(before)) => restore(tables, tenant, revert, &present, before)?,
        (Some(present), _, None) => remove(tables, tenant, revert, &present)?,
        (None, Some(tombstone), Some(before)) => raise(tables, tenant, revert, &tombstone, before)?,
        _ => Reverted::Not(WhyNot::Unknown),
    };
    if matches!(reverted, Reverted::Not(_)) {
        return Ok(reverted);
    }
    if let Some(request) = &revert.request {
        write::requests::forget(tables, tenant, request)?;
    }
    if !revert.only_if_refused {
        let discarded = Subject { kind, id };
        log::act(
            tables,
            tenant,
            Deed::Discard,
            discarded,
            revert.origin.as_ref(),
            revert.now,
        )?;
    }
    Ok(reverted)
}

/// Gives a resource its former document.
fn restore(
    tables: &mut Tables<'_>,
    tenant: &str,
    revert: &Revert,
    present: &Record,
    before: Record,
) -> Result<Reverted, Failed> {
    let (kind, id) = (revert.kind, revert.id);
    let new = |key: &&Key| !revert.old_keys.contains(key);
    let gained: Vec<Key> = revert.new_keys.iter().filter(new).cloned().collect();
    if names_are_free(tables, tenant, kind, id, &gained)?.is_err() {
        return Ok(Reverted::Not(WhyNot::NameTaken));
    }
    let version = present.version + 1;
    let record = Record {
        version,
        document_version: version,
        created: present.created,
        modified: revert.now,
        member_count: present.member_count,
        document: before.document,
        id,
        kind,
    };
    remove_keys(
        tables,
        tenant,
        kind,
        id,
        revert.old_keys.iter().filter(|key| !revert.new_keys.contains(key)),
    )?;
    add_keys(tables, tenant, kind, id, &gained)?;
    write::put(tables, tenant, &record)?;
    forget(tables, tenant, kind, id.as_u128())?;
    let told = Told {
        what: ChangeKind::Updated,
        attributes: revert.attributes.clone(),
        members: None,
    };
    log::change(tables, tenant, &record, told, &as_write(revert))?;
    work::change(tables, tenant, &as_write(revert), false, Some(None))?;
    Ok(Reverted::Restored(record))
}

/// Has a resource go that the Platform never had.
fn remove(tables: &mut Tables<'_>, tenant: &str, revert: &Revert, present: &Record) -> Result<Reverted, Failed> {
    let id = revert.id;
    let link = tables.link(tenant, id.as_u128())?;
    if link.platform_id.is_some() || !link.intents.is_empty() {
        return Ok(Reverted::Not(WhyNot::UnderWay));
    }
    let referred = !membership::groups_of(tables, tenant, id)?.is_empty() || chores::has_reports(tables, tenant, id)?;
    if referred {
        return Ok(Reverted::Not(WhyNot::Referred));
    }
    let write = Write {
        action: Action::Delete {
            expected: present.document_version,
            keys: revert.old_keys.clone(),
        },
        ..as_write(revert)
    };
    Ok(match write::write(tables, tenant, &write)? {
        Ok(_) => Reverted::Removed,
        Err(_) => Reverted::Not(WhyNot::Moved),
    })
}

/// Brings a deleted resource back, a group with its members. A user's memberships ended with it.
fn raise(
    tables: &mut Tables<'_>,
    tenant: &str,
    revert: &Revert,
    tombstone: &Tombstone,
    before: Record,
) -> Result<Reverted, Failed> {
    let (kind, id) = (revert.kind, revert.id);
    if names_are_free(tables, tenant, kind, id, &revert.new_keys)?.is_err() {
        return Ok(Reverted::Not(WhyNot::NameTaken));
    }
    tombstone::forget(tables, tenant, id, tombstone)?;
    let version = tombstone.version + 1;
    let member_count = match kind {
        Kind::User => 0,
        Kind::Group => membership::all(tables, tenant, id)?.len() as u64,
    };
    let record = Record {
        version,
        document_version: version,
        modified: revert.now,
        member_count,
        ..before
    };
    add_keys(tables, tenant, kind, id, &revert.new_keys)?;
    write::put(tables, tenant, &record)?;
    tables.add(tenant, write::count_of(kind), 1)?;
    forget(tables, tenant, kind, id.as_u128())?;
    let mut link = tables.link(tenant, id.as_u128())?;
    link.applied_document = 0;
    tables.put_link(tenant, kind.number(), id.as_u128(), &link)?;
    let told = Told {
        what: ChangeKind::Created,
        attributes: revert.attributes.clone(),
        members: None,
    };
    log::change(tables, tenant, &record, told, &as_write(revert))?;
    work::change(tables, tenant, &as_write(revert), false, Some(None))?;
    if kind == Kind::User {
        chores::begin(tables, tenant, Chore::Reports, id, revert.now)?;
    }
    Ok(Reverted::Restored(record))
}

/// The same as a write, for the steps that all writes share.
fn as_write(revert: &Revert) -> Write {
    Write {
        kind: revert.kind,
        id: revert.id,
        action: Action::Update {
            document: None,
            members: None,
        },
        if_version: None,
        keep_unknown_members: false,
        request: None,
        usable: Usable::ALWAYS,
        brakes: Brakes::default(),
        deletion_disables: false,
        now: revert.now,
        traceparent: revert.traceparent.clone(),
        diff: revert.diff.clone(),
        origin: revert.origin.clone(),
    }
}

/// Takes back changes of members that the Platform refused, if they are still what was refused. Gives who was taken back.
pub(super) fn revert_members(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    members: &[(ResourceId, u64)],
    origin: Option<&Origin>,
    now: jiff::Timestamp,
) -> Result<Vec<ResourceId>, Failed> {
    let Some(record) = write::read(tables, tenant, Kind::Group, group)? else {
        return Ok(Vec::new());
    };
    let mut back = Vec::new();
    for (member, stamp) in members {
        if pending::refused_stamp(tables, tenant, group, *member)? == Some(*stamp) {
            back.push(*member);
        }
    }
    put_back(tables, tenant, record, &back, origin, now)?;
    Ok(back)
}

/// Makes the membership of each the other one, which is what the Platform has.
pub(super) fn put_back(
    tables: &mut Tables<'_>,
    tenant: &str,
    mut record: Record,
    members: &[ResourceId],
    origin: Option<&Origin>,
    now: jiff::Timestamp,
) -> Result<(), Failed> {
    if members.is_empty() {
        return Ok(());
    }
    let mut moved = Moved::default();
    for member in members {
        let joined = membership::flip(tables, tenant, record.id, *member)?;
        match joined {
            1.. => moved.came(*member),
            0 => {}
            _ => moved.went(*member),
        }
        pending::confirm(tables, tenant, record.id, *member)?;
        record.member_count = record.member_count.saturating_add_signed(joined);
    }
    record.version += 1;
    record.modified = now;
    write::put(tables, tenant, &record)?;
    log::members(tables, tenant, &record, moved, origin, now)?;
    work::mark(tables, tenant, Kind::Group, record.id, now, None)
}

/// Takes back the removal of those members whom a brake holds. `false` when there are none.
pub(super) fn discard_members(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    origin: Option<&Origin>,
    now: jiff::Timestamp,
) -> Result<bool, Failed> {
    let lives = write::read(tables, tenant, Kind::Group, group)?.is_some();
    if !lives || !pending::has(tables, tenant, group, crate::store::Stage::Held)? {
        return Ok(false);
    }
    chores::begin(tables, tenant, Chore::Restore, group, now)?;
    let of = Subject {
        kind: Kind::Group,
        id: group,
    };
    log::act(tables, tenant, Deed::Discard, of, origin, now)?;
    Ok(true)
}

impl Reading {
    /// What a resource was when it was last applied.
    pub(super) fn pre_image(&self, tenant: &str, id: ResourceId) -> Result<Option<PreImage>, Failed> {
        get(&self.table(BEFORE)?, (tenant, id.as_u128()), "pre-image")
    }
}
