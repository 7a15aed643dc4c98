//! `admin watch`: changes as they happen, and where to go on.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{ODILE, ROY, documents, rows};
use crate::{
    deployment::Deployment,
    processes::{PATIENCE, command},
};

#[tokio::test]
async fn changes_are_shown_from_where_somebody_left_off() {
    let it = Deployment::start().await;
    let odile = it.scim.create_user(ODILE).await;
    let title = json!({"op": "Replace", "path": "title", "value": "Archivist"});
    it.scim.patch(&format!("/Users/{odile}"), title).await.expect(204);
    it.scim.delete(&format!("/Users/{odile}")).await.expect(204);

    let done = it.admin(0, &["watch", "--oldest", "--limit=2"]).await;
    let lines = rows(&done);
    assert_eq!(lines[0], ["WHEN", "WHAT", "TYPE", "ID", "VERSION", "ATTRIBUTES"]);
    assert_eq!(lines[1][1..4], ["created", "User", odile.as_str()]);
    assert_eq!((lines[2][1], lines[2][5]), ("updated", "title"));
    assert!(
        lines.len() == 3 && done.err.starts_with("admin: watching from "),
        "{done:?}"
    );
    let (_, token) = done
        .err
        .trim_end()
        .split_once("go on with: admin watch --from ")
        .unwrap();

    let rest = documents(&it.admin(0, &["watch", "--from", token, "--limit=1", "--json"]).await);
    assert_eq!(rest[0], json!({"resumeToken": token}), "where it begins");
    assert_eq!(rest[1]["change"]["kind"], "CHANGE_KIND_DELETED");
    assert_ne!(rest[1]["resumeToken"], *token);

    let other = it.admin(1, &["watch", "--from=00000000000000ff-1"]).await;
    assert!(other.err.starts_with("admin: RESUME_TOKEN_EXPIRED: "), "{other:?}");
    it.admin(1, &["watch", "--from=odd"]).await;
}

#[tokio::test]
async fn a_change_is_shown_when_it_happens_and_an_interrupt_says_where_to_go_on() {
    let it = Deployment::start().await;
    it.scim.create_user(ODILE).await;
    let mut child = command("admin")
        .args(["watch", "--json", "--identity-url", &it.identity_url()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || -> Value {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        serde_json::from_str(&line.unwrap().unwrap().unwrap()).unwrap()
    };
    assert_eq!(next().await.get("change"), None, "what was before is not shown");
    let roy = it.scim.create_user(ROY).await;
    let change = next().await;
    assert_eq!(change["change"]["resourceId"], *roy);

    let interrupt = format!("kill -INT {}", child.id().unwrap());
    assert!(
        Command::new("sh")
            .args(["-c", &interrupt])
            .status()
            .await
            .unwrap()
            .success()
    );
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let token = change["resumeToken"].as_str().unwrap();
    assert!(said.ends_with(&format!("admin watch --from {token}\n")), "{said}");
    assert!(output.status.success(), "{}", output.status);
}

#[tokio::test]
async fn a_watch_ends_with_the_service_and_says_where_to_go_on() {
    let mut it = Deployment::start().await;
    let child = command("admin")
        .args(["watch", "--identity-url", &it.identity_url()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = child;
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut next = async || {
        let line = tokio::time::timeout(PATIENCE, said.next_line()).await;
        line.unwrap().unwrap().unwrap()
    };
    assert!(next().await.starts_with("admin: watching from "));
    it.identity_goes_away().await;
    assert!(next().await.starts_with("admin: go on with: admin watch --from "));
    assert!(next().await.starts_with("admin: identity-service at http://"));
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(69));
}
