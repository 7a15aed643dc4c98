//! The settings of identity-service.

mod credentials;

use std::{collections::HashSet, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args as _, ValueEnum};
use scim::{Declaration, Schemas, fold_case};
use secrecy::{ExposeSecret, SecretString};
use service_runtime::{
    GrpcCallArgs, GrpcServerArgs, OpsArgs, TelemetryArgs, TenantsArgs,
    settings::{parse_bytes, parse_duration, parse_secret},
    tenants::{CREDENTIALS, DIRECTORY},
};

pub use credentials::CredentialArgs;
pub(crate) use credentials::provisioning_service;

use crate::{
    credentials::{Named, NamedError},
    drift::Repair,
    store::{
        Brakes, Limit,
        redis::{OpenError, Settings},
    },
};

/// Settings: each is a flag and an environment variable.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Address to serve gRPC on; port 0 picks a free one.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,
    /// Folder of the embedded store. It is made if it does not exist; with REDIS_URL it is not used.
    #[arg(long, env = "DATA_DIR", default_value = "./data", global = true)]
    pub data_dir: PathBuf,
    /// How much of the store's file is kept in memory at most, such as 64MiB.
    #[arg(long, env = "STORE_CACHE", default_value = "64MiB", value_parser = parse_bytes, global = true)]
    pub store_cache: u64,
    /// The store of several hosts.
    #[command(flatten)]
    pub redis: RedisConfig,
    /// URL of delinea-adapter's gRPC service.
    #[arg(long, env = "ADAPTER_URL", default_value = "http://127.0.0.1:50052")]
    pub adapter_url: String,
    /// How the adapter is called.
    #[command(flatten)]
    pub grpc: GrpcCallArgs,
    /// Who may call.
    #[command(flatten)]
    pub grpc_server: GrpcServerArgs,
    /// Name of the tenant that is served. With TENANTS_FILE, the commands `export` and `import` take it for the tenant that they are
    /// about.
    #[arg(long, env = "TENANT", default_value = "default", global = true)]
    pub tenant: String,
    /// Where the tenants are, if there are many.
    #[command(flatten)]
    pub tenants: TenantsArgs,
    /// File that declares the tenant's own schema extensions, as JSON Schema documents of RFC 7643 §7; see docs/schemas.md.
    #[arg(long, env = "SCHEMAS_FILE", value_name = "FILE")]
    pub schemas_file: Option<PathBuf>,
    /// Who may call SCIM.
    #[command(flatten)]
    pub credentials: CredentialArgs,
    /// What is kept of what happened.
    #[command(flatten)]
    pub log: LogConfig,
    /// What identity-service does with what it is told.
    #[command(flatten)]
    pub policy: Policy,
    /// How deliveries are tried.
    #[command(flatten)]
    pub delivery: DeliveryConfig,
    /// When what was applied is compared with what the Platform holds.
    #[command(flatten)]
    pub drift: DriftConfig,
    /// The operators' listener.
    #[command(flatten)]
    pub ops: OpsArgs,
    /// Logs, traces and metrics.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Where Redis or Valkey is, if the store is there; see docs/redis.md.
