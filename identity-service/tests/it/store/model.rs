//! The reference: what a store must show after any steps, written with plain sets and maps and no thought of speed. The
//! random test and a reader who wants the rules in one place both look here.

use std::collections::{BTreeMap, BTreeSet};

use identity_service::{
    id::{Kind, ResourceId},
    store::{ChangeKind, Intent, LogEntry, Logged, MembersChange, Verdict, WorkState},
};
use jiff::Timestamp;

use super::bench::LEASE;

/// How long a new group waits at most for its deleted namesake.
const NAMESAKE_WAIT: i64 = 60;

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) external: u8,
    pub(super) version: u64,
    pub(super) document_version: u64,
    pub(super) members: BTreeSet<ResourceId>,
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) kind: Kind,
    pub(super) state: WorkState,
    pub(super) due: Timestamp,
    pub(super) leased: bool,
    pub(super) attempts: u32,
    /// Whether it takes access away.
    pub(super) urgent: bool,
    /// Whether it changed since it was claimed.
    changed: bool,
    /// Tells the present claim from earlier ones.
    claim: u64,
    /// Not before then, unless that claim ends sooner.
    held: Option<(Timestamp, u64)>,
    /// Not before then: the Platform wants a pause.
    not_before: Option<Timestamp>,
    /// When refused members are tried again.
    refused_due: Option<Timestamp>,
    /// Whether the last failure is kept; all failures are alike here.
    failed: bool,
}

/// An unconfirmed member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unconfirmed {
    pub(super) refused: bool,
    /// Tells this change of the member from a later one.
    pub(super) stamp: u64,
}

/// A claim, with what it saw.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) id: ResourceId,
    claim: u64,
    batch: Vec<(ResourceId, u64)>,
    lives: bool,
    /// Those of the record.
    versions: (u64, u64),
}

/// What the log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Change(ChangeKind, ResourceId, u64, Option<MembersChange>),
    /// How, of what, from which version to which, how many members were put in or out, and how many refused.
    Outcome(Verdict, ResourceId, (u64, u64), (u64, u64)),
    Act(ResourceId),
}

impl Told {
    /// What an entry tells of that.
    pub(super) fn of(entry: LogEntry) -> Self {
        match entry.what {
            Logged::Change(change) => Self::Change(change.what, change.id, change.version, change.members),
            Logged::Outcome(told) => Self::Outcome(
                told.outcome,
                told.id,
                (told.from_version, told.to_version),
                (told.members_applied, told.members_refused),
            ),
            Logged::Act(act) => Self::Act(act.resource.expect("a retry is of a resource").id),
        }
    }

    /// The same, without the members' ids where the other leaves them out: a change that had to be staged does.
    pub(super) fn as_far_as(&self, other: &Self) -> Self {
        let mut told = self.clone();
        if let (Self::Change(.., Some(members)), Self::Change(.., Some(others))) = (&mut told, other)
            && others.ids_left_out
        {
            members.ids_left_out = true;
            members.added_ids.clear();
            members.removed_ids.clear();
        }
        told
    }
}

fn members_change(came: &BTreeSet<ResourceId>, went: &BTreeSet<ResourceId>) -> Option<MembersChange> {
    let change = MembersChange {
        added: came.len() as u64,
        removed: went.len() as u64,
        added_ids: came.iter().copied().collect(),
        removed_ids: went.iter().copied().collect(),
        ids_left_out: false,
    };
    (change.added + change.removed > 0).then_some(change)
}

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Applied,
    /// Applied; who is ready by then goes at that time, and what comes is gathered.
    Gathers(Timestamp),
    MembersRefused,
    Postponed(Timestamp),
    Paused(Timestamp),
    Refused(Timestamp),
    /// What the Platform has belongs to that one.
    Collides(ResourceId),
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) resources: BTreeMap<ResourceId, Resource>,
    pub(super) tombstones: BTreeMap<ResourceId, Resource>,
    pub(super) work: BTreeMap<ResourceId, Work>,
    pub(super) accounts: BTreeMap<ResourceId, String>,
    /// Whose a name is under which a create call may have been sent: the last one's that noted it.
    intents: BTreeMap<(Kind, String), ResourceId>,
    pub(super) unconfirmed: BTreeMap<(ResourceId, ResourceId), Unconfirmed>,
    waiting: BTreeSet<(ResourceId, ResourceId)>,
    /// The tombstone that a new resource of that name meets: the newest.
    tombstone_names: BTreeMap<(Kind, String), ResourceId>,
    stamp: u64,
    /// The versions last applied of whatever has a link.
    applied: BTreeMap<ResourceId, (u64, u64)>,
    pub(super) log: Vec<Told>,
}

