//! The settings: our own, and those of the three services on the same command line. An address that each service has for
//! itself carries the service's name (`GATEWAY_LISTEN`); all other settings keep theirs.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};
use identity_service::{config::Brake, credentials::new_token};
use platform_simulator::ProfileSource;
use service_runtime::{
    Service,
    settings::{self, Setting, join, part},
};

use crate::{
    Error,
    deployment::{accept, reach},
};

const GATEWAY: &str = "gateway";
const IDENTITY: &str = "identity-service";
const ADAPTER: &str = "delinea-adapter";
/// What each service has for itself.
const OWN: &[&str] = &["listen", "ops_listen", "page_size"];
/// What the whole decides and nobody sets.
const DECIDED: &[&str] = &["identity_url", "adapter_url", "platform_tenant"];

/// Settings of the whole.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Use free ports and a temporary folder that is removed at the end; for tests and trials.
    #[arg(long, env = "EPHEMERAL", value_parser = clap::builder::FalseyValueParser::new())]
    pub ephemeral: bool,
    /// Let a simulated Entra directory of N users (and a sixth as many groups, at least one) go through the services, and
    /// show what was compared; 0 rehearses nothing. Never done against a real tenant.
    #[arg(long, env = "REHEARSE", value_name = "N", default_value_t = 0)]
    pub rehearse: usize,
    /// Stop after the rehearsal; its verdict is the exit status.
    #[arg(long, env = "ONCE", value_parser = clap::builder::FalseyValueParser::new())]
    pub once: bool,
    /// Write addresses and token to this file as JSON, whole, when everything is ready.
    #[arg(long, env = "ENDPOINTS_FILE", value_name = "FILE")]
    pub endpoints_file: Option<PathBuf>,
    /// Address of the simulated Platform; port 0 picks a free one.
    #[arg(
        long,
        env = "PLATFORM_SIMULATOR_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8090"
    )]
    pub platform_simulator_listen: SocketAddr,
    /// How the simulated tenant behaves: default, modern, no-role-writes, heritage, scim-only, federated, hostile, or a JSON file.
    #[arg(long, env = "PLATFORM_SIMULATOR_PROFILE", value_name = "NAME|FILE")]
    pub platform_simulator_profile: Option<ProfileSource>,
}

/// Everything that was set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Ours.
    pub options: Options,
    /// The gateway's.
    pub gateway: gateway::Config,
    /// identity-service's; its data folder is that of the whole.
    pub identity: identity_service::Config,
    /// delinea-adapter's.
    pub adapter: delinea_adapter::Config,
}

impl Settings {
    /// The command line.
    pub fn command() -> Command {
        let command = Command::new("all-in-one")
            .version(env!("CARGO_PKG_VERSION"))
            // `make run ARGS=…` adds to what the Makefile gives; the later one counts.
            .args_override_self(true)
            .subcommand_negates_reqs(true);
        let command = Options::augment_args(command);
        let command = join::<identity_service::Config>(command, IDENTITY, OWN);
        let command = join::<gateway::Config>(command, GATEWAY, OWN);
        let command = join::<delinea_adapter::Config>(command, ADAPTER, OWN);
        let command = command.mut_args(|argument| {
            let decided = DECIDED.contains(&argument.get_id().as_str());
            if decided {
                argument.hide(true).env(None::<&str>)
            } else {
                argument
            }
        });
        command.about("The SCIM gateway on one machine: gateway, identity-service, delinea-adapter, and a simulated Platform unless --platform-url is given")
    }

    /// Reads what was given.
    pub fn read(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self {
            options: Options::from_arg_matches(matches)?,
            gateway: part(matches, GATEWAY, OWN)?,
            identity: part(matches, IDENTITY, OWN)?,
            adapter: part(matches, ADAPTER, OWN)?,
        };
        // Whoever tries things out on a simulated Platform deletes many, and nobody is harmed.
        if !settings.serves_real_tenant() {
            let policy = &mut settings.identity.policy;
            for (id, brake) in [
                ("max_removals_per_hour", &mut policy.max_removals_per_hour),
                ("max_deactivations_per_hour", &mut policy.max_deactivations_per_hour),
            ] {
                if matches.value_source(id) == Some(ValueSource::DefaultValue) {
                    *brake = Brake::Most(0);
                }
            }
        }
        settings.adapter.platform.platform_tenant = settings.identity.tenant.clone();
        if settings.options.ephemeral {
            settings.take_free_ports(matches);
        }
        Ok(settings)
    }

