//! `Report/RunReport`: the canned reports, found by name. Searching is LIKE, so more may come back than was meant.

use std::sync::Arc;

use serde_json::Value;

use super::Call;
use super::params::{member, text};
use crate::envelope::{Done, Failure, Outcome};
use crate::like::Like;
use crate::query::{self, Args, Row, Table};
use crate::records::fold;
use crate::state::State;

pub(super) fn run(call: &Call<'_>) -> Outcome {
    let texts = &call.profile.texts;
    let report = call
        .params
        .filled("ID")
        .ok_or_else(|| Failure::new(&texts.missing_parameter, "ID"))?;
    let report = fold(&report);
    if call.profile.hides(&format!("report:{report}")) {
        return Err(Failure::new(&texts.unknown_report, &report));
    }
    let sent = call.params.member("Args").unwrap_or(&Value::Null);
    let args = args(sent);
    let parameter = |name: &str| {
        let parameters = member(sent, "Parameters").and_then(Value::as_array)?;
        let named = |parameter: &&Value| {
            let its_name = member(parameter, "Name").and_then(Value::as_str);
            its_name.is_some_and(|its_name| its_name.eq_ignore_ascii_case(name))
        };
        parameters
            .iter()
            .find(named)
            .and_then(|parameter| member(parameter, "Value"))
            .and_then(text)
    };
    let (table, pattern): (_, String) = match report.as_str() {
        "user_searchbyname" => (Table::User, parameter("searchString").unwrap_or_else(|| "%".to_owned())),
        "user_all" => (Table::User, "%".to_owned()),
        "user_byid" => (
            Table::User,
            parameter("userid").ok_or_else(|| Failure::new(&texts.missing_parameter, "userid"))?,
        ),
        "role_searchbyname" => (Table::Role, parameter("searchString").unwrap_or_else(|| "%".to_owned())),
        _ => return Err(Failure::new(&texts.unknown_report, &report)),
    };
    let caching = if call.profile.reports_obey_caching {
        args.caching
    } else {
        0
    };
    let rows = query::rows(call.platform, format!("{report}\n{pattern}"), caching, || {
        call.platform.read(|state| match report.as_str() {
            "user_byid" => state
                .user(&pattern)
                .filter(|user| call.profile.shows(user))
                .into_iter()
                .map(|user| Row::User(Arc::clone(user)))
                .collect(),
            "role_searchbyname" => groups(call, state, &Like::new(&pattern)),
            _ => users(call, state, &Like::new(&pattern)),
        })
    });
    Ok(Done::read(query::answer(
        call.platform,
        &rows,
        table,
        table.columns(),
        &args,
    )))
}

/// Accounts whose login name or display name matches, by login name.
fn users(call: &Call<'_>, state: &State, like: &Like) -> Vec<Row> {
    let matching = state
        .users_by_name()
        .filter(|(_, user)| call.profile.shows(user))
        .filter(|(name, user)| like.matches(name) || like.matches(&fold(&user.display_name)));
    matching.map(|(_, user)| Row::User(Arc::clone(user))).collect()
}

/// Groups whose name matches, by name.
fn groups(call: &Call<'_>, state: &State, like: &Like) -> Vec<Row> {
    let groups = call.platform.groups_in_reports(state).into_iter();
    let mut named: Vec<_> = groups
        .map(|group| (fold(&group.name), group))
        .filter(|(name, _)| like.matches(name))
        .collect();
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    named.into_iter().map(|(_, group)| Row::Group(group)).collect()
}

/// Paging, sorting and freshness as reports and queries are sent them.
pub(super) fn args(sent: &Value) -> Args {
    const DEFAULT_SIZE: usize = 100;
    let number = |name| {
        member(sent, name)
            .and_then(text)
            .and_then(|text| text.parse::<i64>().ok())
    };
    let positive = |name| number(name).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    let flag = |name| {
        member(sent, name)
            .and_then(text)
            .map(|text| !text.eq_ignore_ascii_case("false"))
    };
    let direction = member(sent, "direction")
        .and_then(text)
        .map(|text| !text.eq_ignore_ascii_case("desc"));
    Args {
        page_number: positive("PageNumber").unwrap_or(1),
        page_size: positive("PageSize").unwrap_or(DEFAULT_SIZE),
        limit: positive("Limit").unwrap_or(usize::MAX),
        caching: number("Caching").unwrap_or(0),
        sort_by: member(sent, "SortBy").and_then(text).filter(|name| !name.is_empty()),
        ascending: flag("Ascending").or(direction).unwrap_or(true),
    }
}
