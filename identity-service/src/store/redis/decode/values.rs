//! The values within an answer: ids, records, links, pieces of work, as the scripts keep them.

use jiff::Timestamp;
use redis::Value;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    id::{Kind, ResourceId},
    record::Record,
    store::{
        Brake, Delivery, Failure, KeptLink, Link, Owned, PreImage, RequestKey, StoreError, Tombstone, Work, WorkState,
        WriteError, Written,
        redis::{
            args::hex,
            keys::{id_of, kind_of},
        },
    },
};

pub(super) fn corrupt(what: &'static str, where_: &str) -> StoreError {
    StoreError::Corrupt {
        what,
        problem: where_.to_owned(),
    }
}

pub(super) fn list(value: Value) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(corrupt("answer", "not a list")),
    }
}

pub(super) fn parts<const N: usize>(value: Value) -> Result<[Value; N], StoreError> {
    <[Value; N]>::try_from(list(value)?).map_err(|_| corrupt("answer", "of another length"))
}

pub(super) fn bytes(value: &Value) -> Result<&[u8], StoreError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.as_bytes()),
        Value::Nil => Ok(b""),
        _ => Err(corrupt("answer", "not a text")),
    }
}

pub(super) fn text(value: &Value) -> Result<String, StoreError> {
    String::from_utf8(bytes(value)?.to_vec()).map_err(|_| corrupt("text", "not UTF-8"))
}

pub(super) fn number<T: std::str::FromStr>(value: &Value) -> Result<T, StoreError> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        other => text(other)?,
    };
    text.parse().map_err(|_| corrupt("number", "not a number"))
}

pub(super) fn id(value: &Value) -> Result<ResourceId, StoreError> {
    id_of(bytes(value)?)
}

pub(super) fn position(id: &[u8]) -> Result<u64, StoreError> {
    let text = std::str::from_utf8(id)
        .ok()
        .and_then(|id| id.split_once('-'))
        .map(|(position, _)| position);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| corrupt("position", "in the feed"))
}

pub(super) fn time(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|_| corrupt("time", "out of range"))
}

pub(super) fn nanos(text: &str) -> Result<Timestamp, StoreError> {
    let nanos = text.parse().ok();
    nanos
        .and_then(|nanos| Timestamp::from_nanosecond(nanos).ok())
        .ok_or_else(|| corrupt("time", "not a time"))
}

pub(super) fn json<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    // The error's own words may quote a value.
    serde_json::from_slice(bytes).map_err(|error| StoreError::Corrupt {
        what,
        problem: format!("{:?} error at column {}", error.classify(), error.column()),
    })
}

pub(super) fn record(kind: Kind, id: ResourceId, value: &Value) -> Result<Record, StoreError> {
    record_of(kind, id, bytes(value)?)
}

pub(super) fn record_of(kind: Kind, id: ResourceId, raw: &[u8]) -> Result<Record, StoreError> {
    let unreadable = || corrupt("record", "its head cannot be read");
    let (head, document) = split_head(raw).ok_or_else(unreadable)?;
    let [version, document_version, created, modified, members] = head[..] else {
        return Err(unreadable());
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| unreadable());
    Ok(Record {
        id,
        kind,
        version: number(version)?,
        document_version: number(document_version)?,
        created: nanos(created)?,
        modified: nanos(modified)?,
        member_count: number(members)?,
        document: json("record", document)?,
    })
}

/// An answer that was kept: `at digest changed kind id`, a line feed, the record.
pub(super) fn answered(kept: &[u8], request: &RequestKey) -> Result<Written, WriteError> {
    let unreadable = || corrupt("answer", "kept for a request id");
    let (head, raw) = split_head(kept).ok_or_else(unreadable)?;
    let [_, digest, changed, kind, of] = head[..] else {
        return Err(unreadable().into());
    };
    if digest != hex(&request.digest) {
        return Err(WriteError::RequestIdReused);
    }
    let kind = kind_of(kind.as_bytes()).ok_or_else(unreadable)?;
    let of = u128::from_str_radix(of, 16).map_err(|_| unreadable())?;
    Ok(Written {
        record: record_of(kind, ResourceId::from_u128(of), raw)?,
        changed: changed == "1",
        replaced_out: 0,
        braked: None,
    })
}

/// The head of a pre-image, before the record as it was.
#[derive(Deserialize)]
struct ImageHead {
    first: u64,
    #[serde(default)]
    names: Vec<String>,
}

pub(super) fn pre_image(kind: Kind, of: ResourceId, kept: &[u8]) -> Result<PreImage, StoreError> {
    let end = kept.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| corrupt("pre-image", "without a head"))?;
    let head: ImageHead = json("pre-image", &kept[..end])?;
    let record = &kept[end + 1..];
    let record = (!record.is_empty()).then(|| record_of(kind, of, record)).transpose()?;
    Ok(PreImage {
        first: head.first,
        names: head.names,
        record,
    })
}

