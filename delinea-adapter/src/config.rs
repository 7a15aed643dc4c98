//! The settings of the adapter. What concerns one Platform tenant stands in [`PlatformConfig`], apart from where the
//! service listens, so that a process with several services can take it whole.
//!
//! Names and defaults are those of the list of what is unknown about the Platform.

mod accounts;
mod backends;
mod tables;
mod values;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args as _, FromArgMatches as _};
use http::HeaderMap;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use secrecy::SecretString;
use service_runtime::{
    Error, GrpcArgs, GrpcServerArgs, OpsArgs, TelemetryArgs, TenantsArgs,
    settings::{parse_duration, parse_secret},
    tenants::PLATFORM,
};

pub use accounts::{AccountSettings, ChangeUserMode, ExtraField, FieldName, PasswordSource, PasswordSymbols};
pub use backends::{BackendConfig, GroupBackend, RestV3, StateCall, UserBackend};
pub use tables::TableFiles;
pub(crate) use values::is_suffix;
pub use values::{ClearValue, DirectoryPolicy, ExtraHeader, SuffixMapping};

/// The settings of the service.
#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    /// Address that gRPC is served on; port 0 takes a free one.
    #[arg(long, env = "LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:50052")]
    pub listen: SocketAddr,
    /// By what callers know each other.
    #[command(flatten)]
    pub grpc: GrpcArgs,
    /// Who may call.
    #[command(flatten)]
    pub grpc_server: GrpcServerArgs,
    /// The Platform tenant; of many, what they have in common.
    #[command(flatten)]
    pub platform: PlatformConfig,
    /// Where the tenants are, if there are many.
    #[command(flatten)]
    pub tenants: TenantsArgs,
    /// The operators' side.
    #[command(flatten)]
    pub ops: OpsArgs,
    /// Logs, traces and metrics.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// The settings of one Platform tenant.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Delinea Platform")]
