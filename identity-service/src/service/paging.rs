//! Page sizes and page tokens: the same on every list.
//!
//! The token of a search says where an earlier page ended, and which search it was: with another filter, order or kind of
//! resource it is refused (RFC 9865). It holds ids and counts, no value of an attribute, and does not expire. Every token is bound
//! to its tenant, so that one of a neighbour's is refused and tells nothing.

use scim::ErrorKind;
use sha2::{Digest, Sha256};

use crate::{
    error::Error,
    id::{Kind, ResourceId, Tenant},
    query::{Page, Place, Search, Sort, Start},
};

/// The page size when none is asked for.
pub(super) const DEFAULT_PAGE: usize = 100;
/// The largest page; a larger wish is lowered.
pub(super) const LARGEST_PAGE: usize = proto::LARGEST_PAGE as usize;

/// The number of results to give.
pub(super) fn size(asked: Option<i32>) -> usize {
    asked.map_or(DEFAULT_PAGE, |size| {
        usize::try_from(size).unwrap_or(0).min(LARGEST_PAGE)
    })
}

/// The number of entries of a list that is paged by token alone: none asked for, and 0, mean the default (AIP-158).
pub(super) fn entries(asked: Option<i32>) -> Result<usize, Error> {
    match asked {
        None | Some(0) => Ok(DEFAULT_PAGE),
        Some(..0) => Err(Error::InvalidRequest {
            field: "page_size",
            problem: "is negative".to_owned(),
        }),
        asked => Ok(size(asked)),
    }
}

/// A search as it was asked for, without its page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) kind: Kind,
    pub(super) filter: Option<&'a str>,
    pub(super) sort: Option<Sort<'a>>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(
        tenant: &'a Tenant,
        kind: Kind,
        filter: Option<&'a str>,
        sort_by: Option<&'a str>,
        descending: bool,
    ) -> Self {
        let sort_by = sort_by.filter(|by| !by.trim().is_empty());
        let sort = sort_by.map(|by| Sort { by, descending });
        Self {
            tenant,
            kind,
            filter,
            sort,
        }
    }

    /// The page that begins where a token says, or else at a 1-based index.
    pub(super) fn page(&self, token: Option<&str>, start_index: i64, size: Option<i32>) -> Result<Search<'a>, Error> {
        let start = match token.filter(|token| !token.is_empty()) {
            Some(token) => self.read(token)?,
            None => Start::Offset(u64::try_from(start_index.saturating_sub(1)).unwrap_or(0)),
        };
        Ok(Search {
            filter: self.filter,
            sort: self.sort,
            start,
            size: self::size(size),
            with_groups: false,
        })
    }

    /// The token that continues after a page.
    pub(super) fn next(&self, page: &Page) -> Option<String> {
        let binding = self.binding();
        match page.next? {
            Start::After(id) => Some(format!("{binding:016x}{:032x}", id.as_u128())),
            Start::AfterPlace(place) => Some(format!(
                "{binding:016x}{:032x}{:016x}{:016x}",
                place.id.as_u128(),
                place.version,
                place.count
            )),
            Start::Offset(_) => None,
        }
    }

    /// Ends a page after its first records, of which `kept` has ids and versions.
    pub(super) fn cut(&self, page: &mut Page, kept: &[(ResourceId, u64)]) {
        let last = kept.last().map(|(id, version)| match self.sort {
            None => Start::After(*id),
            Some(_) => Start::AfterPlace(Place {
                id: *id,
                version: *version,
                count: page.first + kept.len() as u64,
            }),
        });
        page.more = true;
        page.next = last;
    }

    fn read(&self, token: &str) -> Result<Start, Error> {
        let refused = |detail: &str| {
            Error::Scim(scim::Error {
                kind: ErrorKind::InvalidCursor,
                detail: detail.to_owned(),
            })
        };
        let Some((binding, start)) = parts(token) else {
            return Err(refused(
                "the cursor is none of this service's; begin anew with an empty one",
            ));
        };
        if binding != self.binding() || matches!(start, Start::AfterPlace(_)) != self.sort.is_some() {
            return Err(refused(
                "the cursor belongs to another search; repeat filter, sortBy and sortOrder as they were, or begin anew",
            ));
        }
        Ok(start)
    }

    /// What a token is bound to.
    fn binding(&self) -> u64 {
        let sort = self.sort.map(|sort| (sort.by.to_ascii_lowercase(), sort.descending));
        // The form of Debug keeps the parts apart, whatever text they have.
        mark(&format!("{:?}", (self.tenant.as_str(), self.kind, self.filter, sort)))
    }
}

/// A number that tells one text from others.
pub(super) fn mark(text: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

fn parts(token: &str) -> Option<(u64, Start)> {
    if !matches!(token.len(), 48 | 80) || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = |from: usize| u64::from_str_radix(&token[from..from + 16], 16).ok();
    let id = ResourceId::from_u128(u128::from_str_radix(&token[16..48], 16).ok()?);
    let start = if token.len() == 48 {
        Start::After(id)
    } else {
        Start::AfterPlace(Place {
            id,
            version: number(48)?,
            count: number(64)?,
        })
    };
    Some((number(0)?, start))
}

/// A list of ids that is paged by token alone: of which tenant, and which list of its.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) list: &'a str,
}

