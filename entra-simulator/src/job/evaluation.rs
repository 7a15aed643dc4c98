//! Which objects a cycle touches, how many at once, and what becomes of each: what differs from the watermark, what
//! is gone from the directory, and what failed before.

use std::collections::BTreeMap;

use futures_util::{FutureExt, StreamExt, stream};

use super::{
    Action, CycleReport, Escrowed, Job, Progress,
    memory::{GroupMemory, UserMemory},
    worker::Worker,
};
use crate::{directory::Directory, error::Failure};

impl Job {
    pub(super) async fn evaluate_users(
        &mut self,
        directory: &Directory,
        worker: &Worker,
        earlier: &BTreeMap<String, Escrowed>,
        reread: bool,
        report: &mut CycleReport,
    ) {
        let purged = self
            .memory
            .users
            .keys()
            .filter(|id| !directory.users.contains_key(*id))
            .cloned();
        let changed = directory.users.iter().filter_map(|(id, user)| {
            let known = self.memory.users.get(id).and_then(|memory| memory.source.as_ref());
            (known != Some(user) || earlier.contains_key(id)).then(|| id.clone())
        });
        let touched: Vec<String> = purged.chain(changed).collect();
        let total = touched.len();
        let tasks: Vec<_> = touched
            .into_iter()
            .map(|id| {
                let mut memory = self.memory.users.remove(&id).unwrap_or_default();
                let user = directory.users.get(&id);
                async move {
                    let result = match user {
                        Some(user) => worker.evaluate_user(user, &mut memory, reread).await,
                        None => worker.purge_user(&mut memory).await,
                    };
                    (id, memory, result)
                }
                .boxed()
            })
            .collect();
        let mut work = stream::iter(tasks).buffer_unordered(worker.knobs().object_width.max(1));
        let mut done = 0;
        while let Some((id, memory, result)) = work.next().await {
            done += 1;
            self.tell(Progress {
                phase: "users",
                done,
                total,
            });
            self.settle_user(directory, id, memory, result, report);
        }
    }

    pub(super) fn settle_user(
        &mut self,
        directory: &Directory,
        id: String,
        mut memory: UserMemory,
        result: Result<Action, Failure>,
        report: &mut CycleReport,
    ) {
        self.memory.left_behind.extend(memory.left_behind.take());
        match result {
            Ok(action) => {
                *report.users.entry(action).or_default() += 1;
                if !directory.users.contains_key(&id) {
                    // The endpoint took the memberships away together with the user.
                    self.memory
                        .groups
                        .values_mut()
                        .for_each(|group| group.forget_member(&id));
                    return;
                }
            }
            Err(reason) => {
                let name = memory
                    .source
                    .as_ref()
                    .map(|user| user.user_principal_name.clone())
                    .unwrap_or_default();
                self.put_in_escrow("user", &id, name, "evaluation", reason);
            }
        }
        self.memory.users.insert(id, memory);
    }

    pub(super) async fn evaluate_groups(
        &mut self,
        directory: &Directory,
        worker: &Worker,
        earlier: &BTreeMap<String, Escrowed>,
        reread: bool,
        report: &mut CycleReport,
    ) {
        let deleted = self
            .memory
            .groups
            .keys()
            .filter(|id| !directory.groups.contains_key(*id))
            .cloned();
        let changed = directory.groups.iter().filter_map(|(id, group)| {
            let known = self.memory.groups.get(id).and_then(|memory| memory.source.as_ref());
            (known != Some(&group.display_name) || earlier.contains_key(id)).then(|| id.clone())
        });
        let touched: Vec<String> = deleted.chain(changed).collect();
        let total = touched.len();
        let tasks: Vec<_> = touched
            .into_iter()
            .map(|id| {
                let mut memory = self.memory.groups.remove(&id).unwrap_or_default();
                let group = directory.groups.get(&id);
                async move {
                    let result = match group {
                        Some(group) => worker.evaluate_group(group, &mut memory, reread).await,
                        None => worker.delete_group(&mut memory).await,
                    };
                    (id, memory, result)
                }
                .boxed()
            })
            .collect();
        let mut work = stream::iter(tasks).buffer_unordered(worker.knobs().object_width.max(1));
        let mut done = 0;
        while let Some((id, memory, result)) = work.next().await {
            done += 1;
            self.tell(Progress {
                phase: "groups",
                done,
                total,
            });
            self.settle_group(directory, id, memory, result, report);
        }
    }

    pub(super) fn settle_group(
        &mut self,
        directory: &Directory,
        id: String,
        memory: GroupMemory,
        result: Result<Action, Failure>,
        report: &mut CycleReport,
    ) {
        match result {
            Ok(action) => {
                *report.groups.entry(action).or_default() += 1;
                if !directory.groups.contains_key(&id) {
                    return;
                }
            }
            Err(reason) => {
                let name = memory.source.clone().unwrap_or_default();
                self.put_in_escrow("group", &id, name, "evaluation", reason);
            }
        }
        self.memory.groups.insert(id, memory);
    }
}
