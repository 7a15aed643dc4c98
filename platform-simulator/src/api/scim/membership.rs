//! What a PATCH makes of a group's name and members, and whom a list of members names.

use std::collections::BTreeSet;

use serde_json::Value;

use super::patch::{Step, Verb};
use super::{Ask, Refusal, ids};
use crate::api::params::{member, text};
use crate::api::rules::check_batch;
use crate::envelope::Failure;
use crate::profile::UnknownPrincipals;
use crate::records::{Kind, Member, fold};
use crate::state::State;

/// What a group is to be.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) members: BTreeSet<Member>,
    pub(super) unknown: Option<Failure>,
}

impl Wanted {
    /// Takes one operation in.
    pub(super) fn take(&mut self, ask: &Ask<'_>, state: &State, step: &Step<'_>) -> Result<(), Refusal> {
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

    /// Puts these in.
    pub(super) fn put(&mut self, ask: &Ask<'_>, state: &State, values: Option<&Value>) -> Result<(), Refusal> {
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

/// The principals that a list names, each by `value`.
#[derive(Default)]
pub(super) struct Found {
    pub(super) members: Vec<Member>,
    pub(super) unknown: Option<Failure>,
}

impl Found {
    /// Fails at once, later or never where one is unknown, as the profile says.
    pub(super) fn resolve(&mut self, ask: &Ask<'_>, state: &State, values: Option<&Value>) -> Result<(), Refusal> {
        let values = match values {
            None | Some(Value::Null) => &[],
            Some(Value::Array(values)) => values.as_slice(),
            Some(single) => std::slice::from_ref(single),
        };
        check_batch(ask.profile, values.len()).map_err(Refusal::invalid)?;
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
