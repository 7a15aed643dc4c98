//! Who may call SCIM as a tenant, as far as settings say it; more can be made at run time. Secrets stand here by their hashes.

use std::{fmt, path::PathBuf, time::Duration};

use service_runtime::settings::parse_duration;

/// Entra's provisioning service, as `azp` or `appid` names it in an assertion.
const PROVISIONING_SERVICE: &str = "cb1d50fe-8ed0-4944-9e7d-5981aad3bc4b";
/// As what Entra names a custom application in the tokens that it makes for itself.
const CUSTOM_APPLICATION: &str = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621";
/// Who Entra says that it is in those.
const ENTRA_PROVISIONING: &str = "00000014-0000-0000-c000-000000000000";

/// The credentials that settings name. They are read-only members of the list of all.
#[derive(clap::Args, Clone)]
pub struct CredentialArgs {
    /// SHA-256 of each accepted bearer token, in hex, separated by commas. `identity-service token` makes a token and its hash.
    #[arg(long, env = "BEARER_TOKEN_SHA256", value_name = "HASHES", hide_env_values = true)]
    pub bearer_token_sha256: Option<String>,
    /// File with such hashes, one on each line, each followed by a name if it shall have one; `#` begins a comment. Adds to those given
    /// directly.
    #[arg(long, env = "BEARER_TOKEN_SHA256_FILE", value_name = "FILE")]
    pub bearer_token_sha256_file: Option<PathBuf>,
    /// Name of an OAuth client, as Entra's Client Identifier has it.
    #[arg(long, env = "OAUTH_CLIENT_ID", value_name = "ID")]
    pub oauth_client_id: Option<String>,
    /// SHA-256 of the OAuth client's secret, in hex; two while it is replaced, separated by a comma.
    #[arg(
        long,
        env = "OAUTH_CLIENT_SECRET_SHA256",
        value_name = "HASHES",
        hide_env_values = true
    )]
    pub oauth_client_secret_sha256: Option<String>,
    /// Entra tenant whose assertions stand in for the OAuth client's secret (workload identity), a UUID.
    #[arg(long, env = "OAUTH_CLIENT_ENTRA_TENANT", value_name = "UUID")]
    pub oauth_client_entra_tenant: Option<String>,
    /// Object id of the service principal that such an assertion must be about, a UUID.
    #[arg(long, env = "OAUTH_CLIENT_ENTRA_SUBJECT", value_name = "UUID")]
    pub oauth_client_entra_subject: Option<String>,
    /// Audiences that such an assertion may have, separated by commas; `api://ID`, `api://ID/.default` and `ID` are the same.
    #[arg(long, env = "OAUTH_CLIENT_ENTRA_AUDIENCE", value_name = "ID", value_delimiter = ',')]
    pub oauth_client_entra_audience: Vec<String>,
    /// Applications that such an assertion may be made for, separated by commas. The default is Entra's provisioning service.
    #[arg(
        long,
        env = "OAUTH_CLIENT_ENTRA_APPLICATION",
        value_name = "UUID",
        value_delimiter = ',',
        default_value = PROVISIONING_SERVICE
    )]
    pub oauth_client_entra_application: Vec<String>,
    /// Entra tenant whose own tokens are accepted, which Entra sends where its Secret Token is left empty, a UUID. Meant for trying
    /// things out: such a token names the Entra tenant and Entra's provisioning service, and none of its jobs.
    #[arg(long, env = "ENTRA_TOKEN_TENANT", value_name = "UUID")]
    pub entra_token_tenant: Option<String>,
    /// Audiences that Entra's own token may have, separated by commas. The default is that of custom applications.
    #[arg(
        long,
        env = "ENTRA_TOKEN_AUDIENCE",
        value_name = "ID",
        value_delimiter = ',',
        default_value = CUSTOM_APPLICATION
    )]
    pub entra_token_audience: Vec<String>,
    /// Applications that Entra's own token may be made for, separated by commas. The default is Entra's provisioning service.
    #[arg(
        long,
        env = "ENTRA_TOKEN_APPLICATION",
        value_name = "UUID",
        value_delimiter = ',',
        default_value = ENTRA_PROVISIONING
    )]
    pub entra_token_application: Vec<String>,
    /// How long an access token is good that an OAuth client gets, between 60m and 6h.
    #[arg(long, env = "ACCESS_TOKEN_LIFETIME", value_name = "DURATION", default_value = "60m", value_parser = lifetime)]
    pub access_token_lifetime: Duration,
    /// After how long access tokens are signed by a new key; 0 keeps the key until it is replaced by hand.
    #[arg(long, env = "SIGNING_KEY_ROTATION", value_name = "DURATION", default_value = "30d", value_parser = parse_duration)]
    pub signing_key_rotation: Duration,
}