pub struct PlatformConfig {
    /// Name of the tenant that this Platform belongs to; a request for another one is refused. With TENANTS_FILE, the commands
    /// `check` and `record` take it for the tenant of the file that they are about.
    #[arg(long, env = "PLATFORM_TENANT", value_name = "NAME", default_value = "default")]
    pub platform_tenant: String,
    /// The Platform, such as `https://example.delinea.app`.
    #[arg(long, env = "PLATFORM_URL", value_name = "URL")]
    pub platform_url: Option<String>,
    /// Host of a simulated Platform on another machine or in another container, such as platform-simulator: the one host
    /// but this machine that PLATFORM_URL may reach by plain http. A name without a dot, which no tenant has.
    #[arg(long, env = "PLATFORM_SIMULATOR_HOST", value_name = "NAME")]
    pub platform_simulator_host: Option<String>,
    /// Login name of the service user, such as scim-gateway@example.com.
    #[arg(long, env = "PLATFORM_CLIENT_ID", value_name = "NAME")]
    pub platform_client_id: Option<String>,
    /// Secret of the service user.
    #[arg(long, env = "PLATFORM_CLIENT_SECRET", value_name = "SECRET", hide_env_values = true,
          value_parser = parse_secret)]
    pub platform_client_secret: Option<SecretString>,
    /// File with the secret of the service user; it is read anew for each token, so that the secret can be rotated.
    #[arg(long, env = "PLATFORM_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub platform_client_secret_file: Option<PathBuf>,
    /// The day on which the secret of the service user ends, such as 2027-03-31, in UTC: the Platform does not tell it, so that
    /// metrics and log warn in time.
    #[arg(long, env = "PLATFORM_CLIENT_SECRET_EXPIRES", value_name = "DATE")]
    pub platform_client_secret_expires: Option<Date>,
    /// Path that every call begins with.
    #[arg(
        long,
        env = "IDENTITY_BASE_PATH",
        value_name = "PATH",
        default_value = "/identity/api"
    )]
    pub identity_base_path: String,
    /// Path that gives tokens.
    #[arg(
        long,
        env = "TOKEN_PATH",
        value_name = "PATH",
        default_value = "/identity/api/oauth2/token/xpmplatform"
    )]
    pub token_path: String,
    /// Scope that a token is asked for with.
    #[arg(long, env = "PLATFORM_SCOPE", value_name = "SCOPE", default_value = "xpmheadless")]
    pub platform_scope: String,
    /// How long before its end a token is renewed.
    #[arg(long, env = "TOKEN_EARLY_REFRESH", value_name = "DURATION", default_value = "60s",
          value_parser = parse_duration)]
    pub token_early_refresh: Duration,
    /// How long a token is used at most, whatever it says of itself.
    #[arg(long, env = "TOKEN_MAX_AGE", value_name = "DURATION", default_value = "50m", value_parser = parse_duration)]
    pub token_max_age: Duration,
    /// Header sent with each call, as name=value, such as X-MT-SecondaryId=GUID; several are separated by commas.
    #[arg(
        long,
        env = "EXTRA_HEADERS",
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub extra_headers: Vec<ExtraHeader>,
    /// How long one call may take, its answer included.
    #[arg(long, env = "PLATFORM_TIMEOUT", value_name = "DURATION", default_value = "30s",
          value_parser = parse_duration)]
    pub platform_timeout: Duration,
    /// How many calls all adapters of the tenant have under way at once; each has at least one.
    #[arg(long, env = "MAX_CONCURRENCY", value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub max_concurrency: u16,
    /// How many calls a second all adapters of the tenant make together, 5 unless set otherwise; 0 sets no limit. all-in-one
    /// takes what the simulated Platform's profile says.
    #[arg(long, env = "MAX_RPS", value_name = "N")]
    pub max_rps: Option<u32>,
    /// Whether calls go out slower, and fewer at once, while the Platform has too much to do (429, 503, slow answers); never more
    /// than MAX_RPS and MAX_CONCURRENCY.
    #[arg(long, env = "PACE_ADAPTS", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub pace_adapts: bool,
    /// How many adapters serve the tenant; each takes its share of MAX_RPS and MAX_CONCURRENCY.
    #[arg(long, env = "ADAPTER_REPLICAS", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub adapter_replicas: u16,
    /// How long a write whose outcome is in doubt is looked for.
    #[arg(long, env = "READ_BACK_TIMEOUT", value_name = "DURATION", default_value = "30s",
          value_parser = parse_duration)]
    pub read_back_timeout: Duration,
    /// Pause between two such looks.
    #[arg(long, env = "READ_BACK_INTERVAL", value_name = "DURATION", default_value = "1s",
          value_parser = parse_duration)]
    pub read_back_interval: Duration,
    /// How many members one call puts in or out at most.
    #[arg(long, env = "MEMBER_BATCH", value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub member_batch: u16,
    /// How many rows a report is asked for at once.
    #[arg(long, env = "PAGE_SIZE", value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub page_size: u16,
    /// How many rows a report gives at most; one that reaches it fails, rather than pass for complete.
    #[arg(long, env = "REPORT_LIMIT", value_name = "N", default_value_t = 100_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub report_limit: u32,
    /// How fresh reports are: minutes that an old answer may serve, -1 to run them anew, below to bypass the cache.
    #[arg(long, env = "QUERY_CACHING", value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    pub query_caching: i32,
    /// Login suffix of a userName that has none.
    #[arg(long, env = "DEFAULT_SUFFIX", value_name = "SUFFIX")]
    pub default_suffix: Option<String>,
    /// Login suffix to put in the place of another, as old=new; several are separated by commas.
    #[arg(long, env = "SUFFIX_MAP", value_name = "OLD=NEW", value_delimiter = ',')]
    pub suffix_map: Vec<SuffixMapping>,
    /// Whether a login name is refused when the Platform does not know its suffix.
    #[arg(long, env = "SUFFIX_CHECK", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub suffix_check: bool,
    /// Names of accounts and groups that are never removed, disabled or adopted by matching; separated by commas.
    #[arg(long, env = "PROTECTED_NAMES", value_name = "NAME", value_delimiter = ',')]
    pub protected_names: Vec<String>,
    /// What clears a field: the empty string, or null.
    #[arg(long, env = "CLEAR_VALUE", value_name = "VALUE", value_enum, default_value_t = ClearValue::Empty)]
    pub clear_value: ClearValue,
    /// Whether the login name of an account may be changed.
    #[arg(long, env = "ALLOW_RENAME", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub allow_rename: bool,
    /// Whether enabling an account also clears a lock and an expiry that somebody else set.
    #[arg(long, env = "CLEAR_LOCK_ON_ENABLE", value_name = "BOOL", default_value_t = false,
          action = clap::ArgAction::Set)]
    pub clear_lock_on_enable: bool,
    /// Whether local accounts are created beside federated logins of the same name.
    #[arg(long, env = "DIRECTORY_POLICY", value_name = "POLICY", value_enum, default_value_t = DirectoryPolicy::Ask)]
    pub directory_policy: DirectoryPolicy,
    /// UUID of the directory of local accounts; accounts of other directories are not touched.
    #[arg(
        long,
        env = "CDS_UUID",
        value_name = "UUID",
        default_value = "09B9A9B0-6CE8-465F-AB03-65766D33B05E"
    )]
    pub cds_uuid: String,
    /// Which of the Platform's interfaces are used.
    #[command(flatten)]
    pub backends: BackendConfig,
    /// How accounts are created and changed.
    #[command(flatten)]
    pub accounts: AccountSettings,
    /// What attributes become, and what refusals are about.
    #[command(flatten)]
    pub tables: TableFiles,
}

