//! From settings to tenants: the one of the process's settings, or those of the file of tenants, whose sections are laid over
//! what they have in common.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::FutureExt;
use service_runtime::{
    Service, TenantsFile,
    tenants::{CREDENTIALS, DIRECTORY, Digest, Follower, Refused},
};

use sha2::{Digest as _, Sha256};

use super::{All, Served, Tenants};
use crate::{
    config::Config,
    id::Tenant,
    start::{IdentityService, StartError},
    store::Store,
};

/// The tenant of a deployment that has one, unless it is called otherwise.
const DEFAULT: &str = "default";

/// Whether the settings go together, the file's included. Nothing is opened.
pub(crate) fn check(config: &Config) -> Result<(), StartError> {
    config.check()?;
    if let Some(file) = config.tenants.read()? {
        check_common(config)?;
        all(&file, config, None)?;
    }
    Ok(())
}

/// The tenants of the settings, and what follows their file. What another version left of one in the store, or half an import,
/// is refused now, not at the first request.
pub(crate) async fn serve(
    config: &Config,
    store: &Arc<dyn Store>,
) -> Result<(Tenants, Option<Follower<All>>), StartError> {
    if config.tenants.file().is_none() {
        let served = Served::new(&config.tenant, config)?;
        is_whole(store.as_ref(), &served.tenant).await?;
        return Ok((Tenants::one(served), None));
    }
    check_common(config)?;
    let (common, store) = (config.clone(), store.clone());
    let make = move |file: TenantsFile, before: Option<Arc<All>>| {
        let (made, store) = (all(&file, &common, before.as_deref()), store.clone());
        async move {
            let made = made?;
            let known = |name: &str| before.as_ref().is_some_and(|before| before.contains_key(name));
            for (name, served) in made.iter().filter(|(name, _)| !known(name)) {
                let whole = is_whole(store.as_ref(), &served.tenant).await;
                whole.map_err(|error| service_runtime::Error::tenant(name, error))?;
            }
            Ok::<_, Refused>(made)
        }
        .boxed()
    };
    let follower = Follower::open(&config.tenants, IdentityService::NAME, make).await;
    let follower = follower.map_err(StartError::Tenants)?;
    Ok((Tenants(follower.live()), Some(follower)))
}

/// The tenants of a file. Those that are as before stay what they are; the pulse of one stays whatever changes.
fn all(file: &TenantsFile, common: &Config, before: Option<&All>) -> Result<All, service_runtime::Error> {
    let each = file.tenants().map(|tenant| {
        let name = tenant.name();
        let directory = tenant.over(DIRECTORY, common, |id| Config::section_of(id) == Some(DIRECTORY))?;
        let credentials = tenant.over(CREDENTIALS, &common.credentials, |id| {
            Config::section_of(id) == Some(CREDENTIALS)
        })?;
        let digest = Sha256::new()
            .chain_update(directory.digest)
            .chain_update(credentials.digest);
        let digest: Digest = digest.finalize().into();
        let known = before.and_then(|before| before.get(name));
        if let Some(known) = known.filter(|known| known.digest == digest) {
            return Ok((name.to_owned(), known.clone()));
        }
        let config = Config {
            credentials: credentials.settings,
            ..directory.settings
        };
        let made = config.check_tenant().and_then(|()| Served::new(name, &config));
        let made = made.map_err(|error| service_runtime::Error::tenant(name, error))?;
        let served = Served {
            digest,
            pulse: known.map(|known| known.pulse.clone()).unwrap_or_default(),
            ..made
        };
        Ok((name.to_owned(), Arc::new(served)))
    });
    let all: Result<All, _> = each.collect();
    all.and_then(|all| apart(&all).map(|()| all))
}

/// Refuses a credential that would be that of two tenants: it must reach one.
fn apart(all: &All) -> Result<(), service_runtime::Error> {
    let mut marks = BTreeMap::new();
    for (name, served) in all {
        for mark in served.named.marks() {
            if let Some(other) = marks.insert(mark.clone(), name)
                && other != name
            {
                let setting = format!("TENANTS_FILE: tenants.{name}.{CREDENTIALS}");
                let reason = format!("{mark} is also that of tenants.{other}, and must reach one tenant");
                return Err(service_runtime::Error::setting(setting, reason));
            }
        }
    }
    Ok(())
}

