//! The file of tenants is followed while the service runs: tenants come, change and go, and a faulty file changes nothing.

use identity_service::{
    id::{Kind, Tenant},
    store::{Store, embedded::EmbeddedStore},
};
use proto::{
    SCHEMAS_HASH,
    error::{Details, ErrorReason},
    identity::v1::{CreateGroupRequest, CreateUserRequest, GetSchemasRequest, GetVerifiersRequest},
};
use service_runtime::health::State;
use tokio::time::timeout;
use tonic::{Request, Status};

use super::{Tenants, group, user};
use crate::store::engine::PATIENCE;

fn reason<T: std::fmt::Debug>(result: Result<T, Status>) -> ErrorReason {
    Details::of(&result.unwrap_err()).unwrap().reason
}

async fn says(it: &Tenants, told: impl Fn(&State) -> bool) {
    let mut reports = it.running.readiness().subscribe();
    let report = reports.wait_for(|report| report.dependencies.get("tenants file").is_some_and(&told));
    let report = timeout(PATIENCE, report).await.expect("in time").unwrap();
    assert!(report.is_ready(), "what is in force is served");
}

/// Waits until something holds that the file brings about.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("the file is followed");
}

const KESTREL: &str = "[tenants.kestrel.directory]\n";
const MERLIN: &str = "[tenants.merlin.directory]\n";

#[tokio::test]
async fn tenants_come_and_go_and_what_they_have_stays() {
    let store = EmbeddedStore::in_memory().unwrap();
    let it = Tenants::on(store.clone(), KESTREL).await;
    assert_eq!(reason(it.user("merlin", "odile").await), ErrorReason::UnknownTenant);
    it.write(&format!("{KESTREL}{MERLIN}"));
    until(async || it.summary("merlin").await.is_ok()).await;
    let odile = it.user("merlin", "odile").await.unwrap();
    let verified = async || {
        let verifiers = it.credentials().get_verifiers(GetVerifiersRequest::default()).await;
        let tenants = verifiers.unwrap().into_inner().tenants;
        tenants.into_iter().map(|tenant| tenant.tenant).collect::<Vec<_>>()
    };
    assert_eq!(verified().await, ["kestrel", "merlin"]);

    it.write(KESTREL);
    until(async || it.summary("merlin").await.is_err()).await;
    assert_eq!(reason(it.get_user("merlin", &odile).await), ErrorReason::UnknownTenant);
    assert_eq!(verified().await, ["kestrel"], "nobody may call as it any more");
    let kept = store
        .get(&Tenant::new("merlin"), Kind::User, odile.parse().unwrap())
        .await;
    assert!(kept.unwrap().is_some(), "its data stays");

    it.write(&format!("{MERLIN}{KESTREL}"));
    until(async || it.get_user("merlin", &odile).await.is_ok()).await;
}

#[tokio::test]
async fn a_faulty_file_changes_nothing_and_says_why() {
    let it = Tenants::on(EmbeddedStore::in_memory().unwrap(), KESTREL).await;
    says(&it, |state| *state == State::Ready).await;
    let odile = it.user("kestrel", "odile").await.unwrap();
    for (text, told) in [
        ("[tenants.kestrel.direc", "line 1"),
        (
            "[tenants.kestrel.directory]\ndelete_mode = 'destroy'",
            "tenants.kestrel.directory.delete_mode",
        ),
        (
            "[tenants.merlin.directory]\nschemas_file = '/nowhere'",
            "tenants.merlin: cannot read SCHEMAS_FILE",
        ),
        (
            "[tenants.merlin.credentials]\noauth_client_secret_sha256 = 's3cret'",
            "oauth_client_secret_sha256: is a secret",
        ),
        (
            "[tenants.merlin.platform]\n[tenants.Merlin.platform]",
            "tenants.Merlin: is no name",
        ),
    ] {
        it.write(text);
        says(
            &it,
            |state| matches!(state, State::Degraded(said) if said.contains(told) && !said.contains("s3cret")),
        )
        .await;
        it.get_user("kestrel", &odile).await.unwrap();
        assert!(it.summary("merlin").await.is_err());
    }
    it.write(KESTREL);
    says(&it, |state| *state == State::Ready).await;
}

#[tokio::test]
async fn rules_that_changed_hold_for_the_next_request() {
    let it = Tenants::on(EmbeddedStore::in_memory().unwrap(), &format!("{KESTREL}{MERLIN}")).await;
    let nobody = "018f2f3e-0000-7000-8000-000000000001".to_owned();
    let with_nobody = |tenant: &str, name: &str| {
        let request = CreateGroupRequest {
            tenant: tenant.to_owned(),
            group: Some(group(name, std::slice::from_ref(&nobody))),
            request_id: None,
        };
        let mut client = it.groups();
        async move { client.create_group(request).await.map(drop) }
    };
    assert!(with_nobody("kestrel", "sales").await.is_err());
    it.write(&format!("{KESTREL}unknown_members = 'keep'\ndry_run = true\n{MERLIN}"));
    until(async || it.summary("kestrel").await.unwrap().dry_run).await;
    with_nobody("kestrel", "sales").await.unwrap();
    assert!(
        with_nobody("merlin", "sales").await.is_err(),
        "the neighbour's rules are its own"
    );
    assert!(!it.summary("merlin").await.unwrap().dry_run);
}

#[tokio::test]
async fn each_tenant_has_its_schemas_and_a_changed_file_of_them_is_taken() {
    let extension = |name: &str| {
        serde_json::json!([{
            "id": format!("urn:example:{name}:2.0:User"), "name": name,
            "attributes": [{"name": "badge", "type": "string"}]
        }])
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("schemas.json");
    std::fs::write(&path, extension("one").to_string()).unwrap();
    let text = format!("{KESTREL}schemas_file = '{}'\n{MERLIN}", path.display());
    let it = Tenants::on(EmbeddedStore::in_memory().unwrap(), &text).await;
    let schemas = async |tenant: &str| {
        let request = GetSchemasRequest {
            tenant: tenant.to_owned(),
        };
        it.schemas().get_schemas(request).await.unwrap().into_inner()
    };
    let (kestrel, merlin) = (schemas("kestrel").await, schemas("merlin").await);
    assert_eq!((kestrel.extensions.len(), merlin.extensions.len()), (1, 0));
    // What was read by a neighbour's table is not written.
    let write = |tenant: &str, hash: &str| {
        let mut request = Request::new(CreateUserRequest {
            tenant: tenant.to_owned(),
            user: Some(user("odile")),
            request_id: None,
        });
        request.metadata_mut().insert(SCHEMAS_HASH, hash.parse().unwrap());
        let mut client = it.users();
        async move { client.create_user(request).await.map(drop) }
    };
    assert_eq!(
        reason(write("merlin", &kestrel.hash).await),
        ErrorReason::SchemasChanged
    );
    write("merlin", &merlin.hash).await.unwrap();
    std::fs::write(&path, extension("two").to_string()).unwrap();
    until(async || schemas("kestrel").await.hash != kestrel.hash).await;
    assert_eq!(
        reason(write("kestrel", &kestrel.hash).await),
        ErrorReason::SchemasChanged
    );
    assert_eq!(schemas("merlin").await.hash, merlin.hash);
}
