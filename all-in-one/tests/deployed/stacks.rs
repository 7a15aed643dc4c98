//! What `STACK` chooses: the balancer before two of each, and the script that writes the choice down.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::json;

use super::compose::{BASE, FILES, SCALE, stack, started};
use super::settings::{default, seconds};
use super::{entries, images, plain, text};

const BALANCER: &str = "deploy/haproxy/haproxy.cfg";

/// The words after `key` in the first line that begins so.
#[track_caller]
fn words(config: &str, key: &str) -> Vec<String> {
    let mut lines = config.lines().map(str::trim);
    let found = lines.find_map(|line| line.strip_prefix(key).filter(|rest| rest.starts_with(' ')));
    let found = found.unwrap_or_else(|| panic!("{BALANCER}: {key}"));
    found.split_whitespace().map(str::to_owned).collect()
}

/// The word after `key` in such a line.
#[track_caller]
fn after(words: &[String], key: &str) -> String {
    let at = words.iter().position(|word| word == key);
    words[at.unwrap_or_else(|| panic!("{BALANCER}: {key}")) + 1].clone()
}

/// A section of the balancer's configuration.
#[track_caller]
fn section<'a>(config: &'a str, head: &str) -> &'a str {
    let (_, rest) = config
        .split_once(&format!("\n{head}\n"))
        .unwrap_or_else(|| panic!("{BALANCER}: {head}"));
    rest.split("\n\n").next().unwrap()
}

#[test]
fn the_balancer_leads_to_two_of_each_by_the_ports_that_they_have() {
    let config = text(BALANCER);
    let stack = stack(&[BASE, SCALE]);
    let services = started(&stack);
    assert!(
        !services.contains_key("gateway"),
        "a published port cannot be there twice"
    );
    let public = section(&config, "frontend scim");
    assert_eq!(words(public, "bind"), [":8080"]);
    assert_eq!(
        stack["services"]["balancer"]["ports"],
        json!(["${PUBLISH_ADDRESS:-127.0.0.1}:${GATEWAY_PORT:-8080}:8080"])
    );

    for (backend, service) in [
        ("gateways", "gateway-replica"),
        ("identity-services", "identity-service"),
    ] {
        assert_eq!(services[service]["deploy"]["replicas"], 2);
        assert!(services[service]["ports"].is_null(), "{service}");
        let template = words(section(&config, &format!("backend {backend}")), "server-template");
        let most: u32 = template[1].parse().unwrap();
        assert!(most >= 2);
        let listen = plain(&services[service]["environment"]["LISTEN"]);
        let port = listen.rsplit_once(':').unwrap().1;
        assert_eq!(template[2], format!("{service}:{port}"));
    }
    let calls = section(&config, "frontend grpc");
    assert_eq!(words(calls, "default_backend"), ["identity-services"]);
    let port = words(calls, "bind")[0].clone();
    let gateway = &services["gateway-replica"]["environment"];
    assert_eq!(gateway["IDENTITY_URL"], format!("http://balancer{port}"));

    // It alone is believed, and it says over whatever a client says.
    let trusted = plain(&gateway["TRUSTED_PROXIES"]);
    assert_eq!(
        stack["networks"]["edge"]["ipam"]["config"],
        json!([{"subnet": trusted}])
    );
    let on_edge = |service: &serde_json::Value| {
        service["networks"].get("edge").is_some() || entries(&service["networks"]).any(|network| network == "edge")
    };
    let there: Vec<_> = services
        .iter()
        .filter(|(_, service)| on_edge(service))
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(there, ["balancer", "gateway-replica"]);
    for header in ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"] {
        assert!(
            public.contains(&format!("http-request set-header {header} ")),
            "{header}"
        );
    }
    for header in ["X-Forwarded-Prefix", "Forwarded"] {
        assert!(
            public.contains(&format!("http-request del-header {header}\n")),
            "{header}"
        );
    }
    assert_eq!(
        stack["services"]["entra-simulator"]["environment"]["SCIM_BASE_URL"],
        "http://balancer:8080/scim/v2"
    );
    // Two of each have the same settings, but for what is said above.
    let (one, two) = (&stack["services"]["gateway"]["environment"], gateway);
    for (name, value) in two.as_object().unwrap() {
        assert!(
            ["IDENTITY_URL", "TRUSTED_PROXIES"].contains(&&**name) || one[name] == *value,
            "{name}"
        );
    }
    assert_eq!(one.as_object().unwrap().len() + 1, two.as_object().unwrap().len());
}

