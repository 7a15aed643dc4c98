//! Claims: taking due work under a lease, and what a claim allows.

use std::time::Duration;

use jiff::Timestamp;
use redb::ReadableTable;
use scim::fold_case;

use super::put;
use crate::{
    id::{Kind, ResourceId, Tenant},
    record::Record,
    store::{
        Claim, Claims, Intent, Work, WorkState,
        embedded::{
            pending::{self, Stage},
            tables::{Counter, Failed, Tables, from_json, get, millis},
            tombstone,
        },
    },
};

/// Takes due work under a lease.
pub(in crate::store::embedded) fn claim(
    tables: &mut Tables<'_>,
    now: Timestamp,
    lease: Duration,
    limit: usize,
) -> Result<Claims, Failed> {
    let mut due = Vec::new();
    let mut next_due = None;
    for entry in tables.due.range::<(u64, &str, u128)>(..)?.take(limit + 1) {
        let (key, _) = entry?;
        let (at, tenant, id) = key.value();
        if at > millis(now) || due.len() == limit {
            next_due = Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX)).ok();
            break;
        }
        due.push((tenant.to_owned(), id));
    }
    let mut claims = Vec::with_capacity(due.len());
    for (tenant, id) in due {
        let Some(old) = tables.work(&tenant, id)? else { continue };
        let token = tables.add(&tenant, Counter::Stamp, 1)?;
        if old.state == WorkState::Refused && old.kind == Kind::Group {
            let group = ResourceId::from_u128(id);
            for (member, _) in pending::members(tables, &tenant, group, Stage::Refused, usize::MAX)? {
                pending::restage(tables, &tenant, group, member, Stage::Ready)?;
            }
        }
        put(
            tables,
            &tenant,
            id,
            Some(&old),
            &Work {
                lease: Some(token),
                not_before: None,
                held_by: None,
                due: now + lease,
                ..old.clone()
            },
        )?;
        claims.push(Claim {
            tenant: Tenant::new(&tenant),
            kind: old.kind,
            id: ResourceId::from_u128(id),
            token,
            stamp: old.stamp,
            attempts: old.attempts,
            traceparent: old.traceparent,
        });
    }
    Ok(Claims { claims, next_due })
}

/// Takes back every lease, and every hold on account of one: whoever held it is gone. What it had begun on the Platform may still be under way for a
/// moment, so the work is due a little later.
pub(in crate::store::embedded) fn release_leases(tables: &mut Tables<'_>, due: Timestamp) -> Result<usize, Failed> {
    let mut leased = Vec::new();
    for entry in tables.work.iter()? {
        let (key, value) = entry?;
        let work: Work = from_json(value.value(), "piece of work")?;
        if work.lease.is_some() || work.not_before.is_some() {
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
                not_before: None,
                held_by: None,
                due: due.min(work.due),
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
        .get((tenant, claim.kind.number(), fold_case(name).as_str()))?
        .map(|other| other.value())
        .filter(|other| *other != id);
    // A create call that is on its way may yet succeed: its intent must not be lost.
    if let Some(other) = other
        && tables.work(tenant, other)?.is_some_and(|work| work.lease.is_some())
    {
        return Ok(Intent::Taken(ResourceId::from_u128(other)));
    }
    let mut link = tables.link(tenant, id)?;
    if !link.intents.iter().any(|known| known == name) {
        link.intents.push(name.to_owned());
        tables.put_link(tenant, claim.kind.number(), id, &link)?;
    }
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
