//! What must be found, by the rules of Entra: values that became empty stay, users who left are disabled, users who
//! were disabled before being provisioned do not exist, references to what does not exist are not sent.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    directory::{Directory, User},
    job::Job,
    mapping::{self, Place},
};

/// What is wanted of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    Value(String),
    Nothing,
    Anything,
}

/// Whether an object must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
    Forbidden,
}

/// What is expected of a user.
#[derive(Debug, Clone)]
pub(super) struct ExpectedUser {
    pub(super) name: String,
    pub(super) presence: Presence,
    pub(super) active: bool,
    pub(super) values: Vec<(Place, Want)>,
    /// The manager's login name.
    pub(super) manager: Want,
    /// Whether the job still cares for this user's references.
    pub(super) in_scope: bool,
}

/// What is expected of a group.
#[derive(Debug, Clone)]
pub(super) struct ExpectedGroup {
    pub(super) name: String,
    pub(super) external_id: String,
    /// Directory ids.
    pub(super) members: Vec<String>,
}

/// Everything that is expected; users by directory id.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) users: BTreeMap<String, ExpectedUser>,
    pub(super) groups: Vec<ExpectedGroup>,
    /// Names of users, in lower case, whom the job has left behind: they may be there, and in groups.
    pub(super) left_behind: BTreeSet<String>,
}

impl Expected {
    pub(super) fn of(job: &Job, directory: &Directory) -> Self {
        let history_is_known = !job.provisioned().is_empty();
        let mut users: BTreeMap<String, ExpectedUser> = directory
            .users
            .iter()
            .map(|(id, user)| (id.clone(), expected_user(user, job.ledger(id), history_is_known)))
            .collect();
        for (id, user) in &directory.users {
            let manager = match &user.manager {
                _ if !user.assigned => Want::Anything,
                None => Want::Nothing,
                // A reference to a user who is not there waits; whatever was there before stays.
                Some(manager) => match users.get(manager) {
                    Some(manager) if manager.presence == Presence::Required && manager.in_scope => {
                        Want::Value(manager.name.clone())
                    }
                    _ => Want::Anything,
                },
            };
            if let Some(expected) = users.get_mut(id) {
                expected.manager = manager;
            }
        }
        let groups = directory
            .groups
            .values()
            .map(|group| ExpectedGroup {
                name: group.display_name.clone(),
                external_id: group.object_id.clone(),
                members: group.members.iter().cloned().collect(),
            })
            .collect();
        let left_behind = job.left_behind().iter().map(|name| name.to_lowercase()).collect();
        Self {
            users,
            groups,
            left_behind,
        }
    }
}

fn expected_user(user: &User, ledger: Option<&BTreeMap<String, String>>, history_is_known: bool) -> ExpectedUser {
    let presence = match (history_is_known, ledger, user.is_active()) {
        (_, Some(_), _) | (_, None, true) => Presence::Required,
        (true, None, false) => Presence::Forbidden,
        (false, None, false) => Presence::Optional,
    };
    let values: Vec<(Place, Want)> = mapping::user_values(user)
        .into_iter()
        .map(|(place, value)| {
            let sent = ledger.and_then(|ledger| ledger.get(&place.path()).cloned());
            let want = match (value, sent) {
                // What changed after a user left the scope does not flow.
                (_, Some(sent)) if !user.assigned => Want::Value(sent),
                (_, None) if !user.assigned && ledger.is_some() => Want::Nothing,
                (Some(value), _) => Want::Value(value),
                (None, Some(sent)) => Want::Value(sent),
                (None, None) if history_is_known => Want::Nothing,
                (None, None) => Want::Anything,
            };
            (place, want)
        })
        .collect();
    let name = match values.iter().find(|(place, _)| *place == Place::Top("userName")) {
        Some((_, Want::Value(name))) => name.clone(),
        _ => user.user_principal_name.clone(),
    };
    ExpectedUser {
        name,
        presence,
        active: user.is_active(),
        values,
        manager: Want::Anything,
        in_scope: user.assigned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::odile;

    #[test]
    fn expectations_follow_what_flowed() {
        let title = |expected: &ExpectedUser| {
            let found = expected.values.iter().find(|(place, _)| *place == Place::Top("title"));
            found.map(|(_, want)| want.clone()).unwrap()
        };
        let ledger = mapping::flowing(&odile());
        let sent = Want::Value("Rack technician".to_owned());

        let now = expected_user(&odile(), Some(&ledger), true);
        assert_eq!(
            (now.presence, now.active, title(&now)),
            (Presence::Required, true, sent.clone())
        );

        let emptied = User {
            job_title: None,
            ..odile()
        };
        assert_eq!(title(&expected_user(&emptied, Some(&ledger), true)), sent);
        assert_eq!(title(&expected_user(&emptied, None, true)), Want::Nothing);
        assert_eq!(title(&expected_user(&emptied, None, false)), Want::Anything);

        let gone = User {
            assigned: false,
            job_title: Some("Buyer".to_owned()),
            ..odile()
        };
        let gone = expected_user(&gone, Some(&ledger), true);
        assert_eq!(
            (gone.presence, gone.active, title(&gone)),
            (Presence::Required, false, sent)
        );

        let blocked = User {
            account_enabled: false,
            ..odile()
        };
        assert_eq!(expected_user(&blocked, None, true).presence, Presence::Forbidden);
        assert_eq!(expected_user(&blocked, None, false).presence, Presence::Optional);
    }
}
