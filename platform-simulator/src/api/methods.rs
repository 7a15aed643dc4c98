//! Which calls there are, and which one a request is aimed at. The table is all that is exposed.

use http::request::Parts;

use super::rest::Rest;
use super::scim::Operation;
use super::{Call, core, directory, lookup, members, redrock, removals, reports, roles, states, users};
use crate::envelope::Outcome;
use crate::profile::{Profile, Right, RoleWrites};

/// What a call does to the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Writes,
    /// Writes groups, by calls of this family.
    WritesRoles(Family),
}

impl Effect {
    /// The right that it takes.
    pub(super) fn right(self) -> Right {
        match self {
            Self::Reads => Right::Read,
            Self::Writes => Right::UserManagement,
            Self::WritesRoles(_) => Right::RoleManagement,
        }
    }
}

/// The two families of calls that write groups; some tenants expose one of them, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Roles,
    Saas,
    Both,
}

impl Family {
    fn exposed(self, writes: RoleWrites) -> bool {
        match writes {
            RoleWrites::Rpc => true,
            RoleWrites::Roles => self != Self::Saas,
            RoleWrites::Saas => self != Self::Roles,
            RoleWrites::NotExposed => false,
        }
    }
}

pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    pub(super) handle: fn(&Call<'_>) -> Outcome,
}

impl Method {
    fn exposed(&self, profile: &Profile) -> bool {
        match (self.effect, self.name) {
            (Effect::WritesRoles(family), _) => family.exposed(profile.role_writes),
            (_, REDROCK) => profile.redrock,
            (_, CHANGE_USER_STATE) => profile.change_user_state,
            _ => true,
        }
    }
}

const fn method(name: &'static str, effect: Effect, handle: fn(&Call<'_>) -> Outcome) -> Method {
    Method { name, effect, handle }
}

pub(super) const METHODS: &[Method] = &[
    method("CDirectoryService/CreateUser", Effect::Writes, users::create),
    method("CDirectoryService/ChangeUser", Effect::Writes, users::change),
    method("CDirectoryService/SetUserState", Effect::Writes, states::set_state),
    method(CHANGE_USER_STATE, Effect::Writes, states::change_state),
    method("CDirectoryService/GetUser", Effect::Reads, lookup::get),
    method("CDirectoryService/GetUserByName", Effect::Reads, lookup::get_by_name),
    method("UserMgmt/GetUserAttributes", Effect::Reads, lookup::attributes),
    method(
        "UserMgmt/GetUsersRolesAndAdministrativeRights",
        Effect::Reads,
        lookup::roles_and_rights,
    ),
    method("CDirectoryService/GetUsers", Effect::Reads, directory::all_local),
    method("UserMgmt/GetUserInfo", Effect::Reads, lookup::info),
    method("UserMgmt/DirectoryServiceQuery", Effect::Reads, directory::query),
    method("UserMgmt/ResetUserPassword", Effect::Writes, users::reset_password),
    method("UserMgmt/RemoveUsers", Effect::Writes, removals::remove_many),
    method("UserMgmt/RemoveUser", Effect::Writes, removals::remove_one),
    method("UserMgmt/SetCloudLock", Effect::Writes, states::set_cloud_lock),
    method("UserMgmt/IsUserCloudLocked", Effect::Reads, lookup::is_cloud_locked),
    method("Core/GeneratePassword", Effect::Reads, core::generate_password),
    method("Core/GetCdsAliasesForTenant", Effect::Reads, core::aliases),
    method("Core/GetAliasesForTenant", Effect::Reads, core::aliases),
    method("Core/GetDirectoryServices", Effect::Reads, core::directory_services),
    method("Federation/GetFederations", Effect::Reads, core::federations),
    method(
        "Federation/GetGlobalGroupAssertionMappings",
        Effect::Reads,
        core::group_mappings,
    ),
    method("Report/RunReport", Effect::Reads, reports::run),
    method(REDROCK, Effect::Reads, redrock::query),
    method("Roles/StoreRole", Effect::WritesRoles(Family::Roles), roles::store),
    method("Roles/UpdateRole", Effect::WritesRoles(Family::Roles), roles::update),
    method("Roles/GetRoleMembers", Effect::Reads, members::all),
    method("Roles/GetPagedRoleMembers", Effect::Reads, members::paged),
    method(
        "SaasManage/StoreRole",
        Effect::WritesRoles(Family::Saas),
        roles::store_with_members,
    ),
    method(
        "SaasManage/UpdateRole",
        Effect::WritesRoles(Family::Saas),
        roles::rename,
    ),
    method("SaasManage/GetRole", Effect::Reads, roles::get),
    method("SaasManage/GetRoleMembers", Effect::Reads, members::all),
    method(
        "SaasManage/AddUsersAndGroupsToRole",
        Effect::WritesRoles(Family::Saas),
        members::add,
    ),
    method(
        "SaasManage/RemoveUsersAndGroupsFromRole",
        Effect::WritesRoles(Family::Saas),
        members::remove,
    ),
    method(
        "SaasManage/DeleteRole",
        Effect::WritesRoles(Family::Both),
        roles::delete,
    ),
    method(
        "SaasManage/DeleteRoles",
        Effect::WritesRoles(Family::Both),
        roles::delete_many,
    ),
];
const REDROCK: &str = "RedRock/Query";
const CHANGE_USER_STATE: &str = "CDirectoryService/ChangeUserState";

