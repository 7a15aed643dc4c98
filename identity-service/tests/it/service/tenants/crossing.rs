//! Every way across: what one tenant has, asked for as another. Each method of each service is tried with the neighbour's ids,
//! names, filters, tokens and request ids, finds nothing, and leaves the neighbour as it was.

use identity_service::{Engine, store::embedded::EmbeddedStore};
use proto::{
    error::{Details, ErrorReason},
    identity::v1::{
        ApplyDriftRequest, ApplyRelinkRequest, BatchGetDeliveriesRequest, CreateBearerTokenRequest,
        CreateClientRequest, CreateUserRequest, CredentialUse, DeleteGroupRequest, DeleteUserRequest,
        DiscardDeliveryRequest, ExportAuditRequest, GetDeliveryRequest, GetDriftRequest, GetGroupRequest,
        GetSchemasRequest, GetVerifiersRequest, IssueAccessTokenRequest, ListCredentialsRequest, ListDeliveriesRequest,
        ListGroupsRequest, ListMembersRequest, ListUsersRequest, PatchGroupRequest, PatchOperation, PatchUserRequest,
        PauseDeliveriesRequest, PlanDriftRequest, PlanRelinkRequest, RecordUsesRequest, ReleaseDeliveryRequest,
        ReplaceGroupRequest, ReplaceUserRequest, ResumeDeliveriesRequest, RetryDeliveryRequest,
        RevokeCredentialRequest, RotateClientSecretRequest, RotateSigningKeyRequest, StreamMembersRequest,
        WatchChangesRequest,
    },
};
use redis_for_tests::{Appendfsync, Options, RedisServer};
use tokio::time::timeout;
use tonic::{Code, Status};

use super::{Tenants, group, user};
use crate::{service::config, store::engine::PATIENCE};

const TWO: &str = "[tenants.kestrel.directory]\n[tenants.merlin.directory]\n";

#[tokio::test]
async fn nothing_of_a_neighbour_is_found_in_one_file() {
    crossings(EmbeddedStore::in_memory().unwrap()).await;
}

#[tokio::test]
async fn nothing_of_a_neighbour_is_found_in_one_redis() {
    let server = RedisServer::with(Options::durable(Appendfsync::Everysec)).await;
    let settings = config(&[&format!("--redis-url={}", server.url())])
        .redis
        .settings()
        .unwrap();
    let store = identity_service::store::redis::RedisStore::open(&settings, Default::default()).await;
    crossings(store.unwrap()).await;
}

/// What there is of a tenant, as far as anybody can see.
async fn seen(it: &Tenants, tenant: &str) -> String {
    let users = it.list_users(tenant, None).await.unwrap();
    let request = ListGroupsRequest {
        tenant: tenant.to_owned(),
        ..ListGroupsRequest::default()
    };
    let groups = it.groups().list_groups(request).await.unwrap().into_inner().groups;
    let mut members = Vec::new();
    for group in &groups {
        let request = ListMembersRequest {
            tenant: tenant.to_owned(),
            group_id: group.id.clone().unwrap(),
            ..ListMembersRequest::default()
        };
        members.push(it.groups().list_members(request).await.unwrap().into_inner());
    }
    let request = ListDeliveriesRequest {
        tenant: tenant.to_owned(),
        ..ListDeliveriesRequest::default()
    };
    let deliveries = it.deliveries().list_deliveries(request).await.unwrap().into_inner();
    let credentials = ListCredentialsRequest {
        tenant: tenant.to_owned(),
    };
    let credentials = it
        .credentials()
        .list_credentials(credentials)
        .await
        .unwrap()
        .into_inner();
    let summary = it.summary(tenant).await.unwrap();
    let audit = audit(it, tenant, None, None).await.unwrap();
    format!("{users:?}{groups:?}{members:?}{deliveries:?}{credentials:?}{summary:?}{audit:?}")
}

