//! The made-up Entra directory: users with managers, groups with members, and what random days do to them.
//!
//! Everything follows from the seed and the number of rounds, so a later process can build the same directory again.
//! Nothing here knows SCIM; the mapping reads these fields.

mod change;
pub(crate) mod names;

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};

pub use change::Churn;
use names::Person;

/// A user object of the simulated directory, with the attributes that Entra's default mapping reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Entra's own id of the user; it never changes.
    pub object_id: String,
    /// The login name, unique in the directory.
    pub user_principal_name: String,
    /// The mail alias, unique in the directory; the default mapping sends it as `externalId`.
    pub mail_nickname: String,
    /// The name that people read.
    pub display_name: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub surname: String,
    /// Work address.
    pub mail: Option<String>,
    /// Job title.
    pub job_title: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Number in the personnel system.
    pub employee_id: Option<String>,
    /// Work telephone.
    pub telephone_number: Option<String>,
    /// Mobile telephone.
    pub mobile: Option<String>,
    /// Fax number.
    pub facsimile: Option<String>,
    /// Office, the `formatted` part of the work address.
    pub office: Option<String>,
    /// Street and house number.
    pub street_address: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// Language tag such as `fr-CA`.
    pub preferred_language: Option<String>,
    /// False once an administrator has blocked the account.
    pub account_enabled: bool,
    /// True while the user lies in Entra's bin.
    pub soft_deleted: bool,
    /// False while the user is out of the provisioning job's scope.
    pub assigned: bool,
    /// Object id of the manager.
    pub manager: Option<String>,
}

impl User {
    /// Whether Entra wants the account to be usable: the four causes of `IsSoftDeleted` are all absent.
    pub fn is_active(&self) -> bool {
        self.account_enabled && !self.soft_deleted && self.assigned
    }
}

/// A group object of the simulated directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Entra's own id of the group; the default mapping sends it as `externalId`.
    pub object_id: String,
    /// Name, unique in the directory.
    pub display_name: String,
    /// Object ids of the members.
    pub members: BTreeSet<String>,
}

/// A whole directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Users by object id; a purged user is gone.
    pub users: BTreeMap<String, User>,
    /// Groups by object id.
    pub groups: BTreeMap<String, Group>,
    domain: String,
    seed: u64,
    rounds: u64,
    /// Names ever given, in lower case: neither a login name nor a group name is given twice.
    taken: BTreeSet<String>,
}

impl Directory {
    /// Makes a directory of the given sizes in the domain of the made-up company.
    pub fn generate(seed: u64, users: usize, groups: usize) -> Self {
        Self::generate_in(names::DOMAIN, seed, users, groups)
    }

    /// Makes a directory of the given sizes; the same arguments always give the same directory. Directories of different
    /// domains have no name in common, neither a login name nor a group's.
    pub fn generate_in(domain: &str, seed: u64, users: usize, groups: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut directory = Self {
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            domain: domain.to_lowercase(),
            seed,
            rounds: 0,
            taken: BTreeSet::new(),
        };
        for _ in 0..users {
            let user = directory.new_user(&mut rng);
            directory.users.insert(user.object_id.clone(), user);
        }
        // A few accounts were blocked before the job ever ran: Entra does not create those.
        for user in directory.users.values_mut() {
            user.account_enabled = !rng.random_bool(0.02);
        }
        directory.appoint_managers(&mut rng);
        for _ in 0..groups {
            let group = directory.new_group(&mut rng);
            directory.groups.insert(group.object_id.clone(), group);
        }
        directory
    }

    /// Lets one round of random changes happen, of a size that suits the directory. Deterministic: the n-th round
    /// of two directories with equal seed and sizes is the same.
    pub fn advance(&mut self) -> Vec<String> {
        self.rounds += 1;
        let mut rng = StdRng::seed_from_u64(self.seed ^ self.rounds.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let churn = Churn::for_size(self.users.len(), self.groups.len());
        self.change(&mut rng, &churn)
    }

    /// Gives nobody these names, which others have: a change to one of them would be refused.
    pub(crate) fn avoid<'n>(&mut self, names: impl IntoIterator<Item = &'n String>) {
        for name in names {
            let name = name.to_lowercase();
            self.taken.insert(format!("group:{name}"));
            self.taken.insert(name);
        }
    }

