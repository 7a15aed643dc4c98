//! The simulated Platform's page, opened as a person would: in a real browser.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::process::Command;

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// A cold browser on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_person_sees_users_and_groups_and_finds_one_by_name() {
    let simulator = platform_simulator::start(platform_simulator::Config::ephemeral())
        .await
        .unwrap();
    service_runtime::install_crypto_provider();
    let http = reqwest::Client::new();
    let put = async |what: &str, body| {
        let answer = http
            .post(format!("{}/_sim/{what}", simulator.url()))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{what}: {}", answer.text().await.unwrap());
    };
    put(
        "users",
        json!({"Name": "odile@kestrelworks.example", "DisplayName": "Odile <script>document.title='owned'</script>"}),
    )
    .await;
    put(
        "users",
        json!({"Name": "jurgen@kestrelworks.example", "DisplayName": "Jürgen Weiß", "State": "Disabled"}),
    )
    .await;
    put("groups", json!({"Name": "Rack Operators"})).await;

    let page = opened(&format!("{}/_sim", simulator.url())).await.unwrap();
    for seen in [
        "odile@kestrelworks.example",
        "Jürgen Weiß",
        "Disabled",
        "Rack Operators",
    ] {
        assert!(page.contains(seen), "the page does not show {seen}:\n{page}");
    }
    assert!(
        page.contains("<title>Delinea Platform, simulated</title>"),
        "a display name ran as a script"
    );

    let found = opened(&format!("{}/_sim?q=jurgen", simulator.url())).await.unwrap();
    assert!(found.contains("jurgen@kestrelworks.example"), "{found}");
    assert!(
        !found.contains("odile@kestrelworks.example"),
        "the search leaves others out:\n{found}"
    );
}

/// The page as the browser has it after its scripts ran.
async fn opened(url: &str) -> Result<String> {
    let browser = BROWSERS
        .into_iter()
        .find(|name| installed(name))
        .context("no Chromium: `make test` installs it")?;
    let profile = tempfile::tempdir()?;
    let running = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=1000", "--dump-dom", url])
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, running)
        .await
        .context("the browser did not end")??;
    ensure!(output.status.success(), "the browser ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
