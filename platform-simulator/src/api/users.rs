//! The calls that write accounts. A password is checked against the policy and then forgotten.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use super::params::text;
use crate::envelope::{Done, Failure, Outcome};
use crate::platform::{ADMIN_ID, CALLER_ID, Platform};
use crate::profile::{ClearWith, CreateResult, Profile, UnknownPrincipals};
use crate::records::{EVERYBODY, Kind, Member, User};
use crate::state::{Op, State};

/// A text field, by the name that clients send.
type TextField = (&'static str, fn(&mut User) -> &mut String);

const TEXTS: &[TextField] = &[
    ("Mail", |user| &mut user.mail),
    ("DisplayName", |user| &mut user.display_name),
    ("Description", |user| &mut user.description),
    ("OfficeNumber", |user| &mut user.office_number),
    ("MobileNumber", |user| &mut user.mobile_number),
    ("HomeNumber", |user| &mut user.home_number),
    ("PreferredCulture", |user| &mut user.preferred_culture),
    ("ReportsTo", |user| &mut user.reports_to),
    ("AccountExp", |user| &mut user.account_exp),
    ("CmaRedirectedUserUuid", |user| &mut user.cma_redirected_user_uuid),
];

const STATES: &[&str] = &["None", "Locked", "Disabled", "Expired"];

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let (params, profile) = (&call.params, call.profile);
    let name = params.filled("Name").ok_or_else(|| missing(profile, "Name"))?;
    check_suffix(profile, &name)?;
    if profile.mail_required && params.filled("Mail").is_none() {
        return Err(missing(profile, "Mail"));
    }
    check_password(call, profile.password_required)?;
    let service_user = params.flag("ServiceUser").unwrap_or(false);
    let mut user = User {
        id: Uuid::new_v4().to_string(),
        name: name.clone(),
        state: "None".to_owned(),
        service_user,
        in_everybody_role: !service_user && params.flag("InEverybodyRole").unwrap_or(false),
        source_ds: "CDS".to_owned(),
        create_date: Timestamp::now().as_millisecond(),
        version: 1,
        ..User::default()
    };
    edit(&mut user, call);
    let id = user.id.clone();
    let ((), commit) = call.platform.change(|state| {
        if taken(state, profile, &name).is_some() {
            return Err(Failure::new(&profile.texts.duplicate_user, &name));
        }
        let everybody = user.in_everybody_role.then(|| in_everybody(&user));
        Ok(([Op::User(Arc::new(user))].into_iter().chain(everybody).collect(), ()))
    })?;
    let result = match profile.create_result {
        CreateResult::String => json!(id),
        CreateResult::Object => json!({ "ID": id }),
    };
    Ok(Done {
        result,
        object: id,
        commit,
    })
}

/// Without an id it edits the caller: that is how the Platform is, and a hazard.
pub(super) fn change(call: &Call<'_>) -> Outcome {
    let (params, profile) = (&call.params, call.profile);
    let given = params.filled("ID");
    let id = given.as_deref().unwrap_or(CALLER_ID);
    check_password(call, false)?;
    let (old, commit) = call.platform.change(|state| {
        let old = Arc::clone(local(state, profile, id)?);
        let mut user = User::clone(&old);
        if let Some(name) = params.filled("Name") {
            if name != old.name {
                check_suffix(profile, &name)?;
            }
            if taken(state, profile, &name).is_some_and(|other| other.id != old.id) {
                return Err(Failure::new(&profile.texts.duplicate_user, &name));
            }
            user.name = name;
        }
        edit(&mut user, call);
        let mut ops = changed(&old, user);
        if given.is_none() {
            ops.push(Op::CallerEdits(state.caller_edits + 1));
        }
        Ok((ops, old))
    })?;
    hold_back(call.platform, profile, &old);
    Ok(Done {
        result: Value::Null,
        object: old.id.clone(),
        commit,
    })
}

/// The operation that puts a new account into the group of everybody.
pub(super) fn in_everybody(user: &User) -> Op {
    let member = Member {
        guid: user.id.clone(),
        kind: Kind::User,
    };
    Op::Members {
        group: EVERYBODY.to_owned(),
        add: vec![member],
        remove: Vec::new(),
    }
}

