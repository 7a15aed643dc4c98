use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Replicas;
use crate::{
    deployment::{Scim, group, user},
    processes::Process,
};

const ODILE: &str = "odile@replicas.example";
/// How often each of the two clients changes each of the two resources; an odd number, and the last takes the user out.
const ROUNDS: usize = 41;

/// Two clients change one user and one group through two gateways, two identity-services take them, and both relays want to
/// deliver them. Neither is ever delivered twice at a time, and the last acknowledged change of each attribute wins (P2, P3).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_race_for_one_user_and_one_group() {
    let replicas = Replicas::start_in_pairs().await;
    let ([one, other], platform) = (replicas.each_scim(), replicas.platform());
    let id = one.create("/Users", &user(ODILE)).await;
    let group_id = one.create("/Groups", &group("Rack", &[&id])).await;
    replicas.settled().await;
    platform.profile(json!({"latency_ms": 20})).await;
    platform.control(Method::DELETE, "calls", &Value::Null).await;

    // Each client has attributes of its own, so that it is known which change of them was the last.
    let change = async |scim: &Scim, path: &str, operation: Value| {
        let answer = scim.patch(path, operation).await;
        assert!(answer.status.is_success(), "{answer:?}");
    };
    let replace = |path: &str, value: &str| json!({"op": "Replace", "path": path, "value": value});
    let number = |n: usize| format!("+1 555 01{n:02}");
    let (of_user, of_group) = (format!("/Users/{id}"), format!("/Groups/{group_id}"));
    for n in 0..ROUNDS {
        if n % 4 == 0 {
            // All begins anew, and now the one, now the other is the first to know that there is something to deliver.
            replicas.settled().await;
            let first = if n % 8 == 0 { &one } else { &other };
            change(first, &of_user, replace("nickName", &number(n))).await;
        }
        let members =
            json!({"op": if n % 2 == 0 { "Remove" } else { "Add" }, "path": "members", "value": [{"value": id}]});
        let by_one = async {
            change(
                &one,
                &of_user,
                replace("phoneNumbers[type eq \"work\"].value", &number(n)),
            )
            .await;
            change(&one, &of_group, members).await;
        };
        let by_other = async {
            change(
                &other,
                &of_user,
                replace("phoneNumbers[type eq \"mobile\"].value", &number(n)),
            )
            .await;
            change(&other, &of_group, replace("displayName", &format!("Rack {n}"))).await;
        };
        tokio::join!(by_one, by_other);
    }
    replicas.settled().await;

    let account = platform.account(ODILE).await;
    let last = number(ROUNDS - 1);
    assert_eq!([&account["OfficeNumber"], &account["MobileNumber"]], [&*last, &*last]);
    let title = format!("Rack {}", ROUNDS - 1);
    assert_eq!(platform.group_names().await, [&*title]);
    assert_eq!(platform.members(&title).await, [].into());

    let calls = platform.control(Method::GET, "calls", &Value::Null).await;
    assert_alone(calls.as_array().unwrap());
    // Both took part.
    let [.., first, second] = &replicas.pairs;
    for process in [first, second] {
        assert!(
            deliveries(process).await > 0.0,
            "{} delivered nothing",
            process.program()
        );
    }
}

/// How many deliveries an identity-service has come to the end of.
async fn deliveries(process: &Process) -> f64 {
    let metrics = process.metrics().await;
    let counts = metrics
        .lines()
        .filter(|line| line.starts_with("scim_deliveries_total{"));
    counts
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

/// No two calls that write the same kind of object were under way at once.
fn assert_alone(calls: &[Value]) {
    let mut spans: BTreeMap<&str, Vec<(f64, f64, &Value)>> = BTreeMap::new();
    for call in calls {
        let method = call["method"].as_str().unwrap();
        let kind = match method {
            "CDirectoryService/ChangeUser" | "CDirectoryService/SetUserState" => "user",
            _ if method.starts_with("Roles/Update") || method.starts_with("SaasManage/") => "group",
            _ => continue,
        };
        let end: Timestamp = call["time"].as_str().unwrap().parse().unwrap();
        let end = end.as_microsecond() as f64 / 1000.0;
        // Whole milliseconds, rounded down.
        let began = end - call["duration_ms"].as_f64().unwrap();
        spans.entry(kind).or_default().push((began, end, call));
    }
    assert_eq!(spans.len(), 2, "{calls:#?}");
    for spans in spans.values_mut() {
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        for pair in spans.windows(2) {
            assert!(pair[0].1 <= pair[1].0 + 1.0, "at once: {} and {}", pair[0].2, pair[1].2);
        }
    }
}