/// The resources that the audit trail has entries of, and where it ends.
async fn audit(
    it: &Tenants,
    tenant: &str,
    after: Option<&str>,
    resource: Option<&str>,
) -> Result<Vec<(String, String)>, Status> {
    let request = ExportAuditRequest {
        tenant: tenant.to_owned(),
        after: after.map(str::to_owned),
        resource_id: resource.map(str::to_owned),
        ..ExportAuditRequest::default()
    };
    let mut entries = it.audit().export_audit(request).await?.into_inner();
    let mut found = Vec::new();
    while let Some(entry) = entries.message().await? {
        let entry = entry.entry.unwrap();
        found.push((entry.position.clone(), format!("{:?}", entry.record)));
    }
    Ok(found)
}

fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> Code {
    result.unwrap_err().code()
}

fn reason<T: std::fmt::Debug>(result: Result<T, Status>) -> ErrorReason {
    let status = result.unwrap_err();
    Details::of(&status).unwrap_or_else(|| panic!("{status:?}")).reason
}

/// The kind of SCIM's error.
fn cursor<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
    Details::of(&result.unwrap_err()).unwrap().metadata["scim_type"].clone()
}

fn patch(path: &str, value: &str) -> Vec<PatchOperation> {
    vec![PatchOperation {
        op: "add".to_owned(),
        path: Some(path.to_owned()),
        value: Some(value.to_owned()),
        operation: None,
    }]
}

async fn crossings(engine: impl Into<Engine>) {
    let it = Tenants::on(engine, TWO).await;
    // The same names side by side.
    let mut ids = Vec::new();
    for name in ["odile", "anders", "bertil"] {
        ids.push(it.user("kestrel", name).await.unwrap());
    }
    let sales = it.group("kestrel", "sales", &ids).await.unwrap();
    let own = it.user("merlin", "odile").await.unwrap();
    let own_group = it.group("merlin", "sales", std::slice::from_ref(&own)).await.unwrap();
    let before = seen(&it, "kestrel").await;

    users_and_groups(&it, &ids, &sales, &own, &own_group).await;
    deliveries(&it, &ids).await;
    tokens(&it, &sales, &own_group).await;
    feeds(&it, &ids).await;
    assert_eq!(seen(&it, "kestrel").await, before, "the neighbour is as it was");

    request_ids(&it).await;
    credentials(&it).await;
    strangers(&it, &ids[0], &sales).await;
}

