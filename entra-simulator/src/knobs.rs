//! The dimensions in which live Entra jobs differ from one another, each a choice for the rehearsal.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How the simulated job speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knobs {
    /// Which of the two wire dialects PATCH requests use.
    pub dialect: Dialect,
    /// How booleans are written; none means as the dialect does it.
    pub booleans: Option<Booleans>,
    /// Whether POST writes booleans as PATCH does, and not as JSON booleans.
    pub string_booleans_in_post: bool,
    /// The attributes by which users are matched, tried in this order.
    pub matching: Vec<Matching>,
    /// The attribute by which groups are matched.
    pub group_matching: GroupMatching,
    /// The shape in which a manager is set; none means as the dialect does it.
    pub manager_set: Option<ManagerSet>,
    /// The shape in which a manager is cleared; none means as the dialect does it.
    pub manager_clear: Option<ManagerClear>,
    /// Members in one PATCH: 1 is what field logs show.
    pub members_per_patch: usize,
    /// How many membership PATCHes run at once, on one group or on several.
    pub member_width: usize,
    /// How many users or groups are worked on at once.
    pub object_width: usize,
    /// Whether a removal is followed by adds of members who are present already.
    pub redundant_adds: bool,
    /// How blanks in queries are written.
    pub query_coding: QueryCoding,
    /// Whether a flag on the tenant URL is sent along; Entra's engine keeps it to itself.
    pub append_flag: bool,
    /// The value of the `ADSCIMVersion` header; none leaves the header away.
    pub ad_scim_version: Option<String>,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// Whether a user is read again after being disabled, to see that it took effect.
    pub read_back_disabled: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            dialect: Dialect::Default,
            booleans: None,
            string_booleans_in_post: false,
            matching: vec![Matching::UserName],
            group_matching: GroupMatching::DisplayName,
            manager_set: None,
            manager_clear: None,
            members_per_patch: 1,
            member_width: 8,
            object_width: 8,
            redundant_adds: false,
            query_coding: QueryCoding::Plus,
            append_flag: false,
            ad_scim_version: Some("5.0".to_owned()),
            timeout: Duration::from_secs(30),
            read_back_disabled: true,
        }
    }
}

impl Knobs {
    /// The usual habits of a job that speaks this dialect.
    pub fn of(dialect: Dialect) -> Self {
        Self {
            dialect,
            ..Self::default()
        }
    }

    pub(crate) fn booleans(&self) -> Booleans {
        self.booleans.unwrap_or(match self.dialect {
            Dialect::Default => Booleans::Capitalised,
            Dialect::Flagged => Booleans::Json,
        })
    }

    pub(crate) fn manager_set(&self) -> ManagerSet {
        self.manager_set.unwrap_or(ManagerSet::Text)
    }

    pub(crate) fn manager_clear(&self) -> ManagerClear {
        self.manager_clear.unwrap_or(match self.dialect {
            Dialect::Default => ManagerClear::Remove,
            Dialect::Flagged => ManagerClear::RemoveFiltered,
        })
    }
}

/// The two wire dialects of Entra's SCIM jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Capitalised `op`, one operation for each attribute, booleans as strings (R09).
    Default,
    /// With `aadOptscim062020`: lower case, merged path-less operations, JSON booleans (R10).
    Flagged,
}

/// How a boolean is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booleans {
    /// `"True"` and `"False"`.
    Capitalised,
    /// `"true"` and `"false"`.
    LowerCase,
    /// JSON's own.
    Json,
}

/// An attribute by which a user is looked up (R03).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// `userName`.
    UserName,
    /// `externalId`.
    ExternalId,
    /// `emails[type eq "work"].value`.
    WorkEmail,
    /// The enterprise extension's `employeeNumber`.
    EmployeeNumber,
}

/// The attribute by which a group is looked up (R04).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupMatching {
    /// `displayName`.
    DisplayName,
    /// `externalId`.
    ExternalId,
}

/// The shapes in which a manager is set (R13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerSet {
    /// The id as a bare string under the full path.
    Text,
    /// `{"value": id}` under the full path.
    Object,
    /// `[{"$ref": url, "value": id}]` under the path `manager`.
    Array,
    /// A path-less operation whose key is the full path.
    Pathless,
}

/// The shapes in which a manager is cleared (R13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerClear {
    /// `Remove` with the full path.
    Remove,
    /// `remove` of `manager[value eq "id"]`.
    RemoveFiltered,
    /// `replace` with an empty string.
    EmptyText,
    /// `replace` with an object whose value is an empty string.
    EmptyObject,
}

/// How blanks in a query are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryCoding {
    /// `+`, as forms do it; what Entra sends.
    Plus,
    /// `%20`.
    Percent,
}
