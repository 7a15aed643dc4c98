//! What may be done to an account, before anything is: touched, disabled, renamed, adopted, created.

use proto::adapter::v1::Adoption;

use crate::{
    config::DirectoryPolicy,
    error::{ApplyError, Kind},
    mapping::{self, Desired},
    platform::{
        accounts::{Account, Listed},
        object_id::Backend,
        rpc::tenant::{Federation, Suffixes},
        same_id,
    },
};

use super::{NEVER_ADOPTED, RENAME_NEVER_ADOPTS, Tenant, not_adopted};

impl Tenant {
    /// Whether an account may be touched at all.
    pub(super) fn guard(&self, account: &Account) -> Result<(), ApplyError> {
        if self.is_caller(&account.id, &account.name) {
            return Err(protected(
                account,
                "it is the service user that this gateway calls with",
            ));
        }
        if account.local == Some(false) && !self.config.backends.touch_non_cds {
            return Err(protected(
                account,
                "it belongs to another directory and cannot be written here",
            ));
        }
        Ok(())
    }

    /// Whether an account that is known by an intent alone can be ours: what we create is neither a service user nor an
    /// administrator.
    pub(super) async fn can_be_ours(&self, listed: &Listed, account: &Account) -> Result<(), ApplyError> {
        self.guard(account)?;
        let why = if is_service_user(listed, account) == Some(true) {
            "it stands where an account of ours may have been created, but it is a service user"
        } else if self.platform.is_system_administrator(&account.id).await? == Some(true) {
            "it stands where an account of ours may have been created, but it is a system administrator"
        } else {
            return Ok(());
        };
        Err(protected(account, why))
    }

    /// Whether an account that is known by an intent alone may be removed or disabled: what cannot be told is in the way.
    pub(super) async fn is_surely_ordinary(&self, listed: &Listed, account: &Account) -> Result<(), ApplyError> {
        self.guard(account)?;
        let ordinary = is_service_user(listed, account) == Some(false)
            && self.platform.is_system_administrator(&account.id).await? == Some(false);
        if ordinary {
            return Ok(());
        }
        Err(protected(
            account,
            "it stands where an account of ours may have been created, but it is a service user or a system \
             administrator, or that cannot be told",
        ))
    }

    /// Whether an account may be disabled or removed.
    pub(super) fn guard_name(&self, account: &Account) -> Result<(), ApplyError> {
        if !self.config.is_protected(&account.name) {
            return Ok(());
        }
        Err(protected(account, "its name is protected (PROTECTED_NAMES)"))
    }

    pub(super) async fn may_rename(&self, account: &Account, desired: &Desired) -> Result<(), ApplyError> {
        if !self.config.allow_rename {
            return Err(ApplyError::RenameOff {
                from: account.name.clone(),
                to: desired.name.clone(),
            });
        }
        self.may_have_name(Kind::Account, &desired.name, Adoption::Never)?;
        self.check_suffix(&desired.name).await?;
        let holders = self.accounts_named(Backend::of(&account.id).0, &desired.name).await?;
        match holders.iter().find(|holder| !same_id(&holder.id, &account.id)) {
            Some(other) => Err(not_adopted(Kind::Account, &other.id, &other.name, RENAME_NEVER_ADOPTS)),
            None => Ok(()),
        }
    }

    pub(super) async fn may_adopt(
        &self,
        adoption: Adoption,
        listed: &Listed,
        account: &Account,
    ) -> Result<(), ApplyError> {
        let refuse = |why| Err(not_adopted(Kind::Account, &listed.id, &listed.name, why));
        if matches!(adoption, Adoption::Never | Adoption::Unspecified) {
            return refuse(NEVER_ADOPTED);
        }
        if self.is_caller(&listed.id, &listed.name) {
            return refuse("it is the service user that this gateway calls with");
        }
        let foreign = listed.local.or(account.local) == Some(false);
        if foreign && !(self.config.backends.touch_non_cds && adoption == Adoption::Listed) {
            return refuse("it belongs to another directory and cannot be written here");
        }
        if adoption == Adoption::Listed {
            return Ok(());
        }
        match is_service_user(listed, account) {
            Some(false) => {}
            Some(true) => return refuse("it is a service user; only its name on the list of adopted names takes it"),
            None => {
                return refuse(
                    "whether it is a service user cannot be told; its name on the list of adopted names takes it",
                );
            }
        }
        if self.config.is_protected(&listed.name) {
            return refuse("its name is protected (PROTECTED_NAMES)");
        }
        match self.platform.is_system_administrator(&listed.id).await? {
            Some(false) => Ok(()),
            Some(true) => refuse("it is a system administrator; only its name on the list of adopted names takes it"),
            None => refuse(
                "whether it is a system administrator cannot be told; its name on the list of adopted names takes it",
            ),
        }
    }

    /// Whether a local account of that name may be created, before anybody records that it will be.
    pub(super) async fn may_create(&self, desired: &Desired) -> Result<(), ApplyError> {
        match self.config.directory_policy {
            DirectoryPolicy::CreateLocal => {}
            DirectoryPolicy::AdoptOnly => {
                return Err(ApplyError::DirectoryPolicy(
                    "DIRECTORY_POLICY allows existing accounts only",
                ));
            }
            DirectoryPolicy::Ask => match self.platform.rpc.federation().await? {
                Federation::Absent => {}
                Federation::Present => {
                    return Err(ApplyError::DirectoryPolicy(
                        "the tenant has a federation, and a local account beside a federated login may double a person; \
                         decide by DIRECTORY_POLICY (create_local or adopt_only)",
                    ));
                }
                Federation::Unknown => {
                    return Err(ApplyError::DirectoryPolicy(
                        "whether the tenant has a federation cannot be told; decide by DIRECTORY_POLICY (create_local or \
                         adopt_only)",
                    ));
                }
            },
        }
        self.check_suffix(&desired.name).await
    }

    async fn check_suffix(&self, name: &str) -> Result<(), ApplyError> {
        if !self.config.suffix_check {
            return Ok(());
        }
        match &*self.platform.rpc.suffixes().await? {
            Suffixes::Known(known) if !known.contains(&mapping::suffix(name).to_lowercase()) => {
                Err(ApplyError::UnknownSuffix {
                    suffix: mapping::suffix(name).to_owned(),
                })
            }
            _ => Ok(()),
        }
    }
}

fn protected(account: &Account, why: &'static str) -> ApplyError {
    ApplyError::Protected {
        kind: Kind::Account,
        id: account.id.clone(),
        why,
    }
}

/// Whether a program signs in with an account; `None` when the Platform does not say.
fn is_service_user(listed: &Listed, account: &Account) -> Option<bool> {
    listed.service_user.or_else(|| account.attributes.flag("ServiceUser"))
}
