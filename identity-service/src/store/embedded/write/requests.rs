//! What was answered to request ids, so that a repeat gets the first answer.

use jiff::Timestamp;
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::{
    record::Record,
    store::{
        RequestKey, WriteError, Written,
        embedded::tables::{Failed, Tables, get, millis, to_json},
    },
};

/// How long a request id is remembered.
const REQUEST_MEMORY_MS: u64 = 24 * 60 * 60 * 1000;

/// How many remembered requests one step forgets at most.
const FORGET_AT_ONCE: usize = 8;

/// What was answered to a request id.
#[derive(Debug, Serialize, Deserialize)]
struct Answered {
    at: Timestamp,
    digest: [u8; 32],
    record: Record,
    changed: bool,
}

/// The first answer, if the request id was used in the last day; an error if it was used for something else.
pub(in crate::store::embedded) fn answered(
    requests: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
    tenant: &str,
    request: &RequestKey,
    now: Timestamp,
) -> Result<Option<Result<Written, WriteError>>, Failed> {
    let answered: Option<Answered> = get(requests, (tenant, request.id.as_str()), "request")?;
    let remembered = answered.filter(|answered| millis(answered.at) >= horizon(now));
    Ok(remembered.map(|answered| {
        if answered.digest == request.digest {
            Ok(Written {
                record: answered.record,
                changed: answered.changed,
                replaced_out: 0,
                braked: None,
            })
        } else {
            Err(WriteError::RequestIdReused)
        }
    }))
}

/// Forgets an answer that is no longer true.
pub(in crate::store::embedded) fn forget(tables: &mut Tables<'_>, tenant: &str, request: &str) -> Result<(), Failed> {
    let answered: Option<Answered> = get(&tables.requests, (tenant, request), "request")?;
    if let Some(answered) = answered {
        tables.dirty = true;
        tables.requests.remove((tenant, request))?;
        tables.request_ages.remove((tenant, millis(answered.at), request))?;
    }
    Ok(())
}

/// Keeps an answer, and forgets some that are too old.
pub(super) fn remember(
    tables: &mut Tables<'_>,
    tenant: &str,
    request: &RequestKey,
    written: &Written,
    now: Timestamp,
) -> Result<(), Failed> {
    tables.dirty = true;
    // An answer that is too old may still stand under the id.
    let before: Option<Answered> = get(&tables.requests, (tenant, request.id.as_str()), "request")?;
    if let Some(before) = before {
        tables
            .request_ages
            .remove((tenant, millis(before.at), request.id.as_str()))?;
    }
    let answered = Answered {
        at: now,
        digest: request.digest,
        record: written.record.clone(),
        changed: written.changed,
    };
    tables
        .requests
        .insert((tenant, request.id.as_str()), to_json(&answered).as_slice())?;
    tables
        .request_ages
        .insert((tenant, millis(now), request.id.as_str()), ())?;

    let mut old = Vec::new();
    for entry in tables
        .request_ages
        .range((tenant, 0, "")..(tenant, horizon(now), ""))?
        .take(FORGET_AT_ONCE)
    {
        let (key, _) = entry?;
        let (_, at, id) = key.value();
        old.push((at, id.to_owned()));
    }
    for (at, id) in old {
        tables.request_ages.remove((tenant, at, id.as_str()))?;
        tables.requests.remove((tenant, id.as_str()))?;
    }
    Ok(())
}

/// What was answered before then is forgotten.
fn horizon(now: Timestamp) -> u64 {
    millis(now).saturating_sub(REQUEST_MEMORY_MS)
}
