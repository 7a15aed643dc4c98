//! `admin audit`: what changed, what came of it, and what operators did.

use serde_json::{Value, json};

use super::{ODILE, ROY, documents, one_applied_and_one_refused, rows};
use crate::deployment::Deployment;

/// Waits until the trail has so many entries that fit.
async fn trail(it: &Deployment, arguments: &[&str], many: usize) -> Vec<Value> {
    it.until(async |it| it.admin_json(0, arguments).await.len() >= many)
        .await;
    it.admin_json(0, arguments).await
}

#[tokio::test]
async fn the_trail_tells_who_did_what_and_what_came_of_it() {
    let it = Deployment::start().await;
    let [odile, roy] = one_applied_and_one_refused(&it).await;
    it.admin(0, &["retry", ROY, "--by=Hana"]).await;
    it.settled().await;
    it.admin(0, &["pause", "--reason=moving", "--yes", "--by=Hana"]).await;
    it.admin(0, &["resume", "--by=Hana"]).await;
    let all = trail(&it, &["audit"], 7).await;
    let kinds = ["change", "outcome", "operatorAct"];
    assert!(
        all.iter().all(|entry| kinds.iter().any(|kind| entry[kind].is_object())),
        "{all:#?}"
    );
    let acts: Vec<_> = all.iter().filter_map(|entry| entry.get("operatorAct")).collect();
    let names: Vec<_> = acts.iter().map(|act| act["act"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["OPERATOR_ACT_RETRY", "OPERATOR_ACT_PAUSE", "OPERATOR_ACT_RESUME"]
    );
    for act in &acts {
        assert_eq!(act["origin"]["credential"], "admin-Hana", "{act}");
    }
    assert_eq!(
        (&acts[0]["resourceId"], &acts[1]["reason"]),
        (&json!(roy), &json!("moving"))
    );

    // Of one, by name; and as people read it.
    let done = it.admin(0, &["audit", "--resource", ROY]).await;
    let lines = rows(&done);
    assert_eq!(lines[0], ["WHEN", "WHAT", "TYPE", "ID", "VERSION", "BY", "MORE"]);
    assert!(
        lines[1][1] == "created" && lines[1][5].starts_with("bearer-"),
        "{done:?}"
    );
    let refused = lines.iter().find(|line| line[1] == "refused").unwrap();
    assert!(refused[5].starts_with("PLATFORM_OBJECT_EXISTS; "), "{refused:?}");
    assert!(lines[1..].iter().all(|line| line[3] == roy));
    assert!(
        lines
            .iter()
            .any(|line| line[1..] == ["retry", "User", &roy, "admin-Hana"]),
        "{done:?}"
    );
    let paused = it.admin(0, &["audit"]).await;
    assert!(
        rows(&paused)
            .iter()
            .any(|line| line[1..] == ["pause", "admin-Hana", "moving"]),
        "{paused:?}"
    );

    // A part: after an entry, so many, and in a span of time.
    let after = all[1]["position"].as_str().unwrap();
    let some = it.admin(0, &["audit", "--json", "--limit=2", "--after", after]).await;
    assert_eq!(documents(&some), all[2..4]);
    assert_eq!(some.err, "admin: there are more\n");
    assert_eq!(it.admin_json(0, &["audit", "--from=1h"]).await, all);
    let from = all[3]["at"].as_str().unwrap();
    let later = it.admin_json(0, &["audit", "--from", from]).await;
    assert!(later.contains(&all[3]) && later.iter().all(|entry| entry["at"].as_str().unwrap() >= from));
    assert_eq!(
        it.admin(0, &["audit", "--until=1h"]).await.out,
        "nothing is in the trail\n"
    );

    // A deletion is found by the id that it had.
    it.scim.delete(&format!("/Users/{odile}")).await.expect(204);
    it.settled().await;
    let gone = trail(&it, &["audit", "--resource", &odile], 4).await;
    assert!(
        gone.iter()
            .any(|entry| entry["change"]["kind"] == "CHANGE_KIND_DELETED"),
        "{gone:#?}"
    );
    it.admin(3, &["audit", "--resource", ODILE]).await;
    let odd = it.admin(1, &["audit", "--after=odd"]).await;
    assert!(odd.err.starts_with("admin: INVALID_REQUEST: "), "{odd:?}");
}
