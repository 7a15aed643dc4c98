//! Where everything is: for people on standard output, for programs in a file.

use std::{fs, path::Path};

use serde::Serialize;
use service_runtime::private;

use crate::Error;

/// Addresses and token of a running deployment.
#[derive(Clone, Serialize)]
pub struct Endpoints {
    /// The tenant URL to type into Entra.
    pub scim_base_url: String,
    /// The bearer token to type into Entra; absent where the tenants stand in a file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bearer_token: String,
    /// Where an OAuth client gets its tokens: the Token Endpoint to type into Entra.
    pub oauth_token_url: String,
    /// The Client Identifier to type into Entra; absent where settings name another client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth_client_id: Option<String>,
    /// The Client Secret to type into Entra.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth_client_secret: Option<String>,
    /// identity-service's gRPC address.
    pub identity_grpc: String,
    /// delinea-adapter's gRPC address.
    pub adapter_grpc: String,
    /// The Platform's base URL: the simulated one's, or the real tenant's; empty where the tenants stand in a file.
    pub platform_url: String,
}

impl Endpoints {
    /// Takes away the file of an earlier run: whoever waits for it must not read addresses that are no more.
    pub(crate) fn remove(path: &Path) -> Result<(), Error> {
        match fs::remove_file(path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::File {
                doing: "remove",
                path: path.to_owned(),
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Writes the file, whole: a reader sees all of it or none.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::File {
            doing: "write",
            path: path.to_owned(),
            source,
        };
        let text = serde_json::to_string_pretty(self)
            .map_err(std::io::Error::from)
            .map_err(failed)?;
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = Path::new(&new);
        private::write(new, &text).map_err(failed)?;
        fs::rename(new, path).map_err(failed)
    }
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoints")
            .field("scim_base_url", &self.scim_base_url)
            .finish_non_exhaustive()
    }
}
