//! The calls that remove accounts.

use std::sync::Arc;

use serde_json::Value;

use super::Call;
use super::rules::{check_batch, missing};
use crate::envelope::{Done, Failure, Outcome};
use crate::platform::{ADMIN_ID, CALLER_ID};
use crate::profile::UnknownPrincipals;
use crate::records::User;
use crate::state::{Op, State};

pub(super) fn remove_many(call: &Call<'_>) -> Outcome {
    if call.params.member("Users").is_none() {
        return Err(missing(call.profile, "Users"));
    }
    remove(call, &call.params.list("Users"), State::user)
}

pub(super) fn remove_one(call: &Call<'_>) -> Outcome {
    let id = call.params.filled("ID").ok_or_else(|| missing(call.profile, "ID"))?;
    remove(call, &[id], |state, id| state.user(id).or_else(|| state.user_named(id)))
}

/// Fails as a whole where the caller is among them.
fn remove(call: &Call<'_>, ids: &[String], find: impl for<'a> Fn(&'a State, &str) -> Option<&'a Arc<User>>) -> Outcome {
    let profile = call.profile;
    check_batch(profile, ids.len())?;
    let (unknown, commit) = call.platform.change(|state| {
        let (mut ops, mut unknown) = (Vec::new(), None);
        for id in ids {
            match find(state, id).filter(|user| profile.shows(user)) {
                None if profile.unknown_principals == UnknownPrincipals::FailBatch => {
                    return Err(Failure::new(&profile.texts.unknown_user, id));
                }
                None => unknown = Some(id),
                Some(user) if user.id == CALLER_ID => {
                    return Err(Failure::new(&profile.texts.remove_caller, &user.name));
                }
                Some(user) if user.id == ADMIN_ID => {
                    return Err(Failure::new(&profile.texts.system_administrator, &user.name));
                }
                Some(user) => ops.push(Op::UserGone(user.id.clone())),
            }
        }
        Ok((ops, unknown))
    })?;
    match unknown {
        Some(id) if profile.unknown_principals == UnknownPrincipals::FailAfterRest => Err(Failure {
            commit,
            ..Failure::new(&profile.texts.unknown_user, id)
        }),
        _ => Ok(Done {
            result: Value::Null,
            object: ids.first().cloned().unwrap_or_default(),
            commit,
        }),
    }
}
