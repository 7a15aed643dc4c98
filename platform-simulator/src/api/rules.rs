//! What calls about accounts demand, each failure in the profile's words. SCIM is held to the same.

use std::sync::Arc;

use super::Call;
use crate::envelope::Failure;
use crate::profile::{Profile, Renames};
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

/// A name of a length that the tenant accepts.
pub(super) fn check_length(profile: &Profile, name: &str) -> Result<(), Failure> {
    match profile.max_name_length {
        most if most > 0 && name.chars().count() > most => Err(Failure::new(&profile.texts.name_too_long, name)),
        _ => Ok(()),
    }
}

/// A call that names so many at once.
pub(super) fn check_batch(profile: &Profile, size: usize) -> Result<(), Failure> {
    match profile.max_batch {
        most if most > 0 && size > most => Err(Failure::new(&profile.texts.batch_too_large, &size.to_string())),
        _ => Ok(()),
    }
}

/// The login name after a change to this one.
pub(super) fn renamed(profile: &Profile, old: &User, name: String) -> Result<String, Failure> {
    if name == old.name {
        return Ok(name);
    }
    match profile.renames {
        Renames::Allowed => {
            check_name(profile, &name)?;
            Ok(name)
        }
        Renames::Refused => Err(Failure::new(&profile.texts.rename_refused, &old.name)),
        Renames::Ignored => Ok(old.name.clone()),
    }
}

/// The account that has the name already.
pub(super) fn taken<'a>(state: &'a State, profile: &Profile, name: &str) -> Option<&'a Arc<User>> {
    state
        .user_named(name)
        .filter(|user| user.is_local() || (!profile.local_beside_federated && profile.shows(user)))
}

/// A login name whose suffix exists, of a length that is accepted.
pub(super) fn check_name(profile: &Profile, name: &str) -> Result<(), Failure> {
    let suffix = name
        .rsplit_once('@')
        .filter(|(user, _)| !user.is_empty())
        .map_or("", |(_, suffix)| suffix);
    let listed = profile.suffixes.iter().any(|known| known.eq_ignore_ascii_case(suffix));
    if suffix.is_empty() || !(profile.suffixes.is_empty() || listed) {
        return Err(Failure::new(&profile.texts.unknown_suffix, suffix));
    }
    check_length(profile, name)
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