impl Model {
    // === Writes ===

    pub(super) fn create(
        &mut self,
        id: ResourceId,
        kind: Kind,
        name: &str,
        members: &BTreeSet<ResourceId>,
        now: Timestamp,
    ) {
        let resource = Resource {
            kind,
            name: name.to_owned(),
            external: 0,
            version: 1,
            document_version: 1,
            members: members.clone(),
        };
        self.resources.insert(id, resource);
        let came = members_change(members, &BTreeSet::new());
        self.log.push(Told::Change(ChangeKind::Created, id, 1, came));
        self.stamp += 1;
        for member in members {
            self.unconfirm(id, *member);
        }
        self.mark(id, kind, now);
        self.take_over(id, kind, name, now);
    }

    fn take_over(&mut self, id: ResourceId, kind: Kind, name: &str, now: Timestamp) {
        let Some(&old) = self.tombstone_names.get(&(kind, folded(name))) else {
            return;
        };
        if kind == Kind::Group {
            self.waiting.insert((old, id));
            if let Some(work) = self.work.get_mut(&id) {
                work.due = after(now, NAMESAKE_WAIT);
            }
            return;
        }
        self.tombstones.remove(&old);
        self.tombstone_names.remove(&(kind, folded(name)));
        if let Some(account) = self.accounts.remove(&old) {
            self.accounts.insert(id, account);
        }
        self.applied.remove(&old);
        for owner in self.intents.values_mut().filter(|owner| **owner == old) {
            *owner = id;
        }
        self.stamp += 1;
        for group in self.groups_unconfirmed(old) {
            self.unconfirmed.remove(&(group, old));
            self.unconfirm(group, id);
        }
        let removal = self.work.remove(&old);
        self.wake(old, now);
        let held = removal.and_then(|work| {
            if work.leased {
                Some((work.due, work.claim))
            } else {
                work.held
            }
        });
        if let Some((until, claim)) = held.filter(|(until, _)| *until > now)
            && let Some(work) = self.work.get_mut(&id)
        {
            work.due = until;
            work.held = Some((until, claim));
            self.waiting.insert((old, id));
        }
    }

    /// Gives a resource another name, or another external id.
    pub(super) fn change(&mut self, id: ResourceId, name: &str, external: u8, now: Timestamp) {
        let Some(resource) = self.resources.get_mut(&id) else {
            return;
        };
        if resource.name == name && resource.external == external {
            return;
        }
        name.clone_into(&mut resource.name);
        resource.external = external;
        resource.version += 1;
        resource.document_version = resource.version;
        let (kind, version) = (resource.kind, resource.version);
        self.log.push(Told::Change(ChangeKind::Updated, id, version, None));
        self.mark(id, kind, now);
    }

    pub(super) fn set_members(&mut self, group: ResourceId, wanted: &BTreeSet<ResourceId>, now: Timestamp) {
        let Some(resource) = self.resources.get_mut(&group) else {
            return;
        };
        if resource.members == *wanted {
            return;
        }
        let before = std::mem::replace(&mut resource.members, wanted.clone());
        resource.version += 1;
        let version = resource.version;
        self.stamp += 1;
        let (came, went) = (wanted - &before, &before - wanted);
        for joined in &came {
            self.unconfirm(group, *joined);
        }
        for left in &went {
            self.leave(group, *left);
        }
        let moved = members_change(&came, &went);
        self.log.push(Told::Change(ChangeKind::Updated, group, version, moved));
        self.mark(group, Kind::Group, now);
        if before.difference(wanted).next().is_some() {
            self.hasten(group);
        }
    }

