//! `DRY_RUN` (P9): what would be written is told, nothing is written, and all of it is delivered when it is off.

use proto::identity::v1::{
    ApplyDriftRequest, AuditOutcome, DeliveryState, SummarizeDeliveriesRequest, SummarizeDeliveriesResponse,
    apply_drift_response, audit_entry::Record,
};
use serde_json::json;

use crate::{
    deployment::{Deployment, Setup, TENANT, user},
    users::audit::entries,
};

const ODILE: &str = "odile@kestrel.example";
const ROY: &str = "roy@kestrel.example";
const ZOE: &str = "zoe@kestrel.example";
const URN: &str = "urn:ietf:params:scim:schemas:extension:delinea:2.0:Delivery";

async fn summary(it: &Deployment) -> SummarizeDeliveriesResponse {
    let request = SummarizeDeliveriesRequest {
        tenant: TENANT.to_owned(),
    };
    it.deliveries()
        .summarize_deliveries(request)
        .await
        .unwrap()
        .into_inner()
}

/// What would be written for a resource, once that is known.
async fn plan(it: &Deployment, id: &str) -> Vec<String> {
    let planned = it
        .delivered(id, |delivery| delivery.state() == DeliveryState::Planned)
        .await;
    assert!(
        planned.next_attempt_at.is_none() && planned.last_error.is_none(),
        "{planned:?}"
    );
    planned.plan
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_written_and_writes_nothing() {
    let mut it = Setup::default().identity(&["--adopt=matching"]).start().await;
    let (odile, roy) = (it.scim.create_user(ODILE).await, it.scim.create_user(ROY).await);
    let halls = it.scim.create_group("Halls", &[&odile]).await;
    it.settled().await;
    it.platform
        .strangers(&["found@kestrel.example", "breakglass@kestrel.example"])
        .await;
    let account = it.platform.account(ROY).await["ID"].as_str().unwrap().to_owned();
    let before = it.platform.state().await;

    it.identity_restarts(&["--dry-run=true"]).await;
    assert!(summary(&it).await.dry_run);
    // Entra's changes are taken as ever, and SCIM shows them.
    let changes = json!([
        {"op": "replace", "path": "displayName", "value": "Odile B"},
        {"op": "replace", "path": "active", "value": false},
    ]);
    it.scim.patch(&format!("/Users/{odile}"), changes).await.expect(204);
    it.scim.delete(&format!("/Users/{roy}")).await.expect(204);
    let zoe = it.scim.create_user(ZOE).await;
    let found = it.scim.create_user("found@kestrel.example").await;
    let racks = it.scim.create_group("Racks", &[&zoe, &odile]).await;
    let out = json!({"op": "remove", "path": format!("members[value eq \"{odile}\"]")});
    it.scim.patch(&format!("/Groups/{halls}"), out).await.expect(204);

    assert_eq!(
        plan(&it, &odile).await,
        ["disable the account", "change DisplayName of the account"]
    );
    assert_eq!(plan(&it, &roy).await, [format!("delete the account {account}")]);
    assert_eq!(plan(&it, &zoe).await, ["create the account"]);
    let adoption = plan(&it, &found).await;
    assert!(adoption[0].starts_with("take over the account "), "{adoption:?}");
    assert_eq!(plan(&it, &racks).await, ["create the group", "put 1 member in"]);
    assert_eq!(plan(&it, &halls).await, ["take 1 member out"]);
    it.settled().await;
    assert_eq!(
        it.platform.state().await["writes"],
        before["writes"],
        "no write was called"
    );
    assert_eq!(summary(&it).await.planned, 6);
    let path = format!("/Users/{odile}?attributes=displayName,{URN}:state");
    let shown = it.scim.get(&path).await.expect(200);
    assert_eq!(
        (&shown["displayName"], &shown[URN]["state"]),
        (&json!("Odile B"), &json!("planned"))
    );
    let mut told = entries(it.audit()).await;
    told.retain(|entry| matches!(&entry.record, Some(Record::Outcome(outcome)) if outcome.resource_id == odile));
    let Some(Record::Outcome(told)) = told.pop().and_then(|entry| entry.record) else {
        panic!("the plan is in no trail");
    };
    assert_eq!(told.outcome(), AuditOutcome::Planned);
    assert_eq!(
        told.message.as_deref(),
        Some("disable the account; change DisplayName of the account")
    );

    // A change, or a request, has it planned anew.
    let back = json!({"op": "replace", "path": "active", "value": true});
    it.scim.patch(&format!("/Users/{odile}"), back).await.expect(204);
    it.until(async |it| plan(it, &odile).await == ["change DisplayName of the account"])
        .await;
    it.platform
        .edit(
            &it.delivery(&odile).await.unwrap().platform_id.unwrap(),
            json!({"Mail": "by@hand.example"}),
        )
        .await;
    it.retry(&odile).await;
    it.until(async |it| plan(it, &odile).await == ["change DisplayName, Mail of the account"])
        .await;
    // And it outlasts a restart.
    it.identity_restarts(&[]).await;
    assert_eq!(plan(&it, &zoe).await, ["create the account"]);
    it.settled().await;
    assert_eq!(
        it.platform.state().await["writes"],
        before["writes"],
        "no write was called"
    );

    it.identity_restarts(&["--dry-run=false"]).await;
    it.until(async |it| summary(it).await.planned == 0).await;
    it.settled().await;
    assert_eq!(it.refused().await, []);
    let names = it.platform.names().await;
    assert_eq!(
        names,
        ["breakglass@kestrel.example", "found@kestrel.example", ODILE, ZOE]
    );
    assert_eq!(it.platform.account(ODILE).await["DisplayName"], "Odile B");
    assert_eq!(it.platform.members("Racks").await.len(), 2);
    assert!(it.platform.members("Halls").await.is_empty());
    for id in [&odile, &zoe, &found, &racks, &halls] {
        assert_eq!(it.delivery(id).await.unwrap().state(), DeliveryState::Applied);
    }
    assert!(!summary(&it).await.dry_run);
}

/// A group that is only planned to go is in the way of one of the same name: that is told, and not tried for ever.
#[tokio::test]
async fn what_comes_after_another_is_planned_too() {
    let mut it = Deployment::start().await;
    let odile = it.scim.create_user(ODILE).await;
    let halls = it.scim.create_group("Halls", &[&odile]).await;
    it.settled().await;
    it.platform.strangers(&[ROY]).await;
    let written = it.platform.state().await["writes"].clone();
    it.identity_restarts(&["--dry-run=true"]).await;
    it.scim.delete(&format!("/Groups/{halls}")).await.expect(204);
    let anew = it.scim.create_group("Halls", &[&odile]).await;
    assert!(plan(&it, &halls).await[0].starts_with("delete the group "));
    let waits = plan(&it, &anew).await;
    assert!(
        waits[0].starts_with(&format!("after {halls} was delivered")),
        "{waits:?}"
    );
    // What would be refused is refused.
    let roy = it.scim.create_user(ROY).await;
    let refused = it
        .delivered(&roy, |delivery| delivery.state() == DeliveryState::Refused)
        .await;
    assert_eq!(refused.last_error_reason.as_deref(), Some("PLATFORM_OBJECT_EXISTS"));
    it.settled().await;
    assert_eq!(it.platform.state().await["writes"], written);

    it.identity_restarts(&["--dry-run=false"]).await;
    it.until(async |it| it.delivery(&anew).await.unwrap().state() == DeliveryState::Applied)
        .await;
    assert_eq!(it.platform.group_names().await, ["Halls"]);
    assert_eq!(it.platform.members("Halls").await.len(), 1);
}

/// With nobody to deliver, an answer that waited would come too late for the gateway.
#[tokio::test]
async fn no_answer_waits_in_a_dry_run() {
    let flags = ["--dry-run=true", "--answer-wait=600s", "--delivery-concurrency=0"];
    let it = Setup::default().identity(&flags).start().await;
    let id = it.scim.create_user(ODILE).await;
    it.scim.put(&format!("/Users/{id}"), &user(ODILE)).await.expect(200);
    assert!(it.platform.names().await.is_empty());
}

/// What another hand did is found as ever; its repair is only planned, and nobody foreign is taken out of a group.
#[tokio::test]
async fn drift_is_told_and_not_repaired_in_a_dry_run() {
    let flags = ["--delivery-lease=1s", "--foreign-members=remove"];
    let mut it = Setup::default().identity(&flags).start().await;
    let odile = it.scim.create_user(ODILE).await;
    it.scim.create_group("Halls", &[&odile]).await;
    it.settled().await;
    let stranger = it.platform.strangers(&[ROY]).await.remove(0);
    let halls = it.platform.group("Halls").await["ID"].as_str().unwrap().to_owned();
    it.platform.put_in(&halls, &stranger).await;
    let account = it.delivery(&odile).await.unwrap().platform_id.unwrap();
    it.platform.edit(&account, json!({"DisplayName": "Vandal"})).await;
    let written = it.platform.state().await["writes"].clone();
    it.identity_restarts(&["--dry-run=true"]).await;

    // What was applied a moment ago is not compared yet.
    let foreign_is_found = async |it: &Deployment| {
        let request = ApplyDriftRequest {
            tenant: TENANT.to_owned(),
            despite_alarm: true,
        };
        let mut parts = it.drift().apply_drift(request).await.unwrap().into_inner();
        let mut summary = None;
        while let Some(part) = parts.message().await.unwrap() {
            if let Some(apply_drift_response::Part::Summary(last)) = part.part {
                summary = Some(last);
            }
        }
        let summary = summary.unwrap();
        assert_eq!(summary.foreign_removed, 0);
        summary.foreign_members > 0 && it.delivery(&odile).await.unwrap().state() == DeliveryState::Planned
    };
    it.until(foreign_is_found).await;
    assert_eq!(plan(&it, &odile).await, ["change DisplayName of the account"]);
    it.settled().await;
    assert_eq!(it.platform.state().await["writes"], written);
    assert_eq!(it.platform.members("Halls").await.len(), 2);
}
