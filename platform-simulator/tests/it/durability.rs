use std::io::Write;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use platform_simulator::{Error, JournalError, ProfileSource};

fn kept(folder: &tempfile::TempDir) -> Config {
    Config {
        data_dir: Some(folder.path().to_owned()),
        ..Config::ephemeral()
    }
}

#[tokio::test]
async fn what_was_answered_survives_a_sudden_end() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start_with(kept(&folder)).await;
    let ada = sim.create("ada@example.com").await;
    let gone = sim.create("gone@example.com").await;
    let group = sim.group("Engineers").await;
    sim.ok(
        "Roles/UpdateRole",
        json!({ "Name": group, "NewName": "Makers", "Users": { "Add": [ada, gone] } }),
    )
    .await;
    sim.ok(
        "CDirectoryService/SetUserState",
        json!({ "ID": ada, "state": "Disabled" }),
    )
    .await;
    sim.ok("UserMgmt/RemoveUsers", json!({ "Users": [gone] })).await;
    sim.ok("CDirectoryService/ChangeUser", json!({ "DisplayName": "Oops" }))
        .await;
    let before = sim.see("/_sim/state").await;
    let old_token = sim.token.clone();
    drop(sim);

    let mut sim = Sim::start_with(kept(&folder)).await;
    let after = sim.see("/_sim/state").await;
    for part in ["users", "groups", "caller_edits"] {
        assert_eq!(after[part], before[part], "{part}");
    }
    assert_eq!(sim.members(&group).await, [ada]);
    sim.token = old_token;
    let answer = sim.try_call("Core/GetDirectoryServices", json!({})).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "tokens do not survive");
    sim.running.stop().await.unwrap();
    Sim::start_with(kept(&folder)).await.running.stop().await.unwrap();
}

/// A client's idle connections end with the tenant, as a killed process's do, so that its next request finds a new one.
#[tokio::test]
async fn idle_connections_end_with_the_tenant() {
    let sim = Sim::start().await;
    let mut connection = tokio::net::TcpStream::connect(sim.running.addr).await.unwrap();
    connection
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 4096];
    let length = connection.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..length]).ends_with("ready\n"));
    drop(sim);
    let end = tokio::time::timeout(std::time::Duration::from_secs(60), connection.read(&mut answer));
    assert!(matches!(end.await.unwrap(), Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_torn_last_line_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start_with(kept(&folder)).await;
    sim.create("ada@example.com").await;
    drop(sim);
    let mut journal = std::fs::OpenOptions::new()
        .append(true)
        .open(folder.path().join("journal.jsonl"))
        .unwrap();
    journal.write_all(br#"[{"user":{"ID":"torn","Name":"to"#).unwrap();
    let sim = Sim::start_with(kept(&folder)).await;
    assert!(sim.user("ada@example.com").await.is_some());
    sim.create("grace@example.com").await;
    drop(sim);
    let sim = Sim::start_with(kept(&folder)).await;
    assert!(sim.user("grace@example.com").await.is_some());
}

#[tokio::test]
async fn a_folder_is_not_shared() {
    let folder = tempfile::tempdir().unwrap();
    let _sim = Sim::start_with(kept(&folder)).await;
    let error = start(kept(&folder)).await.unwrap_err();
    assert!(matches!(error, Error::Journal(JournalError::Locked(_))), "{error:?}");
}

#[tokio::test]
async fn many_writers_share_their_fsyncs_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sim = std::sync::Arc::new(Sim::start_with(kept(&folder)).await);
    let writers: Vec<_> = (0..20)
        .map(|writer| {
            let sim = std::sync::Arc::clone(&sim);
            tokio::spawn(async move {
                for n in 0..25 {
                    sim.create(&format!("u{writer}-{n}@example.com")).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    drop(sim);
    let sim = Sim::start_with(kept(&folder)).await;
    assert_eq!(sim.see("/_sim/state").await["users"].as_array().unwrap().len(), 502);
}

#[tokio::test]
async fn a_reset_is_durable_too() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start_with(kept(&folder)).await;
    sim.create("ada@example.com").await;
    let answer = sim.client.post(sim.url("/_sim/reset")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    drop(sim);
    let sim = Sim::start_with(kept(&folder)).await;
    let state = sim.see("/_sim/state").await;
    assert_eq!(
        (
            state["users"].as_array().unwrap().len(),
            state["groups"].as_array().unwrap().len()
        ),
        (2, 2)
    );
}

#[tokio::test]
async fn a_bad_profile_file_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("profile.json");
    let config = Config {
        profile: Some(ProfileSource::File(path.clone())),
        ..Config::ephemeral()
    };
    assert!(matches!(start(config.clone()).await.unwrap_err(), Error::File { .. }));
    std::fs::write(&path, r#"{ "role_writes": "sometimes" }"#).unwrap();
    assert!(matches!(
        start(config.clone()).await.unwrap_err(),
        Error::Profile { .. }
    ));
    std::fs::write(&path, r#"{ "role_writes": "404" }"#).unwrap();
    let sim = Sim::start_with(config).await;
    assert_eq!(sim.see("/_sim/profile").await["role_writes"], "404");
}

#[tokio::test]
async fn an_old_folder_follows_a_new_client_id() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::start_with(kept(&folder)).await;
    sim.create("robot@example.com").await;
    drop(sim);
    let named = |name: &str| Config {
        client_id: name.to_owned(),
        ..kept(&folder)
    };
    let running = start(named("other-gateway@example.com")).await.unwrap();
    let url = format!("{}/_sim/users/other-gateway@example.com", running.url());
    let caller: Value = Client::new().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(caller["ID"], platform_simulator::CALLER_ID);
    drop(running);
    let error = start(named("robot@example.com")).await.unwrap_err();
    assert!(matches!(error, Error::NameTaken) && error.is_setting(), "{error:?}");
}
