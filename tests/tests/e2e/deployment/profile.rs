//! Which kind of tenant the use cases are played over: the one that `E2E_PROFILE` names, as `make test-profiles` sets it, or one
//! with the simulator's defaults.

use std::{env, fs, path::Path};

use platform_simulator::ProfileSource;
use serde_json::json;

fn name() -> Option<String> {
    env::var("E2E_PROFILE").ok().filter(|name| !name.is_empty())
}

/// The profile, written into a folder. Any login suffix exists, for tests name their users as they like.
pub(super) fn of_this_run(folder: &Path) -> Option<ProfileSource> {
    let file = folder.join("profile.json");
    fs::write(&file, json!({"extends": name()?, "suffixes": []}).to_string()).unwrap();
    Some(ProfileSource::File(file))
}

/// The call that does in this run's tenant what the named one does by default: what goes wrong, or is counted, is what happens
/// there, by whichever interface.
pub(crate) fn call(method: &str) -> &str {
    let profile = name().unwrap_or_default();
    let scim_users = profile == "scim-only";
    let scim_groups = scim_users || profile == "no-role-writes";
    match (method, profile.as_str()) {
        ("CDirectoryService/CreateUser", _) if scim_users => "scim:POST /Users",
        ("CDirectoryService/ChangeUser" | "CDirectoryService/SetUserState", _) if scim_users => {
            "scim:PATCH /Users/{id}"
        }
        ("UserMgmt/GetUserAttributes", _) if scim_users => "scim:GET /Users/{id}",
        ("UserMgmt/RemoveUsers", _) if scim_users => "scim:DELETE /Users/{id}",
        ("Report/RunReport", _) if scim_users => "scim:GET /Users",
        ("CDirectoryService/*" | "UserMgmt/*", _) if scim_users => "scim:*",
        ("Roles/StoreRole", _) if scim_groups => "scim:POST /Groups",
        ("Roles/UpdateRole" | "Roles/*", _) if scim_groups => "scim:PATCH /Groups/{id}",
        ("SaasManage/DeleteRole", _) if scim_groups => "scim:DELETE /Groups/{id}",
        ("Roles/StoreRole", "heritage") => "SaasManage/StoreRole",
        ("Roles/UpdateRole", "heritage") => "SaasManage/AddUsersAndGroupsToRole",
        ("Roles/*", "heritage") => "SaasManage/*",
        ("CDirectoryService/SetUserState", "heritage") => "CDirectoryService/ChangeUserState",
        _ => method,
    }
}

/// The id of an account as its link has it.
pub(crate) fn kept(id: &str) -> String {
    match name().as_deref() {
        Some("scim-only") => format!("scim:{id}"),
        _ => id.to_owned(),
    }
}

/// Whether accounts have a manager: the SCIM endpoint holds none.
pub(crate) fn holds_managers() -> bool {
    name().as_deref() != Some("scim-only")
}

/// The attributes that this run's tenant cannot hold.
pub(crate) fn unheld() -> Vec<String> {
    let none = (!holds_managers()).then(|| "manager".to_owned());
    none.into_iter().collect()
}

/// What an administrator of such a tenant sets: where there is a federation, or that cannot be told, somebody has decided; and
/// words that the built-in matchers do not know have one of their own.
pub(super) fn adapter_flags(folder: &Path) -> Vec<String> {
    match name().as_deref() {
        Some("federated" | "scim-only") => vec!["--directory-policy=create_local".to_owned()],
        Some("hostile") => {
            let file = folder.join("matchers.json");
            let duplicate = json!([{"field": "message", "contains": "name conflict", "class": "duplicate"}]);
            fs::write(&file, duplicate.to_string()).unwrap();
            vec![format!("--error-matchers-file={}", file.display())]
        }
        _ => Vec::new(),
    }
}
