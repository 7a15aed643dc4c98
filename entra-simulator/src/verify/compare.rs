//! The comparison itself: pure, from what is expected and what two systems hold to a list of differences.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Before, Difference, VerifyOptions,
    checked::{ByName, Checked, difference, existence, unexpected},
    expect::{Expected, ExpectedGroup, ExpectedUser, Presence, Want},
    held::{Account, PlatformGroup, PlatformState, ScimState},
};
use crate::mapping::{self, Place};

/// All differences, users before groups.
pub(super) fn differences(
    expected: &Expected,
    scim: &ScimState,
    platform: Option<&PlatformState>,
    options: &VerifyOptions,
) -> Vec<Difference> {
    let systems = Systems::new(scim, platform);
    let mut found = Vec::new();
    for user in expected.users.values() {
        systems.compare_user(user, &options.without_manager, &mut found);
    }
    for group in &expected.groups {
        systems.compare_group(group, expected, &options.before, &mut found);
    }
    let known = |names: Vec<&String>| -> BTreeSet<String> {
        names
            .into_iter()
            .chain(&options.ignore)
            .chain(&options.before.names)
            .map(|name| name.to_lowercase())
            .collect()
    };
    let names = expected.users.values().map(|user| &user.name);
    let users = known(names.chain(&expected.left_behind).collect());
    found.extend(unexpected(
        "user",
        &users,
        &systems.scim_users,
        systems.accounts.as_ref(),
    ));
    let groups = known(expected.groups.iter().map(|group| &group.name).collect());
    found.extend(unexpected(
        "group",
        &groups,
        &systems.scim_groups,
        systems.platform_groups.as_ref(),
    ));
    found
}

/// Both systems, indexed.
struct Systems<'a> {
    scim_users: ByName<'a, Value>,
    scim_groups: ByName<'a, Value>,
    scim_names: BTreeMap<&'a str, String>,
    accounts: Option<ByName<'a, Account>>,
    account_names: BTreeMap<String, String>,
    platform_groups: Option<ByName<'a, PlatformGroup>>,
}

impl<'a> Systems<'a> {
    fn new(scim: &'a ScimState, platform: Option<&'a PlatformState>) -> Self {
        let scim_name = |user: &Value, attribute: &str| user[attribute].as_str().unwrap_or_default().to_lowercase();
        let accounts = || {
            platform
                .into_iter()
                .flat_map(|state| &state.users)
                .filter(|account| !account.service_user && !account.built_in)
        };
        let groups = || {
            platform
                .into_iter()
                .flat_map(|state| &state.groups)
                .filter(|group| !group.built_in)
        };
        Self {
            scim_users: by_name(&scim.users, |user| scim_name(user, "userName")),
            scim_groups: by_name(&scim.groups, |group| scim_name(group, "displayName")),
            scim_names: scim
                .users
                .iter()
                .filter_map(|user| Some((user["id"].as_str()?, scim_name(user, "userName"))))
                .collect(),
            accounts: platform.map(|_| by_name(accounts(), |account| account.name.to_lowercase())),
            account_names: accounts()
                .map(|account| (account.id.to_lowercase(), account.name.to_lowercase()))
                .collect(),
            platform_groups: platform.map(|_| by_name(groups(), |group| group.name.to_lowercase())),
        }
    }

    fn compare_user(&self, expected: &ExpectedUser, without_manager: &BTreeSet<String>, found: &mut Vec<Difference>) {
        let object = format!("user {}", expected.name);
        let key = expected.name.to_lowercase();
        let on_scim = self.scim_users.get(&key).map_or(&[][..], Vec::as_slice);
        let on_platform = self
            .accounts
            .as_ref()
            .map(|accounts| accounts.get(&key).map_or(&[][..], Vec::as_slice));
        found.extend(existence(
            &object,
            expected.presence,
            on_scim.len(),
            on_platform.map(<[_]>::len),
        ));

        let scim = on_scim.first().copied();
        let account = on_platform.and_then(|accounts| accounts.first().copied());
        let mut row = |attribute: String, scim: Checked, platform: Checked| {
            found.extend(difference(&object, attribute, scim, platform));
        };
        for (place, want) in &expected.values {
            let on_scim = Checked::of(want, scim.map(|user| place.read(user)));
            let on_platform = match account {
                Some(account) => platform_value(*place, want, expected, account),
                None => Checked::skipped(),
            };
            row(place.path(), on_scim, on_platform);
        }
        row(
            "active".to_owned(),
            Checked::of(
                &Want::Value(expected.active.to_string()),
                scim.map(|user| Some(user["active"].to_string())),
            ),
            Checked::of(
                &Want::Value(expected.active.to_string()),
                account.map(|account| Some(is_enabled(account).to_string())),
            ),
        );
        let named = |id: String, names: Option<&String>| Some(names.cloned().unwrap_or(format!("unknown id {id}")));
        let manager = lower(&expected.manager);
        row(
            "manager".to_owned(),
            Checked::of(
                &manager,
                scim.map(|user| {
                    mapping::shown_manager(user).and_then(|id| named(id.clone(), self.scim_names.get(id.as_str())))
                }),
            ),
            Checked::of(
                &manager,
                account.filter(|_| !without_manager.contains(&key)).map(|account| {
                    let id = filled(&account.reports_to)?.to_lowercase();
                    named(id.clone(), self.account_names.get(&id))
                }),
            ),
        );
    }

