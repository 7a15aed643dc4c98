//! What differs from tenant to tenant, or is not known of any: the shapes, rules, delays and texts of the simulated one.
//! Set at start and at run time under `/_sim/profile`; each field has a default, unknown ones are refused. It decides
//! nothing itself: `api` asks it.

mod choices;
mod named;
mod source;
mod texts;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::faults::{FaultRule, names};
use crate::records::User;

pub use choices::{
    ClearWith, ColumnCasing, CreateResult, Denial, GroupMapping, RateLimitAnswer, Renames, Right, RoleWrites, ScimIds,
    UnknownFields, UnknownPrincipals, UnsentFields,
};
pub use named::{DEFAULT, NAMES, ProfileError};
pub use source::{NoSuchProfile, ProfileSource};
pub use texts::Texts;

/// How this tenant behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The named profile that it started from: fields left out have its values. Null: the defaults below.
    pub extends: Option<String>,

    /// Whether the RPC and REST calls are exposed; without them only tokens and SCIM are.
    pub rpc: bool,
    /// Calls that are a bare 404, such as `Controller/Method`, `Controller/*` or `entities/localusers`, and reports that
    /// do not exist, such as `report:user_byid`.
    pub hidden: Vec<String>,
    /// Which of the two families of calls that write groups is exposed.
    pub role_writes: RoleWrites,
    /// Whether `RedRock/Query` is exposed.
    pub redrock: bool,
    /// Whether `CDirectoryService/ChangeUserState` is exposed.
    pub change_user_state: bool,
    /// Whether the SCIM endpoint is there.
    pub scim: bool,
    /// Whether an object has the same id over SCIM as over RPC.
    pub scim_ids: ScimIds,
    /// The rights that the service user lacks.
    pub missing_permissions: Vec<Right>,
    /// How a call is answered that a right is lacking for.
    pub missing_permission_answer: Denial,

    /// What `CreateUser` and `Roles/StoreRole` answer: the bare id, or an object that holds it.
    pub create_result: CreateResult,
    /// Whether the ids of new groups have underscores in place of dashes.
    pub role_id_underscores: bool,
    /// How columns of reports and queries are spelled.
    pub column_casing: ColumnCasing,
    /// Whether lists say how many rows there are in all.
    pub full_count: bool,
    /// The most rows on a page, whatever is asked for; 0: no limit.
    pub max_page_size: usize,
    /// Whether the attributes of an account say whose they are.
    pub attributes_identify: bool,
    /// Whether lists of accounts say which are service users.
    pub service_user_column: bool,

    /// The login suffixes that exist; empty: any is accepted, and none is listed.
    pub suffixes: Vec<String>,
    /// Whether the tenant has a federation.
    pub federation: bool,
    /// Login names that the federation has from the start; accounts are made for them.
    pub federated_accounts: Vec<String>,
    /// Which values of the federation's groups stand for which groups of the tenant.
    pub group_mappings: Vec<GroupMapping>,
    /// Whether a federated account is invisible until its person has logged in once.
    pub federated_hidden_until_login: bool,
    /// Whether a local account may have the login name of a federated one.
    pub local_beside_federated: bool,

    /// For how many milliseconds readers still see the old `DisplayName`.
    pub display_name_lag_ms: u64,
    /// For how many milliseconds reports and queries may answer from their cache, unless `Caching` is negative.
    pub query_lag_ms: u64,
    /// Whether reports obey a negative `Caching` as queries do.
    pub reports_obey_caching: bool,
    /// For how many milliseconds reports and queries show groups as they were before a change.
    pub group_lag_ms: u64,

    /// The scope that a token is given for.
    pub token_scope: String,
    /// How many seconds a token lives.
    pub token_lifetime_s: u64,
    /// How many seconds the clock of this tenant is ahead, as the `Date` of its answers says; negative: behind.
    pub clock_skew_s: i64,

    /// How many milliseconds each call takes before anything else.
    pub latency_ms: u64,
    /// Up to so many milliseconds more, evenly spread.
    pub latency_jitter_ms: u64,
    /// So many milliseconds more for each other call that is under way.
    pub latency_per_call_ms: u64,
    /// What takes the place of `latency_ms` for some calls, by the names that faults use too; the longest name wins.
    pub latency_of: BTreeMap<String, u64>,
    /// Calls per second above which the answer is `rate_limit_answer`; 0: no limit.
    pub max_rps: u32,
    /// How many calls may come at once after a pause; 0: as many as in a second.
    pub rate_burst: u32,
    /// What too many calls are answered with.
    pub rate_limit_answer: RateLimitAnswer,
    /// The seconds in `Retry-After` of that answer; null: the header is left out.
    pub rate_retry_after_s: Option<u64>,
    /// Faults that belong to the tenant: rules behind those given at run time, which clearing those leaves alone.
    pub faults: Vec<FaultRule>,

    /// What an unknown id does to the batch it is in.
    pub unknown_principals: UnknownPrincipals,
    /// How many principals, accounts or groups one call may name; 0: no limit.
    pub max_batch: usize,
    /// Whether an account's login name can be changed.
    pub renames: Renames,
    /// What `ChangeUser` does with fields that are not sent.
    pub unsent_fields: UnsentFields,
    /// What `CreateUser` and `ChangeUser` do with fields that nobody knows.
    pub unknown_fields: UnknownFields,
    /// How many characters the name of an account or group may have; 0: no limit.
    pub max_name_length: usize,
    /// What clears a field in `ChangeUser`.
    pub clear_with: ClearWith,
    /// Whether the state `None` also ends `Locked`; otherwise it ends the other states only.
    pub none_clears_locked: bool,
    /// Whether disabling an account ends its sessions and tokens.
    pub disabling_ends_sessions: bool,
    /// Whether `CreateUser` wants a password.
    pub password_required: bool,
    /// The shortest password accepted.
    pub password_min_length: usize,
    /// Whether `CreateUser` wants a mail address.
    pub mail_required: bool,
    /// What failures say.
    pub texts: Texts,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            extends: None,
            rpc: true,
            hidden: Vec::new(),
            role_writes: RoleWrites::Rpc,
            redrock: true,
            change_user_state: false,
            scim: false,
            scim_ids: ScimIds::Same,
            missing_permissions: Vec::new(),
            missing_permission_answer: Denial::Failure,
            create_result: CreateResult::String,
            role_id_underscores: true,
            column_casing: ColumnCasing::Lower,
            full_count: true,
            max_page_size: 0,
            attributes_identify: true,
            service_user_column: true,
            suffixes: Vec::new(),
            federation: false,
            federated_accounts: Vec::new(),
            group_mappings: Vec::new(),
            federated_hidden_until_login: false,
            local_beside_federated: true,
            display_name_lag_ms: 0,
            query_lag_ms: 0,
            reports_obey_caching: true,
            group_lag_ms: 0,
            token_scope: "xpmheadless".to_owned(),
            token_lifetime_s: 3600,
            clock_skew_s: 0,
            latency_ms: 0,
            latency_jitter_ms: 0,
            latency_per_call_ms: 0,
            latency_of: BTreeMap::new(),
            max_rps: 0,
            rate_burst: 0,
            rate_limit_answer: RateLimitAnswer::TooManyRequests,
            rate_retry_after_s: Some(1),
            faults: Vec::new(),
            unknown_principals: UnknownPrincipals::FailBatch,
            max_batch: 0,
            renames: Renames::Allowed,
            unsent_fields: UnsentFields::Kept,
            unknown_fields: UnknownFields::Ignored,
            max_name_length: 0,
            clear_with: ClearWith::Empty,
            none_clears_locked: true,
            disabling_ends_sessions: false,
            password_required: true,
            password_min_length: 8,
            mail_required: true,
            texts: Texts::default(),
        }
    }
}

impl Profile {
    /// Whether the call or report of this name is taken away by name.
    pub(crate) fn hides(&self, name: &str) -> bool {
        self.hidden.iter().any(|pattern| names(pattern, name))
    }

    /// Whether anybody who asks the Platform gets to see the account.
    pub(crate) fn shows(&self, user: &User) -> bool {
        !self.federated_hidden_until_login || user.is_local() || user.last_login > 0
    }

    /// A page of this size, or of the largest that there is.
    pub(crate) fn page_size(&self, asked: usize) -> usize {
        match self.max_page_size {
            0 => asked,
            most => asked.min(most),
        }
    }

    /// The part of a call's latency that is always the same.
    pub(crate) fn fixed_latency_ms(&self, method: &str) -> u64 {
        let own = self.latency_of.iter().filter(|(pattern, _)| names(pattern, method));
        own.max_by_key(|(pattern, _)| pattern.len())
            .map_or(self.latency_ms, |(_, ms)| *ms)
    }
}
