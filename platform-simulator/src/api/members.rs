//! The calls about the members of a group. A member is named by id or by name.

use serde_json::{Value, json};

use super::Call;
use super::roles::{edit, named_group};
use super::rules::check_batch;
use crate::envelope::{self, Done, Failure, Outcome};
use crate::profile::{Profile, UnknownPrincipals};
use crate::records::{Group, Kind, Member};
use crate::state::{Op, State};

/// The lists in which a call names principals.
pub(super) const KINDS: [(&str, Kind); 3] = [("Users", Kind::User), ("Groups", Kind::Group), ("Roles", Kind::Role)];

pub(super) fn all(call: &Call<'_>) -> Outcome {
    let group = named_group(call)?;
    Ok(Done::read(member_rows(call, &group, 0, usize::MAX)).about(&group.id))
}

pub(super) fn paged(call: &Call<'_>) -> Outcome {
    const DEFAULT_SIZE: usize = 100;
    let group = named_group(call)?;
    let number = |name| {
        call.params
            .text(name)
            .and_then(|text| text.parse::<usize>().ok())
            .filter(|n| *n > 0)
    };
    let size = call.profile.page_size(number("PageSize").unwrap_or(DEFAULT_SIZE));
    let skip = (number("PageNumber").unwrap_or(1) - 1).saturating_mul(size);
    Ok(Done::read(member_rows(call, &group, skip, size)).about(&group.id))
}

fn member_rows(call: &Call<'_>, group: &Group, skip: usize, take: usize) -> Value {
    let rows = call.platform.read(|state| {
        let page = group.members.iter().skip(skip).take(take);
        page.map(|member| {
            let name = match member.kind {
                Kind::User => state.user(&member.guid).map(|user| user.name.as_str()),
                Kind::Role => state.group(&member.guid).map(|group| group.name.as_str()),
                Kind::Group => None,
            };
            let row = json!({ "Guid": member.guid, "Name": name.unwrap_or_default(), "Type": member.kind });
            (member.guid.clone(), row)
        })
        .collect()
    });
    let columns = ["Guid", "Name", "Type"].map(str::to_owned);
    let full_count = call.profile.full_count.then_some(group.members.len());
    envelope::rows("Principal", &columns, full_count, rows)
}

pub(super) fn add(call: &Call<'_>) -> Outcome {
    edit(call, |state, group| {
        let found = listed(call, state)?;
        Ok((
            delta(group, found.members, Vec::new()).into_iter().collect(),
            found.unknown,
        ))
    })
}

pub(super) fn remove(call: &Call<'_>) -> Outcome {
    edit(call, |state, group| {
        let found = listed(call, state)?;
        Ok((
            delta(group, Vec::new(), found.members).into_iter().collect(),
            found.unknown,
        ))
    })
}

/// The principals that the call's lists name.
pub(super) fn listed(call: &Call<'_>, state: &State) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut size = 0;
    for (list, kind) in KINDS {
        let ids = call.params.list(list);
        size += ids.len();
        found.resolve(state, call.profile, kind, &ids)?;
    }
    check_batch(call.profile, size)?;
    Ok(found)
}

/// The membership that really changes.
pub(super) fn delta(group: &Group, mut add: Vec<Member>, mut remove: Vec<Member>) -> Option<Op> {
    remove.retain(|member| group.members.contains(member) && !add.contains(member));
    add.retain(|member| !group.members.contains(member));
    // A group inside itself would have no end.
    add.retain(|member| member.guid != group.id);
    (!add.is_empty() || !remove.is_empty()).then(|| Op::Members {
        group: group.id.clone(),
        add,
        remove,
    })
}

/// The principals that a batch names.
#[derive(Default)]
pub(super) struct Found {
    pub(super) members: Vec<Member>,
    pub(super) unknown: Option<Failure>,
}

impl Found {
    /// Fails at once, later or never where one is unknown, as the profile says.
    pub(super) fn resolve(
        &mut self,
        state: &State,
        profile: &Profile,
        kind: Kind,
        ids: &[String],
    ) -> Result<(), Failure> {
        for id in ids {
            let guid = match kind {
                Kind::User => state
                    .user(id)
                    .or_else(|| state.user_named(id))
                    .filter(|user| profile.shows(user))
                    .map(|user| user.id.clone()),
                Kind::Role => state
                    .group(id)
                    .or_else(|| state.group_named(id))
                    .map(|group| group.id.clone()),
                // No outer directory is connected.
                Kind::Group => None,
            };
            if let Some(guid) = guid {
                self.members.push(Member { guid, kind });
                continue;
            }
            let failure = Failure::new(&profile.texts.unknown_principal, id);
            match profile.unknown_principals {
                UnknownPrincipals::FailBatch => return Err(failure),
                UnknownPrincipals::Skip => {}
                UnknownPrincipals::FailAfterRest => self.unknown = Some(failure),
            }
        }
        Ok(())
    }
}
