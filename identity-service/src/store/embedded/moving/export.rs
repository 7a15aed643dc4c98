//! Out of the file: a page of entries from a place on. What a deleted group left to be swept shows nowhere and stays behind;
//! what one has that may be brought back does not.

use std::ops::Bound;

use super::place::{Place, Section};
use crate::{
    id::{Kind, ResourceId},
    store::{
        Chore, Entry, ExportCursor, ImportMark, KeptImage, KeptLink, MOVED_AT_ONCE, PreImage, Stage, Tombstone, Work,
        embedded::tables::{
            BEFORE, CHORES, COUNTERS, Counter, Failed, IMPORTS, LINKS, MEMBERS, PENDING, RECORDS, RESERVED, Reading,
            TOMBSTONE_NAMES, TOMBSTONES, WAITING, WORK, from_json, get, read_counter,
        },
    },
};

/// A page as it grows.
struct Page {
    entries: Vec<Entry>,
    place: Place,
    /// How many items it may still touch.
    left: usize,
    /// The group that was looked for last, and whether it is there.
    group: Option<(u128, bool)>,
}

impl Page {
    /// Notes that an item was touched: the page goes on after it.
    fn pass(&mut self, last: [u128; 3]) {
        self.left -= 1;
        self.place.last = Some(last);
    }
}

impl Reading {
    /// A page of a tenant's entries, and where to go on.
    pub(in crate::store::embedded) fn export(
        &self,
        tenant: &str,
        after: Option<&ExportCursor>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<ExportCursor>), Failed> {
        let mut page = Page {
            entries: Vec::new(),
            place: after.map_or(Ok(Place::FIRST), Place::read)?,
            left: limit.clamp(1, MOVED_AT_ONCE),
            group: None,
        };
        loop {
            self.section(tenant, &mut page)?;
            if page.left == 0 {
                return Ok((page.entries, Some(page.place.cursor())));
            }
            match page.place.next_section() {
                Some(next) => page.place = next,
                None => return Ok((page.entries, None)),
            }
        }
    }

    /// How far an import is that has not come to its end.
    pub(in crate::store::embedded) fn importing(&self, tenant: &str) -> Result<Option<ImportMark>, Failed> {
        get(&self.table(IMPORTS)?, tenant, "mark of an import")
    }

    /// Goes on with a section until it, or the page, is at its end.
    fn section(&self, tenant: &str, page: &mut Page) -> Result<(), Failed> {
        match page.place.section {
            Section::Counters if page.place.last.is_some() => Ok(()),
            Section::Counters => {
                let stamp = read_counter(&self.table(COUNTERS)?, tenant, Counter::Stamp)?;
                let pause = self.pause(tenant)?;
                let credentials = self.credentials(tenant)?;
                page.entries.push(Entry::Counters {
                    stamp,
                    pause,
                    credentials,
                });
                page.pass([0; 3]);
                Ok(())
            }
            Section::Users => self.resources(tenant, page, Kind::User),
            Section::Groups => self.resources(tenant, page, Kind::Group),
            Section::Members => self.memberships(tenant, page),
            Section::Links => self.links(tenant, page),
            Section::Tombstones => self.tombstones(tenant, page),
            Section::Unconfirmed => self.unconfirmed(tenant, page),
            Section::Work => self.outbox(tenant, page),
            Section::Waiting => self.waiters(tenant, page),
            Section::Chores => self.chores(tenant, page),
        }
    }

    fn resources(&self, tenant: &str, page: &mut Page, kind: Kind) -> Result<(), Failed> {
        let kind = kind.number();
        let from = after(page.place.last, (tenant, kind, 0), |[id, ..]| (tenant, kind, id));
        let range = (from, Bound::Included((tenant, kind, u128::MAX)));
        for row in self.table(RECORDS)?.range(range)?.take(page.left) {
            let (key, record) = row?;
            page.pass([key.value().2, 0, 0]);
            page.entries.push(Entry::Resource(from_json(record.value(), "record")?));
        }
        Ok(())
    }