    pub(super) fn delete(&mut self, id: ResourceId, now: Timestamp) {
        let Some(resource) = self.resources.remove(&id) else {
            return;
        };
        self.stamp += 1;
        for group in self.groups_of(id) {
            if let Some(left) = self.resources.get_mut(&group) {
                left.members.remove(&id);
                left.version += 1;
                let went = members_change(&BTreeSet::new(), &BTreeSet::from([id]));
                self.log
                    .push(Told::Change(ChangeKind::Updated, group, left.version, went));
            }
            self.leave(group, id);
            self.mark(group, Kind::Group, now);
            self.hasten(group);
        }
        self.unconfirmed.retain(|(group, _), _| *group != id);
        self.log
            .push(Told::Change(ChangeKind::Deleted, id, resource.version + 1, None));
        let under_way = self.work.get(&id).is_some_and(|work| work.leased);
        if !self.accounts.contains_key(&id) && !self.intends(id) && !under_way {
            self.work.remove(&id);
            self.applied.remove(&id);
            return self.wake(id, now);
        }
        let kind = resource.kind;
        self.tombstone_names.insert((kind, folded(&resource.name)), id);
        self.tombstones.insert(id, resource);
        self.mark(id, kind, now);
        self.hasten(id);
    }

    fn hasten(&mut self, id: ResourceId) {
        if let Some(work) = self.work.get_mut(&id) {
            work.urgent = true;
        }
    }

    pub(super) fn groups_of(&self, member: ResourceId) -> Vec<ResourceId> {
        let of = |(id, resource): (&ResourceId, &Resource)| resource.members.contains(&member).then_some(*id);
        self.resources.iter().filter_map(of).collect()
    }

    pub(super) fn name_taken(&self, kind: Kind, name: &str) -> Option<ResourceId> {
        let named =
            |(_, resource): &(&ResourceId, &Resource)| resource.kind == kind && folded(&resource.name) == folded(name);
        self.resources.iter().find(named).map(|(id, _)| *id)
    }

    /// Who reserves a name has an account that may have it, gave it up, and has not had that applied.
    pub(super) fn may_reserve(&self, owner: ResourceId, kind: Kind, name: &str) {
        assert!(self.accounts.contains_key(&owner) && self.work.contains_key(&owner));
        let owner = &self.resources[&owner];
        assert!(owner.kind == kind && folded(&owner.name) != folded(name));
    }

    // === Deliveries ===

    pub(super) fn retry(&mut self, id: ResourceId, now: Timestamp) -> bool {
        let Some(kind) = self
            .resources
            .get(&id)
            .or(self.tombstones.get(&id))
            .map(|resource| resource.kind)
        else {
            return false;
        };
        self.restage(id);
        if let Some(work) = self.work.get_mut(&id) {
            work.not_before = None;
            work.refused_due = None;
        }
        if let Some(applied) = self.applied.get_mut(&id) {
            applied.1 = 0;
        }
        self.mark(id, kind, now);
        self.log.push(Told::Act(id));
        true
    }

    /// What may be claimed now, as a set: among work due at the same time the order is the store's own.
    pub(super) fn due(&self, now: Timestamp) -> BTreeSet<ResourceId> {
        self.work
            .iter()
            .filter(|(_, work)| work.due <= now)
            .map(|(id, _)| *id)
            .collect()
    }

    /// The place in the order in which work is taken.
    pub(super) fn place(&self, id: ResourceId) -> (bool, Timestamp) {
        let work = &self.work[&id];
        (!work.urgent, work.due)
    }

    pub(super) fn claim(&mut self, id: ResourceId, now: Timestamp) -> Seen {
        let again = self.work[&id].refused_due.is_some_and(|at| at <= now);
        if again {
            self.restage(id);
        }
        let work = self.work.get_mut(&id).expect("only due work is claimed");
        if again {
            work.refused_due = None;
        }
        work.leased = true;
        work.changed = false;
        work.held = None;
        work.due = now + LEASE;
        self.stamp += 1;
        work.claim = self.stamp;
        let claim = self.stamp;
        Seen {
            id,
            claim,
            batch: self.ready(id),
            lives: self.resources.contains_key(&id),
            versions: self.versions(id),
        }
    }

