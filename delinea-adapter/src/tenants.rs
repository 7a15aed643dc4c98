//! The tenants that are served: one by the process's settings, or those of the file of tenants, which may change while requests
//! run. Who has taken a tenant keeps it to the end; one whose section did not change keeps its object, and with it its token,
//! its pace and what is known of its Platform.
//!
//! Each tenant has a token, a pace and a probe of its own, so none waits for another's Platform. It knows the file and the
//! settings; it must not know what is asked of a tenant.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::FutureExt;
use service_runtime::{
    Lifecycle, Live, Service, TenantsFile,
    tenants::{Digest, Follower, PLATFORM, Refused, Workers},
};
use tokio_util::sync::CancellationToken;

use crate::{
    DelineaAdapter, Error,
    apply::Tenant,
    config::{Config, PlatformConfig},
    error::ApplyError,
    follow, metrics,
};

/// The tenant of a deployment that has one, unless it is called otherwise.
const DEFAULT: &str = "default";

/// The tenants, by name.
#[derive(Default)]
pub(crate) struct Tenants(BTreeMap<String, Served>);

struct Served {
    tenant: Arc<Tenant>,
    /// What its section came to; of one without a file nothing.
    digest: Digest,
}

impl Tenants {
    /// The tenant of that name.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Tenant>, ApplyError> {
        let unknown = || ApplyError::UnknownTenant {
            tenant: name.to_owned(),
        };
        self.0.get(name).map(|served| served.tenant.clone()).ok_or_else(unknown)
    }

    fn one(config: PlatformConfig) -> Result<Self, Error> {
        config.check()?;
        let name = config.platform_tenant.clone();
        let tenant = Arc::new(Tenant::new(Arc::new(config))?);
        tenant.mapping.warn_of_unknown_fields();
        let digest = Digest::default();
        Ok(Self(BTreeMap::from([(name, Served { tenant, digest })])))
    }

    /// The tenants of a file, laid over what they have in common. Those that are as before stay what they are.
    fn of(file: &TenantsFile, common: &PlatformConfig, before: Option<&Self>) -> Result<Self, service_runtime::Error> {
        let mut tenants = BTreeMap::new();
        for (name, config, digest) in settings(file, common)? {
            let known = before.and_then(|before| before.0.get(&name));
            let tenant = match known.filter(|known| known.digest == digest) {
                Some(known) => known.tenant.clone(),
                None => Arc::new(Tenant::new(Arc::new(config)).map_err(|error| of_tenant(&name, error))?),
            };
            tenants.insert(name, Served { tenant, digest });
        }
        Ok(Self(tenants))
    }
}

/// The settings of each tenant of a file, which fit together.
fn settings(
    file: &TenantsFile,
    common: &PlatformConfig,
) -> Result<Vec<(String, PlatformConfig, Digest)>, service_runtime::Error> {
    let each = file.tenants().map(|tenant| {
        let said = tenant.over(PLATFORM, common, |id| Config::section_of(id) == Some(PLATFORM))?;
        let config = PlatformConfig {
            platform_tenant: tenant.name().to_owned(),
            ..said.settings
        };
        config
            .check()
            .map_err(|error| service_runtime::Error::tenant(tenant.name(), error))?;
        Ok((tenant.name().to_owned(), config, said.digest))
    });
    each.collect()
}

fn of_tenant(name: &str, error: Error) -> service_runtime::Error {
    match error {
        Error::Runtime(error) => service_runtime::Error::tenant(name, error),
        other => service_runtime::Error::tenant(name, other),
    }
}

