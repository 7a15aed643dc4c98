//! The tenant as it stands: users, groups and memberships, with an index for each exact look-up.
//! The only way to change it is [`State::apply`], with the same operations that the journal keeps, so what is
//! loaded is what was. It knows no rule of the API and no HTTP.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::records::{Group, Kind, Member, User, fold};

/// One operation on the state: what is applied, and what the journal keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    /// The account is now this.
    User(#[serde(with = "shared")] Arc<User>),
    /// The account is gone, also from every group.
    UserGone(String),
    /// The group is now called this; its members stay.
    Group {
        /// The group's id.
        id: String,
        /// Its name.
        name: String,
        /// Its description.
        description: String,
        /// Whether the tenant came with it.
        built_in: bool,
    },
    /// The group is gone, also from every other group.
    GroupGone(String),
    /// Members came and went.
    Members {
        /// The group's id.
        group: String,
        /// Who came.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        add: Vec<Member>,
        /// Who went.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remove: Vec<Member>,
    },
    /// So many edits without an id have hit the caller by now.
    CallerEdits(u64),
    /// Everything is gone.
    Clear,
}

/// All accounts and groups, with their indexes.
#[derive(Debug, Default)]
pub(crate) struct State {
    users: BTreeMap<String, Arc<User>>,
    /// By login name, and whether the account is of another directory.
    user_names: BTreeMap<(String, bool), String>,
    groups: BTreeMap<String, Arc<Group>>,
    group_names: BTreeMap<String, String>,
    groups_of: HashMap<String, BTreeSet<String>>,
    /// How often `ChangeUser` came without an id and edited the caller.
    pub(crate) caller_edits: u64,
}

impl State {
    /// The account with this id.
    pub(crate) fn user(&self, id: &str) -> Option<&Arc<User>> {
        self.users.get(&fold(id))
    }

    /// The account with this login name: the local one, where a federated one has it too.
    pub(crate) fn user_named(&self, name: &str) -> Option<&Arc<User>> {
        self.namesake(name, true).or_else(|| self.namesake(name, false))
    }

    /// The local or the federated account with this login name.
    pub(crate) fn namesake(&self, name: &str, local: bool) -> Option<&Arc<User>> {
        let id = self.user_names.get(&(fold(name), !local))?;
        self.users.get(id)
    }

    /// All accounts, by id.
    pub(crate) fn users(&self) -> impl ExactSizeIterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// All accounts with their folded login name, by name.
    pub(crate) fn users_by_name(&self) -> impl Iterator<Item = (&str, &Arc<User>)> {
        self.user_names
            .iter()
            .filter_map(|((name, _), id)| Some((name.as_str(), self.users.get(id)?)))
    }

    /// The group with this id.
    pub(crate) fn group(&self, id: &str) -> Option<&Arc<Group>> {
        self.groups.get(&fold(id))
    }

    /// The group with this name.
    pub(crate) fn group_named(&self, name: &str) -> Option<&Arc<Group>> {
        self.group_names.get(&fold(name)).and_then(|id| self.groups.get(id))
    }