#[derive(Debug, Clone, clap::Args)]
pub struct RedisConfig {
    /// Redis or Valkey to keep everything in, instead of the embedded store: `redis://host:6379`, `rediss://` for TLS,
    /// `redis+sentinel://host:26379,host2:26379/master`, `redis+cluster://host,host2`; with `user:password@` if need be.
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true, value_parser = parse_secret, global = true)]
    pub redis_url: Option<SecretString>,
    /// File with the password for Redis; it is read anew for each connection, so that the password can be changed.
    #[arg(long, env = "REDIS_PASSWORD_FILE", value_name = "FILE", global = true)]
    pub redis_password_file: Option<PathBuf>,
    /// File with the password of the Sentinels, where they ask for one.
    #[arg(long, env = "REDIS_SENTINEL_PASSWORD_FILE", value_name = "FILE", global = true)]
    pub redis_sentinel_password_file: Option<PathBuf>,
    /// File with the certificates (PEM) that Redis's is checked against; those of the system when absent.
    #[arg(long, env = "REDIS_CA_FILE", value_name = "FILE", global = true)]
    pub redis_ca_file: Option<PathBuf>,
    /// File with our certificate (PEM), where Redis asks for one.
    #[arg(long, env = "REDIS_CERT_FILE", value_name = "FILE", global = true)]
    pub redis_cert_file: Option<PathBuf>,
    /// File with the key of our certificate (PEM).
    #[arg(long, env = "REDIS_KEY_FILE", value_name = "FILE", global = true)]
    pub redis_key_file: Option<PathBuf>,
    /// How long Redis may take to accept a connection, and to answer; requests fail after that with 503. 0 is refused.
    #[arg(long, env = "REDIS_TIMEOUT", default_value = "2s", value_parser = parse_duration, global = true)]
    pub redis_timeout: Duration,
    /// How many replicas must have a change before it is answered; with fewer it is answered with 503.
    #[arg(
        long,
        env = "REDIS_WAIT_REPLICAS",
        value_name = "N",
        default_value_t = 0,
        global = true
    )]
    pub redis_wait_replicas: u32,
    /// How long those replicas may take. 0 is refused.
    #[arg(long, env = "REDIS_WAIT_TIMEOUT", default_value = "1s", value_parser = parse_duration, global = true)]
    pub redis_wait_timeout: Duration,
}

impl RedisConfig {
    /// How Redis is reached; `None` when the store is the embedded one.
    pub fn settings(&self) -> Option<Settings> {
        let file = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let url = self.redis_url.clone().filter(|url| !url.expose_secret().is_empty())?;
        Some(Settings {
            url,
            password_file: file(&self.redis_password_file),
            sentinel_password_file: file(&self.redis_sentinel_password_file),
            ca_file: file(&self.redis_ca_file),
            cert_file: file(&self.redis_cert_file),
            key_file: file(&self.redis_key_file),
            timeout: self.redis_timeout,
            wait_replicas: self.redis_wait_replicas,
            wait_timeout: self.redis_wait_timeout,
        })
    }
}

/// The log: change feed and audit trail.
#[derive(Debug, Clone, clap::Args)]
pub struct LogConfig {
    /// How long the change feed and the audit trail keep an entry, such as 90d; of all that is younger they keep the newest
    /// 100,000. 0 means as long as there is room.
    #[arg(long, env = "LOG_RETENTION", default_value = "90d", value_parser = parse_duration)]
    pub log_retention: Duration,
    /// Whether the audit trail tells what attributes were and are; else it tells their names alone.
    #[arg(long, env = "AUDIT_VALUES", value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set)]
    pub audit_values: bool,
}

/// Rules that a tenant may set.
#[derive(Debug, Clone, clap::Args)]
pub struct Policy {
    /// A member id that names no resource: `reject` answers 400, `keep` keeps it and delivers it should it appear.
    #[arg(long, env = "UNKNOWN_MEMBERS", value_enum, default_value_t = UnknownMembers::Reject)]
    pub unknown_members: UnknownMembers,
    /// `replace` on `members` in a PATCH: `exact` as RFC 7644 says; `additive` only ever adds.
    #[arg(long, env = "MEMBERS_REPLACE", value_enum, default_value_t = MembersReplace::Exact)]
    pub members_replace: MembersReplace,
    /// What becomes of the Platform account of a deleted user: `remove` deletes it, `disable` keeps it disabled.
    #[arg(long, env = "DELETE_MODE", value_enum, default_value_t = DeleteMode::Remove)]
    pub delete_mode: DeleteMode,
    /// Accounts and groups that exist on the Platform already: `never` take one over, take a `matching` one over, or
    /// only those `listed` in the adopt list.
    #[arg(long, env = "ADOPT", value_enum, default_value_t = Adopt::Never)]
    pub adopt: Adopt,
    /// File with the names that may be taken over, one a line; needed by `listed`. Lines that begin with `#` are comments.
    #[arg(long, env = "ADOPT_LIST")]
    pub adopt_list: Option<PathBuf>,
    /// How many users and groups may be deleted in an hour, and members be taken out of a group by the many; what is beyond is
    /// held until a person releases it, users with their accounts disabled. `auto` is the larger of 20 and 5 % of the users; 0
    /// lets everything through.
    #[arg(long, env = "MAX_REMOVALS_PER_HOUR", value_name = "N", default_value = "auto", value_parser = brake)]
    pub max_removals_per_hour: Brake,
    /// How many users may be deactivated in an hour, or disabled because their removal is held; what is beyond is held. `auto` is
    /// the larger of 100 and 20 % of the users; 0 lets everything through.
    #[arg(long, env = "MAX_DEACTIVATIONS_PER_HOUR", value_name = "N", default_value = "auto", value_parser = brake)]
    pub max_deactivations_per_hour: Brake,
    /// Write nothing to the Platform: each delivery only says what it would write, which is kept, and done when this is off. The
    /// answers to writes do not wait.
    #[arg(long, env = "DRY_RUN", value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set)]
    pub dry_run: bool,
    /// How many resources one filter may look at when no index helps; more is answered with `tooMany`.
    #[arg(long, env = "SCAN_LIMIT", default_value_t = 50_000)]
    pub scan_limit: usize,
}