impl Config {
    /// The settings of an adapter on a free port of this machine, for a Platform reached by these credentials.
    pub fn ephemeral(platform_url: &str, client_id: &str, secret: SecretString) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            platform: PlatformConfig::new(platform_url, client_id, secret),
            grpc: GrpcArgs::default(),
            grpc_server: GrpcServerArgs::default(),
            tenants: TenantsArgs::default(),
            ops: OpsArgs::default(),
            telemetry: TelemetryArgs::default(),
        }
    }

    /// The section of a tenant, in the file of tenants, in which a setting may stand, by its id. What has none is the whole
    /// service's.
    pub fn section_of(id: &str) -> Option<&'static str> {
        let of_platform = PlatformConfig::augment_args(clap::Command::new(""));
        let mut of_platform = of_platform.get_arguments();
        let is_one = of_platform.any(|argument| argument.get_id() == id) && !NOT_A_TENANTS.contains(&id);
        is_one.then_some(PLATFORM)
    }
}

/// What is not a tenant's to say: its name stands in the file, and how many adapters there are is the deployment's.
const NOT_A_TENANTS: [&str; 2] = ["platform_tenant", "adapter_replicas"];

impl PlatformConfig {
    /// The settings for a Platform reached by these credentials, all others at their defaults. The environment is not
    /// asked.
    pub fn new(platform_url: &str, client_id: &str, secret: SecretString) -> Self {
        let command = Self::augment_args(clap::Command::new("delinea-adapter"));
        let command = command.mut_args(|arg| arg.env(clap::builder::Resettable::Reset));
        let defaults = Self::from_arg_matches(&command.get_matches_from(["delinea-adapter"]));
        Self {
            platform_url: Some(platform_url.to_owned()),
            platform_client_id: Some(client_id.to_owned()),
            platform_client_secret: Some(secret),
            ..defaults.expect("nothing is required, and a test reads the defaults")
        }
    }

    /// Whether the settings fit together.
    pub fn check(&self) -> Result<(), Error> {
        self.base_url()?;
        self.client_id()?;
        let (secret, file) = (&self.platform_client_secret, &self.platform_client_secret_file);
        if service_runtime::settings::secret("PLATFORM_CLIENT_SECRET", secret.as_ref(), file.as_deref())?.is_none() {
            return Err(Error::setting(
                "PLATFORM_CLIENT_SECRET",
                "must be set, or PLATFORM_CLIENT_SECRET_FILE",
            ));
        }
        for (setting, duration) in [
            ("PLATFORM_TIMEOUT", self.platform_timeout),
            ("TOKEN_MAX_AGE", self.token_max_age),
            ("READ_BACK_INTERVAL", self.read_back_interval),
        ] {
            if duration.is_zero() {
                return Err(Error::setting(setting, "must be longer than zero"));
            }
        }
        values::check_suffixes(self.default_suffix.as_deref(), &self.suffix_map)?;
        self.accounts.check()
    }