/// Refuses what would be one tenant's and hold for all of them.
fn check_common(common: &PlatformConfig) -> Result<(), service_runtime::Error> {
    use secrecy::ExposeSecret;
    let is_text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let secret = &common.platform_client_secret;
    for (setting, is_set) in [
        ("PLATFORM_TENANT", common.platform_tenant != DEFAULT),
        ("PLATFORM_URL", is_text(&common.platform_url)),
        ("PLATFORM_CLIENT_ID", is_text(&common.platform_client_id)),
        (
            "PLATFORM_CLIENT_SECRET",
            secret.as_ref().is_some_and(|secret| !secret.expose_secret().is_empty()),
        ),
        (
            "PLATFORM_CLIENT_SECRET_EXPIRES",
            common.platform_client_secret_expires.is_some(),
        ),
        (
            "PLATFORM_CLIENT_SECRET_FILE",
            common
                .platform_client_secret_file
                .as_ref()
                .is_some_and(|path| !path.as_os_str().is_empty()),
        ),
    ] {
        if is_set {
            let reason = "must not be set beside TENANTS_FILE, where each tenant has its own";
            return Err(service_runtime::Error::setting(setting, reason));
        }
    }
    Ok(())
}

/// Whether the settings fit together, the file's included. Nothing is called.
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    match config.tenants.read()? {
        Some(file) => {
            check_common(&config.platform)?;
            Tenants::of(&file, &config.platform, None)?;
        }
        None => drop(Tenants::one(config.platform.clone())?),
    }
    Ok(())
}

/// The settings of the one tenant that a command is about, named by PLATFORM_TENANT.
pub(crate) fn chosen(platform: PlatformConfig, file: Option<&TenantsFile>) -> Result<PlatformConfig, Error> {
    let Some(file) = file else {
        platform.check()?;
        return Ok(platform);
    };
    let name = platform.platform_tenant.clone();
    let common = PlatformConfig {
        platform_tenant: DEFAULT.to_owned(),
        ..platform
    };
    check_common(&common)?;
    let mut all = settings(file, &common)?.into_iter();
    let found = all.find(|(of, ..)| *of == name).map(|(_, config, _)| config);
    found.ok_or_else(|| {
        let reason = format!("{name:?} is no tenant of TENANTS_FILE; name one of them");
        service_runtime::Error::setting("PLATFORM_TENANT", reason).into()
    })
}

/// Begins to serve the tenants of the settings, and follows what becomes of them.
pub(crate) async fn serve(config: &Config, life: &Lifecycle) -> Result<Live<Tenants>, Error> {
    metrics::tell();
    let (live, many) = if config.tenants.file().is_some() {
        check_common(&config.platform)?;
        let common = config.platform.clone();
        let make = move |file: TenantsFile, before: Option<Arc<Tenants>>| {
            let made = Tenants::of(&file, &common, before.as_deref()).map_err(Refused::from);
            async move { made }.boxed()
        };
        let follower = Follower::open(&config.tenants, DelineaAdapter::NAME, make).await;
        let follower = follower.map_err(Error::Tenants)?;
        let live = follower.live();
        let state = life.readiness.dependency("tenants file");
        state.ready();
        life.tasks.spawn("tenants file", |stop| follower.run(state, stop));
        (live, true)
    } else {
        (Live::fixed(Tenants::one(config.platform.clone())?), false)
    };
    let mut care = Care {
        live: live.clone(),
        many,
        readiness: life.readiness.clone(),
        workers: Workers::new(&life.tasks),
        cared: BTreeMap::new(),
    };
    // Readiness knows of each Platform before the service can be asked.
    care.settle().await;
    life.tasks.spawn("tenants", |stop| care.run(stop));
    Ok(live)
}

/// What goes on beside the service for each tenant.
struct Care {
    live: Live<Tenants>,
    many: bool,
    readiness: service_runtime::Readiness,
    workers: Workers,
    /// For whom that goes on.
    cared: BTreeMap<String, Arc<Tenant>>,
}

