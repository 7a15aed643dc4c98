//! The calls about groups, which the API calls roles.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use super::members::{Found, KINDS, delta, listed};
use super::params::{member, texts};
use super::rules::{check_batch, check_length};
use crate::envelope::{Done, Failure, Outcome};
use crate::profile::{CreateResult, Profile, UnknownPrincipals};
use crate::records::{CDS_UUID, Group};
use crate::state::{Op, State};

pub(super) fn store(call: &Call<'_>) -> Outcome {
    let done = create(call, false)?;
    Ok(match call.profile.create_result {
        CreateResult::String => Done {
            result: json!(done.object),
            ..done
        },
        CreateResult::Object => Done {
            result: json!({ "_RowKey": done.object }),
            ..done
        },
    })
}

/// The older form: members may come along, and the answer is always an object.
pub(super) fn store_with_members(call: &Call<'_>) -> Outcome {
    let done = create(call, true)?;
    Ok(Done {
        result: json!({ "_RowKey": done.object }),
        ..done
    })
}

fn create(call: &Call<'_>, with_members: bool) -> Outcome {
    let (profile, params) = (call.profile, &call.params);
    let name = params
        .filled("Name")
        .ok_or_else(|| Failure::new(&profile.texts.missing_parameter, "Name"))?;
    check_length(profile, &name)?;
    let description = params.text("Description").unwrap_or_default();
    let id = new_id(profile);
    let ((), commit) = call.platform.change(|state| {
        if state.group_named(&name).is_some() {
            return Err(Failure::new(&profile.texts.duplicate_group, &name));
        }
        let group = Op::Group {
            id: id.clone(),
            name,
            description,
            built_in: false,
        };
        let found = if with_members {
            listed(call, state)?
        } else {
            Found::default()
        };
        let members = Op::Members {
            group: id.clone(),
            add: found.members,
            remove: Vec::new(),
        };
        Ok((vec![group, members], ()))
    })?;
    Ok(Done {
        result: Value::Null,
        object: id,
        commit,
    })
}

pub(super) fn new_id(profile: &Profile) -> String {
    let id = Uuid::new_v4().to_string();
    if profile.role_id_underscores {
        id.replace('-', "_")
    } else {
        id
    }
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let group = named_group(call)?;
    let role = json!({
        "Name": group.name,
        "Description": group.description,
        "RoleType": "PrincipalList",
        "ReadOnly": group.built_in,
        "Uuid": group.id,
        "_RowKey": group.id,
        "DirectoryServiceUuid": CDS_UUID,
    });
    Ok(Done::read(role).about(&group.id))
}

/// Rename, describe, add and delete members in one step.
pub(super) fn update(call: &Call<'_>) -> Outcome {
    let (profile, params) = (call.profile, &call.params);
    let new_name = params.filled("NewName");
    let description = params.text("Description");
    edit(call, |state, group| {
        let mut ops = renamed(profile, state, group, new_name, description)?;
        let (mut add, mut remove) = (Found::default(), Found::default());
        let mut size = 0;
        for (list, kind) in KINDS {
            let delta = params.member(list);
            let part = |name| {
                delta
                    .and_then(|delta| member(delta, name))
                    .map(texts)
                    .unwrap_or_default()
            };
            let (added, removed) = (part("Add"), part("Delete"));
            size += added.len() + removed.len();
            add.resolve(state, profile, kind, &added)?;
            remove.resolve(state, profile, kind, &removed)?;
        }
        check_batch(profile, size)?;
        ops.extend(delta(group, add.members, remove.members));
        Ok((ops, add.unknown.or(remove.unknown)))
    })
}

/// The older form, which knows no members.
pub(super) fn rename(call: &Call<'_>) -> Outcome {
    let (new_name, description) = (call.params.filled("NewName"), call.params.text("Description"));
    edit(call, |state, group| {
        Ok((renamed(call.profile, state, group, new_name, description)?, None))
    })
}

