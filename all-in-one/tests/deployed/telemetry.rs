//! What `observe` adds: images that cannot be had everywhere, so their configuration is held together with the services here: who sends
//! what where, and by which names.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use super::compose::{BASE, FILES, OBSERVE, stack, started};
use super::{entries, images, names, plain, text, yaml};

fn collector() -> Value {
    yaml("deploy/collector/config.yaml")
}

/// The port of an address.
#[track_caller]
fn port(address: &Value) -> u64 {
    plain(address).rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The component's type: what stands before the slash.
fn kind(component: &str) -> &str {
    component.split('/').next().unwrap()
}

#[test]
fn the_collector_is_put_together_of_what_it_declares_and_no_more() {
    let collector = collector();
    let pipelines = &collector["service"]["pipelines"];
    for part in ["receivers", "processors", "exporters"] {
        let declared: BTreeSet<_> = names(&collector[part]).collect();
        let used = names(pipelines).flat_map(|pipeline| entries(&pipelines[pipeline][part]));
        assert_eq!(
            declared,
            used.map(|component| component.as_str().unwrap()).collect(),
            "{part}"
        );
    }
    let extensions: Vec<_> = entries(&collector["service"]["extensions"]).collect();
    assert_eq!(extensions, names(&collector["extensions"]).collect::<Vec<_>>());

    // Refusing comes first; batches are made of what is kept.
    let traces = &pipelines["traces"]["processors"];
    assert_eq!(*traces, json!(["memory_limiter", "tail_sampling", "batch"]));
    assert_eq!(pipelines["metrics"]["processors"][0], "memory_limiter");
    // Both signals of the services are taken; a receiver without a pipeline for one refuses it, and the services would count that as lost.
    assert_eq!(pipelines["traces"]["receivers"], pipelines["metrics"]["receivers"]);
}

#[test]
fn traces_go_from_the_services_to_the_collector_and_on_to_their_store() {
    let stack = stack(&FILES);
    let services = started(&stack);
    let (collector, tempo) = (collector(), yaml("deploy/tempo/tempo.yaml"));
    let otlp = &collector["receivers"]["otlp"]["protocols"];
    let endpoint = format!("http://collector:{}", port(&otlp["grpc"]["endpoint"]));
    assert!(text("scripts/compose-env.sh").contains(&format!("observe) collector={endpoint} ;;")));
    for service in ["gateway-replica", "identity-service", "delinea-adapter"] {
        let given = &services[service]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"];
        assert_eq!(given, "${OTEL_EXPORTER_OTLP_ENDPOINT:-}", "{service}");
        assert!(shares_a_network(services[service], services["collector"]), "{service}");
    }

    let exporters = names(&collector["exporters"]).filter(|exporter| kind(exporter) == "otlp_grpc");
    let exporter = &collector["exporters"][exporters.last().unwrap()];
    let receives = &tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"];
    assert_eq!(exporter["endpoint"], format!("tempo:{}", port(receives)));
    assert!(shares_a_network(services["collector"], services["tempo"]));
    // What must outlast a restart is in the volume.
    let storage = &tempo["storage"]["trace"];
    for folder in [&storage["wal"]["path"], &storage["local"]["path"]] {
        assert!(plain(folder).starts_with("/var/tempo/"), "{folder}");
    }
    assert!(entries(&services["tempo"]["volumes"]).any(|volume| volume == "tempo:/var/tempo"));
    for (service, file) in [
        ("collector", "deploy/collector/config.yaml"),
        ("tempo", "deploy/tempo/tempo.yaml"),
    ] {
        let command = plain(&services[service]["command"][0]);
        let at = command.split_once('=').unwrap().1;
        assert!(
            entries(&services[service]["volumes"]).any(|volume| *volume == format!("./{file}:{at}:ro")),
            "{service}"
        );
    }
}

fn shares_a_network(one: &Value, other: &Value) -> bool {
    let of = |service: &Value| -> BTreeSet<String> {
        let networks = &service["networks"];
        let listed = entries(networks).map(plain).chain(names(networks).map(str::to_owned));
        let listed: BTreeSet<_> = listed.collect();
        if networks.is_null() {
            ["default".to_owned()].into()
        } else {
            listed
        }
    };
    !of(one).is_disjoint(&of(other))
}

/// A policy that names an attribute that no span has keeps nothing, and nobody is told.
#[test]
fn what_decides_which_traces_are_kept_stands_in_our_spans() {
    let collector = collector();
    let sampling = &collector["processors"]["tail_sampling"];
    let policies: Vec<_> = entries(&sampling["policies"]).collect();
    let mut attributes = 0;
    for policy in &policies {
        let kind = plain(&policy["type"]);
        assert!(!policy[&kind].is_null() || kind == "always_sample", "{policy}");
        if let Some(key) = policy[&kind]["key"].as_str() {
            assert!(is_in_a_span(key), "no span has {key}");
            attributes += 1;
        }
    }
    assert_eq!(attributes, 3);
    let values = |key: &str| -> Vec<String> {
        let of = policies
            .iter()
            .find(|policy| policy["string_attribute"]["key"] == key)
            .unwrap();
        entries(&of["string_attribute"]["values"]).map(plain).collect()
    };
    // Each outcome that there is.
    let page = text("docs/traces-and-logs.md");
    let row = page.lines().find(|line| line.starts_with("| `delivery.outcome` |"));
    let outcomes = row.unwrap().rsplit(" | ").next().unwrap();
    let outcomes: BTreeSet<_> = outcomes.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(
        values("delivery.outcome").into_iter().collect::<BTreeSet<_>>(),
        outcomes
    );

    // Whoever decides waits for what an answer waits for.
    let wait = super::settings::seconds(&plain(&sampling["decision_wait"]));
    for longest in [
        super::settings::default::<identity_service::IdentityService>("ANSWER_WAIT"),
        super::settings::default::<delinea_adapter::DelineaAdapter>("PLATFORM_TIMEOUT"),
    ] {
        assert!(wait > super::settings::seconds(&longest), "{longest}");
    }
}

/// Whether a span is made with such an attribute somewhere in the services.
fn is_in_a_span(key: &str) -> bool {
    [
        "service-runtime/src",
        "gateway/src",
        "identity-service/src",
        "delinea-adapter/src",
    ]
    .iter()
    .any(|folder| is_made_in(&super::path(folder), key))
}

fn is_made_in(folder: &Path, key: &str) -> bool {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .any(|file| {
            if file.is_dir() {
                return is_made_in(&file, key);
            }
            let text = fs::read_to_string(&file).unwrap();
            let mut spans = text.split("_span!(").skip(1);
            spans.any(|span| span.split(");").next().unwrap().contains(&format!("{key} = ")))
        })
}

#[test]
fn metrics_are_scraped_from_every_service_once() {
    let stack = stack(&FILES);
    let services = started(&stack);
    let prometheus = yaml("deploy/prometheus/prometheus.yml");
    let mut jobs = BTreeSet::new();
    for job in entries(&prometheus["scrape_configs"]) {
        let name = plain(&job["job_name"]);
        for found in entries(&job["dns_sd_configs"]) {
            assert_eq!(found["port"], images::operators_port(), "{name}");
            for host in entries(&found["names"]).map(plain) {
                let is_there = |stack: &Value| {
                    started(stack)
                        .iter()
                        .any(|(service, it)| answers_to(service, it, &host))
                };
                assert!(
                    is_there(&stack) && is_there(&super::compose::stack(&[BASE, OBSERVE])),
                    "{host}"
                );
            }
        }
        for target in entries(&job["static_configs"]).flat_map(|found| entries(&found["targets"])) {
            let host = plain(target).split(':').next().unwrap().to_owned();
            assert!(shares_a_network(services["prometheus"], services[&*host]), "{host}");
            let port = match &*host {
                "collector" => collector()["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"]["port"].clone(),
                "tempo" => yaml("deploy/tempo/tempo.yaml")["server"]["http_listen_port"].clone(),
                _ => panic!("{host}"),
            };
            assert_eq!(*target, format!("{host}:{port}"));
        }
        assert!(jobs.insert(name.clone()), "{name} is there twice");
    }
    // These have no health check of their own.
    for job in ["gateway", "identity-service", "delinea-adapter", "collector", "tempo"] {
        assert!(jobs.contains(job), "nobody scrapes {job}");
    }
    // What is scraped is not kept a second time.
    let collector = collector();
    assert_eq!(
        collector["service"]["pipelines"]["metrics"]["exporters"],
        json!(["nop"])
    );
}

fn answers_to(service: &str, it: &Value, host: &str) -> bool {
    service == host || entries(&it["networks"]["default"]["aliases"]).any(|alias| alias == host)
}

#[test]
fn grafana_finds_both_stores_and_its_dashboards() {
    let stack = stack(&[BASE, OBSERVE]);
    let services = started(&stack);
    let mut uids = BTreeSet::new();
    for source in entries(&yaml("deploy/grafana/provisioning/datasources/stores.yml")["datasources"]) {
        let url = plain(&source["url"]);
        let (host, port) = url.strip_prefix("http://").unwrap().split_once(':').unwrap();
        assert!(shares_a_network(services["grafana"], services[host]), "{host}");
        match plain(&source["type"]).as_str() {
            "tempo" => assert_eq!(
                yaml("deploy/tempo/tempo.yaml")["server"]["http_listen_port"].to_string(),
                port
            ),
            // Its own default, which the command leaves as it is.
            "prometheus" => assert_eq!(port, "9090"),
            other => panic!("{other}"),
        }
        uids.insert(plain(&source["uid"]));
    }
    assert_eq!(
        uids.iter().map(String::as_str).collect::<Vec<_>>(),
        ["metrics", "traces"]
    );
    let folder =
        yaml("deploy/grafana/provisioning/dashboards/scim-gateway.yml")["providers"][0]["options"]["path"].clone();
    let mounted = format!("./deploy/grafana/dashboards:{}:ro", plain(&folder));
    assert!(
        entries(&services["grafana"]["volumes"]).any(|volume| *volume == mounted),
        "{mounted}"
    );
}
