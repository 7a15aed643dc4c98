//! Accounts and groups put in, changed and removed by hand, as an administrator of the tenant does: past the Platform's own
//! rules, but never into a state that it could not hold.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::control::{OneOrMany, Refused, Shared, invalid, overlay, parse, settle};
use crate::envelope::json_response;
use crate::platform::CALLER_ID;
use crate::records::{EVERYBODY, Group, Kind, Member, User, fold};
use crate::state::{Op, State as Tenant};

/// Accounts that were there before; all of them or none.
pub(crate) async fn add_users(State(platform): Shared, body: Bytes) -> Result<Response, Refused> {
    let given: Vec<Map<String, Value>> = parse::<OneOrMany>(&body)?.read()?;
    let base = User {
        state: "None".to_owned(),
        source_ds: "CDS".to_owned(),
        create_date: Timestamp::now().as_millisecond(),
        version: 1,
        ..User::default()
    };
    let mut users = Vec::new();
    for fields in given {
        let mut user = overlay(&base, fields)?;
        check_user(&user)?;
        if user.id.is_empty() {
            user.id = Uuid::new_v4().to_string();
        }
        users.push(Arc::new(user));
    }
    let ((), commit) = platform.change(|state| {
        let (mut names, mut ids) = (HashSet::new(), HashSet::new());
        for user in &users {
            let fresh = names.insert((fold(&user.name), user.is_local())) && ids.insert(fold(&user.id));
            let namesake = |other: &&Arc<User>| other.is_local() == user.is_local();
            if !fresh || state.user_named(&user.name).filter(namesake).is_some() || state.user(&user.id).is_some() {
                return Err(Refused(StatusCode::CONFLICT, format!("{} or its id exists", user.name)));
            }
        }
        let members = users.iter().filter(|user| user.in_everybody_role);
        let add: Vec<_> = members
            .map(|user| Member {
                guid: user.id.clone(),
                kind: Kind::User,
            })
            .collect();
        let everybody = Op::Members {
            group: EVERYBODY.to_owned(),
            add,
            remove: Vec::new(),
        };
        Ok((users.iter().cloned().map(Op::User).chain([everybody]).collect(), ()))
    })?;
    settle(
        commit,
        (
            StatusCode::CREATED,
            Json(users.iter().map(|user| json!(**user)).collect::<Vec<_>>()),
        )
            .into_response(),
    )
    .await
}

fn check_user(user: &User) -> Result<(), Refused> {
    if user.name.is_empty() {
        return Err(invalid("Name must not be empty"));
    }
    if !matches!(user.source_ds.as_str(), "CDS" | "FDS") {
        return Err(invalid("SourceDs must be CDS or FDS"));
    }
    Ok(())
}

pub(crate) async fn show_user(State(platform): Shared, Path(id): Path<String>) -> Result<Response, Refused> {
    let user = platform.read(|state| state.user(&id).or_else(|| state.user_named(&id)).cloned());
    user.map(|user| json_response(&*user))
        .ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("no user {id}")))
}

/// A change by hand.
pub(crate) async fn patch_user(
    State(platform): Shared,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let fields: Map<String, Value> = parse(&body)?;
    let (user, commit) = platform.change(|state| {
        let old = state
            .user(&id)
            .ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("no user {id}")))?;
        let new = overlay(&**old, fields)?;
        let new = User {
            id: old.id.clone(),
            version: old.version + 1,
            ..new
        };
        check_user(&new)?;
        if state.user_named(&new.name).is_some_and(|other| other.id != old.id) {
            return Err(Refused(StatusCode::CONFLICT, format!("{} exists", new.name)));
        }
        let new = Arc::new(new);
        Ok((vec![Op::User(Arc::clone(&new))], new))
    })?;
    settle(commit, json_response(&*user)).await
}

/// A person logs in: a federated account shows from now on, and there is one session more.
pub(crate) async fn log_in(State(platform): Shared, Path(id): Path<String>) -> Result<Response, Refused> {
    let profile = platform.profile();
    let (user, commit) = platform.change(|state| {
        let named = || state.namesake(&id, false).or_else(|| state.namesake(&id, true));
        let old = state.user(&id).or_else(named);
        let old = old.ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("no user {id}")))?;
        if old.status() != "Active" || old.cloud_locked {
            return Err(Refused(StatusCode::CONFLICT, "the account may not log in".to_owned()));
        }
        let collides = !old.is_local() && !profile.local_beside_federated && state.namesake(&old.name, true).is_some();
        if collides {
            return Err(Refused(StatusCode::CONFLICT, "a local account has the name".to_owned()));
        }
        let user = Arc::new(User {
            last_login: Timestamp::now().as_millisecond(),
            sessions: old.sessions + 1,
            ..User::clone(old)
        });
        Ok((vec![Op::User(Arc::clone(&user))], user))
    })?;
    settle(commit, json_response(&*user)).await
}