/// Entra expects that much.
fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = parse_duration(text)?;
    let minutes = lifetime.as_secs() / 60;
    if (60..=360).contains(&minutes) && lifetime <= Duration::from_secs(360 * 60) {
        Ok(lifetime)
    } else {
        Err("must be between 60m and 6h".to_owned())
    }
}

impl Default for CredentialArgs {
    fn default() -> Self {
        Self {
            bearer_token_sha256: None,
            bearer_token_sha256_file: None,
            oauth_client_id: None,
            oauth_client_secret_sha256: None,
            oauth_client_entra_tenant: None,
            oauth_client_entra_subject: None,
            oauth_client_entra_audience: Vec::new(),
            oauth_client_entra_application: vec![PROVISIONING_SERVICE.to_owned()],
            entra_token_tenant: None,
            entra_token_audience: vec![CUSTOM_APPLICATION.to_owned()],
            entra_token_application: vec![ENTRA_PROVISIONING.to_owned()],
            access_token_lifetime: Duration::from_secs(3600),
            signing_key_rotation: Duration::from_secs(30 * 86_400),
        }
    }
}

/// Whoever callers of an assertion are, if nobody says: Entra's provisioning service.
pub(crate) fn provisioning_service() -> Vec<String> {
    vec![PROVISIONING_SERVICE.to_owned()]
}

impl fmt::Debug for CredentialArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |given: &Option<String>| given.as_ref().map(|_| "<hidden>");
        f.debug_struct("CredentialArgs")
            .field("bearer_token_sha256", &hidden(&self.bearer_token_sha256))
            .field("bearer_token_sha256_file", &self.bearer_token_sha256_file)
            .field("oauth_client_id", &self.oauth_client_id)
            .field("oauth_client_secret_sha256", &hidden(&self.oauth_client_secret_sha256))
            .field("oauth_client_entra_tenant", &self.oauth_client_entra_tenant)
            .field("oauth_client_entra_subject", &self.oauth_client_entra_subject)
            .field("oauth_client_entra_audience", &self.oauth_client_entra_audience)
            .field("oauth_client_entra_application", &self.oauth_client_entra_application)
            .field("entra_token_tenant", &self.entra_token_tenant)
            .field("entra_token_audience", &self.entra_token_audience)
            .field("entra_token_application", &self.entra_token_application)
            .field("access_token_lifetime", &self.access_token_lifetime)
            .field("signing_key_rotation", &self.signing_key_rotation)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        credentials: CredentialArgs,
    }

    #[test]
    fn the_defaults_are_the_same_with_and_without_a_command_line() {
        let parsed = Command::parse_from(["identity-service"]).credentials;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", CredentialArgs::default()));
    }

    #[test]
    fn an_access_token_is_good_for_one_to_six_hours() {
        for (text, right) in [
            ("59m", false),
            ("60m", true),
            ("6h", true),
            ("361m", false),
            ("0", false),
        ] {
            let parsed = Command::try_parse_from(["identity-service", "--access-token-lifetime", text]);
            assert_eq!(parsed.is_ok(), right, "{text}");
        }
    }
}
