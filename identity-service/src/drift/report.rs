//! What a comparison found. It names resources and attributes, and no value of any.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{self, ResourceId};

/// How many differences are kept; those beyond are counted.
const MOST_DIFFERENCES: usize = 10_000;
/// How many alarms are kept: each group may raise one.
const MOST_ALARMS: usize = 100;
/// How many foreign members of a group are named.
pub(super) const MOST_FOREIGN: usize = 10;

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// These attributes have other values than were applied.
    Changed(Vec<&'static str>),
    /// The object is not listed any more.
    Gone,
    /// A member was taken out.
    MemberMissing(ResourceId),
    /// An account of ours was put in.
    MemberExtra(ResourceId),
    /// So many members are not ours; how many of them were taken out; some of their Platform ids.
    ForeignMembers(u64, u64, Vec<String>),
}

/// One difference between what was applied and what the Platform holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub kind: Kind,
    /// Of a user or a group.
    pub of: id::Kind,
    /// The resource or tombstone.
    pub id: ResourceId,
    /// Its object on the Platform.
    pub platform_id: String,
    /// Whether the delivery that sets it right is due.
    pub repaired: bool,
}

/// So much differs that the list itself is to be doubted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Which list: of users, of groups; or of a group's members.
    pub kind: id::Kind,
    /// The group, where its members are meant.
    pub group: Option<ResourceId>,
    /// What the list should have.
    pub linked: u64,
    /// What of that it does not have.
    pub missing: u64,
    /// The members that a group should not have.
    pub extra: u64,
}

/// How much was compared, and how much of each kind was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Accounts that were compared.
    pub users: u64,
    /// Groups that were compared.
    pub groups: u64,
    /// Memberships on the Platform that were compared.
    pub members: u64,
    /// Resources that were not compared: something of them is or was to be delivered.
    pub skipped: u64,
    /// Groups whose members are not told, and resources that cannot be delivered as the settings are.
    pub unreadable: u64,
    /// Accounts that are not ours.
    pub unmanaged_users: u64,
    /// Groups that are not ours.
    pub unmanaged_groups: u64,
    /// Objects with other values.
    pub changed: u64,
    /// Objects that are not listed any more.
    pub gone: u64,
    /// Members that were taken out.
    pub members_missing: u64,
    /// Accounts of ours that were put into groups.
    pub members_extra: u64,
    /// Members that are not ours.
    pub foreign_members: u64,
    /// Of those, how many were taken out.
    pub foreign_removed: u64,
    /// Differences whose repair is due, but for members that are not ours.
    pub repaired: u64,
}

impl Counts {
    /// How many differences there are, of whatever kind.
    pub fn differences(&self) -> u64 {
        self.changed + self.gone + self.members_missing + self.members_extra + self.foreign_members
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Why it ended before everything was compared.
    pub failure: Option<String>,
    /// Whether differences were to be repaired.
    pub repairs: bool,
    /// Whether members that are not ours were to be taken out, where differences are repaired.
    #[serde(default)]
    pub removes_foreign: bool,
    /// How much was found.
    pub counts: Counts,
    /// Lists that are not believed.
    pub alarms: Vec<Alarm>,
    /// The differences, up to a number; only in the process that compared.
    #[serde(skip)]
    pub differences: Vec<Difference>,
    /// How many there were beyond that.
    pub not_kept: u64,
    /// Since when a list of users or groups is not believed, so that no account and no group is removed.
    #[serde(default)]
    pub doubted_since: Option<Timestamp>,
}

impl Report {
    pub(super) fn new(started: Timestamp, repairs: bool, removes_foreign: bool) -> Self {
        Self {
            started,
            finished: None,
            failure: None,
            repairs,
            removes_foreign,
            counts: Counts::default(),
            alarms: Vec::new(),
            differences: Vec::new(),
            not_kept: 0,
            doubted_since: None,
        }
    }

    pub(super) fn note(&mut self, difference: &Difference) {
        let counts = &mut self.counts;
        match &difference.kind {
            Kind::Changed(_) => counts.changed += 1,
            Kind::Gone => counts.gone += 1,
            Kind::MemberMissing(_) => counts.members_missing += 1,
            Kind::MemberExtra(_) => counts.members_extra += 1,
            Kind::ForeignMembers(count, removed, _) => {
                counts.foreign_members += count;
                counts.foreign_removed += removed;
            }
        }
        let is_foreign = matches!(difference.kind, Kind::ForeignMembers(..));
        counts.repaired += u64::from(difference.repaired && !is_foreign);
        if self.differences.len() < MOST_DIFFERENCES {
            self.differences.push(difference.clone());
        } else {
            self.not_kept += 1;
        }
    }

