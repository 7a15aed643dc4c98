//! The one step that creates, updates or deletes a resource: every check first, then every write.
//!
//! A step that fails a check has written nothing, so that steps of many callers can share one commit.

mod create;
mod delete;
pub(super) mod keys;
pub(super) mod requests;
mod update;

use super::tables::{Counter, Failed, Tables, get, to_json};
use crate::{
    id::{Kind, ResourceId},
    record::Record,
    store::{Action, Write, WriteError, Written},
};

/// Runs the step.
pub(super) fn write(
    tables: &mut Tables<'_>,
    tenant: &str,
    write: &Write,
) -> Result<Result<Written, WriteError>, Failed> {
    if let Some(request) = &write.request
        && let Some(answer) = requests::answered(&tables.requests, tenant, request, write.now)?
    {
        return Ok(answer);
    }
    let written = match &write.action {
        Action::Create {
            document,
            keys,
            members,
        } => create::create(tables, tenant, write, document, keys, members)?,
        Action::Update { document, members } => {
            update::update(tables, tenant, write, document.as_ref(), members.as_ref())?
        }
        Action::Delete { expected, keys } => delete::delete(tables, tenant, write, *expected, keys)?,
    };
    if let (Ok(written), Some(request)) = (&written, &write.request) {
        requests::remember(tables, tenant, request, written, write.now)?;
    }
    Ok(written)
}

/// The record, if it exists and is at the version that the caller insists on.
fn present(tables: &Tables<'_>, tenant: &str, write: &Write) -> Result<Result<Record, WriteError>, Failed> {
    Ok(match read(tables, tenant, write.kind, write.id)? {
        None => Err(WriteError::NotFound),
        Some(record) if write.if_version.is_some_and(|version| version != record.version) => {
            Err(WriteError::VersionMismatch {
                present: record.version,
            })
        }
        Some(record) => Ok(record),
    })
}

pub(super) fn read(tables: &Tables<'_>, tenant: &str, kind: Kind, id: ResourceId) -> Result<Option<Record>, Failed> {
    get(&tables.records, (tenant, kind.number(), id.as_u128()), "record")
}

pub(super) fn put(tables: &mut Tables<'_>, tenant: &str, record: &Record) -> Result<(), Failed> {
    tables.dirty = true;
    tables.records.insert(
        (tenant, record.kind.number(), record.id.as_u128()),
        to_json(record).as_slice(),
    )?;
    Ok(())
}

pub(super) fn count_of(kind: Kind) -> Counter {
    match kind {
        Kind::User => Counter::Users,
        Kind::Group => Counter::Groups,
    }
}
