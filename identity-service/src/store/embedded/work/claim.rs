//! Claims: taking due work under a lease, and what a claim allows.

use std::time::Duration;

use jiff::Timestamp;
use redb::ReadableTable;

use super::{order, put};
use crate::{
    id::{ResourceId, Tenant},
    record::Record,
    store::{
        Claim, Claims, Intent, Work,
        embedded::{
            tables::{Counter, Failed, Tables, from_json, get, millis},
            tombstone,
        },
    },
};

/// How long a piece of work that cannot be read is left alone.
const CORRUPT_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Takes a tenant's due work under a lease.
pub(in crate::store::embedded) fn claim(
    tables: &mut Tables<'_>,
    tenant: &str,
    now: Timestamp,
    lease: Duration,
    limit: usize,
) -> Result<Claims, Failed> {
    if tables.pauses.get(tenant)?.is_some() {
        return Ok(Claims::default());
    }
    let mut due = Vec::new();
    let mut next: Option<u64> = None;
    for urgent in [true, false] {
        let order = if urgent { &tables.urgent } else { &tables.due };
        for entry in order
            .range((tenant, 0, 0)..=(tenant, u64::MAX, u128::MAX))?
            .take(limit + 1)
        {
            let (_, at, id) = entry?.0.value();
            if at > millis(now) || due.len() == limit {
                next = Some(next.map_or(at, |earlier| earlier.min(at)));
                break;
            }
            due.push((urgent, at, id));
        }
    }
    let next_due = next.and_then(|at| Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX)).ok());
    let mut claims = Vec::with_capacity(due.len());
    for (urgent, at, id) in due {
        match tables.work(tenant, id) {
            Ok(Some(old)) => claims.push(take(tables, tenant, id, &old, now, lease)?),
            Ok(None) => {
                tables.dirty = true;
                order(tables, urgent).remove((tenant, at, id))?;
            }
            Err(Failed::Corrupt(what, problem)) => {
                let id_shown = ResourceId::from_u128(id);
                tracing::error!(scim.resource.id = %id_shown, problem, "a {what} cannot be read; it is left alone");
                tables.dirty = true;
                order(tables, urgent).remove((tenant, at, id))?;
                order(tables, urgent).insert((tenant, millis(now + CORRUPT_PAUSE), id), ())?;
            }
            Err(failed) => return Err(failed),
        }
    }
    Ok(Claims { claims, next_due })
}

fn take(
    tables: &mut Tables<'_>,
    tenant: &str,
    id: u128,
    old: &Work,
    now: Timestamp,
    lease: Duration,
) -> Result<Claim, Failed> {
    let token = tables.add(tenant, Counter::Stamp, 1)?;
    let mut work = Work {
        lease: Some(token),
        held_until: None,
        held_by: None,
        due: now + lease,
        ..old.clone()
    };
    if work.refused_due.is_some_and(|at| at <= now) {
        work.retry_refused();
    }
    put(tables, tenant, id, Some(old), &work)?;
    Ok(Claim {
        tenant: Tenant::new(tenant),
        kind: work.kind,
        id: ResourceId::from_u128(id),
        token,
        stamp: work.stamp,
        attempts: work.attempts,
        since: work.since,
        braked: work.braked,
        released: work.released,
        traceparent: work.traceparent,
    })
}

/// Lets a claim hold until a later time, if it still holds.
pub(in crate::store::embedded) fn renew(
    tables: &mut Tables<'_>,
    claim: &Claim,
    until: Timestamp,
) -> Result<bool, Failed> {
    let (tenant, id) = (claim.tenant.as_str(), claim.id.as_u128());
    let present = tables.work(tenant, id)?;
    let Some(old) = present.filter(|work| work.lease == Some(claim.token)) else {
        return Ok(false);
    };
    let renewed = Work {
        due: until,
        ..old.clone()
    };
    put(tables, tenant, id, Some(&old), &renewed)?;
    Ok(true)
}

