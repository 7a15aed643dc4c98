//! What may be done to an account, before anything is: touched, disabled, renamed, adopted, created.

use proto::adapter::v1::Adoption;

use crate::{
    config::DirectoryPolicy,
    error::{ApplyError, Kind},
    mapping::{self, Desired},
    platform::{
        same_id,
        tenant::{Federation, Suffixes},
        users::{Account, Listed},
    },
};

use super::{NEVER_ADOPTED, Tenant, not_adopted};

impl Tenant {
    /// Whether an account may be touched at all.
    pub(super) fn guard(&self, account: &Account) -> Result<(), ApplyError> {
        let protected = |why| {
            Err(ApplyError::Protected {
                kind: Kind::Account,
                id: account.id.clone(),
                why,
            })
        };
        if self.is_caller(&account.name) {
            return protected("it is the service user that this gateway calls with");
        }
        if account.local == Some(false) {
            return protected("it belongs to another directory and cannot be written here");
        }
        Ok(())
    }

    /// Whether an account may be disabled or removed.
    pub(super) fn guard_name(&self, account: &Account) -> Result<(), ApplyError> {
        if !self.config.is_protected(&account.name) {
            return Ok(());
        }
        let why = "its name is protected (PROTECTED_NAMES)";
        Err(ApplyError::Protected {
            kind: Kind::Account,
            id: account.id.clone(),
            why,
        })
    }

    pub(super) async fn may_rename(&self, account: &Account, desired: &Desired) -> Result<(), ApplyError> {
        if !self.config.allow_rename {
            return Err(ApplyError::RenameOff {
                from: account.name.clone(),
                to: desired.name.clone(),
            });
        }
        self.check_suffix(&desired.name).await?;
        let holders = self.platform.accounts_named(&desired.name).await?;
        match holders.iter().find(|holder| !same_id(&holder.id, &account.id)) {
            Some(other) => Err(not_adopted(
                Kind::Account,
                &other.id,
                &other.name,
                "a rename never adopts",
            )),
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
        if self.is_caller(&listed.name) {
            return refuse("it is the service user that this gateway calls with");
        }
        if listed.service_user {
            return refuse("it is a service user");
        }
        if listed.local.or(account.local) == Some(false) {
            return refuse("it belongs to another directory and cannot be written here");
        }
        if adoption == Adoption::Listed {
            return Ok(());
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
            DirectoryPolicy::Ask => match self.platform.federation().await? {
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
        match &*self.platform.suffixes().await? {
            Suffixes::Known(known) if !known.contains(&mapping::suffix(name).to_lowercase()) => {
                Err(ApplyError::UnknownSuffix {
                    suffix: mapping::suffix(name).to_owned(),
                })
            }
            _ => Ok(()),
        }
    }
}
