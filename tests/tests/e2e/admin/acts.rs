//! What an operator does: try again, let go, take back, pause.

use std::process::Stdio;

use proto::identity::v1::DeliveryState;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{ODILE, ROY, one_applied_and_one_refused, rows};
use crate::{
    deployment::{Deployment, Setup},
    processes::{PATIENCE, path_of},
};

/// Two users whose removal is held; gives their ids.
async fn two_held() -> (Deployment, Vec<String>) {
    let it = Setup::default().identity(&["--max-removals-per-hour=1"]).start().await;
    let mut ids = Vec::new();
    for name in ["first@kestrel.example", ODILE, ROY] {
        ids.push(it.scim.create_user(name).await);
    }
    it.settled().await;
    for id in &ids {
        it.scim.delete(&format!("/Users/{id}")).await.expect(204);
    }
    it.settled().await;
    assert_eq!(it.listed(DeliveryState::Held).await.len(), 2);
    (it, ids.split_off(1))
}

#[tokio::test]
async fn what_is_refused_is_tried_again_once_the_cause_is_gone() {
    let it = Deployment::start().await;
    let [_, roy] = one_applied_and_one_refused(&it).await;
    let stranger = it.platform.account(ROY).await["ID"].as_str().unwrap().to_owned();
    let gone = format!("users/{stranger}");
    it.platform.control(http::Method::DELETE, &gone, &Value::Null).await;
    // Twice the same, and one more: by name and by id.
    let done = it.admin(0, &["retry", ROY, &roy, ODILE]).await;
    assert_eq!(rows(&done).len(), 3, "the heads, and each once: {done:?}");
    it.settled().await;
    assert_eq!(it.refused().await, []);
    let again = it.admin_json(0, &["retry", ROY]).await;
    assert_eq!(again[0]["resourceId"], *roy);
    assert_eq!(again[0]["delivery"]["resourceType"], "User");

    // Nothing is done unless every one is known.
    it.settled().await;
    let calls = it.platform.calls().await;
    it.admin(3, &["retry", ROY, "nobody@kestrel.example"]).await;
    it.settled().await;
    assert_eq!(it.platform.calls().await, calls);
}

#[tokio::test]
async fn nothing_is_let_go_or_taken_back_or_paused_without_a_yes() {
    let (it, ids) = two_held().await;
    for line in [
        vec!["release", "--all"],
        vec!["release", &ids[0]],
        vec!["discard", &ids[0]],
        vec!["pause", "--reason=none"],
    ] {
        let done = it.admin(64, &line).await;
        assert!(done.err.contains("say --yes"), "{line:?}: {done:?}");
        assert_eq!(done.out, "");
    }
    it.admin(3, &["status", "--check"]).await;
    assert_eq!(it.listed(DeliveryState::Held).await.len(), 2);
    let status = it.admin_json(0, &["status"]).await;
    assert_eq!((&status[0]["held"], &status[0]["pause"]), (&json!(2), &Value::Null));
}

#[tokio::test]
async fn what_is_held_is_released_one_by_one_or_all() {
    let (it, ids) = two_held().await;
    let one = it.admin_json(0, &["release", &ids[0], "--yes"]).await;
    assert_eq!(one.len(), 1);
    it.settled().await;
    assert_eq!(it.platform.names().await, [ROY]);
    let twice = it.admin(3, &["release", &ids[0], "--yes"]).await;
    assert!(twice.err.contains("no user or group has the id"), "{twice:?}");

    let all = it.admin(0, &["release", "--all", "--yes"]).await;
    assert_eq!(rows(&all)[1][..2], ["User", ids[1].as_str()]);
    it.settled().await;
    assert_eq!(it.platform.names().await, [""; 0]);
    let none = it.admin(3, &["release", "--all", "--yes"]).await;
    assert_eq!(none.err, "admin: nothing is held\n");
    let there = it.scim.create_user("new@kestrel.example").await;
    let not_held = it.admin(1, &["release", &there, "--yes"]).await;
    assert!(not_held.err.starts_with("admin: NOT_HELD: "), "{not_held:?}");
}

