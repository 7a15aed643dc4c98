//! One group: found by its link, by an intent or by its name; renamed or created where needed; then its batch of members
//! is put in and out. Its members are never all read: there may be half a million.

use proto::adapter::v1::{Adoption, Found};

use crate::{
    error::{ApplyError, Kind},
    platform::{
        failure::{Class, Failure},
        groups::Role,
        object_id::Backend,
        rpc::roles::STORE_ROLE,
        same_id, same_name,
    },
};

use super::{
    Applied, NEVER_ADOPTED, Outcome, RENAME_NEVER_ADOPTS, Standing, TAKEN_MEANWHILE, Tenant, found, members::Batch,
    not_adopted, refused_as_taken,
};

/// What a group has on the Platform.
pub(super) enum Place {
    /// The group that is linked.
    Linked(Role),
    /// A group under an intent that is nobody else's.
    Intended(Role),
    /// A group under an intent, and nobody was asked whose it is.
    Unasked(Found),
    /// A group of the name that is not known to be ours.
    Strange(Role),
    /// Nothing.
    Free,
}

impl Tenant {
    /// Makes the group match, and puts the batch of members in and out.
    pub(crate) async fn apply_group(
        &self,
        standing: Standing<'_>,
        name: &str,
        members: &Batch<'_>,
    ) -> Result<Outcome, ApplyError> {
        let place = self
            .group_place(standing, name)
            .await
            .map_err(ApplyError::not_created)?;
        match place {
            Place::Linked(role) => self.match_group(&role, name, members, false).await,
            Place::Intended(role) => {
                if !same_name(&role.name, name) && !standing.is_intended(name) {
                    // Without a link it is known by its name only: it must be found under the new one too, should
                    // this call fail after the rename.
                    self.name_is_free(&role, name).await?;
                    return Ok(Outcome::IntentRequired(name.to_owned()));
                }
                self.match_group(&role, name, members, false).await
            }
            Place::Unasked(found) => Ok(Outcome::Found(found)),
            Place::Strange(role) => {
                self.may_adopt_group(standing.adoption, &role).await?;
                self.match_group(&role, name, members, true).await
            }
            Place::Free if standing.is_intended(name) => {
                self.create_group(name, members, standing.is_fresh(name)).await
            }
            Place::Free => Ok(Outcome::IntentRequired(name.to_owned())),
        }
    }

    pub(super) async fn group_place(&self, standing: Standing<'_>, name: &str) -> Result<Place, ApplyError> {
        if let Some(id) = standing.link
            && let Some(role) = self.platform.role(id, Some(name)).await?
        {
            return Ok(Place::Linked(role));
        }
        self.may_have_name(Kind::Group, name, standing.adoption)?;
        let backend = self.platform.group_backend().await?;
        for intent in standing.doubtful() {
            match self.group_named(backend, intent).await? {
                None => {}
                Some(role) if standing.is_confirmed(&role.id) => return Ok(Place::Intended(role)),
                Some(role) => return Ok(Place::Unasked(found(&role.id, &role.name, intent))),
            }
        }
        if standing.is_intended(name) {
            return Ok(Place::Free);
        }
        Ok(self
            .group_named(backend, name)
            .await?
            .map_or(Place::Free, Place::Strange))
    }

    /// The one group of that name.
    pub(super) async fn group_named(&self, backend: Backend, name: &str) -> Result<Option<Role>, ApplyError> {
        let mut found = self.platform.roles_named(backend, name).await?;
        if found.len() > 1 {
            return Err(ApplyError::Ambiguous {
                kind: Kind::Group,
                name: name.to_owned(),
            });
        }
        let Some(listed) = found.pop() else { return Ok(None) };
        // A report may still list what is gone.
        Ok(self.platform.role(&listed.id, Some(&listed.name)).await?)
    }

    /// Whether a group may be touched at all.
    pub(super) fn guard_group(&self, role: &Role) -> Result<(), ApplyError> {
        if role.built_in {
            let why = "it is built in";
            return Err(ApplyError::Protected {
                kind: Kind::Group,
                id: role.id.clone(),
                why,
            });
        }
        Ok(())
    }

    async fn match_group(
        &self,
        role: &Role,
        name: &str,
        members: &Batch<'_>,
        adopted: bool,
    ) -> Result<Outcome, ApplyError> {
        self.guard_group(role).map_err(ApplyError::not_created)?;
        if role.name != name {
            self.rename_group(role, name).await?;
        }
        self.put_members(&role.id, members, adopted).await
    }

