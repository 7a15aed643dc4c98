//! Lists and searches (RFC 7644 §3.4.2, §3.4.3), and how their answers are written. At the root, users come first and
//! groups after them, as if they were one list: totals are exact, and an index counts through both.

use std::fmt;

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use proto::resource::v1::{Group, User};
use scim::{Filter, ResourceSchema, ResourceType, Restricted};

use crate::answer::{self, Paged};
use crate::call::Call;
use crate::delivery::Deliveries;
use crate::error::Problem;
use crate::members::{Part, Shown};
use crate::{groups, users};

/// The most bytes of a search's body. The longest filter that is read has its room in it.
const MAX_SEARCH_BODY: u64 = 256 << 10;

/// What is asked of the resources of one type.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) filter: Option<String>,
    pub(crate) sort_by: Option<String>,
    pub(crate) descending: bool,
    /// The 1-based index of the first result.
    pub(crate) start_index: i64,
    /// Where an earlier page ended, in identity-service's words; the index does not count then.
    pub(crate) token: Option<String>,
    /// At most so many results; 0 asks for the total alone.
    pub(crate) size: i32,
}

impl Wanted {
    /// What a request to one resource type's endpoint asks.
    pub(crate) fn of(call: &Call) -> Self {
        let query = &call.query;
        Self {
            filter: query.filter.clone(),
            sort_by: query.sort_by.clone(),
            descending: query.descending,
            start_index: if query.cursor.is_some() { 1 } else { query.start_index },
            token: query.cursor.clone(),
            size: call.page_size(),
        }
    }
}

/// What was found: a page, how much there is on all pages, and how to go on after this one.
#[derive(Debug)]
pub(crate) struct Found<R> {
    pub(crate) page: Vec<R>,
    pub(crate) total: i64,
    pub(crate) next: Option<String>,
}

impl<R> Default for Found<R> {
    fn default() -> Self {
        Self {
            page: Vec::new(),
            total: 0,
            next: None,
        }
    }
}

/// A request whose query stands in its body (RFC 7644 §3.4.3). What the URL says beside it is ignored.
pub(crate) async fn searched(mut call: Call, request: Request) -> Result<Call, Problem> {
    let body = call.json(request, MAX_SEARCH_BODY).await?;
    call.query = crate::query::Query::of_search(body)?;
    Ok(call)
}

/// `GET /`: users and groups.
pub(crate) async fn everything(call: Call) -> Result<Response, Problem> {
    let query = &call.query;
    if query.sort_by.is_some() {
        return Err(Problem::invalid_value(
            "sortBy orders the resources of one type; ask /Users or /Groups.",
        ));
    }
    let filter = query.filter.as_deref().map(Filter::parse).transpose()?;
    if let Some(filter) = &filter {
        refuse_unknown(&call, filter)?;
    }
    let size = call.page_size();
    let cursor = query.cursor.as_deref().map(Cursor::parse).transpose()?;
    let start = if cursor.is_some() { 1 } else { query.start_index };

    let mut wanted_users = wanted(filter.as_ref(), call.schemas().user(), start, size);
    match (&cursor, &mut wanted_users) {
        (Some(Cursor::Users(token)), Some(wanted)) => wanted.token = Some(token.clone()),
        // They are through; only their number is wanted.
        (Some(Cursor::Groups(_)), Some(wanted)) => wanted.size = 0,
        _ => {}
    }
    let users = match wanted_users {
        Some(wanted) => users::find(&call, wanted).await?,
        None => Found::default(),
    };

    // What the page has room for, from where the users end; nothing before they have, however few came.
    let start = start.saturating_sub(users.total).max(1);
    let size = match users.next {
        Some(_) => 0,
        None => size.saturating_sub(i32::try_from(users.page.len()).unwrap_or(i32::MAX)),
    };
    let mut wanted_groups = wanted(filter.as_ref(), call.schemas().group(), start, size);
    if let (Some(Cursor::Groups(token)), Some(wanted)) = (&cursor, &mut wanted_groups) {
        wanted.token = Some(token.clone());
    }
    let groups = match wanted_groups {
        Some(wanted) => groups::find(&call, wanted).await?,
        None => Found::default(),
    };

    let next = match (users.next, groups.next) {
        (Some(token), _) => Some(Cursor::Users(token)),
        (None, Some(token)) => Some(Cursor::Groups(token)),
        // The users filled the page to its end, and the groups have not begun.
        (None, None) if size == 0 && groups.total > 0 => Some(Cursor::Groups(String::new())),
        (None, None) => None,
    };
    let next = next.map(|cursor| cursor.to_string());
    let total = users.total.saturating_add(groups.total);
    answer(&call, total, next, users.page, groups.page).await
}

