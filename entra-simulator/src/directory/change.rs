//! What random days do to a directory: hires, moves, renames, leavers, restores, purges, and changes of groups.
//!
//! One round touches a user at most once, so that what Entra sends for the round is what the round did. Rules of
//! real directories that matter later: only what lies in the bin is purged, attributes of people who left stay as
//! they were, and no name is given twice.

use std::collections::BTreeSet;

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

use super::{Directory, User, names};

/// How many of each change one round makes; fewer happen where the directory has nobody left to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Churn {
    /// New users.
    pub hires: usize,
    /// Users whose title, department, phone, address or manager changes; some lose their manager or a value.
    pub moves: usize,
    /// Users who get a new family name, login name, display name and mail address.
    pub renames: usize,
    /// Users who are blocked, unassigned or put into the bin.
    pub leavers: usize,
    /// Users who come back.
    pub restores: usize,
    /// Users who are removed from the bin for good.
    pub purges: usize,
    /// New groups.
    pub new_groups: usize,
    /// Groups that get another name.
    pub group_renames: usize,
    /// Groups that are deleted.
    pub group_deletions: usize,
    /// Groups that gain and lose members.
    pub membership_changes: usize,
}

impl Churn {
    /// A busy day of a directory of this size.
    pub fn for_size(users: usize, groups: usize) -> Self {
        let of_users = |share: usize| {
            if users < 10 {
                users.min(1)
            } else {
                (users / share).max(1)
            }
        };
        Self {
            hires: of_users(40),
            moves: of_users(15),
            renames: of_users(50),
            leavers: of_users(30),
            restores: of_users(60),
            purges: of_users(80),
            new_groups: groups.div_ceil(25),
            group_renames: groups.div_ceil(20),
            group_deletions: groups / 20 + usize::from((4..20).contains(&groups)),
            membership_changes: groups.div_ceil(5),
        }
    }
}

impl Directory {
    /// Makes one round of random changes; returns a line for each, for a person to read.
    pub fn change(&mut self, rng: &mut StdRng, churn: &Churn) -> Vec<String> {
        let mut round = Round {
            touched: BTreeSet::new(),
            lines: Vec::new(),
        };
        // Purges first: what leaves in this round is still in the bin at its end.
        round.repeat(churn.purges, |round| self.purge(rng, round));
        round.repeat(churn.restores, |round| self.restore(rng, round));
        round.repeat(churn.leavers, |round| self.leave(rng, round));
        round.repeat(churn.renames, |round| self.rename(rng, round));
        round.repeat(churn.moves, |round| self.relocate(rng, round));
        round.repeat(churn.hires, |round| self.hire(rng, round));
        round.repeat(churn.group_deletions, |round| self.delete_group(rng, round));
        round.repeat(churn.group_renames, |round| self.rename_group(rng, round));
        round.repeat(churn.membership_changes, |round| self.change_members(rng, round));
        round.repeat(churn.new_groups, |round| self.create_group(rng, round));
        round.lines
    }

    /// Removes a user for good, with every reference to it, as Entra does.
    pub fn purge_user(&mut self, object_id: &str) -> Option<User> {
        let purged = self.users.remove(object_id)?;
        for user in self
            .users
            .values_mut()
            .filter(|user| user.manager.as_deref() == Some(object_id))
        {
            user.manager = None;
        }
        for group in self.groups.values_mut() {
            group.members.remove(object_id);
        }
        Some(purged)
    }

    fn purge(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let id = self.pick_user(rng, round, |user| user.soft_deleted && user.assigned)?;
        let user = self.purge_user(&id)?;
        Some(format!("purged {}", user.user_principal_name))
    }

    fn restore(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let id = self.pick_user(rng, round, |user| !user.is_active())?;
        let user = self.users.get_mut(&id)?;
        (user.account_enabled, user.soft_deleted, user.assigned) = (true, false, true);
        Some(format!("restored {}", user.user_principal_name))
    }

