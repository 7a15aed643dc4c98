//! `drift plan` and `drift apply`.

use serde_json::json;

use super::{ODILE, ROY, rows};
use crate::deployment::{Deployment, Setup};

/// Odile in a group, and both as they were applied for long enough to be compared.
async fn at_rest() -> (Deployment, [String; 2]) {
    let it = Setup::default().identity(&["--delivery-lease=1s"]).start().await;
    let odile = it.scim.create_user(ODILE).await;
    let rack = it.scim.create_group("Rack", &[&odile]).await;
    it.settled().await;
    it.until(async |it| {
        let plan = it.admin_json(0, &["drift", "plan"]).await;
        plan[0]["summary"]["skipped"] == 0
    })
    .await;
    (it, [odile, rack])
}

async fn by_hand(it: &Deployment) {
    let account = it.platform.account(ODILE).await["ID"].as_str().unwrap().to_owned();
    it.platform.edit(&account, json!({"DisplayName": "Somebody"})).await;
    let group = it.platform.group("Rack").await["ID"].as_str().unwrap().to_owned();
    it.platform.take_out(&group, &account).await;
    let stranger = it.platform.strangers(&[ROY]).await.remove(0);
    it.platform.put_in(&group, &stranger).await;
}

#[tokio::test]
async fn what_differs_is_shown_and_set_right() {
    let (it, [odile, rack]) = at_rest().await;
    let quiet = it.admin(0, &["drift", "plan", "--check"]).await;
    assert_eq!(rows(&quiet)[0], ["differs", "nothing"]);
    by_hand(&it).await;

    let done = it.admin(0, &["drift", "plan"]).await;
    let lines = rows(&done);
    assert_eq!(lines[0], ["WHAT", "TYPE", "ID", "NAME", "DETAIL"]);
    assert!(
        lines.contains(&vec!["changed", "User", &odile, ODILE, "display_name"]),
        "{done:?}"
    );
    assert!(
        lines.contains(&vec!["member missing", "Group", &rack, "Rack", ODILE]),
        "{done:?}"
    );
    assert!(done.out.contains("1 not ours: "), "{done:?}");
    let differs = ["differs", "1 changed, 1 members missing, 1 foreign members"];
    assert!(lines.contains(&differs.to_vec()), "{done:?}");
    it.admin(3, &["drift", "plan", "--check"]).await;
    let few = it.admin(0, &["drift", "plan", "--limit=1"]).await;
    assert_eq!(few.err, "admin: there are more\n");
    let documents = it.admin_json(0, &["drift", "plan"]).await;
    assert_eq!(documents.len(), 4);
    assert_eq!(documents[0]["difference"]["kind"], "DRIFT_KIND_CHANGED");
    assert_eq!(documents[0]["difference"]["resourceId"], *odile);
    assert_eq!(documents[3]["summary"]["membersMissing"], 1);
    let status = it.admin(0, &["status", "--check"]).await;
    assert!(status.out.contains("2 differences "), "{status:?}");

    let unasked = it.admin(64, &["drift", "apply"]).await;
    assert!(unasked.err.contains("say --yes"), "{unasked:?}");
    let done = it.admin(0, &["drift", "apply", "--yes", "--by=Hana"]).await;
    let lines = rows(&done);
    assert_eq!(lines[0], ["WHAT", "TYPE", "ID", "NAME", "REPAIRED", "DETAIL"]);
    assert!(
        lines.contains(&vec!["changed", "User", &odile, ODILE, "yes", "display_name"]),
        "{done:?}"
    );
    assert!(lines.contains(&vec!["repaired", "2"]), "{done:?}");
    it.settled().await;
    assert_ne!(it.platform.account(ODILE).await["DisplayName"], "Somebody");
    it.until(async |it| it.platform.members("Rack").await.contains(ODILE))
        .await;
    let trail = it.admin_json(0, &["audit"]).await;
    let repairs = trail.iter().filter_map(|entry| entry.get("operatorAct"));
    let repairs: Vec<_> = repairs
        .map(|act| json!([act["act"], act["resourceId"], act["origin"]["credential"]]))
        .collect();
    let repair = |id: &str| json!(["OPERATOR_ACT_REPAIR", id, "admin-Hana"]);
    assert_eq!(repairs, [repair(&odile), repair(&rack)]);
}

#[tokio::test]
async fn an_alarm_and_a_list_that_broke_off_end_as_they_should() {
    let it = Setup::default().identity(&["--delivery-lease=1s"]).start().await;
    for number in 0..6 {
        it.scim.create_user(&format!("u{number}@kestrel.example")).await;
    }
    it.settled().await;
    it.until(async |it| it.admin_json(0, &["drift", "plan"]).await[0]["summary"]["skipped"] == 0)
        .await;
    for number in 0..5 {
        let account = it.platform.account(&format!("u{number}@kestrel.example")).await;
        it.platform.delete_account(account["ID"].as_str().unwrap()).await;
    }
    let done = it.admin(0, &["drift", "plan"]).await;
    assert!(
        done.out.contains("ALARM     the Platform does not list 5 of 6 users;"),
        "{done:?}"
    );
    let status = it.admin(3, &["status", "--check"]).await;
    assert!(status.out.contains("drift       ALARM "), "{status:?}");
    let done = it.admin(3, &["drift", "apply", "--yes"]).await;
    assert!(done.err.contains("--despite-alarm"), "{done:?}");
    assert!(rows(&done).contains(&vec!["repaired", "0"]), "{done:?}");
    assert_eq!(it.platform.names().await.len(), 1);

    for method in ["entities/localusers", "Report/RunReport"] {
        it.platform.fault(json!({"method": method, "fault": "error"})).await;
    }
    let failed = it.admin(1, &["drift", "plan"]).await;
    assert!(
        failed.err.starts_with("admin: the comparison came to no end: "),
        "{failed:?}"
    );
    it.platform.no_faults().await;

    it.admin(0, &["drift", "apply", "--yes", "--despite-alarm"]).await;
    it.settled().await;
    assert_eq!(it.platform.names().await.len(), 6);
}

#[tokio::test]
async fn on_a_terminal_it_shows_what_would_be_repaired_and_asks() {
    let (it, _) = at_rest().await;
    let said = super::acts::on_a_terminal(&it, "drift apply", "").await;
    assert!(
        said.contains("nothing that could be repaired differs") && said.ends_with("code 0"),
        "{said}"
    );
    by_hand(&it).await;
    let said = super::acts::on_a_terminal(&it, "drift apply", "n\n").await;
    assert!(said.contains("what differs then; now that is 2 differences:"), "{said}");
    assert!(said.contains(&format!("User {ODILE}: changed, display_name")), "{said}");
    assert!(said.contains(&format!("Group Rack: member missing, {ODILE}")), "{said}");
    assert!(said.contains("nothing was done") && said.ends_with("code 1"), "{said}");
    assert_eq!(it.platform.account(ODILE).await["DisplayName"], "Somebody");
    let said = super::acts::on_a_terminal(&it, "drift apply", "y\n").await;
    assert!(said.ends_with("code 0"), "{said}");
    it.until(async |it| it.platform.account(ODILE).await["DisplayName"] != "Somebody")
        .await;
}