/// How the relay delivers.
#[derive(Debug, Clone, clap::Args)]
pub struct DeliveryConfig {
    /// How many deliveries of a tenant run at a time; 0 delivers nothing and keeps everything pending, and no answer waits.
    #[arg(long, env = "DELIVERY_CONCURRENCY", default_value_t = 8)]
    pub delivery_concurrency: usize,
    /// How long the work of a process that died stays untouched before another takes it. A delivery under way renews its
    /// lease. 0 is refused; clocks of replicas must differ by less.
    #[arg(long, env = "DELIVERY_LEASE", default_value = "30s", value_parser = parse_duration)]
    pub delivery_lease: Duration,
    /// How long one call of the adapter may take; 0 is refused. Must be longer than the adapter's PLATFORM_TIMEOUT and
    /// READ_BACK_TIMEOUT together.
    #[arg(long, env = "DELIVERY_TIMEOUT", default_value = "90s", value_parser = parse_duration)]
    pub delivery_timeout: Duration,
    /// The first pause after a failed delivery; each further one is up to twice as long. 0 is refused.
    #[arg(long, env = "BACKOFF_BASE", default_value = "500ms", value_parser = parse_duration)]
    pub backoff_base: Duration,
    /// The longest pause between two tries of a delivery that may yet succeed by itself; at least BACKOFF_BASE.
    #[arg(long, env = "BACKOFF_CEILING", default_value = "60s", value_parser = parse_duration)]
    pub backoff_ceiling: Duration,
    /// The pause between two tries of a delivery that was refused and waits for a person. 0 is refused.
    #[arg(long, env = "REFUSED_RETRY", default_value = "1h", value_parser = parse_duration)]
    pub refused_retry: Duration,
    /// How long the answer to a write waits for the Platform's verdict: refused changes are then answered with the Platform's
    /// words and taken back. With no verdict by then it is answered as done, and delivered later. 0 never waits.
    #[arg(long, env = "ANSWER_WAIT", default_value = "2s", value_parser = parse_duration)]
    pub answer_wait: Duration,
    /// How many members one delivery of a group puts in or out.
    #[arg(long, env = "MEMBER_BATCH", default_value_t = 100)]
    pub member_batch: usize,
    /// How long changes of a group's members are gathered that come one by one: after a delivery of fewer than MEMBER_BATCH, if
    /// more came meanwhile or it was the second in that time. They then go together, in few calls of the Platform, and their
    /// answers do not wait for its verdict. 0 delivers them at once, a few in each call.
    #[arg(long, env = "MEMBER_GATHER", default_value = "2s", value_parser = parse_duration)]
    pub member_gather: Duration,
}

