//! What calls about accounts demand, each failure in the profile's words. SCIM is held to the same.

use std::sync::Arc;

use super::Call;
use crate::envelope::Failure;
use crate::profile::Profile;
use crate::records::User;
use crate::state::{Op, State};

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

pub(super) fn missing(profile: &Profile, name: &str) -> Failure {
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
