//! The data folder, and which Platform it belongs to. What a rehearsal provisioned must never be delivered to a real
//! tenant, nor links to one Platform's objects be used on another.

use std::{fs, io::ErrorKind, path::Path};

use service_runtime::private;

use crate::{Error, Settings};

const FILE: &str = "belongs-to";
const SIMULATED: &str = "the simulated Platform";
const MANY: &str = "the Platforms of a file of tenants";
/// The file with the name of the tenant that a rehearsal has in Redis.
const REHEARSED: &str = "rehearsed-tenant";

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

/// In Redis, a tenant that was made up has a name of its own, kept in the folder beside the simulated Platform: whoever later
/// serves a real one from the same Redis never meets it, and another folder's simulated Platform has another.
pub(crate) fn keep_rehearsed_apart(settings: &mut Settings) -> Result<(), Error> {
    if settings.serves_real_tenant() || settings.identity.redis.redis_url.is_none() {
        return Ok(());
    }
    let path = settings.data_dir().join(REHEARSED);
    let failed = |doing| {
        let path = path.clone();
        move |source| Error::File { doing, path, source }
    };
    let tenant = match fs::read_to_string(&path) {
        Ok(there) => there.trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let tenant = format!("{}-rehearsed-{:08x}", settings.identity.tenant, rand::random::<u32>());
            private::write(&path, &tenant).map_err(failed("write"))?;
            tenant
        }
        Err(error) => return Err(failed("read")(error)),
    };
    settings.identity.tenant.clone_from(&tenant);
    settings.adapter.platform.platform_tenant = tenant;
    Ok(())
}

fn platform(settings: &Settings) -> String {
    match &settings.adapter.platform.platform_url {
        _ if settings.serves_many() => MANY.to_owned(),
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
    #[test]
    fn in_redis_nobody_who_was_made_up_is_in_a_tenant_that_could_be_real() {
        let folder = tempfile::tempdir().unwrap();
        let tenant = |name: &str, rest: &str| {
            let data = folder.path().join(name);
            let line = format!("all-in-one --data-dir={} {rest}", data.display());
            let matches = Settings::command().get_matches_from(line.split_whitespace());
            let mut settings = Settings::read(&matches).unwrap();
            claim(&settings).unwrap();
            keep_rehearsed_apart(&mut settings).unwrap();
            assert_eq!(settings.adapter.platform.platform_tenant, settings.identity.tenant);
            settings.identity.tenant
        };
        let redis = "--redis-url=redis://127.0.0.1:1";
        let rehearsed = tenant("a", redis);
        assert!(rehearsed.starts_with("default-rehearsed-"), "{rehearsed}");
        assert_eq!(tenant("a", redis), rehearsed, "the next start goes on with it");
        assert_ne!(tenant("b", redis), rehearsed, "another simulated Platform is another's");
        let real = tenant("c", &format!("{redis} --platform-url=https://tenant.example"));
        assert_eq!(real, "default");
        assert_eq!(tenant("d", ""), "default");
    }
}
