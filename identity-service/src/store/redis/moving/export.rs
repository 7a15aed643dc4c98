//! Out of Redis: a page of one section from a place on. What only this engine knows, such as a large change that is still to
//! be merged, is swept first.

use jiff::Timestamp;

use super::super::{RedisStore, Sweep, args::Args, keys::kind_name};
use crate::{
    id::{Kind, ResourceId, Tenant},
    store::{Chore, Entry, ExportCursor, From, Store, StoreError},
};

/// What is exported one after the other: its name in a cursor, and of which ids.
const SECTIONS: [(&str, &str); 16] = [
    ("counters", ""),
    ("resources", "user"),
    ("resources", "group"),
    ("members", "group"),
    ("members", "tombstones"),
    ("links", "user"),
    ("links", "group"),
    ("links", "tombstones"),
    ("tombstones", ""),
    ("unconfirmed", "group"),
    ("unconfirmed", "tombstones"),
    ("work", ""),
    ("waiting", "user"),
    ("waiting", "group"),
    ("waiting", "tombstones"),
    ("chores", ""),
];

/// A place in the order of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    section: usize,
    /// The last id that was passed; of members and unconfirmed ones, the group that is looked at.
    last: Option<ResourceId>,
    /// Within a group: the last member, or how many were passed.
    within: Option<u128>,
}

impl Place {
    fn at(section: usize) -> Self {
        Self {
            section,
            last: None,
            within: None,
        }
    }

    fn cursor(self) -> ExportCursor {
        let (name, of) = SECTIONS[self.section];
        let number = |number: Option<u128>| number.map_or_else(String::new, |number| format!("{number:x}"));
        let last = number(self.last.map(ResourceId::as_u128));
        ExportCursor(format!("{name}/{of}/{last}/{}", number(self.within)))
    }

    fn read(cursor: &ExportCursor) -> Result<Self, StoreError> {
        let read = || {
            let parts: Vec<&str> = cursor.0.split('/').collect();
            let [name, of, last, within] = parts[..] else {
                return None;
            };
            let section = SECTIONS.iter().position(|section| *section == (name, of))?;
            let number = |text: &str| match text {
                "" => Some(None),
                text => u128::from_str_radix(text, 16).ok().map(Some),
            };
            Some(Self {
                section,
                last: number(last)?.map(ResourceId::from_u128),
                within: number(within)?,
            })
        };
        read().ok_or_else(|| StoreError::Unfit {
            what: "cursor",
            problem: "it is no place in an export of this store".to_owned(),
        })
    }

    /// After an id, or in the next section when that was the last.
    fn after(self, last: Option<ResourceId>, more: bool) -> Self {
        match last {
            Some(last) if more => Self {
                last: Some(last),
                within: None,
                ..self
            },
            _ => Self::at(self.section + 1),
        }
    }
}

impl RedisStore {
    /// A page of a tenant's entries, and where to go on.
    pub(in crate::store::redis) async fn export_page(
        &self,
        tenant: &Tenant,
        after: Option<ExportCursor>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<ExportCursor>), StoreError> {
        let place = after.as_ref().map_or(Ok(Place::at(0)), Place::read)?;
        let limit = limit.clamp(1, self.options.batch);
        let (name, of) = SECTIONS[place.section];
        let (entries, next) = match name {
            "counters" => self.counters(tenant, place).await?,
            "resources" => self.resources(tenant, place, of, limit).await?,
            "members" => self.memberships(tenant, place, of, limit).await?,
            "links" => self.links(tenant, place, of, limit).await?,
            "tombstones" => self.tombstones(tenant, place, limit).await?,
            "unconfirmed" => self.unconfirmed(tenant, place, of, limit).await?,
            "work" => self.outbox(tenant, place, limit).await?,
            "waiting" => self.waiters(tenant, place, of, limit).await?,
            _ => self.chores(tenant, place, limit).await?,
        };
        Ok((entries, (next.section < SECTIONS.len()).then(|| next.cursor())))
    }

    async fn counters(&self, tenant: &Tenant, place: Place) -> Result<(Vec<Entry>, Place), StoreError> {
        while self
            .sweep_some(tenant, Timestamp::now(), Sweep::OurOwn)
            .await?
            .is_some_and(|touched| touched > 0)
        {}
        let reply = self.read("read the counters", tenant, "counters", Args::new()).await?;
        let stamp = reply.newest_stamp()?;
        let pause = self.pause(tenant).await?;
        let credentials = self.credentials(tenant).await?;
        let counters = Entry::Counters {
            stamp,
            pause,
            credentials,
        };
        Ok((vec![counters], place.after(None, false)))
    }

