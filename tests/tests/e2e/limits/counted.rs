//! What the gateway refuses is told to the operator: `/metrics` counts it by reason, and says nothing of what was sent.

use std::collections::BTreeMap;

use reqwest::StatusCode;

use crate::{
    deployment::TOKEN,
    processes::{Process, free_port},
};

/// What makes a request one that comes from a network that may not call.
const FROM_OUTSIDE: &str = "203.0.113.9";
const WRONG: &str = "dsg_nobodys-token-at-all";

/// What a counter says by the reasons of its series.
fn counted(metrics: &str, name: &str) -> BTreeMap<String, u64> {
    let series = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    let mut counts = BTreeMap::new();
    for one in series {
        let (labels, count) = one.rsplit_once("} ").unwrap();
        let (_, reason) = labels.split_once("reason=\"").unwrap();
        let (reason, _) = reason.split_once('"').unwrap();
        *counts.entry(reason.to_owned()).or_default() += count.parse::<f64>().unwrap() as u64;
    }
    counts
}

#[tokio::test]
async fn each_refusal_is_on_the_operators_page_with_its_reason() {
    service_runtime::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let [adapter, identity_at, gateway_at] = std::array::from_fn(|_| format!("127.0.0.1:{}", free_port()));
    let data = format!("--data-dir={}", folder.path().join("identity").display());
    let mut identity = Process::identity(&identity_at, &adapter, &[&data, "--answer-wait=0"], folder.path());
    let flags = [
        "--trusted-proxies=127.0.0.1",
        "--allowed-networks=127.0.0.0/8",
        "--max-url-size=1KiB",
        "--rate-limit=25",
        "--queue-timeout=0",
    ];
    let mut gateway = Process::gateway(&gateway_at, &identity_at, &gateway_at, &flags, folder.path());
    for process in [&mut identity, &mut gateway] {
        process.start();
        process.alive().await;
    }
    gateway.ready().await;
    let http = reqwest::Client::new();
    let get = |query: &str, token: &str| {
        let url = format!("http://{gateway_at}/scim/v2/Users?count=0{query}");
        http.get(url).bearer_auth(token)
    };

    let answer = get("", TOKEN).header("x-forwarded-for", FROM_OUTSIDE).send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::FORBIDDEN);
    let answer = get(&format!("&filter={}", "a".repeat(2_000)), TOKEN).send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::URI_TOO_LONG);
    let answer = get("", WRONG).send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::UNAUTHORIZED);
    // More at once than a second and what may be saved up for it hold.
    let burst = (0..200).map(|_| async { get("", TOKEN).send().await.unwrap().status() });
    let statuses = futures_util::future::join_all(burst).await;
    let throttled = statuses
        .iter()
        .filter(|status| **status == StatusCode::TOO_MANY_REQUESTS)
        .count() as u64;
    assert!(throttled > 0, "{statuses:?}");

    let metrics = gateway.metrics().await;
    let refused = counted(&metrics, "scim_requests_refused_total");
    let of = |reason: &str| refused.get(reason).copied().unwrap_or_default();
    assert_eq!([of("network"), of("url"), of("rate")], [1, 1, throttled], "{refused:?}");
    let credentials = counted(&metrics, "scim_credential_refusals_total");
    assert_eq!(credentials.values().sum::<u64>(), 1, "{credentials:?}");
    for sent in [WRONG, TOKEN, FROM_OUTSIDE] {
        assert!(!metrics.contains(sent), "{metrics}");
    }
}
