//! Finding resources by a filter: through an index where one applies, else by looking at resources page by page, up to a
//! limit. The filter itself always has the last word; an index only proposes.

mod membership;
mod page;

use scim::{Filter, Matcher, ResourceSchema, SortBy, SortKey, Target};

use membership::{Tree, asked, set_attribute};
pub use page::PAGE_BYTES;
use page::{Filling, Window};

use crate::{
    error::Error,
    id::{Kind, ResourceId, Tenant},
    index::{Index, Key},
    record::Record,
    store::{Found, From, Seen, Store, Which},
};

/// How many resources are read at a time while looking.
const SCAN_PAGE: usize = 500;
/// How many resources of a page are read at a time.
const PAGE_STEP: usize = 100;
/// How much of a search is done before others get their turn: comparisons with the values of a small resource.
const TURN: usize = 20_000;
/// How many candidates an index may propose before the search is as good as a scan.
const CANDIDATES: usize = 10_000;
/// How many resources under a key are read with what they are in. There is seldom more than one.
const AT_ONCE: usize = 100;
/// How many groups of a resource are read along with it.
pub const GROUPS_ALONG: usize = 100;

/// What is searched for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Which resources match, as a SCIM filter; all without one.
    pub filter: Option<&'a str>,
    /// Their order; by creation without one.
    pub sort: Option<Sort<'a>>,
    /// Where the page begins.
    pub start: Start,
    /// How many resources it may have.
    pub size: usize,
    /// Whether the groups that they are in are to be read along.
    pub with_groups: bool,
}

/// An order (RFC 7644 §3.4.2.3). Resources with equal values stand by creation.
#[derive(Debug, Clone, Copy)]
pub struct Sort<'a> {
    /// The path of an attribute.
    pub by: &'a str,
    /// The greatest first, and before it what has no value.
    pub descending: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the n-th result, from 0.
    Offset(u64),
    /// After this resource, in the order of creation.
    After(ResourceId),
    /// After this resource, in another order.
    AfterPlace(Place),
}

/// How far an earlier page went in an order that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The last resource that was given.
    pub id: ResourceId,
    /// Its version then: at that version it still stands where it stood among the others.
    pub version: u64,
    /// How many results there were up to it, itself included.
    pub count: u64,
}

/// A page of results.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The resources, in order, with the groups that could be read along.
    pub seen: Vec<Seen>,
    /// How many match, on all pages.
    pub total: u64,
    /// How many results stand before the page; only told where the order can change.
    pub first: u64,
    /// Whether there are more after this page.
    pub more: bool,
    /// How the next page is asked for; `None` at the end, and after a page for no resources.
    pub next: Option<Start>,
}

/// The search of one request.
pub struct Query<'a> {
    /// Where to look.
    pub store: &'a dyn Store,
    /// Whose resources.
    pub tenant: &'a Tenant,
    /// Which resources.
    pub kind: Kind,
    /// What their attributes are.
    pub schema: &'a ResourceSchema,
    /// How many resources may be looked at without an index.
    pub scan_limit: usize,
}