    /// The Platform's address, without a slash at its end.
    pub(crate) fn base_url(&self) -> Result<&str, Error> {
        let text = self.platform_url.as_deref().unwrap_or_default().trim_end_matches('/');
        let wrong = |reason| Error::setting("PLATFORM_URL", reason);
        if text.is_empty() {
            return Err(wrong("must be set"));
        }
        let url: reqwest::Url = text.parse().map_err(|_| wrong("is not a URL"))?;
        let is_simulator = match &self.platform_simulator_host {
            Some(host) => names_simulator(host, &url)?,
            None => false,
        };
        if url.scheme() == "http" && !is_simulator && !self.is_on_this_machine() {
            return Err(wrong(
                "must begin with https://: the secret and the tokens would go over the network in the clear",
            ));
        }
        match (
            url.scheme(),
            url.has_host(),
            url.query(),
            url.fragment(),
            url.username(),
        ) {
            ("http" | "https", true, None, None, "") => Ok(text),
            _ => Err(wrong("must be of the form https://tenant.delinea.app")),
        }
    }

    /// Whether the Platform is a simulated one beside us, which a proxy of the environment does not lead to.
    pub(crate) fn is_beside_us(&self) -> bool {
        self.platform_simulator_host.is_some() || self.is_on_this_machine()
    }

    fn is_on_this_machine(&self) -> bool {
        let url = self.platform_url.as_deref().unwrap_or_default().parse();
        url.is_ok_and(|url: reqwest::Url| url.host_str().is_some_and(service_runtime::is_this_machine))
    }

    /// The login name of the service user.
    pub(crate) fn client_id(&self) -> Result<&str, Error> {
        let id = self.platform_client_id.as_deref().unwrap_or_default();
        if id.is_empty() {
            Err(Error::setting("PLATFORM_CLIENT_ID", "must be set"))
        } else {
            Ok(id)
        }
    }

    /// When the secret of the service user ends, if the settings say: as the day that they name begins.
    pub(crate) fn secret_ends(&self) -> Option<Timestamp> {
        let day = self.platform_client_secret_expires?;
        TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()
    }

    /// How many calls a second are made for the tenant; 0 sets no limit.
    pub(crate) fn calls_a_second(&self) -> u32 {
        const UNLESS_SET: u32 = 5;
        self.max_rps.unwrap_or(UNLESS_SET)
    }

    /// The headers sent with each call.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.extra_headers
            .iter()
            .map(|header| (header.name.clone(), header.value.clone()))
            .collect()
    }

    /// Whether a name is on the list of protected ones.
    pub(crate) fn is_protected(&self, name: &str) -> bool {
        self.protected_names
            .iter()
            .any(|protected| crate::platform::same_name(protected, name))
    }
}