async fn users_and_groups(it: &Tenants, ids: &[String], sales: &str, own: &str, own_group: &str) {
    let merlin = || "merlin".to_owned();
    let id = || ids[0].clone();
    assert_eq!(code(it.get_user("merlin", &ids[0]).await), Code::NotFound);
    let request = ReplaceUserRequest {
        tenant: merlin(),
        id: id(),
        user: Some(user("odile")),
        ..ReplaceUserRequest::default()
    };
    assert_eq!(code(it.users().replace_user(request).await), Code::NotFound);
    let request = PatchUserRequest {
        tenant: merlin(),
        id: id(),
        operations: patch("title", "\"taken\""),
        ..PatchUserRequest::default()
    };
    assert_eq!(code(it.users().patch_user(request).await), Code::NotFound);
    let request = DeleteUserRequest {
        tenant: merlin(),
        id: id(),
        ..DeleteUserRequest::default()
    };
    assert_eq!(code(it.users().delete_user(request).await), Code::NotFound);
    for filter in [
        format!("id eq \"{}\"", ids[0]),
        "userName eq \"anders\"".to_owned(),
        "externalId eq \"external-anders\"".to_owned(),
        format!("groups.value eq \"{sales}\""),
        "userName sw \"and\" or userName co \"ert\"".to_owned(),
    ] {
        let found = it.list_users("merlin", Some(&filter)).await.unwrap();
        assert!(found.is_empty(), "{filter}: {found:?}");
    }
    let all = it.list_users("merlin", None).await.unwrap();
    assert_eq!(
        all.iter().map(|user| user.id.as_deref().unwrap()).collect::<Vec<_>>(),
        [own]
    );
    assert_eq!(all[0].groups[0].value.as_deref(), Some(own_group));

    let groups = || it.groups();
    let request = GetGroupRequest {
        tenant: merlin(),
        id: sales.to_owned(),
    };
    assert_eq!(code(groups().get_group(request).await), Code::NotFound);
    let request = ReplaceGroupRequest {
        tenant: merlin(),
        id: sales.to_owned(),
        group: Some(group("sales", &[])),
        ..ReplaceGroupRequest::default()
    };
    assert_eq!(code(groups().replace_group(request).await), Code::NotFound);
    let members = format!("[{{\"value\":\"{}\"}}]", ids[0]);
    for (group, expected) in [(sales, Code::NotFound), (own_group, Code::InvalidArgument)] {
        let request = PatchGroupRequest {
            tenant: merlin(),
            id: group.to_owned(),
            operations: patch("members", &members),
            ..PatchGroupRequest::default()
        };
        assert_eq!(code(groups().patch_group(request).await), expected, "{group}");
    }
    assert_eq!(code(it.group("merlin", "all", &[id()]).await), Code::InvalidArgument);
    let request = DeleteGroupRequest {
        tenant: merlin(),
        id: sales.to_owned(),
        ..DeleteGroupRequest::default()
    };
    assert_eq!(code(groups().delete_group(request).await), Code::NotFound);
    let request = ListMembersRequest {
        tenant: merlin(),
        group_id: sales.to_owned(),
        ..ListMembersRequest::default()
    };
    assert_eq!(code(groups().list_members(request).await), Code::NotFound);
    let request = StreamMembersRequest {
        tenant: merlin(),
        group_id: sales.to_owned(),
    };
    assert_eq!(code(groups().stream_members(request).await.map(drop)), Code::NotFound);
    for filter in [
        format!("id eq \"{sales}\""),
        format!("members.value eq \"{}\"", ids[0]),
        format!("members[value eq \"{}\"]", ids[1]),
    ] {
        let request = ListGroupsRequest {
            tenant: merlin(),
            filter: Some(filter.clone()),
            ..ListGroupsRequest::default()
        };
        let found = groups().list_groups(request).await.unwrap().into_inner();
        assert_eq!((found.total_results, found.groups.len()), (0, 0), "{filter}");
    }
}

async fn deliveries(it: &Tenants, ids: &[String]) {
    let (tenant, resource_id) = (|| "merlin".to_owned(), || ids[0].clone());
    let request = GetDeliveryRequest {
        tenant: tenant(),
        resource_id: resource_id(),
    };
    assert_eq!(code(it.deliveries().get_delivery(request).await), Code::NotFound);
    let request = BatchGetDeliveriesRequest {
        tenant: tenant(),
        resource_ids: ids.to_vec(),
    };
    let found = it
        .deliveries()
        .batch_get_deliveries(request)
        .await
        .unwrap()
        .into_inner();
    assert!(found.deliveries.is_empty(), "{found:?}");
    let request = RetryDeliveryRequest {
        tenant: tenant(),
        resource_id: resource_id(),
    };
    assert_eq!(code(it.deliveries().retry_delivery(request).await), Code::NotFound);
    let request = ReleaseDeliveryRequest {
        tenant: tenant(),
        resource_id: resource_id(),
    };
    assert_eq!(code(it.deliveries().release_delivery(request).await), Code::NotFound);
    let request = DiscardDeliveryRequest {
        tenant: tenant(),
        resource_id: resource_id(),
    };
    assert_eq!(code(it.deliveries().discard_delivery(request).await), Code::NotFound);
    // A pause is one tenant's.
    let request = PauseDeliveriesRequest {
        tenant: tenant(),
        paused_by: "ops".to_owned(),
        reason: "ours alone".to_owned(),
    };
    it.deliveries().pause_deliveries(request).await.unwrap();
    assert!(it.summary("merlin").await.unwrap().pause.is_some());
    let neighbour = it.summary("kestrel").await.unwrap();
    assert!(neighbour.pause.is_none());
    assert_eq!((neighbour.users, neighbour.groups, neighbour.pending), (3, 1, 4));
    let request = ResumeDeliveriesRequest { tenant: tenant() };
    it.deliveries().resume_deliveries(request).await.unwrap();
}

