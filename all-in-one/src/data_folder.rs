//! The data folder, and which Platform it belongs to. What a rehearsal provisioned must never be delivered to a real
//! tenant, nor links to one Platform's objects be used on another.

use std::{fs, io::ErrorKind, path::Path};

use service_runtime::private;

use crate::{Error, Settings};

const FILE: &str = "belongs-to";
const SIMULATED: &str = "the simulated Platform";

/// Makes the folder if need be, and the Platform of these settings its own, unless it belongs to another.
pub(crate) fn claim(settings: &Settings) -> Result<(), Error> {
    let folder = settings.data_dir();
    let path = folder.join(FILE);
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { doing, path, source }
    };
    private::make_folder(folder).map_err(failed("make", folder))?;
    let asked = platform(settings);
    match fs::read_to_string(&path) {
        Ok(there) if there.trim() == asked => Ok(()),
        Ok(there) => Err(Error::OtherPlatform {
            folder: folder.to_owned(),
            there: there.trim().to_owned(),
            asked,
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            private::write(&path, &asked).map_err(failed("write", &path))
        }
        Err(error) => Err(failed("read", &path)(error)),
    }
}

fn platform(settings: &Settings) -> String {
    match &settings.adapter.platform.platform_url {
        Some(url) if settings.serves_real_tenant() => url.trim().trim_end_matches('/').to_lowercase(),
        _ => SIMULATED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_the_platform_that_it_was_first_used_for() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let claim = |rest: &str| {
            let line = format!("all-in-one --data-dir={} {rest}", data.display());
            claim(&Settings::read(&Settings::command().get_matches_from(line.split_whitespace())).unwrap())
        };
        claim("").unwrap();
        claim("").unwrap();
        let refused = claim("--platform-url=https://tenant.example").unwrap_err();
        assert!(refused.is_usage());
        assert!(refused.to_string().contains("the simulated Platform"), "{refused}");

        fs::remove_dir_all(&data).unwrap();
        claim("--platform-url=https://Tenant.example/").unwrap();
        claim("--platform-url=https://tenant.example").unwrap();
        assert!(claim("--platform-url=https://other.example").is_err());
        assert!(claim("").is_err(), "nor is a tenant's folder rehearsed with");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
