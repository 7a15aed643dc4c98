//! A hangup has the file of tenants read anew. Signals are process-wide, hence a test binary of its own with one test.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(unix)]

use std::fs;
use std::time::Duration;

use futures_util::FutureExt;
use service_runtime::health::State;
use service_runtime::tenants::Follower;
use service_runtime::{Readiness, TenantsArgs, TenantsFile};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

async fn hang_up() {
    let this = std::process::id().to_string();
    // A part of the shell: a machine need not have the program.
    let mut shell = tokio::process::Command::new("sh");
    assert!(
        shell
            .args(["-c", &format!("kill -HUP {this}")])
            .status()
            .await
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn a_hangup_has_the_file_read_anew_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants.toml");
    fs::write(&path, "[tenants.a.platform]\n").unwrap();
    let args = TenantsArgs {
        tenants_file: Some(path.clone()),
        tenants_poll: Duration::ZERO,
    };
    let names = |file: TenantsFile, _| {
        async move {
            Ok(file
                .tenants()
                .map(|tenant| tenant.name().to_owned())
                .collect::<Vec<_>>())
        }
        .boxed()
    };
    let follower = Follower::open(&args, "test", names).await.unwrap();
    let (mut live, readiness, stop) = (follower.live(), Readiness::new(), CancellationToken::new());
    let mut reports = readiness.subscribe();
    let run = tokio::spawn(follower.run(readiness.dependency("tenants file"), stop.clone()));

    fs::write(&path, "[tenants.a.platform]\n[tenants.b.platform]\n").unwrap();
    assert_eq!(*live.take(), ["a"]);
    hang_up().await;
    timeout(PATIENCE, live.changed()).await.unwrap();
    assert_eq!(*live.take(), ["a", "b"]);

    fs::write(&path, "[tenants.A.platform]\n").unwrap();
    hang_up().await;
    let is_degraded = |state: &State| matches!(state, State::Degraded(said) if said.contains("tenants.A"));
    let degraded = reports.wait_for(|report| report.dependencies.values().any(is_degraded));
    timeout(PATIENCE, degraded).await.unwrap().unwrap();
    assert_eq!(*live.take(), ["a", "b"]);

    stop.cancel();
    timeout(PATIENCE, run).await.unwrap().unwrap();
}
