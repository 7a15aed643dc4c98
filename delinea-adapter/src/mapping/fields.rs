//! The Platform's fields of an account: which are known to take a text, and which are never a mapping's to write.

use crate::platform::rows;

/// The fields that are known to take a text.
pub(super) const TEXTS: &[&str] = &[
    "Mail",
    "DisplayName",
    "Description",
    "OfficeNumber",
    "HomeNumber",
    "MobileNumber",
    "PreferredCulture",
    REPORTS_TO,
    "AccountExp",
    "CmaRedirectedUserUuid",
];

/// The truth values of an account that a change may repeat as they were read.
pub(super) const FLAGS: &[&str] = &[
    "OauthClient",
    "PasswordNeverExpire",
    "ForcePasswordChangeNext",
    "InEverybodyRole",
    "ServiceUser",
];

pub(super) const NAME: &str = "Name";
pub(super) const REPORTS_TO: &str = "ReportsTo";
/// What tenants show in `ReportsTo` of an account without a manager, beside nothing.
pub(super) const NO_MANAGER: &str = "Unassigned";

/// A field that no setting may write.
struct Owned(&'static str, Reach, &'static str);

/// Where a field is out of reach.
#[derive(PartialEq, Eq)]
enum Reach {
    /// Everywhere.
    Never,
    /// In the attribute map; a new account may be made with it.
    Creation,
}

const OWNED: &[Owned] = &[
    Owned(
        NAME,
        Reach::Never,
        "the login name is made of userName (DEFAULT_SUFFIX, SUFFIX_MAP)",
    ),
    Owned(
        "LoginName",
        Reach::Never,
        "the login name is made of userName (DEFAULT_SUFFIX, SUFFIX_MAP)",
    ),
    Owned(
        "Username",
        Reach::Never,
        "the login name is made of userName (DEFAULT_SUFFIX, SUFFIX_MAP)",
    ),
    Owned(
        "ID",
        Reach::Never,
        "the Platform gives ids, and a change without the right one is another account's",
    ),
    Owned("Uuid", Reach::Never, "the Platform gives ids"),
    Owned(
        "DirectoryServiceUuid",
        Reach::Never,
        "accounts are made in the tenant's own directory",
    ),
    Owned("State", Reach::Never, "the state follows `active`"),
    Owned("CloudState", Reach::Never, "the state follows `active`"),
    Owned("Enabled", Reach::Never, "the state follows `active`"),
    Owned("Password", Reach::Never, "passwords are generated (PASSWORD_SOURCE)"),
    Owned(
        "ConfirmPassword",
        Reach::Never,
        "passwords are generated (PASSWORD_SOURCE)",
    ),
    Owned("NewPassword", Reach::Never, "passwords are generated (PASSWORD_SOURCE)"),
    Owned("ServiceUser", Reach::Never, "a person's account is no service user"),
    Owned("OauthClient", Reach::Never, "a person's account is no OAuth client"),
    Owned(
        "InSysAdminRole",
        Reach::Never,
        "nobody is made an administrator by provisioning",
    ),
    Owned(
        "CmaRedirectedUser",
        Reach::Never,
        "nobody's second factor is moved to another account by provisioning",
    ),
    Owned(
        "CmaRedirectedUserUuid",
        Reach::Never,
        "nobody's second factor is moved to another account by provisioning",
    ),
    Owned("InEverybodyRole", Reach::Never, "IN_EVERYBODY decides that"),
    Owned("SendEmailInvite", Reach::Never, "nobody is invited by provisioning"),
    Owned("SendSmsInvite", Reach::Never, "nobody is invited by provisioning"),
    Owned(
        "ForcePasswordChangeNext",
        Reach::Creation,
        "FORCE_CHANGE_FIELD sets it for new accounts",
    ),
    Owned(
        "ForcePasswordChangeNextLogin",
        Reach::Creation,
        "FORCE_CHANGE_FIELD sets it for new accounts",
    ),
    Owned(
        "PasswordNeverExpire",
        Reach::Creation,
        "it is no text; EXTRA_CREATE_FIELDS sets it for new accounts",
    ),
    Owned("Alias", Reach::Never, "it is read only"),
    Owned("Version", Reach::Never, "it is read only"),
    Owned("CreateDate", Reach::Never, "it is read only"),
    Owned("LastPasswordChangeDate", Reach::Never, "it is read only"),
];

/// Why a field cannot be in the attribute map, if it cannot.
pub(super) fn unmappable(name: &str) -> Option<&'static str> {
    owned(name).map(|Owned(_, _, why)| *why)
}

/// Why a new account cannot be made with a field by a setting, if it cannot.
pub(super) fn unsettable(name: &str) -> Option<&'static str> {
    owned(name)
        .filter(|owned| owned.1 == Reach::Never)
        .map(|Owned(_, _, why)| *why)
}

fn owned(name: &str) -> Option<&'static Owned> {
    OWNED.iter().find(|owned| rows::same_column(owned.0, name))
}

/// The name of a known field as the Platform writes it.
pub(super) fn known(name: &str) -> Option<&'static str> {
    TEXTS.iter().copied().find(|known| rows::same_column(known, name))
}