    fn memberships(&self, tenant: &str, page: &mut Page) -> Result<(), Failed> {
        let from = after(page.place.last, (tenant, 0, 0), |[group, member, _]| {
            (tenant, group, member)
        });
        let range = (from, Bound::Included((tenant, u128::MAX, u128::MAX)));
        for row in self.table(MEMBERS)?.range(range)?.take(page.left) {
            let (key, kind) = row?;
            let (_, in_group, member) = key.value();
            page.pass([in_group, member, 0]);
            if !self.is_there(tenant, page, in_group)? {
                continue;
            }
            let member = (ResourceId::from_u128(member), Kind::from_number(kind.value()));
            match page.entries.last_mut() {
                Some(Entry::Members { group, members }) if group.as_u128() == in_group => members.push(member),
                _ => page.entries.push(Entry::Members {
                    group: ResourceId::from_u128(in_group),
                    members: vec![member],
                }),
            }
        }
        Ok(())
    }

    fn links(&self, tenant: &str, page: &mut Page) -> Result<(), Failed> {
        let from = after(page.place.last, (tenant, 0), |[id, ..]| (tenant, id));
        for row in self
            .table(LINKS)?
            .range((from, Bound::Included((tenant, u128::MAX))))?
            .take(page.left)
        {
            let (key, link) = row?;
            let id = key.value().1;
            page.pass([id, 0, 0]);
            let link: KeptLink = from_json(link.value(), "link")?;
            if let Some(kind) = self.kind_of(tenant, id)? {
                let id = ResourceId::from_u128(id);
                page.entries.push(Entry::Link { id, kind, link });
            } else {
                tracing::warn!(scim.resource.id = %ResourceId::from_u128(id), "a link belongs to nothing; it is left behind");
            }
        }
        Ok(())
    }

    fn tombstones(&self, tenant: &str, page: &mut Page) -> Result<(), Failed> {
        let names = self.table(TOMBSTONE_NAMES)?;
        let from = after(page.place.last, (tenant, 0), |[id, ..]| (tenant, id));
        for row in self
            .table(TOMBSTONES)?
            .range((from, Bound::Included((tenant, u128::MAX))))?
            .take(page.left)
        {
            let (key, tombstone) = row?;
            let id = key.value().1;
            page.pass([id, 0, 0]);
            let tombstone: Tombstone = from_json(tombstone.value(), "tombstone")?;
            let newest = names.get((tenant, tombstone.kind.number(), tombstone.name.as_str()))?;
            page.entries.push(Entry::Tombstone {
                id: ResourceId::from_u128(id),
                newest: newest.is_some_and(|newest| newest.value() == id),
                tombstone,
            });
        }
        Ok(())
    }

    fn unconfirmed(&self, tenant: &str, page: &mut Page) -> Result<(), Failed> {
        let from = after(page.place.last, (tenant, 0, 0, 0), |[group, stage, member]| {
            // A stage comes from a key of this table.
            (tenant, group, u64::try_from(stage).unwrap_or(u64::MAX), member)
        });
        let range = (from, Bound::Included((tenant, u128::MAX, u64::MAX, u128::MAX)));
        for row in self.table(PENDING)?.range(range)?.take(page.left) {
            let (key, stamp) = row?;
            let (_, of_group, stage, member) = key.value();
            page.pass([of_group, stage.into(), member]);
            if !self.is_there(tenant, page, of_group)? {
                continue;
            }
            let member = (ResourceId::from_u128(member), Stage::from_number(stage), stamp.value());
            match page.entries.last_mut() {
                Some(Entry::Unconfirmed { group, members }) if group.as_u128() == of_group => members.push(member),
                _ => page.entries.push(Entry::Unconfirmed {
                    group: ResourceId::from_u128(of_group),
                    members: vec![member],
                }),
            }
        }
        Ok(())
    }

    fn outbox(&self, tenant: &str, page: &mut Page) -> Result<(), Failed> {
        let from = after(page.place.last, (tenant, 0), |[id, ..]| (tenant, id));
        for row in self
            .table(WORK)?
            .range((from, Bound::Included((tenant, u128::MAX))))?
            .take(page.left)
        {
            let (key, work) = row?;
            let id = key.value().1;
            page.pass([id, 0, 0]);
            let work: Work = from_json(work.value(), "piece of work")?;
            page.entries.push(Entry::Work {
                id: ResourceId::from_u128(id),
                before: self.image(tenant, work.kind, id)?.map(Box::new),
                work: work.without_lease(),
            });
        }
        Ok(())
    }

