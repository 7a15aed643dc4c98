//! Groups over SCIM. A member is a user or another group, named by its id over SCIM.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::discovery::GROUP;
use super::document::location;
use super::filter::Path;
use super::list::{Question, bad_filter};
use super::membership::{Found, Wanted};
use super::patch::steps;
use super::users::forbidden;
use super::{Answer, Ask, Refusal, Reply, ids};
use crate::api::members::delta;
use crate::api::params::{member, text};
use crate::api::roles::{new_id, renamed};
use crate::api::rules::check_length;
use crate::envelope::Failure;
use crate::records::{Group, Kind, Member, fold};
use crate::state::{Op, State};

pub(super) fn create(ask: &Ask<'_>) -> Answer {
    let (profile, document) = (ask.profile, ask.json()?);
    let name = said_name(ask, &document)?;
    check_length(profile, &name).map_err(Refusal::invalid)?;
    let id = new_id(profile);
    let (unknown, commit) = ask.platform.change(|state| {
        if state.group_named(&name).is_some() {
            return Err(Refusal::taken(Failure::new(&profile.texts.duplicate_group, &name)));
        }
        let mut found = Found::default();
        found.resolve(ask, state, member(&document, "members"))?;
        let group = Op::Group {
            id: id.clone(),
            name,
            description: String::new(),
            built_in: false,
        };
        let members = Op::Members {
            group: id.clone(),
            add: found.members,
            remove: Vec::new(),
        };
        Ok((vec![group, members], found.unknown))
    })?;
    if let Some(failure) = unknown {
        return Err(Refusal::invalid(Failure { commit, ..failure }));
    }
    let question = Question::of(ask)?;
    let made = ask.platform.read(|state| state.group(&id).cloned());
    Ok(Reply {
        status: StatusCode::CREATED,
        body: made.map_or(Value::Null, |group| resource(ask, &question, &group)),
        object: id,
        commit,
    })
}

pub(super) fn read(ask: &Ask<'_>) -> Answer {
    let question = Question::of(ask)?;
    let id = ask.id();
    let found = ask.platform.read(|state| ids::group(state, ask.profile, &id).cloned());
    let group = found.ok_or_else(|| unknown(ask, &id))?;
    Ok(Reply::read(question.shape(resource(ask, &question, &group)), &group.id))
}

pub(super) fn list(ask: &Ask<'_>) -> Answer {
    let question = Question::of(ask)?;
    let mut found: Vec<Arc<Group>> = ask.platform.read(|state| {
        let groups = state.groups_by_name().map(|(_, group)| group);
        groups.cloned().collect()
    });
    for condition in &question.conditions {
        let (Path { attribute, of, part }, value) = (&condition.path, condition.text());
        match attribute.as_str() {
            _ if !of.is_empty() || part.is_some() => return Err(bad_filter()),
            "displayname" => found.retain(|group| fold(&group.name) == fold(&value)),
            "id" => found.retain(|group| ids::outer(ask.profile, &group.id) == value),
            _ => return Err(bad_filter()),
        }
    }
    Ok(Reply::read(
        question.page(&found, |group| resource(ask, &question, group)),
        "",
    ))
}

pub(super) fn replace(ask: &Ask<'_>) -> Answer {
    let document = ask.json()?;
    let reply = edit(ask, |state, wanted| {
        wanted.name = said_name(ask, &document)?;
        wanted.members.clear();
        wanted.put(ask, state, member(&document, "members"))
    })?;
    let question = Question::of(ask)?;
    let group = ask.platform.read(|state| state.group(&reply.object).cloned());
    Ok(Reply {
        status: StatusCode::OK,
        body: group.map_or(Value::Null, |group| resource(ask, &question, &group)),
        ..reply
    })
}

pub(super) fn change(ask: &Ask<'_>) -> Answer {
    let body = ask.json()?;
    let steps = steps(&body)?;
    edit(ask, |state, wanted| {
        steps.iter().try_for_each(|step| wanted.take(ask, state, step))
    })
}

pub(super) fn delete(ask: &Ask<'_>) -> Answer {
    let id = ask.id();
    let (object, commit) = ask.platform.change(|state| {
        let group = changeable(ask, state, &id)?;
        Ok::<_, Refusal>((vec![Op::GroupGone(group.id.clone())], group.id.clone()))
    })?;
    Ok(Reply::done(object, commit))
}

/// Makes the group what is wanted.
fn edit(ask: &Ask<'_>, decide: impl FnOnce(&State, &mut Wanted) -> Result<(), Refusal>) -> Answer {
    let id = ask.id();
    let ((object, unknown), commit) = ask.platform.change(|state| {
        let group = changeable(ask, state, &id)?;
        let mut wanted = Wanted {
            name: group.name.clone(),
            members: group.members.clone(),
            unknown: None,
        };
        decide(state, &mut wanted)?;
        if wanted.name != group.name {
            check_length(ask.profile, &wanted.name).map_err(Refusal::invalid)?;
        }
        let mut ops = renamed(ask.profile, state, group, Some(wanted.name), None).map_err(Refusal::taken)?;
        let add = wanted.members.difference(&group.members).cloned().collect();
        let remove = group.members.difference(&wanted.members).cloned().collect();
        ops.extend(delta(group, add, remove));
        Ok((ops, (group.id.clone(), wanted.unknown)))
    })?;
    match unknown {
        Some(failure) => Err(Refusal::invalid(Failure { commit, ..failure })),
        None => Ok(Reply::done(object, commit)),
    }
}

fn resource(ask: &Ask<'_>, question: &Question, group: &Group) -> Value {
    let id = ids::outer(ask.profile, &group.id);
    let mut resource = json!({
        "schemas": [GROUP],
        "id": id,
        "displayName": group.name,
        "meta": { "resourceType": "Group", "location": location(ask, "Groups", &id) },
    });
    if question.wants("members") {
        let members = ask.platform.read(|state| {
            let shown = |member: &Member| {
                let (name, kind) = match member.kind {
                    Kind::User => (state.user(&member.guid).map(|user| user.name.as_str()), "User"),
                    Kind::Role | Kind::Group => (state.group(&member.guid).map(|group| group.name.as_str()), "Group"),
                };
                let value = ids::outer(ask.profile, &member.guid);
                json!({ "value": value, "display": name.unwrap_or_default(), "type": kind })
            };
            group.members.iter().map(shown).collect::<Vec<_>>()
        });
        resource["members"] = json!(members);
    }
    resource
}

fn said_name(ask: &Ask<'_>, document: &Value) -> Result<String, Refusal> {
    let name = member(document, "displayName").and_then(text);
    let missing = || Refusal::invalid(Failure::new(&ask.profile.texts.missing_parameter, "displayName"));
    name.filter(|name| !name.trim().is_empty()).ok_or_else(missing)
}

fn changeable<'a>(ask: &Ask<'_>, state: &'a State, id: &str) -> Result<&'a Arc<Group>, Refusal> {
    match ids::group(state, ask.profile, id) {
        None => Err(unknown(ask, id)),
        Some(group) if group.built_in => {
            let text = &ask.profile.texts.built_in_group;
            Err(forbidden(Failure::new(text, &group.name)))
        }
        Some(group) => Ok(group),
    }
}

fn unknown(ask: &Ask<'_>, id: &str) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        Failure::new(&ask.profile.texts.unknown_group, id),
    )
}
