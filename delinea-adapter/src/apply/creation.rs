//! An account created, once the intent is on record; and what is made of an answer that did not come.

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::{
    config::PasswordSource,
    error::{ApplyError, Kind},
    mapping::Desired,
    password,
    platform::{
        accounts::States,
        failure::{Class, Failure},
        object_id::Backend,
        rpc::users::CREATE_USER,
    },
};

use super::{Outcome, TAKEN_MEANWHILE, Tenant, applied, found, refused_as_taken};

impl Tenant {
    /// Creates the account. Whatever is in doubt afterwards is looked for, and never sent again by this request.
    pub(super) async fn create(&self, desired: &Desired, fresh: bool) -> Result<Outcome, ApplyError> {
        let mut fields = desired.to_create();
        fields.extend(self.fixed_fields());
        let backend = self.platform.user_backend().await.map_err(ApplyError::from);
        let backend = backend.map_err(ApplyError::not_created)?;
        let sent = self.send_create(backend, fields).await;
        let in_doubt = match sent.map_err(ApplyError::not_created)? {
            Ok(Some(id)) => {
                if desired.active == Some(false) {
                    let states = States::default().with_disabled(true);
                    self.platform.put_states(&id, &states).await?;
                }
                return Ok(applied(&id));
            }
            Ok(None) => Failure::uncertain(CREATE_USER),
            Err(failure) if failure.class() == Some(Class::Duplicate) && fresh => {
                return Err(self.taken(backend, desired, &failure).await);
            }
            // Under an older intent, what has the name by now may be what that intent left.
            Err(failure) if failure.class() == Some(Class::Duplicate) => failure,
            Err(failure) if failure.in_doubt() => failure,
            Err(failure) => return Err(ApplyError::from(failure).not_created()),
        };
        let look = || async {
            let found = self.accounts_named(backend, &desired.name).await?;
            Ok((!found.is_empty()).then_some(found))
        };
        let Some(listed) = self.read_back(CREATE_USER, look).await else {
            tracing::warn!(scim.tenant = self.config.platform_tenant, failure = %in_doubt, "a create is in doubt and nothing was found yet");
            return Err(in_doubt.still_uncertain(CREATE_USER).into());
        };
        match &listed[..] {
            [one] => Ok(Outcome::Found(found(&one.id, &one.name, &desired.name))),
            _ => Err(ApplyError::Ambiguous {
                kind: Kind::Account,
                name: desired.name.clone(),
            }),
        }
    }

    /// What is the same in every new account.
    fn fixed_fields(&self) -> impl Iterator<Item = (String, Value)> {
        let accounts = &self.config.accounts;
        let flags = [
            ("InEverybodyRole", accounts.in_everybody),
            ("ServiceUser", false),
            ("SendEmailInvite", false),
            ("SendSmsInvite", false),
        ];
        let flags = flags
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::Bool(value)));
        let extra = accounts.extra_create_fields.iter();
        let extra = extra.map(|field| (field.name.0.clone(), field.value.clone()));
        let forced = accounts.force_change_field.iter();
        let forced = forced.map(|name| (name.0.clone(), Value::Bool(true)));
        flags.chain(extra).chain(forced)
    }

    /// Sends the create. A password that is refused as too weak is made once more, by whom the first was not; nothing was
    /// created then. The inner result is the create's, the outer one fails before anything was sent.
    async fn send_create(
        &self,
        backend: Backend,
        fields: Map<String, Value>,
    ) -> Result<Result<Option<String>, Failure>, ApplyError> {
        let first = match backend {
            Backend::Rpc => self.config.accounts.password_source,
            // The endpoint takes none, so none is asked for.
            Backend::Scim => PasswordSource::Local,
        };
        let (password, source) = match self.password(first).await? {
            Some(password) => (password, first),
            // The Platform makes none, for good: the account is worth more than who made its password.
            None => (password::generate(&self.config.accounts), PasswordSource::Local),
        };
        let sent = self.platform.create_account(backend, fields.clone(), &password).await;
        if !matches!(&sent, Err(failure) if failure.class() == Some(Class::WeakPassword)) {
            return Ok(sent);
        }
        let other = match (first, source) {
            // The Platform was asked already.
            (PasswordSource::Platform, PasswordSource::Local) => return Ok(sent),
            (_, PasswordSource::Platform) => PasswordSource::Local,
            (_, PasswordSource::Local) => PasswordSource::Platform,
        };
        let Some(password) = self.password(other).await? else {
            return Ok(sent);
        };
        tracing::info!(
            scim.tenant = self.config.platform_tenant,
            ?other,
            "a generated password was refused as too weak; another one is made elsewhere"
        );
        Ok(self.platform.create_account(backend, fields, &password).await)
    }

    /// A new password; `None` where the Platform makes none.
    async fn password(&self, source: PasswordSource) -> Result<Option<SecretString>, ApplyError> {
        let settings = &self.config.accounts;
        if source == PasswordSource::Local {
            return Ok(Some(password::generate(settings)));
        }
        match self.platform.rpc.generate_password(settings.password_length).await {
            Ok(password) => Ok(Some(password)),
            Err(failure) if failure.is_later() => Err(failure.into()),
            Err(failure) => {
                tracing::warn!(scim.tenant = self.config.platform_tenant, %failure, "the Platform makes no password");
                Ok(None)
            }
        }
    }

    /// The name was free a moment ago, and the Platform says that it is taken: by somebody else, then.
    async fn taken(&self, backend: Backend, desired: &Desired, refusal: &Failure) -> ApplyError {
        let holder = match self.accounts_named(backend, &desired.name).await {
            Ok(found) => found.into_iter().next(),
            Err(failure) if failure.is_later() => return ApplyError::from(failure).not_created(),
            Err(_) => None,
        };
        let holder = holder.map(|holder| (holder.id, holder.name));
        refused_as_taken(Kind::Account, holder, &desired.name, TAKEN_MEANWHILE, refusal)
    }
}
