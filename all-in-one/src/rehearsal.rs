//! Rehearsing the main job: a simulated Entra directory goes through the three services, and what arrives on the simulated
//! Platform is compared with it.

use std::{path::Path, time::Duration};

use entra_simulator::{Rehearsal, Report, VerifyOptions, sync};
use secrecy::SecretString;

use crate::{Deployment, Error};

/// The rehearsal's own domain: whoever tries the Entra simulator beside it gets other people and other groups.
const DOMAIN: &str = "rehearsal.kestrelworks.example";
/// How long directory, SCIM and Platform may take to agree.
const SETTLE: Duration = Duration::from_secs(60);
/// How long objects that failed are tried again within a cycle.
const RETRY_FOR: Duration = Duration::from_secs(30);

/// Runs it. The directory is kept beside the data, so that the next start goes on as the same Entra tenant would; what
/// else is there is left alone.
pub(crate) async fn rehearse(users: usize, deployment: &Deployment, data_dir: Option<&Path>) -> Result<Report, Error> {
    let token = SecretString::from(deployment.endpoints.bearer_token.clone());
    let rehearsal = Rehearsal {
        users,
        groups: (users / 6).max(1),
        domain: DOMAIN.to_owned(),
        retry_for: RETRY_FOR,
        verify: VerifyOptions {
            platform_url: Some(deployment.endpoints.platform_url.clone()),
            settle: SETTLE,
            ..VerifyOptions::default()
        },
        state: data_dir.map(|folder| folder.join("entra.json")),
        ..Rehearsal::new(deployment.local_base_url.clone(), token)
    };
    let bar = entra_simulator::Bar::new();
    sync(&rehearsal, bar.told()).await.map_err(Error::Rehearsal)
}
