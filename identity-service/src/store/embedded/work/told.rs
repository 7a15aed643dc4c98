//! What the log tells of how claims ended. What ended as before tells nothing new: an outage, or a refusal that is tried
//! again every hour, must not push out what else was logged; nor has a delivery an entry that was woken for nothing.

use jiff::Timestamp;

use crate::store::{
    Applied, Claim, Failure, Link, Logged, Outcome, Tried, Verdict, Work, WorkState,
    embedded::{
        log,
        tables::{Failed, Tables},
        tombstone, write,
    },
};

/// Logs that a delivery failed, if it did not fail so before.
pub(super) fn failed(
    tables: &mut Tables<'_>,
    claim: &Claim,
    tried: &Tried,
    (verdict, failure): (Verdict, &Failure),
    old: &Work,
    now: Timestamp,
) -> Result<(), Failed> {
    let known = match verdict {
        Verdict::Later => old.failure.as_ref().is_some_and(|old| old.reason == failure.reason),
        _ => old.state == WorkState::Refused && old.failure.as_ref() == Some(failure),
    };
    if known {
        return Ok(());
    }
    let link = tables.link(claim.tenant.as_str(), claim.id.as_u128())?;
    let outcome = Outcome {
        failure: Some(failure.clone()),
        ..outcome(tables, claim, tried, verdict, &link)?
    };
    log::append(tables, claim.tenant.as_str(), Logged::Outcome(outcome), now)
}

/// Logs that a brake is on: what it holds is not claimed again before something new happens.
pub(super) fn held(tables: &mut Tables<'_>, claim: &Claim, tried: &Tried, now: Timestamp) -> Result<(), Failed> {
    let link = tables.link(claim.tenant.as_str(), claim.id.as_u128())?;
    let outcome = outcome(tables, claim, tried, Verdict::Held, &link)?;
    log::append(tables, claim.tenant.as_str(), Logged::Outcome(outcome), now)
}

/// Logs what would be written: what is planned is not claimed again before something new happens.
pub(super) fn planned(
    tables: &mut Tables<'_>,
    claim: &Claim,
    tried: &Tried,
    steps: &[String],
    now: Timestamp,
) -> Result<(), Failed> {
    let link = tables.link(claim.tenant.as_str(), claim.id.as_u128())?;
    let outcome = Outcome {
        planned: steps.to_vec(),
        ..outcome(tables, claim, tried, Verdict::Planned, &link)?
    };
    log::append(tables, claim.tenant.as_str(), Logged::Outcome(outcome), now)
}

/// Logs that an order was applied, if that did anything; the link is still as it was before.
pub(super) fn applied(
    tables: &mut Tables<'_>,
    claim: &Claim,
    tried: &Tried,
    applied: &Applied,
    old: &Work,
    now: Timestamp,
) -> Result<(), Failed> {
    let link = tables.link(claim.tenant.as_str(), claim.id.as_u128())?;
    let platform_id = applied.object.as_ref().map(|(platform_id, _)| platform_id);
    let unmoved = link.platform_id.as_ref() == platform_id
        && (link.applied_version, link.applied_document) == applied.versions
        && applied.confirmed.is_empty();
    let because = applied.refused_because.as_ref().filter(|_| !applied.refused.is_empty());
    let known = match because {
        None => old.failure.is_none() && applied.refused.is_empty(),
        Some(_) => old.state == WorkState::Refused && old.failure.as_ref() == because,
    };
    let is_removal = tombstone::read(&tables.tombstones, claim.tenant.as_str(), claim.id.as_u128())?.is_some();
    if unmoved && known && !is_removal {
        return Ok(());
    }
    let verdict = if applied.refused.is_empty() {
        Verdict::Applied
    } else {
        Verdict::Refused
    };
    let of = Tried {
        version: Some(applied.versions.0).filter(|version| *version > 0),
        trace_id: tried.trace_id.clone(),
    };
    let outcome = Outcome {
        failure: because.cloned(),
        members_applied: applied.confirmed.len() as u64,
        members_refused: applied.refused.len() as u64,
        ..outcome(tables, claim, &of, verdict, &link)?
    };
    log::append(tables, claim.tenant.as_str(), Logged::Outcome(outcome), now)
}

fn outcome(
    tables: &Tables<'_>,
    claim: &Claim,
    tried: &Tried,
    verdict: Verdict,
    link: &Link,
) -> Result<Outcome, Failed> {
    let to_version = match tried.version {
        Some(version) => version,
        None => present_version(tables, claim)?,
    };
    Ok(Outcome {
        outcome: verdict,
        kind: claim.kind,
        id: claim.id,
        from_version: link.applied_version,
        to_version,
        failure: None,
        planned: Vec::new(),
        members_applied: 0,
        members_refused: 0,
        trace_id: tried.trace_id.clone(),
    })
}

fn present_version(tables: &Tables<'_>, claim: &Claim) -> Result<u64, Failed> {
    let tenant = claim.tenant.as_str();
    if let Some(record) = write::read(tables, tenant, claim.kind, claim.id)? {
        return Ok(record.version);
    }
    let tombstone = tombstone::read(&tables.tombstones, tenant, claim.id.as_u128())?;
    Ok(tombstone.map_or(0, |tombstone| tombstone.version))
}
