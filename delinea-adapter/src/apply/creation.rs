//! An account created, once the intent is on record; and what is made of an answer that did not come.

use crate::{
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
        let flags = [
            ("InEverybodyRole", self.config.in_everybody),
            ("ServiceUser", false),
            ("SendEmailInvite", false),
            ("SendSmsInvite", false),
        ];
        fields.extend(flags.map(|(name, value)| (name.to_owned(), value.into())));
        let password = password::generate(usize::from(self.config.password_length));
        let backend = self.platform.user_backend().await.map_err(ApplyError::from);
        let backend = backend.map_err(ApplyError::not_created)?;
        let in_doubt = match self.platform.create_account(backend, fields, &password).await {
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
            tracing::warn!(failure = %in_doubt, "a create is in doubt and nothing was found yet");
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
