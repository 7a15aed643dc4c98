//! The flags that say how a job signs in.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use secrecy::SecretString;
use service_runtime::settings::{parse_secret, secret};

use super::Failed;
use crate::{
    error::Error,
    issuer::Issuer,
    sign_in::{Placed, SignIn},
};

#[derive(Debug, Args)]
pub(super) struct SignInArgs {
    /// How the job signs in: by a bearer token, by OAuth client credentials, by assertions in place of a secret (workload identity), or by
    /// Entra's own token.
    #[arg(long, env = "ENTRA_SIGN_IN", value_enum, default_value_t = Kind::Bearer)]
    sign_in: Kind,
    /// The bearer token.
    #[arg(long, env = "SCIM_TOKEN", hide_env_values = true, value_parser = parse_secret)]
    token: Option<SecretString>,
    /// A file that holds the bearer token.
    #[arg(long, env = "SCIM_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The Token Endpoint, for client credentials and assertions.
    #[arg(long, env = "ENTRA_TOKEN_URL")]
    token_url: Option<String>,
    /// The Client Identifier; an assertion does without.
    #[arg(long, env = "ENTRA_CLIENT_ID")]
    client_id: Option<String>,
    /// The Client Secret.
    #[arg(long, env = "ENTRA_CLIENT_SECRET", hide_env_values = true, value_parser = parse_secret)]
    client_secret: Option<SecretString>,
    /// A file that holds the Client Secret.
    #[arg(long, env = "ENTRA_CLIENT_SECRET_FILE")]
    client_secret_file: Option<PathBuf>,
    /// Where Client Identifier and Client Secret stand in a token request.
    #[arg(long, env = "ENTRA_CLIENT_IN", value_enum, default_value_t = Placed::Header)]
    client_in: Placed,
    /// The audience of assertions.
    #[arg(long, env = "ENTRA_AUDIENCE")]
    audience: Option<String>,
    /// Address at which the simulated Entra publishes its keys, for assertions and its own token: the gateway's ENTRA_AUTHORITY and
    /// ENTRA_STS lead there.
    #[arg(long, env = "ENTRA_ISSUER_LISTEN", default_value = "127.0.0.1:8095")]
    issuer_listen: SocketAddr,
    /// The Entra tenant that tokens are of, a UUID.
    #[arg(long, env = "ENTRA_ISSUER_TENANT")]
    issuer_tenant: Option<String>,
    /// The service principal that tokens are about, a UUID.
    #[arg(long, env = "ENTRA_ISSUER_SUBJECT")]
    issuer_subject: Option<String>,
}

/// The kinds, by their names on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Bearer,
    ClientCredentials,
    Assertion,
    EntraToken,
}

impl SignInArgs {
    /// How the job signs in; starts an issuer where one is needed.
    pub(super) async fn read(&self) -> Result<SignIn, Failed> {
        let missing = |flag: &'static str| Error::MissingFlag(flag);
        match self.sign_in {
            Kind::Bearer => {
                let token = secret("--token", self.token.as_ref(), self.token_file.as_deref())?;
                Ok(SignIn::Bearer(token.ok_or(Error::MissingToken)?))
            }
            Kind::ClientCredentials => {
                let file = self.client_secret_file.as_deref();
                let client_secret = secret("--client-secret", self.client_secret.as_ref(), file)?;
                Ok(SignIn::ClientCredentials {
                    token_url: self.token_url.clone().ok_or(missing("--token-url"))?,
                    client_id: self.client_id.clone().ok_or(missing("--client-id"))?,
                    client_secret: client_secret.ok_or(missing("--client-secret"))?,
                    placed: self.client_in,
                })
            }
            Kind::Assertion => Ok(SignIn::Assertion {
                token_url: self.token_url.clone().ok_or(missing("--token-url"))?,
                client_id: self.client_id.clone(),
                audience: self.audience.clone().ok_or(missing("--audience"))?,
                issuer: self.issuer().await?,
            }),
            Kind::EntraToken => Ok(SignIn::EntraToken(self.issuer().await?)),
        }
    }

    async fn issuer(&self) -> Result<Arc<Issuer>, Failed> {
        let mut issuer = Issuer::start(self.issuer_listen).await?;
        if let Some(tenant) = &self.issuer_tenant {
            issuer.be_tenant(tenant);
        }
        if let Some(subject) = &self.issuer_subject {
            issuer.subject.clone_from(subject);
        }
        Ok(Arc::new(issuer))
    }
}