#[tokio::test]
async fn what_is_held_or_refused_is_taken_back() {
    let (it, ids) = two_held().await;
    it.platform.strangers(&["taken@kestrel.example"]).await;
    let taken = it.scim.create_user("taken@kestrel.example").await;
    let applied = it.scim.create_user("new@kestrel.example").await;
    it.settled().await;
    let done = it
        .admin(1, &["discard", "--json", "--yes", &applied, &ids[0], &taken])
        .await;
    let lines = super::documents(&done);
    assert!(
        lines[0]["error"].as_str().unwrap().starts_with("NOT_HELD: "),
        "{done:?}"
    );
    assert_eq!(lines[1]["delivery"]["resourceId"], *ids[0]);
    assert_eq!(lines[2], json!({"resourceId": taken}), "it was never applied");
    assert_eq!(done.err, "admin: 1 of 3 failed\n");
    it.settled().await;
    it.scim.get(&format!("/Users/{}", ids[0])).await.expect(200);
    it.scim.get(&format!("/Users/{taken}")).await.expect(404);
    let rest = it.admin(0, &["discard", &ids[1], "--yes"]).await;
    assert_eq!(rows(&rest)[0], ["TYPE", "ID", "STATE"]);
    it.settled().await;
    for name in [ODILE, ROY] {
        assert_ne!(it.platform.account(name).await["State"], "Disabled", "{name}");
    }
}

#[tokio::test]
async fn a_tenant_is_paused_and_resumed() {
    let it = Deployment::start().await;
    let said = it
        .admin(
            0,
            &[
                "pause",
                "--reason",
                "the Platform\u{1b}[2J is being moved",
                "--by=Hana",
                "--yes",
            ],
        )
        .await;
    let what = ", by Hana: the Platform [2J is being moved\n";
    assert!(
        said.out.starts_with("paused for ") && said.out.ends_with(what),
        "{said:?}"
    );
    it.scim.create_user(ODILE).await;
    let status = it.admin(3, &["status", "--check"]).await;
    assert!(status.out.contains(", by Hana: the Platform"), "{status:?}");
    let document = it.admin_json(0, &["status"]).await.remove(0);
    assert_eq!(
        (&document["pending"], &document["pause"]["pausedBy"]),
        (&json!(1), &json!("Hana"))
    );
    assert!(document["oldestPendingAt"].is_string());
    let pending = it.admin(0, &["pending"]).await;
    assert_eq!(rows(&pending)[1][2], ODILE);

    let ended = it.admin_json(0, &["resume"]).await.remove(0);
    assert_eq!(ended["ended"]["pausedBy"], "Hana");
    it.settled().await;
    assert_eq!(it.platform.names().await, [ODILE]);
    assert_eq!(it.admin(0, &["resume"]).await.out, "was not paused\n");
    let paused = it.admin_json(0, &["pause", "--reason=again", "--yes"]).await.remove(0);
    assert_eq!(paused["pause"]["pausedBy"], "operator");
    let resumed = it.admin(0, &["resume"]).await;
    assert!(resumed.out.starts_with("resumed; was paused for "), "{resumed:?}");
}

#[tokio::test]
async fn on_a_terminal_it_says_what_will_happen_and_asks() {
    let (it, ids) = two_held().await;
    let said = on_a_terminal(&it, "release --all", "n\n").await;
    assert!(said.contains("what a brake holds of 2 resources:"), "{said}");
    let line = format!("User {}: removal of the account, which is disabled meanwhile", ids[0]);
    assert!(said.contains(&line) && said.contains("Go on? [y/N]"), "{said}");
    assert!(
        said.contains("admin: nothing was done") && said.ends_with("code 1"),
        "{said}"
    );
    assert_eq!(it.listed(DeliveryState::Held).await.len(), 2);

    let said = on_a_terminal(&it, &format!("discard {}", ids[0]), "yes\n").await;
    assert!(said.contains("held; comes back as it was in version 1"), "{said}");
    assert!(said.ends_with("code 0"), "{said}");
    let said = on_a_terminal(&it, "release --all", "y\n").await;
    assert!(said.ends_with("code 0"), "{said}");
    it.until(async |it| it.platform.names().await == [ODILE]).await;
}

/// Runs it where it can ask: on a terminal of its own, which `script` makes. Gives all that was seen.
pub(super) async fn on_a_terminal(it: &Deployment, line: &str, answer: &str) -> String {
    let line = format!(
        "'{}' {line} --identity-url {}; printf 'code %s' $?",
        path_of("admin").display(),
        it.identity_url()
    );
    let mut child = tokio::process::Command::new("script")
        .args(["--quiet", "--command", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // The end of input comes with the end of the process: before that it would be an answer too.
    let mut input = child.stdin.take().unwrap();
    input.write_all(answer.as_bytes()).await.unwrap();
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    drop(input);
    let output = output.expect("it still asks").unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