    fn compare_group(&self, expected: &ExpectedGroup, all: &Expected, before: &Before, found: &mut Vec<Difference>) {
        let object = format!("group {}", expected.name);
        let key = expected.name.to_lowercase();
        let on_scim = self.scim_groups.get(&key).map_or(&[][..], Vec::as_slice);
        let on_platform = self
            .platform_groups
            .as_ref()
            .map(|groups| groups.get(&key).map_or(&[][..], Vec::as_slice));
        found.extend(existence(
            &object,
            Presence::Required,
            on_scim.len(),
            on_platform.map(<[_]>::len),
        ));

        let scim = on_scim.first().copied();
        for (attribute, value) in [("displayName", &expected.name), ("externalId", &expected.external_id)] {
            let shown = scim.map(|group| Place::Top(attribute).read(group));
            let checked = Checked::of(&Want::Value(value.clone()), shown);
            found.extend(difference(&object, attribute.to_owned(), checked, Checked::skipped()));
        }

        // A membership is compared by the member's login name, which both systems know.
        let id = scim.and_then(|group| group["id"].as_str()).unwrap_or_default();
        let mut wanted: BTreeMap<String, Want> = before
            .members_of(id)
            .filter_map(|member| Some((self.scim_names.get(member)?.clone(), Want::Anything)))
            .collect();
        wanted.extend(all.left_behind.iter().map(|name| (name.clone(), Want::Anything)));
        for user in expected.members.iter().filter_map(|id| all.users.get(id)) {
            let is_due = user.presence == Presence::Required && user.in_scope;
            let want = if is_due {
                Want::Value("1 membership".to_owned())
            } else {
                Want::Anything
            };
            wanted.insert(user.name.to_lowercase(), want);
        }
        let scim = scim.map(|group| self.scim_members(group));
        let platform = on_platform
            .and_then(|groups| groups.first())
            .map(|group| self.platform_members(group));
        let names: BTreeSet<&String> = wanted
            .keys()
            .chain(scim.iter().flat_map(BTreeMap::keys))
            .chain(platform.iter().flat_map(BTreeMap::keys))
            .collect();
        for name in names {
            let want = wanted.get(name).unwrap_or(&Want::Nothing);
            let held = |members: &Option<BTreeMap<String, usize>>| {
                members
                    .as_ref()
                    .map(|members| members.get(name).map(|count| format!("{count} membership")))
            };
            let row = difference(
                &object,
                format!("members: {name}"),
                Checked::of(want, held(&scim)),
                Checked::of(want, held(&platform)),
            );
            found.extend(row);
        }
    }

    fn scim_members(&self, group: &Value) -> BTreeMap<String, usize> {
        let members = group["members"].as_array().map_or(&[][..], Vec::as_slice);
        counted(members.iter().map(|member| {
            let id = member["value"].as_str().unwrap_or_default();
            self.scim_names
                .get(id)
                .cloned()
                .unwrap_or_else(|| format!("unknown id {id}"))
        }))
    }

    fn platform_members(&self, group: &PlatformGroup) -> BTreeMap<String, usize> {
        let users = group
            .members
            .iter()
            .filter(|member| member.kind.eq_ignore_ascii_case("User"));
        counted(users.map(|member| {
            let id = member.guid.to_lowercase();
            self.account_names
                .get(&id)
                .cloned()
                .unwrap_or_else(|| format!("unknown id {id}"))
        }))
    }
}

/// The Platform's counterpart of a SCIM attribute, where it has one.
fn platform_value(place: Place, want: &Want, expected: &ExpectedUser, account: &Account) -> Checked {
    let field = match place {
        Place::Top("displayName") => &account.display_name,
        mapping::WORK_PHONE => &account.office_number,
        mapping::MOBILE_PHONE => &account.mobile_number,
        mapping::LANGUAGE => &account.preferred_culture,
        mapping::WORK_MAIL => {
            let login = Want::Value(expected.name.clone());
            let want = if *want == Want::Nothing { &login } else { want };
            return Checked::of(want, Some(filled(&account.mail)));
        }
        _ => return Checked::skipped(),
    };
    Checked::of(want, Some(filled(field)))
}

fn is_enabled(account: &Account) -> bool {
    !account
        .state
        .as_deref()
        .unwrap_or_default()
        .to_lowercase()
        .contains("disabled")
}

fn filled(field: &Option<String>) -> Option<String> {
    field.clone().filter(|text| !text.is_empty())
}

fn lower(want: &Want) -> Want {
    match want {
        Want::Value(value) => Want::Value(value.to_lowercase()),
        other => other.clone(),
    }
}

fn by_name<'a, T>(objects: impl IntoIterator<Item = &'a T>, name: impl Fn(&T) -> String) -> ByName<'a, T> {
    let mut index: ByName<'a, T> = BTreeMap::new();
    for object in objects {
        index.entry(name(object)).or_default().push(object);
    }
    index
}

fn counted(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
