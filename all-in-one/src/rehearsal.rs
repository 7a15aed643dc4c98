//! Rehearsing the main job: a simulated Entra directory goes through the three services, and what arrives on the simulated
//! Platform is compared with it.

use std::{collections::HashSet, path::Path, time::Duration};

use entra_simulator::{Rehearsal, Report, SavedState, VerifyOptions, names_held, sync};
use secrecy::SecretString;

use crate::{Endpoints, Error};

/// How long directory, SCIM and Platform may take to agree.
const SETTLE: Duration = Duration::from_secs(60);
/// How long objects that failed are tried again within a cycle.
const RETRY_FOR: Duration = Duration::from_secs(30);

/// Runs it. The directory is kept beside the data, so that the next start goes on as the same Entra tenant would; what
/// else is there is left alone.
pub(crate) async fn rehearse(users: usize, endpoints: &Endpoints, data_dir: Option<&Path>) -> Result<Report, Error> {
    let platform_url = Some(endpoints.platform_url.clone());
    let state = data_dir.map(|folder| folder.join("entra.json"));
    let mut rehearsal = Rehearsal::new(
        &endpoints.scim_base_url,
        SecretString::from(endpoints.bearer_token.clone()),
    );
    rehearsal.users = users;
    rehearsal.groups = (users / 6).max(1);
    rehearsal.retry_for = RETRY_FOR;

    let client = rehearsal.client().map_err(Error::Rehearsal)?;
    let held = names_held(&client, platform_url.as_deref())
        .await
        .map_err(Error::Rehearsal)?;
    let ours = match &state {
        Some(path) => SavedState::load(path)
            .await
            .map_err(Error::Rehearsal)?
            .map_or_else(HashSet::new, |saved| names(&saved)),
        None => HashSet::new(),
    };
    let ignore = held
        .into_iter()
        .filter(|name| !ours.contains(&name.to_lowercase()))
        .collect();
    rehearsal.verify = VerifyOptions {
        platform_url,
        settle: SETTLE,
        ignore,
    };
    rehearsal.state = state;
    sync(&rehearsal, None).await.map_err(Error::Rehearsal)
}

/// The names in a saved directory, in lower case.
fn names(saved: &SavedState) -> HashSet<String> {
    let users = saved
        .directory
        .users
        .values()
        .map(|user| user.user_principal_name.to_lowercase());
    let groups = saved
        .directory
        .groups
        .values()
        .map(|group| group.display_name.to_lowercase());
    users.chain(groups).collect()
}