impl Care {
    async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.live.changed()).await.is_some() {
            self.settle().await;
        }
    }

    /// Ends what goes on for those who went or changed, and begins it for those who came or changed.
    async fn settle(&mut self) {
        let present = self.live.take();
        let cared = std::mem::take(&mut self.cared);
        for (name, tenant) in &cared {
            let now = present.0.get(name);
            if now.is_none_or(|now| !Arc::ptr_eq(&now.tenant, tenant)) {
                self.workers.end(name).await;
            }
            if now.is_none() {
                self.readiness.dependency(&dependency(name)).forget();
                tracing::info!(scim.tenant = name, "the tenant is no longer served");
            }
        }
        for (name, Served { tenant, .. }) in &present.0 {
            if cared.get(name).is_none_or(|before| !Arc::ptr_eq(before, tenant)) {
                self.begin(name, tenant);
            }
            self.cared.insert(name.clone(), Arc::clone(tenant));
        }
    }

    fn begin(&mut self, name: &str, tenant: &Arc<Tenant>) {
        let state = if self.many {
            let state = self.readiness.dependency(&dependency(name));
            // One tenant's Platform that cannot be reached is no reason to send the others' requests elsewhere.
            state.degraded("not asked yet");
            tenant.mapping.warn_of_unknown_fields();
            state
        } else {
            self.readiness.dependency("platform")
        };
        let platform = Arc::clone(&tenant.platform);
        self.workers.start(name, "platform readiness", |stop| async move {
            stop.run_until_cancelled(follow::token(&platform, &state, &stop)).await;
        });
        if let Some(ends) = tenant.config.secret_ends() {
            let of = name.to_owned();
            self.workers.start(name, "platform secret", move |stop| async move {
                stop.run_until_cancelled(follow::secret(&of, ends)).await;
            });
        }
        let (platform, interval) = (Arc::clone(&tenant.platform), tenant.config.backends.probe_interval);
        self.workers.start(name, "platform probe", move |stop| async move {
            stop.run_until_cancelled(follow::capabilities(&platform, interval, &stop))
                .await;
        });
    }
}

fn dependency(tenant: &str) -> String {
    format!("platform of {tenant}")
}

#[cfg(test)]
mod tests {
    use clap::Args as _;
    use secrecy::SecretString;

    use super::*;

    fn common(arguments: &[&str]) -> PlatformConfig {
        use clap::FromArgMatches as _;
        let command = PlatformConfig::augment_args(clap::Command::new("adapter"));
        let command = command.mut_args(|argument| argument.env(clap::builder::Resettable::Reset));
        let line = ["adapter"].iter().chain(arguments);
        PlatformConfig::from_arg_matches(&command.get_matches_from(line)).unwrap()
    }

    fn section(name: &str, more: &str) -> String {
        format!(
            "[tenants.{name}.platform]\nplatform_url = 'https://{name}.example'\nplatform_client_id = 'scim@{name}'\n\
             platform_client_secret_file = '/dev/null'\n{more}\n"
        )
    }

    fn of(text: &str, before: Option<&Tenants>) -> Result<Tenants, String> {
        service_runtime::install_crypto_provider();
        let file = TenantsFile::parse(text).map_err(|error| error.to_string())?;
        Tenants::of(&file, &common(&["--max-rps=3"]), before)
            .map_err(|error| service_runtime::Chain(&error).to_string())
    }

    /// With secrets that are files, of which the content does not matter here.
    fn with_secrets(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret").unwrap();
        let text = text.replace("/dev/null", &path.display().to_string());
        (folder, text)
    }

    #[test]
    fn each_tenant_has_its_settings_and_what_all_have_in_common() {
        let text = section(
            "kestrel",
            "max_rps = 7\nprotected_names = ['root', 'break-glass']\nplatform_client_secret_expires = 2027-03-31",
        ) + &section("merlin", "");
        let (_folder, text) = with_secrets(&text);
        let tenants = of(&text, None).unwrap();
        let (kestrel, merlin) = (tenants.get("kestrel").unwrap(), tenants.get("merlin").unwrap());
        assert_eq!(kestrel.config.base_url().unwrap(), "https://kestrel.example");
        assert_eq!((kestrel.config.max_rps, merlin.config.max_rps), (Some(7), Some(3)));
        assert_eq!(kestrel.config.platform_tenant, "kestrel");
        let end = kestrel.config.secret_ends().unwrap().to_string();
        assert_eq!(
            (end.as_str(), merlin.config.secret_ends()),
            ("2027-03-31T00:00:00Z", None)
        );
        assert!(kestrel.config.is_protected("break-glass") && !merlin.config.is_protected("break-glass"));
        assert!(matches!(tenants.get("default"), Err(ApplyError::UnknownTenant { .. })));
    }