/// When and how what was applied is compared with what the Platform holds; see docs/drift.md.
#[derive(Debug, Clone, clap::Args)]
pub struct DriftConfig {
    /// How often what was applied is compared with what the Platform holds, by one of the replicas; for the first time an
    /// interval after the first start. 0 compares on request only.
    #[arg(long, env = "DRIFT_INTERVAL", default_value = "24h", value_parser = parse_duration)]
    pub drift_interval: Duration,
    /// What a comparison by itself does about what somebody else changed, deleted or added there: `report` tells it in log,
    /// metrics and on request; `repair` sets it right.
    #[arg(long, env = "DRIFT_POLICY", value_enum, default_value_t = DriftPolicy::Report)]
    pub drift_policy: DriftPolicy,
    /// Accounts in a group of ours that are not ours: `keep` tells of them; `remove` takes them out where what differs is
    /// repaired.
    #[arg(long, env = "FOREIGN_MEMBERS", value_enum, default_value_t = ForeignMembers::Keep)]
    pub foreign_members: ForeignMembers,
    /// The share of a list, in percent, of which more must be missing to raise an alarm: what that concerns is then not repaired, and
    /// of a list of users or groups no removal is delivered. 0 takes any that are missing; 100 raises none for what is missing.
    #[arg(long, env = "DRIFT_ALARM_SHARE", value_name = "PERCENT", default_value_t = 20,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub drift_alarm_share: u8,
}

/// See [`DriftConfig::foreign_members`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ForeignMembers {
    /// They stay.
    Keep,
    /// They are taken out.
    Remove,
}

/// See [`DriftConfig::drift_policy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DriftPolicy {
    /// It is told.
    Report,
    /// It is set right, unless it is so much that it raises an alarm.
    Repair,
}

impl DriftPolicy {
    /// What a comparison by itself repairs.
    pub fn repair(self) -> Repair {
        match self {
            Self::Report => Repair::Nothing,
            Self::Repair => Repair::Ordinary,
        }
    }
}

/// How many may pass a brake in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brake {
    /// As many as the brake's own rule says.
    Auto,
    /// So many; 0 is no brake.
    Most(u64),
}

impl Brake {
    fn limit(self, least: u64, percent: u64) -> Option<Limit> {
        match self {
            Self::Auto => Some(Limit { least, percent }),
            Self::Most(0) => None,
            Self::Most(least) => Some(Limit { least, percent: 0 }),
        }
    }
}

impl std::fmt::Display for Brake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Most(most) => write!(f, "{most}"),
        }
    }
}

fn brake(text: &str) -> Result<Brake, String> {
    if text == "auto" {
        return Ok(Brake::Auto);
    }
    let most = text
        .parse()
        .map_err(|_| format!("`{text}` is neither `auto` nor a number"));
    most.map(Brake::Most)
}

/// See [`Policy::unknown_members`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UnknownMembers {
    /// 400 that names the id.
    Reject,
    /// Kept.
    Keep,
}

/// See [`Policy::members_replace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MembersReplace {
    /// The members are those given.
    Exact,
    /// Those given are added.
    Additive,
}

/// See [`Policy::delete_mode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeleteMode {
    /// The account is deleted.
    Remove,
    /// The account is kept, disabled.
    Disable,
}

/// See [`Policy::adopt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Adopt {
    /// None is taken over.
    Never,
    /// Ordinary accounts and empty groups of the same name are.
    Matching,
    /// Those in the list are.
    Listed,
}

