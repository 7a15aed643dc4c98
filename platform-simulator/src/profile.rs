//! What differs from tenant to tenant, or is not known of any: the shapes, rules, delays and texts of the simulated one.
//! Set at start from a file and at run time under `/_sim/profile`; each field has a default, unknown ones are refused.

use serde::{Deserialize, Serialize};

/// How this tenant behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// What `CreateUser` and `Roles/StoreRole` answer: the bare id, or an object that holds it.
    pub create_result: CreateResult,
    /// Whether the ids of new groups have underscores in place of dashes.
    pub role_id_underscores: bool,
    /// How columns of reports and queries are spelled.
    pub column_casing: ColumnCasing,
    /// Whether calls that write groups are exposed.
    pub role_writes: RoleWrites,
    /// Whether `RedRock/Query` is exposed.
    pub redrock: bool,
    /// Whether lists say how many rows there are in all.
    pub full_count: bool,
    /// Whether the attributes of an account say whose they are.
    pub attributes_identify: bool,
    /// Whether lists of accounts say which are service users.
    pub service_user_column: bool,
    /// Whether a local account may have the login name of a federated one.
    pub local_beside_federated: bool,
    /// The login suffixes that exist; empty: any is accepted, and none is listed.
    pub suffixes: Vec<String>,
    /// Whether the tenant has a federation.
    pub federation: bool,
    /// For how many milliseconds readers still see the old `DisplayName`.
    pub display_name_lag_ms: u64,
    /// For how many milliseconds reports and queries may answer from their cache, unless `Caching` is negative.
    pub query_lag_ms: u64,
    /// Whether reports obey a negative `Caching` as queries do.
    pub reports_obey_caching: bool,
    /// How many seconds a token lives.
    pub token_lifetime_s: u64,
    /// How many milliseconds each call takes before anything else.
    pub latency_ms: u64,
    /// Calls per second above which the answer is 429; 0: no limit.
    pub max_rps: u32,
    /// What an unknown id does to the batch it is in.
    pub unknown_principals: UnknownPrincipals,
    /// What clears a field in `ChangeUser`.
    pub clear_with: ClearWith,
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
            create_result: CreateResult::String,
            role_id_underscores: true,
            column_casing: ColumnCasing::Lower,
            role_writes: RoleWrites::Rpc,
            redrock: true,
            full_count: true,
            attributes_identify: true,
            service_user_column: true,
            local_beside_federated: true,
            suffixes: Vec::new(),
            federation: false,
            display_name_lag_ms: 0,
            query_lag_ms: 0,
            reports_obey_caching: true,
            token_lifetime_s: 3600,
            latency_ms: 0,
            max_rps: 0,
            unknown_principals: UnknownPrincipals::FailBatch,
            clear_with: ClearWith::Empty,
            password_required: true,
            password_min_length: 8,
            mail_required: true,
            texts: Texts::default(),
        }
    }
}

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

/// Whether groups can be written by RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoleWrites {
    /// They can.
    #[serde(rename = "rpc")]
    Rpc,
    /// Each such call is a bare 404.
    #[serde(rename = "404")]
    NotExposed,
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

/// The words of each failure; `{}` stands for the name or id it is about. No real text is public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is the text of the failure it is named after")]
pub struct Texts {
    pub duplicate_user: String,
    pub duplicate_group: String,
    pub unknown_suffix: String,
    pub unknown_user: String,
    pub unknown_group: String,
    pub unknown_principal: String,
    pub unknown_report: String,
    pub missing_parameter: String,
    pub invalid_parameter: String,
    pub weak_password: String,
    pub built_in_group: String,
    pub system_administrator: String,
    pub remove_caller: String,
    pub not_local: String,
    pub unsupported_query: String,
}

impl Default for Texts {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            duplicate_user: text("The user name {} is already in use."),
            duplicate_group: text("A role with the name {} already exists."),
            unknown_suffix: text("The login suffix {} is not valid for this tenant."),
            unknown_user: text("User {} not found."),
            unknown_group: text("Role {} not found."),
            unknown_principal: text("The principal {} does not exist."),
            unknown_report: text("Report {} not found."),
            missing_parameter: text("The parameter {} is missing or empty."),
            invalid_parameter: text("The parameter {} is not valid."),
            weak_password: text("The password does not meet the policy."),
            built_in_group: text("The built-in role {} cannot be modified."),
            system_administrator: text("The default system administrator {} cannot be disabled or removed."),
            remove_caller: text("You cannot remove your own account."),
            not_local: text("User {} is not a cloud directory user."),
            unsupported_query: text("The query is not supported: {}"),
        }
    }
}
