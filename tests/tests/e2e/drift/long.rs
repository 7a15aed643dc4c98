//! What a comparison of a large directory costs: calls of the Platform, memory, time. The store is filled as an import fills
//! it, and the Platform by hand.

use std::{fs, time::Duration};

use http::Method;
use identity_service::{
    id::Tenant,
    store::{
        Entry, Store,
        embedded::{EmbeddedStore, Options},
    },
};
use proto::identity::v1::{PlanDriftRequest, drift_service_client::DriftServiceClient, plan_drift_response::Part};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    deployment::{Platform, TENANT},
    processes::{Process, free_port},
};

const GROUPS: usize = 20;
const MEMBERS: usize = 1_000;
/// So many lie on a page of the Platform's lists.
const PAGE: usize = 2_000;
/// How much more memory a comparison of so many may take, in KiB: what is kept of each, pages of lists, and the store's cache,
/// which fills with the records that are read.
const MEMORY: u64 = 96 * 1024;

/// How many users there are: as many as `make bench-drift` says, or 40,000.
fn users() -> usize {
    std::env::var("DRIFT_USERS").map_or(40_000, |text| text.parse().expect("DRIFT_USERS is a number"))
}

fn user(number: usize) -> String {
    format!("018f2f3e-0000-7000-8000-{number:012x}")
}

fn group(number: usize) -> String {
    format!("018f2f3e-0001-7000-8000-{number:012x}")
}

fn entry(value: Value) -> Entry {
    serde_json::from_value(value).unwrap()
}

fn resource(kind: &str, id: &str, document: &Value, members: usize) -> Entry {
    let at = "2026-01-01T00:00:00Z";
    entry(json!({"resource": {
        "id": id, "kind": kind, "version": 1, "document_version": 1, "created": at, "modified": at,
        "member_count": members, "document": document,
    }}))
}

fn link(kind: &str, id: &str, platform_id: &Value) -> Entry {
    entry(json!({"link": {"id": id, "kind": kind, "link": {
        "platform_id": platform_id, "backend": "rpc", "applied_version": 1, "applied_document": 1,
    }}}))
}

/// Fills the Platform, and a store in which all of that is applied.
async fn fill(platform: &Platform, store: &EmbeddedStore) {
    let tenant = Tenant::new(TENANT);
    let numbers: Vec<_> = (0..users()).collect();
    let mut accounts = Vec::with_capacity(users());
    for some in numbers.chunks(PAGE) {
        let name = |number: &usize| format!("user{number}@x.example");
        let users: Vec<_> = some
            .iter()
            .map(|number| json!({"Name": name(number), "Mail": name(number), "DisplayName": format!("User {number}")}))
            .collect();
        let made = platform.control(Method::POST, "users", &json!(users)).await;
        let ids = made.as_array().unwrap().iter().map(|made| made["ID"].clone());
        let first = accounts.len();
        accounts.extend(ids);
        for some in some.chunks(500) {
            let entries = some.iter().flat_map(|number| {
                let document = json!({
                    "userName": name(number), "displayName": format!("User {number}"), "active": true,
                    "emails": [{"value": name(number), "type": "work", "primary": true}],
                });
                let id = user(*number);
                [
                    resource("user", &id, &document, 0),
                    link("user", &id, &accounts[*number]),
                ]
            });
            store.import(&tenant, entries.collect()).await.unwrap();
        }
        assert_eq!(accounts.len(), first + some.len());
    }
    for number in 0..GROUPS {
        let first = number * MEMBERS;
        let name = format!("Group {number}");
        let body = json!([{"Name": name, "Members": accounts[first..first + MEMBERS]}]);
        let made = platform.control(Method::POST, "groups", &body).await;
        let id = group(number);
        let members: Vec<_> = (first..first + MEMBERS)
            .map(|number| json!([user(number), "user"]))
            .collect();
        for entry in [
            resource("group", &id, &json!({"displayName": name}), MEMBERS),
            link("group", &id, &made[0]["ID"]),
            entry(json!({"members": {"group": id, "members": members}})),
        ] {
            store.import(&tenant, vec![entry]).await.unwrap();
        }
    }
}

/// The most memory that a process has had, in KiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_large_directory_costs_few_calls_and_little_memory() {
    service_runtime::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let [simulator_at, adapter_at, identity_at] = std::array::from_fn(|_| format!("127.0.0.1:{}", free_port()));
    let mut simulator = Process::simulator(&simulator_at, folder.path());
    simulator.start();
    simulator.ready().await;
    let platform = Platform::at(format!("http://{simulator_at}"));
    let data = folder.path().join("identity");
    fs::create_dir(&data).unwrap();
    {
        let store = EmbeddedStore::open(&data.join("identity.redb"), Options::default()).unwrap();
        fill(&platform, &store).await;
    }
    let pages = [&*format!("--page-size={PAGE}"), "--report-limit=1000000"];
    let mut adapter = Process::adapter(&adapter_at, &simulator_at, &pages, folder.path());
    let data = format!("--data-dir={}", data.display());
    let mut identity = Process::identity(&identity_at, &adapter_at, &[&data], folder.path());
    for process in [&mut adapter, &mut identity] {
        process.start();
        process.ready().await;
    }
    // Two differences among them all.
    let state = platform.account("user7@x.example").await;
    platform
        .edit(state["ID"].as_str().unwrap(), json!({"DisplayName": "Somebody"}))
        .await;
    let state = platform.account(&format!("user{}@x.example", users() - 1)).await;
    platform.delete_account(state["ID"].as_str().unwrap()).await;

    let (calls, memory, began) = (platform.calls().await, peak(identity.pid()), Instant::now());
    let connection = service_runtime::connect(&format!("http://{identity_at}"), Duration::from_secs(60)).unwrap();
    let request = PlanDriftRequest {
        tenant: TENANT.to_owned(),
    };
    let mut parts = DriftServiceClient::new(connection)
        .plan_drift(request)
        .await
        .unwrap()
        .into_inner();
    let (mut found, mut summary) = (Vec::new(), None);
    while let Some(part) = parts.message().await.unwrap() {
        match part.part.unwrap() {
            Part::Difference(difference) => found.push(difference.resource_id),
            Part::Summary(last) => summary = Some(last),
        }
    }
    let (took, calls) = (began.elapsed(), platform.calls().await - calls);
    let memory = peak(identity.pid()) - memory;
    eprintln!(
        "{} users, {GROUPS} groups of {MEMBERS}: {calls} calls, {memory} KiB more, {took:?}",
        users()
    );
    let summary = summary.unwrap();
    assert_eq!(summary.failure, None);
    assert_eq!(found, [user(7), user(users() - 1)]);
    assert_eq!(
        (summary.users_compared, summary.groups_compared),
        (users() as i64 - 1, GROUPS as i64)
    );
    assert_eq!(summary.members_compared, (GROUPS * MEMBERS) as i64);
    // The list in one call, or where that takes too long page by page; pages of groups; and one for each group's members. A page
    // that is late on a busy machine is asked for again.
    let most = users() / PAGE + GROUPS + 20;
    assert!(calls <= most as u64, "{calls} of {most}");
    assert!(memory < MEMORY, "{memory} KiB");
}