/// Settings that do not go together.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `ADOPT=listed` without a list.
    #[error("ADOPT=listed needs ADOPT_LIST, the file with the names that may be taken over")]
    NoAdoptList,
    /// The list cannot be read.
    #[error("cannot read ADOPT_LIST {path}")]
    AdoptList {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The schemas' file cannot be read.
    #[error("cannot read SCHEMAS_FILE {path}")]
    SchemasFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What the schemas' file declares cannot be used.
    #[error("SCHEMAS_FILE {path} cannot be used")]
    Schemas {
        /// The file.
        path: PathBuf,
        /// Which schema, which attribute, and what is wrong.
        #[source]
        source: scim::DeclarationError,
    },
    /// The credentials that settings name cannot be used.
    #[error(transparent)]
    Credentials(#[from] NamedError),
    /// Redis cannot be reached by these settings.
    #[error(transparent)]
    Redis(#[from] OpenError),
    /// A number that must not be 0.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// A time that must not be 0: a call without a limit would outlive its lease, a pause of none would try without end.
    #[error("{0} must be longer than 0")]
    NoTime(&'static str),
    /// Pauses could not even begin.
    #[error("BACKOFF_CEILING ({ceiling:?}) must not be shorter than BACKOFF_BASE ({base:?})")]
    CeilingTooLow {
        /// The ceiling set.
        ceiling: Duration,
        /// The base set.
        base: Duration,
    },
}

/// Of [`DeliveryConfig`], what is the service's and no tenant's: leases are compared between replicas, and the time of a call is the
/// connection's.
const NOT_A_TENANTS: [&str; 2] = ["delivery_lease", "delivery_timeout"];

impl Config {
    /// The section of a tenant, in the file of tenants, in which a setting may stand, by its id. What has none is the whole
    /// service's.
    pub fn section_of(id: &str) -> Option<&'static str> {
        let known = |command: clap::Command| command.get_arguments().any(|argument| argument.get_id() == id);
        let nothing = || clap::Command::new("");
        if known(CredentialArgs::augment_args(nothing())) {
            return Some(CREDENTIALS);
        }
        let of_directory = known(Policy::augment_args(nothing()))
            || known(DeliveryConfig::augment_args(nothing()))
            || known(DriftConfig::augment_args(nothing()))
            || ["schemas_file", "audit_values"].contains(&id);
        (of_directory && !NOT_A_TENANTS.contains(&id)).then_some(DIRECTORY)
    }

    /// Whether the settings go together; of several tenants, those that they have in common.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.redis.settings().map(|redis| redis.check()).transpose()?;
        self.check_tenant()
    }

    /// Whether the settings of a tenant go together.
    pub(crate) fn check_tenant(&self) -> Result<(), ConfigError> {
        let DeliveryConfig {
            delivery_lease: lease,
            delivery_timeout: timeout,
            backoff_base: base,
            backoff_ceiling: ceiling,
            refused_retry,
            member_batch,
            ..
        } = self.delivery;
        let times = [
            ("DELIVERY_LEASE", lease),
            ("DELIVERY_TIMEOUT", timeout),
            ("BACKOFF_BASE", base),
            ("REFUSED_RETRY", refused_retry),
        ];
        if let Some((name, _)) = times.into_iter().find(|(_, time)| time.is_zero()) {
            return Err(ConfigError::NoTime(name));
        }
        if ceiling < base {
            return Err(ConfigError::CeilingTooLow { ceiling, base });
        }
        if member_batch == 0 {
            return Err(ConfigError::Zero("MEMBER_BATCH"));
        }
        if self.policy.adopt == Adopt::Listed && self.policy.adopt_list.is_none() {
            return Err(ConfigError::NoAdoptList);
        }
        Named::read(&self.credentials)?;
        self.read_schemas().map(drop)
    }

    /// The schema table: the built-in one, and what the file declares.
    pub fn read_schemas(&self) -> Result<Schemas, ConfigError> {
        let Some(path) = &self.schemas_file else {
            return Ok(Schemas::builtin());
        };
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::SchemasFile {
            path: path.clone(),
            source,
        })?;
        let schemas = Declaration::read(&text).and_then(Schemas::with_extensions);
        schemas.map_err(|source| ConfigError::Schemas {
            path: path.clone(),
            source,
        })
    }
}

impl Policy {
    /// The brakes, as the store knows them.
    pub fn brakes(&self) -> Brakes {
        Brakes {
            removals: self.max_removals_per_hour.limit(20, 5),
            deactivations: self.max_deactivations_per_hour.limit(100, 20),
        }
    }