    /// How many rounds of changes have happened through [`Directory::advance`].
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// The user with this login name or, failing that, the only one with this display name.
    pub fn find_user(&self, name: &str) -> Option<&User> {
        let same = |text: &str| text.to_lowercase() == name.to_lowercase();
        self.users
            .values()
            .find(|user| same(&user.user_principal_name))
            .or_else(|| {
                let mut hits = self.users.values().filter(|user| same(&user.display_name));
                hits.next().filter(|_| hits.next().is_none())
            })
    }

    /// The group with this name.
    pub fn find_group(&self, name: &str) -> Option<&Group> {
        self.groups
            .values()
            .find(|group| group.display_name.to_lowercase() == name.to_lowercase())
    }

    /// A user like those of [`Directory::generate`], not yet in the directory; its names are reserved.
    pub fn new_user(&mut self, rng: &mut StdRng) -> User {
        let person = Person::random(rng);
        let domain = self.domain.clone();
        let local = self.free_name(&person.login(), &domain);
        let nickname = self.free_name(&person.nickname(), "nickname.invalid");
        let mail = match rng.random_range(0..20) {
            0 => None,
            1..=9 => Some(format!("{local}@{domain}")),
            _ => Some(format!("{nickname}@{domain}")),
        };
        let phone = names::phone(rng);
        User {
            object_id: random_id(rng),
            user_principal_name: format!("{local}@{domain}"),
            mail_nickname: nickname,
            display_name: person.display_name(),
            mail,
            job_title: sometimes(rng, 0.9, names::title),
            department: sometimes(rng, 0.9, names::department),
            employee_id: sometimes(rng, 0.8, |rng| format!("K-{:06}", rng.random_range(1..1_000_000))),
            mobile: sometimes(rng, 0.6, names::phone),
            facsimile: sometimes(rng, 0.1, names::phone),
            office: sometimes(rng, 0.7, names::office),
            street_address: sometimes(rng, 0.5, names::street),
            city: sometimes(rng, 0.6, names::city),
            state: sometimes(rng, 0.3, names::state),
            postal_code: sometimes(rng, 0.5, names::postal_code),
            country: sometimes(rng, 0.6, names::country),
            preferred_language: sometimes(rng, 0.7, names::language),
            telephone_number: rng.random_bool(0.8).then_some(phone),
            given_name: person.given,
            surname: person.surname,
            account_enabled: true,
            soft_deleted: false,
            assigned: true,
            manager: None,
        }
    }

    /// A group like those of [`Directory::generate`], not yet in the directory; its name is reserved.
    pub fn new_group(&mut self, rng: &mut StdRng) -> Group {
        let display_name = self.free_group_name(rng);
        let object_id = random_id(rng);
        let mut ids: Vec<&String> = self.users.keys().collect();
        ids.shuffle(rng);
        // Most groups are small, a few take in up to a third of the company.
        let (least, most) = (ids.len().min(3), (ids.len() / 3).max(ids.len().min(3)));
        let size = least + (rng.random::<f64>().powi(2) * (most - least + 1) as f64) as usize;
        Group {
            object_id,
            display_name,
            members: ids.into_iter().take(size.min(most)).cloned().collect(),
        }
    }

    /// Makes the managers a forest: everybody's manager stands before them in one random order, which has nothing to
    /// do with the order in which the job meets them.
    fn appoint_managers(&mut self, rng: &mut StdRng) {
        let mut order: Vec<String> = self.users.keys().cloned().collect();
        order.shuffle(rng);
        for place in 1..order.len() {
            if rng.random_bool(0.9) {
                let manager = order[rng.random_range(place.saturating_sub(40)..place)].clone();
                if let Some(user) = self.users.get_mut(&order[place]) {
                    user.manager = Some(manager);
                }
            }
        }
    }

    /// Whether `manager` stands at or above `user` already, so that a new line between them would close a circle.
    fn reports_to(&self, user: &str, manager: &str) -> bool {
        let mut above = Some(user);
        // The forest is no deeper than it has trees and leaves.
        for _ in 0..=self.users.len() {
            match above {
                None => return false,
                Some(id) if id == manager => return true,
                Some(id) => above = self.users.get(id).and_then(|user| user.manager.as_deref()),
            }
        }
        true
    }

