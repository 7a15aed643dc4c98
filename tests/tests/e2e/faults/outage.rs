//! The Platform is away for an hour, with a second for an hour: Entra hears nothing of it (P1), and when it is back, what waited
//! reaches it in order, not all at once.

use std::time::Duration;

use entra_simulator::{Dialect, Directory, Knobs, VerifyOptions, verify};
use http::Method;
use serde_json::{Value, json};

use crate::deployment::{BUILT_IN, Setup};

/// How many deliveries may run at a time.
const CONCURRENCY: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_without_the_platform_costs_nothing_and_ends_without_a_stampede() {
    let mut it = Setup::default()
        .platform_may_go()
        // The adapter would let twenty times as many through.
        .adapter(&["--max-concurrency=64"])
        .identity(&[
            &*format!("--delivery-concurrency={CONCURRENCY}"),
            // Whoever is tried again every now and then for an hour, with a minute between two tries, is here tried as often.
            "--backoff-ceiling=20ms",
        ])
        .start()
        .await;
    let mut directory = Directory::generate(31, 60, 8);
    let mut job = it.job(Knobs::of(Dialect::Default));
    let cycle = async |job: &mut entra_simulator::Job, directory: &Directory| {
        let report = job.cycle(directory).await.unwrap();
        assert!(report.escrow.is_empty(), "{:?}", report.escrow);
        report.writes
    };
    cycle(&mut job, &directory).await;
    it.settled().await;

    it.platform_goes_down();
    for _ in 0..4 {
        directory.advance();
        assert!(cycle(&mut job, &directory).await > 0);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let waiting = it.listed(proto::identity::v1::DeliveryState::Pending).await;
    assert!(waiting.len() > 20, "{} wait", waiting.len());
    let tried = waiting.iter().map(|delivery| delivery.attempts).max();
    assert!(tried > Some(3), "{tried:?}");

    it.platform_comes_back().await;
    it.platform.profile(json!({"latency_ms": 5})).await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    let state = it.platform.state().await;
    let at_once = state["most_at_once"].as_u64().unwrap();
    assert!((2..=CONCURRENCY).contains(&at_once), "{at_once} calls at once");

    let options = VerifyOptions {
        platform_url: Some(it.platform.url().to_owned()),
        ignore: BUILT_IN.map(str::to_owned).into(),
        ..VerifyOptions::default()
    };
    let verification = verify(&job, &directory, &options, None).await.unwrap();
    assert_eq!(verification.differences, []);
    it.platform.control(Method::DELETE, "calls", &Value::Null).await;
    assert_eq!(cycle(&mut job, &directory).await, 0);
    assert_eq!(it.platform.calls().await, 0);
}
