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

/// What an administrator of such a tenant sets: where there is a federation, or that cannot be told, somebody has decided.
pub(super) fn adapter_flags() -> Vec<String> {
    let decided = matches!(name().as_deref(), Some("federated" | "scim-only"));
    decided
        .then(|| "--directory-policy=create_local".to_owned())
        .into_iter()
        .collect()
}
