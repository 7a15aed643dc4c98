//! One account: found by its link, by an intent or by its name; compared; changed where it differs.

use proto::{adapter::v1::Found, resource::v1::User};
use serde_json::{Map, Value};

use crate::{
    config::DirectoryPolicy,
    error::{ApplyError, Kind},
    mapping::Desired,
    platform::{
        accounts::{Account, Listed, States},
        failure::{Class, Failure},
        object_id::Backend,
        rpc::users::CHANGE_USER,
        same_name,
    },
};

use super::{Applied, Outcome, RENAME_NEVER_ADOPTS, Standing, Tenant, applied, found, refused_as_taken};

/// What a user has on the Platform.
pub(super) enum Place {
    /// The account that is linked.
    Linked(Account),
    /// An account under an intent that is nobody else's.
    Intended(Account),
    /// An account under an intent, and nobody was asked whose it is.
    Unasked(Found),
    /// An account of the name that is not known to be ours.
    Strange(Listed, Account),
    /// Nothing.
    Free,
}

impl Tenant {
    /// What the account of a user shall be. Its manager is named as the account's own interface names it.
    pub(crate) async fn desired(
        &self,
        standing: Standing<'_>,
        user: &User,
        manager: Option<&str>,
    ) -> Result<Desired, ApplyError> {
        let is_of_the_endpoint = |id: &str| Backend::of(id).0 == Backend::Scim;
        let Some(manager) = manager.filter(|id| is_of_the_endpoint(id)) else {
            return Desired::of(user, manager, &self.mapping);
        };
        let backend = match standing.link {
            Some(link) => Backend::of(link).0,
            None => self.platform.user_backend().await?,
        };
        // The endpoint holds no manager at all.
        let manager = match backend {
            Backend::Rpc => Some(self.platform.counterpart(manager, Backend::Rpc).await?),
            Backend::Scim => None,
        };
        Desired::of(user, manager.as_deref(), &self.mapping)
    }

    /// Makes the account match.
    pub(crate) async fn apply_user(&self, standing: Standing<'_>, desired: &Desired) -> Result<Outcome, ApplyError> {
        let place = self.place(standing, desired).await.map_err(ApplyError::not_created)?;
        match place {
            Place::Linked(account) => self.match_account(&account, desired).await,
            Place::Intended(account) => {
                let renamed = !same_name(&account.name, &desired.name);
                if renamed && !standing.is_intended(&desired.name) {
                    // Without a link it is known by its name only: it must be found under the new one too, should
                    // this call fail after the rename.
                    self.cut_off(&account, desired).await?;
                    self.may_rename(&account, desired).await?;
                    return Ok(Outcome::IntentRequired(desired.name.clone()));
                }
                self.match_account(&account, desired).await
            }
            Place::Unasked(found) => Ok(Outcome::Found(found)),
            Place::Strange(listed, account) => {
                self.may_adopt(standing.adoption, &listed, &account).await?;
                match self.match_account(&account, desired).await? {
                    Outcome::Applied(done) => Ok(Outcome::Applied(Applied { adopted: true, ..done })),
                    other => Ok(other),
                }
            }
            Place::Free => {
                self.may_create(desired).await.map_err(ApplyError::not_created)?;
                if standing.is_intended(&desired.name) {
                    self.create(desired, standing.is_fresh(&desired.name)).await
                } else {
                    Ok(Outcome::IntentRequired(desired.name.clone()))
                }
            }
        }
    }

    pub(super) async fn place(&self, standing: Standing<'_>, desired: &Desired) -> Result<Place, ApplyError> {
        if let Some(id) = standing.link
            && let Some(account) = self.platform.account(id).await?
        {
            return Ok(Place::Linked(account));
        }
        self.may_have_name(Kind::Account, &desired.name, standing.adoption)?;
        let backend = self.platform.user_backend().await?;
        for name in standing.doubtful() {
            if let Some((listed, account)) = self.account_named(backend, name).await? {
                if !standing.is_confirmed(&account.id) {
                    return Ok(Place::Unasked(found(&account.id, &account.name, name)));
                }
                self.can_be_ours(&listed, &account).await?;
                return Ok(Place::Intended(account));
            }
        }
        if standing.is_intended(&desired.name) {
            return Ok(Place::Free);
        }
        let strange = self.account_named(backend, &desired.name).await?;
        Ok(strange.map_or(Place::Free, |(listed, account)| Place::Strange(listed, account)))
    }

    /// The accounts of that name that stand in the way of one of ours. Beside a federated login there is room for a local
    /// account, where the policy says so.
    pub(super) async fn accounts_named(&self, backend: Backend, name: &str) -> Result<Vec<Listed>, Failure> {
        let mut found = self.platform.accounts_named(backend, name).await?;
        if self.config.directory_policy == DirectoryPolicy::CreateLocal {
            found.retain(|listed| listed.local != Some(false));
        }
        Ok(found)
    }

