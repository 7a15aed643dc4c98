//! The manager: every shape in which clients set and clear it (R13), and what reaches `ReportsTo`.

use serde_json::{Value, json};

use super::{ENTERPRISE, at};
use crate::deployment::{Deployment, fault, user};

const BOSS: &str = "boss@kestrel.example";
const REPORT: &str = "report@kestrel.example";

async fn reports_to(it: &Deployment, name: &str) -> String {
    it.platform.account(name).await["ReportsTo"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn every_shape_sets_and_clears() {
    let it = Deployment::start().await;
    let (boss, report) = (it.scim.create_user(BOSS).await, it.scim.create_user(REPORT).await);
    it.settled().await;
    let boss_account = it.platform.account(BOSS).await["ID"].as_str().unwrap().to_owned();
    let manager = format!("{ENTERPRISE}:manager");
    let set = [
        json!({"op": "Add", "path": manager, "value": boss}),
        json!({"op": "replace", "path": manager, "value": {"value": boss}}),
        json!({"op": "Add", "path": "manager", "value": [{"$ref": format!("https://gw.example/Users/{boss}"), "value": boss}]}),
        json!({"op": "replace", "value": {manager.as_str(): boss}}),
        json!({"op": "replace", "path": manager, "value": boss.to_uppercase()}),
        json!({"op": "replace", "value": {ENTERPRISE: {"manager": {"value": boss}}}}),
    ];
    let clear = [
        json!({"op": "replace", "path": manager, "value": ""}),
        json!({"op": "replace", "path": manager, "value": {"value": ""}}),
        json!({"op": "Remove", "path": manager}),
        json!({"op": "remove", "path": format!("manager[value eq \"{boss}\"]")}),
        json!({"op": "replace", "path": manager, "value": null}),
        json!({"op": "replace", "path": manager, "value": [{"value": null}]}),
    ];
    for (set, clear) in set.into_iter().zip(clear) {
        it.scim.patch(&at(&report), set.clone()).await.expect(204);
        it.settled().await;
        assert_eq!(reports_to(&it, REPORT).await, boss_account, "{set}");
        let shown = it.scim.get(&at(&report)).await.expect(200)[ENTERPRISE]["manager"]["value"].clone();
        assert_eq!(shown.as_str().map(str::to_lowercase), Some(boss.clone()), "{set}");
        it.scim.patch(&at(&report), clear.clone()).await.expect(204);
        it.settled().await;
        assert_eq!(reports_to(&it, REPORT).await, "", "{clear}");
        let shown = it.scim.get(&at(&report)).await.expect(200);
        assert_eq!(
            shown[ENTERPRISE].get("manager"),
            None,
            "an empty reference is never stored (Q15): {clear}"
        );
        assert_eq!(shown[ENTERPRISE]["department"], "Halls", "{clear}");
    }
}

#[tokio::test]
async fn a_manager_whose_account_comes_later_arrives_later() {
    let it = Deployment::start().await;
    let report = it.scim.create_user(REPORT).await;
    it.settled().await;
    it.platform
        .fault(json!({"method": "CDirectoryService/CreateUser", "fault": "unavailable"}))
        .await;
    let boss = it.scim.create_user(BOSS).await;
    let set = json!([
        {"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": boss},
        {"op": "Replace", "path": "displayName", "value": "Changed meanwhile"},
    ]);
    it.scim.patch(&at(&report), set).await.expect(204);
    // What can be delivered is, without waiting for the manager.
    it.delivered(&report, |delivery| delivery.applied_version == 2).await;
    assert_eq!(it.platform.account(REPORT).await["DisplayName"], "Changed meanwhile");
    assert_eq!(reports_to(&it, REPORT).await, "");
    it.platform.no_faults().await;
    it.settled().await;
    assert_eq!(
        reports_to(&it, REPORT).await,
        it.platform.account(BOSS).await["ID"].as_str().unwrap()
    );
}

#[tokio::test]
async fn odd_managers_hold_nobody_up() {
    let it = Deployment::start().await;
    let with_manager = |name: &str, manager: Value| {
        let mut user = user(name);
        user[ENTERPRISE]["manager"] = manager;
        user
    };
    // R07: the validator sends random text; a client may name who does not exist.
    let unknown = "00000000-0000-4000-8000-000000000000";
    for (name, manager) in [
        ("random@kestrel.example", json!({"value": "random text"})),
        ("bare@kestrel.example", json!(unknown)),
        ("null@kestrel.example", json!(null)),
    ] {
        it.scim.create("/Users", &with_manager(name, manager)).await;
    }
    // Two who report to each other, and one who reports to nobody else.
    let (one, two) = (
        it.scim.create_user("one@kestrel.example").await,
        it.scim.create_user("two@kestrel.example").await,
    );
    for (id, manager) in [(&one, &two), (&two, &one)] {
        it.scim
            .patch(&at(id), json!({"op": "Add", "path": "manager", "value": manager}))
            .await
            .expect(204);
    }
    let own = it.scim.create_user("own@kestrel.example").await;
    it.scim
        .patch(&at(&own), json!({"op": "Add", "path": "manager", "value": own}))
        .await
        .expect(204);
    it.settled().await;
    assert_eq!(it.refused().await, []);
    assert_eq!(it.platform.names().await.len(), 6);
    let ids = [
        it.platform.account("one@kestrel.example").await,
        it.platform.account("two@kestrel.example").await,
    ]
    .map(|account| account["ID"].as_str().unwrap().to_owned());
    assert_eq!(reports_to(&it, "one@kestrel.example").await, ids[1]);
    assert_eq!(reports_to(&it, "two@kestrel.example").await, ids[0]);
    assert_eq!(reports_to(&it, "random@kestrel.example").await, "");
}

#[tokio::test]
async fn a_manager_that_was_refused_does_not_hold_the_report_back() {
    let it = Deployment::start().await;
    it.platform.strangers(&[BOSS]).await;
    let boss = it.scim.create_user(BOSS).await;
    it.delivered(&boss, |delivery| delivery.last_error.is_some()).await;
    let mut body = user(REPORT);
    body[ENTERPRISE]["manager"] = json!({"value": boss});
    let report = it.scim.create("/Users", &body).await;
    it.delivered(&report, |delivery| delivery.applied_version == 1).await;
    assert_eq!(
        reports_to(&it, REPORT).await,
        "",
        "somebody else's account is no manager of ours"
    );
    // A throttled Platform changes nothing about that.
    it.platform.fault(fault("*", "throttle", 2)).await;
    it.scim
        .patch(
            &at(&report),
            json!({"op": "replace", "path": "displayName", "value": "New"}),
        )
        .await
        .expect(204);
    it.delivered(&report, |delivery| delivery.applied_version == 2).await;
    assert_eq!(it.platform.account(REPORT).await["DisplayName"], "New");
}