/// Pages that a neighbour began.
async fn tokens(it: &Tenants, sales: &str, own_group: &str) {
    let users = |tenant: &str, sort: Option<&str>, token: Option<String>| {
        let request = ListUsersRequest {
            tenant: tenant.to_owned(),
            page_size: Some(1),
            page_token: token,
            sort_by: sort.map(str::to_owned),
            ..ListUsersRequest::default()
        };
        let mut client = it.users();
        async move { client.list_users(request).await.map(tonic::Response::into_inner) }
    };
    for sort in [None, Some("userName")] {
        let token = users("kestrel", sort, None).await.unwrap().next_page_token;
        assert!(token.is_some());
        users("kestrel", sort, token.clone()).await.unwrap();
        assert_eq!(cursor(users("merlin", sort, token).await), "invalidCursor");
    }
    let members = |tenant: &str, group: &str, token: Option<String>| {
        let request = ListMembersRequest {
            tenant: tenant.to_owned(),
            group_id: group.to_owned(),
            page_size: Some(1),
            page_token: token,
        };
        let mut client = it.groups();
        async move { client.list_members(request).await.map(tonic::Response::into_inner) }
    };
    let token = members("kestrel", sales, None).await.unwrap().next_page_token;
    members("kestrel", sales, token.clone()).await.unwrap();
    assert_eq!(code(members("merlin", own_group, token).await), Code::InvalidArgument);
    let deliveries = |tenant: &str, token: Option<String>| {
        let request = ListDeliveriesRequest {
            tenant: tenant.to_owned(),
            page_size: Some(1),
            page_token: token,
            ..ListDeliveriesRequest::default()
        };
        let mut client = it.deliveries();
        async move { client.list_deliveries(request).await.map(tonic::Response::into_inner) }
    };
    let token = deliveries("kestrel", None).await.unwrap().next_page_token;
    deliveries("kestrel", token.clone()).await.unwrap();
    assert_eq!(code(deliveries("merlin", token).await), Code::InvalidArgument);
    let request = GetDriftRequest {
        tenant: "merlin".to_owned(),
        ..GetDriftRequest::default()
    };
    assert!(
        it.drift()
            .get_drift(request)
            .await
            .unwrap()
            .into_inner()
            .summary
            .is_none()
    );
}

/// The change feed and the audit trail, from a neighbour's place on, and about a neighbour's resource.
async fn feeds(it: &Tenants, ids: &[String]) {
    let kestrel = audit(it, "kestrel", None, None).await.unwrap();
    let place = &kestrel[0].0;
    audit(it, "kestrel", Some(place), None).await.unwrap();
    assert_eq!(
        reason(audit(it, "merlin", Some(place), None).await),
        ErrorReason::ResumeTokenExpired
    );
    assert_eq!(audit(it, "merlin", None, Some(&ids[0])).await.unwrap(), []);
    let merlin = audit(it, "merlin", None, None).await.unwrap();
    assert!(
        merlin
            .iter()
            .all(|(_, record)| ids.iter().all(|id| !record.contains(id.as_str())))
    );

    let watch = |tenant: &str, token: &str| {
        let request = WatchChangesRequest {
            tenant: tenant.to_owned(),
            resume_token: Some(token.to_owned()),
        };
        let mut client = it.changes();
        async move { client.watch_changes(request).await.map(tonic::Response::into_inner) }
    };
    let mut of_kestrel = watch("kestrel", "").await.unwrap();
    let beginning = timeout(PATIENCE, of_kestrel.message()).await.unwrap().unwrap().unwrap();
    let crossed = watch("merlin", &beginning.resume_token).await.map(drop);
    assert_eq!(reason(crossed), ErrorReason::ResumeTokenExpired);
    // From the oldest on, each hears of its own alone.
    let mut of_merlin = watch("merlin", "").await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let next = timeout(PATIENCE, of_merlin.message()).await.unwrap().unwrap().unwrap();
        heard.extend(next.change.map(|change| change.resource_id));
    }
    assert!(heard.iter().all(|id| !ids.contains(id)), "{heard:?}");
}

