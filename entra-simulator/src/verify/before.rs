//! What the systems held before a job began, and what of it is none of the job's business: Entra leaves alone whom it does
//! not know, and never learns who is in a group that it finds by name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    VerifyOptions,
    held::{Platform, ScimState},
};
use crate::{
    client::Client,
    directory::{Directory, Group},
    error::Error,
};

/// What was there before, and is not compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Before {
    /// Names of users and groups that the directory did not have, in lower case.
    pub(super) names: BTreeSet<String>,
    /// Memberships that the directory did not have, as the SCIM ids of group and member.
    pub(super) memberships: BTreeSet<(String, String)>,
}

impl Before {
    /// Looks at what SCIM, and the simulated Platform if there is one, hold now beside what is the directory's.
    pub(crate) async fn read(client: &Client, directory: &Directory, options: &VerifyOptions) -> Result<Self, Error> {
        let unreadable = |system| move |failure| Error::Unreadable { system, failure };
        let scim = ScimState::read(client).await.map_err(unreadable("SCIM"))?;
        let mut before = Self::of(&scim, directory);
        if let Some(url) = &options.platform_url {
            let platform = Platform::new(url, client.knobs().timeout)?;
            let platform = platform.read().await.map_err(unreadable("the Platform"))?;
            let users = platform.users.into_iter().map(|account| account.name);
            let groups = platform.groups.into_iter().map(|group| group.name);
            before.names.extend(strangers(users.chain(groups), directory));
        }
        Ok(before)
    }

    fn of(scim: &ScimState, directory: &Directory) -> Self {
        let text = |resource: &Value, attribute: &str| resource[attribute].as_str().unwrap_or_default().to_owned();
        let users = scim.users.iter().map(|user| text(user, "userName"));
        let groups = scim.groups.iter().map(|group| text(group, "displayName"));
        let names = strangers(users.chain(groups), directory).collect();

        let mut memberships = BTreeSet::new();
        for shown in &scim.groups {
            let known = directory.find_group(&text(shown, "displayName"));
            let ours = known.map(|group| members(group, directory)).unwrap_or_default();
            let ours: BTreeSet<String> = scim
                .users
                .iter()
                .filter(|user| ours.contains(&text(user, "userName").to_lowercase()))
                .map(|user| text(user, "id"))
                .collect();
            let there = shown["members"].as_array().map_or(&[][..], Vec::as_slice);
            let there = there.iter().map(|member| text(member, "value"));
            memberships.extend(
                there
                    .filter(|member| !ours.contains(member))
                    .map(|member| (text(shown, "id"), member)),
            );
        }
        Self { names, memberships }
    }

    /// The names of all that was there and is not the directory's.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.names.iter()
    }

    /// Members whom a group, by its SCIM id, had before.
    pub(super) fn members_of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        self.memberships
            .iter()
            .filter(move |(of, _)| of == group)
            .map(|(_, member)| member.as_str())
    }
}

/// The names that the directory does not have, in lower case.
fn strangers(names: impl Iterator<Item = String>, directory: &Directory) -> impl Iterator<Item = String> {
    let users = directory.users.values().map(|user| &user.user_principal_name);
    let groups = directory.groups.values().map(|group| &group.display_name);
    let ours: BTreeSet<String> = users.chain(groups).map(|name| name.to_lowercase()).collect();
    names
        .map(|name| name.to_lowercase())
        .filter(move |name| !ours.contains(name))
}

/// Login names of a group's members, in lower case.
fn members(group: &Group, directory: &Directory) -> BTreeSet<String> {
    let users = group.members.iter().filter_map(|id| directory.users.get(id));
    users.map(|user| user.user_principal_name.to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_the_directorys_own_is_not_before() {
        let mut directory = Directory::generate(2, 3, 1);
        let ids: Vec<_> = directory.users.keys().cloned().collect();
        let group = directory.groups.values_mut().next().unwrap();
        group.members = [ids[0].clone()].into();
        let group = group.display_name.clone();
        let name = |n: usize| directory.users[&ids[n]].user_principal_name.to_uppercase();
        let scim = ScimState {
            users: vec![
                json!({"id": "u0", "userName": name(0)}),
                json!({"id": "u1", "userName": name(1)}),
                json!({"id": "u9", "userName": "Stranger@example.com"}),
            ],
            groups: vec![
                json!({"id": "g0", "displayName": group.to_uppercase(),
                       "members": [{"value": "u0"}, {"value": "u1"}, {"value": "u9"}]}),
                json!({"id": "g9", "displayName": "Strangers"}),
            ],
        };
        let before = Before::of(&scim, &directory);
        let names = ["stranger@example.com", "strangers"].map(str::to_owned);
        assert_eq!(before.names, names.into());
        assert_eq!(before.members_of("g0").collect::<Vec<_>>(), ["u1", "u9"]);
        assert_eq!(before.members_of("g9").count(), 0);
    }
}
