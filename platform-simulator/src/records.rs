//! What the tenant holds, in the Platform's own field names: accounts, groups and members. One form serves the journal,
//! `/_sim/state` and the handlers. It knows no rule.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The directory service of cloud (local) users; the same on every tenant seen.
pub(crate) const CDS_UUID: &str = "09B9A9B0-6CE8-465F-AB03-65766D33B05E";
/// The directory service of federated users; the same on every tenant seen.
pub(crate) const FDS_UUID: &str = "C30B30B1-0B46-49AC-8D99-F6279EED7999";
/// The literal id of the built-in group of everybody.
pub(crate) const EVERYBODY: &str = "Everybody";
/// The literal id of the built-in group of system administrators.
pub(crate) const SYSADMIN: &str = "sysadmin";

/// One account, in the field names of the Platform. It has no field for a password: none is ever kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct User {
    /// Its id, which never changes.
    #[serde(rename = "ID")]
    pub id: String,
    /// The login name with its suffix.
    pub name: String,
    /// The mail address.
    pub mail: String,
    /// The name shown to people.
    pub display_name: String,
    /// `None`, or a comma list of `Locked`, `Disabled`, `Expired`.
    pub state: String,
    /// Free text.
    pub description: String,
    /// The office telephone.
    pub office_number: String,
    /// The mobile telephone.
    pub mobile_number: String,
    /// The home telephone.
    pub home_number: String,
    /// The language tag.
    pub preferred_culture: String,
    /// The id of the manager's account.
    pub reports_to: String,
    /// When the account ends, as the client wrote it.
    pub account_exp: String,
    /// The account whose second factor stands in for this one's.
    pub cma_redirected_user_uuid: String,
    /// Whether it stands for a program, not a person.
    pub service_user: bool,
    /// Whether it may ask for tokens.
    pub oauth_client: bool,
    /// Whether it was put into the group of everybody when it was made.
    pub in_everybody_role: bool,
    /// Whether the password never ends.
    pub password_never_expire: bool,
    /// Whether the password must be changed at the next login.
    pub force_password_change_next: bool,
    /// Whether the cloud lock is set, which cuts sessions and tokens.
    pub cloud_locked: bool,
    /// The directory it comes from: `CDS` (local) or `FDS` (federated).
    pub source_ds: String,
    /// Whether the tenant came with it.
    pub built_in: bool,
    /// When it was made, in milliseconds since 1970.
    pub create_date: i64,
    /// Moves with each change of this account.
    pub version: u64,
    /// When its person last logged in, in milliseconds since 1970; 0: never.
    #[serde(skip_serializing_if = "is_zero")]
    pub last_login: i64,
    /// How many sessions its person has.
    #[serde(skip_serializing_if = "no_session")]
    pub sessions: u64,
    /// The id that a SCIM client gave it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub external_id: String,
    /// The given name, which only SCIM clients tell.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub given_name: String,
    /// The family name, which only SCIM clients tell.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub family_name: String,
}

impl User {
    /// Whether it lives in the tenant's own directory.
    pub fn is_local(&self) -> bool {
        self.source_ds == "CDS"
    }

    /// The id of the directory it comes from.
    pub fn directory_uuid(&self) -> &'static str {
        if self.is_local() { CDS_UUID } else { FDS_UUID }
    }

    /// The name of the directory it comes from.
    pub fn directory_name(&self) -> &'static str {
        if self.is_local() {
            "Delinea Directory"
        } else {
            "Federated Directory"
        }
    }

    /// The word that reports show for its state.
    pub fn status(&self) -> &str {
        match self.state.as_str() {
            "None" | "" => "Active",
            state if state.contains("Disabled") => "Disabled",
            state => state.split(',').next().unwrap_or(state),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(time: &i64) -> bool {
    *time == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn no_session(sessions: &u64) -> bool {
    *sessions == 0
}

/// What kind of principal a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// An account.
    User,
    /// A group of an outer directory.
    Group,
    /// Another group of this tenant, which the API calls a role.
    Role,
}

/// One principal in a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Member {
    /// The principal's id.
    pub guid: String,
    /// The principal's kind.
    #[serde(rename = "Type")]
    pub kind: Kind,
}

/// One group, which the API calls a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Group {
    /// Its id, opaque.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name, unique without regard to letter case.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Whether the tenant came with it; such a group cannot be edited.
    pub built_in: bool,
    /// Its members.
    #[serde(default)]
    pub members: BTreeSet<Member>,
}

/// How names and ids are compared: without regard to letter case.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}
