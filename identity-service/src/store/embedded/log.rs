//! The tenant's log: one entry for each change, each outcome and each act, bounded by length and age.

use std::time::Duration;

use jiff::Timestamp;
use redb::ReadableTable;
use serde::Deserialize;

use super::{
    membership::Moved,
    tables::{COUNTERS, Counter, Failed, LOG, Reading, Tables, from_json, read_counter, to_json},
};
use crate::{
    record::Record,
    store::{Act, Change, ChangeKind, Deed, LogEntry, LogPage, Logged, MembersChange, Origin, Subject, Write},
};

/// How many old entries the step that adds one takes out at most.
const TRIM_AT_ONCE: usize = 8;

/// How much of its log a tenant keeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How many entries.
    pub(super) length: u64,
    /// For how long; 0 for ever.
    pub(super) retention: Duration,
}

impl Bounds {
    /// Whether an entry is older than entries are kept.
    fn is_too_old(self, at: Timestamp, now: Timestamp) -> bool {
        let horizon = now.checked_sub(self.retention).ok();
        !self.retention.is_zero() && horizon.is_some_and(|horizon| at <= horizon)
    }
}

/// What the log tells of a change beside the record.
pub(super) struct Told {
    pub(super) what: ChangeKind,
    pub(super) attributes: Vec<String>,
    pub(super) members: Option<MembersChange>,
}

/// Logs the change that a write asked for.
pub(super) fn change(
    tables: &mut Tables<'_>,
    tenant: &str,
    record: &Record,
    told: Told,
    write: &Write,
) -> Result<(), Failed> {
    let change = Change {
        what: told.what,
        kind: record.kind,
        id: record.id,
        version: record.version,
        attributes: told.attributes,
        diff: write.diff.clone(),
        members: told.members,
        origin: write.origin.clone(),
    };
    append(tables, tenant, Logged::Change(change), write.now)
}

/// Logs a change of a group's members alone.
pub(super) fn members(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: &Record,
    moved: Moved,
    origin: Option<&Origin>,
    now: Timestamp,
) -> Result<(), Failed> {
    let change = Change {
        what: ChangeKind::Updated,
        kind: group.kind,
        id: group.id,
        version: group.version,
        attributes: vec!["members".to_owned()],
        diff: Vec::new(),
        members: moved.told(),
        origin: origin.cloned(),
    };
    append(tables, tenant, Logged::Change(change), now)
}

/// Logs what an operator did to a resource.
pub(super) fn act(
    tables: &mut Tables<'_>,
    tenant: &str,
    deed: Deed,
    resource: Subject,
    origin: Option<&Origin>,
    now: Timestamp,
) -> Result<(), Failed> {
    let act = Act {
        act: deed,
        resource: Some(resource),
        by: String::new(),
        reason: String::new(),
        origin: origin.cloned(),
    };
    append(tables, tenant, Logged::Act(act), now)
}

/// Adds an entry, and takes out some that are no longer kept.
pub(super) fn append(tables: &mut Tables<'_>, tenant: &str, what: Logged, at: Timestamp) -> Result<(), Failed> {
    let position = tables.add(tenant, Counter::Position, 1)?;
    let entry = LogEntry { position, at, what };
    tables.log.insert((tenant, position), to_json(&entry).as_slice())?;
    trim(tables, tenant, at, TRIM_AT_ONCE)?;
    Ok(())
}

/// What is asked of the oldest entry.
#[derive(Deserialize)]
struct Head {
    at: Timestamp,
    /// Only a change has it.
    what: Option<ChangeKind>,
}

/// Takes the oldest entries out that are no longer kept, at most so many; gives how many.
pub(super) fn trim(tables: &mut Tables<'_>, tenant: &str, now: Timestamp, most: usize) -> Result<usize, Failed> {
    let position = tables.counter(tenant, Counter::Position)?;
    let last = position.saturating_sub(tables.log_bounds.length);
    let mut gone = Vec::new();
    for entry in tables.log.range((tenant, 0)..=(tenant, u64::MAX))?.take(most) {
        let (key, value) = entry?;
        let position = key.value().1;
        // One that cannot be read goes with its place, and counts as a change that somebody may have missed.
        let head = from_json::<Head>(value.value(), "entry of the log").ok();
        let is_old = head
            .as_ref()
            .is_some_and(|head| tables.log_bounds.is_too_old(head.at, now));
        if position > last && !is_old {
            break;
        }
        gone.push((position, head.is_none_or(|head| head.what.is_some())));
    }
    for (position, was_change) in &gone {
        tables.log.remove((tenant, *position))?;
        tables.set(tenant, Counter::Trimmed, *position)?;
        if *was_change {
            tables.set(tenant, Counter::ChangesTrimmed, *position)?;
        }
    }
    Ok(gone.len())
}

impl Reading {
    pub(super) fn log(&self, tenant: &str, after: u64, limit: usize) -> Result<LogPage, Failed> {
        let counters = self.table(COUNTERS)?;
        let mut entries = Vec::new();
        let first = after.saturating_add(1);
        for entry in self
            .table(LOG)?
            .range((tenant, first)..=(tenant, u64::MAX))?
            .take(limit)
        {
            let (key, value) = entry?;
            entries.push(LogEntry {
                position: key.value().1,
                ..from_json(value.value(), "entry of the log")?
            });
        }
        Ok(LogPage {
            entries,
            trimmed: read_counter(&counters, tenant, Counter::Trimmed)?,
            changes_trimmed: read_counter(&counters, tenant, Counter::ChangesTrimmed)?,
        })
    }

    pub(super) fn newest_entry(&self, tenant: &str) -> Result<u64, Failed> {
        read_counter(&self.table(COUNTERS)?, tenant, Counter::Position)
    }

    /// Whether the oldest entry is no longer kept, by its age.
    pub(super) fn has_old_entries(&self, tenant: &str, bounds: Bounds, now: Timestamp) -> Result<bool, Failed> {
        let log = self.table(LOG)?;
        let Some(oldest) = log.range((tenant, 0)..=(tenant, u64::MAX))?.next() else {
            return Ok(false);
        };
        let head = from_json::<Head>(oldest?.1.value(), "entry of the log");
        Ok(head.is_ok_and(|head| bounds.is_too_old(head.at, now)))
    }
}
