//! `/_sim` for a person: the profile in force, faults, accounts, groups and recent calls on one page that needs nothing from
//! elsewhere. Everything shown is escaped by the template; searching and paging happen here.

pub(crate) mod forms;
pub(crate) mod group;
mod lines;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use crate::like::Like;
use crate::platform::Platform;
use crate::profile::{DEFAULT, NAMES, Profile};
use crate::records::{User, fold};
use lines::{CallLine, FaultLine, GroupLine, UserLine};

const USERS_SHOWN: usize = 25;
const GROUPS_SHOWN: usize = 25;
const CALLS_SHOWN: usize = 50;

/// What the person asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    q: String,
    page: usize,
    calls: String,
    failed: String,
}

impl Asked {
    /// The question without the page, as it stands in a link.
    fn query(&self) -> String {
        let parts = [
            ("q", self.q.trim()),
            ("calls", self.calls.trim()),
            ("failed", &self.failed),
        ];
        let parts = parts.into_iter().filter(|(_, value)| !value.is_empty());
        let parts: Vec<_> = parts
            .map(|(name, value)| format!("{name}={}", percent_encode(value)))
            .collect();
        parts.join("&")
    }
}

#[derive(Template)]
#[template(path = "sim.html")]
struct Page {
    q: String,
    query: String,
    calls_like: String,
    calls_filtered: bool,
    failed: bool,
    names: Vec<String>,
    kinds: Vec<String>,
    profile: String,
    fields: Vec<String>,
    replayed: usize,
    users: usize,
    groups: usize,
    reads: u64,
    writes: u64,
    caller_edits: u64,
    found_users: usize,
    found_groups: usize,
    shown_users: Vec<UserLine>,
    shown_groups: Vec<GroupLine>,
    page: usize,
    pages: usize,
    calls: Vec<CallLine>,
    faults: Vec<FaultLine>,
}

/// Answers with the page.
pub(crate) async fn show(State(platform): State<Arc<Platform>>, Query(asked): Query<Asked>) -> Response {
    rendered(&page(&platform, &asked))
}

fn rendered(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn page(platform: &Platform, asked: &Asked) -> Page {
    let failed = !asked.failed.is_empty();
    let calls_like = Like::Contains(fold(asked.calls.trim()));
    let (reads, writes, calls) = {
        let calls = platform.calls();
        let lines = calls.recent().map(CallLine::of);
        let wanted = lines.filter(|line| line.matches(&calls_like) && !(failed && line.good));
        (calls.reads, calls.writes, wanted.take(CALLS_SHOWN).collect())
    };
    let profile = platform.profile();
    let like = Like::Contains(fold(asked.q.trim()));
    let replayed = platform.replay().map_or(0, |replay| replay.len());
    let faults = FaultLine::all(&platform.faults());
    platform.read(|state| {
        let users: Vec<_> = state
            .users_by_name()
            .filter(|(name, user)| user_matches(&like, name, user))
            .collect();
        let groups: Vec<_> = state.groups_by_name().filter(|(name, _)| like.matches(name)).collect();
        let pages = users
            .len()
            .div_ceil(USERS_SHOWN)
            .max(groups.len().div_ceil(GROUPS_SHOWN))
            .max(1);
        let page = asked.page.clamp(1, pages);
        let shown = users.iter().skip((page - 1) * USERS_SHOWN).take(USERS_SHOWN);
        let shown_groups = groups.iter().skip((page - 1) * GROUPS_SHOWN).take(GROUPS_SHOWN);
        Page {
            q: asked.q.trim().to_owned(),
            query: asked.query(),
            calls_like: asked.calls.trim().to_owned(),
            calls_filtered: failed || !asked.calls.trim().is_empty(),
            failed,
            names: [DEFAULT].into_iter().chain(NAMES).map(str::to_owned).collect(),
            kinds: forms::kinds(),
            profile: profile.extends.clone().unwrap_or_else(|| DEFAULT.to_owned()),
            fields: lines::differences(&profile, &Profile::default()),
            replayed,
            users: state.users().len(),
            groups: state.groups().len(),
            reads,
            writes,
            caller_edits: state.caller_edits,
            found_users: users.len(),
            found_groups: groups.len(),
            shown_users: shown.map(|(_, user)| UserLine::of(user, &profile)).collect(),
            shown_groups: shown_groups.map(|(_, group)| GroupLine::of(state, group)).collect(),
            page,
            pages,
            calls,
            faults,
        }
    })
}

fn user_matches(like: &Like, name: &str, user: &User) -> bool {
    like.matches(name)
        || like.matches(&fold(&user.display_name))
        || like.matches(&fold(&user.mail))
        || like.matches(&fold(&user.id))
}

/// Text as it stands in a path or a query string.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
