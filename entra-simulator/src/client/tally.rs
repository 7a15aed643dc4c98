//! The kinds of requests, named after what Entra wants with them, and how many of each were sent.

use std::{collections::BTreeMap, fmt, time::Duration};

use reqwest::Method;
use serde::{Deserialize, Serialize};

/// What a request is for; each kind stands for one verb on one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RequestKind {
    /// R01 on users.
    TestUsers,
    /// R01 on groups.
    TestGroups,
    /// R03.
    MatchUser,
    /// R04.
    MatchGroup,
    /// R05 of a user.
    ReadUser,
    /// R05 of a group.
    ReadGroup,
    /// R07.
    CreateUser,
    /// R09, R10 and R11.
    UpdateUser,
    /// R13.
    SetManager,
    /// R12 of a user.
    DeleteUser,
    /// R08.
    CreateGroup,
    /// R14.
    UpdateGroup,
    /// R15, members in.
    AddMembers,
    /// R15, members out.
    RemoveMembers,
    /// R12 of a group.
    DeleteGroup,
    /// A page of users, for the comparison.
    ListUsers,
    /// A page of groups, for the comparison.
    ListGroups,
    /// A group with its members, for the comparison.
    ReadMembers,
}

impl RequestKind {
    /// The HTTP verb.
    pub fn method(self) -> Method {
        match self {
            Self::CreateUser | Self::CreateGroup => Method::POST,
            Self::UpdateUser | Self::SetManager | Self::UpdateGroup | Self::AddMembers | Self::RemoveMembers => {
                Method::PATCH
            }
            Self::DeleteUser | Self::DeleteGroup => Method::DELETE,
            _ => Method::GET,
        }
    }

    /// The collection that is spoken to.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::TestUsers
            | Self::MatchUser
            | Self::ReadUser
            | Self::CreateUser
            | Self::UpdateUser
            | Self::SetManager
            | Self::DeleteUser
            | Self::ListUsers => "Users",
            _ => "Groups",
        }
    }

    /// Whether such a request changes something.
    pub fn is_write(self) -> bool {
        self.method() != Method::GET
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TestUsers => "test connection, users (R01)",
            Self::TestGroups => "test connection, groups (R01)",
            Self::MatchUser => "match a user (R03)",
            Self::MatchGroup => "match a group (R04)",
            Self::ReadUser => "read a user (R05)",
            Self::ReadGroup => "read a group (R05)",
            Self::CreateUser => "create a user (R07)",
            Self::UpdateUser => "update a user (R09-R11)",
            Self::SetManager => "set or clear a manager (R13)",
            Self::DeleteUser => "delete a user (R12)",
            Self::CreateGroup => "create a group (R08)",
            Self::UpdateGroup => "update a group (R14)",
            Self::AddMembers => "add members (R15)",
            Self::RemoveMembers => "remove members (R15)",
            Self::DeleteGroup => "delete a group (R12)",
            Self::ListUsers => "list users (R17)",
            Self::ListGroups => "list groups",
            Self::ReadMembers => "read a group with members",
        })
    }
}

/// What the requests of one kind came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Of these, not answered with a success.
    pub failed: u64,
    /// 4xx answers without a SCIM error body; a 404 may come without one.
    pub without_scim_error: u64,
    /// Time until the answers were read, all together.
    pub total: Duration,
    /// The slowest.
    pub slowest: Duration,
}

/// The tallies of a run, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts(pub BTreeMap<RequestKind, Tally>);

impl Counts {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.0.values().map(|tally| tally.sent).sum()
    }

    /// All requests that change something.
    pub fn writes(&self) -> u64 {
        self.0
            .iter()
            .filter(|(kind, _)| kind.is_write())
            .map(|(_, tally)| tally.sent)
            .sum()
    }

    /// Requests of one kind.
    pub fn sent(&self, kind: RequestKind) -> u64 {
        self.0.get(&kind).map_or(0, |tally| tally.sent)
    }

    /// 4xx answers that lacked a SCIM error body.
    pub fn without_scim_error(&self) -> u64 {
        self.0.values().map(|tally| tally.without_scim_error).sum()
    }
}
