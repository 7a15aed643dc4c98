//! An object made a resource's by a person's word.

use jiff::Timestamp;
use redb::ReadableTable;

use super::{
    chores, log,
    tables::{Failed, Tables},
    work,
};
use crate::{
    id::Kind,
    store::{Chore, Deed, Link, Origin, Relinked, Subject, Work},
};

/// Links a resource that has no object to one that nobody owns.
pub(super) fn relink(
    tables: &mut Tables<'_>,
    tenant: &str,
    of: Subject,
    (platform_id, backend): &(String, String),
    origin: Option<&Origin>,
    now: Timestamp,
) -> Result<Relinked, Failed> {
    let (number, key) = (of.kind.number(), of.id.as_u128());
    let exists = tables.records.get((tenant, number, key))?.is_some();
    let is_owned = tables.owners.get((tenant, number, platform_id.as_str()))?.is_some();
    let before = tables.link(tenant, key)?;
    let work = tables.work(tenant, key)?;
    if !exists || is_owned || before.platform_id.is_some() {
        return Ok(Relinked::NotThis);
    }
    if work.as_ref().is_some_and(|work| work.lease.is_some()) {
        return Ok(Relinked::UnderWay);
    }
    let link = Link {
        platform_id: Some(platform_id.clone()),
        backend: backend.clone(),
        ..Link::default()
    };
    tables.put_link(tenant, number, key, &link)?;
    // Whatever it waited for, it may be tried now.
    if let Some(old) = work {
        let free = Work {
            not_before: None,
            ..old.clone()
        };
        work::put(tables, tenant, key, Some(&old), &free)?;
    }
    work::mark(tables, tenant, of.kind, of.id, now, None)?;
    if of.kind == Kind::User {
        chores::begin(tables, tenant, Chore::Ready, of.id, now)?;
        chores::begin(tables, tenant, Chore::Reports, of.id, now)?;
    }
    work::wake_waiters(tables, tenant, of.id, now)?;
    log::act(tables, tenant, Deed::Relink, of, origin, now)?;
    Ok(Relinked::Done)
}
