//! The change feed: one entry for each change, trimmed to a bounded length.

use jiff::Timestamp;
use redb::ReadableTable;

use super::tables::{Counter, Failed, Tables, to_json};
use crate::{
    record::Record,
    store::{Change, ChangeKind},
};

/// How many old entries one step trims at most.
const TRIM_AT_ONCE: usize = 4;

/// Adds an entry and trims the feed.
pub(super) fn append(
    tables: &mut Tables<'_>,
    tenant: &str,
    record: &Record,
    what: ChangeKind,
    attributes: Vec<String>,
    at: Timestamp,
) -> Result<(), Failed> {
    let position = tables.add(tenant, Counter::Position, 1)?;
    let change = Change {
        position,
        what,
        kind: record.kind,
        id: record.id,
        version: record.version,
        attributes,
        at,
    };
    tables.feed.insert((tenant, position), to_json(&change).as_slice())?;

    let Some(last) = position.checked_sub(tables.feed_length).filter(|last| *last > 0) else {
        return Ok(());
    };
    let mut old = Vec::new();
    for entry in tables.feed.range((tenant, 0)..=(tenant, last))?.take(TRIM_AT_ONCE) {
        old.push(entry?.0.value().1);
    }
    for position in old {
        tables.feed.remove((tenant, position))?;
        tables.set(tenant, Counter::Trimmed, position)?;
    }
    Ok(())
}
