//! `export`: a page after the other into a file that has its name only when it is whole.
//!
//! Until then the lines stand in `FILE.partial`, and `FILE.progress` says from time to time how much of that is good and
//! where the store goes on. An export that was cut off goes on from there, unless the store has changed meanwhile.

mod output;

use std::path::Path;

use jiff::Timestamp;

use super::{Counts, MovingError, bar::Bar, file::Origin};
use crate::{
    id::Tenant,
    store::{Entry, ExportCursor, MOVED_AT_ONCE, Store, StoreError},
};
use output::{Output, Progress, State};

/// After how many pages it is noted how far the export is.
const PAGES_PER_NOTE: u32 = 50;

/// Writes all that a store holds of a tenant to a file, or to standard output when there is none.
pub async fn export(
    store: &dyn Store,
    tenant: &Tenant,
    origin: Origin,
    path: Option<&Path>,
) -> Result<Counts, MovingError> {
    let state = state(store, tenant).await?;
    let (mut output, mut after) = match path {
        None => (Output::stdout(), None),
        Some(path) => Output::file(path, tenant, state)?,
    };
    if after.is_none() {
        output.header(tenant, Timestamp::now(), origin)?;
    }
    let summary = store.summary(tenant).await?;
    let bar = Bar::new(
        "exporting",
        summary.users + summary.groups + summary.pending + summary.refused + summary.held + summary.planned,
    );
    let mut pages = 0;
    loop {
        let (entries, next) = store.export(tenant, after, MOVED_AT_ONCE).await?;
        output.entries(&entries)?;
        bar.at(output.counts.total());
        let Some(next) = next else { break };
        pages += 1;
        if pages % PAGES_PER_NOTE == 0 {
            output.note(&Progress {
                tenant: tenant.as_str().to_owned(),
                state,
                cursor: next.clone(),
                bytes: output.bytes,
                counts: output.counts,
            })?;
        }
        after = Some(next);
    }
    if self::state(store, tenant).await? != state {
        output.give_up();
        return Err(MovingError::Changed);
    }
    output.finish()
}

/// What moves when anybody writes to the store.
async fn state(store: &dyn Store, tenant: &Tenant) -> Result<State, StoreError> {
    let no_cursor: Option<ExportCursor> = None;
    let (first, _) = store.export(tenant, no_cursor, 1).await?;
    let stamp = first.iter().find_map(|entry| match entry {
        Entry::Counters { stamp, .. } => Some(*stamp),
        _ => None,
    });
    Ok(State {
        feed: store.feed_id(tenant).await?,
        newest_entry: store.newest_entry(tenant).await?,
        stamp: stamp.unwrap_or(0),
    })
}
