//! One group: found by its link, by an intent or by its name; renamed or created where needed; then its batch of members
//! is put in and out. Its members are never read: there may be half a million.

use proto::adapter::v1::Adoption;

use crate::{
    error::{ApplyError, Kind},
    platform::{
        failure::{Class, Failure},
        roles::{Role, STORE_ROLE},
        same_id, same_name,
    },
};

use super::{Applied, NEVER_ADOPTED, Outcome, Standing, Tenant, members::Batch, not_adopted};

const RENAME_NEVER_ADOPTS: &str = "a rename never adopts";

impl Tenant {
    /// Makes the group match, and puts the batch of members in and out.
    pub(crate) async fn apply_group(
        &self,
        standing: Standing<'_>,
        name: &str,
        members: &Batch<'_>,
    ) -> Result<Outcome, ApplyError> {
        if let Some(id) = standing.link
            && let Some(role) = self.platform.role(id, Some(name)).await?
        {
            return self.match_group(&role, name, members, false).await;
        }
        for intent in standing.doubtful() {
            if let Some(role) = self.group_named(intent).await? {
                if !same_name(&role.name, name) && !standing.is_intended(name) {
                    // Without a link it is known by its name only: it must be found under the new one too, should
                    // this call fail after the rename.
                    self.name_is_free(&role, name).await?;
                    return Ok(Outcome::IntentRequired(name.to_owned()));
                }
                return self.match_group(&role, name, members, false).await;
            }
        }
        let fresh = standing.is_fresh(name);
        if fresh || standing.is_intended(name) {
            return self.create_group(name, members, fresh).await;
        }
        let Some(role) = self.group_named(name).await? else {
            return Ok(Outcome::IntentRequired(name.to_owned()));
        };
        self.may_adopt_group(standing.adoption, &role).await?;
        self.match_group(&role, name, members, true).await
    }

    /// The one group of that name.
    pub(super) async fn group_named(&self, name: &str) -> Result<Option<Role>, ApplyError> {
        let mut found = self.platform.roles_named(name).await?;
        if found.len() > 1 {
            return Err(ApplyError::Ambiguous {
                kind: Kind::Group,
                name: name.to_owned(),
            });
        }
        Ok(found.pop())
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
        self.guard_group(role)?;
        if role.name != name {
            self.rename_group(role, name).await?;
        }
        self.put_members(&role.id, members, adopted).await
    }

    async fn rename_group(&self, role: &Role, name: &str) -> Result<(), ApplyError> {
        self.name_is_free(role, name).await?;
        match self.platform.rename_role(&role.id, name).await {
            Err(failure) if failure.class() == Some(Class::Duplicate) => {
                Err(not_adopted(Kind::Group, "", name, RENAME_NEVER_ADOPTS))
            }
            renamed => Ok(renamed?),
        }
    }

    /// Whether no other group has the name that this one shall get.
    async fn name_is_free(&self, role: &Role, name: &str) -> Result<(), ApplyError> {
        let holders = self.platform.roles_named(name).await?;
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

    async fn may_adopt_group(&self, adoption: Adoption, role: &Role) -> Result<(), ApplyError> {
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
        match self.platform.role_members(&role.id).await? {
            Some(members) if members.is_empty() => Ok(()),
            Some(_) => refuse("it has members; only its name on the list of adopted names takes it"),
            None => refuse("whether it has members cannot be told; its name on the list of adopted names takes it"),
        }
    }

    /// Creates the group. Whatever is in doubt afterwards is looked for, and never sent again by this request.
    async fn create_group(&self, name: &str, members: &Batch<'_>, fresh: bool) -> Result<Outcome, ApplyError> {
        match self.platform.create_role(name).await {
            Ok(Some(id)) => return self.put_members(&id, members, false).await,
            Ok(None) => {}
            Err(failure) if failure.class() == Some(Class::Duplicate) && fresh => {
                return Err(self.group_taken(name).await);
            }
            Err(failure) if failure.class() == Some(Class::Duplicate) || failure.in_doubt() => {}
            Err(failure) => return Err(failure.into()),
        }
        let look = || async {
            let found = self.platform.roles_named(name).await?;
            Ok((!found.is_empty()).then_some(found))
        };
        let found = self
            .read_back(STORE_ROLE, look)
            .await
            .ok_or(Failure::Uncertain { method: STORE_ROLE })?;
        let [one] = &found[..] else {
            return Err(ApplyError::Ambiguous {
                kind: Kind::Group,
                name: name.to_owned(),
            });
        };
        self.match_group(one, name, members, false).await
    }

    async fn group_taken(&self, name: &str) -> ApplyError {
        let holder = match self.platform.roles_named(name).await {
            Ok(found) => found.into_iter().next(),
            Err(failure) if failure.is_later() => return failure.into(),
            Err(_) => None,
        };
        let why = "somebody made it after the name was found free, or it is not visible to the service user";
        match holder {
            Some(holder) => not_adopted(Kind::Group, &holder.id, &holder.name, why),
            None => not_adopted(Kind::Group, "", name, why),
        }
    }
}
