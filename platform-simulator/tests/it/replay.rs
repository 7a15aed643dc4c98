use std::path::PathBuf;

use super::*;
use platform_simulator::{Error, Fault, ReplayError};

fn replaying(path: PathBuf) -> Config {
    Config {
        replay: Some(path),
        ..Config::ephemeral()
    }
}

/// A tenant that gives these answers.
async fn replay(lines: &[Value]) -> Sim {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenant.jsonl");
    let text: Vec<_> = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, text.concat()).unwrap();
    Sim::start_with(replaying(path)).await
}

fn report(request: &Value, rows: u64) -> Value {
    json!({
        "method": "POST",
        "path": "/identity/api/Report/RunReport",
        "request": request,
        "status": 200,
        "headers": { "X-CFY-TX-ID": "t", "date": "Mon, 01 Jan 2024 00:00:00 GMT", "content-length": "9999" },
        "body": { "success": true, "Result": { "FullCount": rows } },
    })
}

#[tokio::test]
async fn recorded_answers_come_in_their_order_and_the_last_repeats() {
    let path = "/identity/api/CDirectoryService/GetUser";
    let sim = replay(&[
        json!({ "method": "POST", "path": path, "status": 503, "headers": { "retry-after": "2" } }),
        json!({ "method": "POST", "path": path, "status": 502, "headers": { "content-type": "text/html" }, "body": "<html>" }),
        json!({ "method": "POST", "path": path, "status": 200, "body": { "success": false, "Message": "No." } }),
        json!({ "method": "GET", "path": "/identity/api/users?api-version=3.0&pageSize=1", "status": 200, "body": {} }),
    ])
    .await;
    let ask = async || {
        sim.try_call("cdirectoryservice//GetUser", json!({ "ID": "any" }))
            .await
            .unwrap()
    };
    let first = ask().await;
    assert_eq!(
        (first.status().as_u16(), &first.headers()["retry-after"]),
        (503, &"2".parse().unwrap())
    );
    let second = ask().await;
    assert_eq!(second.headers()["content-type"], "text/html");
    assert_eq!(second.text().await.unwrap(), "<html>");
    for _ in 0..2 {
        assert_eq!(ask().await.json::<Value>().await.unwrap()["Message"], "No.");
    }
    for (path, status) in [
        ("/identity/api/users?pageSize=1&api-version=3.0", 200),
        ("/identity/api/users?pageSize=2&api-version=3.0", 404),
        ("/scim/v2/Users", 404),
    ] {
        let answer = sim.get(path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
    let other = sim
        .try_call("CDirectoryService/CreateUser", new_user("ada@example.com"))
        .await
        .unwrap();
    assert_eq!(
        (other.status(), other.bytes().await.unwrap().len()),
        (StatusCode::NOT_FOUND, 0)
    );
    assert!(sim.user("ada@example.com").await.is_none());
}

#[tokio::test]
async fn several_requests_to_one_path_are_told_apart_by_what_they_send() {
    let sim = replay(&[
        report(&json!({ "ID": "user_all", "Args": "***" }), 1),
        report(&json!({ "ID": "role_all", "Args": ["x", "***"] }), 2),
        report(&json!({ "ID": "user_all", "Args": "***" }), 3),
    ])
    .await;
    let ask = async |body: Value| sim.try_call("Report/RunReport", body).await.unwrap();
    let count = async |body: Value| ask(body).await.json::<Value>().await.unwrap()["Result"]["FullCount"].clone();
    let users = json!({ "ID": "user_all", "Args": { "PageSize": 1 } });
    assert_eq!(count(users.clone()).await, 1);
    assert_eq!(count(json!({ "ID": "role_all", "Args": ["x", 7] })).await, 2);
    assert_eq!(count(users.clone()).await, 3);
    assert_eq!(count(users).await, 3);
    assert_eq!(
        ask(json!({ "ID": "role_all", "Args": ["y", 7] })).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(ask(json!({ "ID": "user_all" })).await.status(), StatusCode::NOT_FOUND);
    let answer = ask(json!({ "ID": "role_all", "Args": ["x", 1] })).await;
    assert!(
        !answer.headers()["date"].to_str().unwrap().contains("2024"),
        "the moment is not the recorded one"
    );
}

#[tokio::test]
async fn a_recorded_token_takes_the_place_of_the_simulated_one_and_faults_still_strike() {
    let token = json!({
        "method": "POST", "path": "/identity/api/oauth2/token/xpmplatform", "request": "***", "status": 200,
        "body": { "access_token": "***", "token_type": "Bearer", "expires_in": 3615 },
    });
    let sim = replay(&[token, report(&Value::Null, 5)]).await;
    assert_eq!(sim.token, "***");
    assert_eq!(sim.ok("Report/RunReport", json!({})).await["FullCount"], 5);
    sim.fault(FaultRule::new("Report/*", Fault::Throttle).times(1)).await;
    let answer = sim.try_call("Report/RunReport", json!({})).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(sim.see("/_sim/calls").await[0]["method"], "Report/RunReport");
}

#[tokio::test]
async fn a_folder_is_read_in_the_order_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in [("b.jsonl", 2), ("a.jsonl", 1), ("c.txt", 3)] {
        std::fs::write(folder.path().join(name), format!("\n{}\n", report(&Value::Null, rows))).unwrap();
    }
    let sim = Sim::start_with(replaying(folder.path().into())).await;
    for rows in [1, 2, 2] {
        assert_eq!(sim.ok("Report/RunReport", json!({})).await["FullCount"], rows);
    }
}

#[tokio::test]
async fn what_is_no_transcript_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenant.jsonl");
    let failure = async |path: PathBuf| match start(replaying(path)).await {
        Err(Error::Replay(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(failure(path.clone()).await, ReplayError::Io { .. }));
    assert!(matches!(failure(folder.path().into()).await, ReplayError::Empty(_)));
    let good = report(&Value::Null, 1);
    for (name, value) in [
        ("status", json!(99)),
        ("status", json!(100)),
        ("path", json!("a b")),
        ("method", json!("")),
        ("headers", json!({ "a b": "c" })),
        ("typo", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        std::fs::write(&path, format!("{good}\n{bad}\n")).unwrap();
        let error = failure(path.clone()).await;
        assert!(matches!(error, ReplayError::Line { line: 2, .. }), "{bad}: {error}");
    }
}