/// Lets readers see the old display name for a while, where it has changed and the profile says so.
pub(super) fn hold_back(platform: &Platform, profile: &Profile, old: &User) {
    let lag = Duration::from_millis(profile.display_name_lag_ms);
    let shown = platform.read(|state| state.user(&old.id).map(|user| user.display_name.clone()));
    if !lag.is_zero() && shown.is_some_and(|shown| shown != old.display_name) {
        platform.hold_back_display_name(&old.id, &old.display_name, lag);
    }
}

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

/// Takes over every field that the client sent; what clears one is the profile's choice.
fn edit(user: &mut User, call: &Call<'_>) {
    let params = &call.params;
    for (name, field) in TEXTS {
        let clears = match params.member(name) {
            None => continue,
            Some(Value::Null) => call.profile.clear_with != ClearWith::Empty,
            Some(Value::String(value)) if value.is_empty() => call.profile.clear_with != ClearWith::Null,
            Some(value) => {
                if let Some(value) = text(value) {
                    *field(user) = value;
                }
                continue;
            }
        };
        if clears {
            field(user).clear();
        }
    }
    if let Some(flag) = params.flag("OauthClient") {
        user.oauth_client = flag;
    }
    if let Some(flag) = params.flag("PasswordNeverExpire") {
        user.password_never_expire = flag;
    }
    if let Some(flag) = params.flag("ForcePasswordChangeNext") {
        user.force_password_change_next = flag;
    }
}

/// The operation that makes the change, or none where there is no difference.
pub(super) fn changed(old: &User, mut new: User) -> Vec<Op> {
    if *old == new {
        return Vec::new();
    }
    new.version += 1;
    vec![Op::User(Arc::new(new))]
}

pub(super) fn known<'a>(state: &'a State, profile: &Profile, id: &str) -> Result<&'a Arc<User>, Failure> {
    state
        .user(id)
        .filter(|user| profile.shows(user))
        .ok_or_else(|| Failure::new(&profile.texts.unknown_user, id))
}

pub(super) fn local<'a>(state: &'a State, profile: &Profile, id: &str) -> Result<&'a Arc<User>, Failure> {
    let user = known(state, profile, id)?;
    if user.is_local() {
        Ok(user)
    } else {
        Err(Failure::new(&profile.texts.not_local, &user.name))
    }
}

pub(super) fn required(call: &Call<'_>, name: &str) -> Result<String, Failure> {
    call.params.filled(name).ok_or_else(|| missing(call.profile, name))
}

fn missing(profile: &Profile, name: &str) -> Failure {
    Failure::new(&profile.texts.missing_parameter, name)
}

/// The account that has the name already.
pub(super) fn taken<'a>(state: &'a State, profile: &Profile, name: &str) -> Option<&'a Arc<User>> {
    state
        .user_named(name)
        .filter(|user| user.is_local() || (!profile.local_beside_federated && profile.shows(user)))
}

pub(super) fn check_suffix(profile: &Profile, name: &str) -> Result<(), Failure> {
    let suffix = name
        .rsplit_once('@')
        .filter(|(user, _)| !user.is_empty())
        .map_or("", |(_, suffix)| suffix);
    let listed = profile.suffixes.iter().any(|known| known.eq_ignore_ascii_case(suffix));
    if suffix.is_empty() || !(profile.suffixes.is_empty() || listed) {
        return Err(Failure::new(&profile.texts.unknown_suffix, suffix));
    }
    Ok(())
}

/// Long enough, with small and capital letters and a digit.
fn check_password(call: &Call<'_>, wanted: bool) -> Result<(), Failure> {
    check_policy(call.profile, call.params.filled("Password"), wanted)
}

pub(super) fn check_policy(profile: &Profile, password: Option<String>, wanted: bool) -> Result<(), Failure> {
    let strong = match password {
        None => !wanted,
        Some(password) => {
            let has = |kind: fn(char) -> bool| password.chars().any(kind);
            password.chars().count() >= profile.password_min_length
                && has(char::is_lowercase)
                && has(char::is_uppercase)
                && has(char::is_numeric)
        }
    };
    if strong {
        Ok(())
    } else {
        Err(Failure::new(&profile.texts.weak_password, ""))
    }
}
