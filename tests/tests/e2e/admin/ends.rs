//! How `admin` ends where something else is wrong, and what it needs no service for.

use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    deployment::Deployment,
    processes::free_port,
    programs::{AllInOne, run, run_in},
};

#[tokio::test]
async fn a_service_that_is_away_or_silent_is_told_from_one_that_says_no() {
    let url = format!("http://127.0.0.1:{}", free_port());
    for line in [
        vec!["status", "--check"],
        vec!["pending", "--json"],
        vec!["show", "somebody"],
        vec!["retry", "somebody"],
        vec!["release", "--all", "--yes"],
        vec!["pause", "--reason=x", "--yes"],
        vec!["watch"],
    ] {
        let done = run("admin", &[&line[..], &["--identity-url", &url]].concat()).await;
        assert_eq!((done.code, done.out.as_str()), (69, ""), "{line:?}: {done:?}");
        assert!(done.err.contains(&format!("{url} cannot be reached")), "{done:?}");
    }
    // It takes the connection, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let done = run("admin", &["status", "--timeout=300ms", "--identity-url", &url]).await;
    assert_eq!(done.code, 69, "{done:?}");

    let it = Deployment::start().await;
    let other = it.admin(1, &["status", "--tenant=other"]).await;
    assert_eq!(other.err, "admin: UNKNOWN_TENANT: there is no tenant other\n");
}

#[tokio::test]
async fn settings_come_from_the_environment_and_an_empty_one_counts_as_not_set() {
    let it = Deployment::start().await;
    let url = it.identity_url();
    let environment = [("IDENTITY_URL", url.as_str()), ("TENANT", ""), ("USER", "hana")];
    let done = run_in("admin", &["pause", "--reason=x", "--yes"], &environment).await;
    assert!(done.out.ends_with(", by hana: x\n"), "{done:?}");
    let done = run_in("admin", &["status"], &[("IDENTITY_URL", &url), ("TENANT", "other")]).await;
    assert_eq!(done.code, 1, "{done:?}");
}

#[tokio::test]
async fn help_tells_the_exit_codes_and_shells_complete() {
    let help = run("admin", &["--help"]).await;
    assert!(
        help.code == 0 && help.out.contains("\nExit codes:\n  0   done\n"),
        "{help:?}"
    );
    assert_eq!(run("admin", &[]).await.code, 64);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run("admin", &["completion", shell]).await;
        assert!(script.code == 0 && script.out.contains("discard"), "{shell}");
    }
    let bash = run("admin", &["completion", "bash"]).await.out;
    let complete =
        format!("{bash}\nCOMP_WORDS=(admin rele) COMP_CWORD=1; _admin admin rele; echo \"${{COMPREPLY[*]}}\"");
    let completed = tokio::process::Command::new("bash")
        .args(["-c", &complete])
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8(completed.stdout).unwrap(), "release\n");
}

#[tokio::test]
async fn it_works_where_everything_runs_on_one_machine() {
    let folder = TempDir::new().unwrap();
    let mut whole = AllInOne::start(&folder, &["--ephemeral"]).await;
    let url = whole.endpoint("identity_grpc").to_owned();
    let done = run("admin", &["status", "--check", "--identity-url", &url]).await;
    assert!(done.code == 0 && done.out.contains("running"), "{done:?}");
    assert_eq!(whole.interrupt().await, 0);
}
