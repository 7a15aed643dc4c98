//! The newer calls in the style of REST: GET, no envelope, and HTTP's own statuses.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::methods::segments;
use crate::envelope::{Failure, json_response};
use crate::like::Like;
use crate::platform::Platform;
use crate::profile::Profile;
use crate::records::{Group, User, fold};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    LocalUsers,
    AllUsers,
    List,
    Read,
}

impl Rest {
    /// The call with these segments behind `identity` or `identity/api`.
    pub(super) fn of(segments: &[&str]) -> Option<Self> {
        match segments {
            ["entities", "localusers"] => Some(Self::LocalUsers),
            ["entities", "xpmusers"] => Some(Self::AllUsers),
            ["users"] => Some(Self::List),
            ["users", _] => Some(Self::Read),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LocalUsers => "entities/localusers",
            Self::AllUsers => "entities/xpmusers",
            Self::List => "v3/users",
            Self::Read => "v3/users/{id}",
        }
    }
}

pub(super) fn answer(
    platform: &Platform,
    profile: &Profile,
    rest: Rest,
    denial: Option<Failure>,
    parts: &Parts,
) -> Response {
    if let Some(denial) = denial {
        return refuse(StatusCode::FORBIDDEN, &denial.message);
    }
    let query = Asked::of(parts);
    match rest {
        Rest::LocalUsers => entities(platform, User::is_local),
        Rest::AllUsers => entities(platform, |user| profile.shows(user)),
        Rest::List | Rest::Read if query.get("api-version") != Some("3.0") => {
            refuse(StatusCode::BAD_REQUEST, "The API version is not supported.")
        }
        Rest::List => list(platform, profile, &query),
        Rest::Read => read(platform, profile, segments(parts).last().copied().unwrap_or_default()),
    }
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

/// The query string, whose names are in any letter case.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn of(parts: &Parts) -> Self {
        let query = Query::try_from_uri(&parts.uri);
        Self(query.map(|Query(query)| query).unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.get(name).and_then(|text| text.parse().ok()).filter(|n| *n > 0)
    }
}

/// One page of accounts, by login name, with the way to the next one.
fn list(platform: &Platform, profile: &Profile, query: &Asked) -> Response {
    const DEFAULT_SIZE: usize = 100;
    const MOST: usize = 1000;
    let size = profile.page_size(query.number("pageSize").unwrap_or(DEFAULT_SIZE).min(MOST));
    let page = query.number("pageNumber").unwrap_or(1);
    let display_name = query.get("filter.displayName").map(|text| Like::Contains(fold(text)));
    let anything = query.get("filter.searchText").map(|text| Like::Contains(fold(text)));
    let found: Vec<Arc<User>> = platform.read(|state| {
        let users = state.users_by_name().filter(|(_, user)| profile.shows(user));
        let users = users.filter(|(name, user)| {
            let shown = fold(&user.display_name);
            let by_display_name = display_name.as_ref().is_none_or(|like| like.matches(&shown));
            let any = |like: &Like| like.matches(&shown) || like.matches(name) || like.matches(&fold(&user.mail));
            by_display_name && anything.as_ref().is_none_or(any)
        });
        users.map(|(_, user)| platform.seen(user)).collect()
    });
    let users = found.iter().skip((page - 1).saturating_mul(size)).take(size);
    let users: Vec<_> = users.map(|user| resource(user)).collect();
    let link = |page: usize| json!({ "href": format!("/identity/api/users?api-version=3.0&pageSize={size}&pageNumber={page}") });
    let mut links = json!({ "self": link(page) });
    if page.saturating_mul(size) < found.len() {
        links["next"] = link(page + 1);
    }
    json_response(&json!({ "_embedded": { "users": users }, "_links": links }))
}

fn read(platform: &Platform, profile: &Profile, coded: &str) -> Response {
    let id = decoded(coded);
    let user = platform.read(|state| {
        let user = state.user(&id).or_else(|| state.user_named(&id));
        user.filter(|user| profile.shows(user)).cloned()
    });
    match user {
        Some(user) => json_response(&resource(&platform.seen(&user))),
        None => refuse(
            StatusCode::NOT_FOUND,
            &Failure::new(&profile.texts.unknown_user, &id).message,
        ),
    }
}

/// A path segment without its percent signs.
pub(super) fn decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let (mut text, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = segment.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            text.push(byte);
            at += 3;
        } else {
            text.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn resource(user: &User) -> Value {
    json!({
        "uuid": user.id,
        "name": user.name,
        "displayName": user.display_name,
        "mail": user.mail,
        "description": user.description,
        "state": user.state,
        "serviceUser": user.service_user,
        "directoryServiceUuid": user.directory_uuid(),
        "officeNumber": user.office_number,
        "mobileNumber": user.mobile_number,
        "homeNumber": user.home_number,
    })
}

/// The accounts as one bare JSON array, written piece by piece.
fn entities(platform: &Platform, wanted: impl Fn(&User) -> bool) -> Response {
    const PORTION: usize = 500;
    let users: Vec<(Arc<User>, Vec<Arc<Group>>)> = platform.read(|state| {
        let wanted = state.users().filter(|user| wanted(user));
        wanted
            .map(|user| (platform.seen(user), state.groups_of(&user.id).cloned().collect()))
            .collect()
    });
    let portions = users.len().div_ceil(PORTION).max(1);
    let pieces = stream::iter((0..portions).map(move |n| {
        let mut text = String::from(if n == 0 { "[" } else { "" });
        let end = users.len().min((n + 1) * PORTION);
        for (at, (user, groups)) in users[n * PORTION..end].iter().enumerate() {
            if n + at > 0 {
                text.push(',');
            }
            text.push_str(&entity(user, groups).to_string());
        }
        if n + 1 == portions {
            text.push(']');
        }
        Ok::<_, Infallible>(Bytes::from(text))
    }));
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

fn entity(user: &User, groups: &[Arc<Group>]) -> Value {
    json!({
        "Uuid": user.id,
        "Name": user.name,
        "DisplayName": user.display_name,
        "Email": user.mail,
        "State": user.state,
        "CloudLockedState": if user.cloud_locked { "Locked" } else { "None" },
        "Type": "User",
        "ServiceUser": user.service_user,
        "Visibility": "Visible",
        "PlatformUserMembershipType": "Employee",
        "DistinguishedName": user.name,
        "DirectoryServiceUuid": user.directory_uuid(),
        "DirectoryServiceName": user.source_ds,
        "DirectoryInstanceName": user.directory_name(),
        "EffectiveGroups": groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(),
        "UpdateType": "Full",
        "Stamp": user.version,
    })
}
