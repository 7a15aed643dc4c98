//! References, which come after all objects: managers (R13) and members (R15).
//!
//! Nothing is asked for: what is sent follows from what was acknowledged. A reference to an object that has no link
//! waits until it has one.

use std::collections::BTreeSet;

use futures_util::{FutureExt, StreamExt, stream};

use super::{CycleReport, Job, Progress, memory::GroupMemory, worker::Worker};
use crate::{
    client::RequestKind,
    directory::{Directory, Group, User},
    error::Failure,
    mapping::patch,
};

/// How many members Entra is assumed to add again, at most, after it removed one.
const MAX_REDUNDANT_ADDS: usize = 25;

/// One PATCH of a group's members.
pub(super) struct MemberPatch {
    group: String,
    group_id: String,
    adds: bool,
    /// Directory ids and SCIM ids.
    members: Vec<(String, String)>,
    /// Whether the members are known to be present already.
    redundant: bool,
}

impl Job {
    pub(super) async fn send_managers(&mut self, directory: &Directory, worker: &Worker, report: &mut CycleReport) {
        let due: Vec<(&User, Option<String>)> = directory
            .users
            .values()
            .filter_map(|user| Some((user, self.manager_due(user)?)))
            .collect();
        let total = due.len();
        let tasks: Vec<_> = due
            .into_iter()
            .filter_map(|(user, manager)| {
                let mut memory = self.memory.users.remove(&user.object_id)?;
                Some(
                    async move {
                        let result = worker.send_manager(&mut memory, manager).await;
                        (user, memory, result)
                    }
                    .boxed(),
                )
            })
            .collect();
        let mut work = stream::iter(tasks).buffer_unordered(worker.knobs().object_width.max(1));
        let mut done = 0;
        while let Some((user, memory, result)) = work.next().await {
            done += 1;
            self.tell(Progress {
                phase: "managers",
                done,
                total,
            });
            self.memory.users.insert(user.object_id.clone(), memory);
            match result {
                Ok(()) => report.managers += 1,
                Err(reason) => {
                    let name = user.user_principal_name.clone();
                    self.put_in_escrow("user", &user.object_id, name, "setting the manager", reason);
                }
            }
        }
    }

    /// The manager (none: no manager) that the endpoint is still to be told; nothing if it knows, if the user is not
    /// linked, or if the manager has no link yet.
    pub(super) fn manager_due(&self, user: &User) -> Option<Option<String>> {
        let memory = self.memory.users.get(&user.object_id)?;
        if !user.assigned || memory.link.is_none() {
            return None;
        }
        let wanted = match &user.manager {
            Some(manager) => Some(self.memory.users.get(manager)?.link.as_ref()?.id.clone()),
            None => None,
        };
        (wanted != memory.manager).then_some(wanted)
    }

    pub(super) async fn send_members(&mut self, directory: &Directory, worker: &Worker, report: &mut CycleReport) {
        let mut patches = Vec::new();
        for group in directory.groups.values() {
            if let Some(memory) = self.memory.groups.get(&group.object_id) {
                patches.extend(self.members_due(directory, group, memory, worker));
            }
        }
        self.send_member_patches(directory, worker, patches, report).await;
    }

    /// Sends membership PATCHes, several at once and so several on one group.
    pub(super) async fn send_member_patches(
        &mut self,
        directory: &Directory,
        worker: &Worker,
        patches: Vec<MemberPatch>,
        report: &mut CycleReport,
    ) {
        let total = patches.len();
        let tasks: Vec<_> = patches
            .into_iter()
            .map(|patch| {
                async move {
                    let result = worker.send_members(&patch).await;
                    (patch, result)
                }
                .boxed()
            })
            .collect();
        let mut work = stream::iter(tasks).buffer_unordered(worker.knobs().member_width.max(1));
        let mut done = 0;
        while let Some((patch, result)) = work.next().await {
            done += 1;
            self.tell(Progress {
                phase: "members",
                done,
                total,
            });
            if let Some(memory) = self.memory.groups.get_mut(&patch.group) {
                for (object_id, id) in patch.members.iter().filter(|_| !patch.redundant) {
                    memory.settle_member(object_id, id, patch.adds, &result);
                }
                if matches!(result, Err(Failure::NotFound(_))) {
                    memory.void_link();
                }
            }
            match result {
                Ok(()) if patch.redundant => {}
                Ok(()) if patch.adds => report.members_added += patch.members.len(),
                Ok(()) => report.members_removed += patch.members.len(),
                Err(reason) => {
                    let name = directory
                        .groups
                        .get(&patch.group)
                        .map(|group| group.display_name.clone());
                    let what = if patch.adds {
                        "adding members"
                    } else {
                        "removing members"
                    };
                    self.put_in_escrow("group", &patch.group, name.unwrap_or_default(), what, reason);
                }
            }
        }
    }

