//! The audit trail as an exporter sees it: who, what, when, and no personal values unless they are asked for.

use identity_service::store::embedded::{EmbeddedStore, Options};
use jiff::Timestamp;
use proto::{
    error::{Details, ErrorReason},
    identity::v1::{
        AuditEntry, CreateUserRequest, ExportAuditRequest, OperatorAct, Origin, RetryDeliveryRequest,
        audit_entry::Record, audit_service_client::AuditServiceClient,
    },
    resource::v1::User,
};
use redb::backends::InMemoryBackend;
use tonic::{Code, Request, Status};

use super::{Served, TENANT};

const CREDENTIAL: &str = "scim-origin-credential";

fn everything() -> ExportAuditRequest {
    ExportAuditRequest {
        tenant: TENANT.to_owned(),
        ..ExportAuditRequest::default()
    }
}

async fn export(it: &Served, request: ExportAuditRequest) -> Result<Vec<AuditEntry>, Status> {
    let mut client = AuditServiceClient::new(it.channel.clone());
    let mut stream = client.export_audit(request).await?.into_inner();
    let mut entries = Vec::new();
    while let Some(response) = stream.message().await? {
        entries.push(response.entry.unwrap());
    }
    Ok(entries)
}

fn retry(id: &str) -> RetryDeliveryRequest {
    RetryDeliveryRequest {
        tenant: TENANT.to_owned(),
        resource_id: id.to_owned(),
    }
}

#[tokio::test]
async fn entries_tell_who_did_what_and_no_values_unless_they_are_asked_for() {
    let store = EmbeddedStore::in_memory().unwrap();
    let it = Served::on(store.clone()).await;
    let mut request = Request::new(CreateUserRequest {
        tenant: TENANT.to_owned(),
        user: Some(User {
            user_name: Some("odile".to_owned()),
            ..User::default()
        }),
        request_id: None,
    });
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let long = "x".repeat(200);
    for (name, value) in [
        (CREDENTIAL, "bearer-0a1b2c3d"),
        ("scim-origin-request-id", "r-1"),
        ("scim-origin-client-request-id", "c-1"),
        ("scim-origin-correlation-id", &long),
        ("traceparent", &parent),
    ] {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    let user = it
        .users()
        .create_user(request)
        .await
        .unwrap()
        .into_inner()
        .user
        .unwrap();
    let id = user.id.unwrap();
    it.entitle(&id, "Lead").await;
    let mut again = Request::new(retry(&id));
    again.metadata_mut().insert(CREDENTIAL, "operator".parse().unwrap());
    it.deliveries().retry_delivery(again).await.unwrap();

    let entries = export(&it, everything()).await.unwrap();
    let [created, entitled, retried] = &entries[..] else {
        panic!("{entries:?}")
    };
    let Some(Record::Change(created)) = &created.record else {
        panic!("{created:?}")
    };
    let origin = created.origin.clone().unwrap();
    let expected = Origin {
        credential: Some("bearer-0a1b2c3d".to_owned()),
        request_id: Some("r-1".to_owned()),
        client_request_id: Some("c-1".to_owned()),
        correlation_id: None,
        trace_id: origin.trace_id.clone(),
    };
    assert_eq!(origin, expected, "what is too long is left out");
    assert_eq!((created.version, created.resource_id.as_str()), (1, id.as_str()));
    assert_eq!(created.attributes, ["active", "userName"]);
    let Some(Record::Change(entitled)) = &entitled.record else {
        panic!("{entitled:?}")
    };
    assert_eq!(entitled.attributes, ["title"]);
    assert_eq!(
        entitled.origin.as_ref().and_then(|origin| origin.credential.clone()),
        None
    );
    let Some(Record::OperatorAct(act)) = &retried.record else {
        panic!("{retried:?}")
    };
    assert_eq!(
        (act.act(), act.resource_id.as_deref()),
        (OperatorAct::Retry, Some(&*id))
    );
    assert_eq!(
        act.origin.as_ref().and_then(|origin| origin.credential.as_deref()),
        Some("operator")
    );
    let shown = format!("{entries:?}");
    assert!(!shown.contains("odile") && !shown.contains("Lead"), "{shown}");
    drop(it);

    let it = Served::set(store, &["--audit-values=true"]).await;
    let entries = export(&it, everything()).await.unwrap();
    let Some(Record::Change(entitled)) = &entries[1].record else {
        panic!("{entries:?}")
    };
    let title = &entitled.attribute_changes[0];
    assert_eq!(
        (title.path.as_str(), title.after_json.as_deref()),
        ("title", Some(r#""Lead""#))
    );
}

#[tokio::test]
async fn an_export_may_be_narrowed_and_gone_on_with() {
    let it = Served::on(EmbeddedStore::in_memory().unwrap()).await;
    let before = Timestamp::now();
    let odile = it.user("odile").await.unwrap();
    let anders = it.user("anders").await.unwrap();
    it.entitle(&odile, "Lead").await;
    it.deliveries().retry_delivery(retry(&odile)).await.unwrap();
    it.delete_user(&odile).await;
    let all = export(&it, everything()).await.unwrap();
    assert_eq!(all.len(), 5);

    let of = |id: &str| ExportAuditRequest {
        resource_id: Some(id.to_owned()),
        ..everything()
    };
    assert_eq!(export(&it, of(&anders)).await.unwrap(), all[1..2]);
    assert_eq!(export(&it, of(&odile)).await.unwrap().len(), 4);
    let behind = |position: &str| ExportAuditRequest {
        after: Some(position.to_owned()),
        ..everything()
    };
    assert_eq!(export(&it, behind(&all[1].position)).await.unwrap(), all[2..]);
    assert!(export(&it, behind(&all[4].position)).await.unwrap().is_empty());

    let third = all[2].at;
    let since = ExportAuditRequest {
        from: third,
        ..everything()
    };
    assert!(export(&it, since).await.unwrap().ends_with(&all[2..]));
    let until = ExportAuditRequest {
        until: third,
        ..everything()
    };
    assert!(all[..2].starts_with(&export(&it, until).await.unwrap()));
    let long_ago = ExportAuditRequest {
        until: Some(proto::time::to_proto(before)),
        ..everything()
    };
    assert!(export(&it, long_ago).await.unwrap().is_empty());

    for (request, field) in [(of("nobody"), "resource_id"), (behind("7"), "after")] {
        let refused = export(&it, request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(Details::of(&refused).unwrap().metadata["field"], field);
    }
    let elsewhere = ExportAuditRequest {
        tenant: "another".to_owned(),
        ..everything()
    };
    assert_eq!(export(&it, elsewhere).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn what_is_no_longer_kept_is_not_passed_over_in_silence() {
    let options = Options {
        feed_length: 8,
        ..Options::default()
    };
    let it = Served::on(EmbeddedStore::on_backend(InMemoryBackend::new(), options).unwrap()).await;
    it.user("first").await.unwrap();
    let first = export(&it, everything()).await.unwrap().remove(0).position;
    for number in 0..20 {
        it.user(&format!("u{number}")).await.unwrap();
    }
    assert_eq!(export(&it, everything()).await.unwrap().len(), 8);
    let request = ExportAuditRequest {
        after: Some(first),
        ..everything()
    };
    let refused = export(&it, request).await.unwrap_err();
    assert_eq!(
        (refused.code(), Details::of(&refused).unwrap().reason),
        (Code::OutOfRange, ErrorReason::ResumeTokenExpired)
    );
}
