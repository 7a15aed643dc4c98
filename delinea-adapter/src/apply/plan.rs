//! What would be written: the same looks and the same rules as when it is written, and no write. Each step says in words
//! what one call would do; it names fields and ids, never a value.
//!
//! Nothing here may call what writes. What can only be seen by writing (a refusal of the Platform) is not in a plan.

use proto::adapter::v1::Found;

use crate::{
    error::ApplyError,
    mapping::Desired,
    platform::{accounts::Account, groups::Role, same_name},
};

use super::{Batch, Standing, Tenant, group, removal::Leavers, user};

/// What would come of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Plan {
    /// There is something to write.
    Steps(Steps),
    /// There is not: it matches. The object; `None` when it is gone, as was asked.
    Matches(Option<String>),
    /// An object stands under an intent, and whose it is must be asked first.
    Found(Found),
}

/// What would be written.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Steps {
    /// Each write, in words.
    pub(crate) words: Vec<String>,
    /// The object that would be taken over.
    pub(crate) adopts: Option<String>,
}

impl Steps {
    fn add(&mut self, words: impl Into<String>) {
        self.words.push(words.into());
    }

    /// The steps, or that the object matches.
    fn or_match(self, id: Option<String>) -> Plan {
        if self.words.is_empty() {
            return Plan::Matches(id);
        }
        Plan::Steps(self)
    }
}

impl Tenant {
    /// What would make the account match.
    pub(crate) async fn plan_user(&self, standing: Standing<'_>, desired: &Desired) -> Result<Plan, ApplyError> {
        let mut steps = Steps::default();
        match self.place(standing, desired).await? {
            user::Place::Linked(account) | user::Place::Intended(account) => {
                self.plan_match(&mut steps, &account, desired).await?;
                Ok(steps.or_match(Some(account.id)))
            }
            user::Place::Unasked(found) => Ok(Plan::Found(found)),
            user::Place::Strange(listed, account) => {
                self.may_adopt(standing.adoption, &listed, &account).await?;
                steps.add(format!("take over the account {}", account.id));
                steps.adopts = Some(account.id.clone());
                self.plan_match(&mut steps, &account, desired).await?;
                Ok(Plan::Steps(steps))
            }
            user::Place::Free => {
                self.may_create(desired).await?;
                steps.add("create the account");
                if desired.active == Some(false) {
                    steps.add("disable the account");
                }
                Ok(Plan::Steps(steps))
            }
        }
    }

    async fn plan_match(&self, steps: &mut Steps, account: &Account, desired: &Desired) -> Result<(), ApplyError> {
        self.guard(account)?;
        let disabled = account.states.is_disabled();
        if desired.active == Some(false) && !disabled {
            self.guard_name(account)?;
            steps.add("disable the account");
        }
        let mut fields: Vec<String> = Vec::new();
        if !same_name(&account.name, &desired.name) && account.local != Some(false) {
            self.may_rename(account, desired).await?;
            fields.push("Name".to_owned());
        }
        let difference = self.writable(account, desired);
        fields.extend(difference.into_iter().map(|(field, _)| field));
        if !fields.is_empty() {
            steps.add(format!("change {} of the account", fields.join(", ")));
        }
        if desired.active == Some(true) && disabled {
            steps.add("enable the account");
        }
        Ok(())
    }

    /// What would remove the user's accounts.
    pub(crate) async fn plan_user_removal(&self, standing: Standing<'_>) -> Result<Plan, ApplyError> {
        let accounts = match self.leavers(standing).await? {
            Leavers::Known(accounts) => accounts,
            Leavers::Unasked(found) => return Ok(Plan::Found(found)),
        };
        let mut steps = Steps::default();
        for account in &accounts {
            steps.add(format!("delete the account {}", account.id));
        }
        Ok(steps.or_match(None))
    }

    /// What would disable the user's accounts.
    pub(crate) async fn plan_disabling(&self, standing: Standing<'_>) -> Result<Plan, ApplyError> {
        let accounts = match self.leavers(standing).await? {
            Leavers::Known(accounts) => accounts,
            Leavers::Unasked(found) => return Ok(Plan::Found(found)),
        };
        let mut steps = Steps::default();
        for account in accounts.iter().filter(|account| !account.states.is_disabled()) {
            steps.add(format!("disable the account {}", account.id));
        }
        Ok(steps.or_match(accounts.into_iter().next().map(|account| account.id)))
    }

    /// What would make the group match, and put the batch of members in and out.
    pub(crate) async fn plan_group(
        &self,
        standing: Standing<'_>,
        name: &str,
        members: &Batch<'_>,
    ) -> Result<Plan, ApplyError> {
        let mut steps = Steps::default();
        let id = match self.group_place(standing, name).await? {
            group::Place::Linked(role) | group::Place::Intended(role) => {
                self.plan_rename(&mut steps, &role, name).await?;
                Some(role.id)
            }
            group::Place::Unasked(found) => return Ok(Plan::Found(found)),
            group::Place::Strange(role) => {
                self.may_adopt_group(standing.adoption, &role).await?;
                steps.add(format!("take over the group {}", role.id));
                steps.adopts = Some(role.id.clone());
                self.plan_rename(&mut steps, &role, name).await?;
                Some(role.id)
            }
            group::Place::Free => {
                steps.add("create the group");
                None
            }
        };
        let (ins, outs) = members.counts();
        if ins > 0 {
            steps.add(format!("put {} in", counted(ins)));
        }
        if outs > 0 {
            steps.add(format!("take {} out", counted(outs)));
        }
        Ok(steps.or_match(id))
    }

    async fn plan_rename(&self, steps: &mut Steps, role: &Role, name: &str) -> Result<(), ApplyError> {
        self.guard_group(role)?;
        if role.name != name {
            self.name_is_free(role, name).await?;
            steps.add("change Name of the group");
        }
        Ok(())
    }

    /// What would remove the group.
    pub(crate) async fn plan_group_removal(&self, standing: Standing<'_>) -> Result<Plan, ApplyError> {
        let groups = match self.leaving_groups(standing).await? {
            Leavers::Known(groups) => groups,
            Leavers::Unasked(found) => return Ok(Plan::Found(found)),
        };
        let mut steps = Steps::default();
        for role in &groups {
            steps.add(format!("delete the group {}", role.id));
        }
        Ok(steps.or_match(None))
    }
}

fn counted(members: usize) -> String {
    match members {
        1 => "1 member".to_owned(),
        members => format!("{members} members"),
    }
}
