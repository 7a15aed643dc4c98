//! How a claim ends: what is kept of the Platform's answer, and what is still to be done.

use jiff::Timestamp;
use redb::ReadableTable;

use super::{
    mark, put, remove, told,
    waiting::{release, wake_waiters},
};
use crate::{
    id::{Kind, ResourceId},
    store::{
        Applied, Chore, Claim, Held, Link, Settlement, Stage, Tombstone, Tried, Verdict, Work, WorkState,
        embedded::{
            chores, membership, pending, revert,
            tables::{Failed, Tables},
            tombstone,
        },
    },
};

/// Ends a claim.
pub(in crate::store::embedded) fn settle(
    tables: &mut Tables<'_>,
    claim: &Claim,
    tried: &Tried,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<(), Failed> {
    let (tenant, id) = (claim.tenant.as_str(), claim.id.as_u128());
    let present = tables.work(tenant, id)?;
    if present.is_none() {
        // Another took the resource over meanwhile, and waits for this to be over.
        release(tables, tenant, claim, now)?;
    }
    let Some(old) = present.filter(|work| work.lease == Some(claim.token)) else {
        return Ok(());
    };
    let newer = old.stamp != claim.stamp;
    let released = Work {
        lease: None,
        ..old.clone()
    };
    match settlement {
        Settlement::Applied(applied) => settle_applied(tables, claim, tried, applied, &old, newer, now),
        Settlement::Postponed {
            failure,
            retry_at,
            not_before,
            waits_for,
            void_intents,
        } => {
            told::failed(tables, claim, tried, (Verdict::Later, failure), &old, now)?;
            forget_intents(tables, claim, void_intents, now)?;
            // A change that came meanwhile is worth a try of its own.
            let mut due = if newer { now } else { *retry_at };
            if let Some(on) = waits_for {
                tables.waiting.insert((tenant, on.as_u128(), id), ())?;
                // It may have got on between the look at it and now: then no bell will ring.
                if tables.work(tenant, on.as_u128())?.is_none() {
                    due = now;
                }
            }
            let work = Work {
                due: not_before.map_or(due, |earliest| earliest.max(due)),
                not_before: *not_before,
                state: WorkState::Pending,
                attempts: old.attempts + 1,
                failure: Some(failure.clone()),
                ..released
            };
            put(tables, tenant, id, Some(&old), &work)
        }
        Settlement::Held(held) => settle_held(tables, claim, tried, held, &old, newer, now),
        Settlement::Planned(steps) => {
            told::planned(tables, claim, tried, steps, now)?;
            // Nothing more becomes of this one for now: who waits for it can be planned.
            wake_waiters(tables, tenant, claim.id, now)?;
            let known = Work {
                not_before: None,
                attempts: 0,
                due: now,
                failure: None,
                ..released
            };
            let work = if newer {
                known
            } else {
                Work {
                    state: WorkState::Planned,
                    plan: steps.clone(),
                    ..known
                }
            };
            put(tables, tenant, id, Some(&old), &work)
        }
        Settlement::Refused {
            failure,
            retry_at,
            void_intents,
        } => {
            told::failed(tables, claim, tried, (Verdict::Refused, failure), &old, now)?;
            forget_intents(tables, claim, void_intents, now)?;
            let answered = Work {
                not_before: None,
                ..released
            };
            let work = if newer {
                Work { due: now, ..answered }
            } else {
                Work {
                    state: WorkState::Refused,
                    due: *retry_at,
                    attempts: old.attempts + 1,
                    failure: Some(failure.clone()),
                    ..answered
                }
            };
            put(tables, tenant, id, Some(&old), &work)
        }
    }
}

/// A brake is on; what it allowed was done.
fn settle_held(
    tables: &mut Tables<'_>,
    claim: &Claim,
    tried: &Tried,
    held: &Held,
    old: &Work,
    newer: bool,
    now: Timestamp,
) -> Result<(), Failed> {
    let (tenant, id) = (claim.tenant.as_str(), claim.id.as_u128());
    told::held(tables, claim, tried, now)?;
    if held.object.is_some() {
        keep_object(tables, claim, held.object.as_ref(), held.disabled)?;
    }
    let work = Work {
        lease: None,
        not_before: None,
        attempts: 0,
        due: now,
        state: if newer { WorkState::Pending } else { WorkState::Held },
        failure: None,
        braked: held.brake.filter(|_| !newer).or(old.braked),
        ..old.clone()
    };
    put(tables, tenant, id, Some(old), &work)
}

/// Forgets intents that turned out void; who waits for one of those names may have it. The others stand: something may yet
/// be found under them.
fn forget_intents(tables: &mut Tables<'_>, claim: &Claim, void: &[String], now: Timestamp) -> Result<(), Failed> {
    if void.is_empty() {
        return Ok(());
    }
    let (tenant, id) = (claim.tenant.as_str(), claim.id.as_u128());
    let mut link = tables.link(tenant, id)?;
    link.intents.retain(|name| !void.contains(name));
    tables.put_link(tenant, claim.kind.number(), id, &link)?;
    wake_waiters(tables, tenant, claim.id, now)
}

fn settle_applied(
    tables: &mut Tables<'_>,
    claim: &Claim,
    tried: &Tried,
    applied: &Applied,
    old: &Work,
    newer: bool,
    now: Timestamp,
) -> Result<(), Failed> {
    let (tenant, id) = (claim.tenant.as_str(), claim.id.as_u128());
    if let Some(other) = other_owner(tables, claim, applied)? {
        return contested(tables, claim, other, applied.contested_until, old, now);
    }
    told::applied(tables, claim, tried, applied, old, now)?;
    if let Some(buried) = tombstone::read(&tables.tombstones, tenant, id)? {
        return settle_removal(tables, claim, applied, &buried, newer, old, now);
    }
    relink(tables, claim, applied, now)?;
    revert::applied(tables, claim, applied)?;
    wake_waiters(tables, tenant, claim.id, now)?;
    for member in &applied.confirmed {
        if pending::stamp(tables, tenant, claim.id, member.id)? == Some(member.stamp) {
            pending::confirm(tables, tenant, claim.id, member.id)?;
        }
    }
    for member in &applied.refused {
        if pending::stamp(tables, tenant, claim.id, member.id)? == Some(member.stamp) {
            pending::restage(tables, tenant, claim.id, member.id, Stage::Refused(old.refused_round))?;
        }
    }

    let later = applied.retry_at.unwrap_or(now);
    let members = members_left(tables, claim, old)?;
    // Those who were refused first are not kept waiting by those who were refused after them.
    let refused_due = members.refused.then(|| old.refused_due.unwrap_or(later).min(later));
    let failure = members
        .refused
        .then(|| applied.refused_because.clone().or_else(|| old.failure.clone()))
        .flatten();
    // What was to be done is done: what is left was asked for while it was.
    let is_behind = members.refused || members.waiting || members.held;
    let caught_up = applied.caught_up.filter(|_| !is_behind);
    let done = Work {
        since: caught_up.map_or(old.since, |at| at.max(old.since)),
        lease: None,
        not_before: None,
        attempts: 0,
        failure,
        state: WorkState::Pending,
        refused_due,
        ..old.clone()
    };
    let more_at = applied.more_at.filter(|_| members.ready);
    let work = if newer || members.ready {
        Work {
            due: more_at.unwrap_or(now),
            not_before: more_at,
            ..done
        }
    } else if let Some(due) = refused_due {
        Work {
            state: WorkState::Refused,
            due,
            attempts: old.attempts + 1,
            ..done
        }
    } else if members.waiting {
        Work { due: later, ..done }
    } else if members.held {
        Work {
            state: WorkState::Held,
            ..done
        }
    } else if let Some(on) = applied.waits_for {
        tables.waiting.insert((tenant, on.as_u128(), id), ())?;
        // It may have got its object between the reading of the order and now, or be gone: then no bell will ring.
        let there = tables.link(tenant, on.as_u128())?.platform_id.is_some();
        let gone = tables
            .records
            .get((tenant, Kind::User.number(), on.as_u128()))?
            .is_none();
        Work {
            due: if there || gone { now } else { later },
            since: old.since,
            ..done
        }
    } else if let Some(until) = applied.gather_until {
        Work {
            due: until,
            not_before: Some(until),
            ..done
        }
    } else {
        remove(tables, tenant, id)?;
        return Ok(());
    };
    put(tables, tenant, id, Some(old), &work)
}

/// Which unconfirmed members a group has.
struct MembersLeft {
    ready: bool,
    refused: bool,
    waiting: bool,
    held: bool,
}

fn members_left(tables: &Tables<'_>, claim: &Claim, work: &Work) -> Result<MembersLeft, Failed> {
    let (tenant, group) = (claim.tenant.as_str(), claim.id);
    let (is_group, round) = (claim.kind == Kind::Group, work.refused_round);
    Ok(MembersLeft {
        ready: is_group && !pending::ready(&tables.pending, tenant, group, round, 1)?.is_empty(),
        refused: is_group && pending::has(tables, tenant, group, Stage::Refused(round))?,
        waiting: is_group && pending::has(tables, tenant, group, Stage::Waiting)?,
        held: is_group && pending::has(tables, tenant, group, Stage::Held)?,
    })
}

/// Another resource that owns the object already.
fn other_owner(tables: &Tables<'_>, claim: &Claim, applied: &Applied) -> Result<Option<ResourceId>, Failed> {
    let Some((platform_id, _)) = &applied.object else {
        return Ok(None);
    };
    let key = (claim.tenant.as_str(), claim.kind.number(), platform_id.as_str());
    let owner = tables
        .owners
        .get(key)?
        .map(|owner| ResourceId::from_u128(owner.value()));
    Ok(owner.filter(|owner| *owner != claim.id))
}

/// Two resources came to the same object: who has it keeps it. It is delivered once more, since this one has just written
/// over it; this one forgets what led it there, looks anew after a pause, and then finds it taken.
fn contested(
    tables: &mut Tables<'_>,
    claim: &Claim,
    owner: ResourceId,
    until: Option<Timestamp>,
    old: &Work,
    now: Timestamp,
) -> Result<(), Failed> {
    let (tenant, id) = (claim.tenant.as_str(), claim.id.as_u128());
    let unapplied = Link {
        applied_document: 0,
        ..tables.link(tenant, owner.as_u128())?
    };
    tables.put_link(tenant, claim.kind.number(), owner.as_u128(), &unapplied)?;
    mark(tables, tenant, claim.kind, owner, now, None)?;
    let misled = Link {
        intents: Vec::new(),
        ..tables.link(tenant, id)?
    };
    tables.put_link(tenant, claim.kind.number(), id, &misled)?;
    let again = Work {
        lease: None,
        due: until.unwrap_or(now),
        attempts: old.attempts + 1,
        ..old.clone()
    };
    put(tables, tenant, id, Some(old), &again)
}

/// Keeps what is now known of the Platform object, and sets going what that makes possible.
fn relink(tables: &mut Tables<'_>, claim: &Claim, applied: &Applied, now: Timestamp) -> Result<(), Failed> {
    let (tenant, id, kind) = (claim.tenant.as_str(), claim.id.as_u128(), claim.kind);
    let Some((platform_id, backend)) = &applied.object else {
        return Ok(());
    };
    let before = tables.link(tenant, id)?;
    let moved = before.platform_id.as_ref() != Some(platform_id);
    if moved {
        tables.disown(tenant, kind.number(), id, before.platform_id.as_deref())?;
    }
    let link = Link {
        platform_id: Some(platform_id.clone()),
        backend: backend.clone(),
        intents: Vec::new(),
        applied_version: applied.versions.0,
        applied_document: applied.versions.1,
        disabled: applied.disabled,
    };
    tables.put_link(tenant, kind.number(), id, &link)?;
    if !moved {
        return Ok(());
    }
    // Another object than before: the memberships that the old one had are gone with it.
    let replaced = before.platform_id.is_some();
    let chores: &[Chore] = match kind {
        Kind::User if replaced => &[Chore::JoinAgain, Chore::Ready, Chore::Reports],
        Kind::User => &[Chore::Ready, Chore::Reports],
        Kind::Group if replaced => &[Chore::Refill],
        Kind::Group => &[],
    };
    for chore in chores {
        chores::begin(tables, tenant, *chore, claim.id, now)?;
    }
    Ok(())
}

/// Keeps the Platform object of a tombstone.
fn keep_object(
    tables: &mut Tables<'_>,
    claim: &Claim,
    object: Option<&(String, String)>,
    disabled: bool,
) -> Result<(), Failed> {
    let (tenant, id, kind) = (claim.tenant.as_str(), claim.id.as_u128(), claim.kind);
    let Some((platform_id, backend)) = object else {
        return Ok(());
    };
    let before = tables.link(tenant, id)?;
    if before.platform_id.as_ref() != Some(platform_id) {
        tables.disown(tenant, kind.number(), id, before.platform_id.as_deref())?;
    }
    let link = Link {
        platform_id: Some(platform_id.clone()),
        backend: backend.clone(),
        intents: Vec::new(),
        disabled,
        ..before
    };
    tables.put_link(tenant, kind.number(), id, &link)
}

/// A removal was applied: either the object is gone, or its account is disabled and kept.
fn settle_removal(
    tables: &mut Tables<'_>,
    claim: &Claim,
    applied: &Applied,
    buried: &Tombstone,
    newer: bool,
    old: &Work,
    now: Timestamp,
) -> Result<(), Failed> {
    let (tenant, id, kind) = (claim.tenant.as_str(), claim.id.as_u128(), claim.kind);
    if applied.object.is_some() {
        keep_object(tables, claim, applied.object.as_ref(), applied.disabled)?;
        if newer {
            return put(
                tables,
                tenant,
                id,
                Some(old),
                &Work {
                    lease: None,
                    due: now,
                    ..old.clone()
                },
            );
        }
    } else {
        tables.remove_link(tenant, kind.number(), id)?;
        tombstone::forget(tables, tenant, claim.id, buried)?;
        if kind == Kind::Group {
            membership::dissolve(tables, tenant, claim.id, now)?;
        }
        // An account that is gone is in no group any more; a group that waited for this has one thing less to do.
        for group in pending::groups(tables, tenant, claim.id)? {
            pending::confirm(tables, tenant, group, claim.id)?;
            let key = (tenant, Kind::Group.number(), group.as_u128());
            let is_there = tables.records.get(key)?.is_some();
            if is_there && tables.work(tenant, group.as_u128())?.is_some() {
                mark(tables, tenant, Kind::Group, group, now, None)?;
            }
        }
    }
    remove(tables, tenant, id)?;
    revert::forget(tables, tenant, kind, id)?;
    wake_waiters(tables, tenant, claim.id, now)
}