    fn image(&self, tenant: &str, kind: Kind, id: u128) -> Result<Option<KeptImage>, Failed> {
        let Some(image) = get::<_, PreImage>(&self.table(BEFORE)?, (tenant, id), "pre-image")? else {
            return Ok(None);
        };
        let (table, mut reserved) = (self.table(RESERVED)?, Vec::new());
        for name in &image.names {
            let owner = table.get((tenant, kind.number(), name.as_str()))?;
            if owner.is_some_and(|owner| owner.value() == id) {
                reserved.push(name.clone());
            }
        }
        Ok(Some(KeptImage { image, reserved }))
    }

    fn waiters(&self, tenant: &str, page: &mut Page) -> Result<(), Failed> {
        let from = after(page.place.last, (tenant, 0, 0), |[on, waiter, _]| (tenant, on, waiter));
        let range = (from, Bound::Included((tenant, u128::MAX, u128::MAX)));
        for row in self.table(WAITING)?.range(range)?.take(page.left) {
            let (_, on, waiter) = row?.0.value();
            page.pass([on, waiter, 0]);
            // What is gone wakes nobody.
            if self.kind_of(tenant, on)?.is_none() {
                continue;
            }
            page.entries.push(Entry::Waiting {
                on: ResourceId::from_u128(on),
                waiter: ResourceId::from_u128(waiter),
            });
        }
        Ok(())
    }

    fn chores(&self, tenant: &str, page: &mut Page) -> Result<(), Failed> {
        let from = after(page.place.last, (tenant, 0, 0), |[chore, id, _]| {
            // A chore's number comes from a key of this table.
            (tenant, u8::try_from(chore).unwrap_or(u8::MAX), id)
        });
        let range = (from, Bound::Included((tenant, u8::MAX, u128::MAX)));
        for row in self.table(CHORES)?.range(range)?.take(page.left) {
            let (key, cursor) = row?;
            let (_, number, id) = key.value();
            page.pass([number.into(), id, 0]);
            // There is nothing to dissolve where nothing was left.
            if let Some(chore) = Chore::from_number(number).filter(|chore| *chore != Chore::Dissolve) {
                page.entries.push(Entry::Chore {
                    chore,
                    id: ResourceId::from_u128(id),
                    after: cursor.value().checked_sub(1).map(ResourceId::from_u128),
                });
            }
        }
        Ok(())
    }

    /// Whether there is such a group, or may be again; asked of the same one again and again.
    fn is_there(&self, tenant: &str, page: &mut Page, group: u128) -> Result<bool, Failed> {
        if let Some((_, there)) = page.group.filter(|(known, _)| *known == group) {
            return Ok(there);
        }
        let records = self.table(RECORDS)?;
        let there = records.get((tenant, Kind::Group.number(), group))?.is_some()
            || self.table(BEFORE)?.get((tenant, group))?.is_some();
        page.group = Some((group, there));
        Ok(there)
    }

    /// The kind of a resource or tombstone.
    fn kind_of(&self, tenant: &str, id: u128) -> Result<Option<Kind>, Failed> {
        let records = self.table(RECORDS)?;
        for kind in Kind::ALL {
            if records.get((tenant, kind.number(), id))?.is_some() {
                return Ok(Some(kind));
            }
        }
        let tombstone: Option<Tombstone> = get(&self.table(TOMBSTONES)?, (tenant, id), "tombstone")?;
        Ok(tombstone.map(|tombstone| tombstone.kind))
    }
}

/// Where a range begins: after the last key, or with the first.
fn after<K>(last: Option<[u128; 3]>, first: K, key: impl FnOnce([u128; 3]) -> K) -> Bound<K> {
    last.map_or(Bound::Included(first), |last| Bound::Excluded(key(last)))
}