    async fn resources(
        &self,
        tenant: &Tenant,
        place: Place,
        of: &str,
        limit: usize,
    ) -> Result<(Vec<Entry>, Place), StoreError> {
        let kind = if of == kind_name(Kind::User) {
            Kind::User
        } else {
            Kind::Group
        };
        let from = place.last.map_or(From::Offset(0), From::After);
        let records = self.list(tenant, kind, from, limit).await?;
        let next = place.after(records.last().map(|record| record.id), records.len() == limit);
        Ok((records.into_iter().map(Entry::Resource).collect(), next))
    }

    /// Ids of one kind, or of tombstones, after one of them.
    async fn some_ids(
        &self,
        tenant: &Tenant,
        of: &str,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError> {
        let args = Args::new().text(of).optional_id(after).number(limit as u64);
        self.read("list ids", tenant, "ids", args).await?.ids()
    }

    /// The group that a place is within, or the next one; of tombstones, one that may be brought back.
    async fn group_at(&self, tenant: &Tenant, place: Place, of: &str) -> Result<Option<ResourceId>, StoreError> {
        if place.within.is_some() {
            return Ok(place.last);
        }
        if of == "group" {
            return Ok(self.some_ids(tenant, of, place.last, 1).await?.pop());
        }
        let mut after = place.last;
        loop {
            let ids = self.some_ids(tenant, of, after, self.options.batch).await?;
            let Some(last) = ids.last().copied() else {
                return Ok(None);
            };
            let args = Args::new().ids(&ids);
            let kept = self
                .read("look for deleted groups", tenant, "kept_groups", args)
                .await?;
            if let Some(first) = kept.ids()?.into_iter().next() {
                return Ok(Some(first));
            }
            after = Some(last);
        }
    }

    async fn memberships(
        &self,
        tenant: &Tenant,
        place: Place,
        of: &str,
        limit: usize,
    ) -> Result<(Vec<Entry>, Place), StoreError> {
        let Some(group) = self.group_at(tenant, place, of).await? else {
            return Ok((Vec::new(), place.after(None, false)));
        };
        let after = place.within.map(ResourceId::from_u128);
        let members = if of == "group" {
            self.members(tenant, group, after, limit).await?
        } else {
            let args = Args::new().id(group).optional_id(after).number(limit as u64);
            let reply = self
                .read("read a deleted group's members", tenant, "remains", args)
                .await?;
            reply.members(limit)?.0
        };
        let mut next = place.after(Some(group), true);
        if members.len() == limit {
            next.within = members.last().map(|member| member.id.as_u128());
        }
        let members: Vec<_> = members.into_iter().map(|member| (member.id, member.kind)).collect();
        let entry = (!members.is_empty()).then_some(Entry::Members { group, members });
        Ok((entry.into_iter().collect(), next))
    }

    async fn links(
        &self,
        tenant: &Tenant,
        place: Place,
        of: &str,
        limit: usize,
    ) -> Result<(Vec<Entry>, Place), StoreError> {
        let ids = self.some_ids(tenant, of, place.last, limit).await?;
        let next = place.after(ids.last().copied(), ids.len() == limit);
        if ids.is_empty() {
            return Ok((Vec::new(), next));
        }
        let kinds = match of {
            "user" => vec![Kind::User; ids.len()],
            "group" => vec![Kind::Group; ids.len()],
            _ => {
                let args = Args::new().ids(&ids);
                let reply = self.read("read tombstones", tenant, "tombstones", args).await?;
                reply
                    .tombstones()?
                    .into_iter()
                    .map(|(tombstone, _)| tombstone.kind)
                    .collect()
            }
        };
        let reply = self.read("read links", tenant, "links", Args::new().ids(&ids)).await?;
        let links = reply.kept_links()?.into_iter().zip(ids).zip(kinds);
        let entries = links.filter_map(|((link, id), kind)| link.map(|link| Entry::Link { id, kind, link }));
        Ok((entries.collect(), next))
    }

    async fn tombstones(&self, tenant: &Tenant, place: Place, limit: usize) -> Result<(Vec<Entry>, Place), StoreError> {
        let ids = self.some_ids(tenant, "tombstones", place.last, limit).await?;
        let next = place.after(ids.last().copied(), ids.len() == limit);
        let args = Args::new().ids(&ids);
        let reply = self.read("read tombstones", tenant, "tombstones", args).await?;
        let found = reply.tombstones()?.into_iter().zip(ids);
        let entries = found.map(|((tombstone, newest), id)| Entry::Tombstone { id, newest, tombstone });
        Ok((entries.collect(), next))
    }

    async fn unconfirmed(
        &self,
        tenant: &Tenant,
        place: Place,
        of: &str,
        limit: usize,
    ) -> Result<(Vec<Entry>, Place), StoreError> {
        let Some(group) = self.group_at(tenant, place, of).await? else {
            return Ok((Vec::new(), place.after(None, false)));
        };
        let passed = place.within.unwrap_or(0);
        let args = Args::new()
            .id(group)
            .number(u64::try_from(passed).unwrap_or(u64::MAX))
            .number(limit as u64);
        let reply = self
            .read("read unconfirmed members", tenant, "unconfirmed", args)
            .await?;
        let members = reply.unconfirmed()?;
        let mut next = place.after(Some(group), true);
        if members.len() == limit {
            next.within = Some(passed + limit as u128);
        }
        let entry = (!members.is_empty()).then_some(Entry::Unconfirmed { group, members });
        Ok((entry.into_iter().collect(), next))
    }

    async fn outbox(&self, tenant: &Tenant, place: Place, limit: usize) -> Result<(Vec<Entry>, Place), StoreError> {
        let deliveries = self.deliveries(tenant, None, place.last, limit).await?;
        let next = place.after(deliveries.last().map(|delivery| delivery.id), deliveries.len() == limit);
        let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.id).collect();
        let kinds: Vec<_> = deliveries.iter().map(|delivery| delivery.kind).collect();
        let names: Vec<_> = kinds.iter().map(|kind| kind_name(*kind)).collect();
        let args = Args::new().texts(&names).ids(&ids);
        let reply = self.read("read pre-images", tenant, "images", args).await?;
        let images = reply.images(kinds.into_iter().zip(ids))?;
        let entries = deliveries.into_iter().zip(images).filter_map(|(delivery, before)| {
            let (id, work, before) = (delivery.id, delivery.work?.without_lease(), before.map(Box::new));
            Some(Entry::Work { id, work, before })
        });
        Ok((entries.collect(), next))
    }