/// The brake of that name; none when it is empty.
pub(super) fn brake(value: &Value) -> Result<Option<Brake>, StoreError> {
    match bytes(value)? {
        b"" => Ok(None),
        b"removals" => Ok(Some(Brake::Removals)),
        b"deactivations" => Ok(Some(Brake::Deactivations)),
        b"alarm" => Ok(Some(Brake::Alarm)),
        _ => Err(corrupt("brake", "of no known name")),
    }
}

/// The fields of the first line, and what follows it.
fn split_head(raw: &[u8]) -> Option<(Vec<&str>, &[u8])> {
    let end = raw.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&raw[..end]).ok()?;
    Some((head.split(' ').collect(), &raw[end + 1..]))
}

pub(super) fn kept_link(value: &Value) -> Result<Option<KeptLink>, StoreError> {
    match bytes(value)? {
        b"" => Ok(None),
        raw => json("link", raw).map(Some),
    }
}

pub(super) fn link(value: &Value) -> Result<Option<Link>, StoreError> {
    Ok(kept_link(value)?.map(KeptLink::shown))
}

/// The owner of an object: nothing, or its id, record, link, and whether it is at rest.
pub(super) fn owned(kind: Kind, value: Value) -> Result<Option<Owned>, StoreError> {
    let values = list(value)?;
    if values.is_empty() {
        return Ok(None);
    }
    let [owner, raw, link_value, at_rest] = parts(Value::Array(values))?;
    let id = id(&owner)?;
    let record = match bytes(&raw)? {
        b"" => Ok(None),
        raw => record_of(kind, id, raw).map(Some),
    };
    Ok(Some(match (record, link(&link_value)) {
        (Ok(record), Ok(link)) => Owned {
            id,
            record,
            disabled: link.is_some_and(|link| link.disabled),
            at_rest: number::<u8>(&at_rest)? == 1,
        },
        (Err(error), _) | (_, Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, scim.resource.id = %id, "the owner of an object cannot be read; it is left alone");
            Owned {
                id,
                record: None,
                disabled: false,
                at_rest: false,
            }
        }
    }))
}

/// A tombstone as the scripts keep it; its time is in nanoseconds.
#[derive(Deserialize)]
struct BuriedAs {
    kind: Kind,
    name: String,
    version: u64,
    at: String,
}

pub(super) fn tombstone(raw: &[u8]) -> Result<Tombstone, StoreError> {
    let kept: BuriedAs = json("tombstone", raw)?;
    Ok(Tombstone {
        kind: kept.kind,
        name: kept.name,
        version: kept.version,
        at: nanos(&kept.at)?,
    })
}

/// A piece of work as the scripts keep it; times are in milliseconds.
#[derive(Deserialize)]
struct KeptWork {
    kind: Kind,
    stamp: u64,
    due: i64,
    not_before: Option<i64>,
    held_until: Option<i64>,
    held_by: Option<u64>,
    refused_due: Option<i64>,
    refused_round: u64,
    lease: Option<u64>,
    attempts: u32,
    since: i64,
    #[serde(default)]
    urgent: bool,
    braked: Option<Brake>,
    #[serde(default)]
    released: bool,
    state: WorkState,
    #[serde(default)]
    plan: Vec<String>,
    failure: Option<Failure>,
    traceparent: Option<String>,
}

fn work(raw: &[u8]) -> Result<Work, StoreError> {
    let kept: KeptWork = json("piece of work", raw)?;
    let optional = |at: Option<i64>| at.map(time).transpose();
    Ok(Work {
        kind: kept.kind,
        stamp: kept.stamp,
        due: time(kept.due)?,
        not_before: optional(kept.not_before)?,
        held_until: optional(kept.held_until)?,
        held_by: kept.held_by,
        refused_due: optional(kept.refused_due)?,
        refused_round: kept.refused_round,
        lease: kept.lease,
        attempts: kept.attempts,
        since: time(kept.since)?,
        urgent: kept.urgent,
        braked: kept.braked,
        released: kept.released,
        state: kept.state,
        plan: kept.plan,
        failure: kept.failure,
        traceparent: kept.traceparent,
    })
}

pub(super) fn delivery(value: Value) -> Result<Delivery, StoreError> {
    let [kind, version, deleted, kept, raw_work, pending_members, of] = parts(value)?;
    let raw_work = bytes(&raw_work)?;
    Ok(Delivery {
        kind: kind_of(bytes(&kind)?).ok_or_else(|| corrupt("kind", "of a delivery"))?,
        id: id(&of)?,
        version: number(&version)?,
        deleted: number::<u8>(&deleted)? == 1,
        link: link(&kept)?.unwrap_or_default(),
        work: (!raw_work.is_empty()).then(|| work(raw_work)).transpose()?,
        pending_members: number(&pending_members)?,
    })
}