    async fn rename_group(&self, role: &Role, name: &str) -> Result<(), ApplyError> {
        self.name_is_free(role, name).await.map_err(ApplyError::not_created)?;
        match self.platform.rename_role(&role.id, name).await {
            Ok(()) => Ok(()),
            Err(failure) if failure.class() == Some(Class::Duplicate) => {
                Err(refused_as_taken(Kind::Group, None, name, RENAME_NEVER_ADOPTS, &failure))
            }
            Err(failure) if failure.in_doubt() => Err(failure.into()),
            Err(failure) => Err(ApplyError::from(failure).not_created()),
        }
    }

    /// Whether no other group has the name that this one shall get.
    pub(super) async fn name_is_free(&self, role: &Role, name: &str) -> Result<(), ApplyError> {
        if !same_name(&role.name, name) {
            self.may_have_name(Kind::Group, name, Adoption::Never)?;
        }
        let holders = self.platform.roles_named(Backend::of(&role.id).0, name).await?;
        match holders.iter().find(|holder| !same_id(&holder.id, &role.id)) {
            Some(other) => Err(not_adopted(Kind::Group, &other.id, &other.name, RENAME_NEVER_ADOPTS)),
            None => Ok(()),
        }
    }

    async fn put_members(&self, id: &str, members: &Batch<'_>, adopted: bool) -> Result<Outcome, ApplyError> {
        let refused = self.change_members(id, members).await?;
        Ok(Outcome::Applied(Applied {
            id: Some(id.to_owned()),
            adopted,
            refused,
        }))
    }

    pub(super) async fn may_adopt_group(&self, adoption: Adoption, role: &Role) -> Result<(), ApplyError> {
        let refuse = |why| Err(not_adopted(Kind::Group, &role.id, &role.name, why));
        match adoption {
            Adoption::Never | Adoption::Unspecified => return refuse(NEVER_ADOPTED),
            _ if role.built_in => return refuse("it is built in"),
            Adoption::Listed => return Ok(()),
            Adoption::Matching => {}
        }
        if self.config.is_protected(&role.name) {
            return refuse("its name is protected (PROTECTED_NAMES)");
        }
        match self.platform.role_members(&role.id, 1).await? {
            Some(members) if members.list.is_empty() && members.complete => Ok(()),
            Some(members) if !members.list.is_empty() => {
                refuse("it has members; only its name on the list of adopted names takes it")
            }
            _ => refuse("whether it has members cannot be told; its name on the list of adopted names takes it"),
        }
    }

    /// Creates the group. Whatever is in doubt afterwards is looked for, and never sent again by this request.
    async fn create_group(&self, name: &str, members: &Batch<'_>, fresh: bool) -> Result<Outcome, ApplyError> {
        let backend = self.platform.group_backend().await.map_err(ApplyError::from);
        let backend = backend.map_err(ApplyError::not_created)?;
        let in_doubt = match self.platform.create_role(backend, name).await {
            Ok(Some(id)) => return self.put_members(&id, members, false).await,
            Ok(None) => Failure::uncertain(STORE_ROLE),
            Err(failure) if failure.class() == Some(Class::Duplicate) && fresh => {
                return Err(self.group_taken(backend, name, &failure).await);
            }
            Err(failure) if failure.class() == Some(Class::Duplicate) || failure.in_doubt() => failure,
            Err(failure) => return Err(ApplyError::from(failure).not_created()),
        };
        let look = || async {
            let found = self.platform.roles_named(backend, name).await?;
            Ok((!found.is_empty()).then_some(found))
        };
        let Some(listed) = self.read_back(STORE_ROLE, look).await else {
            return Err(in_doubt.still_uncertain(STORE_ROLE).into());
        };
        match &listed[..] {
            [one] => Ok(Outcome::Found(found(&one.id, &one.name, name))),
            _ => Err(ApplyError::Ambiguous {
                kind: Kind::Group,
                name: name.to_owned(),
            }),
        }
    }

    async fn group_taken(&self, backend: Backend, name: &str, refusal: &Failure) -> ApplyError {
        let holder = match self.platform.roles_named(backend, name).await {
            Ok(found) => found.into_iter().next(),
            Err(failure) if failure.is_later() => return ApplyError::from(failure).not_created(),
            Err(_) => None,
        };
        let holder = holder.map(|holder| (holder.id, holder.name));
        refused_as_taken(Kind::Group, holder, name, TAKEN_MEANWHILE, refusal)
    }
}