    fn free_name(&mut self, wanted: &str, domain: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 1;
        while !self.taken.insert(format!("{name}@{domain}").to_lowercase()) {
            number += 1;
            name = format!("{wanted}{number}");
        }
        name
    }

    fn free_group_name(&mut self, rng: &mut StdRng) -> String {
        let mut wanted = names::group(rng);
        if self.domain != names::DOMAIN {
            wanted = format!("{wanted} ({})", self.domain);
        }
        let mut name = wanted.clone();
        let mut number = 1;
        while !self.taken.insert(format!("group:{}", name.to_lowercase())) {
            number += 1;
            name = format!("{wanted} {number}");
        }
        name
    }
}

fn random_id(rng: &mut StdRng) -> String {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string()
}

fn sometimes<T>(rng: &mut StdRng, probability: f64, make: impl FnOnce(&mut StdRng) -> T) -> Option<T> {
    rng.random_bool(probability).then(|| make(rng))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What must hold of every directory, whatever happened to it.
    pub(super) fn check(directory: &Directory) {
        let mut logins = BTreeSet::new();
        let mut nicknames = BTreeSet::new();
        for (id, user) in &directory.users {
            assert_eq!(id, &user.object_id);
            assert!(logins.insert(user.user_principal_name.to_lowercase()), "{user:?}");
            assert!(nicknames.insert(user.mail_nickname.to_lowercase()), "{user:?}");
            let mut seen = BTreeSet::from([id]);
            let mut above = user.manager.as_ref();
            while let Some(manager) = above {
                assert!(seen.insert(manager), "a circle of managers at {id}");
                above = directory.users.get(manager).expect("a manager exists").manager.as_ref();
            }
        }
        let mut names = BTreeSet::new();
        for (id, group) in &directory.groups {
            assert_eq!(id, &group.object_id);
            assert!(
                names.insert(group.display_name.to_lowercase()),
                "{}",
                group.display_name
            );
            assert!(group.members.iter().all(|member| directory.users.contains_key(member)));
        }
    }

    #[test]
    fn one_seed_gives_one_directory_and_another_gives_another() {
        let mut first = Directory::generate(7, 60, 6);
        let mut second = Directory::generate(7, 60, 6);
        assert_eq!(first, second);
        assert_eq!((first.advance(), first.advance()), (second.advance(), second.advance()));
        assert_eq!(first, second);
        assert_ne!(first.users, Directory::generate(8, 60, 6).users);
    }

    #[test]
    fn a_large_directory_has_all_that_makes_provisioning_hard() {
        let directory = Directory::generate(1, 1000, 50);
        assert_eq!((directory.users.len(), directory.groups.len()), (1000, 50));
        check(&directory);
        let users = || directory.users.values();
        assert!(users().any(|user| !user.display_name.is_ascii()));
        assert!(users().any(|user| user.user_principal_name.contains('\'')));
        assert!(users().any(|user| user.mail.is_none()));
        assert!(users().any(|user| !user.account_enabled));
        assert!(
            users().any(|user| user.manager.as_ref() > Some(&user.object_id)),
            "a manager met after the report"
        );
        let largest = directory.groups.values().map(|group| group.members.len()).max();
        let smallest = directory.groups.values().map(|group| group.members.len()).min();
        assert!(largest <= Some(333) && largest > Some(100), "{largest:?}");
        assert!(smallest >= Some(3) && smallest < Some(20), "{smallest:?}");
    }

    #[test]
    fn users_are_found_by_either_name_and_an_ambiguous_display_name_is_not_guessed() {
        let mut directory = Directory::generate(3, 10, 2);
        let user = directory.users.values().next().cloned().expect("ten users");
        assert_eq!(
            directory.find_user(&user.user_principal_name.to_uppercase()),
            Some(&user)
        );
        for other in directory.users.values_mut() {
            other.display_name = "Sam Same".to_owned();
        }
        assert_eq!(directory.find_user("sam same"), None);
        let group = directory.groups.values().next().cloned().expect("two groups");
        assert_eq!(directory.find_group(&group.display_name.to_uppercase()), Some(&group));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn every_round_keeps_the_directory_sound(seed: u64, users in 0usize..80, groups in 0usize..12) {
            let mut directory = Directory::generate(seed, users, groups);
            check(&directory);
            for _ in 0..6 {
                directory.advance();
                check(&directory);
            }
        }
    }
}