    async fn waiters(
        &self,
        tenant: &Tenant,
        place: Place,
        of: &str,
        limit: usize,
    ) -> Result<(Vec<Entry>, Place), StoreError> {
        if let (Some(on), Some(passed)) = (place.last, place.within) {
            return self.waiters_of(tenant, place, on, passed, limit).await;
        }
        let ids = self.some_ids(tenant, of, place.last, limit).await?;
        let args = Args::new().ids(&ids);
        let counts = self.read("count waiters", tenant, "waiting", args).await?.numbers()?;
        match ids.iter().zip(counts).find(|(_, count)| *count > 0) {
            Some((on, _)) => self.waiters_of(tenant, place, *on, 0, limit).await,
            None => Ok((Vec::new(), place.after(ids.last().copied(), ids.len() == limit))),
        }
    }

    /// Those who wait for one resource, but for some that were passed.
    async fn waiters_of(
        &self,
        tenant: &Tenant,
        place: Place,
        on: ResourceId,
        passed: u128,
        limit: usize,
    ) -> Result<(Vec<Entry>, Place), StoreError> {
        let offset = u64::try_from(passed).unwrap_or(u64::MAX);
        let args = Args::new().id(on).number(offset).number(limit as u64);
        let found = self.read("read waiters", tenant, "waiters", args).await?.ids()?;
        let mut next = place.after(Some(on), true);
        if found.len() == limit {
            next.within = Some(passed + limit as u128);
        }
        let entries = found.into_iter().map(|waiter| Entry::Waiting { on, waiter });
        Ok((entries.collect(), next))
    }

    async fn chores(&self, tenant: &Tenant, place: Place, limit: usize) -> Result<(Vec<Entry>, Place), StoreError> {
        let passed = place.within.unwrap_or(0);
        let args = Args::new()
            .number(u64::try_from(passed).unwrap_or(u64::MAX))
            .number(limit as u64);
        let found = self.read("read chores", tenant, "chores", args).await?.chores()?;
        let mut next = place;
        next.within = Some(passed + limit as u128);
        if found.len() < limit {
            next = place.after(None, false);
        }
        // There is nothing to dissolve where nothing was left.
        let moved = found.into_iter().filter_map(|(number, id, after)| {
            let chore = Chore::from_number(number).filter(|chore| *chore != Chore::Dissolve)?;
            Some(Entry::Chore { chore, id, after })
        });
        Ok((moved.collect(), next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_place() {
        for section in 0..SECTIONS.len() {
            for last in [None, Some(ResourceId::from_u128(u128::MAX))] {
                for within in [None, Some(0), Some(7)] {
                    let place = Place { section, last, within };
                    assert_eq!(Place::read(&place.cursor()).unwrap(), place);
                }
            }
        }
        for text in ["", "elsewhere///", "links///", "work//x/", "work//1/0/0"] {
            assert!(Place::read(&ExportCursor(text.to_owned())).is_err(), "{text}");
        }
    }
}