    /// All groups, by id.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = &Arc<Group>> {
        self.groups.values()
    }

    /// All groups with their folded name, by name.
    pub(crate) fn groups_by_name(&self) -> impl Iterator<Item = (&str, &Arc<Group>)> {
        self.group_names
            .iter()
            .filter_map(|(name, id)| Some((name.as_str(), self.groups.get(id)?)))
    }

    /// The groups that the principal with this id is in directly.
    pub(crate) fn groups_of(&self, id: &str) -> impl Iterator<Item = &Arc<Group>> {
        self.groups_of
            .get(&fold(id))
            .into_iter()
            .flatten()
            .filter_map(|group| self.groups.get(group))
    }

    /// Applies one operation. An operation on something that is not there changes nothing.
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::User(user) => self.put_user(user),
            Op::UserGone(id) => self.drop_user(&fold(id)),
            Op::Group {
                id,
                name,
                description,
                built_in,
            } => self.put_group(id, name, description, *built_in),
            Op::GroupGone(id) => self.drop_group(&fold(id)),
            Op::Members { group, add, remove } => self.change_members(&fold(group), add, remove),
            Op::CallerEdits(n) => self.caller_edits = *n,
            Op::Clear => *self = Self::default(),
        }
    }

    /// The operations that make an empty state into this one, in bounded portions.
    pub(crate) fn snapshot(&self) -> impl Iterator<Item = Op> {
        const PORTION: usize = 1000;
        let users = self.users.values().cloned().map(Op::User);
        let groups = self.groups.values().map(|group| Op::Group {
            id: group.id.clone(),
            name: group.name.clone(),
            description: group.description.clone(),
            built_in: group.built_in,
        });
        let members = self.groups.values().flat_map(|group| {
            let members: Vec<_> = group.members.iter().cloned().collect();
            let portions: Vec<_> = members.chunks(PORTION).map(<[Member]>::to_vec).collect();
            portions.into_iter().map(|add| Op::Members {
                group: group.id.clone(),
                add,
                remove: Vec::new(),
            })
        });
        users
            .chain(groups)
            .chain(members)
            .chain([Op::CallerEdits(self.caller_edits)])
    }

    fn put_user(&mut self, user: &Arc<User>) {
        let key = fold(&user.id);
        if let Some(old) = self.users.insert(key.clone(), Arc::clone(user)) {
            self.user_names.remove(&name_key(&old));
        }
        self.user_names.insert(name_key(user), key);
    }

    fn drop_user(&mut self, key: &str) {
        if let Some(user) = self.users.remove(key) {
            self.user_names.remove(&name_key(&user));
            self.leave_all(
                key,
                &Member {
                    guid: user.id.clone(),
                    kind: Kind::User,
                },
            );
        }
    }

    fn put_group(&mut self, id: &str, name: &str, description: &str, built_in: bool) {
        let key = fold(id);
        let mut members = BTreeSet::new();
        if let Some(old) = self.groups.remove(&key) {
            self.group_names.remove(&fold(&old.name));
            members = Arc::unwrap_or_clone(old).members;
        }
        self.group_names.insert(fold(name), key.clone());
        let group = Group {
            id: id.into(),
            name: name.into(),
            description: description.into(),
            built_in,
            members,
        };
        self.groups.insert(key, Arc::new(group));
    }

    fn drop_group(&mut self, key: &str) {
        let Some(group) = self.groups.remove(key) else { return };
        self.group_names.remove(&fold(&group.name));
        for member in &group.members {
            self.unlink(&fold(&member.guid), key);
        }
        self.leave_all(
            key,
            &Member {
                guid: group.id.clone(),
                kind: Kind::Role,
            },
        );
    }

    fn change_members(&mut self, key: &str, add: &[Member], remove: &[Member]) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let group = Arc::make_mut(group);
        let gone: Vec<_> = remove.iter().filter(|member| group.members.remove(member)).collect();
        for member in add {
            group.members.insert(member.clone());
            self.groups_of
                .entry(fold(&member.guid))
                .or_default()
                .insert(key.to_owned());
        }
        for member in gone.into_iter().filter(|member| !add.contains(member)) {
            self.unlink(&fold(&member.guid), key);
        }
    }

    fn leave_all(&mut self, principal: &str, member: &Member) {
        for key in self.groups_of.remove(principal).unwrap_or_default() {
            if let Some(group) = self.groups.get_mut(&key) {
                Arc::make_mut(group).members.remove(member);
            }
        }
    }

    fn unlink(&mut self, principal: &str, group: &str) {
        if let Some(groups) = self.groups_of.get_mut(principal) {
            groups.remove(group);
            if groups.is_empty() {
                self.groups_of.remove(principal);
            }
        }
    }
}

fn name_key(user: &User) -> (String, bool) {
    (fold(&user.name), !user.is_local())
}

/// An account behind a shared pointer is written as the account itself.
mod shared {
    use super::{Arc, Deserialize, Serialize, User};

    pub(super) fn serialize<S: serde::Serializer>(user: &Arc<User>, to: S) -> Result<S::Ok, S::Error> {
        User::serialize(user, to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Arc<User>, D::Error> {
        User::deserialize(from).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str, name: &str) -> Op {
        Op::User(Arc::new(User {
            id: id.into(),
            name: name.into(),
            ..User::default()
        }))
    }

    fn group(id: &str, name: &str) -> Op {
        Op::Group {
            id: id.into(),
            name: name.into(),
            description: String::new(),
            built_in: false,
        }
    }

    fn join(group: &str, guid: &str, kind: Kind) -> Op {
        Op::Members {
            group: group.into(),
            add: vec![Member {
                guid: guid.into(),
                kind,
            }],
            remove: Vec::new(),
        }
    }

    fn state(ops: &[Op]) -> State {
        let mut state = State::default();
        ops.iter().for_each(|op| state.apply(op));
        state
    }

    #[test]
    fn a_rename_frees_the_old_name_and_a_change_of_letter_case_keeps_it() {
        let mut state = state(&[user("1", "Ada@x"), user("1", "ADA@x")]);
        assert_eq!(state.user_named("ada@X").unwrap().name, "ADA@x");
        state.apply(&user("1", "lovelace@x"));
        assert!(state.user_named("ada@x").is_none());
        assert_eq!(state.user_named("lovelace@x").unwrap().id, "1");
    }

    #[test]
    fn who_is_gone_is_in_no_group() {
        let ops = [
            user("U1", "a@x"),
            group("g", "G"),
            group("h", "H"),
            join("g", "U1", Kind::User),
        ];
        let mut state = state(&ops);
        state.apply(&join("g", "h", Kind::Role));
        assert_eq!(state.groups_of("u1").count(), 1);
        state.apply(&Op::UserGone("u1".into()));
        state.apply(&Op::GroupGone("H".into()));
        assert!(state.group("g").unwrap().members.is_empty());
        assert_eq!(state.groups_of("u1").count() + state.groups_of("h").count(), 0);
    }

    #[test]
    fn a_snapshot_makes_the_same_state() {
        let mut ops = vec![group("g", "G"), Op::CallerEdits(3)];
        for n in 0..2500 {
            ops.push(user(&format!("u{n}"), &format!("{n}@x")));
            ops.push(join("g", &format!("u{n}"), Kind::User));
        }
        ops.push(Op::UserGone("u7".into()));
        let before = state(&ops);
        let after = state(&before.snapshot().collect::<Vec<_>>());
        assert_eq!(after.users, before.users);
        assert_eq!(after.groups, before.groups);
        assert_eq!(after.user_names, before.user_names);
        assert_eq!(after.groups_of, before.groups_of);
        assert_eq!(after.caller_edits, 3);
    }
}
