//! On-demand provisioning (R18): one user, or one group with a few chosen members, at once and in the default dialect.

use serde::{Deserialize, Serialize};

use super::{Action, CycleReport, Job, worker::Worker};
use crate::{
    directory::{Directory, Group, User},
    error::{Error, Failure},
};

/// How many members Entra lets an administrator choose for one run.
const MAX_MEMBERS: usize = 5;

/// What an on-demand run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnDemandReport {
    /// The steps in their order: object and verdict.
    pub steps: Vec<(String, Result<Action, Failure>)>,
    /// The id that the endpoint gave to the object that was asked for.
    pub scim_id: Option<String>,
    /// Login names of the users that were provisioned.
    pub users: Vec<String>,
    /// The name of the group that was provisioned.
    pub group: Option<String>,
}

impl OnDemandReport {
    /// Whether every step succeeded.
    pub fn is_success(&self) -> bool {
        self.steps.iter().all(|(_, result)| result.is_ok())
    }
}

impl Job {
    /// Provisions the user that goes by this login name or display name, with its manager if that one is linked.
    pub async fn provision_user_on_demand(
        &mut self,
        directory: &Directory,
        name: &str,
    ) -> Result<OnDemandReport, Error> {
        let missing = || Error::NoSuchObject {
            kind: "user",
            name: name.to_owned(),
        };
        let user = directory.find_user(name).ok_or_else(missing)?;
        let worker = Worker::on_demand(&self.client);
        worker.test_connection().await?;
        let steps = self.user_now(directory, user, &worker).await;
        let scim_id = self.linked(&user.object_id).map(str::to_owned);
        let report = OnDemandReport {
            steps,
            scim_id,
            users: vec![user.user_principal_name.clone()],
            group: None,
        };
        finish(&worker, report)
    }

    /// Provisions the group of this name and then these members of it, by login name or display name; at most five.
    pub async fn provision_group_on_demand(
        &mut self,
        directory: &Directory,
        name: &str,
        members: &[&str],
    ) -> Result<OnDemandReport, Error> {
        let missing = || Error::NoSuchObject {
            kind: "group",
            name: name.to_owned(),
        };
        let group = directory.find_group(name).ok_or_else(missing)?;
        if members.len() > MAX_MEMBERS {
            return Err(Error::TooManyMembers {
                limit: MAX_MEMBERS,
                asked: members.len(),
            });
        }
        let mut chosen = Vec::new();
        for member in members {
            let user = directory
                .find_user(member)
                .filter(|user| group.members.contains(&user.object_id));
            chosen.push(user.ok_or_else(|| Error::NoSuchObject {
                kind: "member",
                name: (*member).to_owned(),
            })?);
        }
        let worker = Worker::on_demand(&self.client);
        worker.test_connection().await?;
        let mut steps = vec![self.group_now(directory, group, &worker).await];
        for user in &chosen {
            steps.extend(self.user_now(directory, user, &worker).await);
        }
        let patches = self.chosen_members(group, &chosen);
        let mut report = CycleReport::default();
        self.send_member_patches(directory, &worker, patches, &mut report).await;
        let result = match self.memory.escrow.get(&group.object_id) {
            Some(escrowed) => Err(escrowed.reason.clone()),
            None if report.members_added > 0 => Ok(Action::Updated),
            None => Ok(Action::Unchanged),
        };
        steps.push((format!("members of group {}", group.display_name), result));
        let scim_id = self.linked(&group.object_id).map(str::to_owned);
        let report = OnDemandReport {
            steps,
            scim_id,
            users: chosen.iter().map(|user| user.user_principal_name.clone()).collect(),
            group: Some(group.display_name.clone()),
        };
        finish(&worker, report)
    }

    async fn user_now(
        &mut self,
        directory: &Directory,
        user: &User,
        worker: &Worker,
    ) -> Vec<(String, Result<Action, Failure>)> {
        let id = &user.object_id;
        let mut memory = self.memory.users.remove(id).unwrap_or_default();
        // A linked user is read first (R05), another is matched (R03).
        memory.blur();
        self.memory.escrow.remove(id);
        let result = worker.evaluate_user(user, &mut memory, false).await;
        let mut report = CycleReport::default();
        self.settle_user(directory, id.clone(), memory, result.clone(), &mut report);
        let mut steps = vec![(format!("user {}", user.user_principal_name), result)];
        if let Some(manager) = self.manager_due(user)
            && let Some(mut memory) = self.memory.users.remove(id)
        {
            let result = worker.send_manager(&mut memory, manager).await;
            self.memory.users.insert(id.clone(), memory);
            if let Err(reason) = &result {
                let name = user.user_principal_name.clone();
                self.put_in_escrow("user", id, name, "setting the manager", reason.clone());
            }
            steps.push((
                format!("manager of {}", user.user_principal_name),
                result.map(|()| Action::Updated),
            ));
        }
        steps
    }

    async fn group_now(
        &mut self,
        directory: &Directory,
        group: &Group,
        worker: &Worker,
    ) -> (String, Result<Action, Failure>) {
        let mut memory = self.memory.groups.remove(&group.object_id).unwrap_or_default();
        memory.blur();
        self.memory.escrow.remove(&group.object_id);
        let result = worker.evaluate_group(group, &mut memory, false).await;
        let mut report = CycleReport::default();
        self.settle_group(directory, group.object_id.clone(), memory, result.clone(), &mut report);
        (format!("group {}", group.display_name), result)
    }
}

fn finish(worker: &Worker, report: OnDemandReport) -> Result<OnDemandReport, Error> {
    if worker.is_quarantined() {
        Err(Error::Quarantined)
    } else {
        Ok(report)
    }
}