    /// The one account of that name.
    pub(super) async fn account_named(
        &self,
        backend: Backend,
        name: &str,
    ) -> Result<Option<(Listed, Account)>, ApplyError> {
        let mut found = self.accounts_named(backend, name).await?;
        if found.len() > 1 {
            return Err(ApplyError::Ambiguous {
                kind: Kind::Account,
                name: name.to_owned(),
            });
        }
        let Some(listed) = found.pop() else { return Ok(None) };
        // A report may still list what is gone.
        let account = self.platform.account(&listed.id).await?;
        Ok(account.map(|account| (listed, account)))
    }

    /// Writes what differs, and nothing when nothing does.
    async fn match_account(&self, account: &Account, desired: &Desired) -> Result<Outcome, ApplyError> {
        let renamed = !same_name(&account.name, &desired.name) && account.local != Some(false);
        let before = async {
            self.guard(account)?;
            // Who leaves is cut off before anything else, so that nothing else can be in the way of that.
            self.cut_off(account, desired).await?;
            if renamed {
                self.may_rename(account, desired).await?;
            }
            Ok(())
        };
        before.await.map_err(ApplyError::not_created)?;
        let mut changes = self.writable(account, desired);
        if renamed {
            changes.insert("Name".to_owned(), desired.name.as_str().into());
        }
        if !changes.is_empty() {
            self.change(account, desired, changes, renamed).await?;
        }
        // Who comes back gets in when all is in place.
        if desired.active == Some(true) && account.states.is_disabled() {
            self.set_disabled(account, false).await?;
        }
        Ok(applied(&account.id))
    }

    /// The fields in which an account differs, as far as they can be written there.
    pub(super) fn writable(&self, account: &Account, desired: &Desired) -> Map<String, Value> {
        // Another directory owns its accounts' attributes.
        if account.local == Some(false) {
            return Map::new();
        }
        let mut changes = desired.difference(&account.attributes, self.config.clear_value);
        changes.retain(|field, _| self.platform.holds(&account.id, field));
        changes
    }

    /// Disables the account of a user who shall not get in.
    pub(super) async fn cut_off(&self, account: &Account, desired: &Desired) -> Result<(), ApplyError> {
        if desired.active != Some(false) || account.states.is_disabled() {
            return Ok(());
        }
        self.guard(account)?;
        self.guard_name(account)?;
        self.set_disabled(account, true).await
    }

    /// Disables the linked account of a user who shall not get in, whatever else cannot be done for that user.
    pub(crate) async fn cut_off_linked(&self, standing: Standing<'_>) -> Result<(), ApplyError> {
        let Some(id) = standing.link else { return Ok(()) };
        match self.platform.account(id).await? {
            Some(account) if !account.states.is_disabled() => {
                self.guard(&account)?;
                self.guard_name(&account)?;
                self.set_disabled(&account, true).await
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn set_disabled(&self, account: &Account, disabled: bool) -> Result<(), ApplyError> {
        let states = if !disabled && self.config.clear_lock_on_enable {
            States::default()
        } else {
            account.states.with_disabled(disabled)
        };
        // Another directory's account has no state of ours to set.
        if account.local == Some(false) {
            return Ok(self.platform.lock_account(&account.id, disabled).await?);
        }
        Ok(self.platform.put_states(&account.id, &states).await?)
    }

    async fn change(
        &self,
        account: &Account,
        desired: &Desired,
        changes: Map<String, Value>,
        renamed: bool,
    ) -> Result<(), ApplyError> {
        let fields: Vec<String> = changes.keys().cloned().collect();
        let sent = self.mapping.to_change(&account.attributes, changes);
        match self.platform.change_account(&account.id, sent).await {
            Ok(()) => {}
            Err(failure) if renamed && failure.class() == Some(Class::Duplicate) => {
                let name = &desired.name;
                return Err(refused_as_taken(
                    Kind::Account,
                    None,
                    name,
                    RENAME_NEVER_ADOPTS,
                    &failure,
                ));
            }
            // Repeating it does no harm, so what is in doubt is simply later.
            Err(failure) if failure.in_doubt() => return Err(failure.into()),
            Err(failure) => return Err(ApplyError::from(failure).not_created()),
        }
        // The next comparison must not be with what was before this change, nor the next look-up by name find the old one.
        let look = || async {
            let Some(now) = self.platform.account(&account.id).await? else {
                return Ok(None);
            };
            let named = same_name(&now.name, &desired.name);
            let lags = |field: &String| desired.lags(field, &account.attributes, &now.attributes);
            Ok((named && !fields.iter().any(lags)).then_some(()))
        };
        if self.read_back(CHANGE_USER, look).await.is_some() || !renamed {
            return Ok(());
        }
        // A field that lags for longer than anybody waits holds nothing up; a name does.
        match self.platform.account(&account.id).await? {
            Some(now) if same_name(&now.name, &desired.name) => Ok(()),
            _ => Err(Failure::uncertain(CHANGE_USER).into()),
        }
    }
}
