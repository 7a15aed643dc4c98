//! `/_sim` for a person: counts, accounts, groups, recent calls and faults on one page that needs nothing from elsewhere.
//! Everything shown is escaped by the template; searching and paging happen here.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use crate::calls::Call;
use crate::faults::FaultRule;
use crate::like::Like;
use crate::platform::{CALLER_ID, Platform};
use crate::records::{Group, Kind, User, fold};
use crate::state::State as Tenant;

const USERS_SHOWN: usize = 25;
const GROUPS_SHOWN: usize = 25;
const MEMBERS_SHOWN: usize = 12;
const CALLS_SHOWN: usize = 25;

/// What the person asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    q: String,
    page: usize,
}

#[derive(Template)]
#[template(path = "sim.html")]
struct Page {
    q: String,
    q_encoded: String,
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

struct UserLine {
    name: String,
    display_name: String,
    mail: String,
    status: String,
    note: &'static str,
    id: String,
}

struct GroupLine {
    name: String,
    description: String,
    built_in: bool,
    count: usize,
    members: Vec<String>,
    more: usize,
    id: String,
}

struct CallLine {
    time: String,
    method: String,
    object: String,
    verdict: String,
    good: bool,
    fault: String,
    duration_ms: u64,
}

struct FaultLine {
    method: String,
    fault: String,
    left: String,
    probability: String,
    hits: u64,
}

/// Answers with the page.
pub(crate) async fn show(State(platform): State<Arc<Platform>>, Query(asked): Query<Asked>) -> Response {
    match page(&platform, &asked).render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn page(platform: &Platform, asked: &Asked) -> Page {
    let calls: Vec<_> = platform.calls().recent().take(CALLS_SHOWN).map(call_line).collect();
    let (reads, writes) = {
        let calls = platform.calls();
        (calls.reads, calls.writes)
    };
    let faults = platform.faults().rules().iter().map(fault_line).collect();
    let like = Like::Contains(fold(asked.q.trim()));
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
            q_encoded: percent_encode(asked.q.trim()),
            users: state.users().len(),
            groups: state.groups().len(),
            reads,
            writes,
            caller_edits: state.caller_edits,
            found_users: users.len(),
            found_groups: groups.len(),
            shown_users: shown.map(|(_, user)| user_line(user)).collect(),
            shown_groups: shown_groups.map(|(_, group)| group_line(state, group)).collect(),
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

fn user_line(user: &User) -> UserLine {
    let note = match user {
        user if user.id == CALLER_ID => "caller",
        user if user.service_user => "service user",
        user if user.built_in => "built-in",
        user if !user.is_local() => "federated",
        _ => "",
    };
    UserLine {
        name: user.name.clone(),
        display_name: user.display_name.clone(),
        mail: user.mail.clone(),
        status: user.status().to_owned(),
        note,
        id: user.id.clone(),
    }
}

fn group_line(state: &Tenant, group: &Group) -> GroupLine {
    let name_of = |kind, guid: &str| match kind {
        Kind::User => state.user(guid).map(|user| user.name.clone()),
        Kind::Group | Kind::Role => state.group(guid).map(|group| group.name.clone()),
    };
    let members = group.members.iter().take(MEMBERS_SHOWN);
    let members: Vec<_> = members
        .map(|member| name_of(member.kind, &member.guid).unwrap_or_else(|| member.guid.clone()))
        .collect();
    GroupLine {
        name: group.name.clone(),
        description: group.description.clone(),
        built_in: group.built_in,
        count: group.members.len(),
        more: group.members.len() - members.len(),
        members,
        id: group.id.clone(),
    }
}

fn call_line(call: &Call) -> CallLine {
    let (verdict, good) = match (call.status, call.success) {
        (None, _) => ("cut".to_owned(), false),
        (Some(200), Some(false)) => ("failed".to_owned(), false),
        (Some(status @ 200..=299), _) => (status.to_string(), true),
        (Some(status), _) => (status.to_string(), false),
    };
    CallLine {
        time: call.time.strftime("%H:%M:%S%.3f").to_string(),
        method: call.method.clone(),
        object: call.object.clone(),
        verdict,
        good,
        fault: call.fault.clone().unwrap_or_default(),
        duration_ms: call.duration_ms,
    }
}

fn fault_line(rule: &FaultRule) -> FaultLine {
    FaultLine {
        method: rule.method.clone(),
        fault: rule.name(),
        left: rule
            .times
            .map_or_else(|| "always".to_owned(), |times| format!("{times} left")),
        probability: format!("{:.0} %", rule.probability * 100.0),
        hits: rule.hits,
    }
}

/// Text as it stands in a query string.
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
