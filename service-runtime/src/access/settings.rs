//! The settings by which services know each other, for those that call, those that are called, and those that do both.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::SharedToken;
use crate::settings::parse_secret;
use crate::tls::{Files, Tls};
use crate::{Error, Lifecycle};

/// By what a service is known to others, whether it calls or is called.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GrpcArgs {
    /// Token that the services of a deployment show each other, of at least 32 characters; the same for all. Several, separated
    /// by commas: the first is sent, each is accepted.
    #[arg(long, env = "GRPC_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = parse_secret)]
    pub grpc_token: Option<SecretString>,
    /// File with that token, and with further ones that are accepted, one on each line; it is read anew when it changes, so that
    /// tokens can be rotated.
    #[arg(long, env = "GRPC_TOKEN_FILE", value_name = "FILE")]
    pub grpc_token_file: Option<PathBuf>,
    /// File with our certificate (PEM), and after it those that lead to its authority: a service that listens has TLS by it, and
    /// who is called over TLS is shown it. Read anew when it changes, with its key.
    #[arg(long, env = "GRPC_CERT_FILE", value_name = "FILE")]
    pub grpc_cert_file: Option<PathBuf>,
    /// File with the key of that certificate (PEM).
    #[arg(long, env = "GRPC_KEY_FILE", value_name = "FILE")]
    pub grpc_key_file: Option<PathBuf>,
}

impl GrpcArgs {
    /// Whether a service with these settings that listens does so with TLS.
    pub fn has_certificate(&self) -> bool {
        given(self.grpc_cert_file.as_ref()).is_some()
    }

    /// The files of our certificate and its key, if there are any.
    pub(crate) fn pair(&self) -> Result<Option<(&Path, &Path)>, Error> {
        match (given(self.grpc_cert_file.as_ref()), given(self.grpc_key_file.as_ref())) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            _ => Err(Error::setting(
                "GRPC_CERT_FILE",
                "goes with GRPC_KEY_FILE; one of them is not set",
            )),
        }
    }
}

/// How a service calls others by gRPC.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GrpcCallArgs {
    /// By what it is known to them.
    #[command(flatten)]
    pub own: GrpcArgs,
    /// File with the authorities (PEM) that vouch for those we call by https; those of the system when absent.
    #[arg(long, env = "GRPC_CA_FILE", value_name = "FILE")]
    pub grpc_ca_file: Option<PathBuf>,
}

impl GrpcCallArgs {
    /// Whether the settings can be used.
    pub fn check(&self) -> Result<(), Error> {
        SharedToken::new(&self.own)?;
        match (self.ca(), self.own.pair()?) {
            (None, None) => Ok(()),
            _ => crate::connection::check(self),
        }
    }

    pub(crate) fn ca(&self) -> Option<&Path> {
        given(self.grpc_ca_file.as_ref())
    }
}

/// Who may call a service by gRPC.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GrpcServerArgs {
    /// File that names further callers, with their rights and how each is recognised, in TOML; see docs/operations.md. It is read
    /// anew when it changes.
    #[arg(long, env = "GRPC_CALLERS_FILE", value_name = "FILE")]
    pub grpc_callers_file: Option<PathBuf>,
    /// File with the authorities (PEM) by one of which each caller's certificate must be. Needs GRPC_CERT_FILE, since only TLS shows
    /// certificates; without it nobody is asked for one.
    #[arg(long, env = "GRPC_CLIENT_CA_FILE", value_name = "FILE")]
    pub grpc_client_ca_file: Option<PathBuf>,
    /// Serve whoever reaches the port, also from other machines, though nothing says who may call.
    #[arg(long, env = "GRPC_INSECURE", value_parser = clap::builder::FalseyValueParser::new())]
    pub grpc_insecure: bool,
}

impl GrpcServerArgs {
    /// TLS for a service that listens, if its settings ask for it; it lives as long as the service.
    pub fn tls(&self, own: &GrpcArgs, lifecycle: &Lifecycle) -> Result<Option<Tls>, Error> {
        let files = self.files(own)?;
        files
            .map(|files| files.serve(lifecycle, "grpc certificate"))
            .transpose()
    }

    pub(super) fn files(&self, own: &GrpcArgs) -> Result<Option<Files>, Error> {
        let client_ca = given(self.grpc_client_ca_file.as_ref()).map(Path::to_owned);
        match own.pair()? {
            Some((certificate, key)) => Ok(Some(Files {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
                client_ca,
            })),
            None if client_ca.is_some() => Err(Error::setting(
                "GRPC_CLIENT_CA_FILE",
                "needs GRPC_CERT_FILE and GRPC_KEY_FILE: without TLS no caller shows a certificate",
            )),
            None => Ok(None),
        }
    }
}

/// An empty path is how deployment files say "not set".
pub(super) fn given(path: Option<&PathBuf>) -> Option<&Path> {
    path.map(PathBuf::as_path).filter(|path| !path.as_os_str().is_empty())
}