pub(crate) async fn remove_user(State(platform): Shared, Path(id): Path<String>) -> Result<Response, Refused> {
    let ((), commit) = platform.change(|state| match state.user(&id) {
        None => Err(Refused(StatusCode::NOT_FOUND, format!("no user {id}"))),
        Some(user) if user.id == CALLER_ID => Err(invalid("the service user stays")),
        Some(user) => Ok((vec![Op::UserGone(user.id.clone())], ())),
    })?;
    settle(commit, StatusCode::NO_CONTENT.into_response()).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct NewGroup {
    #[serde(rename = "ID", default)]
    id: String,
    name: String,
    #[serde(default)]
    description: String,
    /// Ids or names of accounts.
    #[serde(default)]
    members: Vec<String>,
}

/// Groups that were there before; all of them or none.
pub(crate) async fn add_groups(State(platform): Shared, body: Bytes) -> Result<Response, Refused> {
    let mut groups: Vec<NewGroup> = parse::<OneOrMany>(&body)?.read()?;
    for group in groups.iter_mut().filter(|group| group.id.is_empty()) {
        group.id = Uuid::new_v4().to_string();
    }
    let ids: Vec<_> = groups.iter().map(|group| group.id.clone()).collect();
    let ((), commit) = platform.change(|state| {
        let (mut ops, mut names, mut ids) = (Vec::new(), HashSet::new(), HashSet::new());
        for NewGroup {
            id,
            name,
            description,
            members,
        } in groups
        {
            if name.is_empty() {
                return Err(invalid("Name must not be empty"));
            }
            let fresh = names.insert(fold(&name)) && ids.insert(fold(&id));
            if !fresh || state.group_named(&name).is_some() || state.group(&id).is_some() {
                return Err(Refused(StatusCode::CONFLICT, format!("{name} or its id exists")));
            }
            let mut add = Vec::new();
            for member in &members {
                let user = state.user(member).or_else(|| state.user_named(member));
                let user = user.ok_or_else(|| invalid(format!("no user {member}")))?;
                add.push(Member {
                    guid: user.id.clone(),
                    kind: Kind::User,
                });
            }
            ops.push(Op::Group {
                id: id.clone(),
                name,
                description,
                built_in: false,
            });
            ops.push(Op::Members {
                group: id,
                add,
                remove: Vec::new(),
            });
        }
        Ok((ops, ()))
    })?;
    let groups: Vec<_> = platform.read(|state| {
        ids.iter()
            .filter_map(|id| state.group(id))
            .map(|group| json!(**group))
            .collect()
    });
    settle(commit, (StatusCode::CREATED, Json(groups)).into_response()).await
}

/// Members of any kind, put into any group: also into a built-in one, as an administrator can.
pub(crate) async fn add_members(
    State(platform): Shared,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let add: Vec<Member> = parse::<OneOrMany>(&body)?.read()?;
    let ((), commit) = platform.change(|state| {
        let exists = |member: &&Member| match member.kind {
            Kind::User => state.user(&member.guid).is_some(),
            Kind::Role => state.group(&member.guid).is_some(),
            Kind::Group => true,
        };
        if let Some(nobody) = add.iter().find(|member| !exists(member)) {
            return Err(invalid(format!("no principal {}", nobody.guid)));
        }
        let (group, remove) = (known_group(state, &id)?.id.clone(), Vec::new());
        Ok((vec![Op::Members { group, add, remove }], ()))
    })?;
    settle(commit, StatusCode::NO_CONTENT.into_response()).await
}

/// Takes members out. Whoever is none stays out.
pub(crate) async fn remove_members(
    State(platform): Shared,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let mut remove: Vec<Member> = parse::<OneOrMany>(&body)?.read()?;
    let ((), commit) = platform.change(|state| {
        let group = known_group(state, &id)?;
        remove.retain(|member| group.members.contains(member));
        let (group, add) = (group.id.clone(), Vec::new());
        Ok::<_, Refused>((vec![Op::Members { group, add, remove }], ()))
    })?;
    settle(commit, StatusCode::NO_CONTENT.into_response()).await
}

/// Another name or description for a group.
pub(crate) async fn patch_group(
    State(platform): Shared,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let ChangedGroup { name, description } = parse(&body)?;
    let ((), commit) = platform.change(|state| {
        let group = known_group(state, &id)?;
        let name = name.unwrap_or_else(|| group.name.clone());
        if state.group_named(&name).is_some_and(|other| other.id != group.id) {
            return Err(invalid(format!("a group {name} exists")));
        }
        let changed = Op::Group {
            id: group.id.clone(),
            name,
            description: description.unwrap_or_else(|| group.description.clone()),
            built_in: group.built_in,
        };
        Ok((vec![changed], ()))
    })?;
    settle(commit, StatusCode::NO_CONTENT.into_response()).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangedGroup {
    name: Option<String>,
    description: Option<String>,
}

fn known_group<'a>(state: &'a Tenant, id: &str) -> Result<&'a Arc<Group>, Refused> {
    let group = state.group(id);
    group.ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("no group {id}")))
}

pub(crate) async fn show_group(State(platform): Shared, Path(id): Path<String>) -> Result<Response, Refused> {
    let group = platform.read(|state| state.group(&id).or_else(|| state.group_named(&id)).cloned());
    group
        .map(|group| json_response(&*group))
        .ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("no group {id}")))
}

pub(crate) async fn remove_group(State(platform): Shared, Path(id): Path<String>) -> Result<Response, Refused> {
    let ((), commit) = platform.change(|state| match state.group(&id) {
        None => Err(Refused(StatusCode::NOT_FOUND, format!("no group {id}"))),
        Some(group) if group.built_in => Err(invalid("a built-in group stays")),
        Some(group) => Ok((vec![Op::GroupGone(group.id.clone())], ())),
    })?;
    settle(commit, StatusCode::NO_CONTENT.into_response()).await
}