/// The same request id, of the same request, in both.
async fn request_ids(it: &Tenants) {
    let create = |tenant: &str| {
        let request = CreateUserRequest {
            tenant: tenant.to_owned(),
            user: Some(user("cecilia")),
            request_id: Some("one-and-the-same".to_owned()),
        };
        let mut client = it.users();
        async move {
            let created = client.create_user(request).await?;
            Ok::<_, Status>(created.into_inner().user.unwrap().id.unwrap())
        }
    };
    let (kestrel, merlin) = (create("kestrel").await.unwrap(), create("merlin").await.unwrap());
    assert_ne!(kestrel, merlin, "a neighbour's answer is no answer");
    assert_eq!(create("kestrel").await.unwrap(), kestrel);
    assert_eq!(create("merlin").await.unwrap(), merlin);
}

async fn credentials(it: &Tenants) {
    let (kestrel, merlin) = (|| "kestrel".to_owned(), || "merlin".to_owned());
    let request = CreateClientRequest {
        tenant: kestrel(),
        name: "entra".to_owned(),
        ..CreateClientRequest::default()
    };
    let client = it.credentials().create_client(request).await.unwrap().into_inner();
    let client = client.credential.unwrap();
    let secret = client.secrets[0].id.clone();
    let issue = |tenant: String| {
        let request = IssueAccessTokenRequest {
            tenant,
            credential_id: client.id.clone(),
            secret_id: secret.clone(),
        };
        let mut client = it.credentials();
        async move { client.issue_access_token(request).await.map(drop) }
    };
    issue(kestrel()).await.unwrap();
    assert_eq!(code(issue(merlin()).await), Code::NotFound);
    let list = |tenant: String| {
        let mut client = it.credentials();
        async move {
            let request = ListCredentialsRequest { tenant };
            client.list_credentials(request).await.unwrap().into_inner().credentials
        }
    };
    assert_eq!(list(merlin()).await, []);
    for called in [&client.id, &client.name] {
        let request = RotateClientSecretRequest {
            tenant: merlin(),
            credential: called.clone(),
            ..RotateClientSecretRequest::default()
        };
        assert_eq!(
            code(it.credentials().rotate_client_secret(request).await.map(drop)),
            Code::NotFound
        );
        let request = RevokeCredentialRequest {
            tenant: merlin(),
            credential: called.clone(),
            ..RevokeCredentialRequest::default()
        };
        assert_eq!(code(it.credentials().revoke_credential(request).await), Code::NotFound);
    }
    let request = RecordUsesRequest {
        tenant: merlin(),
        uses: vec![CredentialUse {
            credential_id: client.id.clone(),
            used_at: Some(proto::time::to_proto(jiff::Timestamp::now())),
        }],
    };
    it.credentials().record_uses(request).await.unwrap();
    assert_eq!(list(kestrel()).await[0].last_used_at, None);
    // The same name is another's here, and a neighbour's keys sign on.
    let request = CreateBearerTokenRequest {
        tenant: merlin(),
        name: "entra".to_owned(),
        ..CreateBearerTokenRequest::default()
    };
    it.credentials().create_bearer_token(request).await.unwrap();
    let keys = async || {
        let mut client = it.credentials();
        let verifiers = client.get_verifiers(GetVerifiersRequest::default()).await;
        let all = verifiers.unwrap().into_inner().tenants;
        let of = |name: &str| all.iter().find(|tenant| tenant.tenant == name).unwrap().clone();
        (of("kestrel").signing_keys, of("merlin"))
    };
    let (before, _) = keys().await;
    let request = RotateSigningKeyRequest {
        tenant: merlin(),
        end_tokens: true,
    };
    it.credentials().rotate_signing_key(request).await.unwrap();
    let (after, of_merlin) = keys().await;
    assert_eq!(after, before);
    assert!(of_merlin.clients.is_empty() && of_merlin.bearer_tokens.len() == 1);
}

