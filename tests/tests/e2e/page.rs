//! The simulated Platform's page, opened as a person would: in a real browser.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
};
use tokio_util::task::AbortOnDropHandle;

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
    put(
        "groups",
        json!({"ID": "g 1", "Name": "Rack Operators", "Members": ["jurgen@kestrelworks.example"]}),
    )
    .await;

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

    let group = opened(&format!("{}/_sim/group/g%201", simulator.url())).await.unwrap();
    assert!(
        group.contains("<td class=\"name\">jurgen@kestrelworks.example"),
        "the group's page:\n{group}"
    );
}

/// A page beside the simulator's does with it what a person does: it is in a frame, and the browser lets one into the other.
#[tokio::test]
async fn a_person_switches_the_profile_and_asks_for_a_fault() {
    const HANDS: &str = r##"<!doctype html><title>at work</title><iframe src="SIM"></iframe><script>
        const frame = document.querySelector("iframe");
        let step = 0;
        frame.onload = () => {
            const page = frame.contentDocument;
            step += 1;
            if (step === 1) {
                page.getElementById("name").value = "heritage";
                page.querySelector("#switch-profile button").click();
            } else if (step === 2) {
                page.getElementById("method").value = "Roles/*";
                page.getElementById("fault").value = "unavailable";
                page.getElementById("times").value = "3";
                page.querySelector("#add-fault button").click();
            } else {
                document.title = "profile " + page.querySelector("#profile b").textContent;
            }
        };
    </script>"##;
    let simulator = platform_simulator::start(platform_simulator::Config::ephemeral())
        .await
        .unwrap();
    service_runtime::install_crypto_provider();
    let see = async |path: &str| -> Value {
        let answer = reqwest::get(format!("{}/_sim/{path}", simulator.url())).await;
        answer.unwrap().json().await.unwrap()
    };
    let page = HANDS.replace("SIM", &format!("{}/_sim", simulator.url()));
    let (beside, _serving) = served(page).await.unwrap();
    let together = ["--disable-web-security", "--disable-site-isolation-trials"];
    let hands = opened_with(&together, &beside).await.unwrap();
    assert!(hands.contains("<title>profile heritage</title>"), "{hands}");
    assert_eq!(see("profile").await["extends"], "heritage");
    let faults = see("faults").await;
    assert_eq!(
        (&faults[0]["method"], &faults[0]["fault"], &faults[0]["times"]),
        (&json!("Roles/*"), &json!("unavailable"), &json!(3))
    );
}

/// A browser tells where a form comes from.
#[tokio::test]
async fn a_page_of_another_site_cannot_send_its_forms() {
    let simulator = platform_simulator::start(platform_simulator::Config::ephemeral())
        .await
        .unwrap();
    service_runtime::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("elsewhere.html");
    let form = format!(
        r#"<form method="post" action="{}/_sim/forms/profile"><input name="name" value="hostile"></form>
        <script>document.forms[0].submit()</script>"#,
        simulator.url()
    );
    std::fs::write(&file, form).unwrap();
    let answer = opened(&format!("file://{}", file.display())).await.unwrap();
    assert!(answer.contains("from another site"), "{answer}");
    let profile: Value = reqwest::get(format!("{}/_sim/profile", simulator.url()))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(profile["extends"], Value::Null);
}

/// The page as the browser has it after its scripts ran.
async fn opened(url: &str) -> Result<String> {
    opened_with(&[], url).await
}

async fn opened_with(flags: &[&str], url: &str) -> Result<String> {
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
        .args(flags)
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

/// A page of another origin on this machine, and its server.
async fn served(page: String) -> Result<(String, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let length = page.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
    );
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                // The browser may open a connection that it never uses.
                if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    Ok((url, AbortOnDropHandle::new(serving)))
}

fn installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
