//! Entries of the log, as the scripts keep them: names and values.

use redis::Value;
use serde::de::DeserializeOwned;

use super::values::{bytes, corrupt, id, json, list, nanos, number, parts, position, text};
use crate::{
    id::{Kind, ResourceId},
    store::{
        Act, Change, ChangeKind, Deed, LogEntry, Logged, MembersChange, Outcome, StoreError, Subject, Verdict,
        redis::keys::{id_of, kind_of},
    },
};

/// One entry.
pub(super) fn entry(entry: Value) -> Result<LogEntry, StoreError> {
    let [entry_id, fields] = parts(entry)?;
    let fields = Fields(list(fields)?);
    let what = match fields.needed("what", bytes)? {
        b"created" => change(&fields, ChangeKind::Created)?,
        b"updated" => change(&fields, ChangeKind::Updated)?,
        b"deleted" => change(&fields, ChangeKind::Deleted)?,
        b"outcome" => outcome(&fields)?,
        b"act" => act(&fields)?,
        _ => return Err(corrupt("entry of the log", "of no known kind")),
    };
    Ok(LogEntry {
        position: position(bytes(&entry_id)?)?,
        at: nanos(&fields.needed("at", text)?)?,
        what,
    })
}

fn change(fields: &Fields, what: ChangeKind) -> Result<Logged, StoreError> {
    Ok(Logged::Change(Change {
        what,
        kind: fields.needed("kind", kind)?,
        id: fields.needed("id", id)?,
        version: fields.needed("version", number)?,
        attributes: fields.needed("attributes", json_text)?,
        diff: fields.optional("diff", json_text)?.unwrap_or_default(),
        members: members(fields)?,
        origin: fields.optional("origin", json_text)?,
    }))
}

fn members(fields: &Fields) -> Result<Option<MembersChange>, StoreError> {
    let Some(added) = fields.optional("added", number)? else {
        return Ok(None);
    };
    Ok(Some(MembersChange {
        added,
        removed: fields.needed("removed", number)?,
        added_ids: fields.optional("came", ids)?.unwrap_or_default(),
        removed_ids: fields.optional("went", ids)?.unwrap_or_default(),
        ids_left_out: fields.find("unnamed").is_some(),
    }))
}

fn outcome(fields: &Fields) -> Result<Logged, StoreError> {
    let verdict = match fields.needed("outcome", bytes)? {
        b"applied" => Verdict::Applied,
        b"refused" => Verdict::Refused,
        b"later" => Verdict::Later,
        b"held" => Verdict::Held,
        b"planned" => Verdict::Planned,
        _ => return Err(corrupt("entry of the log", "of no known outcome")),
    };
    Ok(Logged::Outcome(Outcome {
        outcome: verdict,
        kind: fields.needed("kind", kind)?,
        id: fields.needed("id", id)?,
        from_version: fields.needed("from", number)?,
        to_version: fields.needed("to", number)?,
        failure: fields.optional("failure", json_text)?,
        planned: fields.optional("planned", json_text)?.unwrap_or_default(),
        members_applied: fields.optional("applied", number)?.unwrap_or(0),
        members_refused: fields.optional("refused", number)?.unwrap_or(0),
        trace_id: fields.optional("trace", text)?,
    }))
}

fn act(fields: &Fields) -> Result<Logged, StoreError> {
    let deed = match fields.needed("act", bytes)? {
        b"retry" => Deed::Retry,
        b"release" => Deed::Release,
        b"discard" => Deed::Discard,
        b"pause" => Deed::Pause,
        b"resume" => Deed::Resume,
        b"repair" => Deed::Repair,
        b"relink" => Deed::Relink,
        b"credential" => Deed::Credential,
        _ => return Err(corrupt("entry of the log", "of no known act")),
    };
    let resource = match fields.optional("id", id)? {
        Some(id) => Some(Subject {
            kind: fields.needed("kind", kind)?,
            id,
        }),
        None => None,
    };
    Ok(Logged::Act(Act {
        act: deed,
        resource,
        by: fields.optional("by", text)?.unwrap_or_default(),
        reason: fields.optional("reason", text)?.unwrap_or_default(),
        origin: fields.optional("origin", json_text)?,
    }))
}

/// Names and values by turns.
struct Fields(Vec<Value>);

impl Fields {
    fn find(&self, name: &str) -> Option<&Value> {
        let mut pairs = self.0.chunks_exact(2);
        let found = pairs.find(|pair| bytes(&pair[0]).is_ok_and(|known| known == name.as_bytes()));
        found.map(|pair| &pair[1])
    }

    fn optional<'v, T>(
        &'v self,
        name: &str,
        read: impl FnOnce(&'v Value) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.find(name).map(read).transpose()
    }

    fn needed<'v, T>(
        &'v self,
        name: &str,
        read: impl FnOnce(&'v Value) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.optional(name, read)?
            .ok_or_else(|| corrupt("entry of the log", "a field is missing"))
    }
}

fn json_text<T: DeserializeOwned>(value: &Value) -> Result<T, StoreError> {
    json("entry of the log", bytes(value)?)
}

fn kind(value: &Value) -> Result<Kind, StoreError> {
    kind_of(bytes(value)?).ok_or_else(|| corrupt("entry of the log", "of no known resource"))
}

/// Ids one after the other, as the store gives them: ascending.
fn ids(value: &Value) -> Result<Vec<ResourceId>, StoreError> {
    let mut ids = bytes(value)?
        .chunks(16)
        .map(id_of)
        .collect::<Result<Vec<ResourceId>, _>>()?;
    ids.sort_unstable();
    Ok(ids)
}
