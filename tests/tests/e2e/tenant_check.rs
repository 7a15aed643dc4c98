//! What an administrator runs against a tenant before anything is provisioned: `delinea-adapter check`, and `record`.

use std::{collections::BTreeMap, fs};

use platform_simulator::{Config, Running};
use serde_json::{Value, json};

use crate::{
    deployment::Platform,
    programs::{Done, run_in},
};

const SECRET: &str = "simulated-secret";

async fn tenant(config: Config) -> Running {
    service_runtime::install_crypto_provider();
    platform_simulator::start(Config {
        listen: ([127, 0, 0, 1], 0).into(),
        ..config
    })
    .await
    .unwrap()
}

async fn of(profile: &str) -> Running {
    tenant(Config {
        profile: Some(profile.parse().unwrap()),
        ..Config::ephemeral()
    })
    .await
}

/// Runs the command against a tenant, as its service user.
async fn adapter(tenant: &Running, arguments: &[&str], settings: &[(&str, &str)]) -> Done {
    let url = tenant.url();
    let reach = [
        ("PLATFORM_URL", url.as_str()),
        ("PLATFORM_CLIENT_ID", "scim-gateway@example.com"),
        ("PLATFORM_CLIENT_SECRET", SECRET),
        ("MAX_RPS", "0"),
        ("READ_BACK_INTERVAL", "50ms"),
    ];
    run_in("delinea-adapter", arguments, &[&reach[..], settings].concat()).await
}

/// What each finding says of its prerequisite.
fn verdicts(done: &Done) -> BTreeMap<String, String> {
    let checked: Value = serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{done:?}"));
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = checked["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| (text(finding, "name"), text(finding, "verdict")))
        .collect()
}

fn calls(done: &Done) -> Value {
    let checked: Value = serde_json::from_str(&done.out).unwrap();
    checked["calls"].clone()
}

#[tokio::test]
async fn a_check_says_what_to_do_and_ends_by_what_it_found() {
    let modern = of("modern").await;
    let done = adapter(&modern, &["check"], &[]).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("ok              token"), "{}", done.out);

    let federated = of("federated").await;
    let done = adapter(&federated, &["check"], &[]).await;
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.out.contains("-> set DIRECTORY_POLICY"), "{}", done.out);
    let decided = [("DIRECTORY_POLICY", "create_local")];
    let done = adapter(&federated, &["check", "--json", "--domains=nowhere.example"], &decided).await;
    assert_eq!((done.code, &*verdicts(&done)["suffixes"]), (1, "problem"));
    let done = adapter(&federated, &["check", "--json", "--domains=example.com"], &decided).await;
    assert_eq!((done.code, &*verdicts(&done)["suffixes"]), (0, "ok"));

    let wrong = [("PLATFORM_CLIENT_SECRET", "wrong-secret")];
    let done = adapter(&modern, &["check", "--json"], &wrong).await;
    assert_eq!((done.code, &*verdicts(&done)["token"]), (1, "problem"));
    assert!(!format!("{done:?}").contains("wrong-secret"), "{done:?}");
    let done = adapter(&modern, &["check"], &[("PLATFORM_URL", "")]).await;
    assert_ne!(done.code, 0);
    assert!(done.err.contains("PLATFORM_URL"), "{done:?}");
}

#[tokio::test]
async fn a_write_probe_proves_the_rights_and_leaves_nothing_behind() {
    for profile in ["modern", "no-role-writes", "heritage", "scim-only", "federated"] {
        let tenant = of(profile).await;
        let platform = Platform::at(tenant.url());
        let state = async || {
            let state = platform.state().await;
            (state["users"].clone(), state["groups"].clone())
        };
        let before = state().await;
        let decided = [("DIRECTORY_POLICY", "create_local")];
        let done = adapter(&tenant, &["check", "--json", "--write-probe"], &decided).await;
        let found = verdicts(&done);
        for name in ["write_probe_user", "write_probe_group", "write_probe_clean_up"] {
            assert_eq!(found[name], "ok", "{profile} {name}: {}", done.out);
        }
        assert_eq!(state().await, before, "{profile}");
    }
}

#[tokio::test]
async fn a_write_probe_that_fails_says_what_the_tenant_said_and_cleans_up() {
    let tenant = of("modern").await;
    let platform = Platform::at(tenant.url());
    platform
        .control(
            http::Method::POST,
            "faults",
            &json!({"method": "CDirectoryService/SetUserState", "fault": "failure", "message": "The weather does not allow it."}),
        )
        .await;
    let done = adapter(&tenant, &["check", "--json", "--write-probe"], &[]).await;
    assert_eq!(done.code, 1);
    let found = verdicts(&done);
    assert_eq!(
        (&*found["write_probe_user"], &*found["write_probe_clean_up"]),
        ("problem", "ok")
    );
    assert!(
        done.out.contains("could not be disabled") && done.out.contains("weather"),
        "{}",
        done.out
    );
    assert!(platform.names().await.is_empty());
}

#[tokio::test]
async fn a_write_probe_goes_on_as_deliveries_do_where_an_answer_is_lost() {
    let tenant = of("modern").await;
    let platform = Platform::at(tenant.url());
    let rules = json!([
        {"method": "CDirectoryService/CreateUser", "fault": "lost_answer", "times": 1},
        {"method": "CDirectoryService/SetUserState", "fault": "unavailable", "times": 1},
        {"method": "Roles/StoreRole", "fault": "lost_answer", "times": 1},
    ]);
    platform.control(http::Method::POST, "faults", &rules).await;
    let done = adapter(&tenant, &["check", "--json", "--write-probe"], &[]).await;
    let found = verdicts(&done);
    for name in ["write_probe_user", "write_probe_group", "write_probe_clean_up"] {
        assert_eq!(found[name], "ok", "{name}: {}", done.out);
    }
    assert!(platform.names().await.is_empty() && platform.group_names().await.is_empty());
}

#[tokio::test]
async fn what_is_recorded_names_nobody_and_plays_back_as_the_same_tenant() {
    for profile in ["no-role-writes", "heritage"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tenant.jsonl");
        let out = format!("--out={}", file.display());
        let real = of(profile).await;
        let platform = Platform::at(real.url());
        platform.strangers(&["odile.marchetti@kestrel.example"]).await;
        platform.strange_group("Kestrel Rack Operators", &[]).await;
        let found = adapter(&real, &["check", "--json"], &[]).await;

        let done = adapter(&real, &["record", &out], &[]).await;
        assert_eq!(done.code, 0, "{done:?}");
        let text = fs::read_to_string(&file).unwrap();
        let lower = text.to_lowercase();
        for gone in [
            "odile",
            "marchetti",
            "kestrel",
            "rack operators",
            "scim-gateway@",
            SECRET,
        ] {
            assert!(!lower.contains(gone), "{gone} in\n{text}");
        }
        let again = adapter(&real, &["record", &out], &[]).await;
        assert_eq!(again.code, 1, "a transcript is not overwritten");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);

        let played = tenant(Config {
            replay: Some(file),
            ..Config::ephemeral()
        })
        .await;
        let replayed = adapter(&played, &["check", "--json"], &[]).await;
        assert_eq!(calls(&replayed), calls(&found), "{profile}");
    }
}