/// A name that no tenant has, or another spelling of one's, is nobody's, whatever is asked.
async fn strangers(it: &Tenants, id: &str, group_id: &str) {
    for name in ["default", "Kestrel", "kestrel ", "kestrel}", "{kestrel}", ""] {
        let tenant = || name.to_owned();
        let resource_id = || id.to_owned();
        let mut found = vec![
            reason(it.get_user(name, id).await),
            reason(it.list_users(name, None).await),
            reason(it.user(name, "odile").await),
            reason(it.group(name, "sales", &[]).await),
            reason(it.summary(name).await),
            reason(audit(it, name, None, None).await),
        ];
        macro_rules! ask {
            ($client:ident.$method:ident($request:ident { $($field:ident: $value:expr),* })) => {{
                #[allow(clippy::needless_update, reason = "some requests have no other field")]
                let request = $request { tenant: tenant(), $($field: $value,)* ..Default::default() };
                found.push(reason(it.$client().$method(request).await.map(drop)));
            }};
        }
        ask!(users.replace_user(ReplaceUserRequest {
            id: resource_id(),
            user: Some(user("odile"))
        }));
        ask!(users.patch_user(PatchUserRequest { id: resource_id() }));
        ask!(users.delete_user(DeleteUserRequest { id: resource_id() }));
        ask!(groups.get_group(GetGroupRequest {
            id: group_id.to_owned()
        }));
        ask!(groups.list_groups(ListGroupsRequest {}));
        ask!(groups.replace_group(ReplaceGroupRequest {
            id: group_id.to_owned(),
            group: Some(group("x", &[]))
        }));
        ask!(groups.patch_group(PatchGroupRequest {
            id: group_id.to_owned()
        }));
        ask!(groups.delete_group(DeleteGroupRequest {
            id: group_id.to_owned()
        }));
        ask!(groups.list_members(ListMembersRequest {
            group_id: group_id.to_owned()
        }));
        ask!(groups.stream_members(StreamMembersRequest {
            group_id: group_id.to_owned()
        }));
        ask!(deliveries.get_delivery(GetDeliveryRequest {
            resource_id: resource_id()
        }));
        ask!(deliveries.batch_get_deliveries(BatchGetDeliveriesRequest {
            resource_ids: vec![resource_id()]
        }));
        ask!(deliveries.list_deliveries(ListDeliveriesRequest {}));
        ask!(deliveries.retry_delivery(RetryDeliveryRequest {
            resource_id: resource_id()
        }));
        ask!(deliveries.release_delivery(ReleaseDeliveryRequest {
            resource_id: resource_id()
        }));
        ask!(deliveries.discard_delivery(DiscardDeliveryRequest {
            resource_id: resource_id()
        }));
        ask!(deliveries.pause_deliveries(PauseDeliveriesRequest {}));
        ask!(deliveries.resume_deliveries(ResumeDeliveriesRequest {}));
        ask!(changes.watch_changes(WatchChangesRequest {}));
        ask!(drift.plan_drift(PlanDriftRequest {}));
        ask!(drift.apply_drift(ApplyDriftRequest {}));
        ask!(drift.get_drift(GetDriftRequest {}));
        ask!(relink.plan_relink(PlanRelinkRequest {}));
        ask!(relink.apply_relink(ApplyRelinkRequest {}));
        ask!(schemas.get_schemas(GetSchemasRequest {}));
        ask!(credentials.list_credentials(ListCredentialsRequest {}));
        ask!(credentials.issue_access_token(IssueAccessTokenRequest {}));
        ask!(credentials.record_uses(RecordUsesRequest {}));
        ask!(credentials.create_bearer_token(CreateBearerTokenRequest { name: "x".to_owned() }));
        ask!(credentials.create_client(CreateClientRequest { name: "x".to_owned() }));
        ask!(credentials.rotate_client_secret(RotateClientSecretRequest {}));
        ask!(credentials.revoke_credential(RevokeCredentialRequest {}));
        ask!(credentials.rotate_signing_key(RotateSigningKeyRequest {}));
        assert!(
            found.iter().all(|reason| *reason == ErrorReason::UnknownTenant),
            "{name:?}: {found:?}"
        );
    }
}
