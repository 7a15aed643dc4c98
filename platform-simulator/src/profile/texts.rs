//! The words of failures.

use serde::{Deserialize, Serialize};

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
    pub denied: String,
    pub rename_refused: String,
    pub name_too_long: String,
    pub batch_too_large: String,
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
            denied: text("You do not have the right to call {}."),
            rename_refused: text("The name of {} cannot be changed."),
            name_too_long: text("The name {} is too long."),
            batch_too_large: text("Too many items in one call: {}."),
        }
    }
}