impl Listed<'_> {
    /// The id that a token continues after.
    pub(super) fn after(&self, token: Option<&str>) -> Result<Option<ResourceId>, Error> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let invalid = || Error::InvalidRequest {
            field: "page_token",
            problem: "is not a token of this list".to_owned(),
        };
        let (of, id) = token.split_once('.').ok_or_else(invalid)?;
        if of != self.mark() {
            return Err(invalid());
        }
        id.parse().map(Some).map_err(|_| invalid())
    }

    /// The token that continues after an id.
    pub(super) fn token(&self, last: ResourceId) -> String {
        format!("{}.{last}", self.mark())
    }

    fn mark(&self) -> String {
        // The form of Debug keeps the parts apart, whatever text they have.
        format!("{:016x}", mark(&format!("{:?}", (self.tenant.as_str(), self.list))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_never_larger_than_the_largest() {
        let cases = [
            (None, DEFAULT_PAGE),
            (Some(0), 0),
            (Some(-5), 0),
            (Some(7), 7),
            (Some(i32::MAX), LARGEST_PAGE),
        ];
        for (asked, given) in cases {
            assert_eq!(size(asked), given, "{asked:?}");
        }
    }

    #[test]
    fn a_list_that_is_paged_by_token_never_has_an_empty_page() {
        for (asked, given) in [
            (None, DEFAULT_PAGE),
            (Some(0), DEFAULT_PAGE),
            (Some(1), 1),
            (Some(i32::MAX), LARGEST_PAGE),
        ] {
            assert_eq!(entries(asked).unwrap(), given, "{asked:?}");
        }
        assert!(entries(Some(-1)).is_err());
    }

    fn asked(tenant: &Tenant) -> Asked<'_> {
        Asked::new(tenant, Kind::User, Some("title pr"), None, false)
    }

    fn sorted(tenant: &Tenant, descending: bool) -> Asked<'_> {
        Asked::new(tenant, Kind::User, Some("title pr"), Some("userName"), descending)
    }

    #[test]
    fn an_index_below_one_is_one() {
        let tenant = Tenant::new("kestrel");
        for (index, offset) in [(i64::MIN, 0), (0, 0), (1, 0), (2, 1), (i64::MAX, i64::MAX as u64 - 1)] {
            let search = asked(&tenant).page(None, index, None).unwrap();
            assert_eq!(search.start, Start::Offset(offset), "{index}");
        }
    }

    /// A page that ends so.
    fn ending(next: Start) -> Page {
        Page {
            seen: Vec::new(),
            total: 9,
            first: 0,
            more: true,
            next: Some(next),
        }
    }

    #[test]
    fn a_token_goes_on_with_its_own_search_and_no_other() {
        let (tenant, neighbour) = (Tenant::new("kestrel"), Tenant::new("merlin"));
        let id = ResourceId::generate();
        let place = Start::AfterPlace(Place {
            id,
            version: 7,
            count: u64::MAX,
        });
        for (asked, start) in [(asked(&tenant), Start::After(id)), (sorted(&tenant, false), place)] {
            let token = asked.next(&ending(start)).unwrap();
            assert_eq!(asked.page(Some(&token), 5, Some(2)).unwrap().start, start);
            let group = Asked {
                kind: Kind::Group,
                ..asked
            };
            let unfiltered = Asked { filter: None, ..asked };
            let crossed = Asked {
                tenant: &neighbour,
                ..asked
            };
            let others = [
                group,
                unfiltered,
                crossed,
                sorted(&tenant, true),
                Asked::new(&tenant, Kind::User, None, Some("title"), false),
            ];
            for other in others {
                let refused = other.page(Some(&token), 1, None);
                assert!(
                    matches!(&refused, Err(Error::Scim(error)) if error.kind == ErrorKind::InvalidCursor),
                    "{other:?}: {refused:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let tenant = Tenant::new("kestrel");
        let asked = asked(&tenant);
        let token = asked.next(&ending(Start::After(ResourceId::generate()))).unwrap();
        for text in [
            "nonsense",
            &token[1..],
            &format!("{token}0"),
            &token.replace('0', "é"),
            &"g".repeat(48),
            " ",
        ] {
            assert!(asked.page(Some(text), 1, None).is_err(), "{text}");
        }
        assert_eq!(asked.page(Some(""), 3, None).unwrap().start, Start::Offset(2));
    }

    #[test]
    fn a_token_of_a_list_goes_on_with_that_list_of_that_tenant_alone() {
        let (tenant, neighbour) = (Tenant::new("kestrel"), Tenant::new("merlin"));
        let listed = |tenant, list| Listed { tenant, list };
        let (own, id) = (listed(&tenant, "members a"), ResourceId::generate());
        let token = own.token(id);
        assert_eq!(own.after(Some(&token)).unwrap(), Some(id));
        assert_eq!(own.after(Some("")).unwrap(), None);
        assert_eq!(own.after(None).unwrap(), None);
        for other in [listed(&neighbour, "members a"), listed(&tenant, "members b")] {
            assert!(other.after(Some(&token)).is_err(), "{other:?}");
        }
        for text in [&id.to_string(), "x", ".", &token[1..], &format!("{token}0")] {
            assert!(own.after(Some(text)).is_err(), "{text}");
        }
    }
}