    /// The versions of a resource; none where it is gone.
    fn versions(&self, id: ResourceId) -> (u64, u64) {
        let resource = self.resources.get(&id);
        resource.map_or((0, 0), |resource| (resource.version, resource.document_version))
    }

    /// A group's members that a delivery may put in or out now.
    pub(super) fn ready(&self, group: ResourceId) -> Vec<(ResourceId, u64)> {
        let of_group = self.unconfirmed.iter().filter(|((of, _), _)| *of == group);
        let ready = of_group.filter(|((_, member), pending)| !pending.refused && self.accounts.contains_key(member));
        ready.map(|((_, member), pending)| (*member, pending.stamp)).collect()
    }

    /// The object that `other` owns, if it is one that `id` might be given by mistake.
    pub(super) fn object_of_another(
        &self,
        id: ResourceId,
        other: Option<(ResourceId, Kind)>,
    ) -> Option<(ResourceId, String)> {
        let (other, kind) = other?;
        let own = self.resources.get(&id)?.kind;
        let object = self.accounts.get(&other)?;
        (other != id && kind == own).then(|| (other, object.clone()))
    }

    pub(super) fn intend(&mut self, seen: &Seen) -> Intent {
        let Some(resource) = self.resources.get(&seen.id).filter(|_| self.holds(seen)) else {
            return Intent::Void;
        };
        let name = (resource.kind, folded(&resource.name));
        let other = self.intents.get(&name).filter(|other| **other != seen.id);
        let under_way = |other: &&ResourceId| self.work.get(*other).is_some_and(|work| work.leased);
        if let Some(other) = other.filter(under_way) {
            return Intent::Taken(*other);
        }
        self.intents.insert(name, seen.id);
        Intent::Noted
    }

    /// Whether a create call for the resource may have been sent.
    pub(super) fn intends(&self, id: ResourceId) -> bool {
        self.intents.values().any(|owner| *owner == id)
    }

    fn holds(&self, seen: &Seen) -> bool {
        self.work
            .get(&seen.id)
            .is_some_and(|work| work.leased && work.claim == seen.claim)
    }

    pub(super) fn settle(&mut self, seen: &Seen, end: End, now: Timestamp) {
        if !self.work.contains_key(&seen.id) {
            self.release(seen.id, seen.claim, now);
        }
        if !self.holds(seen) {
            return;
        }
        let id = seen.id;
        self.tell(seen, end);
        let work = self.work.get_mut(&id).expect("a claim that holds has work");
        work.leased = false;
        work.failed |= match end {
            End::Postponed(_) | End::Paused(_) => true,
            End::Refused(_) => !work.changed,
            _ => false,
        };
        match end {
            End::Postponed(due) => {
                work.due = if work.changed { now } else { due };
                work.not_before = None;
                work.attempts += 1;
                work.state = WorkState::Pending;
            }
            End::Paused(due) => {
                work.due = due;
                work.not_before = Some(due);
                work.attempts += 1;
                work.state = WorkState::Pending;
            }
            End::Refused(_) if work.changed => {
                work.due = now;
                work.not_before = None;
            }
            End::Refused(due) => {
                work.due = due;
                work.not_before = None;
                work.attempts += 1;
                work.state = WorkState::Refused;
            }
            End::Collides(owner) => {
                work.due = now;
                work.attempts += 1;
                let kind = work.kind;
                self.intents.retain(|_, intender| *intender != id);
                if let Some(applied) = self.applied.get_mut(&owner) {
                    applied.1 = 0;
                }
                self.mark(owner, kind, now);
            }
            End::Applied | End::Gathers(_) | End::MembersRefused if self.tombstones.contains_key(&id) => {
                self.settle_removal(seen, now);
            }
            End::Applied | End::Gathers(_) | End::MembersRefused => self.settle_applied(seen, end, now),
        }
    }