impl Query<'_> {
    /// Finds a page.
    pub async fn find(&self, search: Search<'_>) -> Result<Page, Error> {
        let filter = search.filter.filter(|filter| !filter.trim().is_empty());
        let groups = if search.with_groups { GROUPS_ALONG } else { 0 };
        let Some(sort) = search.sort else {
            return match filter {
                None => self.all(search.start, search.size, groups).await,
                Some(filter) => {
                    let mut window = Window::new(search.start, search.size);
                    self.each(filter, groups, &mut |seen| window.see(seen)).await?;
                    Ok(window.into_page())
                }
            };
        };
        let by = self.sort_by(sort.by)?;
        let mut found = Vec::new();
        let mut keep = |Seen { record, .. }: Seen| {
            let (id, version) = (record.id, record.version);
            let key = by.key(&record.into_resource());
            found.push(Sorted { key, id, version });
        };
        match filter {
            None => self.scan(&mut Rest::default(), &mut keep).await?,
            Some(filter) => self.each(filter, 0, &mut keep).await?,
        }
        found.sort_unstable_by(|left, right| {
            let order = left.key.cmp(&right.key);
            let order = if sort.descending { order.reverse() } else { order };
            order.then(left.id.cmp(&right.id))
        });
        self.sorted_page(&found, search.start, search.size, groups).await
    }

    fn sort_by(&self, text: &str) -> Result<SortBy<'_>, Error> {
        let by = SortBy::parse(self.schema, text)?;
        if by.is_core(set_attribute(self.kind)) {
            let detail = format!("sortBy: `{}` has no order", set_attribute(self.kind));
            return Err(scim::Error {
                kind: scim::ErrorKind::InvalidPath,
                detail,
            }
            .into());
        }
        Ok(by)
    }

    async fn sorted_page(&self, found: &[Sorted], start: Start, size: usize, groups: usize) -> Result<Page, Error> {
        let skip = match start {
            Start::Offset(offset) => usize::try_from(offset).unwrap_or(usize::MAX),
            Start::After(id) => found.iter().position(|one| one.id == id).map_or(0, |at| at + 1),
            Start::AfterPlace(place) => skipped(found, place),
        };
        let rest = found.get(skip..).unwrap_or_default();
        let mut filling = Filling::new(size);
        let mut given = 0;
        'page: for some in rest[..size.min(rest.len())].chunks(PAGE_STEP) {
            let ids: Vec<_> = some.iter().map(|one| one.id).collect();
            let Found { seen, .. } = self.look_up(Which::Ids(&ids), groups).await?;
            let mut seen = seen.into_iter().peekable();
            for one in some {
                // One that went meanwhile leaves no gap behind which the next page would begin.
                if let Some(seen) = seen.next_if(|seen| seen.record.id == one.id)
                    && !filling.put(seen)
                {
                    break 'page;
                }
                given += 1;
            }
        }
        let more = given < rest.len();
        let last = given.checked_sub(1).and_then(|last| rest.get(last));
        let next = last.filter(|_| more).map(|last| {
            Start::AfterPlace(Place {
                id: last.id,
                version: last.version,
                count: (skip + given) as u64,
            })
        });
        Ok(Page {
            seen: filling.seen,
            total: found.len() as u64,
            first: skip as u64,
            more,
            next,
        })
    }

    /// Gives each resource that a filter matches, in the order of creation.
    async fn each(&self, filter: &str, groups: usize, keep: &mut (impl FnMut(Seen) + Send)) -> Result<(), Error> {
        let filter = Filter::parse(filter)?;
        filter.check(self.schema)?;
        let conjuncts = filter.conjuncts();
        let (sets, rest): (Vec<_>, Vec<_>) = conjuncts
            .into_iter()
            .partition(|part| asked(part, self.kind, self.schema).is_some());
        let candidates = self.candidates(&sets, &rest, groups).await?;
        let mut rest = Rest::new(&rest, &sets, self)?;
        match candidates {
            Some(Candidates::Seen(seen)) => rest.keep(self, seen, keep).await,
            Some(Candidates::Ids(ids)) => self.among(&ids, &mut rest, keep).await,
            None => self.scan(&mut rest, keep).await,
        }
    }

    async fn all(&self, start: Start, size: usize, groups: usize) -> Result<Page, Error> {
        let from = match start {
            Start::Offset(offset) => From::Offset(offset),
            Start::After(id) | Start::AfterPlace(Place { id, .. }) => From::After(id),
        };
        let total = self.store.count(self.tenant, self.kind).await?;
        if size == 0 {
            return Ok(Filling::new(0).into_page(total, total > 0));
        }
        let (mut from, mut filling) = (from, Filling::new(size));
        loop {
            // One more than fits tells that there is more.
            let step = (size + 1 - filling.seen.len()).min(PAGE_STEP);
            let Found { seen, more } = self.look_up(Which::Listed(from, step), groups).await?;
            for one in seen {
                from = From::After(one.record.id);
                if !filling.put(one) {
                    return Ok(filling.into_page(total, true));
                }
            }
            if !more {
                return Ok(filling.into_page(total, false));
            }
        }
    }

    async fn look_up(&self, which: Which<'_>, groups: usize) -> Result<Found, Error> {
        Ok(self.store.look_up(self.tenant, self.kind, which, groups).await?)
    }

    /// What an index proposes; `None` when none applies. The narrowest comes first: a name names at most one.
    async fn candidates(&self, sets: &[&Filter], rest: &[&Filter], groups: usize) -> Result<Option<Candidates>, Error> {
        let mut keys = Vec::new();
        for part in rest {
            match self.indexed(part) {
                Some(Lookup::Id(id)) => {
                    let found = self.look_up(Which::Ids(id.as_slice()), groups).await?;
                    return Ok(Some(Candidates::Seen(found.seen)));
                }
                Some(Lookup::Key(key)) => keys.push(key),
                None => {}
            }
        }
        keys.sort_unstable_by_key(|key| key.index);
        if let Some(key) = keys.first() {
            let found = self.look_up(Which::Key(key, AT_ONCE), groups).await?;
            if !found.more {
                return Ok(Some(Candidates::Seen(found.seen)));
            }
            let ids = self.store.find(self.tenant, self.kind, key, CANDIDATES + 1).await?;
            if ids.len() > CANDIDATES {
                return Err(too_many(CANDIDATES));
            }
            return Ok(Some(Candidates::Ids(ids)));
        }
        let Some(part) = sets.first() else { return Ok(None) };
        let other = asked(part, self.kind, self.schema);
        let Some(other) = other.and_then(|text| text.parse::<ResourceId>().ok()) else {
            return Ok(Some(Candidates::Ids(Vec::new())));
        };
        let limit = self.scan_limit + 1;
        let ids = match self.kind {
            Kind::Group => self.store.groups_of(self.tenant, other, None, limit).await?,
            Kind::User => self
                .store
                .members(self.tenant, other, None, limit)
                .await?
                .into_iter()
                .map(|member| member.id)
                .collect(),
        };
        if ids.len() > self.scan_limit {
            Err(too_many(self.scan_limit))
        } else {
            Ok(Some(Candidates::Ids(ids)))
        }
    }

    /// The look-up that proposes everything that this part of a filter can match.
    fn indexed(&self, part: &Filter) -> Option<Lookup> {
        let (path, value) = match part {
            Filter::Compare { .. } => part.equality()?,
            Filter::ValuePath { attr, filter } => {
                let value = filter.conjuncts().into_iter().find_map(|part| {
                    let (path, value) = part.equality()?;
                    path.attribute.eq_ignore_ascii_case("value").then_some(value)
                });
                (attr, value?)
            }
            _ => return None,
        };
        let Some(Target::Attribute {
            extension,
            attribute,
            sub,
        }) = self.schema.resolve(path)
        else {
            return None;
        };
        let key = |index| Some(Lookup::Key(Key::new(index, &value)));
        let names = (
            self.kind,
            extension.map(|extension| extension.id.as_str()),
            attribute.name.as_str(),
            sub.map(|sub| sub.name.as_str()),
        );
        match names {
            (_, None, "id", None) => Some(Lookup::Id(value.parse().ok())),
            (_, None, "externalId", None) => key(Index::ExternalId),
            (Kind::User, None, "userName", None) | (Kind::Group, None, "displayName", None) => key(Index::Name),
            (Kind::User, None, "displayName", None) => key(Index::DisplayName),
            (Kind::User, None, "emails", None | Some("value")) => key(Index::Email),
            (Kind::User, Some(scim::URN_ENTERPRISE_USER), "manager", None | Some("value")) => key(Index::Manager),
            _ => None,
        }
    }

    async fn among(
        &self,
        ids: &[ResourceId],
        rest: &mut Rest<'_>,
        keep: &mut (impl FnMut(Seen) + Send),
    ) -> Result<(), Error> {
        for page in ids.chunks(SCAN_PAGE) {
            let records = self.store.get_many(self.tenant, self.kind, page).await?;
            // The groups of most that are looked at are not shown.
            let candidates = records.into_iter().map(Seen::alone);
            rest.keep(self, candidates, keep).await?;
        }
        Ok(())
    }

    async fn scan(&self, rest: &mut Rest<'_>, keep: &mut (impl FnMut(Seen) + Send)) -> Result<(), Error> {
        let mut from = From::Offset(0);
        let mut seen = 0;
        loop {
            let page = self.store.list(self.tenant, self.kind, from, SCAN_PAGE).await?;
            let full = page.len() == SCAN_PAGE;
            seen += page.len();
            if seen > self.scan_limit {
                return Err(too_many(self.scan_limit));
            }
            if let Some(last) = page.last() {
                from = From::After(last.id);
            }
            rest.keep(self, page.into_iter().map(Seen::alone), keep).await?;
            if !full {
                return Ok(());
            }
            // A long scan must not keep others from the runtime.
            tokio::task::yield_now().await;
        }
    }
}

