//! Latency and limits.
use std::time::Duration;

use tokio::time::Instant;

use super::*;

async fn took(sim: &Sim, method: &str) -> Duration {
    let start = Instant::now();
    sim.try_call(method, json!({})).await.unwrap();
    start.elapsed()
}

#[tokio::test]
async fn latency_may_be_the_calls_own() {
    const AGES: u64 = 600_000;
    let latency = json!({ "*": AGES, "Core/*": 0, "Core/GetDirectoryServices": 300 });
    let sim = Sim::with_profile(json!({ "latency_ms": AGES, "latency_of": latency })).await;
    let answer = async |method: &str| tokio::time::timeout(Duration::from_secs(60), took(&sim, method)).await;
    assert!(answer("Core/GetDirectoryServices").await.unwrap() >= Duration::from_millis(300));
    answer("Core/GeneratePassword")
        .await
        .expect("the longest name that fits counts");
    let late = tokio::time::timeout(Duration::from_millis(300), took(&sim, "Federation/GetFederations"));
    late.await.unwrap_err();
}

#[tokio::test]
async fn latency_rises_with_the_calls_that_are_under_way() {
    let sim = Sim::with_profile(json!({ "latency_ms": 300, "latency_per_call_ms": 300 })).await;
    let call = || took(&sim, "Core/GetDirectoryServices");
    let times: [Duration; 3] = tokio::join!(call(), call(), call()).into();
    let slowest = times.into_iter().max().unwrap();
    assert!(
        slowest >= Duration::from_millis(900),
        "{slowest:?} with two others under way"
    );
}

#[tokio::test]
async fn too_many_calls_are_answered_as_the_profile_says() {
    for (answer, retry_after, status) in [("429", json!(7), 429), ("503", Value::Null, 503)] {
        let sim = Sim::with_profile(json!({
            "max_rps": 1, "rate_burst": 3, "rate_limit_answer": answer, "rate_retry_after_s": retry_after,
        }))
        .await;
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(sim.try_call("Core/GetDirectoryServices", json!({})).await.unwrap());
        }
        let good = answers
            .iter()
            .take_while(|answer| answer.status() == StatusCode::OK)
            .count();
        assert!((3..6).contains(&good), "a burst of three passes: {good}");
        let refused = answers.iter().find(|answer| answer.status() != StatusCode::OK).unwrap();
        let header = refused
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap());
        assert_eq!(
            (refused.status().as_u16(), header),
            (status, retry_after.as_u64().map(|_| "7"))
        );
    }
}

#[tokio::test]
async fn faults_of_the_profile_stay_when_those_on_request_go() {
    let rule = json!({ "method": "Core/*", "fault": "unavailable" });
    let sim = Sim::with_profile(json!({ "faults": [rule] })).await;
    let status = async || {
        sim.try_call("Core/GetDirectoryServices", json!({}))
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status().await, 503);
    sim.fault(FaultRule::new("Core/*", platform_simulator::Fault::Throttle))
        .await;
    assert_eq!(status().await, 429, "those on request come first");
    let drop_first = sim.client.delete(sim.url("/_sim/faults/0"));
    assert_eq!(drop_first.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(
        sim.client
            .delete(sim.url("/_sim/faults/0"))
            .send()
            .await
            .unwrap()
            .status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(status().await, 503);
    sim.client.delete(sim.url("/_sim/faults")).send().await.unwrap();
    sim.client.post(sim.url("/_sim/reset")).send().await.unwrap();
    assert_eq!(status().await, 503);
    sim.set(|profile| profile.faults.clear()).await;
    assert_eq!(status().await, 200);
}