    fn members_due(
        &self,
        directory: &Directory,
        group: &Group,
        memory: &GroupMemory,
        worker: &Worker,
    ) -> Vec<MemberPatch> {
        let Some(link) = &memory.link else { return Vec::new() };
        let mut adds = Vec::new();
        for member in &group.members {
            let known = self.memory.users.get(member).and_then(|user| user.link.as_ref());
            if let Some(user) = known
                && memory.members.get(member) != Some(&user.id)
            {
                adds.push((member.clone(), user.id.clone()));
            }
        }
        let sent = memory.members.iter().chain(&memory.doubtful);
        let removes: Vec<(String, String)> = sent
            // A purged user takes its memberships along when it is deleted.
            .filter(|(member, _)| !group.members.contains(*member) && directory.users.contains_key(*member))
            .map(|(member, id)| (member.clone(), id.clone()))
            .collect();
        let mut again = Vec::new();
        if worker.knobs().redundant_adds && !removes.is_empty() {
            let leaving: BTreeSet<&String> = removes.iter().map(|(member, _)| member).collect();
            let staying = memory.members.iter().filter(|(member, _)| {
                !leaving.contains(member) && self.memory.users.get(*member).is_some_and(|user| user.link.is_some())
            });
            again.extend(
                staying
                    .take(MAX_REDUNDANT_ADDS)
                    .map(|(member, id)| (member.clone(), id.clone())),
            );
        }
        let batch = worker.knobs().members_per_patch.max(1);
        [(adds, true, false), (removes, false, false), (again, true, true)]
            .iter()
            .flat_map(|(members, adds, redundant)| {
                members.chunks(batch).map(|members| MemberPatch {
                    group: group.object_id.clone(),
                    group_id: link.id.clone(),
                    adds: *adds,
                    members: members.to_vec(),
                    redundant: *redundant,
                })
            })
            .collect()
    }

    /// The PATCHes that put chosen users into a group, one for each.
    pub(super) fn chosen_members(&self, group: &Group, chosen: &[&User]) -> Vec<MemberPatch> {
        let Some(memory) = self.memory.groups.get(&group.object_id) else {
            return Vec::new();
        };
        let Some(link) = &memory.link else { return Vec::new() };
        let linked = |user: &&User| self.memory.users.get(&user.object_id)?.link.clone();
        chosen
            .iter()
            .filter_map(|user| Some((user.object_id.clone(), linked(user)?.id)))
            .filter(|(member, id)| memory.members.get(member) != Some(id))
            .map(|member| MemberPatch {
                group: group.object_id.clone(),
                group_id: link.id.clone(),
                adds: true,
                members: vec![member],
                redundant: false,
            })
            .collect()
    }
}

impl Worker {
    pub(super) async fn send_manager(
        &self,
        memory: &mut super::UserMemory,
        manager: Option<String>,
    ) -> Result<(), Failure> {
        let Some(id) = memory.link.as_ref().map(|link| link.id.clone()) else {
            return Ok(());
        };
        let operation = match (&manager, &memory.manager) {
            (Some(manager), current) => patch::set_manager(manager, current.as_deref(), self.knobs()),
            (None, Some(current)) => patch::clear_manager(current, self.knobs()),
            (None, None) => return Ok(()),
        };
        match self
            .patch_user(RequestKind::SetManager, memory, &id, vec![operation])
            .await
        {
            Ok(()) => {
                // An answer with a body has said by itself whom it shows.
                if memory.link.as_ref().is_some_and(|link| link.seen.is_none()) {
                    memory.manager = manager;
                }
                Ok(())
            }
            Err(failure) => {
                if matches!(failure, Failure::NotFound(_)) {
                    memory.void_link();
                } else {
                    memory.blur();
                }
                Err(failure)
            }
        }
    }

    async fn send_members(&self, patch: &MemberPatch) -> Result<(), Failure> {
        let ids: Vec<&str> = patch.members.iter().map(|(_, id)| id.as_str()).collect();
        let (kind, operations) = if patch.adds {
            (RequestKind::AddMembers, patch::add_members(&ids, self.knobs().dialect))
        } else {
            (
                RequestKind::RemoveMembers,
                patch::remove_members(&ids, self.knobs().dialect),
            )
        };
        self.send(kind, Some(&patch.group_id), &[], Some(&patch::body(&operations)))
            .await
            .map(|_| ())
    }
}
