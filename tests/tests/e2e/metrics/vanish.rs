//! What is known no longer is not told: a tenant that went, and a store that is away.

use identity_service::credentials::SecretHash;
use redis_for_tests::{RedisServer, free_port};

use super::text::Metrics;
use crate::{
    deployment::{Scim, TENANT, TOKEN},
    processes::Process,
};

const GAUGES: [&str; 6] = [
    "scim_outbox_items",
    "scim_outbox_oldest_age_seconds",
    "scim_resources",
    "scim_tenant_paused",
    "scim_brake_engaged",
    "scim_drift_found",
];

/// What the adapter tells of a tenant whose Platform was never reached.
const PACE: [&str; 2] = ["platform_pace_rate", "platform_pace_concurrency"];

fn tells_of(told: &Metrics, tenant: &str) -> bool {
    GAUGES.iter().all(|name| told.sum_of(name, tenant).is_some())
}

fn is_silent_of(told: &Metrics, tenant: &str) -> bool {
    GAUGES.iter().all(|name| told.sum_of(name, tenant).is_none())
}

impl Metrics {
    /// The sum of a tenant's series of a metric; nothing where there is none.
    fn sum_of(&self, name: &str, tenant: &str) -> Option<f64> {
        let of = self.of(name);
        let of_tenant = of
            .iter()
            .filter(|series| series.pairs().any(|pair| pair == ("scim_tenant", tenant)));
        let values: Vec<f64> = of_tenant.map(|series| series.value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

#[tokio::test]
async fn a_tenant_that_went_is_not_told_of() {
    service_runtime::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("secret"), "simulated-secret").unwrap();
    let section = |name: &str| {
        let hash = SecretHash::of(&format!("dsg_the-token-of-{name}").into());
        std::fs::write(path(name), hash.to_string()).unwrap();
        let (secret, hash) = (path("secret").display().to_string(), path(name).display().to_string());
        format!(
            "[tenants.{name}.platform]\nplatform_url = 'http://127.0.0.1:1'\nplatform_client_id = 'scim@{name}.example'\n\
             platform_client_secret = {{ file = '{secret}' }}\nplatform_client_secret_expires = 2099-12-31\n\
             [tenants.{name}.credentials]\nbearer_token_sha256_file = '{hash}'\n"
        )
    };
    let file = path("tenants.toml");
    let write = |text: &str| {
        std::fs::write(path("beside"), text).unwrap();
        std::fs::rename(path("beside"), &file).unwrap();
    };
    let both = section("kestrel") + &section("merlin");
    write(&both);
    let at = |port: u16| format!("127.0.0.1:{port}");
    let (adapter, identity) = (at(free_port()), at(free_port()));
    let file_flag = format!("--tenants-file={}", file.display());
    let common: [&str; 2] = [&file_flag, "--tenants-poll=20ms"];
    let mut adapter_process = Process::service("delinea-adapter", &adapter, &common, folder.path());
    let own: [&str; 2] = [
        &format!("--adapter-url=http://{adapter}"),
        &format!("--data-dir={}", path("identity").display()),
    ];
    let mut identity_process = Process::service(
        "identity-service",
        &identity,
        &[&own[..], &common].concat(),
        folder.path(),
    );
    for process in [&mut adapter_process, &mut identity_process] {
        process.start();
        process.alive().await;
    }
    let paced = |told: &Metrics, tenant: &str| {
        let names = PACE.iter().chain(&["platform_secret_remaining_days"]);
        names.filter(|name| told.sum_of(name, tenant).is_some()).count()
    };
    let (is, none) = ("both tenants", "the one that is left");
    let both_are = |told: &Metrics| ["kestrel", "merlin"].iter().all(|tenant| tells_of(told, tenant));
    identity_process.tells(is, both_are).await;
    let all_paced = |told: &Metrics| paced(told, "kestrel") == 3 && paced(told, "merlin") == 3;
    adapter_process.tells(is, all_paced).await;
    write(&section("kestrel"));
    let one_is = |told: &Metrics| tells_of(told, "kestrel") && is_silent_of(told, "merlin");
    identity_process.tells(none, one_is).await;
    let one_paced = |told: &Metrics| paced(told, "kestrel") == 3 && paced(told, "merlin") == 0;
    adapter_process.tells(none, one_paced).await;
    write(&both);
    identity_process.tells(is, both_are).await;
    adapter_process.tells(is, all_paced).await;
}

#[tokio::test]
async fn replicas_tell_the_same_and_nothing_while_the_store_is_away() {
    service_runtime::install_crypto_provider();
    let mut redis = RedisServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |port: u16| format!("127.0.0.1:{port}");
    let [one, other, gateway, nobody] = std::array::from_fn(|_| at(free_port()));
    let (url, wait) = (format!("--redis-url={}", redis.url()), "--redis-timeout=1s");
    let mut replicas = [&one, &other].map(|listen| {
        let home = folder.path().join(listen.replace(':', "-"));
        std::fs::create_dir(&home).unwrap();
        Process::identity(listen, &nobody, &[&url, wait], &home)
    });
    for replica in &mut replicas {
        replica.start();
        replica.ready().await;
    }
    let mut entrance = Process::gateway(&gateway, &one, &gateway, &[], folder.path());
    entrance.start();
    entrance.ready().await;
    let scim = Scim::at(&format!("http://{gateway}{}", gateway::BASE_PATH), TOKEN);
    scim.create_user("anna@kestrel.example").await;
    let pending = [("scim_tenant", TENANT), ("state", "pending")];
    let waits = |told: &Metrics| told.value("scim_outbox_items", &pending) == Some(1.0) && tells_of(told, TENANT);
    for replica in &replicas {
        replica.tells("the one that waits", waits).await;
    }
    redis.kill();
    for replica in &replicas {
        let told = replica
            .tells("nothing of a store that is away", |told| is_silent_of(told, TENANT))
            .await;
        let failed = [("db_system_name", "redis"), ("error_type", "engine")];
        assert!(told.sum("db_client_operation_duration_seconds_count", &failed) > 0.0);
    }
    redis.start_again().await;
    // What was not written to disk is gone with a server that was killed; that there are figures is what counts.
    for replica in &replicas {
        replica.tells("figures again", |told| tells_of(told, TENANT)).await;
    }
}