    #[test]
    fn who_did_not_change_keeps_token_pace_and_what_is_known() {
        let (_folder, text) = with_secrets(&(section("kestrel", "") + &section("merlin", "")));
        let before = of(&text, None).unwrap();
        let text = text.replace("https://merlin.example", "https://merlin.example.org");
        let after = of(&text, Some(&before)).unwrap();
        let same = |name: &str| Arc::ptr_eq(&before.get(name).unwrap(), &after.get(name).unwrap());
        assert!(same("kestrel") && !same("merlin"));
    }

    #[test]
    fn one_faulty_tenant_is_named_with_what_is_wrong() {
        for (more, told) in [
            (
                "platform_timeout = '0s'",
                "TENANTS_FILE: tenants.merlin: PLATFORM_TIMEOUT",
            ),
            (
                "adapter_replicas = 2",
                "tenants.merlin.platform.adapter_replicas: is a setting of the whole",
            ),
            (
                "platform_tenant = 'kestrel'",
                "tenants.merlin.platform.platform_tenant: is a setting of the whole",
            ),
            (
                "attribute_map_file = '/nowhere/at/all'",
                "TENANTS_FILE: tenants.merlin: ATTRIBUTE_MAP_FILE",
            ),
            (
                "extra_headers = 'X-Id=1'",
                "tenants.merlin.platform.extra_headers: is a secret",
            ),
        ] {
            let (_folder, text) = with_secrets(&(section("kestrel", "") + &section("merlin", more)));
            let Err(refused) = of(&text, None) else {
                panic!("{more} was taken")
            };
            assert!(refused.contains(told), "{told}: {refused}");
        }
        let (_folder, text) = with_secrets("[tenants.merlin.directory]\ndry_run = true");
        let Err(refused) = of(&text, None) else { panic!() };
        assert!(
            refused.contains("tenants.merlin") && refused.contains("PLATFORM_URL"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_one_tenants_must_not_hold_for_all() {
        check_common(&common(&["--max-rps=1"])).unwrap();
        for (argument, setting) in [
            ("--platform-tenant=kestrel", "PLATFORM_TENANT"),
            ("--platform-url=https://t.example", "PLATFORM_URL"),
            ("--platform-client-id=a", "PLATFORM_CLIENT_ID"),
            ("--platform-client-secret=s3cret", "PLATFORM_CLIENT_SECRET"),
            (
                "--platform-client-secret-file=/run/secret",
                "PLATFORM_CLIENT_SECRET_FILE",
            ),
            (
                "--platform-client-secret-expires=2027-03-31",
                "PLATFORM_CLIENT_SECRET_EXPIRES",
            ),
        ] {
            let refused = check_common(&common(&[argument])).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("{setting}: must not be set beside")),
                "{refused}"
            );
        }
        check_common(&PlatformConfig {
            platform_client_secret: Some(SecretString::from("")),
            platform_url: Some(String::new()),
            ..common(&[])
        })
        .unwrap();
    }

    #[test]
    fn a_command_is_about_one_tenant_of_the_file() {
        let (_folder, text) = with_secrets(&section("kestrel", ""));
        let file = TenantsFile::parse(&text).unwrap();
        let kestrel = chosen(common(&["--platform-tenant=kestrel"]), Some(&file)).unwrap();
        assert_eq!(kestrel.base_url().unwrap(), "https://kestrel.example");
        assert!(chosen(common(&[]), Some(&file)).is_err());
    }

    #[test]
    fn a_setting_in_the_file_is_named_as_its_variable() {
        for argument in PlatformConfig::augment_args(clap::Command::new("adapter")).get_arguments() {
            let variable = argument.get_env().unwrap().to_str().unwrap().to_lowercase();
            assert_eq!(argument.get_id().as_str(), variable);
        }
    }
}