/// The operation that gives the group another name or description, where they are others.
pub(super) fn renamed(
    profile: &Profile,
    state: &State,
    group: &Group,
    new_name: Option<String>,
    description: Option<String>,
) -> Result<Vec<Op>, Failure> {
    let name = new_name.unwrap_or_else(|| group.name.clone());
    let description = description.unwrap_or_else(|| group.description.clone());
    if state.group_named(&name).is_some_and(|other| other.id != group.id) {
        return Err(Failure::new(&profile.texts.duplicate_group, &name));
    }
    if name != group.name {
        check_length(profile, &name)?;
    }
    if name == group.name && description == group.description {
        return Ok(Vec::new());
    }
    let (id, built_in) = (group.id.clone(), group.built_in);
    Ok(vec![Op::Group {
        id,
        name,
        description,
        built_in,
    }])
}

pub(super) fn delete(call: &Call<'_>) -> Outcome {
    let id = group_id(call)?;
    remove(call, &[id])
}

/// The body is the bare list of ids.
pub(super) fn delete_many(call: &Call<'_>) -> Outcome {
    if !call.params.body().is_array() {
        return Err(Failure::new(&call.profile.texts.invalid_parameter, "body"));
    }
    remove(call, &texts(call.params.body()))
}

fn remove(call: &Call<'_>, ids: &[String]) -> Outcome {
    let profile = call.profile;
    check_batch(profile, ids.len())?;
    let (unknown, commit) = call.platform.change(|state| {
        let (mut ops, mut unknown) = (Vec::new(), None);
        for id in ids {
            match changeable(state, profile, id) {
                Ok(group) => ops.push(Op::GroupGone(group.id.clone())),
                Err(failure) if state.group(id).is_some() => return Err(failure),
                Err(failure) if profile.unknown_principals == UnknownPrincipals::FailBatch => return Err(failure),
                Err(failure) => unknown = Some(failure),
            }
        }
        Ok((ops, unknown))
    })?;
    match unknown {
        Some(failure) if profile.unknown_principals == UnknownPrincipals::FailAfterRest => {
            Err(Failure { commit, ..failure })
        }
        _ => Ok(Done {
            result: Value::Null,
            object: ids.first().cloned().unwrap_or_default(),
            commit,
        }),
    }
}

/// One change of one group, whose id comes as `Name`.
pub(super) fn edit(
    call: &Call<'_>,
    decide: impl FnOnce(&State, &Group) -> Result<(Vec<Op>, Option<Failure>), Failure>,
) -> Outcome {
    let id = group_id(call)?;
    let ((id, unknown), commit) = call.platform.change(|state| {
        let group = changeable(state, call.profile, &id)?;
        let (ops, unknown) = decide(state, group)?;
        Ok((ops, (group.id.clone(), unknown)))
    })?;
    match unknown {
        Some(failure) => Err(Failure { commit, ..failure }),
        None => Ok(Done {
            result: Value::Null,
            object: id,
            commit,
        }),
    }
}

fn group_id(call: &Call<'_>) -> Result<String, Failure> {
    call.params
        .filled("Name")
        .ok_or_else(|| Failure::new(&call.profile.texts.missing_parameter, "Name"))
}

pub(super) fn named_group(call: &Call<'_>) -> Result<Arc<Group>, Failure> {
    let id = group_id(call)?;
    let found = call.platform.read(|state| state.group(&id).cloned());
    found.ok_or_else(|| Failure::new(&call.profile.texts.unknown_group, &id))
}

pub(super) fn changeable<'a>(state: &'a State, profile: &Profile, id: &str) -> Result<&'a Arc<Group>, Failure> {
    match state.group(id) {
        None => Err(Failure::new(&profile.texts.unknown_group, id)),
        Some(group) if group.built_in => Err(Failure::new(&profile.texts.built_in_group, &group.name)),
        Some(group) => Ok(group),
    }
}
