//! What a comparison with the Platform needs: who owns what, members in doubt, and whose turn it is.

use std::time::Duration;

use jiff::Timestamp;
use redb::ReadableTable;

use super::{
    log, pending,
    tables::{COMPARISONS, Counter, Failed, LINKS, OWNERS, RECORDS, Reading, Tables, WORK, get, millis},
    work,
};
use crate::{
    id::{Kind, ResourceId},
    record::Record,
    store::{Deed, KeptLink, Origin, Owned, Subject},
};

/// Unconfirms members of whom the Platform may not have what is wanted, and logs who did; how many.
pub(super) fn doubt_members(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    members: &[ResourceId],
    origin: Option<&Origin>,
    now: Timestamp,
) -> Result<usize, Failed> {
    let key = (tenant, Kind::Group.number(), group.as_u128());
    if tables.records.get(key)?.is_none() {
        return Ok(0);
    }
    let (mut stamp, mut doubted, mut urgent) = (None, 0, false);
    for member in members {
        // A kept id that is no resource waits, so that an account which a tombstone of it has is not taken for its own.
        let stands = pending::stamp(tables, tenant, group, *member)?.is_some();
        if !stands && tables.link(tenant, member.as_u128())?.platform_id.is_some() {
            pending::unconfirm(tables, tenant, group, *member, &mut stamp)?;
            urgent |= tables
                .members
                .get((tenant, group.as_u128(), member.as_u128()))?
                .is_none();
            doubted += 1;
        }
    }
    if doubted > 0 {
        // Who is taken out may lose access.
        work::mark_urgent(tables, tenant, Kind::Group, group, urgent, now)?;
        log_repair(tables, tenant, group, origin, now)?;
    }
    Ok(doubted)
}

/// Logs that a group was repaired, and who did.
pub(super) fn log_repair(
    tables: &mut Tables<'_>,
    tenant: &str,
    group: ResourceId,
    origin: Option<&Origin>,
    now: Timestamp,
) -> Result<(), Failed> {
    let (kind, id) = (Kind::Group, group);
    log::act(tables, tenant, Deed::Repair, Subject { kind, id }, origin, now)
}

/// Takes the tenant's turn, if it has come.
pub(super) fn take_turn(
    tables: &mut Tables<'_>,
    tenant: &str,
    now: Timestamp,
    interval: Duration,
) -> Result<bool, Failed> {
    let (now, interval) = (millis(now), u64::try_from(interval.as_millis()).unwrap_or(u64::MAX));
    let last = tables.counter(tenant, Counter::Compared)?;
    // A clock that went back must not make it wait for longer than an interval.
    if last != 0 && last <= now && now - last < interval {
        return Ok(false);
    }
    tables.set(tenant, Counter::Compared, now)?;
    Ok(last != 0 && last <= now)
}

/// Keeps what came of a comparison in place of the last.
pub(super) fn keep_comparison(tables: &mut Tables<'_>, tenant: &str, summary: &str) -> Result<(), Failed> {
    tables.dirty = true;
    tables.comparisons.insert(tenant, summary)?;
    Ok(())
}

impl Reading {
    pub(super) fn comparison(&self, tenant: &str) -> Result<Option<String>, Failed> {
        let kept = self.table(COMPARISONS)?.get(tenant)?;
        Ok(kept.map(|summary| summary.value().to_owned()))
    }

    pub(super) fn owned(
        &self,
        tenant: &str,
        kind: Kind,
        platform_ids: &[String],
    ) -> Result<Vec<Option<Owned>>, Failed> {
        let (owners, records) = (self.table(OWNERS)?, self.table(RECORDS)?);
        let (links, work) = (self.table(LINKS)?, self.table(WORK)?);
        let owned = |platform_id: &String| -> Result<Option<Owned>, Failed> {
            let owner = owners.get((tenant, kind.number(), platform_id.as_str()))?;
            let Some(id) = owner.map(|id| id.value()) else {
                return Ok(None);
            };
            let record = get::<_, Record>(&records, (tenant, kind.number(), id), "record");
            let link = get::<_, KeptLink>(&links, (tenant, id), "link");
            let id_of = ResourceId::from_u128(id);
            let (record, link) = match (record, link) {
                (Err(Failed::Corrupt(what, problem)), _) | (_, Err(Failed::Corrupt(what, problem))) => {
                    tracing::error!(scim.resource.id = %id_of, problem, "a {what} cannot be read; it is left alone");
                    return Ok(Some(Owned {
                        id: id_of,
                        record: None,
                        disabled: false,
                        at_rest: false,
                    }));
                }
                (record, link) => (record?, link?),
            };
            Ok(Some(Owned {
                id: id_of,
                record,
                disabled: link.is_some_and(|kept| kept.link.disabled),
                at_rest: work.get((tenant, id))?.is_none(),
            }))
        };
        platform_ids.iter().map(owned).collect()
    }
}
