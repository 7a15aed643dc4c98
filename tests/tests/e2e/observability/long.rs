//! A real Prometheus scrapes the running services with the project's rules: every target answers, every rule and every panel's query
//! is understood, no alert fires while all is well, and the Platform's going away makes its alert fire.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::Path,
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Duration, Instant, sleep},
};

use super::{boards, files, promql};
use crate::{
    deployment::{Scim, TOKEN},
    processes::{PATIENCE, Process, Services, free_port, tail},
};

/// Panels that show nothing while all is well, or of what this deployment has not: TLS, a collector, a file of tenants, credentials
/// and a secret whose end is known.
const MAY_BE_EMPTY: &[&str] = &[
    // Looks a minute at a time, and the first is not over.
    "How long ago did Entra last send something?",
    "Were there faults of our own?",
    "Which alerts are firing?",
    "What keeps changes from being delivered?",
    "What ends soon?",
    "When do certificates end?",
    "When does the service user's secret end?",
    "For which reasons was something not applied?",
    "How long ago was the last comparison?",
    "Which calls fail, and how?",
    "Which calls does the tenant not let us make?",
    "Were writes in doubt found to be done?",
    "What does the Platform say that nobody understands?",
    "Which dependency keeps whom from serving as usual?",
    "Which calls between the services fail?",
    "Which callers were refused between the services?",
    "Who was turned away?",
    "Do steps fail?",
    "Do traces arrive?",
    "Is the file of tenants in force?",
];

/// Enough for eight to fail in a row.
const USERS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_takes_what_the_services_tell_and_tells_of_the_platform_that_went() {
    let mut services = Services::start(&[]).await;
    let prometheus = Prometheus::start(&services).await;
    let scim = Scim::at(services.scim_base(), TOKEN);
    let names: Vec<_> = (0..USERS).map(|n| format!("reader{n}@vitrine.example")).collect();
    let users = join_all(names.iter().map(|name| scim.create_user(name))).await;
    scim.create_group("Readers", &users).await;
    scim.get(&format!("/Users/{}", users[0])).await.expect(200);
    services.settled().await;

    prometheus.scraped().await;
    // rate() wants two samples of what has happened meanwhile.
    title(&scim, &users, "Reader").await;
    services.settled().await;
    prometheus
        .finds("sum(rate(scim_deliveries_total{outcome=\"applied\"}[1m])) > 0")
        .await;
    prometheus.rules_are_understood().await;
    let mut empty = BTreeSet::new();
    for board in boards::all() {
        for panel in boards::panels(&board) {
            let panel_title = panel["title"].as_str().unwrap();
            for query in boards::queries(panel) {
                let found = prometheus.ask(&promql::filled_in(query)).await;
                if found.is_empty() && !MAY_BE_EMPTY.contains(&panel_title) {
                    empty.insert(format!("{}: {panel_title} {query}", board["uid"]));
                }
            }
        }
    }
    assert!(empty.is_empty(), "nothing is found: {empty:#?}");
    // Rules have been looked at every second since before the first request, and fire after seconds.
    let fired = prometheus
        .ask("count by (alertname) (count_over_time(ALERTS{alertstate=\"firing\"}[1h]))")
        .await;
    assert!(fired.is_empty(), "all is well, and fires: {fired:#?}");

    services.platform.kill().await;
    title(&scim, &users, "Former reader").await;
    prometheus
        .finds("ALERTS{alertname=\"PlatformNotReached\", alertstate=\"firing\"}")
        .await;
    services.platform.start();
    services.platform.ready().await;
    services.settled().await;
    prometheus
        .finds("absent(ALERTS{alertname=\"PlatformNotReached\"})")
        .await;
}

/// Changes every user, all at once.
async fn title(scim: &Scim, users: &[String], title: &str) {
    let changes = users.iter().map(|id| async move {
        let operation = json!({"op": "Replace", "path": "title", "value": title});
        let answer = scim.patch(&format!("/Users/{id}"), operation).await;
        assert!(answer.status.is_success(), "{answer:?}");
    });
    join_all(changes).await;
}

/// A Prometheus that looks every second, by a copy of the project's rules that are in a hurry.
struct Prometheus {
    url: String,
    http: reqwest::Client,
    targets: usize,
    folder: TempDir,
    _child: Child,
}

impl Prometheus {
    async fn start(services: &Services) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules");
        fs::create_dir(&rules).unwrap();
        for file in files("deploy/prometheus/rules", "yml") {
            fs::write(rules.join(file.file_name().unwrap()), hurried(&file)).unwrap();
        }
        let scraped = [&services.gateway, &services.identity, &services.adapter];
        let jobs = scraped
            .iter()
            .map(|process| json!({"job_name": process.program(), "static_configs": [{"targets": [address(process)]}]}));
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules.join("*.yml")],
            "scrape_configs": jobs.collect::<Vec<_>>(),
        });
        // JSON is YAML.
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config.to_string()).unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={listen}"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus: make install-test-packages");
        let prometheus = Self {
            url: format!("http://{listen}"),
            http: reqwest::Client::new(),
            targets: scraped.len(),
            folder,
            _child: child,
        };
        let began = Instant::now();
        while prometheus.get("/-/ready").await.is_none() {
            assert!(began.elapsed() < PATIENCE, "{}", prometheus.log());
            sleep(Duration::from_millis(50)).await;
        }
        prometheus
    }

    fn log(&self) -> String {
        tail(&fs::read_to_string(self.folder.path().join("log")).unwrap())
    }

    async fn get(&self, path: &str) -> Option<String> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }

    async fn data(&self, path: &str) -> Value {
        let text = self.get(path).await.unwrap_or_else(|| panic!("{path}: {}", self.log()));
        serde_json::from_str::<Value>(&text).unwrap()["data"].clone()
    }

    /// What a query finds now.
    async fn ask(&self, query: &str) -> Vec<Value> {
        let request = self
            .http
            .post(format!("{}/api/v1/query", self.url))
            .form(&[("query", query)]);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// Waits until a query finds something.
    async fn finds(&self, query: &str) {
        let began = Instant::now();
        while self.ask(query).await.is_empty() {
            if began.elapsed() > PATIENCE {
                let alerts = self.ask("ALERTS").await;
                panic!("after {PATIENCE:?} nothing is found by {query}; alerts: {alerts:#?}");
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until every target has been scraped a few times.
    async fn scraped(&self) {
        self.finds(&format!("count(count_over_time(up[1m]) > 5) == {}", self.targets))
            .await;
        let targets = self.data("/api/v1/targets").await;
        let targets = targets["activeTargets"].as_array().unwrap();
        assert_eq!(targets.len(), self.targets);
        for target in targets {
            assert_eq!(target["health"], "up", "{target:#}");
        }
    }

    /// Every rule has been evaluated, and none with an error.
    async fn rules_are_understood(&self) {
        let groups = self.data("/api/v1/rules").await;
        let groups = groups["groups"].as_array().unwrap().clone();
        assert!(!groups.is_empty());
        for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
            assert_eq!(rule["health"], "ok", "{rule:#}");
        }
    }
}

/// The rules of a file, which wait for seconds where those wait for minutes.
fn hurried(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| {
        let indent = line.len() - line.trim_start().len();
        let waits = line.trim_start().starts_with("for: ");
        if waits {
            format!("{}for: 15s\n", &line[..indent])
        } else {
            format!("{line}\n")
        }
    });
    lines.collect()
}

/// Where a process tells its figures.
fn address(process: &Process) -> &str {
    let url = process.readyz();
    url.trim_start_matches("http://").trim_end_matches("/readyz")
}