/// Refuses what would be one tenant's and hold for all of them.
fn check_common(config: &Config) -> Result<(), service_runtime::Error> {
    let wrong = |setting: &str, reason: &str| Err(service_runtime::Error::setting(setting, reason));
    if config.tenant != DEFAULT {
        return wrong("TENANT", "must not be set beside TENANTS_FILE, which names the tenants");
    }
    let credentials = &config.credentials;
    let is_text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let hashes = credentials.bearer_token_sha256_file.as_deref();
    for (setting, is_set) in [
        ("BEARER_TOKEN_SHA256", is_text(&credentials.bearer_token_sha256)),
        (
            "BEARER_TOKEN_SHA256_FILE",
            hashes.is_some_and(|path| !path.as_os_str().is_empty()),
        ),
        ("OAUTH_CLIENT_ID", is_text(&credentials.oauth_client_id)),
        (
            "OAUTH_CLIENT_SECRET_SHA256",
            is_text(&credentials.oauth_client_secret_sha256),
        ),
        (
            "OAUTH_CLIENT_ENTRA_TENANT",
            is_text(&credentials.oauth_client_entra_tenant),
        ),
        ("ENTRA_TOKEN_TENANT", is_text(&credentials.entra_token_tenant)),
    ] {
        if is_set {
            return wrong(
                setting,
                "must not be set beside TENANTS_FILE, where each tenant has its own",
            );
        }
    }
    Ok(())
}

