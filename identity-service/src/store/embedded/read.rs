//! Reading: each function sees one state of the file, whatever is being written meanwhile.

use jiff::Timestamp;

use super::{
    links, pending,
    tables::{
        AGES, COUNTERS, Counter, Failed, GROUPS_OF, INTENTS, LINKS, LOOKUPS, MEMBERS, NAMES, OWNERS, PENDING,
        PENDING_COUNTS, PENDING_OF, RECORDS, REQUESTS, REST_AGES, Reading, TOMBSTONES, WORK, WORK_STATES, from_json,
        get, read_counter,
    },
    tombstone,
    work::{self, subject},
    write::requests,
};
use crate::{
    id::{Kind, ResourceId},
    index::{Index, Key},
    record::Record,
    store::{
        Brake, Claim, Delivery, Found, From, Groups, Link, Member, Order, Owner, PendingMember, RequestKey, Seen,
        Stage, Summary, Which, Work, WorkState, WriteError, Written,
    },
};

/// Which resources a reader asks for, for a thread of its own.
pub(super) enum Sought {
    Ids(Vec<ResourceId>),
    Key(Key, usize),
    Listed(From, usize),
}

impl std::convert::From<Which<'_>> for Sought {
    fn from(which: Which<'_>) -> Self {
        match which {
            Which::Ids(ids) => Self::Ids(ids.to_vec()),
            Which::Key(key, limit) => Self::Key(key.clone(), limit),
            Which::Listed(from, limit) => Self::Listed(from, limit),
        }
    }
}

impl Reading {
    pub(super) fn get(&self, tenant: &str, kind: Kind, id: ResourceId) -> Result<Option<Record>, Failed> {
        get(&self.table(RECORDS)?, (tenant, kind.number(), id.as_u128()), "record")
    }

    pub(super) fn get_many(&self, tenant: &str, kind: Kind, ids: &[ResourceId]) -> Result<Vec<Record>, Failed> {
        let records = self.table(RECORDS)?;
        ids.iter()
            .filter_map(|id| get(&records, (tenant, kind.number(), id.as_u128()), "record").transpose())
            .collect()
    }

    pub(super) fn find(&self, tenant: &str, kind: Kind, key: &Key, limit: usize) -> Result<Vec<ResourceId>, Failed> {
        let value = key.value.as_str();
        if key.index == Index::Name {
            let id = self
                .table(NAMES)?
                .get((tenant, kind.number(), value))?
                .map(|id| ResourceId::from_u128(id.value()));
            return Ok(id.into_iter().take(limit).collect());
        }
        let stem = (tenant, kind.number(), key.index.number(), value);
        let range = (stem.0, stem.1, stem.2, stem.3, 0)..=(stem.0, stem.1, stem.2, stem.3, u128::MAX);
        let mut ids = Vec::new();
        for entry in self.table(LOOKUPS)?.range(range)?.take(limit) {
            ids.push(ResourceId::from_u128(entry?.0.value().4));
        }
        Ok(ids)
    }

    pub(super) fn look_up(&self, tenant: &str, kind: Kind, which: &Sought, groups: usize) -> Result<Found, Failed> {
        let (records, more) = match which {
            Sought::Ids(ids) => (self.get_many(tenant, kind, ids)?, false),
            Sought::Key(key, limit) => {
                let ids = self.find(tenant, kind, key, *limit)?;
                (self.get_many(tenant, kind, &ids)?, ids.len() == *limit)
            }
            Sought::Listed(from, limit) => {
                let records = self.list(tenant, kind, *from, *limit)?;
                let more = records.len() == *limit;
                (records, more)
            }
        };
        let mut seen = Vec::with_capacity(records.len());
        for record in records {
            let mut of_it = Groups::unread();
            if groups > 0 {
                let ids = self.groups_of(tenant, record.id, None, groups)?;
                of_it.more = ids.len() == groups;
                of_it.records = self.get_many(tenant, Kind::Group, &ids)?;
            }
            seen.push(Seen { record, groups: of_it });
        }
        Ok(Found { seen, more })
    }

    pub(super) fn list(&self, tenant: &str, kind: Kind, from: From, limit: usize) -> Result<Vec<Record>, Failed> {
        let (first, skip) = match from {
            From::Offset(offset) => (Some(0), usize::try_from(offset).unwrap_or(usize::MAX)),
            From::After(id) => (id.as_u128().checked_add(1), 0),
        };
        let Some(first) = first else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        let range = (tenant, kind.number(), first)..=(tenant, kind.number(), u128::MAX);
        for entry in self.table(RECORDS)?.range(range)?.skip(skip).take(limit) {
            records.push(from_json(entry?.1.value(), "record")?);
        }
        Ok(records)
    }

