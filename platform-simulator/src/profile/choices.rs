//! The fields of a profile that are one of a few words, or a pair.

use serde::{Deserialize, Serialize};

/// The shape of `Result` after a creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CreateResult {
    /// The id itself.
    String,
    /// An object with the id in `ID` (users) or `_RowKey` (groups).
    Object,
}

/// The spelling of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnCasing {
    /// `displayname`, as seen on modern tenants; `ID` stays as it is.
    Lower,
    /// `DisplayName`, as in older samples.
    Pascal,
}

/// Which calls write groups. `SaasManage/DeleteRole` and `DeleteRoles` belong to both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoleWrites {
    /// Both families.
    #[serde(rename = "rpc")]
    Rpc,
    /// `Roles/StoreRole` and `Roles/UpdateRole`; the other family is a bare 404.
    #[serde(rename = "roles")]
    Roles,
    /// `SaasManage/StoreRole`, `UpdateRole`, `AddUsersAndGroupsToRole` and `RemoveUsersAndGroupsFromRole`; the other family
    /// is a bare 404.
    #[serde(rename = "saas")]
    Saas,
    /// None: each such call is a bare 404.
    #[serde(rename = "404")]
    NotExposed,
}

/// The ids that objects have over SCIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScimIds {
    /// The same as over RPC.
    Same,
    /// Others, which never change either.
    Own,
}

/// A right that a service user may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// To write accounts.
    UserManagement,
    /// To write groups.
    RoleManagement,
    /// To read either.
    Read,
}

/// The answer where a right is lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Denial {
    /// `success:false` with the text `denied`; over SCIM 403.
    #[serde(rename = "failure")]
    Failure,
    /// A bare 404.
    #[serde(rename = "404")]
    NotFound,
}

/// The answer to too many calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateLimitAnswer {
    /// 429.
    #[serde(rename = "429")]
    TooManyRequests,
    /// 503.
    #[serde(rename = "503")]
    Unavailable,
}

/// What happens to a batch with an id that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPrincipals {
    /// Nothing of the batch is done, and it fails.
    FailBatch,
    /// The rest is done, and the call succeeds.
    Skip,
    /// The rest is done, and the call fails all the same.
    FailAfterRest,
}

/// What a change of a login name does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Renames {
    /// It renames.
    Allowed,
    /// It fails.
    Refused,
    /// The call succeeds, and the name stays.
    Ignored,
}

/// What happens to fields that a change does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnsentFields {
    /// They stay.
    Kept,
    /// They are cleared, as where the whole object is wanted.
    Cleared,
}

/// What happens to fields that are not the Platform's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownFields {
    /// Nothing.
    Ignored,
    /// The call fails.
    Refused,
}

/// What clears a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClearWith {
    /// The empty string; null leaves the field alone.
    Empty,
    /// Null; the empty string leaves the field alone.
    Null,
    /// Either.
    Both,
}

/// A value of an outer directory's group, and the group that it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct GroupMapping {
    /// The value that the identity provider sends.
    pub attribute_value: String,
    /// The name of the group.
    pub group_name: String,
}