    fn leave(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let id = self.pick_user(rng, round, User::is_active)?;
        let user = self.users.get_mut(&id)?;
        let how = match rng.random_range(0..3) {
            0 => {
                user.account_enabled = false;
                "blocked"
            }
            1 => {
                user.assigned = false;
                "unassigned"
            }
            _ => {
                user.soft_deleted = true;
                "put into the bin"
            }
        };
        Some(format!("{how} {}", user.user_principal_name))
    }

    fn rename(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let id = self.pick_user(rng, round, User::is_active)?;
        let (surname, ascii) = names::surname(rng);
        let old = self.users.get(&id)?.user_principal_name.clone();
        let given = old.split(['.', '@']).next().unwrap_or("x");
        let domain = self.domain.clone();
        let local = self.free_name(&format!("{given}.{ascii}"), &domain);
        let user = self.users.get_mut(&id)?;
        user.surname = surname.to_owned();
        user.display_name = format!("{} {surname}", user.given_name);
        user.user_principal_name = format!("{local}@{domain}");
        if user.mail.is_some() {
            user.mail = Some(user.user_principal_name.clone());
        }
        Some(format!("renamed {old} to {}", user.user_principal_name))
    }

    fn relocate(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let id = self.pick_user(rng, round, User::is_active)?;
        let kind = rng.random_range(0..6);
        if kind == 0 {
            let active: Vec<String> = self
                .users
                .values()
                .filter(|u| u.is_active())
                .map(|u| u.object_id.clone())
                .collect();
            let manager = active.choose(rng)?.clone();
            if self.reports_to(&manager, &id) {
                return None;
            }
            self.users.get_mut(&id)?.manager = Some(manager);
        }
        let user = self.users.get_mut(&id)?;
        let what = match kind {
            0 => "new manager for",
            1 => {
                user.manager = None;
                "no manager any more for"
            }
            2 => {
                // Emptied values do not flow: SCIM keeps what it has.
                if rng.random_bool(0.5) {
                    user.mobile = None;
                } else {
                    user.job_title = None;
                }
                "emptied a value of"
            }
            3 => {
                user.telephone_number = Some(names::phone(rng));
                user.mobile = Some(names::phone(rng));
                "new phones for"
            }
            4 => {
                user.office = Some(names::office(rng));
                user.street_address = Some(names::street(rng));
                user.city = Some(names::city(rng));
                user.postal_code = Some(names::postal_code(rng));
                user.preferred_language = Some(names::language(rng));
                "new office for"
            }
            _ => {
                user.job_title = Some(names::title(rng));
                user.department = Some(names::department(rng));
                "new job for"
            }
        };
        Some(format!("{what} {}", user.user_principal_name))
    }

    fn hire(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let mut user = self.new_user(rng);
        let others: Vec<&User> = self.users.values().filter(|other| other.is_active()).collect();
        user.manager = others.choose(rng).map(|manager| manager.object_id.clone());
        let line = format!("hired {}", user.user_principal_name);
        round.touched.insert(user.object_id.clone());
        let groups: Vec<String> = self.groups.keys().cloned().collect();
        if let Some(group) = groups.choose(rng).and_then(|id| self.groups.get_mut(id)) {
            group.members.insert(user.object_id.clone());
        }
        self.users.insert(user.object_id.clone(), user);
        Some(line)
    }

    fn delete_group(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let id = self.pick_group(rng, round)?;
        Some(format!("deleted group {}", self.groups.remove(&id)?.display_name))
    }

    fn rename_group(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let id = self.pick_group(rng, round)?;
        let name = self.free_group_name(rng);
        let group = self.groups.get_mut(&id)?;
        let line = format!("renamed group {} to {name}", group.display_name);
        group.display_name = name;
        Some(line)
    }

