//! The calls that write accounts. A password is checked against the policy and then forgotten.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use super::fields::{check_fields, edit};
use super::rules::{changed, check_name, check_policy, local, missing, renamed, required, taken};
use crate::envelope::{Done, Failure, Outcome};
use crate::platform::{CALLER_ID, Platform};
use crate::profile::{CreateResult, Profile, UnsentFields};
use crate::records::{EVERYBODY, Kind, Member, User};
use crate::state::Op;

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let (params, profile) = (&call.params, call.profile);
    let name = params.filled("Name").ok_or_else(|| missing(profile, "Name"))?;
    check_name(profile, &name)?;
    if profile.mail_required && params.filled("Mail").is_none() {
        return Err(missing(profile, "Mail"));
    }
    check_fields(call)?;
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
    edit(&mut user, call, UnsentFields::Kept);
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
    check_fields(call)?;
    check_password(call, false)?;
    let (old, commit) = call.platform.change(|state| {
        let old = Arc::clone(local(state, profile, id)?);
        let mut user = User::clone(&old);
        if let Some(name) = params.filled("Name") {
            let name = renamed(profile, &old, name)?;
            if taken(state, profile, &name).is_some_and(|other| other.id != old.id) {
                return Err(Failure::new(&profile.texts.duplicate_user, &name));
            }
            user.name = name;
        }
        edit(&mut user, call, profile.unsent_fields);
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

/// The password is checked and forgotten.
pub(super) fn reset_password(call: &Call<'_>) -> Outcome {
    let id = required(call, "ID")?;
    let password = call.params.filled("newPassword");
    let user = call.platform.read(|state| local(state, call.profile, &id).cloned())?;
    check_policy(call.profile, password, true)?;
    Ok(Done::read(Value::Bool(true)).about(&user.id))
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
fn check_password(call: &Call<'_>, wanted: bool) -> Result<(), Failure> {
    check_policy(call.profile, call.params.filled("Password"), wanted)
}
