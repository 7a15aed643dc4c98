//! The calls that list accounts across directories: all local ones, and the directory query, whose filters are JSON in a
//! string (`_and`, `_or`, `_like`, or a field that equals a value). What is not understood fails.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Call;
use super::params::{member, text, texts};
use super::reports::args;
use crate::envelope::{self, Done, Failure, Outcome};
use crate::like::Like;
use crate::query::{self, Args, Row, Table};
use crate::records::{Group, User, fold};

/// All accounts of the tenant's own directory, on one page unless asked otherwise.
pub(super) fn all_local(call: &Call<'_>) -> Outcome {
    let args = match call.params.member("Args") {
        Some(sent) => args(sent),
        None => Args {
            page_size: usize::MAX,
            ..args(&Value::Null)
        },
    };
    let rows: Vec<_> = call.platform.read(|state| {
        let local = state.users_by_name().filter(|(_, user)| user.is_local());
        local.map(|(_, user)| Row::User(Arc::clone(user))).collect()
    });
    let columns = Table::User.columns();
    Ok(Done::read(query::answer(
        call.platform,
        &rows,
        Table::User,
        columns,
        &args,
    )))
}

/// Each of `user`, `group` and `roles` is answered where it is asked for.
pub(super) fn query(call: &Call<'_>) -> Outcome {
    let args = args(call.params.member("Args").unwrap_or(&Value::Null));
    let directories: Option<Vec<_>> = call.params.member("directoryServices").map(|list| {
        let list = texts(list);
        list.iter().map(|id| fold(id)).collect()
    });
    let mut result = Map::new();
    if let Some(filter) = filter(call, "user")? {
        let searched = |user: &User| {
            directories
                .as_ref()
                .is_none_or(|list| list.contains(&fold(user.directory_uuid())))
        };
        let users: Vec<_> = call.platform.read(|state| {
            let users = state.users_by_name().map(|(_, user)| user);
            let users = users.filter(|user| call.profile.shows(user) && searched(user));
            users
                .map(|user| (user.id.clone(), user_row(&call.platform.seen(user))))
                .collect()
        });
        result.insert("User".to_owned(), section(call, "User", users, &filter, &args)?);
    }
    if let Some(filter) = filter(call, "group")? {
        // No outer directory with groups is connected.
        result.insert("Group".to_owned(), section(call, "Group", Vec::new(), &filter, &args)?);
    }
    if let Some(filter) = filter(call, "roles")? {
        let roles: Vec<_> = call.platform.read(|state| {
            let roles = state.groups_by_name().map(|(_, group)| group);
            roles.map(|group| (group.id.clone(), role_row(group))).collect()
        });
        result.insert("roles".to_owned(), section(call, "Role", roles, &filter, &args)?);
    }
    Ok(Done::read(Value::Object(result)))
}

fn user_row(user: &User) -> Value {
    json!({
        "InternalName": user.id,
        "SystemName": user.name,
        "DisplayName": user.display_name,
        "EMail": user.mail,
        "Enabled": !user.state.contains("Disabled"),
        "Locked": user.cloud_locked || user.state.contains("Locked"),
        "Status": user.status(),
        "StatusEnum": user.status(),
        "ServiceType": user.source_ds,
        "ServiceInstanceLocalized": user.directory_name(),
        "DirectoryServiceUuid": user.directory_uuid(),
        "ObjectType": "user",
    })
}

fn role_row(group: &Group) -> Value {
    json!({
        "_ID": group.id,
        "InternalName": group.id,
        "SystemName": group.name,
        "DisplayName": group.name,
        "Name": group.name,
        "Description": group.description,
        "ObjectType": "role",
    })
}

/// The filter under this name, where there is one.
fn filter(call: &Call<'_>, name: &str) -> Result<Option<Value>, Failure> {
    let filter = match call.params.member(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        Some(_) => None,
    };
    let filter = filter.filter(Value::is_object);
    let failure = || Failure::new(&call.profile.texts.invalid_parameter, name);
    filter.map(Some).ok_or_else(failure)
}

fn section(
    call: &Call<'_>,
    entity: &str,
    rows: Vec<(String, Value)>,
    filter: &Value,
    args: &Args,
) -> Result<Value, Failure> {
    // A filter that is not understood fails, also where there is no row.
    holds(filter, &json!({})).map_err(|word| Failure::new(&call.profile.texts.unsupported_query, &word))?;
    let found = rows.into_iter().filter(|(_, row)| holds(filter, row) == Ok(true));
    let found: Vec<_> = found.take(args.limit).collect();
    let total = found.len();
    let size = call.profile.page_size(args.page_size);
    let start = (args.page_number - 1).saturating_mul(size);
    let page = found.into_iter().skip(start).take(size).collect();
    let columns = ["InternalName", "SystemName", "DisplayName"].map(str::to_owned);
    Ok(envelope::rows(
        entity,
        &columns,
        call.profile.full_count.then_some(total),
        page,
    ))
}

/// Whether a row is what the filter says; the error is the word that is not understood.
fn holds(filter: &Value, row: &Value) -> Result<bool, String> {
    let Value::Object(parts) = filter else {
        return Err(filter.to_string());
    };
    let mut all = true;
    for (name, value) in parts {
        let each = || {
            let filters = value.as_array().ok_or_else(|| name.clone())?;
            filters
                .iter()
                .map(|filter| holds(filter, row))
                .collect::<Result<Vec<_>, _>>()
        };
        all &= match name.as_str() {
            "_and" => each()?.into_iter().all(|held| held),
            "_or" => each()?.into_iter().any(|held| held),
            word if word.starts_with('_') && word != "_ID" => return Err(word.to_owned()),
            field => {
                let cell = member(row, field)
                    .and_then(text)
                    .map(|cell| fold(&cell))
                    .unwrap_or_default();
                match value {
                    Value::Object(parts) => pattern(parts)?.matches(&cell),
                    value => cell == fold(&text(value).ok_or_else(|| value.to_string())?),
                }
            }
        };
    }
    Ok(all)
}

/// What a field must be like: `{"_like": …}` with a text or an object with a `value`. Without a wildcard it is a search.
fn pattern(parts: &Map<String, Value>) -> Result<Like, String> {
    let (Some(like), 1) = (parts.get("_like"), parts.len()) else {
        return Err(parts.keys().find(|name| *name != "_like").cloned().unwrap_or_default());
    };
    let words = like.get("value").unwrap_or(like);
    let words = text(words).ok_or_else(|| "_like".to_owned())?;
    Ok(if words.contains('%') {
        Like::new(&words)
    } else {
        Like::Contains(fold(&words))
    })
}
