//! The alert rules: what each asks is told, each leads to its runbook, says how urgent it is, and has a test both ways. That
//! the tests hold is promtool's to say (`make test-rules`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{anchors, files, known::Known, promql, root};

/// What rules call the jobs of the three services.
const SERVICES: [&str; 3] = ["gateway", "identity-service", "delinea-adapter"];

/// A rule of deploy/prometheus/rules.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) record: Option<String>,
    pub(super) alert: Option<String>,
    expr: String,
    labels: Value,
    annotations: Value,
}

impl Rule {
    pub(super) fn asked(&self) -> promql::Asked {
        promql::read(&self.expr).unwrap_or_else(|error| panic!("{}: {error}", self.expr))
    }
}

/// A file of YAML.
pub(super) fn yaml(path: &std::path::Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Every rule there is.
pub(super) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for file in files("deploy/prometheus/rules", "yml") {
        for group in yaml(&file)["groups"].as_array().unwrap() {
            let of_group = group["rules"].as_array().unwrap().iter().map(|rule| Rule {
                record: text(&rule["record"]),
                alert: text(&rule["alert"]),
                expr: text(&rule["expr"]).unwrap(),
                labels: rule["labels"].clone(),
                annotations: rule["annotations"].clone(),
            });
            rules.extend(of_group);
        }
    }
    rules
}

/// Every alert with its name.
fn alerts() -> Vec<(String, Rule)> {
    let named = all().into_iter().filter_map(|rule| Some((rule.alert.clone()?, rule)));
    named.collect()
}

#[test]
fn rules_ask_for_what_the_services_tell() {
    let known = Known::new();
    for rule in all() {
        let strangers = known.strangers(&rule.asked());
        assert!(strangers.is_empty(), "{:?}{:?}: {strangers:?}", rule.alert, rule.record);
    }
}

#[test]
fn each_alert_says_how_urgent_it_is_and_leads_to_its_runbook() {
    let (alerts, anchors) = (alerts(), anchors());
    let names: BTreeSet<_> = alerts.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), alerts.len(), "two alerts have one name");
    for (name, rule) in &alerts {
        let severity = rule.labels["severity"].as_str();
        assert!(matches!(severity, Some("critical" | "warning")), "{name}: {severity:?}");
        for part in ["summary", "description"] {
            let said = rule.annotations[part].as_str().unwrap_or_default();
            assert!(said.len() > 20, "{name}: {part} is {said:?}");
        }
        let own = name.to_lowercase();
        let runbook = rule.annotations["runbook_url"].as_str();
        assert_eq!(runbook, Some(&*format!("docs/operations.md#{own}")), "{name}");
        assert!(anchors.contains(&own), "docs/operations.md has no section {name}");
    }
}

#[test]
fn the_runbooks_name_no_alert_that_is_not_there() {
    let page = super::read("docs/operations.md");
    let (_, runbooks) = page.split_once("\n## Runbooks\n").expect("a part \"Runbooks\"");
    let runbooks = runbooks.split("\n## ").next().unwrap();
    let headings = runbooks.lines().filter_map(|line| line.strip_prefix("#### "));
    let alerts: BTreeSet<_> = alerts().into_iter().map(|(name, _)| name).collect();
    let foreign: Vec<_> = headings.filter(|heading| !alerts.contains(*heading)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// What a file of tests expects of alerts: each query with whether it finds something.
fn expectations() -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for file in files("deploy/prometheus/tests", "yml") {
        for test in yaml(&file)["tests"].as_array().unwrap() {
            for query in test["promql_expr_test"].as_array().into_iter().flatten() {
                let samples = query["exp_samples"].as_array().unwrap();
                // What fires is said by name: a query alone may be about several.
                let fires = samples
                    .iter()
                    .filter_map(|sample| text(&sample["labels"]))
                    .collect::<String>();
                let expr = text(&query["expr"]).unwrap();
                found.push((
                    if fires.contains("alertname") { fires } else { expr },
                    !samples.is_empty(),
                ));
            }
        }
    }
    found
}

#[test]
fn each_alert_is_tested_both_ways() {
    let expectations = expectations();
    for (name, _) in alerts() {
        for fires in [true, false] {
            let quoted = |text: &str| {
                let words = text.split(|c: char| !c.is_ascii_alphanumeric());
                words.into_iter().any(|word| word == name)
            };
            let tested = expectations.iter().any(|(text, found)| *found == fires && quoted(text));
            assert!(tested, "no test has {name} {}", if fires { "fire" } else { "not fire" });
        }
    }
}

#[test]
fn services_are_scraped_by_the_names_that_rules_go_by() {
    for file in ["prometheus.yml", "prometheus.hosts.yml"] {
        let config = yaml(&root().join("deploy/prometheus").join(file));
        let jobs = config["scrape_configs"].as_array().unwrap().iter();
        let jobs: BTreeSet<_> = jobs.map(|job| job["job_name"].as_str().unwrap()).collect();
        for service in SERVICES {
            assert!(jobs.contains(service), "{file}: {service}");
        }
        assert_eq!(config["rule_files"], json!(["rules/*.yml"]));
    }
    // On Kubernetes a pod's label is the job's name.
    let config = yaml(&root().join("deploy/prometheus/prometheus.kubernetes.yml"));
    let label = json!({"source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_name"], "target_label": "job"});
    let relabel = config["scrape_configs"][0]["relabel_configs"].as_array().unwrap();
    assert!(relabel.contains(&label), "{relabel:?}");
    assert_eq!(config["rule_files"], json!(["rules/*.yml"]));
    for service in SERVICES {
        let labelled = format!("app.kubernetes.io/name: {service}\n");
        let manifests = files("deploy/kubernetes", "yaml").into_iter();
        let mut manifests = manifests.map(|file| std::fs::read_to_string(file).unwrap());
        assert!(manifests.any(|manifest| manifest.contains(&labelled)), "{labelled}");
    }
}