/// After the clock went back: what waits for a time is due now; who holds a lease keeps a fresh one.
pub(in crate::store::embedded) fn rewind(
    tables: &mut Tables<'_>,
    tenant: &str,
    now: Timestamp,
    lease: Duration,
) -> Result<(), Failed> {
    let lease_end = now + lease;
    let range = (tenant, millis(lease_end) + 1, 0)..=(tenant, u64::MAX, u128::MAX);
    let mut late = Vec::new();
    for table in [&tables.urgent, &tables.due] {
        for entry in table.range(range.clone())? {
            late.push(entry?.0.value().2);
        }
    }
    let earlier = |at: Option<Timestamp>| at.map(|at| at.min(lease_end));
    for id in late {
        // What cannot be read is told of when its turn comes.
        let Ok(Some(old)) = tables.work(tenant, id) else {
            continue;
        };
        let mut work = Work {
            not_before: earlier(old.not_before),
            held_until: earlier(old.held_until),
            refused_due: earlier(old.refused_due),
            ..old.clone()
        };
        let earliest = [work.not_before, work.held_until].into_iter().flatten().max();
        work.due = match work.lease {
            Some(_) => lease_end,
            None => earliest.map_or(now, |earliest| earliest.max(now)),
        };
        put(tables, tenant, id, Some(&old), &work)?;
    }
    Ok(())
}

/// Takes back every lease, and every hold on account of one: whoever held it is gone. What it had begun on the Platform
/// may still be under way for a moment, so the work is due a little later.
pub(in crate::store::embedded) fn release_leases(tables: &mut Tables<'_>, due: Timestamp) -> Result<usize, Failed> {
    let mut leased = Vec::new();
    for entry in tables.work.iter()? {
        let (key, value) = entry?;
        // What cannot be read is told of when its turn comes.
        let Ok(work) = from_json::<Work>(value.value(), "piece of work") else {
            continue;
        };
        if work.lease.is_some() || work.held_until.is_some() {
            let (tenant, id) = key.value();
            leased.push((tenant.to_owned(), id, work));
        }
    }
    for (tenant, id, work) in &leased {
        put(
            tables,
            tenant,
            *id,
            Some(work),
            &Work {
                lease: None,
                held_until: None,
                held_by: None,
                due: due.min(work.due).max(work.not_before.unwrap_or(due)),
                ..work.clone()
            },
        )?;
    }
    Ok(leased.len())
}

/// Notes a name under which a create call may be sent now, if the claim still holds and the resource still lives.
pub(in crate::store::embedded) fn record_intent(
    tables: &mut Tables<'_>,
    claim: &Claim,
    name: &str,
    folded: &str,
) -> Result<Intent, Failed> {
    let (tenant, id) = (claim.tenant.as_str(), claim.id.as_u128());
    let holds = tables
        .work(tenant, id)?
        .is_some_and(|work| work.lease == Some(claim.token));
    let lives = tables.records.get((tenant, claim.kind.number(), id))?.is_some();
    if !holds || !lives {
        return Ok(Intent::Void);
    }
    let other = tables
        .intents
        .get((tenant, claim.kind.number(), folded))?
        .map(|other| other.value())
        .filter(|other| *other != id);
    // A create call that is on its way may yet succeed: its intent must not be lost.
    if let Some(other) = other
        && tables.work(tenant, other)?.is_some_and(|work| work.lease.is_some())
    {
        return Ok(Intent::Taken(ResourceId::from_u128(other)));
    }
    tables.intend(tenant, claim.kind.number(), id, name, folded)?;
    Ok(Intent::Noted)
}

/// A record or, for a tombstone, `None`; outer `None` when there is neither.
pub(in crate::store::embedded) fn subject(
    records: &impl ReadableTable<(&'static str, u8, u128), &'static [u8]>,
    tombstones: &impl ReadableTable<(&'static str, u128), &'static [u8]>,
    claim: &Claim,
) -> Result<Option<Option<Record>>, Failed> {
    let (tenant, id) = (claim.tenant.as_str(), claim.id.as_u128());
    let record: Option<Record> = get(records, (tenant, claim.kind.number(), id), "record")?;
    if record.is_some() {
        return Ok(Some(record));
    }
    Ok(tombstone::read(tombstones, tenant, id)?.map(|_| None))
}
