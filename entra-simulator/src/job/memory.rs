//! What a job remembers between cycles; it is saved as JSON, so that a later process can be the same Entra tenant.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Escrowed;
use crate::{
    directory::User,
    error::Failure,
    mapping::{self, Place},
};

/// Everything a job remembers, by directory object id.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) users: BTreeMap<String, UserMemory>,
    pub(crate) groups: BTreeMap<String, GroupMemory>,
    pub(crate) escrow: BTreeMap<String, Escrowed>,
    /// Login names of users whom the endpoint still has, and who are nobody's any more.
    #[serde(default)]
    pub(crate) left_behind: BTreeSet<String>,
}

/// An object connection: our id for the object, and what the endpoint last showed of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) id: String,
    /// None after an answer without a body and after a failure: the object is read before it is compared (R05).
    pub(crate) seen: Option<Value>,
}

/// What is remembered of a user.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct UserMemory {
    /// The user as it was when last evaluated: the watermark.
    pub(crate) source: Option<User>,
    pub(crate) link: Option<Link>,
    /// The SCIM id that the endpoint has as manager: last shown or, since then, last acknowledged.
    pub(crate) manager: Option<String>,
    /// What the endpoint should show, by path. It outlives restarts, which is how values that became empty in the
    /// directory are still compared.
    pub(crate) ledger: BTreeMap<String, String>,
    /// Values that were sent since without a verdict, by path: the endpoint may show one of them.
    #[serde(default)]
    pub(crate) doubtful: BTreeMap<String, BTreeSet<String>>,
    /// Login names whose creation got no verdict: the user may exist under one of them.
    pub(crate) doubtful_names: BTreeSet<String>,
    /// The name under which the endpoint keeps the user's former account, since this evaluation.
    #[serde(skip)]
    pub(crate) left_behind: Option<String>,
}

impl UserMemory {
    /// Another account is linked than the one that was released: where that had kept an earlier name, because the new one got no
    /// verdict before the user left the scope, the job never comes to it again (it looks for names that users have now).
    pub(crate) fn leave_behind(&mut self, name: &str) {
        let released = self.ledger.get(&Place::Top("userName").path());
        self.left_behind = released
            .filter(|released| self.link.is_none() && released.to_lowercase() != name.to_lowercase())
            .cloned();
    }

    /// Takes a resource that the endpoint has just shown as the last answer.
    pub(crate) fn saw(&mut self, id: String, resource: Value) {
        self.manager = mapping::shown_manager(&resource);
        self.link = Some(Link {
            id,
            seen: Some(resource),
        });
    }

    /// The endpoint has no such resource any more.
    pub(crate) fn void_link(&mut self) {
        self.link = None;
        self.manager = None;
        self.ledger.clear();
        self.doubtful.clear();
    }

    /// Values were sent, and it is not known whether they were taken.
    pub(crate) fn doubt(&mut self, sent: BTreeMap<String, String>) {
        for (path, value) in sent {
            self.doubtful.entry(path).or_default().insert(value);
        }
    }

    /// Values were taken.
    pub(crate) fn flowed(&mut self, sent: BTreeMap<String, String>) {
        self.ledger.extend(sent);
        self.doubtful.clear();
    }

    /// Takes from the last answer which of the values without a verdict the endpoint has.
    pub(crate) fn resolve_doubt(&mut self, places: impl Iterator<Item = Place>) {
        let Some(seen) = self.link.as_ref().and_then(|link| link.seen.as_ref()) else {
            return;
        };
        for place in places {
            let (path, shown) = (place.path(), place.read(seen));
            let shown = shown.filter(|shown| self.doubtful.get(&path).is_some_and(|sent| sent.contains(shown)));
            self.ledger.extend(shown.map(|shown| (path, shown)));
        }
        self.doubtful.clear();
    }

    /// The last answer says nothing reliable any more.
    pub(crate) fn blur(&mut self) {
        if let Some(link) = &mut self.link {
            link.seen = None;
        }
    }
}

/// What is remembered of a group.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct GroupMemory {
    /// The name of the group when last evaluated.
    pub(crate) source: Option<String>,
    pub(crate) link: Option<Link>,
    /// The SCIM group that the two sets of members speak of.
    pub(crate) members_of: Option<String>,
    /// Members whose adding was acknowledged: directory id → the SCIM id that was sent.
    pub(crate) members: BTreeMap<String, String>,
    /// Members whose adding or removing got no verdict.
    pub(crate) doubtful: BTreeMap<String, String>,
    /// Names whose creation got no verdict.
    pub(crate) doubtful_names: BTreeSet<String>,
}

impl GroupMemory {
    /// Takes a resource that the endpoint has just shown as the last answer; another group than before starts
    /// without members of ours.
    pub(crate) fn saw(&mut self, id: String, resource: Value) {
        if self.members_of.as_ref() != Some(&id) {
            self.members.clear();
            self.doubtful.clear();
            self.members_of = Some(id.clone());
        }
        self.link = Some(Link {
            id,
            seen: Some(resource),
        });
    }

    pub(crate) fn void_link(&mut self) {
        self.link = None;
    }

    pub(crate) fn blur(&mut self) {
        if let Some(link) = &mut self.link {
            link.seen = None;
        }
    }

    pub(crate) fn forget_member(&mut self, object_id: &str) {
        self.members.remove(object_id);
        self.doubtful.remove(object_id);
    }

    /// Records what became of a member that was sent.
    pub(crate) fn settle_member(&mut self, object_id: &str, id: &str, added: bool, result: &Result<(), Failure>) {
        match result {
            Ok(()) => {
                self.forget_member(object_id);
                if added {
                    self.members.insert(object_id.to_owned(), id.to_owned());
                }
            }
            Err(failure) if failure.is_ambiguous() => {
                self.forget_member(object_id);
                self.doubtful.insert(object_id.to_owned(), id.to_owned());
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_without_a_verdict_are_neither_in_nor_out() {
        let mut group = GroupMemory::default();
        group.saw("g1".to_owned(), json!({}));
        group.settle_member("a", "u1", true, &Ok(()));
        group.settle_member("b", "u2", true, &Err(Failure::Timeout));
        group.settle_member("c", "u3", true, &Err(Failure::Conflict(String::new())));
        assert_eq!(group.members.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(group.doubtful.keys().collect::<Vec<_>>(), ["b"]);
        group.settle_member("a", "u1", false, &Err(Failure::Connection(String::new())));
        group.settle_member("b", "u2", false, &Ok(()));
        assert!(group.members.is_empty());
        assert_eq!(group.doubtful.keys().collect::<Vec<_>>(), ["a"]);
        // The same group after a restart keeps what was sent; another one starts empty.
        group.void_link();
        group.saw("g1".to_owned(), json!({}));
        assert_eq!(group.doubtful.len(), 1);
        group.saw("g2".to_owned(), json!({}));
        assert!(group.doubtful.is_empty());
    }

    #[test]
    fn an_answer_tells_who_the_manager_is() {
        let mut user = UserMemory::default();
        user.saw(
            "u1".to_owned(),
            json!({mapping::ENTERPRISE_URN: {"manager": {"value": "m1"}}}),
        );
        assert_eq!(user.manager.as_deref(), Some("m1"));
        user.saw("u1".to_owned(), json!({}));
        assert_eq!(user.manager, None);
    }
}
