use std::time::Duration;

use super::*;
use platform_simulator::Fault;

const CREATE: &str = "CDirectoryService/CreateUser";

#[tokio::test]
async fn a_fault_that_prevents_leaves_nothing_behind() {
    let sim = Sim::start().await;
    for (fault, status) in [
        (Fault::Throttle, 429),
        (Fault::Error, 500),
        (Fault::Unavailable, 503),
        (Fault::Bare404, 404),
        (Fault::Html, 502),
        (Fault::Unauthorized, 401),
    ] {
        sim.fault(FaultRule {
            retry_after_s: Some(7),
            ..FaultRule::new(CREATE, fault).times(1)
        })
        .await;
        let answer = sim.try_call(CREATE, new_user("ada@example.com")).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{fault:?}");
        let retry_after = answer
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        let waits = matches!(fault, Fault::Throttle | Fault::Unavailable | Fault::Error | Fault::Html);
        assert_eq!(retry_after.as_deref(), waits.then_some("7"), "{fault:?}");
        let body = answer.text().await.unwrap();
        assert_eq!(body.contains("<html>"), fault == Fault::Html, "{fault:?}");
        assert!(body.is_empty() || fault != Fault::Bare404);
        assert!(sim.user("ada@example.com").await.is_none(), "{fault:?}");
    }
    sim.create("ada@example.com").await;
}

#[tokio::test]
async fn a_dropped_connection_has_no_answer_and_no_effect() {
    let sim = Sim::start().await;
    sim.fault(FaultRule::new(CREATE, Fault::Drop).times(1)).await;
    let error = sim.try_call(CREATE, new_user("ada@example.com")).await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert!(sim.user("ada@example.com").await.is_none());
}

#[tokio::test]
async fn a_lost_answer_is_lost_after_the_change() {
    let sim = Sim::start().await;
    sim.fault(FaultRule::new(CREATE, Fault::LostAnswer).times(1)).await;
    let error = sim.try_call(CREATE, new_user("ada@example.com")).await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert!(sim.user("ada@example.com").await.is_some());
    sim.fails(CREATE, new_user("ada@example.com")).await;
    let calls = sim.see("/_sim/calls").await;
    assert_eq!(
        (&calls[1]["status"], &calls[1]["success"], &calls[1]["fault"]),
        (&Value::Null, &json!(true), &json!("lost_answer"))
    );
}

#[tokio::test]
async fn a_slow_answer_comes_after_the_change() {
    let sim = Sim::start().await;
    sim.fault(FaultRule {
        delay_ms: Some(600_000),
        ..FaultRule::new(CREATE, Fault::Slow)
    })
    .await;
    let answer = sim.try_call(CREATE, new_user("ada@example.com"));
    let change = async {
        while sim.user("ada@example.com").await.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        answer = answer => panic!("answered at once: {answer:?}"),
        done = tokio::time::timeout(Duration::from_secs(60), change) => done.unwrap(),
    }
}

#[tokio::test]
async fn a_truncated_answer_ends_in_the_middle() {
    let sim = Sim::start().await;
    sim.fault(FaultRule::new(CREATE, Fault::Truncated).times(1)).await;
    let answer = sim.try_call(CREATE, new_user("ada@example.com")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.bytes().await.unwrap_err();
    assert!(sim.user("ada@example.com").await.is_some());
}

#[tokio::test]
async fn a_failure_speaks_as_it_is_told() {
    let sim = Sim::start().await;
    let rule = FaultRule {
        message: Some("Step up".into()),
        error_id: Some("ChallengeRequired".into()),
        ..FaultRule::new("*", Fault::Failure).times(1)
    };
    sim.fault(rule).await;
    let envelope = sim.call(CREATE, new_user("ada@example.com")).await;
    assert_eq!(
        (&envelope["success"], &envelope["ErrorID"]),
        (&json!(false), &json!("ChallengeRequired"))
    );
    assert_eq!(envelope["Message"], "Step up");
}

#[tokio::test]
async fn the_token_endpoint_has_faults_of_its_own() {
    let sim = Sim::start().await;
    sim.fault(FaultRule::new("*", Fault::Error)).await;
    assert_eq!(sim.token_answer(&sim.good_form()).await.status(), StatusCode::OK);
    sim.fault(FaultRule::new("token", Fault::Unavailable).times(1)).await;
    assert_eq!(
        sim.token_answer(&sim.good_form()).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let faults = sim.see("/_sim/faults").await;
    assert_eq!((&faults[1]["times"], &faults[1]["hits"]), (&json!(0), &json!(1)));
    sim.client.delete(sim.url("/_sim/faults")).send().await.unwrap();
    assert_eq!(sim.see("/_sim/faults").await, json!([]));
    sim.create("ada@example.com").await;
}

#[tokio::test]
async fn a_bad_rule_is_refused() {
    let sim = Sim::start().await;
    for bad in [
        json!([{ "method": "*", "fault": "explode" }]),
        json!([{ "method": "*", "fault": "drop", "propability": 1 }]),
        json!([{ "method": "*", "fault": "drop", "probability": 2 }]),
        json!("drop"),
    ] {
        let answer = sim
            .client
            .post(sim.url("/_sim/faults"))
            .json(&bad)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{bad}");
        assert!(answer.json::<Value>().await.unwrap()["error"].is_string());
    }
    assert_eq!(sim.see("/_sim/faults").await, json!([]));
}

#[tokio::test]
async fn more_calls_than_the_rate_allows_are_429() {
    let sim = Sim::start().await;
    sim.set(|profile| profile.max_rps = 1).await;
    let mut throttled = 0;
    for _ in 0..20 {
        let answer = sim.try_call("Core/GetDirectoryServices", json!({})).await.unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.headers()["retry-after"], "1");
            throttled += 1;
        }
    }
    assert!(throttled > 0);
}

#[tokio::test]
async fn latency_is_added_to_each_call() {
    let sim = Sim::start().await;
    sim.set(|profile| profile.latency_ms = 120).await;
    let started = tokio::time::Instant::now();
    sim.ok("Core/GetDirectoryServices", json!({})).await;
    assert!(started.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn an_answer_may_go_wrong_after_the_write() {
    let sim = Sim::start().await;
    for (n, (fault, status)) in [(Fault::Error, 500), (Fault::Html, 502), (Fault::Failure, 500)]
        .into_iter()
        .enumerate()
    {
        sim.fault(FaultRule {
            after: true,
            status: Some(status),
            ..FaultRule::new("CDirectoryService/CreateUser", fault).times(1)
        })
        .await;
        let name = format!("u{n}@example.com");
        let user = json!({ "Name": name, "Mail": name, "Password": "Secret-1234" });
        let answer = sim.try_call("CDirectoryService/CreateUser", user).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{fault:?}");
        assert!(sim.user(&name).await.is_some(), "{fault:?}");
        let call = sim.see("/_sim/calls").await[0].clone();
        assert_eq!(call["success"], json!(fault != Fault::Failure), "{fault:?}");
    }
}

#[tokio::test]
async fn a_fault_about_somebody_hits_nobody_else() {
    let sim = Sim::start().await;
    sim.fault(FaultRule {
        about: Some("ada@example.com".into()),
        ..FaultRule::new("*", Fault::Error)
    })
    .await;
    let answer = sim.try_call(CREATE, new_user("ada@example.com")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    sim.create("bert@example.com").await;
    assert!(sim.user("ada@example.com").await.is_none());
}