/// What a request is aimed at.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Token,
    Rest(Rest),
    Rpc(&'static Method),
    Scim(Operation),
    Unknown,
}

impl Target {
    /// The path may have doubled slashes, lack `api`, and spell controller and method in any letter case.
    pub(super) fn of(parts: &Parts) -> Self {
        let segments = segments(parts);
        if let ["scim", "v2", rest @ ..] = segments.as_slice() {
            return Self::Scim(Operation::of(&parts.method, rest));
        }
        let (["identity", "api", rest @ ..] | ["identity", rest @ ..]) = segments.as_slice() else {
            return Self::Unknown;
        };
        match (parts.method.as_str(), rest) {
            ("POST", ["oauth2", "token", "xpmplatform"]) => Self::Token,
            ("GET", rest) => Rest::of(rest).map_or(Self::Unknown, Self::Rest),
            ("POST", [controller, name]) => METHODS
                .iter()
                .find(|method| {
                    method.name.split_once('/').is_some_and(|(its_controller, its_name)| {
                        its_controller.eq_ignore_ascii_case(controller) && its_name.eq_ignore_ascii_case(name)
                    })
                })
                .map_or(Self::Unknown, Self::Rpc),
            _ => Self::Unknown,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Rest(rest) => rest.name(),
            Self::Scim(operation) => operation.name(),
            Self::Rpc(method) => method.name,
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn writes(self) -> Option<bool> {
        self.effect().map(|effect| effect != Effect::Reads)
    }

    /// What it does; nothing is known of what is no call of the API.
    pub(super) fn effect(self) -> Option<Effect> {
        match self {
            Self::Rpc(method) => Some(method.effect),
            Self::Rest(_) => Some(Effect::Reads),
            Self::Scim(operation) => operation.effect(),
            Self::Token | Self::Unknown => None,
        }
    }

    /// Whether this tenant has the call at all.
    pub(super) fn exposed(self, profile: &Profile) -> bool {
        let offered = match self {
            Self::Token => return true,
            Self::Unknown => false,
            Self::Scim(_) => profile.scim,
            Self::Rest(_) => profile.rpc,
            Self::Rpc(method) => profile.rpc && method.exposed(profile),
        };
        offered && !profile.hides(self.name())
    }
}

/// The path, without its slashes.
pub(super) fn segments(parts: &Parts) -> Vec<&str> {
    let path = parts.uri.path();
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}
