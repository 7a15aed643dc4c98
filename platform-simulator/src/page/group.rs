//! A group's own page: all its members, page by page.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::lines::member_name;
use super::{Asked, percent_encode, rendered};
use crate::like::Like;
use crate::platform::Platform;
use crate::records::{Kind, Member, fold};
use crate::state::State as Tenant;

const SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "group.html")]
struct Page {
    name: String,
    description: String,
    id: String,
    q: String,
    q_encoded: String,
    count: usize,
    found: usize,
    members: Vec<Line>,
    page: usize,
    pages: usize,
}

struct Line {
    name: String,
    kind: &'static str,
    status: String,
    id: String,
    /// Where a group among the members has its own page.
    group_page: Option<String>,
}

pub(crate) async fn show(
    State(platform): State<Arc<Platform>>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let q = asked.q.trim();
    let like = Like::Contains(fold(q));
    let page = platform.read(|state| {
        let group = state.group(&id)?;
        let mut named: Vec<_> = group
            .members
            .iter()
            .map(|member| (member_name(state, member), member))
            .filter(|(name, member)| like.matches(&fold(name)) || like.matches(&fold(&member.guid)))
            .collect();
        named.sort_by_cached_key(|(name, _)| fold(name));
        let pages = named.len().div_ceil(SHOWN).max(1);
        let page = asked.page.clamp(1, pages);
        let shown = named.iter().skip((page - 1) * SHOWN).take(SHOWN);
        Some(Page {
            name: group.name.clone(),
            description: group.description.clone(),
            id: group.id.clone(),
            q: q.to_owned(),
            q_encoded: percent_encode(q),
            count: group.members.len(),
            found: named.len(),
            members: shown.map(|(name, member)| line(state, name, member)).collect(),
            page,
            pages,
        })
    });
    match page {
        Some(page) => rendered(&page),
        None => (StatusCode::NOT_FOUND, "There is no such group.").into_response(),
    }
}

fn line(state: &Tenant, name: &str, member: &Member) -> Line {
    let user = state.user(&member.guid).filter(|_| member.kind == Kind::User);
    Line {
        name: name.to_owned(),
        kind: match member.kind {
            Kind::User => "user",
            Kind::Role => "group",
            Kind::Group => "group of another directory",
        },
        status: user.map(|user| user.status().to_owned()).unwrap_or_default(),
        id: member.guid.clone(),
        group_page: (member.kind == Kind::Role).then(|| format!("/_sim/group/{}", percent_encode(&member.guid))),
    }
}