    pub(super) fn raise(&mut self, alarm: Alarm) {
        if self.alarms.len() < MOST_ALARMS {
            self.alarms.push(alarm);
        }
    }
}

impl Report {
    /// Ends it: whether lists are doubted, also on account of what was found `before`. Only a comparison that came to its end, and a
    /// person who repairs despite the alarm, take a doubt back.
    pub(super) fn end(&mut self, now: Timestamp, despite_alarm: bool, before: Option<Timestamp>) {
        self.finished = Some(now);
        let raised = self.alarms.iter().any(|alarm| alarm.group.is_none());
        let is_whole = self.failure.is_none();
        self.doubted_since = match (raised, is_whole) {
            (_, true) if despite_alarm => None,
            (false, true) => None,
            (true, _) => before.or(Some(now)),
            (false, false) => before,
        };
    }
}

/// How many of all users or groups must be missing, at least, to raise an alarm.
pub(super) const MANY: u64 = 5;
/// The same of one group's members: a group is small, and changed by hand, more often.
pub(super) const MANY_MEMBERS: u64 = 20;

/// Whether more than that share of a list differs, in percent, and at least so many, so that it is not believed.
pub(super) fn is_sharp(differing: u64, of: u64, many: u64, share: u64) -> bool {
    differing >= many && differing.saturating_mul(100) > of.saturating_mul(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_for_many_and_for_a_large_share() {
        for (differing, of, sharp) in [
            (0, 0, false),
            (19, 19, false),
            (20, 20, true),
            (20, 99, true),
            (20, 100, false),
            (21, 100, true),
            (200, 1_000, false),
            (201, 1_000, true),
        ] {
            assert_eq!(is_sharp(differing, of, 20, 20), sharp, "{differing} of {of}");
        }
        assert!(is_sharp(5, 5, MANY, 20) && !is_sharp(4, 4, MANY, 20) && !is_sharp(5, 25, MANY, 20));
        for (differing, share, sharp) in [
            (5, 0, true),
            (4, 0, false),
            (5, 4, true),
            (5, 5, false),
            (100, 100, false),
        ] {
            assert_eq!(is_sharp(differing, 100, MANY, share), sharp, "{differing} by {share} %");
        }
    }

    #[test]
    fn a_doubt_stands_until_a_whole_comparison_or_a_person_takes_it_back() {
        let [before, now] = [1, 2].map(|second| Timestamp::from_second(second).unwrap());
        let alarm = |group| Alarm {
            kind: id::Kind::User,
            group,
            linked: 30,
            missing: 10,
            extra: 0,
        };
        let (users, members) = (alarm(None), alarm(Some(ResourceId::generate())));
        for (alarms, fails, despite, known, doubted) in [
            (vec![], false, false, None, None),
            (vec![users.clone()], false, false, None, Some(now)),
            (vec![users.clone()], false, false, Some(before), Some(before)),
            (vec![users.clone()], true, false, None, Some(now)),
            (vec![], true, false, Some(before), Some(before)),
            (vec![], true, true, Some(before), Some(before)),
            (vec![], false, false, Some(before), None),
            (vec![members.clone()], false, false, None, None),
            (vec![members, users.clone()], false, false, None, Some(now)),
            (vec![users], false, true, Some(before), None),
        ] {
            let mut report = Report::new(Timestamp::UNIX_EPOCH, despite, false);
            let case = format!("{alarms:?} {fails} {despite} {known:?}");
            report.alarms = alarms;
            report.failure = fails.then(|| "it broke off".to_owned());
            report.end(now, despite, known);
            assert_eq!((report.finished, report.doubted_since), (Some(now), doubted), "{case}");
        }
    }

    #[test]
    fn what_is_too_much_to_keep_is_counted() {
        let mut report = Report::new(Timestamp::UNIX_EPOCH, true, false);
        let difference = Difference {
            kind: Kind::Gone,
            of: id::Kind::User,
            id: ResourceId::generate(),
            platform_id: "p".to_owned(),
            repaired: true,
        };
        for _ in 0..MOST_DIFFERENCES + 3 {
            report.note(&difference);
        }
        assert_eq!((report.differences.len(), report.not_kept), (MOST_DIFFERENCES, 3));
        assert_eq!((report.counts.gone, report.counts.repaired), (10_003, 10_003));
    }
}