    /// Logs how a claim ends that holds, unless it tells nothing new.
    fn tell(&mut self, seen: &Seen, end: End) {
        let id = seen.id;
        let work = &self.work[&id];
        let refused_so = work.state == WorkState::Refused && work.failed;
        let members = seen.batch.len() as u64;
        let (verdict, counts, is_known) = match end {
            End::Collides(_) => return,
            End::Postponed(_) | End::Paused(_) => (Verdict::Later, (0, 0), work.failed),
            End::Refused(_) => (Verdict::Refused, (0, 0), refused_so),
            End::MembersRefused if members > 0 => (Verdict::Refused, (0, members), refused_so && self.unmoved(seen)),
            End::Applied | End::Gathers(_) if members > 0 => (Verdict::Applied, (members, 0), false),
            End::Applied | End::Gathers(_) | End::MembersRefused => {
                (Verdict::Applied, (0, 0), !work.failed && self.unmoved(seen))
            }
        };
        let was_done = matches!(end, End::Applied | End::Gathers(_) | End::MembersRefused);
        let is_removal = self.tombstones.contains_key(&id) && was_done;
        if is_known && !is_removal {
            return;
        }
        let deleted = self.tombstones.get(&id).map(|gone| gone.version + 1);
        let from = self.applied.get(&id).map_or(0, |applied| applied.0);
        let to = if seen.lives {
            seen.versions.0
        } else {
            deleted.unwrap_or_default()
        };
        self.log.push(Told::Outcome(verdict, id, (from, to), counts));
    }

    /// Whether what a claim saw is what is applied already.
    fn unmoved(&self, seen: &Seen) -> bool {
        let applied = self.applied.get(&seen.id).copied().unwrap_or_default();
        applied == seen.versions && self.accounts.contains_key(&seen.id) == seen.lives
    }

    fn settle_applied(&mut self, seen: &Seen, end: End, now: Timestamp) {
        let id = seen.id;
        self.applied.insert(id, seen.versions);
        let first = !self.accounts.contains_key(&id);
        self.accounts.entry(id).or_insert_with(|| account(id));
        self.intents.retain(|_, owner| *owner != id);
        if first {
            for group in self.groups_unconfirmed(id) {
                self.mark(group, Kind::Group, now);
            }
        }
        self.wake(id, now);
        for (member, stamp) in &seen.batch {
            if let Some(pending) = self.unconfirmed.get_mut(&(id, *member))
                && pending.stamp == *stamp
            {
                pending.refused = true;
                if end != End::MembersRefused {
                    self.unconfirmed.remove(&(id, *member));
                }
            }
        }
        let ready = !self.ready(id).is_empty();
        let left: Vec<_> = self
            .unconfirmed
            .iter()
            .filter(|((group, _), _)| *group == id)
            .map(|(_, left)| *left)
            .collect();
        let work = self.work.get_mut(&id).expect("a claim that holds has work");
        work.state = WorkState::Pending;
        work.not_before = None;
        let attempts = std::mem::take(&mut work.attempts);
        let later = after(now, LOOK_AGAIN);
        let refused = left.iter().any(|member| member.refused);
        work.failed = refused && (end == End::MembersRefused || work.failed);
        work.refused_due = refused.then(|| work.refused_due.unwrap_or(later).min(later));
        if let (End::Gathers(due), true) = (end, ready) {
            work.due = due;
            work.not_before = Some(due);
        } else if work.changed || ready {
            work.due = now;
        } else if let Some(due) = work.refused_due {
            work.state = WorkState::Refused;
            work.attempts = attempts + 1;
            work.due = due;
        } else if !left.is_empty() {
            work.due = after(now, LOOK_AGAIN);
        } else if let End::Gathers(due) = end {
            work.due = due;
            work.not_before = Some(due);
        } else {
            self.work.remove(&id);
        }
    }