    fn change_members(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let id = self.pick_group(rng, round)?;
        let active: Vec<String> = self
            .users
            .values()
            .filter(|u| u.is_active())
            .map(|u| u.object_id.clone())
            .collect();
        let group = self.groups.get_mut(&id)?;
        let inside: Vec<String> = active
            .iter()
            .filter(|id| group.members.contains(*id))
            .cloned()
            .collect();
        let outside: Vec<String> = active
            .iter()
            .filter(|id| !group.members.contains(*id))
            .cloned()
            .collect();
        let leave: Vec<&String> = inside.choose_multiple(rng, 1 + inside.len() / 5).collect();
        let join: Vec<&String> = outside.choose_multiple(rng, 1 + inside.len() / 5).collect();
        group.members.retain(|member| !leave.contains(&member));
        group.members.extend(join.iter().copied().cloned());
        Some(format!(
            "group {}: {} joined, {} left",
            group.display_name,
            join.len(),
            leave.len()
        ))
    }

    fn create_group(&mut self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let group = self.new_group(rng);
        let line = format!("created group {}", group.display_name);
        round.touched.insert(group.object_id.clone());
        self.groups.insert(group.object_id.clone(), group);
        Some(line)
    }

    fn pick_user(&self, rng: &mut StdRng, round: &mut Round, fits: impl Fn(&User) -> bool) -> Option<String> {
        let free: Vec<&User> = self
            .users
            .values()
            .filter(|user| fits(user) && !round.touched.contains(&user.object_id))
            .collect();
        let id = free.choose(rng)?.object_id.clone();
        round.touched.insert(id.clone());
        Some(id)
    }

    fn pick_group(&self, rng: &mut StdRng, round: &mut Round) -> Option<String> {
        let free: Vec<&String> = self.groups.keys().filter(|id| !round.touched.contains(*id)).collect();
        let id = (*free.choose(rng)?).clone();
        round.touched.insert(id.clone());
        Some(id)
    }
}

/// What one round has done so far.
struct Round {
    touched: BTreeSet<String>,
    lines: Vec<String>,
}

impl Round {
    fn repeat(&mut self, times: usize, mut change: impl FnMut(&mut Self) -> Option<String>) {
        for _ in 0..times {
            if let Some(line) = change(self) {
                self.lines.push(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_kind_of_change_happens_and_counts_as_asked() {
        let mut directory = Directory::generate(11, 200, 20);
        let mut lines = Vec::new();
        for _ in 0..6 {
            lines.extend(directory.advance());
        }
        for start in [
            "hired",
            "blocked",
            "unassigned",
            "put into the bin",
            "restored",
            "purged",
            "renamed group",
            "deleted group",
            "created group",
            "new manager",
            "no manager",
            "emptied",
            "new phones",
            "new office",
            "new job",
            "group ",
        ] {
            assert!(
                lines.iter().any(|line| line.starts_with(start)),
                "no line starts with {start:?}"
            );
        }
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("renamed ") && line.contains('@'))
        );

        let before = directory.users.len();
        let lines = directory.change(
            &mut StdRng::seed_from_u64(1),
            &Churn {
                hires: 4,
                ..Churn::default()
            },
        );
        assert_eq!((lines.len(), directory.users.len()), (4, before + 4));
    }

    #[test]
    fn a_purge_takes_every_reference_along() {
        let mut directory = Directory::generate(5, 50, 5);
        let manager = directory
            .users
            .values()
            .find_map(|user| user.manager.clone())
            .expect("somebody has a manager");
        directory.groups.values_mut().for_each(|group| {
            group.members.insert(manager.clone());
        });
        directory.purge_user(&manager).expect("the manager was there");
        assert!(
            directory
                .users
                .values()
                .all(|user| user.manager.as_ref() != Some(&manager))
        );
        assert!(directory.groups.values().all(|group| !group.members.contains(&manager)));
        assert_eq!(directory.purge_user(&manager), None);
    }
}