    pub(super) fn count(&self, tenant: &str, kind: Kind) -> Result<u64, Failed> {
        let counter = match kind {
            Kind::User => Counter::Users,
            Kind::Group => Counter::Groups,
        };
        read_counter(&self.table(COUNTERS)?, tenant, counter)
    }

    pub(super) fn members(
        &self,
        tenant: &str,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, Failed> {
        let Some(first) = first_after(after) else {
            return Ok(Vec::new());
        };
        let mut members = Vec::new();
        if !self.is_group(tenant, group.as_u128())? {
            return Ok(members);
        }
        let range = (tenant, group.as_u128(), first)..=(tenant, group.as_u128(), u128::MAX);
        for entry in self.table(MEMBERS)?.range(range)?.take(limit) {
            let (key, kind) = entry?;
            members.push(Member {
                id: ResourceId::from_u128(key.value().2),
                kind: Kind::from_number(kind.value()),
            });
        }
        Ok(members)
    }

    pub(super) fn is_member(&self, tenant: &str, group: ResourceId, member: ResourceId) -> Result<bool, Failed> {
        let key = (tenant, group.as_u128(), member.as_u128());
        Ok(self.table(MEMBERS)?.get(key)?.is_some() && self.is_group(tenant, group.as_u128())?)
    }

    /// Whether there is such a group: the memberships of a deleted one may still be there, to be swept.
    fn is_group(&self, tenant: &str, group: u128) -> Result<bool, Failed> {
        let key = (tenant, Kind::Group.number(), group);
        Ok(self.table(RECORDS)?.get(key)?.is_some())
    }

    pub(super) fn groups_of(
        &self,
        tenant: &str,
        member: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, Failed> {
        let Some(first) = first_after(after) else {
            return Ok(Vec::new());
        };
        let range = (tenant, member.as_u128(), first)..=(tenant, member.as_u128(), u128::MAX);
        let mut groups = Vec::new();
        for entry in self.table(GROUPS_OF)?.range(range)? {
            if groups.len() >= limit {
                break;
            }
            let group = entry?.0.value().2;
            if self.is_group(tenant, group)? {
                groups.push(ResourceId::from_u128(group));
            }
        }
        Ok(groups)
    }

    pub(super) fn answered(
        &self,
        tenant: &str,
        request: &RequestKey,
        now: Timestamp,
    ) -> Result<Option<Result<Written, WriteError>>, Failed> {
        requests::answered(&self.table(REQUESTS)?, tenant, request, now)
    }

    pub(super) fn order(&self, claim: &Claim, batch: usize) -> Result<Option<Order>, Failed> {
        let Some(record) = subject(&self.table(RECORDS)?, &self.table(TOMBSTONES)?, claim)? else {
            return Ok(None);
        };
        let tenant = claim.tenant.as_str();
        let link = self.link(tenant, claim.id)?.unwrap_or_default();
        let mut members = Vec::new();
        if claim.kind == Kind::Group && record.is_some() {
            let work = self.work(tenant, claim.id)?;
            let round = work.map_or(0, |work| work.refused_round);
            for (id, stamp) in pending::ready(&self.table(PENDING)?, tenant, claim.id, round, batch)? {
                // Ready members have an account; one that lost it meanwhile is settled with its owner.
                let Some(platform_id) = self.link(tenant, id)?.and_then(|link| link.platform_id) else {
                    continue;
                };
                members.push(PendingMember {
                    id,
                    stamp,
                    wanted: self.is_member(tenant, claim.id, id)?,
                    platform_id,
                });
            }
        }
        Ok(Some(Order {
            record,
            link,
            batch: members,
        }))
    }

    pub(super) fn link(&self, tenant: &str, id: ResourceId) -> Result<Option<Link>, Failed> {
        let bytes = self.table(LINKS)?.get((tenant, id.as_u128()))?;
        bytes.map(|bytes| links::read(bytes.value())).transpose()
    }

    fn work(&self, tenant: &str, id: ResourceId) -> Result<Option<Work>, Failed> {
        get(&self.table(WORK)?, (tenant, id.as_u128()), "piece of work")
    }

    pub(super) fn owner(&self, tenant: &str, kind: Kind, platform_id: &str) -> Result<Option<Owner>, Failed> {
        let Some(id) = self
            .table(OWNERS)?
            .get((tenant, kind.number(), platform_id))?
            .map(|id| id.value())
        else {
            return Ok(None);
        };
        self.one_of_ours(tenant, id).map(Some)
    }

    pub(super) fn intender(&self, tenant: &str, kind: Kind, folded: &str) -> Result<Option<Owner>, Failed> {
        let id = self
            .table(INTENTS)?
            .get((tenant, kind.number(), folded))?
            .map(|id| id.value());
        id.map(|id| self.one_of_ours(tenant, id)).transpose()
    }

    fn one_of_ours(&self, tenant: &str, id: u128) -> Result<Owner, Failed> {
        let at_rest = self.table(WORK)?.get((tenant, id))?.is_none();
        Ok(Owner {
            id: ResourceId::from_u128(id),
            at_rest,
        })
    }

    pub(super) fn delivery(&self, tenant: &str, id: ResourceId) -> Result<Option<Delivery>, Failed> {
        let mut found = None;
        for kind in Kind::ALL {
            if let Some(record) = self.get(tenant, kind, id)? {
                found = Some((kind, record.version, false));
            }
        }
        if found.is_none() {
            let tombstone = tombstone::read(&self.table(TOMBSTONES)?, tenant, id.as_u128())?;
            found = tombstone.map(|tombstone| (tombstone.kind, tombstone.version, true));
        }
        let Some((kind, version, deleted)) = found else {
            return Ok(None);
        };
        let link = self.link(tenant, id)?.unwrap_or_default();
        let work = self.work(tenant, id)?;
        // Of what is deleted no member is to be delivered.
        let pending_members = match deleted {
            true => 0,
            false => pending::count(&self.table(PENDING_COUNTS)?, tenant, id.as_u128())?,
        };
        Ok(Some(Delivery {
            kind,
            id,
            version,
            deleted,
            link,
            work,
            pending_members,
        }))
    }

    pub(super) fn deliveries(
        &self,
        tenant: &str,
        state: Option<WorkState>,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, Failed> {
        let Some(first) = first_after(after).filter(|_| limit > 0) else {
            return Ok(Vec::new());
        };
        let mut deliveries = Vec::new();
        let mut add = |id| match self.delivery(tenant, ResourceId::from_u128(id)) {
            // One that cannot be read must not hide the others; it is logged when its turn comes.
            Err(Failed::Corrupt(..)) => Ok(true),
            delivery => {
                deliveries.extend(delivery?);
                Ok::<_, Failed>(deliveries.len() < limit)
            }
        };
        match state {
            Some(state) => {
                let range = (tenant, state.number(), first)..=(tenant, state.number(), u128::MAX);
                for entry in self.table(WORK_STATES)?.range(range)? {
                    if !add(entry?.0.value().2)? {
                        break;
                    }
                }
            }
            None => {
                for entry in self.table(WORK)?.range((tenant, first)..=(tenant, u128::MAX))? {
                    if !add(entry?.0.value().1)? {
                        break;
                    }
                }
            }
        }
        Ok(deliveries)
    }

    pub(super) fn stages(
        &self,
        tenant: &str,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<Vec<Option<(Stage, u64)>>, Failed> {
        let (pending, pending_of) = (self.table(PENDING)?, self.table(PENDING_OF)?);
        let stage = |member: &ResourceId| pending::stage(&pending, &pending_of, tenant, group, *member);
        members.iter().map(stage).collect()
    }

    fn oldest_pending(&self, tenant: &str) -> Result<Option<Timestamp>, Failed> {
        let ages = self.table(AGES)?;
        let mut ages = ages.range((tenant, 0, 0)..=(tenant, u64::MAX, u128::MAX))?;
        let Some(oldest) = ages.next() else { return Ok(None) };
        let (_, since, _) = oldest?.0.value();
        Ok(from_millis(since))
    }

    pub(super) fn summary(&self, tenant: &str) -> Result<Summary, Failed> {
        let counters = self.table(COUNTERS)?;
        let read = |counter| read_counter(&counters, tenant, counter);
        Ok(Summary {
            users: read(Counter::Users)?,
            groups: read(Counter::Groups)?,
            pending: read(Counter::Pending)?,
            refused: read(Counter::Refused)?,
            held: read(Counter::Held)?,
            planned: read(Counter::Planned)?,
            oldest_pending: self.oldest_pending(tenant)?,
            oldest_refused: self.oldest_at_rest(tenant, work::REFUSED)?,
            oldest_planned: self.oldest_at_rest(tenant, work::PLANNED)?,
            oldest_held: {
                let [removals, deactivations, alarm] = Brake::ALL.map(work::held_by);
                [
                    self.oldest_at_rest(tenant, removals)?,
                    self.oldest_at_rest(tenant, deactivations)?,
                    self.oldest_at_rest(tenant, alarm)?,
                ]
            },
        })
    }

    fn oldest_at_rest(&self, tenant: &str, why: u8) -> Result<Option<Timestamp>, Failed> {
        let ages = self.table(REST_AGES)?;
        let mut ages = ages.range((tenant, why, 0, 0)..=(tenant, why, u64::MAX, u128::MAX))?;
        let Some(oldest) = ages.next() else { return Ok(None) };
        let (_, _, since, _) = oldest?.0.value();
        Ok(from_millis(since))
    }
}

fn from_millis(at: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(at).ok()?).ok()
}

fn first_after(after: Option<ResourceId>) -> Option<u128> {
    match after {
        None => Some(0),
        Some(id) => id.as_u128().checked_add(1),
    }
}