    fn settle_removal(&mut self, seen: &Seen, now: Timestamp) {
        let id = seen.id;
        if seen.lives {
            // What was applied is the resource as it was before its deletion: the removal is still to come.
            self.accounts.entry(id).or_insert_with(|| account(id));
            self.intents.retain(|_, owner| *owner != id);
            if let Some(work) = self.work.get_mut(&id) {
                work.due = now;
            }
            return;
        }
        self.tombstones.remove(&id);
        self.tombstone_names.retain(|_, named| *named != id);
        self.accounts.remove(&id);
        self.applied.remove(&id);
        self.intents.retain(|_, owner| *owner != id);
        for group in self.groups_unconfirmed(id) {
            self.unconfirmed.remove(&(group, id));
            if self.work.contains_key(&group) {
                self.mark(group, Kind::Group, now);
            }
        }
        self.work.remove(&id);
        self.wake(id, now);
    }

    // === Moving ===

    /// Leases and what was held by them stay behind, and the log begins anew.
    pub(super) fn move_away(&mut self) {
        for work in self.work.values_mut() {
            work.leased = false;
            work.held = None;
        }
        self.log.clear();
    }

    // === Sets ===

    fn mark(&mut self, id: ResourceId, kind: Kind, now: Timestamp) {
        let work = self.work.entry(id).or_insert(Work {
            kind,
            state: WorkState::Pending,
            due: now,
            leased: false,
            attempts: 0,
            urgent: false,
            changed: true,
            claim: 0,
            held: None,
            not_before: None,
            refused_due: None,
            failed: false,
        });
        work.state = WorkState::Pending;
        if work.not_before.is_none() {
            work.attempts = 0;
        }
        work.changed = true;
        if !work.leased {
            let held = work.held.map(|(until, _)| until);
            let earliest = [held, work.not_before].into_iter().flatten().max();
            work.due = earliest.map_or(now, |earliest| earliest.max(now));
        }
    }

    fn wake(&mut self, on: ResourceId, now: Timestamp) {
        let waiters: Vec<_> = self
            .waiting
            .iter()
            .filter(|(of, _)| *of == on)
            .map(|(_, waiter)| *waiter)
            .collect();
        for waiter in waiters {
            self.waiting.remove(&(on, waiter));
            if let Some(kind) = self.work.get(&waiter).map(|work| work.kind) {
                self.mark(waiter, kind, now);
            }
        }
    }

    /// Frees who was held back by a claim that has ended, through all who took over from each other meanwhile.
    fn release(&mut self, on: ResourceId, claim: u64, now: Timestamp) {
        let waiters: Vec<_> = self
            .waiting
            .iter()
            .filter(|(of, _)| *of == on)
            .map(|(_, waiter)| *waiter)
            .collect();
        for waiter in waiters {
            match self.work.get_mut(&waiter) {
                None => {
                    self.waiting.remove(&(on, waiter));
                    self.release(waiter, claim, now);
                }
                Some(work) if work.held.is_some_and(|(_, by)| by == claim) => {
                    work.held = None;
                    let kind = work.kind;
                    self.waiting.remove(&(on, waiter));
                    self.mark(waiter, kind, now);
                }
                Some(_) => {}
            }
        }
    }

    fn unconfirm(&mut self, group: ResourceId, member: ResourceId) {
        let pending = Unconfirmed {
            refused: false,
            stamp: self.stamp,
        };
        self.unconfirmed.insert((group, member), pending);
    }

    fn leave(&mut self, group: ResourceId, member: ResourceId) {
        if self.accounts.contains_key(&member) {
            self.unconfirm(group, member);
        } else {
            self.unconfirmed.remove(&(group, member));
        }
    }

    fn restage(&mut self, group: ResourceId) {
        for ((of, _), pending) in &mut self.unconfirmed {
            if *of == group {
                pending.refused = false;
            }
        }
    }

    fn groups_unconfirmed(&self, member: ResourceId) -> Vec<ResourceId> {
        self.unconfirmed
            .keys()
            .filter(|(_, of)| *of == member)
            .map(|(group, _)| *group)
            .collect()
    }
}

/// How long what is refused or waits is left alone.
pub(super) const LOOK_AGAIN: i64 = 500;

/// The account that the Platform gives a resource.
pub(super) fn account(id: ResourceId) -> String {
    format!("object of {id}")
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now + jiff::SignedDuration::from_secs(seconds)
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}
