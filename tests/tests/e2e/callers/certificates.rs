//! Callers that are known by their certificates: mutual TLS, with what is wrong about a certificate, and with files that are
//! replaced.

use std::path::PathBuf;

use proto::{
    error::ErrorReason,
    identity::v1::{DeleteUserRequest, ListUsersRequest, user_service_client::UserServiceClient},
};
use service_runtime::{Connection, GrpcArgs, GrpcCallArgs};
use tempfile::TempDir;
use tonic::{Code, Status};

use super::{
    FIRST, Identity, assert_refused,
    authority::{Authority, Pair},
};
use crate::{
    deployment::{Setup, TENANT},
    processes::PATIENCE,
};

/// The files of a service with TLS, of a caller, and of the authority of both.
struct Files {
    folder: TempDir,
    authority: Authority,
    ca: PathBuf,
    server: Pair,
    caller: Pair,
}

impl Files {
    fn new(caller: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Self {
            authority: Authority::new(),
            ca: folder.path().join("ca.pem"),
            server: Pair::in_folder(folder.path(), "server"),
            caller: Pair::in_folder(folder.path(), "caller"),
            folder,
        };
        files.authority.write(&files.ca);
        files.authority.certify(&["localhost"], &files.server);
        files.authority.certify(&[caller], &files.caller);
        files
    }

    /// The flags of a service with this certificate.
    fn server(&self) -> Vec<String> {
        vec![
            format!("--grpc-cert-file={}", self.server.certificate.display()),
            format!("--grpc-key-file={}", self.server.key.display()),
        ]
    }

    /// The same, that asks callers for theirs.
    fn mutual(&self) -> Vec<String> {
        let ca = format!("--grpc-client-ca-file={}", self.ca.display());
        self.server().into_iter().chain([ca]).collect()
    }

    async fn identity(&self, files: &[(&str, &str)], flags: &[String]) -> Identity {
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        Identity::start(files, &flags).await
    }
}

async fn list(connection: &Connection) -> Result<(), Status> {
    let request = ListUsersRequest {
        tenant: TENANT.to_owned(),
        ..ListUsersRequest::default()
    };
    let mut users = UserServiceClient::new(connection.clone());
    users.list_users(request).await.map(drop)
}

fn connect(identity: &Identity, call: &GrpcCallArgs) -> Connection {
    service_runtime::connect_as(&identity.over_tls(), PATIENCE, call).unwrap()
}

#[tokio::test]
async fn only_who_has_a_valid_certificate_of_that_authority_is_served() {
    let files = Files::new("gateway.internal");
    let identity = files.identity(&[], &files.mutual()).await;
    list(&connect(&identity, &files.caller.calling(&files.ca)))
        .await
        .unwrap();

    let other = Authority::new();
    let [strange, expired] = ["strange", "expired"].map(|name| Pair::in_folder(files.folder.path(), name));
    other.certify(&["gateway.internal"], &strange);
    files.authority.certify_expired(&["gateway.internal"], &expired);
    let nobody = GrpcCallArgs {
        grpc_ca_file: Some(files.ca.clone()),
        ..GrpcCallArgs::default()
    };
    for (what, call) in [
        ("another authority's", strange.calling(&files.ca)),
        ("an expired one", expired.calling(&files.ca)),
        ("none", nobody),
    ] {
        let status = list(&connect(&identity, &call)).await.unwrap_err();
        let unserved = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal);
        assert!(unserved, "{what}: {status:?}");
    }
    // Without TLS nobody is understood.
    let plain = service_runtime::connect(&identity.url, PATIENCE).unwrap();
    list(&plain).await.unwrap_err();
}

