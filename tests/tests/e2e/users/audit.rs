//! The audit trail of what Entra did: by which credential and request, and what the Platform made of it.

use http::Method;
use proto::identity::v1::{
    AuditEntry, AuditOutcome, ChangeKind, ExportAuditRequest, audit_entry::Record,
    audit_service_client::AuditServiceClient,
};
use serde_json::{Value, json};
use service_runtime::Connection;

use super::ODILE;
use crate::deployment::{Answer, Deployment, TENANT, user};

async fn send(it: &Deployment, method: Method, path: &str, body: &Value) -> (Value, String) {
    let request = it
        .scim
        .request(method, path)
        .header("content-type", "application/scim+json")
        .header("accept", "application/scim+json")
        .header("client-request-id", "entra-1")
        .header("x-ms-correlation-id", "cycle 7")
        .body(body.to_string());
    let answer = Answer::of(request).await;
    let request_id = answer.header("x-request-id").to_owned();
    assert!(answer.status.is_success(), "{answer:?}");
    (serde_json::from_str(&answer.text).unwrap_or_default(), request_id)
}

/// Everything that the trail has.
pub(crate) async fn entries(mut trail: AuditServiceClient<Connection>) -> Vec<AuditEntry> {
    let request = ExportAuditRequest {
        tenant: TENANT.to_owned(),
        ..ExportAuditRequest::default()
    };
    let mut stream = trail.export_audit(request).await.unwrap().into_inner();
    let mut entries = Vec::new();
    while let Some(response) = stream.message().await.unwrap() {
        entries.push(response.entry.unwrap());
    }
    entries
}

#[tokio::test]
async fn each_change_is_told_with_who_asked_and_what_came_of_it() {
    let it = Deployment::start().await;
    let (created, request_id) = send(&it, Method::POST, "/Users", &user(ODILE)).await;
    it.settled().await;
    let operation = json!({"op": "Add", "path": "title", "value": "Lead"});
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{
            "method": "PATCH",
            "path": format!("/Users/{}", created["id"].as_str().unwrap()),
            "data": {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]},
        }],
    });
    let (_, bulk_id) = send(&it, Method::POST, "/Bulk", &bulk).await;
    it.settled().await;
    // The same once more changes nothing, and is in no trail.
    send(&it, Method::POST, "/Bulk", &bulk).await;
    it.settled().await;

    let entries = entries(it.audit()).await;
    let (mut changes, mut outcomes) = (Vec::new(), Vec::new());
    for entry in &entries {
        match entry.record.clone().unwrap() {
            Record::Change(change) => changes.push(change),
            Record::Outcome(outcome) => outcomes.push(outcome),
            Record::OperatorAct(act) => panic!("{act:?}"),
        }
    }
    let told: Vec<_> = changes.iter().map(|change| (change.kind(), change.version)).collect();
    assert_eq!(told, [(ChangeKind::Created, 1), (ChangeKind::Updated, 2)]);
    for (change, id) in changes.iter().zip([request_id, bulk_id]) {
        let origin = change.origin.clone().unwrap();
        let credential = origin.credential.unwrap();
        assert!(
            credential.starts_with("bearer-") && credential.len() == 15,
            "{credential}"
        );
        assert_eq!(origin.request_id, Some(id));
        assert_eq!(origin.client_request_id.as_deref(), Some("entra-1"));
        assert_eq!(origin.correlation_id.as_deref(), Some("cycle 7"));
    }
    let told: Vec<_> = outcomes
        .iter()
        .map(|told| (told.outcome(), told.from_version, told.to_version))
        .collect();
    assert_eq!(
        told,
        [(AuditOutcome::Applied, 0, 1), (AuditOutcome::Applied, 1, 2)],
        "{outcomes:?}"
    );
    let shown = format!("{entries:?}");
    assert!(!shown.contains(ODILE) && !shown.contains("Lead"), "{shown}");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_platforms_words() {
    let it = Deployment::start().await;
    it.platform.strangers(&[ODILE]).await;
    send(&it, Method::POST, "/Users", &user(ODILE)).await;
    it.settled().await;
    let entries = entries(it.audit()).await;
    let Some(Record::Outcome(refused)) = entries.last().and_then(|entry| entry.record.clone()) else {
        panic!("{entries:?}")
    };
    assert_eq!(refused.outcome(), AuditOutcome::Refused);
    assert_eq!(refused.reason.as_deref(), Some("PLATFORM_OBJECT_EXISTS"));
    assert!(refused.message.is_some_and(|words| !words.is_empty()));
    assert_eq!((refused.from_version, refused.to_version), (0, 1));
}
