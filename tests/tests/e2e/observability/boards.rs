//! The dashboards: each panel is a question that can be answered, from metrics that are told, with a way to the traces and to the
//! runbook; and the files are what the project's script writes.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;

use super::{anchors, files, known::Known, promql, root, rules::yaml};

/// Units that Grafana knows, of those that are used.
const UNITS: &[&str] = &[
    "none",
    "short",
    "percentunit",
    "s",
    "d",
    "bytes",
    "reqps",
    "cps",
    "ops",
    "cores",
    "bool_yes_no",
];

/// Every dashboard.
pub(super) fn all() -> Vec<Value> {
    let files = files("deploy/grafana/dashboards", "json").into_iter();
    files
        .map(|file| serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap())
        .collect()
}

/// Its panels, without the rows.
pub(super) fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    let panels = board["panels"].as_array().unwrap().iter();
    panels.filter(|panel| panel["type"] != "row")
}

/// The queries of a panel.
pub(super) fn queries(panel: &Value) -> impl Iterator<Item = &str> {
    let targets = panel["targets"].as_array().unwrap().iter();
    targets.map(|target| target["expr"].as_str().unwrap())
}

/// The uids of the stores that are provisioned.
fn stores() -> BTreeSet<String> {
    let file = root().join("deploy/grafana/provisioning/datasources/stores.yml");
    let stores = yaml(&file);
    let stores = stores["datasources"].as_array().unwrap().iter();
    stores.map(|store| store["uid"].as_str().unwrap().to_owned()).collect()
}

/// Every uid of a store that stands anywhere in it.
fn referenced(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(uid) = fields.get("datasource").and_then(|it| it["uid"].as_str()) {
                found.insert(uid.to_owned());
            }
            fields.values().for_each(|value| referenced(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| referenced(value, found)),
        _ => {}
    }
}

