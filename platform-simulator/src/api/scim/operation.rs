//! Which operation of the SCIM endpoint a request is aimed at, and what the log, faults and profiles call it.

use http::Method;

use crate::api::methods::{Effect, Family};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Operation {
    Config,
    ResourceTypes,
    Schemas,
    ListUsers,
    CreateUser,
    ReadUser,
    ReplaceUser,
    PatchUser,
    DeleteUser,
    ListGroups,
    CreateGroup,
    ReadGroup,
    ReplaceGroup,
    PatchGroup,
    DeleteGroup,
    Unknown,
}

impl Operation {
    /// The operation with these segments behind `/scim/v2`; a resource type is spelled in any letter case.
    pub(in crate::api) fn of(method: &Method, segments: &[&str]) -> Self {
        let (kind, has_id) = match segments {
            [kind] => (kind.to_ascii_lowercase(), false),
            [kind, _] => (kind.to_ascii_lowercase(), true),
            _ => return Self::Unknown,
        };
        match (method.as_str(), kind.as_str(), has_id) {
            ("GET", "serviceproviderconfig", false) => Self::Config,
            ("GET", "resourcetypes", false) => Self::ResourceTypes,
            ("GET", "schemas", false) => Self::Schemas,
            ("GET", "users", false) => Self::ListUsers,
            ("POST", "users", false) => Self::CreateUser,
            ("GET", "users", true) => Self::ReadUser,
            ("PUT", "users", true) => Self::ReplaceUser,
            ("PATCH", "users", true) => Self::PatchUser,
            ("DELETE", "users", true) => Self::DeleteUser,
            ("GET", "groups", false) => Self::ListGroups,
            ("POST", "groups", false) => Self::CreateGroup,
            ("GET", "groups", true) => Self::ReadGroup,
            ("PUT", "groups", true) => Self::ReplaceGroup,
            ("PATCH", "groups", true) => Self::PatchGroup,
            ("DELETE", "groups", true) => Self::DeleteGroup,
            _ => Self::Unknown,
        }
    }

    pub(in crate::api) fn name(self) -> &'static str {
        match self {
            Self::Config => "scim:GET /ServiceProviderConfig",
            Self::ResourceTypes => "scim:GET /ResourceTypes",
            Self::Schemas => "scim:GET /Schemas",
            Self::ListUsers => "scim:GET /Users",
            Self::CreateUser => "scim:POST /Users",
            Self::ReadUser => "scim:GET /Users/{id}",
            Self::ReplaceUser => "scim:PUT /Users/{id}",
            Self::PatchUser => "scim:PATCH /Users/{id}",
            Self::DeleteUser => "scim:DELETE /Users/{id}",
            Self::ListGroups => "scim:GET /Groups",
            Self::CreateGroup => "scim:POST /Groups",
            Self::ReadGroup => "scim:GET /Groups/{id}",
            Self::ReplaceGroup => "scim:PUT /Groups/{id}",
            Self::PatchGroup => "scim:PATCH /Groups/{id}",
            Self::DeleteGroup => "scim:DELETE /Groups/{id}",
            Self::Unknown => "scim:unknown",
        }
    }

    pub(in crate::api) fn effect(self) -> Option<Effect> {
        match self {
            Self::ListUsers | Self::ReadUser | Self::ListGroups | Self::ReadGroup => Some(Effect::Reads),
            Self::CreateUser | Self::ReplaceUser | Self::PatchUser | Self::DeleteUser => Some(Effect::Writes),
            Self::CreateGroup | Self::ReplaceGroup | Self::PatchGroup | Self::DeleteGroup => {
                Some(Effect::WritesRoles(Family::Both))
            }
            Self::Config | Self::ResourceTypes | Self::Schemas | Self::Unknown => None,
        }
    }
}