/// What a filter asks of each record that is looked at, all of which must hold.
#[derive(Default)]
struct Rest<'s> {
    /// What is asked of the document comes first: it costs least.
    own: Vec<Matcher<'s>>,
    memberships: Vec<Tree<'s>>,
    comparisons: usize,
    /// What was done since others had their turn.
    turn: usize,
    /// How often the store was asked for memberships.
    looks: usize,
}

impl<'s> Rest<'s> {
    fn new(rest: &[&Filter], sets: &[&Filter], query: &Query<'s>) -> Result<Self, Error> {
        let mut asks = Self::default();
        for part in rest.iter().chain(sets) {
            asks.comparisons += part.comparisons();
            match Tree::new(part, query.kind, query.schema)? {
                Tree::Own(matcher) => asks.own.push(matcher),
                tree => asks.memberships.push(tree),
            }
        }
        Ok(asks)
    }

    /// Keeps those that match.
    async fn keep(
        &mut self,
        query: &Query<'_>,
        candidates: impl IntoIterator<Item = Seen, IntoIter: Send> + Send,
        keep: &mut (impl FnMut(Seen) + Send),
    ) -> Result<(), Error> {
        for mut seen in candidates {
            if self.matches(query, &mut seen.record).await? {
                keep(seen);
            }
        }
        Ok(())
    }

