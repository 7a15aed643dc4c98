use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::*;

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_platform-simulator"));
    command
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The process and the URL that it tells on its standard output.
async fn run(folder: &Path) -> (Child, String) {
    service_runtime::install_crypto_provider();
    let mut child = command()
        .arg("--data-dir")
        .arg(folder)
        .args(["--log", "off"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    (child, line.rsplit(' ').next().unwrap().to_owned())
}

#[tokio::test]
async fn a_killed_process_forgets_nothing_and_a_stopped_one_exits_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, url) = run(folder.path()).await;
    let client = Client::new();
    let user = json!({ "Name": "ada@example.com" });
    let answer = client
        .post(format!("{url}/_sim/users"))
        .json(&user)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    child.kill().await.unwrap();

    let (mut child, url) = run(folder.path()).await;
    let answer = client
        .get(format!("{url}/_sim/users/ada@example.com"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let pid = child.id().unwrap().to_string();
    // A part of the shell: a machine need not have the program.
    assert!(
        Command::new("sh")
            .args(["-c", &format!("kill -TERM {pid}")])
            .status()
            .await
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn settings_that_cannot_be_used_exit_with_64_and_a_failed_start_with_1() {
    let status = command()
        .arg("--no-such-setting")
        .stderr(Stdio::null())
        .status()
        .await
        .unwrap();
    assert_eq!(status.code(), Some(64));
    let status = command()
        .args(["--profile", "/nowhere/profile.json"])
        .status()
        .await
        .unwrap();
    assert_eq!(status.code(), Some(64));
    let status = command().args(["--data-dir", "/dev/null/x"]).status().await.unwrap();
    assert_eq!(status.code(), Some(1));
}

#[tokio::test]
async fn a_profile_is_named_on_the_command_line() {
    let mut child = command()
        .args(["--profile", "heritage", "--log", "off"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    service_runtime::install_crypto_provider();
    let url = format!("{}/_sim/profile", line.rsplit(' ').next().unwrap());
    let profile: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(profile["extends"], "heritage");

    let mut wrong = command();
    wrong.args(["--profile", "heritag"]).stderr(Stdio::piped());
    let output = wrong.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(
        said.contains("no profile is called heritag") && said.contains("scim-only"),
        "{said}"
    );
}

#[tokio::test]
async fn a_health_check_tells_by_its_exit_status_whether_it_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, url) = run(folder.path()).await;
    let check = async || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_platform-simulator"));
        command.args(["--listen", url.trim_start_matches("http://"), "healthcheck"]);
        command.stderr(Stdio::null()).status().await.unwrap().code()
    };
    assert_eq!(check().await, Some(0));
    child.kill().await.unwrap();
    assert_eq!(check().await, Some(1));
}