    /// The names that may be taken over, case-folded.
    pub fn read_adopt_list(&self) -> Result<HashSet<String>, ConfigError> {
        let Some(path) = &self.adopt_list else {
            return Ok(HashSet::new());
        };
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::AdoptList {
            path: path.clone(),
            source,
        })?;
        let names = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(names.map(fold_case).collect())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let check = |flags: &[&str]| {
            let command = Command::try_parse_from([&["identity-service"], flags].concat());
            command.unwrap().config.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(&[]), Ok(()));
        for (flag, setting) in [
            ("--delivery-timeout=0", "DELIVERY_TIMEOUT"),
            ("--backoff-base=0", "BACKOFF_BASE"),
            ("--backoff-ceiling=0", "BACKOFF_CEILING"),
            ("--refused-retry=0s", "REFUSED_RETRY"),
            ("--member-batch=0", "MEMBER_BATCH"),
            ("--delivery-lease=0", "DELIVERY_LEASE"),
        ] {
            let refused = check(&[flag]).unwrap_err();
            assert!(refused.contains(setting), "{flag}: {refused}");
        }
    }

    #[test]
    fn a_tenant_has_rules_deliveries_and_comparisons_of_its_own_and_nothing_else() {
        for id in [
            "delete_mode",
            "dry_run",
            "adopt_list",
            "answer_wait",
            "drift_interval",
            "schemas_file",
            "audit_values",
        ] {
            assert_eq!(Config::section_of(id), Some(DIRECTORY), "{id}");
        }
        for id in [
            "listen",
            "redis_url",
            "data_dir",
            "tenant",
            "tenants_file",
            "adapter_url",
            "delivery_lease",
            "log",
        ] {
            assert_eq!(Config::section_of(id), None, "{id}");
        }
        assert_eq!(Config::section_of("oauth_client_id"), Some(CREDENTIALS));
        let command = Config::augment_args(clap::Command::new(""));
        for argument in command
            .get_arguments()
            .filter(|argument| Config::section_of(argument.get_id().as_str()).is_some())
        {
            let variable = argument.get_env().unwrap().to_str().unwrap().to_lowercase();
            assert_eq!(
                argument.get_id().as_str(),
                variable,
                "in the file it is named as its variable"
            );
        }
    }

    #[test]
    fn a_brake_is_a_rule_a_number_or_none() {
        let brakes = |flags: &[&str]| {
            let command = Command::try_parse_from([&["identity-service"], flags].concat());
            command.map(|command| command.config.policy.brakes())
        };
        let auto = brakes(&[]).unwrap();
        assert_eq!(
            (auto.removals.unwrap().of(100), auto.removals.unwrap().of(10_000)),
            (20, 500)
        );
        assert_eq!(
            (
                auto.deactivations.unwrap().of(100),
                auto.deactivations.unwrap().of(10_000)
            ),
            (100, 2_000)
        );
        let set = brakes(&["--max-removals-per-hour=7", "--max-deactivations-per-hour=0"]).unwrap();
        assert_eq!((set.removals.unwrap().of(10_000), set.deactivations), (7, None));
        brakes(&["--max-removals-per-hour=5%"]).unwrap_err();
    }

    #[test]
    fn redis_is_used_when_its_url_is_given_and_its_settings_fit() {
        let config = |flags: &[&str]| {
            let command = Command::try_parse_from([&["identity-service"], flags].concat());
            command.unwrap().config
        };
        assert!(config(&[]).redis.settings().is_none());
        assert!(
            config(&["--redis-url="]).redis.settings().is_none(),
            "empty means not set"
        );
        let url = "--redis-url=redis+sentinel://scim:s3cret@a,b/master";
        config(&[url, "--data-dir=/elsewhere"]).check().unwrap();
        assert!(!format!("{:?}", config(&[url])).contains("s3cret"));
        for flags in [
            &["--redis-url=cache:6379"][..],
            &["--redis-url=redis://u:s3cret@a", "--redis-timeout=0"],
            &["--redis-url=redis://u:s3cret@a", "--redis-wait-timeout=0"],
            &["--redis-url=redis://u:s3cret@a", "--redis-password-file=/dev/null"],
            &["--redis-url=redis://a", "--redis-password-file=/nowhere/at/all"],
            &["--redis-url=redis://a", "--redis-ca-file=/dev/null"],
            &["--redis-url=rediss://a", "--redis-ca-file=/nowhere/at/all"],
            &["--redis-url=rediss://a", "--redis-cert-file=/dev/null"],
        ] {
            let refused = config(flags).check().unwrap_err();
            assert!(
                !format!("{refused:?} {refused}").contains("s3cret"),
                "{flags:?}: {refused:?}"
            );
        }
    }
}
