//! `import`: a whole file into a store that the tenant has never used.
//!
//! How far it is the store itself keeps: a mark with the file's digest, written after what it speaks for. So an import that
//! was cut off goes on there, with the file wherever it now lies, no other file is mixed in, and the service refuses to
//! start on half a directory. What was put in after the last mark is put in again, which changes nothing.

use std::path::Path;

use futures_util::future::try_join_all;

use super::{Counts, MovingError, bar::Bar, file::Lines};
use crate::{
    id::Tenant,
    store::{Entry, ImportMark, MOVED_AT_ONCE, Store, Summary},
};

/// How many steps are on their way at once, so that they share one `fsync` or one round trip. As many more are read ahead,
/// and all of them are in memory.
const AT_ONCE: usize = 4;

/// Puts a file into a store and compares the counts.
pub async fn import(store: &dyn Store, tenant: &Tenant, path: &Path) -> Result<Counts, MovingError> {
    let mut lines = Lines::open(path)?;
    let length = lines.len().map_err(MovingError::file("read", path))?;
    let (header, footer) = {
        let bar = Bar::new("checking", length);
        lines.check(|read| bar.at(read))?
    };
    if header.tenant != tenant.as_str() {
        return Err(MovingError::Tenant {
            found: header.tenant,
            wanted: tenant.as_str().to_owned(),
        });
    }
    let mark = |lines, complete| ImportMark {
        source: footer.sha256.clone(),
        lines,
        complete,
    };
    // What another version left is refused before anything is put beside it.
    store.feed_id(tenant).await?;
    match store.importing(tenant).await? {
        Some(begun) if begun.source == footer.sha256 => lines.skip_to(begun.lines)?,
        Some(_) => return Err(MovingError::AnotherImport),
        None if is_empty(store, tenant).await? => {
            // From here on nobody takes the store for a whole one.
            store.import(tenant, vec![Entry::Import(mark(0, false))]).await?;
        }
        None => {
            return Err(MovingError::NotEmpty {
                tenant: tenant.as_str().to_owned(),
            });
        }
    }
    put_all(store, tenant, &mut lines, length, |number| mark(number, false)).await?;
    let counts = verify(store, tenant, footer.counts).await?;
    store
        .import(tenant, vec![Entry::Import(mark(lines.number, true))])
        .await?;
    Ok(counts)
}

async fn is_empty(store: &dyn Store, tenant: &Tenant) -> Result<bool, MovingError> {
    if store.summary(tenant).await? != Summary::default() || store.newest_entry(tenant).await? != 0 {
        return Ok(false);
    }
    // Tombstones and the like. An empty page is not the last one.
    let mut after = None;
    loop {
        let (entries, next) = store.export(tenant, after, 2).await?;
        if !entries.iter().all(|entry| matches!(entry, Entry::Counters { .. })) {
            return Ok(false);
        }
        match next {
            Some(_) => after = next,
            None => return Ok(true),
        }
    }
}

/// Puts every entry that is left into the store.
async fn put_all(
    store: &dyn Store,
    tenant: &Tenant,
    lines: &mut Lines,
    length: u64,
    mark: impl Fn(u64) -> ImportMark,
) -> Result<(), MovingError> {
    let bar = Bar::new("importing", length);
    let mut held = None;
    let mut batch = Batch::read(lines, &mut held)?;
    while !batch.steps.is_empty() {
        let Batch { steps, first, last } = batch;
        let putting = try_join_all(steps.into_iter().map(|entries| store.import(tenant, entries)));
        // The next lines are read while these are on their way.
        let (put, next) = tokio::join!(putting, async { Batch::read(lines, &mut held) });
        put.map_err(|source| MovingError::Entry { first, last, source })?;
        store.import(tenant, vec![Entry::Import(mark(last))]).await?;
        bar.at(lines.bytes);
        batch = next?;
    }
    Ok(())
}

/// Steps that go together.
struct Batch {
    /// The entries of each step, none of them too large.
    steps: Vec<Vec<Entry>>,
    /// The first line that is in it.
    first: u64,
    /// The last line that is in it.
    last: u64,
}

impl Batch {
    fn read(lines: &mut Lines, held: &mut Option<Entry>) -> Result<Self, MovingError> {
        let passed = |lines: &Lines, held: &Option<Entry>| lines.number - u64::from(held.is_some());
        let first = passed(lines, held) + 1;
        let steps = next_steps(lines, held)?;
        let last = passed(lines, held);
        Ok(Self { steps, first, last })
    }
}

/// The entries of the next steps. One that no longer fits is held for the steps after these.
fn next_steps(lines: &mut Lines, held: &mut Option<Entry>) -> Result<Vec<Vec<Entry>>, MovingError> {
    let mut steps = Vec::new();
    while steps.len() < AT_ONCE {
        let (mut step, mut items) = (Vec::new(), 0);
        while let Some(entry) = held.take().map_or_else(|| lines.entry(), |entry| Ok(Some(entry)))? {
            if !step.is_empty() && items + entry.items() > MOVED_AT_ONCE {
                *held = Some(entry);
                break;
            }
            items += entry.items();
            step.push(entry);
        }
        if step.is_empty() {
            break;
        }
        steps.push(step);
    }
    Ok(steps)
}

/// Whether the store has what the file says, entry by entry and by its own count.
async fn verify(store: &dyn Store, tenant: &Tenant, wanted: Counts) -> Result<Counts, MovingError> {
    let bar = Bar::new("verifying", wanted.total());
    let found = Counts::of(store, tenant, |so_far| bar.at(so_far.total())).await?;
    let Summary {
        users,
        groups,
        pending,
        refused,
        held,
        planned,
        ..
    } = store.summary(tenant).await?;
    let work = pending + refused + held + planned;
    if found == wanted && (users, groups, work) == (wanted.users, wanted.groups, wanted.work) {
        return Ok(found);
    }
    Err(MovingError::Differs {
        file: Box::new(wanted),
        store: Box::new(found),
        users,
        groups,
        work,
    })
}