#[tokio::test]
async fn a_service_that_another_authority_vouches_for_is_not_called() {
    let files = Files::new("gateway.internal");
    let identity = files.identity(&[], &files.mutual()).await;
    let other = files.folder.path().join("other-ca.pem");
    Authority::new().write(&other);
    let status = list(&connect(&identity, &files.caller.calling(&other)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    // Nor one that is certified for another name.
    files.authority.certify(&["elsewhere.example"], &files.server);
    let identity = files.identity(&[], &files.mutual()).await;
    let status = list(&connect(&identity, &files.caller.calling(&files.ca)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn a_caller_that_is_known_by_its_certificate_has_the_rights_of_its_entry() {
    let files = Files::new("spiffe://corp.example/reporting");
    let callers = "[callers.reporting]\nrights = [\"read\"]\ncertificate = [\"spiffe://corp.example/reporting\"]\n";
    let identity = files.identity(&[("grpc-callers-file", callers)], &files.mutual()).await;
    let connection = connect(&identity, &files.caller.calling(&files.ca));
    list(&connection).await.unwrap();
    let request = DeleteUserRequest {
        tenant: TENANT.to_owned(),
        id: "anybody".to_owned(),
        ..DeleteUserRequest::default()
    };
    let refused = UserServiceClient::new(connection)
        .delete_user(request)
        .await
        .unwrap_err();
    assert_refused(&refused, Code::PermissionDenied, ErrorReason::RightMissing);

    // The same authority's certificate for another name is nobody's, and a wrong token does not become good by a good certificate.
    let other = Pair::in_folder(files.folder.path(), "other");
    files.authority.certify(&["spiffe://corp.example/payroll"], &other);
    let with_token = GrpcCallArgs {
        own: GrpcArgs {
            grpc_token: Some(FIRST.into()),
            ..files.caller.calling(&files.ca).own
        },
        ..files.caller.calling(&files.ca)
    };
    for call in [other.calling(&files.ca), with_token] {
        let refused = list(&connect(&identity, &call)).await.unwrap_err();
        assert_refused(&refused, Code::Unauthenticated, ErrorReason::CallerUnknown);
    }
}

/// With a token besides, a certificate alone is not enough: it was not said that it should be.
#[tokio::test]
async fn where_a_token_is_shared_a_certificate_alone_is_nobody() {
    let files = Files::new("gateway.internal");
    let token = format!("--grpc-token={FIRST}");
    let flags: Vec<_> = files.mutual().into_iter().chain([token]).collect();
    let identity = files.identity(&[], &flags).await;
    let mut call = files.caller.calling(&files.ca);
    let refused = list(&connect(&identity, &call)).await.unwrap_err();
    assert_refused(&refused, Code::Unauthenticated, ErrorReason::CallerUnknown);
    call.own.grpc_token = Some(FIRST.into());
    list(&connect(&identity, &call)).await.unwrap();
}

/// Both sides get certificates of another authority while they run: a call that is under way goes on by the old ones, and the next
/// connection takes the new ones.
#[tokio::test]
async fn certificates_are_replaced_while_everything_runs() {
    let files = Files::new("gateway.internal");
    let mut identity = files.identity(&[], &files.mutual()).await;
    let connection = connect(&identity, &files.caller.calling(&files.ca));
    list(&connection).await.unwrap();

    let next = Authority::new();
    next.write(&files.ca);
    next.certify(&["localhost"], &files.server);
    next.certify(&["gateway.internal"], &files.caller);
    list(&connection).await.unwrap();
    identity.restart().await;
    list(&connection).await.unwrap();
    // And what is half written leaves those of before in force.
    std::fs::write(&files.caller.certificate, "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    identity.restart().await;
    list(&connection).await.unwrap();
}

/// The whole way over mutual TLS, from SCIM to the Platform.
#[tokio::test]
async fn services_deliver_over_mutual_tls() {
    let files = Files::new("gateway.internal");
    let ca = format!("--grpc-ca-file={}", files.ca.display());
    let both: Vec<_> = files.mutual().into_iter().chain([ca.clone()]).collect();
    let caller = [
        format!("--grpc-cert-file={}", files.caller.certificate.display()),
        format!("--grpc-key-file={}", files.caller.key.display()),
        ca,
    ];
    fn texts(flags: &[String]) -> Vec<&str> {
        flags.iter().map(String::as_str).collect()
    }
    let deployment = Setup::default()
        .over_tls()
        .adapter(&texts(&files.mutual()))
        .identity(&texts(&both))
        .gateway(&texts(&caller))
        .start()
        .await;
    deployment.scim.create_user("odile@example.com").await;
    deployment
        .until(async |it| it.platform.names().await.contains(&"odile@example.com".to_owned()))
        .await;
}
