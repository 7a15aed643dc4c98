//! Which kind of tenant the simulated Platform plays, by the simulator's own names, and what follows for a campaign: what an administrator of
//! such a tenant sets, and which calls do there what others do elsewhere.

use std::fmt;

/// A kind of tenant. The simulator's `hostile` is none of them: its own faults would never be over, and nothing could be
/// compared in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Everything is exposed but SCIM.
    Default,
    /// RPC with `Roles/*`.
    Modern,
    /// RPC for accounts, SCIM for groups, with ids of their own.
    NoRoleWrites,
    /// RPC by the older calls.
    Heritage,
    /// SCIM alone.
    ScimOnly,
    /// `Modern` with a federation.
    Federated,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Default,
        Self::Modern,
        Self::NoRoleWrites,
        Self::Heritage,
        Self::ScimOnly,
        Self::Federated,
    ];

    /// The simulator's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Modern => "modern",
            Self::NoRoleWrites => "no-role-writes",
            Self::Heritage => "heritage",
            Self::ScimOnly => "scim-only",
            Self::Federated => "federated",
        }
    }

    /// What delinea-adapter is told of such a tenant: where there is a federation, or that cannot be asked, somebody has decided.
    pub(crate) fn adapter_flags(self) -> &'static [&'static str] {
        match self {
            Self::ScimOnly | Self::Federated => &["--directory-policy=create_local"],
            Self::Default | Self::Modern | Self::NoRoleWrites | Self::Heritage => &[],
        }
    }

    /// The calls that a bare 404 may strike, as the simulator's faults name them; `*` is any.
    pub(crate) fn calls(self) -> &'static [&'static str] {
        match self {
            Self::Default | Self::Modern | Self::Federated => &[
                "*",
                "CDirectoryService/CreateUser",
                "CDirectoryService/ChangeUser",
                "CDirectoryService/SetUserState",
                "UserMgmt/GetUserAttributes",
                "UserMgmt/RemoveUsers",
                "Report/RunReport",
                "Roles/StoreRole",
                "Roles/UpdateRole",
                "SaasManage/DeleteRole",
            ],
            Self::NoRoleWrites => &[
                "*",
                "CDirectoryService/CreateUser",
                "CDirectoryService/ChangeUser",
                "CDirectoryService/SetUserState",
                "UserMgmt/GetUserAttributes",
                "UserMgmt/RemoveUsers",
                "Report/RunReport",
                "scim:GET /Users",
                "scim:GET /Groups",
                "scim:GET /Groups/{id}",
                "scim:POST /Groups",
                "scim:PATCH /Groups/{id}",
                "scim:DELETE /Groups/{id}",
            ],
            Self::Heritage => &[
                "*",
                "CDirectoryService/CreateUser",
                "CDirectoryService/ChangeUser",
                "CDirectoryService/ChangeUserState",
                "UserMgmt/GetUserAttributes",
                "UserMgmt/RemoveUsers",
                "Report/RunReport",
                "SaasManage/StoreRole",
                "SaasManage/UpdateRole",
                "SaasManage/AddUsersAndGroupsToRole",
                "SaasManage/RemoveUsersAndGroupsFromRole",
                "SaasManage/DeleteRole",
            ],
            Self::ScimOnly => &[
                "*",
                "scim:GET /ServiceProviderConfig",
                "scim:GET /Users",
                "scim:GET /Users/{id}",
                "scim:POST /Users",
                "scim:PATCH /Users/{id}",
                "scim:DELETE /Users/{id}",
                "scim:GET /Groups",
                "scim:POST /Groups",
                "scim:PATCH /Groups/{id}",
                "scim:DELETE /Groups/{id}",
            ],
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