    /// Whether each service could start with its settings, without opening anything. What only the start can know is stood
    /// in for.
    pub fn check(&self) -> Result<(), Error> {
        let (mut identity, mut adapter) = (self.identity.clone(), self.adapter.clone());
        if !self.serves_many() {
            accept(&mut identity, &new_token(), None);
        }
        if !self.serves_real_tenant() {
            let simulator = platform_simulator::Config::default();
            reach(&mut adapter, &simulator, format!("http://{}", simulator.listen));
        }
        if self.options.rehearse > 0 && self.gateway.serves_tls() {
            let reason =
                "goes to the gateway's address on this machine, for which its certificate is not; rehearse without TLS";
            return Err(service_runtime::Error::setting("REHEARSE", reason).into());
        }
        self.gateway.ops.check()?;
        gateway::Service::check(&self.gateway).map_err(Error::Gateway)?;
        identity_service::IdentityService::check(&identity).map_err(Error::Identity)?;
        delinea_adapter::DelineaAdapter::check(&adapter).map_err(Error::Adapter)
    }

    /// What is in force, for `--check`; what the whole decides is left out.
    pub(crate) fn effective(command: &Command, matches: &ArgMatches) -> Vec<Setting> {
        let decided = |name: &str| DECIDED.iter().any(|id| id.replace('_', "-") == name);
        let mut settings = settings::effective(command, matches);
        settings.retain(|setting| !decided(&setting.name));
        settings
    }

    /// Whether there is a real tenant to serve; those of a file all count as such, wherever their Platforms are.
    pub fn serves_real_tenant(&self) -> bool {
        let url = self.adapter.platform.platform_url.as_deref();
        self.serves_many() || url.is_some_and(|url| !url.is_empty())
    }

    /// Whether the tenants stand in a file.
    pub fn serves_many(&self) -> bool {
        self.identity.tenants.file().is_some()
    }

    /// The folder that everything is kept in.
    pub fn data_dir(&self) -> &Path {
        &self.identity.data_dir
    }

