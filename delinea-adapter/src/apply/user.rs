//! One account: found by its link, by an intent or by its name; compared; changed where it differs; created where it is
//! missing, once the intent is on record.

use serde_json::{Map, Value};

use crate::{
    error::{ApplyError, Kind},
    mapping::Desired,
    password,
    platform::{
        failure::{Class, Failure},
        same_name,
        users::{Account, CHANGE_USER, CREATE_USER, Listed, States},
    },
};

use super::{Applied, Outcome, Standing, Tenant, applied, not_adopted};

impl Tenant {
    /// Makes the account match.
    pub(crate) async fn apply_user(&self, standing: Standing<'_>, desired: &Desired) -> Result<Outcome, ApplyError> {
        if let Some(id) = standing.link
            && let Some(account) = self.platform.account(id).await?
        {
            return self.match_account(&account, desired).await;
        }
        for name in standing.doubtful() {
            if let Some((_, account)) = self.account_named(name).await? {
                if !same_name(&account.name, &desired.name) && !standing.is_intended(&desired.name) {
                    // Without a link it is known by its name only: it must be found under the new one too, should
                    // this call fail after the rename.
                    self.may_rename(&account, desired).await?;
                    return Ok(Outcome::IntentRequired(desired.name.clone()));
                }
                return self.match_account(&account, desired).await;
            }
        }
        let fresh = standing.is_fresh(&desired.name);
        if fresh || standing.is_intended(&desired.name) {
            self.may_create(desired).await?;
            return self.create(desired, fresh).await;
        }
        let Some((listed, account)) = self.account_named(&desired.name).await? else {
            self.may_create(desired).await?;
            return Ok(Outcome::IntentRequired(desired.name.clone()));
        };
        self.may_adopt(standing.adoption, &listed, &account).await?;
        match self.match_account(&account, desired).await? {
            Outcome::Applied(done) => Ok(Outcome::Applied(Applied { adopted: true, ..done })),
            other => Ok(other),
        }
    }

    /// The one account of that name.
    pub(super) async fn account_named(&self, name: &str) -> Result<Option<(Listed, Account)>, ApplyError> {
        let mut found = self.platform.accounts_named(name).await?;
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
        self.guard(account)?;
        let toggle = desired.active.filter(|active| account.states.is_disabled() == *active);
        if toggle == Some(false) {
            self.guard_name(account)?;
        }
        let mut changes = desired.difference(&account.attributes, self.config.clear_value);
        let renamed = !same_name(&account.name, &desired.name);
        if renamed {
            self.may_rename(account, desired).await?;
            changes.insert("Name".to_owned(), desired.name.as_str().into());
        }
        // Who leaves is cut off before anything else; who comes back gets in when all is in place.
        if toggle == Some(false) {
            self.set_disabled(account, true).await?;
        }
        if !changes.is_empty() {
            self.change(account, desired, changes, renamed).await?;
        }
        if toggle == Some(true) {
            self.set_disabled(account, false).await?;
        }
        Ok(applied(&account.id))
    }

    pub(super) async fn set_disabled(&self, account: &Account, disabled: bool) -> Result<(), ApplyError> {
        let states = if !disabled && self.config.clear_lock_on_enable {
            States::default()
        } else {
            account.states.with_disabled(disabled)
        };
        Ok(self.platform.set_states(&account.id, &states).await?)
    }

    async fn change(
        &self,
        account: &Account,
        desired: &Desired,
        changes: Map<String, Value>,
        renamed: bool,
    ) -> Result<(), ApplyError> {
        match self.platform.change_account(&account.id, changes).await {
            Ok(()) => {}
            Err(failure) if renamed && failure.class() == Some(Class::Duplicate) => {
                return Err(not_adopted(Kind::Account, "", &desired.name, "a rename never adopts"));
            }
            // Repeating it does no harm, so what is in doubt is simply later.
            Err(failure) => return Err(failure.into()),
        }
        if renamed {
            // The next look-up by name must not find the old one. Other fields may lag: they hold nothing up.
            let look = || async {
                let found = self.platform.account(&account.id).await?;
                Ok(found.filter(|found| same_name(&found.name, &desired.name)))
            };
            let seen = self.read_back(CHANGE_USER, look).await;
            seen.ok_or(Failure::Uncertain { method: CHANGE_USER })?;
        }
        Ok(())
    }

    /// Creates the account. Whatever is in doubt afterwards is looked for, and never sent again by this request.
    async fn create(&self, desired: &Desired, fresh: bool) -> Result<Outcome, ApplyError> {
        let mut fields = desired.to_create();
        let flags = [
            ("InEverybodyRole", self.config.in_everybody),
            ("ServiceUser", false),
            ("SendEmailInvite", false),
            ("SendSmsInvite", false),
        ];
        fields.extend(flags.map(|(name, value)| (name.to_owned(), value.into())));
        let password = password::generate(usize::from(self.config.password_length));
        let in_doubt = match self.platform.create_account(fields, &password).await {
            Ok(Some(id)) => {
                if desired.active == Some(false) {
                    let states = States::default().with_disabled(true);
                    self.platform.set_states(&id, &states).await?;
                }
                return Ok(applied(&id));
            }
            Ok(None) => Failure::Uncertain { method: CREATE_USER },
            Err(failure) if failure.class() == Some(Class::Duplicate) && fresh => {
                return Err(self.taken(desired).await);
            }
            // Under an older intent, what has the name by now is what that intent left.
            Err(failure) if failure.class() == Some(Class::Duplicate) => failure,
            Err(failure) if failure.in_doubt() => failure,
            Err(failure) => return Err(failure.into()),
        };
        let look = || async {
            let found = self.platform.accounts_named(&desired.name).await?;
            Ok((!found.is_empty()).then_some(found))
        };
        let Some(found) = self.read_back(CREATE_USER, look).await else {
            tracing::warn!(failure = %in_doubt, "a create is in doubt and nothing was found yet");
            return Err(Failure::Uncertain { method: CREATE_USER }.into());
        };
        let [one] = &found[..] else {
            return Err(ApplyError::Ambiguous {
                kind: Kind::Account,
                name: desired.name.clone(),
            });
        };
        let account = self.platform.account(&one.id).await?;
        let account = account.ok_or(Failure::Uncertain { method: CREATE_USER })?;
        self.match_account(&account, desired).await
    }

    /// The name was free a moment ago, and the Platform says that it is taken: by somebody else, then.
    async fn taken(&self, desired: &Desired) -> ApplyError {
        let holder = match self.platform.accounts_named(&desired.name).await {
            Ok(found) => found.into_iter().next(),
            Err(failure) if failure.is_later() => return failure.into(),
            Err(_) => None,
        };
        let why = "somebody made it after the name was found free, or it is not visible to the service user";
        match holder {
            Some(holder) => not_adopted(Kind::Account, &holder.id, &holder.name, why),
            None => not_adopted(Kind::Account, "", &desired.name, why),
        }
    }
}
