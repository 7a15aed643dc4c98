//! The bearer token of the one machine: made at the first start, kept in the data folder for its owner alone, and used
//! again by later starts. This is the one place that keeps a token in clear: whoever runs the machine has to type it into
//! Entra. The gateway is given its hash.

use std::{fs, path::Path};

use secrecy::{ExposeSecret, SecretString};
use service_runtime::private;

use crate::Error;

const FILE: &str = "bearer-token";

/// The token of this data folder.
pub(crate) fn token(data_dir: &Path) -> Result<SecretString, Error> {
    let path = data_dir.join(FILE);
    let failed = |doing| {
        let path = path.clone();
        move |source| Error::File { doing, path, source }
    };
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => Err(Error::EmptyToken(path)),
        Ok(text) => Ok(SecretString::from(text.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let token = gateway::token::new_token();
            // Whole or not at all: a start that dies here must not leave half a token.
            let new = data_dir.join(format!("{FILE}.new"));
            private::write(&new, token.expose_secret()).map_err(failed("write"))?;
            fs::rename(&new, &path).map_err(failed("write"))?;
            Ok(token)
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
    fn an_empty_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "\n").unwrap();
        assert!(matches!(token(folder.path()), Err(Error::EmptyToken(_))));
    }
}
