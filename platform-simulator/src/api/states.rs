//! The calls that disable, enable and lock accounts.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Call;
use super::rules::{changed, known, local, missing, required};
use crate::envelope::{Done, Failure, Outcome};
use crate::platform::{ADMIN_ID, CALLER_ID, Platform};
use crate::profile::Profile;
use crate::records::User;
use crate::state::Op;

const STATES: &[&str] = &["None", "Locked", "Disabled", "Expired"];

pub(super) fn set_state(call: &Call<'_>) -> Outcome {
    let profile = call.profile;
    let id = required(call, "ID")?;
    let wanted = required(call, "state")?;
    let mut words = Vec::new();
    for word in wanted.split(',').map(str::trim) {
        let known = STATES.iter().find(|known| known.eq_ignore_ascii_case(word));
        words.push(*known.ok_or_else(|| Failure::new(&profile.texts.invalid_parameter, "state"))?);
    }
    if words.len() > 1 && words.contains(&"None") {
        return Err(Failure::new(&profile.texts.invalid_parameter, "state"));
    }
    let (id, commit) = call.platform.change(|state| {
        let old = local(state, profile, &id)?;
        if old.id == ADMIN_ID && words != ["None"] {
            return Err(Failure::new(&profile.texts.system_administrator, &old.name));
        }
        let stays_locked = words == ["None"] && !profile.none_clears_locked && old.state.contains("Locked");
        let words = if stays_locked { vec!["Locked"] } else { words };
        Ok((in_state(profile, old, words.join(",")), old.id.clone()))
    })?;
    end_tokens(call.platform, profile, &id);
    Ok(Done {
        result: Value::Null,
        object: id,
        commit,
    })
}

/// The call of a sibling product: only whether the account is enabled.
pub(super) fn change_state(call: &Call<'_>) -> Outcome {
    let profile = call.profile;
    let id = required(call, "ID")?;
    let enabled = call.params.flag("Enabled").ok_or_else(|| missing(profile, "Enabled"))?;
    let (id, commit) = call.platform.change(|state| {
        let old = local(state, profile, &id)?;
        if old.id == ADMIN_ID && !enabled {
            return Err(Failure::new(&profile.texts.system_administrator, &old.name));
        }
        Ok((
            in_state(profile, old, enabled_state(&old.state, enabled)),
            old.id.clone(),
        ))
    })?;
    end_tokens(call.platform, profile, &id);
    Ok(Done {
        result: Value::Null,
        object: id,
        commit,
    })
}

/// The state with or without `Disabled`; the other words stay.
pub(super) fn enabled_state(state: &str, enabled: bool) -> String {
    let others = state
        .split(',')
        .filter(|word| !matches!(*word, "None" | "Disabled" | ""));
    let words: Vec<_> = others.chain((!enabled).then_some("Disabled")).collect();
    if words.is_empty() {
        "None".to_owned()
    } else {
        words.join(",")
    }
}

/// The operation that puts the account into this state, where it is in another.
fn in_state(profile: &Profile, old: &User, state: String) -> Vec<Op> {
    let ends = profile.disabling_ends_sessions && state.contains("Disabled");
    let user = User {
        state,
        sessions: if ends { 0 } else { old.sessions },
        ..User::clone(old)
    };
    changed(old, user)
}

/// A service user that was disabled or locked has no token any more, where the profile says so.
pub(super) fn end_tokens(platform: &Platform, profile: &Profile, id: &str) {
    let is_out = |caller: &Arc<User>| {
        caller.cloud_locked || (profile.disabling_ends_sessions && caller.state.contains("Disabled"))
    };
    if id == CALLER_ID && platform.read(|state| state.user(id).is_some_and(is_out)) {
        platform.tokens().revoke_all();
    }
}

pub(super) fn set_cloud_lock(call: &Call<'_>) -> Outcome {
    let id = required(call, "user")?;
    let lock = call
        .params
        .flag("lockUser")
        .ok_or_else(|| missing(call.profile, "lockUser"))?;
    let (id, commit) = call.platform.change(|state| {
        let old = known(state, call.profile, &id)?;
        if old.id == ADMIN_ID && lock {
            return Err(Failure::new(&call.profile.texts.system_administrator, &old.name));
        }
        let user = User {
            cloud_locked: lock,
            sessions: if lock { 0 } else { old.sessions },
            ..User::clone(old)
        };
        Ok((changed(old, user), old.id.clone()))
    })?;
    end_tokens(call.platform, call.profile, &id);
    Ok(Done {
        result: json!(true),
        object: id,
        commit,
    })
}