/// How far a page at the root went: in which type, and identity-service's own token for the rest.
enum Cursor {
    Users(String),
    Groups(String),
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Problem> {
        match text.split_at_checked(1) {
            None => Ok(Self::Users(String::new())),
            Some(("u", token)) => Ok(Self::Users(token.to_owned())),
            Some(("g", token)) => Ok(Self::Groups(token.to_owned())),
            Some(_) => Err(Problem::invalid_cursor(
                "the cursor is none of this endpoint's; begin anew with an empty one",
            )),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Users(token) => write!(f, "u{token}"),
            Self::Groups(token) => write!(f, "g{token}"),
        }
    }
}

/// `POST /.search`.
pub(crate) async fn search_everything(call: Call, request: Request) -> Result<Response, Problem> {
    everything(searched(call, request).await?).await
}

/// What a filter over both types asks of one of them; `None` when nothing of it can match.
fn wanted(filter: Option<&Filter>, schema: &ResourceSchema, start_index: i64, size: i32) -> Option<Wanted> {
    let filter = match filter.map(|filter| filter.restrict(schema)) {
        Some(Restricted::None) => return None,
        Some(Restricted::Some(filter)) => Some(filter.to_string()),
        Some(Restricted::All) | None => None,
    };
    Some(Wanted {
        filter,
        sort_by: None,
        descending: false,
        start_index,
        token: None,
        size,
    })
}

/// An attribute that no type has is a slip of the pen, and would match nobody in silence.
fn refuse_unknown(call: &Call, filter: &Filter) -> Result<(), Problem> {
    let schemas = call.schemas();
    let known = |path| {
        ResourceType::ALL
            .iter()
            .any(|kind| schemas.resource(*kind).resolve(path).is_some())
    };
    match filter.attributes().into_iter().find(|path| !known(path)) {
        Some(path) => Err(Problem::invalid_filter(format!(
            "there is no attribute `{path}`, neither of users nor of groups"
        ))),
        None => Ok(()),
    }
}

/// The answer to a list or search. Groups' members, where they are wanted, are streamed.
pub(crate) async fn answer(
    call: &Call,
    total: i64,
    next: Option<String>,
    users: Vec<User>,
    groups: Vec<Group>,
) -> Result<Response, Problem> {
    let page = match call.query.cursor {
        Some(_) => Paged::Cursor { next },
        None => Paged::Index(call.query.start_index),
    };
    let count = users.len() + groups.len();
    let mut of_users = Deliveries::of(call, call.schemas().user(), users.iter().map(User::id)).await?;
    let mut of_groups = Deliveries::of(call, call.schemas().group(), groups.iter().map(Group::id)).await?;
    let users = users.into_iter().map(|user| users::render(call, user, &mut of_users));
    let mut resources = users.collect::<Result<Vec<_>, _>>()?;
    if groups.is_empty() || !groups::wants_members(call) {
        for group in groups {
            resources.push(groups::render(call, group, &mut of_groups)?);
        }
        return Ok(answer::json(StatusCode::OK, &answer::list(total, &page, resources)));
    }
    let mut list = answer::list(total, &page, Vec::new());
    list["itemsPerPage"] = count.into();
    // The one member that is written below.
    list.as_object_mut().and_then(|list| list.remove("Resources"));
    let mut parts = vec![Part::Text(groups::opened(&list) + r#","Resources":["#)];
    let mut comma = "";
    for user in resources {
        parts.push(Part::Text(format!("{comma}{user}")));
        comma = ",";
    }
    for group in groups {
        let id = group.id().to_owned();
        let head = groups::opened(&groups::render(call, group, &mut of_groups)?);
        parts.extend([
            Part::Text(format!("{comma}{head}")),
            Part::Members(id),
            Part::Text("}".to_owned()),
        ]);
        comma = ",";
    }
    parts.push(Part::Text("]}".to_owned()));
    Ok(answer::text(StatusCode::OK, Shown::of(call).body(parts)))
}
