//! An object made to be gone, or an account to be disabled. What is gone already is as it shall be.

use proto::adapter::v1::Found;

use crate::{
    error::{ApplyError, Kind},
    platform::{
        accounts::Account,
        failure::Failure,
        groups::Role,
        rpc::{roles::DELETE_ROLE, users::REMOVE_USERS},
        same_id,
    },
};

use super::{Applied, Outcome, Standing, Tenant, found};

/// What is to go.
pub(super) enum Leavers<T> {
    /// These, and all of them are ours.
    Known(Vec<T>),
    /// First it must be asked whose one of them is.
    Unasked(Found),
}

impl Tenant {
    /// Removes the account, by its link and under whatever name a create may have succeeded.
    pub(crate) async fn remove_user(&self, standing: Standing<'_>) -> Result<Outcome, ApplyError> {
        let leavers = match self.leavers(standing).await? {
            Leavers::Known(accounts) => accounts,
            Leavers::Unasked(found) => return Ok(Outcome::Found(found)),
        };
        for account in &leavers {
            self.remove_account(account).await?;
        }
        Ok(Outcome::Applied(Applied::default()))
    }

    /// Disables the account, and keeps it linked.
    pub(crate) async fn disable_user(&self, standing: Standing<'_>) -> Result<Outcome, ApplyError> {
        let accounts = match self.leavers(standing).await? {
            Leavers::Known(accounts) => accounts,
            Leavers::Unasked(found) => return Ok(Outcome::Found(found)),
        };
        for account in accounts.iter().filter(|account| !account.states.is_disabled()) {
            self.set_disabled(account, true).await?;
        }
        let id = accounts.into_iter().next().map(|account| account.id);
        Ok(Outcome::Applied(Applied {
            id,
            ..Applied::default()
        }))
    }

    /// The accounts that are the user's, the linked one first; an error if one of them must not be touched.
    pub(super) async fn leavers(&self, standing: Standing<'_>) -> Result<Leavers<Account>, ApplyError> {
        let mut accounts: Vec<Account> = Vec::new();
        if let Some(id) = standing.link {
            accounts.extend(self.platform.account(id).await?);
        }
        for name in standing.doubtful() {
            let backend = self.platform.user_backend().await?;
            let Some((listed, account)) = self.account_named(backend, name).await? else {
                continue;
            };
            if accounts.iter().any(|known| same_id(&known.id, &account.id)) {
                continue;
            }
            if !standing.is_confirmed(&account.id) {
                return Ok(Leavers::Unasked(found(&account.id, &account.name, name)));
            }
            self.is_surely_ordinary(&listed, &account).await?;
            accounts.push(account);
        }
        for account in &accounts {
            self.guard(account)?;
            self.guard_name(account)?;
        }
        Ok(Leavers::Known(accounts))
    }

    async fn remove_account(&self, account: &Account) -> Result<(), ApplyError> {
        let failure = match self.platform.remove_account(&account.id).await {
            Ok(()) => None,
            Err(failure) if failure.in_doubt() || failure.is_about_object() => Some(failure),
            Err(failure) => return Err(failure.into()),
        };
        if let Some(failure) = failure.filter(Failure::is_about_object) {
            // Refused: either it is gone, or the refusal stands. Waiting changes neither.
            return match self.platform.account(&account.id).await? {
                None => Ok(()),
                Some(_) => Err(failure.into()),
            };
        }
        let look = || async {
            let found = self.platform.account(&account.id).await?;
            Ok(found.is_none().then_some(()))
        };
        let gone = self.read_back(REMOVE_USERS, look).await;
        Ok(gone.ok_or(Failure::uncertain(REMOVE_USERS))?)
    }

    /// Removes the group, by its link and under whatever name a create may have succeeded.
    pub(crate) async fn remove_group(&self, standing: Standing<'_>) -> Result<Outcome, ApplyError> {
        let roles = match self.leaving_groups(standing).await? {
            Leavers::Known(roles) => roles,
            Leavers::Unasked(found) => return Ok(Outcome::Found(found)),
        };
        for role in &roles {
            self.delete_group(role).await?;
        }
        Ok(Outcome::Applied(Applied::default()))
    }

    /// The groups that are this group's; an error if one of them must not be touched.
    pub(super) async fn leaving_groups(&self, standing: Standing<'_>) -> Result<Leavers<Role>, ApplyError> {
        let mut roles: Vec<Role> = Vec::new();
        if let Some(id) = standing.link {
            roles.extend(self.platform.role(id, None).await?);
        }
        for name in standing.doubtful() {
            let backend = self.platform.group_backend().await?;
            let Some(role) = self.group_named(backend, name).await? else {
                continue;
            };
            if roles.iter().any(|known| same_id(&known.id, &role.id)) {
                continue;
            }
            if !standing.is_confirmed(&role.id) {
                return Ok(Leavers::Unasked(found(&role.id, &role.name, name)));
            }
            roles.push(role);
        }
        for role in &roles {
            self.guard_group(role)?;
            if self.config.is_protected(&role.name) {
                let why = "its name is protected (PROTECTED_NAMES)";
                return Err(ApplyError::Protected {
                    kind: Kind::Group,
                    id: role.id.clone(),
                    why,
                });
            }
        }
        Ok(Leavers::Known(roles))
    }

    async fn delete_group(&self, role: &Role) -> Result<(), ApplyError> {
        let failure = match self.platform.delete_role(&role.id).await {
            Ok(()) => return Ok(()),
            Err(failure) if failure.in_doubt() || failure.is_about_object() => failure,
            Err(failure) => return Err(failure.into()),
        };
        if failure.in_doubt() {
            let look = || async {
                let found = self.platform.role(&role.id, Some(&role.name)).await?;
                Ok(found.is_none().then_some(()))
            };
            let gone = self.read_back(DELETE_ROLE, look).await;
            return Ok(gone.ok_or(Failure::uncertain(DELETE_ROLE))?);
        }
        match self.platform.role(&role.id, Some(&role.name)).await? {
            None => Ok(()),
            Some(_) => Err(failure.into()),
        }
    }
}
