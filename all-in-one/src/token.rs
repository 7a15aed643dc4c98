//! The bearer token and the OAuth client of the one machine: made at the first start, kept in the data folder for its owner
//! alone, and used again by later starts. This is the one place that keeps secrets of SCIM in clear: whoever runs the machine has
//! to type them into Entra. identity-service is given their hashes.

use std::{fs, path::Path};

use identity_service::credentials::{new_secret, new_token};
use secrecy::{ExposeSecret, SecretString};
use service_runtime::private;
use uuid::Uuid;

use crate::Error;

const FILE: &str = "bearer-token";
const CLIENT_FILE: &str = "oauth-client";

/// An OAuth client.
pub(crate) struct OAuthClient {
    pub(crate) client_id: String,
    pub(crate) secret: SecretString,
}

/// The client of this data folder: its file has the client id in the first line, and the secret in the second.
pub(crate) fn client(data_dir: &Path) -> Result<OAuthClient, Error> {
    let made = || format!("{}\n{}", Uuid::new_v4(), new_secret().expose_secret());
    let text = kept(&data_dir.join(CLIENT_FILE), made)?;
    match text.expose_secret().split_once('\n') {
        Some((client_id, secret)) if !secret.trim().is_empty() => Ok(OAuthClient {
            client_id: client_id.trim().to_owned(),
            secret: SecretString::from(secret.trim()),
        }),
        _ => Err(Error::EmptyToken(data_dir.join(CLIENT_FILE))),
    }
}

/// The token of this data folder.
pub(crate) fn token(data_dir: &Path) -> Result<SecretString, Error> {
    kept(&data_dir.join(FILE), || new_token().expose_secret().to_owned())
}

/// What a file holds; made if there is none.
fn kept(path: &Path, make: impl FnOnce() -> String) -> Result<SecretString, Error> {
    let failed = |doing| {
        move |source| Error::File {
            doing,
            path: path.to_owned(),
            source,
        }
    };
    match fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Err(Error::EmptyToken(path.to_owned())),
        Ok(text) => Ok(SecretString::from(text.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = make();
            // Whole or not at all: a start that dies here must not leave half a secret.
            let new = path.with_extension("new");
            private::write(&new, &made).map_err(failed("write"))?;
            fs::rename(&new, path).map_err(failed("write"))?;
            Ok(SecretString::from(made))
        }
        Err(error) => Err(failed("read")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = token(folder.path()).unwrap();
        assert_eq!(token(folder.path()).unwrap().expose_secret(), first.expose_secret());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn the_client_is_made_once_and_differs_from_others() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let shown = |folder: &tempfile::TempDir| {
            let OAuthClient { client_id, secret } = client(folder.path()).unwrap();
            (client_id, secret.expose_secret().to_owned())
        };
        assert_eq!(shown(&folder), shown(&folder));
        assert_ne!(shown(&folder), shown(&other));
    }

    #[test]
    fn an_empty_token_or_half_a_client_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "\n").unwrap();
        assert!(matches!(token(folder.path()), Err(Error::EmptyToken(_))));
        fs::write(folder.path().join(CLIENT_FILE), "some-id\n").unwrap();
        assert!(matches!(client(folder.path()), Err(Error::EmptyToken(_))));
    }
}
