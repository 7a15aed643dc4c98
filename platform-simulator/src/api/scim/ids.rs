//! The ids of objects over SCIM: the Platform's own, or others that are made of those and so never change either.

use std::sync::Arc;

use uuid::Uuid;

use crate::profile::{Profile, ScimIds};
use crate::records::{Group, User};
use crate::state::State;

/// What turns an id into its other one, and back.
const MASK: u128 = 0x9e37_79b9_7f4a_0c15_1bf5_8476_d1ce_4e5b;
const PREFIX: &str = "scim-";

/// The id over SCIM of what has this one at the Platform.
pub(super) fn outer(profile: &Profile, id: &str) -> String {
    match (profile.scim_ids, masked(&id.replace('_', "-"))) {
        (ScimIds::Same, _) => id.to_owned(),
        (ScimIds::Own, Some(other)) => other,
        (ScimIds::Own, None) => format!("{PREFIX}{id}"),
    }
}

/// The account with this id over SCIM, where it is to be seen.
pub(super) fn user<'a>(state: &'a State, profile: &Profile, id: &str) -> Option<&'a Arc<User>> {
    let mut ids = inner(profile, id).into_iter();
    let found = ids.find_map(|id| state.user(&id));
    found.filter(|user| profile.shows(user))
}

/// The group with this id over SCIM.
pub(super) fn group<'a>(state: &'a State, profile: &Profile, id: &str) -> Option<&'a Arc<Group>> {
    inner(profile, id).into_iter().find_map(|id| state.group(&id))
}

/// The ids at the Platform that this one may stand for.
fn inner(profile: &Profile, id: &str) -> Vec<String> {
    match (profile.scim_ids, masked(id)) {
        (ScimIds::Same, _) => vec![id.to_owned()],
        (ScimIds::Own, Some(other)) => vec![other.replace('-', "_"), other],
        (ScimIds::Own, None) => id.strip_prefix(PREFIX).map(str::to_owned).into_iter().collect(),
    }
}

fn masked(id: &str) -> Option<String> {
    const LENGTH: usize = 36;
    let id = Uuid::parse_str(id).ok().filter(|_| id.len() == LENGTH)?;
    Some(Uuid::from_u128(id.as_u128() ^ MASK).to_string())
}