/// Whether the store can serve a tenant.
async fn is_whole(store: &dyn Store, tenant: &Tenant) -> Result<(), StartError> {
    store.feed_id(tenant).await?;
    match store.importing(tenant).await? {
        None => Ok(()),
        Some(_) => Err(StartError::HalfImported),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{config::DeleteMode, credentials::SecretHash};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        config: Config,
    }

    fn common(flags: &[&str]) -> Config {
        Command::try_parse_from([&["identity-service"], flags].concat())
            .unwrap()
            .config
    }

    fn of(text: &str, before: Option<&All>) -> Result<All, String> {
        let file = TenantsFile::parse(text).map_err(|error| error.to_string())?;
        all(&file, &common(&["--scan-limit=7"]), before).map_err(|error| service_runtime::Chain(&error).to_string())
    }

    #[test]
    fn each_tenant_has_its_settings_and_what_all_have_in_common() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("adopt");
        std::fs::write(&list, "Anna@Example.com\n").unwrap();
        let text = format!(
            "[tenants.kestrel.directory]\ndelete_mode = 'disable'\nmax_removals_per_hour = 30\nadopt = 'listed'\n\
             adopt_list = '{}'\naudit_values = true\nanswer_wait = 0\n[tenants.merlin.platform]\n",
            list.display()
        );
        let all = of(&text, None).unwrap();
        let (kestrel, merlin) = (&all["kestrel"], &all["merlin"]);
        assert_eq!(
            (kestrel.policy.delete_mode, merlin.policy.delete_mode),
            (DeleteMode::Disable, DeleteMode::Remove)
        );
        assert_eq!((kestrel.policy.scan_limit, merlin.policy.scan_limit), (7, 7));
        assert_eq!(kestrel.brakes().removals.unwrap().of(10_000), 30);
        assert!(kestrel.adopt_list.contains("anna@example.com") && merlin.adopt_list.is_empty());
        assert!(kestrel.audit_values && !merlin.audit_values);
        assert!(kestrel.delivery.answer_wait.is_zero());
        // Who did not change is the same; of who did, the pulse goes on.
        std::fs::write(&list, "bertil@example.com\n").unwrap();
        let after = of(&text, Some(&all)).unwrap();
        assert!(Arc::ptr_eq(&after["merlin"], merlin) && !Arc::ptr_eq(&after["kestrel"], kestrel));
        assert!(after["kestrel"].adopt_list.contains("bertil@example.com"));
        kestrel.pulse.stands_still(true);
        assert!(!after["kestrel"].pulse.allows(std::time::Duration::from_secs(1)));
        assert!(after["merlin"].pulse.allows(std::time::Duration::from_secs(1)));
    }

    #[test]
    fn one_faulty_tenant_is_named_with_what_is_wrong() {
        for (section, told) in [
            (
                "delete_mode = 'destroy'",
                "tenants.merlin.directory.delete_mode: must be one of remove, disable",
            ),
            (
                "max_removals_per_hour = '5%'",
                "tenants.merlin.directory.max_removals_per_hour: `5%` is neither",
            ),
            (
                "redis_url = { env = 'PATH' }",
                "tenants.merlin.directory.redis_url: is a setting of the whole service",
            ),
            (
                "delivery_lease = '1s'",
                "tenants.merlin.directory.delivery_lease: is a setting of the whole service",
            ),
            (
                "platform_url = 'x'",
                "tenants.merlin.directory.platform_url: is no setting of this section",
            ),
            ("adopt = 'listed'", "tenants.merlin: ADOPT=listed needs ADOPT_LIST"),
            (
                "schemas_file = '/nowhere/at/all'",
                "tenants.merlin: cannot read SCHEMAS_FILE",
            ),
            ("backoff_base = 0", "tenants.merlin: BACKOFF_BASE must be longer than 0"),
        ] {
            let refused = of(
                &format!("[tenants.kestrel]\n[tenants.merlin.directory]\n{section}"),
                None,
            )
            .unwrap_err();
            assert!(refused.contains(told), "{told}: {refused}");
        }
    }

    #[test]
    fn the_name_of_the_one_tenant_has_no_place_beside_the_file() {
        check_common(&common(&[])).unwrap();
        for (flag, setting) in [
            ("--tenant=kestrel", "TENANT"),
            ("--bearer-token-sha256=x", "BEARER_TOKEN_SHA256"),
            ("--bearer-token-sha256-file=/x", "BEARER_TOKEN_SHA256_FILE"),
            ("--oauth-client-id=x", "OAUTH_CLIENT_ID"),
            ("--oauth-client-secret-sha256=x", "OAUTH_CLIENT_SECRET_SHA256"),
            ("--oauth-client-entra-tenant=x", "OAUTH_CLIENT_ENTRA_TENANT"),
            ("--entra-token-tenant=x", "ENTRA_TOKEN_TENANT"),
        ] {
            let refused = check_common(&common(&[flag])).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("{setting}: must not be set beside TENANTS_FILE")),
                "{refused}"
            );
        }
        check_common(&common(&["--access-token-lifetime=2h", "--oauth-client-id="])).unwrap();
    }

    #[test]
    fn a_credential_reaches_one_tenant() {
        let folder = tempfile::tempdir().unwrap();
        let hashes = |name: &str, tokens: &[&str]| {
            let path = folder.path().join(name);
            let lines = tokens
                .iter()
                .map(|token| format!("{}\n", SecretHash::of(&(*token).into())));
            std::fs::write(&path, lines.collect::<String>()).unwrap();
            format!(
                "[tenants.{name}.credentials]\nbearer_token_sha256_file = '{}'\n",
                path.display()
            )
        };
        let (kestrel, merlin) = (hashes("kestrel", &["a", "b"]), hashes("merlin", &["c"]));
        let both = of(&(kestrel.clone() + &merlin), None).unwrap();
        assert!(both.values().all(|served| !served.named.is_empty()));
        let refused = of(&(kestrel + &hashes("merlin", &["c", "b"])), None).unwrap_err();
        assert!(
            refused.contains("tenants.merlin.credentials: a bearer token"),
            "{refused}"
        );
        assert!(refused.contains("also that of tenants.kestrel"), "{refused}");
        // The file that is named has changed, and with it the tenant.
        let (kestrel, after) = ("kestrel".to_owned(), hashes("merlin", &["d"]));
        let after = of(&(hashes(&kestrel, &["a", "b"]) + &after), Some(&both)).unwrap();
        assert!(Arc::ptr_eq(&after[&kestrel], &both[&kestrel]) && !Arc::ptr_eq(&after["merlin"], &both["merlin"]));
        let entra = |name: &str, audience: &str| {
            let tenant = "6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c0001";
            format!(
                "[tenants.{name}.credentials]\nentra_token_tenant = '{tenant}'\nentra_token_audience = ['{audience}']\n"
            )
        };
        of(&(entra("kestrel", "api://k") + &entra("merlin", "api://m")), None).unwrap();
        assert!(of(&(entra("kestrel", "api://k") + &entra("merlin", "api://k")), None).is_err());
        let client = |name: &str| {
            let (tenant, subject) = (
                "6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c0001",
                "6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c0002",
            );
            format!(
                "[tenants.{name}.credentials]\noauth_client_id = 'entra'\noauth_client_entra_tenant = '{tenant}'\n\
                 oauth_client_entra_subject = '{subject}'\noauth_client_entra_audience = ['api://k']\n"
            )
        };
        of(&client("kestrel"), None).unwrap();
        assert!(of(&(client("kestrel") + &client("merlin")), None).is_err());
        let refused = of(
            "[tenants.merlin.credentials]\noauth_client_secret_sha256 = 's3cret'",
            None,
        )
        .unwrap_err();
        assert!(
            refused.contains("oauth_client_secret_sha256: is a secret") && !refused.contains("s3cret"),
            "{refused}"
        );
    }
}
