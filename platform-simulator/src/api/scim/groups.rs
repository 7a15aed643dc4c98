//! Groups over SCIM. A member is a user or another group, named by its id over SCIM.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::discovery::GROUP;
use super::filter::Path;
use super::list::{Question, bad_filter};
use super::patch::{Step, Verb, steps};
use super::users::{forbidden, location};
use super::{Answer, Ask, Refusal, Reply, ids};
use crate::api::members::delta;
use crate::api::params::{member, text};
use crate::api::roles::{new_id, renamed};
use crate::envelope::Failure;
use crate::profile::UnknownPrincipals;
use crate::records::{Group, Kind, Member, fold};
use crate::state::{Op, State};

pub(super) fn create(ask: &Ask<'_>) -> Answer {
    let (profile, document) = (ask.profile, ask.json()?);
    let name = said_name(ask, &document)?;
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

/// What a group is to be.
struct Wanted {
    name: String,
    members: BTreeSet<Member>,
    unknown: Option<Failure>,
}

impl Wanted {
    fn take(&mut self, ask: &Ask<'_>, state: &State, step: &Step<'_>) -> Result<(), Refusal> {
        let Some(path) = &step.path else {
            let Value::Object(values) = step.value else {
                return Err(Refusal::bad("invalidValue", "Without a path, the value is an object."));
            };
            let mut values = values.iter();
            return values.try_for_each(|(name, value)| self.set(ask, state, &fold(name), step.verb, value));
        };
        match path.of.as_slice() {
            [] => self.set(ask, state, &path.attribute, step.verb, step.value),
            [of] if step.verb == Verb::Remove && path.attribute == "members" && of.path.attribute == "value" => {
                self.remove(ask, state, Some(&of.value))
            }
            _ => Err(Refusal::bad("invalidPath", "The path is not supported.")),
        }
    }

    /// Attributes that are not kept are let pass.
    fn set(&mut self, ask: &Ask<'_>, state: &State, name: &str, verb: Verb, value: &Value) -> Result<(), Refusal> {
        match (name, verb) {
            ("displayname", Verb::Add | Verb::Replace) => {
                let name = text(value).filter(|name| !name.trim().is_empty());
                self.name = name.ok_or_else(|| Refusal::bad("invalidValue", "displayName is empty."))?;
                Ok(())
            }
            ("displayname", Verb::Remove) => Err(Refusal::bad("invalidValue", "displayName is required.")),
            ("members", Verb::Add) => self.put(ask, state, Some(value)),
            ("members", Verb::Replace) => {
                self.members.clear();
                self.put(ask, state, Some(value))
            }
            ("members", Verb::Remove) if value.is_null() => {
                self.members.clear();
                Ok(())
            }
            ("members", Verb::Remove) => self.remove(ask, state, Some(value)),
            _ => Ok(()),
        }
    }

    fn put(&mut self, ask: &Ask<'_>, state: &State, values: Option<&Value>) -> Result<(), Refusal> {
        let mut found = Found::default();
        found.resolve(ask, state, values)?;
        self.members.extend(found.members);
        self.unknown = self.unknown.take().or(found.unknown);
        Ok(())
    }

    fn remove(&mut self, ask: &Ask<'_>, state: &State, values: Option<&Value>) -> Result<(), Refusal> {
        let mut found = Found::default();
        found.resolve(ask, state, values)?;
        for gone in &found.members {
            self.members.remove(gone);
        }
        self.unknown = self.unknown.take().or(found.unknown);
        Ok(())
    }
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

/// The principals that a list names, each by `value`.
#[derive(Default)]
struct Found {
    members: Vec<Member>,
    unknown: Option<Failure>,
}

impl Found {
    fn resolve(&mut self, ask: &Ask<'_>, state: &State, values: Option<&Value>) -> Result<(), Refusal> {
        let values = match values {
            None | Some(Value::Null) => &[],
            Some(Value::Array(values)) => values.as_slice(),
            Some(single) => std::slice::from_ref(single),
        };
        for value in values {
            let id = member(value, "value").and_then(text).or_else(|| text(value));
            let id = id.ok_or_else(|| Refusal::bad("invalidValue", "A member has a value."))?;
            let user = ids::user(state, ask.profile, &id).map(|user| (user.id.clone(), Kind::User));
            let group = || ids::group(state, ask.profile, &id).map(|group| (group.id.clone(), Kind::Role));
            if let Some((guid, kind)) = user.or_else(group) {
                self.members.push(Member { guid, kind });
                continue;
            }
            let failure = Failure::new(&ask.profile.texts.unknown_principal, &id);
            match ask.profile.unknown_principals {
                UnknownPrincipals::FailBatch => return Err(Refusal::invalid(failure)),
                UnknownPrincipals::Skip => {}
                UnknownPrincipals::FailAfterRest => self.unknown = Some(failure),
            }
        }
        Ok(())
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
