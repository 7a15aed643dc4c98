//! The fields of an account, as calls send them.

use serde_json::Value;

use super::Call;
use super::params::text;
use crate::envelope::Failure;
use crate::profile::{ClearWith, UnknownFields, UnsentFields};
use crate::records::User;

/// A text field, by the name that clients send.
type TextField = (&'static str, fn(&mut User) -> &mut String);

const TEXTS: &[TextField] = &[
    ("Mail", |user| &mut user.mail),
    ("DisplayName", |user| &mut user.display_name),
    ("Description", |user| &mut user.description),
    ("OfficeNumber", |user| &mut user.office_number),
    ("MobileNumber", |user| &mut user.mobile_number),
    ("HomeNumber", |user| &mut user.home_number),
    ("PreferredCulture", |user| &mut user.preferred_culture),
    ("ReportsTo", |user| &mut user.reports_to),
    ("AccountExp", |user| &mut user.account_exp),
    ("CmaRedirectedUserUuid", |user| &mut user.cma_redirected_user_uuid),
];

/// The fields of an account beside its texts.
const OTHER_FIELDS: &[&str] = &[
    "ID",
    "Name",
    "LoginName",
    "Password",
    "confirmPassword",
    "PasswordNeverExpire",
    "ForcePasswordChangeNext",
    "InEverybodyRole",
    "InSysAdminRole",
    "ServiceUser",
    "OauthClient",
    "SendEmailInvite",
    "SendSmsInvite",
    "state",
    "fileName",
];

/// Fields that are not the Platform's, where it minds.
pub(super) fn check_fields(call: &Call<'_>) -> Result<(), Failure> {
    if call.profile.unknown_fields == UnknownFields::Ignored {
        return Ok(());
    }
    let known = |name: &str| {
        let texts = TEXTS.iter().map(|(name, _)| *name);
        texts
            .chain(OTHER_FIELDS.iter().copied())
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    let sent = call
        .params
        .body()
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys());
    match sent.into_iter().find(|name| !known(name)) {
        Some(name) => Err(Failure::new(&call.profile.texts.invalid_parameter, name)),
        None => Ok(()),
    }
}

/// Takes over every field that the client sent; what clears one is the profile's choice.
pub(super) fn edit(user: &mut User, call: &Call<'_>, unsent: UnsentFields) {
    let params = &call.params;
    for (name, field) in TEXTS {
        let clears = match params.member(name) {
            None => unsent == UnsentFields::Cleared,
            Some(Value::Null) => call.profile.clear_with != ClearWith::Empty,
            Some(Value::String(value)) if value.is_empty() => call.profile.clear_with != ClearWith::Null,
            Some(value) => {
                if let Some(value) = text(value) {
                    *field(user) = value;
                }
                continue;
            }
        };
        if clears {
            field(user).clear();
        }
    }
    if let Some(flag) = params.flag("OauthClient") {
        user.oauth_client = flag;
    }
    if let Some(flag) = params.flag("PasswordNeverExpire") {
        user.password_never_expire = flag;
    }
    if let Some(flag) = params.flag("ForcePasswordChangeNext") {
        user.force_password_change_next = flag;
    }
}
