//! Directories of several tenants that have as much in common as two companies could by accident, and more: they begin with the same
//! people and groups, by all their ids and names, and hire and found some of the same; in between each goes its own way. So
//! nothing but the tenant tells one's from the other's. To see where something comes from, each tenant's users carry its mark in
//! their display names.

use std::collections::BTreeSet;

use entra_simulator::{Churn, Directory};
use rand::{SeedableRng, rngs::StdRng};

use crate::tenant::{MEMBERS, Names};

/// How many people both hire in a round.
const HIRES: usize = 2;

/// What makes a tenant one among several.
#[derive(Debug)]
pub(crate) struct Neighbours {
    seed: u64,
    nth: u64,
    rounds: u64,
    /// What stands in the display name of each of its users, and of nobody else's.
    mark: String,
}

impl Neighbours {
    /// For the tenant with that place and name.
    pub(crate) fn of(seed: u64, nth: usize, name: &str) -> Self {
        Self {
            seed,
            nth: nth as u64,
            rounds: 0,
            mark: mark(name),
        }
    }

    /// Marks whoever has no mark yet.
    pub(crate) fn mark(&self, directory: &mut Directory) {
        for user in directory.users.values_mut() {
            if !user.display_name.contains(&self.mark) {
                user.display_name = format!("{} {}", user.display_name, self.mark);
            }
        }
    }

    /// One round of changes: the tenant's own, and what all do.
    pub(crate) fn advance(&mut self, directory: &mut Directory) -> Vec<String> {
        self.rounds += 1;
        let of_all = self.seed ^ self.rounds.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut own = StdRng::seed_from_u64(of_all ^ (self.nth + 1).wrapping_mul(0xD1B5_4A32_D192_ED03));
        let churn = Churn::for_size(directory.users.len(), directory.groups.len());
        let mut lines = directory.change(&mut own, &churn);
        let mut joint = StdRng::seed_from_u64(of_all);
        for _ in 0..HIRES {
            let user = directory.new_user(&mut joint);
            lines.push(format!("hired {}, as all tenants did", user.user_principal_name));
            directory.users.insert(user.object_id.clone(), user);
        }
        // Last: how much chance it takes depends on who is there.
        let mut group = directory.new_group(&mut joint);
        group.members = group.members.into_iter().take(MEMBERS).collect();
        lines.push(format!("founded {}, as all tenants did", group.display_name));
        directory.groups.insert(group.object_id.clone(), group);
        self.mark(directory);
        lines
    }
}

/// The mark of the tenant of that name.
pub(crate) fn mark(tenant: &str) -> String {
    format!("[{tenant}]")
}

/// How many login names and names of groups two tenants have in common, of all that they ever had.
pub(crate) fn in_common(one: &Names, other: &Names) -> usize {
    let of = |names: &Names| -> BTreeSet<String> { names.users.keys().chain(names.groups.keys()).cloned().collect() };
    of(one).intersection(&of(other)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By login name: object id, mail nickname.
    fn people(directory: &Directory) -> BTreeSet<[&str; 3]> {
        let users = directory.users.values();
        users
            .map(|user| [&user.user_principal_name, &user.mail_nickname, &user.object_id].map(String::as_str))
            .collect()
    }

    fn groups(directory: &Directory) -> BTreeSet<[&str; 2]> {
        let groups = directory.groups.values();
        groups
            .map(|group| [&group.display_name, &group.object_id].map(String::as_str))
            .collect()
    }

    #[test]
    fn two_tenants_share_names_and_ids_and_go_their_own_ways() {
        let mut directories = [0, 1].map(|_| Directory::generate(7, 60, 8));
        let mut tenants = [(0, "kestrel"), (1, "merlin")].map(|(nth, name)| Neighbours::of(7, nth, name));
        for (tenant, directory) in tenants.iter().zip(&mut directories) {
            tenant.mark(directory);
        }
        let [one, other] = &directories;
        assert_eq!((people(one), groups(one)), (people(other), groups(other)));
        let before = people(one).len();
        for _ in 0..5 {
            for (tenant, directory) in tenants.iter_mut().zip(&mut directories) {
                tenant.advance(directory);
            }
        }
        let [one, other] = &directories;
        let (people, groups) = ([people(one), people(other)], [groups(one), groups(other)]);
        let shared_people: Vec<_> = people[0].intersection(&people[1]).collect();
        let shared_groups: Vec<_> = groups[0].intersection(&groups[1]).collect();
        assert!(shared_people.len() > before / 2, "{}", shared_people.len());
        // Names go first: a group that one of them has renamed is the same no more.
        assert!(shared_groups.len() > 1, "{}", shared_groups.len());
        assert!(shared_people.len() < people[0].len() && shared_groups.len() < groups[0].len());
        for (directory, name) in directories.iter().zip(["kestrel", "merlin"]) {
            let marked = |user: &entra_simulator::User| user.display_name.matches(&mark(name)).count() == 1;
            assert!(directory.users.values().all(marked));
        }
        assert_ne!(one.users, other.users);
    }
}