/// docs/operations.md, "Restarting one by one".
#[test]
fn the_balancer_does_what_a_balancer_has_to_do() {
    let config = text(BALANCER);
    let server = words(&config, "default-server");
    assert_eq!(after(&server, "port"), images::operators_port().to_string());
    assert_eq!(after(&words(&config, "http-check"), "uri"), "/readyz");
    let often = seconds(&after(&server, "inter"));
    assert_eq!(seconds(&after(&server, "fastinter")), often);
    let fall: f64 = after(&server, "fall").parse().unwrap();
    // DRAIN_LINGER where OPS_LISTEN is set.
    assert!(often * fall < 1.0);
    assert!(section(&config, "backend gateways").contains("option http-server-close"));
    let request = seconds(&default::<gateway::Service>("REQUEST_TIMEOUT"));
    for side in ["timeout client", "timeout server"] {
        assert!(seconds(&words(&config, side)[0]) > request, "{side}");
    }
    // What may have been done is not sent again.
    assert_eq!(words(&config, "retry-on"), ["conn-failure"]);
    // It must not be ended by force before its connections are.
    let grace = plain(&stack(&[BASE, SCALE])["services"]["balancer"]["stop_grace_period"]);
    assert!(seconds(&words(&config, "hard-stop-after")[0]) < seconds(&grace));
}

#[test]
fn whoever_is_stopped_has_time_to_drain() {
    for (name, service) in started(&stack(&FILES)) {
        if super::compose::program(service)
            .is_some_and(|program| program != "balancer" && !program.ends_with("-simulator"))
        {
            let grace = seconds(&plain(&service["stop_grace_period"]));
            assert!(grace > seconds(&default::<gateway::Service>("DRAIN_LIMIT")), "{name}");
        }
    }
}

#[track_caller]
fn choose(file: &Path, stack: &str) -> bool {
    let script = super::path("scripts/compose-env.sh");
    let output = Command::new("bash").arg(script).arg(file).arg(stack).output().unwrap();
    let status = output.status.code().unwrap();
    assert!([0, 64].contains(&status), "{output:?}");
    status == 0
}

#[test]
fn the_choice_of_a_stack_is_kept_and_secrets_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    let read = || fs::read_to_string(&file).unwrap();
    let line = |name: &str| {
        let text = read();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(&format!("{name}=")));
        let found = lines.next().map(str::to_owned);
        assert_eq!(lines.next(), None, "{name} stands there twice");
        found
    };
    assert!(choose(&file, ""));
    let secrets = [
        "SCIM_TOKEN",
        "BEARER_TOKEN_SHA256",
        "PLATFORM_CLIENT_SECRET",
        "GRPC_TOKEN",
        "GRAFANA_PASSWORD",
    ];
    let before = secrets.map(line);
    assert!(before.iter().all(Option::is_some));
    assert_eq!(line("COMPOSE_FILE"), None);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);

    assert!(choose(&file, "observe,scale"));
    assert_eq!(
        line("COMPOSE_FILE").unwrap(),
        format!("{BASE}:{SCALE}:{}", super::compose::OBSERVE)
    );
    assert_eq!(
        line("OTEL_EXPORTER_OTLP_ENDPOINT").as_deref(),
        Some("http://collector:4317")
    );
    assert!(choose(&file, ""));
    assert!(
        line("COMPOSE_FILE").unwrap().contains(SCALE),
        "nothing is changed where nothing is asked"
    );
    assert!(choose(&file, "default"));
    assert_eq!(line("COMPOSE_FILE").as_deref(), Some(BASE));
    assert_eq!(line("OTEL_EXPORTER_OTLP_ENDPOINT").as_deref(), Some(""));

    // A real tenant is not begun with half of what it takes.
    assert!(!choose(&file, "real"));
    assert!(!choose(&file, "everything"));
    assert_eq!(line("COMPOSE_FILE").as_deref(), Some(BASE));
    let secret = folder.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let tenant = format!(
        "{}PLATFORM_URL=https://example.delinea.app\nPLATFORM_CLIENT_ID=gateway@example\nPLATFORM_CLIENT_SECRET_PATH={}\n",
        read(),
        secret.display()
    );
    fs::write(
        &file,
        tenant.replace(
            "OTEL_EXPORTER_OTLP_ENDPOINT=\n",
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://mine:4317\n",
        ),
    )
    .unwrap();
    assert!(choose(&file, "real,scale,observe"));
    assert_eq!(line("COMPOSE_FILE").unwrap(), FILES.join(":"));
    assert_eq!(
        line("OTEL_EXPORTER_OTLP_ENDPOINT").as_deref(),
        Some("http://mine:4317"),
        "a collector of one's own stays"
    );
    assert_eq!(secrets.map(line), before);
}