/// What a link to Explore asks the store of traces, once Grafana has filled in its variables.
fn traceql(link: &Value) -> String {
    let url = link["url"].as_str().unwrap();
    let panes = url
        .strip_prefix("/explore?schemaVersion=1&panes=")
        .expect("a link into Explore");
    let filled_in = panes
        .replace("${__from}", "0")
        .replace("${__to}", "1")
        .replace("${tenant:pipe}", "a|b")
        .replace("${service:pipe}", "a|b")
        .replace("${__field.labels.scim_tenant}", "a")
        .replace("${__field.labels.job}", "a");
    assert!(!filled_in.contains("${"), "an unknown variable: {filled_in}");
    let mut bytes = Vec::new();
    let mut parts = filled_in.split('%');
    bytes.extend(parts.next().unwrap().bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    let panes: Value = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {filled_in}"));
    assert_eq!(panes["traces"]["datasource"], "traces");
    let query = &panes["traces"]["queries"][0];
    assert_eq!(
        (&query["datasource"]["uid"], &query["queryType"]),
        (&"traces".into(), &"traceql".into())
    );
    query["query"].as_str().unwrap().to_owned()
}

#[test]
fn each_panel_is_a_question_with_all_that_it_takes_to_act() {
    let anchors = anchors();
    for board in all() {
        let mut titles = BTreeSet::new();
        for panel in panels(&board) {
            let title = panel["title"].as_str().unwrap();
            assert!(title.ends_with('?') && titles.insert(title.to_owned()), "{title}");
            let about = panel["description"].as_str().unwrap();
            assert!(
                about.contains("**Normal:** ") && about.contains("**Otherwise:** "),
                "{title}: {about}"
            );
            let (_, runbook) = about.split_once("${docs}/operations.md#").expect(title);
            let runbook = runbook.trim_end_matches(')');
            assert!(
                anchors.contains(runbook),
                "{title}: docs/operations.md has no section {runbook}"
            );
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(
                UNITS.contains(&defaults["unit"].as_str().unwrap()),
                "{title}: {}",
                defaults["unit"]
            );
            assert!(
                !defaults["thresholds"]["steps"].as_array().unwrap().is_empty(),
                "{title}"
            );
            assert!(
                defaults["noValue"].is_string(),
                "{title}: what does it show without a value?"
            );
            for links in [&panel["links"], &defaults["links"]] {
                for link in links.as_array().unwrap() {
                    let query = traceql(link);
                    assert!(query.starts_with("{ ") && query.ends_with(" }"), "{title}: {query}");
                }
                assert!(!links.as_array().unwrap().is_empty(), "{title}: no way to the traces");
            }
        }
        assert!(titles.len() >= 5, "{}", board["title"]);
    }
}

#[test]
fn panels_ask_for_what_the_services_tell() {
    let known = Known::new();
    for board in all() {
        for panel in panels(&board) {
            for query in queries(panel) {
                let asked = promql::read(query).unwrap_or_else(|error| panic!("{query}: {error}"));
                let strangers = known.strangers(&asked);
                assert!(strangers.is_empty(), "{}: {query}: {strangers:?}", panel["title"]);
                // What replicas tell of one store, and would be told twice by a sum of them.
                let shared =
                    |(metric, _): &(String, _)| metric.starts_with("scim_outbox_") || metric == "scim_resources";
                if asked.metrics.iter().any(shared) {
                    assert!(query.starts_with("max by "), "{}: {query}", panel["title"]);
                }
            }
        }
        for variable in board["templating"]["list"].as_array().unwrap() {
            let Some(query) = variable["definition"].as_str() else {
                continue;
            };
            let values = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'));
            let (metric, label) = values.and_then(|rest| rest.rsplit_once(", ")).unwrap();
            let asked = promql::read(&format!("sum by ({label}) ({metric})")).unwrap();
            assert_eq!(known.strangers(&asked), [""; 0], "{query}");
        }
    }
}

#[test]
fn legends_name_labels_that_are_there() {
    for board in all() {
        for target in panels(&board).flat_map(|panel| panel["targets"].as_array().unwrap()) {
            let query = target["expr"].as_str().unwrap();
            let legend = target["legendFormat"].as_str().unwrap();
            let asked = promql::read(query).unwrap();
            for part in legend.split("{{").skip(1) {
                let label = part.split("}}").next().unwrap();
                assert!(asked.labels.iter().any(|(by, _)| by == label), "{legend} of {query}");
            }
        }
    }
}

#[test]
fn stores_are_provisioned_and_nothing_has_the_same_name_twice() {
    let (stores, mut uids) = (stores(), BTreeSet::new());
    assert_eq!(stores, BTreeSet::from(["metrics", "traces"].map(str::to_owned)));
    for board in all() {
        let uid = board["uid"].as_str().unwrap();
        assert!(uids.insert(uid.to_owned()), "{uid} twice");
        let ids: BTreeSet<_> = board["panels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|panel| panel["id"].as_u64())
            .collect();
        assert_eq!(
            ids.len(),
            board["panels"].as_array().unwrap().len(),
            "{uid}: two panels have one id"
        );
        let mut referenced_here = BTreeSet::new();
        referenced(&board, &mut referenced_here);
        assert!(
            !referenced_here.is_empty() && referenced_here.is_subset(&stores),
            "{uid}: {referenced_here:?}"
        );
    }
    assert_eq!(uids.len(), 5);
}

#[test]
fn the_files_are_what_the_script_writes() {
    let script = root().join("deploy/grafana/generate.py");
    let checked = Command::new("python3")
        .arg("-B")
        .arg(script)
        .arg("--check")
        .output()
        .expect("python3");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// Whether a span of ours has that attribute: `name = value` in a file of the services.
fn stands_in_a_span(attribute: &str, folder: &std::path::Path) -> bool {
    let wanted = format!("{attribute} = ");
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return stands_in_a_span(attribute, &path);
        }
        let text = fs::read_to_string(&path).unwrap();
        text.lines()
            .any(|line| line.trim_start().starts_with(&wanted) || line.contains(&format!(" {wanted}")))
    })
}

#[test]
fn traces_are_looked_for_by_what_stands_in_spans() {
    let sources = ["service-runtime", "gateway", "identity-service", "delinea-adapter"];
    let sources = sources.map(|service| root().join(service).join("src"));
    let mut attributes = BTreeSet::new();
    for board in all() {
        for link in panels(&board).flat_map(|panel| panel["links"].as_array().unwrap()) {
            let query = traceql(link);
            let words = query.split_whitespace().filter_map(|word| word.strip_prefix("span."));
            attributes.extend(words.map(str::to_owned));
        }
    }
    assert!(attributes.contains("scim.tenant"), "{attributes:?}");
    for attribute in attributes {
        let found = sources.iter().any(|source| stands_in_a_span(&attribute, source));
        assert!(found, "no span has {attribute}");
    }
}