    /// Free ports for every address that was not given.
    fn take_free_ports(&mut self, matches: &ArgMatches) {
        let addresses = [
            ("gateway_listen", &mut self.gateway.listen),
            ("identity_service_listen", &mut self.identity.listen),
            ("delinea_adapter_listen", &mut self.adapter.listen),
            ("platform_simulator_listen", &mut self.options.platform_simulator_listen),
        ];
        for (id, address) in addresses {
            if matches.value_source(id) == Some(ValueSource::DefaultValue) {
                address.set_port(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use identity_service::store::Brakes;

    use super::*;

    fn read(line: &str) -> Settings {
        Settings::read(&Settings::command().get_matches_from(line.split(' '))).unwrap()
    }

    #[test]
    fn the_command_line_is_sound() {
        Settings::command().debug_assert();
    }

    #[test]
    fn of_a_flag_that_is_given_twice_the_later_one_counts() {
        let settings = read(
            "all-in-one --rehearse 50 --data-dir ./data --rehearse 0 --data-dir /elsewhere --ephemeral --ephemeral",
        );
        assert_eq!(settings.options.rehearse, 0);
        assert_eq!(settings.data_dir(), Path::new("/elsewhere"));
    }

    #[test]
    fn services_settings_are_flags_here_too() {
        let settings = read(
            "all-in-one --gateway-listen 127.0.0.1:1 --unknown-members keep --delete-mode disable --tenant t1 --default-suffix x.example",
        );
        assert_eq!(settings.gateway.listen.port(), 1);
        assert_eq!(settings.identity.listen.port(), 50051);
        assert_eq!(settings.adapter.listen.port(), 50052);
        assert_eq!(
            settings.identity.policy.delete_mode,
            identity_service::config::DeleteMode::Disable
        );
        assert_eq!(
            settings.identity.policy.unknown_members,
            identity_service::config::UnknownMembers::Keep
        );
        assert_eq!(
            (
                settings.identity.tenant.as_str(),
                settings.adapter.platform.platform_tenant.as_str()
            ),
            ("t1", "t1")
        );
        assert_eq!(settings.adapter.platform.default_suffix.as_deref(), Some("x.example"));
        assert!(!settings.serves_real_tenant());
    }

    #[test]
    fn what_the_services_know_each_other_by_is_one_setting() {
        let settings = read("all-in-one --grpc-token a-token-of-at-least-thirty-two-characters");
        let all = [
            &settings.gateway.grpc.own,
            &settings.identity.grpc.own,
            &settings.adapter.grpc,
        ];
        assert!(all.into_iter().all(|own| own.grpc_token.is_some()));
    }

    #[test]
    fn a_simulated_tenant_is_named_or_in_a_file() {
        let profile = |line: &str| {
            read(line)
                .options
                .platform_simulator_profile
                .map(|profile| profile.to_string())
        };
        assert_eq!(profile("all-in-one"), None);
        assert_eq!(
            profile("all-in-one --platform-simulator-profile hostile").as_deref(),
            Some("hostile")
        );
        assert_eq!(
            profile("all-in-one --platform-simulator-profile ./x.json").as_deref(),
            Some("./x.json")
        );
        let unknown = ["all-in-one", "--platform-simulator-profile", "hostil"];
        let refused = Settings::command()
            .try_get_matches_from(unknown)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("no profile is called hostil"), "{refused}");
    }

    #[test]
    fn brakes_are_on_where_there_is_a_real_tenant() {
        let brakes = |line: &str| read(line).identity.policy.brakes();
        assert_eq!(brakes("all-in-one"), Brakes::default());
        assert!(brakes("all-in-one --max-removals-per-hour 5").removals.is_some());
        let real = brakes("all-in-one --platform-url https://t.example");
        assert!(real.removals.is_some() && real.deactivations.is_some());
    }

    #[test]
    fn a_file_of_tenants_is_for_both_services_and_each_tenant_counts_as_real() {
        let folder = tempfile::tempdir().unwrap();
        let (path, secret) = (folder.path().join("tenants.toml"), folder.path().join("secret"));
        std::fs::write(&secret, "s3cret").unwrap();
        let tenants = format!(
            "[tenants.kestrel.platform]\nplatform_url = 'https://k.example'\nplatform_client_id = 'a'\n\
             platform_client_secret_file = '{}'\n[tenants.kestrel.directory]\ndry_run = true\n",
            secret.display()
        );
        std::fs::write(&path, &tenants).unwrap();
        let line = format!("all-in-one --tenants-file {}", path.display());
        let settings = read(&line);
        assert!(settings.serves_real_tenant());
        assert!(settings.identity.policy.brakes().removals.is_some());
        settings.check().unwrap();
        for more in [
            "--tenant kestrel",
            "--platform-url https://t.example",
            "--platform-client-id a",
        ] {
            assert!(read(&format!("{line} {more}")).check().is_err(), "{more}");
        }
        std::fs::write(&path, tenants.replace("dry_run", "dry_ran")).unwrap();
        assert!(read(&line).check().is_err());
    }

    #[test]
    fn settings_that_do_not_fit_together_are_found_before_the_start() {
        read("all-in-one").check().unwrap();
        for line in [
            "all-in-one --delivery-lease 0",
            "all-in-one --adopt listed",
            "all-in-one --public-url scim.example.com",
            "all-in-one --platform-url https://tenant.example",
            "all-in-one --platform-timeout 0",
        ] {
            assert!(read(line).check().is_err(), "{line}");
        }
        read("all-in-one --platform-url https://t.example --platform-client-id a --platform-client-secret b")
            .check()
            .unwrap();
    }

    #[test]
    fn ephemeral_takes_free_ports_but_for_those_that_were_given() {
        let settings = read("all-in-one --ephemeral --identity-service-listen 127.0.0.1:2");
        assert_eq!(settings.gateway.listen.port(), 0);
        assert_eq!(settings.identity.listen.port(), 2);
        assert_eq!(settings.options.platform_simulator_listen.port(), 0);
    }
}