/// Whether `url` leads to the simulated Platform on `host`. A setting that would let plain http lead to anything else, or that was
/// left over from a trial, is refused.
fn names_simulator(host: &str, url: &reqwest::Url) -> Result<bool, Error> {
    let wrong = |reason| Error::setting("PLATFORM_SIMULATOR_HOST", reason);
    // A tenant's host has a domain; so has whatever is reached by an address.
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if host.is_empty() || !host.bytes().all(is_label) {
        return Err(wrong(
            "must be a name without a dot: a tenant is reached by https alone",
        ));
    }
    if !url.host_str().is_some_and(|asked| asked.eq_ignore_ascii_case(host)) {
        return Err(wrong("is not the host of PLATFORM_URL; leave it unset for a tenant"));
    }
    Ok(true)
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    pub(crate) fn platform(arguments: &[&str]) -> Result<PlatformConfig, clap::Error> {
        let given = [
            "adapter",
            "--platform-url",
            "http://127.0.0.1:1",
            "--platform-client-id",
            "gateway@example.com",
        ];
        let command = PlatformConfig::augment_args(Command::new("adapter"));
        let matches = command.try_get_matches_from(given.iter().chain(arguments))?;
        PlatformConfig::from_arg_matches(&matches)
    }

    #[test]
    fn settings_that_do_not_fit_are_refused() {
        let secret = ["--platform-client-secret", "s"];
        platform(&secret).unwrap().check().unwrap();
        assert!(platform(&[]).unwrap().check().is_err(), "no secret");
        for (name, value) in [
            ("--platform-timeout", "0"),
            ("--read-back-interval", "0"),
            ("--token-max-age", "0"),
            ("--default-suffix", "@a@b"),
            ("--default-suffix", "a/b"),
            ("--suffix-map", "a=b,@A=c"),
        ] {
            assert!(
                platform(&[&secret[..], &[name, value]].concat())
                    .unwrap()
                    .check()
                    .is_err(),
                "{name}"
            );
        }
        for (name, value) in [
            ("--suffix-map", "old"),
            ("--suffix-map", "old=new suffix"),
            ("--suffix-map", "old@x=new"),
            ("--suffix-map", "=new"),
            ("--extra-headers", "Authorization=x"),
            ("--extra-headers", "bad name=x"),
            ("--member-batch", "0"),
            ("--directory-policy", "perhaps"),
            ("--platform-client-secret-expires", "2027-02-29"),
            ("--platform-client-secret-expires", "soon"),
        ] {
            assert!(
                platform(&[&secret[..], &[name, value]].concat()).is_err(),
                "{name} {value}"
            );
        }
    }

    #[test]
    fn the_defaults_are_those_that_are_documented() {
        let config = Config::ephemeral("https://h.example", "gateway@example.com", SecretString::from("s")).platform;
        config.check().unwrap();
        assert_eq!(config.platform_tenant, "default");
        assert_eq!(config.identity_base_path, "/identity/api");
        assert_eq!(
            (config.platform_scope.as_str(), config.query_caching),
            ("xpmheadless", -1)
        );
        assert_eq!(
            (config.member_batch, config.page_size, config.max_concurrency),
            (100, 500, 4)
        );
        assert_eq!((config.calls_a_second(), config.adapter_replicas), (5, 1));
        assert!(config.pace_adapts);
        assert_eq!(
            (config.read_back_timeout, config.read_back_interval),
            (Duration::from_secs(30), Duration::from_secs(1))
        );
        assert_eq!(
            (config.token_early_refresh, config.token_max_age),
            (Duration::from_secs(60), Duration::from_secs(3000))
        );
        assert!(config.suffix_check && config.allow_rename && !config.clear_lock_on_enable);
        assert_eq!(
            (config.directory_policy, config.clear_value),
            (DirectoryPolicy::Ask, ClearValue::Empty)
        );
    }

    #[test]
    fn the_url_is_one_of_a_platform() {
        for url in [
            "",
            "example",
            "ftp://h",
            "https://",
            "https://h/?q=1",
            "https://user@h",
            "http://h.example",
            "http://localhost.example",
            "http://10.0.0.1",
        ] {
            let config = PlatformConfig {
                platform_url: Some(url.to_owned()),
                ..platform(&[]).unwrap()
            };
            assert!(config.base_url().is_err(), "{url:?}");
        }
        for url in [
            "http://localhost:1",
            "http://127.8.8.8",
            "http://[::1]:1",
            "https://10.0.0.1",
        ] {
            let config = PlatformConfig {
                platform_url: Some(url.to_owned()),
                ..platform(&[]).unwrap()
            };
            assert_eq!(config.base_url().unwrap(), url);
        }
        let config = PlatformConfig {
            platform_url: Some("https://h.example/".to_owned()),
            ..platform(&[]).unwrap()
        };
        assert_eq!(config.base_url().unwrap(), "https://h.example");
    }

    #[test]
    fn plain_http_leads_to_a_simulator_that_is_named_and_nowhere_else() {
        let base_url = |url: &str, host: &str| {
            let config = PlatformConfig {
                platform_url: Some(url.to_owned()),
                ..platform(&["--platform-simulator-host", host]).unwrap()
            };
            config.base_url().map(str::to_owned).map_err(|error| error.to_string())
        };
        let simulator = "http://platform-simulator:8090";
        assert_eq!(base_url(simulator, "platform-simulator").unwrap(), simulator);
        for (url, host) in [
            ("http://tenant.delinea.app", "tenant.delinea.app"),
            ("http://tenant.delinea.app", "tenant"),
            ("http://tenant.delinea.app", "platform-simulator"),
            ("https://tenant.delinea.app", "platform-simulator"),
            ("http://10.0.0.1", "10.0.0.1"),
            ("http://[fd00::1]", "fd00::1"),
            ("http://167772161", "167772161"),
            ("http://0xa000001", "0xa000001"),
            ("http://tenant.delinea.app.", "tenant.delinea.app."),
            ("http://platform-simulator", "simulator"),
            ("http://platform-simulator", ""),
        ] {
            let refused = base_url(url, host).unwrap_err();
            assert!(refused.contains("PLATFORM_SIMULATOR_HOST"), "{url} {host}: {refused}");
        }
        let unnamed = PlatformConfig {
            platform_url: Some(simulator.to_owned()),
            ..platform(&[]).unwrap()
        };
        assert!(unnamed.base_url().is_err());
    }
}
