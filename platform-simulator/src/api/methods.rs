//! Which calls there are, and which one a request is aimed at. The table is all that is exposed.

use http::request::Parts;

use super::{Call, core, lookup, members, redrock, reports, roles, users};
use crate::envelope::Outcome;

/// What a call does to the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Writes,
    /// Writes groups, which some tenants do not expose.
    WritesRoles,
}

pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    pub(super) handle: fn(&Call<'_>) -> Outcome,
}

const fn method(name: &'static str, effect: Effect, handle: fn(&Call<'_>) -> Outcome) -> Method {
    Method { name, effect, handle }
}

const METHODS: &[Method] = &[
    method("CDirectoryService/CreateUser", Effect::Writes, users::create),
    method("CDirectoryService/ChangeUser", Effect::Writes, users::change),
    method("CDirectoryService/SetUserState", Effect::Writes, users::set_state),
    method("CDirectoryService/GetUser", Effect::Reads, lookup::get),
    method("CDirectoryService/GetUserByName", Effect::Reads, lookup::get_by_name),
    method("UserMgmt/GetUserAttributes", Effect::Reads, lookup::attributes),
    method(
        "UserMgmt/GetUsersRolesAndAdministrativeRights",
        Effect::Reads,
        lookup::roles_and_rights,
    ),
    method("UserMgmt/RemoveUsers", Effect::Writes, users::remove_many),
    method("UserMgmt/RemoveUser", Effect::Writes, users::remove_one),
    method("UserMgmt/SetCloudLock", Effect::Writes, users::set_cloud_lock),
    method("UserMgmt/IsUserCloudLocked", Effect::Reads, lookup::is_cloud_locked),
    method("Core/GeneratePassword", Effect::Reads, core::generate_password),
    method("Core/GetCdsAliasesForTenant", Effect::Reads, core::aliases),
    method("Core/GetDirectoryServices", Effect::Reads, core::directory_services),
    method("Federation/GetFederations", Effect::Reads, core::federations),
    method("Report/RunReport", Effect::Reads, reports::run),
    method(REDROCK, Effect::Reads, redrock::query),
    method("Roles/StoreRole", Effect::WritesRoles, roles::store),
    method("Roles/UpdateRole", Effect::WritesRoles, roles::update),
    method("Roles/GetRoleMembers", Effect::Reads, members::all),
    method("Roles/GetPagedRoleMembers", Effect::Reads, members::paged),
    method("SaasManage/StoreRole", Effect::WritesRoles, roles::store_with_members),
    method("SaasManage/GetRole", Effect::Reads, roles::get),
    method("SaasManage/GetRoleMembers", Effect::Reads, members::all),
    method("SaasManage/AddUsersAndGroupsToRole", Effect::WritesRoles, members::add),
    method(
        "SaasManage/RemoveUsersAndGroupsFromRole",
        Effect::WritesRoles,
        members::remove,
    ),
    method("SaasManage/DeleteRole", Effect::WritesRoles, roles::delete),
    method("SaasManage/DeleteRoles", Effect::WritesRoles, roles::delete_many),
];
pub(super) const REDROCK: &str = "RedRock/Query";

/// What a request is aimed at.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Token,
    LocalUsers,
    Rpc(&'static Method),
    Unknown,
}

impl Target {
    /// The path may have doubled slashes, lack `api`, and spell controller and method in any letter case.
    pub(super) fn of(parts: &Parts) -> Self {
        let segments: Vec<_> = parts
            .uri
            .path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        let (["identity", "api", rest @ ..] | ["identity", rest @ ..]) = segments.as_slice() else {
            return Self::Unknown;
        };
        match (parts.method.as_str(), rest) {
            ("POST", ["oauth2", "token", "xpmplatform"]) => Self::Token,
            ("GET", ["entities", "localusers"]) => Self::LocalUsers,
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
            Self::LocalUsers => "entities/localusers",
            Self::Rpc(method) => method.name,
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn writes(self) -> Option<bool> {
        match self {
            Self::Rpc(method) => Some(method.effect != Effect::Reads),
            Self::LocalUsers => Some(false),
            Self::Token | Self::Unknown => None,
        }
    }
}
