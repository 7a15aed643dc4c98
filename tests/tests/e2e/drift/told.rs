//! Where it is told: in the audit trail, in what is kept of the last comparison, and in the count of deliveries.

use proto::identity::v1::{DriftKind, OperatorAct, SummarizeDeliveriesRequest, audit_entry::Record};
use serde_json::json;

use super::{account_id, apply, clean, last, plan, usual};
use crate::{
    deployment::{Deployment, TENANT},
    users::audit::entries,
};

/// The resources that were repaired, and who asked for it.
async fn repairs(it: &Deployment) -> Vec<(String, Option<String>)> {
    let acts = entries(it.audit())
        .await
        .into_iter()
        .filter_map(|entry| match entry.record {
            Some(Record::OperatorAct(act)) if act.act() == OperatorAct::Repair => Some(act),
            _ => None,
        });
    acts.map(|act| {
        (
            act.resource_id.unwrap(),
            act.origin.and_then(|origin| origin.credential),
        )
    })
    .collect()
}

#[tokio::test]
async fn a_repair_is_in_the_audit_trail_and_a_plan_is_not() {
    let it = usual().start().await;
    let odile = it.scim.create_user("odile@x.example").await;
    let crew = it.scim.create_group("Crew", &[&odile]).await;
    clean(&it).await;
    let account = account_id(&it, "odile@x.example").await;
    it.platform.edit(&account, json!({"DisplayName": "Somebody"})).await;
    it.platform
        .take_out(&super::group_id(&it, "Crew").await, &account)
        .await;
    assert_eq!(plan(&it).await.differences.len(), 2);
    assert_eq!(repairs(&it).await, []);
    apply(&it, false).await;
    assert_eq!(repairs(&it).await, [(odile, None), (crew, None)]);
}

#[tokio::test]
async fn what_came_of_it_is_told_with_the_deliveries_and_outlasts_a_restart() {
    let mut it = usual().start().await;
    let summarize = async |it: &Deployment| {
        let request = SummarizeDeliveriesRequest {
            tenant: TENANT.to_owned(),
        };
        let summary = it.deliveries().summarize_deliveries(request).await.unwrap();
        summary.into_inner().drift
    };
    assert_eq!((summarize(&it).await, last(&it.drift()).await.summary), (None, None));
    it.scim.create_user("odile@x.example").await;
    clean(&it).await;
    let account = account_id(&it, "odile@x.example").await;
    it.platform.edit(&account, json!({"DisplayName": "Somebody"})).await;
    let found = plan(&it).await;
    let of = found.the(DriftKind::Changed).clone();
    let told = last(&it.drift()).await;
    assert_eq!(
        (told.summary.as_ref(), told.differences),
        (Some(&found.summary), vec![of])
    );
    assert_eq!(summarize(&it).await.as_ref(), Some(&found.summary));

    it.identity_restarts(&[]).await;
    it.until(async |it| it.drift().get_drift(super::about()).await.is_ok())
        .await;
    let told = last(&it.drift()).await;
    assert_eq!(told.summary.as_ref(), Some(&found.summary));
    assert!(told.differences.is_empty() && told.differences_elsewhere, "{told:?}");
    assert_eq!(summarize(&it).await, Some(found.summary));
}