    async fn matches(&mut self, query: &Query<'_>, record: &mut Record) -> Result<bool, Error> {
        if self.comparisons == 0 {
            return Ok(true);
        }
        self.turn += self.comparisons * (1 + record.bytes() / 4_096);
        if self.turn > TURN {
            self.turn = 0;
            tokio::task::yield_now().await;
        }
        if !record.look(|resource| self.own.iter().all(|part| part.matches(resource))) {
            return Ok(false);
        }
        for part in &self.memberships {
            if !part.holds(query, record, &mut self.looks).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What may match: read already, or yet to be read.
enum Candidates {
    Seen(Vec<Seen>),
    Ids(Vec<ResourceId>),
}

enum Lookup {
    Id(Option<ResourceId>),
    Key(Key),
}

/// A resource and its place in an order.
struct Sorted {
    key: SortKey,
    id: ResourceId,
    version: u64,
}

/// How many results stand before a page that continues after `place`. Others may have come or gone: the resource that was
/// the last shows where to go on, unless it changed and so may have moved, or is gone. Then their number does, less that
/// one, so that none is left out for it; one may be given twice.
fn skipped(found: &[Sorted], place: Place) -> usize {
    let unmoved = |one: &Sorted| one.id == place.id && one.version == place.version;
    match found.iter().position(unmoved) {
        Some(at) => at + 1,
        None => usize::try_from(place.count.saturating_sub(1)).unwrap_or(usize::MAX),
    }
}

fn too_many(limit: usize) -> Error {
    let detail =
        format!("the search would have to look at more than {limit} resources; use an indexed attribute with `eq`");
    scim::Error {
        kind: scim::ErrorKind::TooMany,
        detail,
    }
    .into()
}
