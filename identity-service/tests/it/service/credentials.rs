//! `CredentialService`: secrets are told once, several credentials are good at once, and what settings name is read-only.

use identity_service::{credentials::SecretHash, store::embedded::EmbeddedStore};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use proto::{
    error::{Details, ErrorReason},
    identity::v1::{
        AssertionTrust, ClientVerifier, CreateBearerTokenRequest, CreateClientRequest, Credential, CredentialKind,
        CredentialUse, GetVerifiersRequest, IssueAccessTokenRequest, ListCredentialsRequest, RecordUsesRequest,
        RevokeCredentialRequest, RotateClientSecretRequest, RotateSigningKeyRequest, TenantVerifiers,
        credential_service_client::CredentialServiceClient,
    },
};
use serde_json::Value;
use tonic::{Code, Status, transport::Channel};

use super::{Served, TENANT};

const ENTRA: &str = "6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c0001";

/// A service whose settings name one bearer token.
struct Bench {
    service: CredentialServiceClient<Channel>,
    _served: Served,
}

impl Bench {
    async fn new() -> Self {
        let hash = SecretHash::of(&"dsg_of-settings".into());
        let flag = format!("--bearer-token-sha256={hash}");
        let served = Served::set(EmbeddedStore::in_memory().unwrap(), &[&flag]).await;
        Self {
            service: CredentialServiceClient::new(served.channel.clone()),
            _served: served,
        }
    }

    async fn new_token(&self, name: &str) -> Result<String, Status> {
        self.new_token_as(name, None).await
    }

    async fn new_token_as(&self, name: &str, request_id: Option<&str>) -> Result<String, Status> {
        let request = CreateBearerTokenRequest {
            tenant: TENANT.to_owned(),
            name: name.to_owned(),
            expires_at: None,
            request_id: request_id.map(str::to_owned),
        };
        let answer = self.service.clone().create_bearer_token(request).await;
        answer.map(|answer| answer.into_inner().token)
    }

    async fn new_client(&self, assertion: Option<AssertionTrust>) -> (Credential, String) {
        let request = CreateClientRequest {
            tenant: TENANT.to_owned(),
            name: "entra".to_owned(),
            expires_at: None,
            assertion,
            request_id: None,
        };
        let answer = self.service.clone().create_client(request).await.unwrap().into_inner();
        (answer.credential.unwrap(), answer.client_secret)
    }

    async fn rotate(&self) -> String {
        self.rotate_as(None).await
    }

    async fn rotate_as(&self, request_id: Option<&str>) -> String {
        let request = RotateClientSecretRequest {
            tenant: TENANT.to_owned(),
            credential: "entra".to_owned(),
            expires_at: None,
            request_id: request_id.map(str::to_owned),
        };
        let answer = self.service.clone().rotate_client_secret(request).await.unwrap();
        answer.into_inner().client_secret
    }

    async fn revoke(&self, credential: &str, secret: &str) -> Result<(), Status> {
        let request = RevokeCredentialRequest {
            tenant: TENANT.to_owned(),
            credential: credential.to_owned(),
            secret_id: secret.to_owned(),
        };
        self.service.clone().revoke_credential(request).await.map(drop)
    }

    async fn list(&self) -> Vec<Credential> {
        let tenant = TENANT.to_owned();
        let mut service = self.service.clone();
        let answer = service.list_credentials(ListCredentialsRequest { tenant });
        answer.await.unwrap().into_inner().credentials
    }

    async fn verifiers(&self) -> TenantVerifiers {
        let request = GetVerifiersRequest::default();
        let answer = self.service.clone().get_verifiers(request).await.unwrap().into_inner();
        let [tenant] = <[_; 1]>::try_from(answer.tenants).unwrap();
        tenant
    }

    async fn issue(&self, credential: &str, secret: &str) -> Result<String, Status> {
        let request = IssueAccessTokenRequest {
            tenant: TENANT.to_owned(),
            credential_id: credential.to_owned(),
            secret_id: secret.to_owned(),
        };
        let answer = self.service.clone().issue_access_token(request).await?.into_inner();
        assert_eq!(answer.expires_in, 3600);
        Ok(answer.access_token)
    }

    async fn rotate_key(&self, end_tokens: bool) -> String {
        let request = RotateSigningKeyRequest {
            tenant: TENANT.to_owned(),
            end_tokens,
        };
        let answer = self.service.clone().rotate_signing_key(request).await.unwrap();
        answer.into_inner().key_id
    }

    async fn used(&self, credential: &str, second: i64) {
        let request = RecordUsesRequest {
            tenant: TENANT.to_owned(),
            uses: vec![CredentialUse {
                credential_id: credential.to_owned(),
                used_at: Some(prost_types::Timestamp {
                    seconds: second,
                    nanos: 0,
                }),
            }],
        };
        self.service.clone().record_uses(request).await.unwrap();
    }
}

fn reason(status: &Status) -> (Code, ErrorReason) {
    (status.code(), Details::of(status).unwrap().reason)
}

fn hash(secret: &str) -> Vec<u8> {
    SecretHash::of(&secret.into()).as_bytes().to_vec()
}

/// The claims of a token, if one of these keys signed it.
fn claims(token: &str, verifiers: &TenantVerifiers) -> Option<Value> {
    let kid = decode_header(token).unwrap().kid.unwrap();
    let key = verifiers.signing_keys.iter().find(|key| key.key_id == kid)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["delinea-scim-gateway"]);
    let key = DecodingKey::from_ed_der(&key.ed25519_public_key);
    Some(decode::<Value>(token, &key, &validation).unwrap().claims)
}

#[tokio::test]
async fn a_token_is_told_once_and_kept_as_its_hash() {
    let bench = Bench::new().await;
    let token = bench.new_token("entra").await.unwrap();
    assert!(token.starts_with("dsg_") && token.len() == 47);
    let verifiers = bench.verifiers().await;
    let hashes: Vec<_> = verifiers.bearer_tokens.iter().map(|one| one.sha256.clone()).collect();
    assert_eq!(hashes, [hash("dsg_of-settings"), hash(&token)]);
    let all = bench.list().await;
    assert_eq!([all[0].read_only, all[1].read_only], [true, false]);
    assert_eq!(all[1].kind(), CredentialKind::BearerToken);
    assert!(all[1].created_at.is_some() && all[1].expires_at.is_none() && all[1].last_used_at.is_none());
    let taken = bench.new_token("entra").await.unwrap_err();
    assert_eq!(reason(&taken), (Code::AlreadyExists, ErrorReason::CredentialExists));
    for wrong in ["", "a b", "ä", "x\n", &"x".repeat(65)] {
        let refused = bench.new_token(wrong).await.unwrap_err();
        assert_eq!(
            reason(&refused),
            (Code::InvalidArgument, ErrorReason::InvalidRequest),
            "{wrong:?}"
        );
    }
    bench.revoke("entra", "").await.unwrap();
    assert_eq!(bench.verifiers().await.bearer_tokens.len(), 1);
    let gone = bench.revoke("entra", "").await.unwrap_err();
    assert_eq!(reason(&gone), (Code::NotFound, ErrorReason::NoSuchCredential));
    let fixed = bench.revoke(&all[0].name, "").await.unwrap_err();
    assert_eq!(
        reason(&fixed),
        (Code::FailedPrecondition, ErrorReason::CredentialReadOnly)
    );
}

/// Whose answer was lost, asks again with the request's id.
#[tokio::test]
async fn a_repeat_replaces_what_nobody_received_and_nothing_else() {
    let bench = Bench::new().await;
    let lost = bench.new_token_as("azure", Some("r-1")).await.unwrap();
    let told = bench.new_token_as("azure", Some("r-1")).await.unwrap();
    let verifiers = bench.verifiers().await;
    let hashes: Vec<_> = verifiers.bearer_tokens.iter().map(|one| one.sha256.clone()).collect();
    assert_eq!(
        hashes,
        [hash("dsg_of-settings"), hash(&told)],
        "one token, and not {lost}"
    );
    let another = bench.new_token_as("azure", Some("r-2")).await.unwrap_err();
    assert_eq!(reason(&another), (Code::AlreadyExists, ErrorReason::CredentialExists));
    let long = bench.new_token_as("other", Some(&"r".repeat(65))).await.unwrap_err();
    assert_eq!(reason(&long), (Code::InvalidArgument, ErrorReason::InvalidRequest));

    // Who has used it has received it, and keeps it.
    let id = bench.list().await[1].id.clone();
    bench.used(&id, 1_800_000_000).await;
    let late = bench.new_token_as("azure", Some("r-1")).await.unwrap_err();
    assert_eq!(reason(&late), (Code::AlreadyExists, ErrorReason::CredentialExists));

    // A client keeps the secret that it has, however often it is asked for the next.
    let (_, first) = bench.new_client(None).await;
    for _ in 0..3 {
        let next = bench.rotate_as(Some("r-3")).await;
        let verifiers = bench.verifiers().await;
        let secrets = verifiers.clients[0].secrets.iter();
        let hashes: Vec<_> = secrets.map(|secret| secret.sha256.clone()).collect();
        assert_eq!(hashes, [hash(&first), hash(&next)]);
    }
}

#[tokio::test]
async fn verifiers_are_sent_again_only_when_they_changed() {
    let bench = Bench::new().await;
    let ask = async |known_hash: &str| {
        let known_hash = known_hash.to_owned();
        let mut service = bench.service.clone();
        let answer = service.get_verifiers(GetVerifiersRequest { known_hash });
        let answer = answer.await.unwrap().into_inner();
        (answer.hash, answer.tenants.len())
    };
    let (first, tenants) = ask("").await;
    assert_eq!(tenants, 1);
    assert_eq!(ask(&first).await, (first.clone(), 0));
    bench.used(&bench.list().await[0].id, 1_000_000_000).await;
    assert_eq!(ask(&first).await.1, 0, "a use changes nothing that is checked");
    bench.new_token("entra").await.unwrap();
    let (second, tenants) = ask(&first).await;
    assert!(second != first && tenants == 1);
}

#[tokio::test]
async fn of_a_clients_secrets_two_are_live() {
    let bench = Bench::new().await;
    let (client, first) = bench.new_client(None).await;
    let live = async || {
        let clients = bench.verifiers().await.clients;
        let [ClientVerifier { secrets, .. }] = <[_; 1]>::try_from(clients).unwrap();
        secrets
            .into_iter()
            .map(|secret| (secret.id, secret.sha256))
            .collect::<Vec<_>>()
    };
    let second = bench.rotate().await;
    let both = live().await;
    assert_eq!([both[0].1.clone(), both[1].1.clone()], [hash(&first), hash(&second)]);
    let third = bench.rotate().await;
    let after = live().await;
    assert_eq!([after[0].1.clone(), after[1].1.clone()], [hash(&second), hash(&third)]);
    bench.revoke("entra", &after[0].0).await.unwrap();
    assert_eq!(live().await.len(), 1);
    assert!(bench.issue(&client.id, &after[1].0).await.is_ok());
    bench.revoke("entra", &after[1].0).await.unwrap();
    assert_eq!(live().await.len(), 0);
    let fourth = bench.rotate().await;
    assert_eq!(live().await[0].1, hash(&fourth), "it comes to a secret again");
    for secret in [&after[0].0, &after[1].0, &both[0].0, "", "other"] {
        let refused = bench.issue(&client.id, secret).await.unwrap_err();
        assert_eq!(
            reason(&refused),
            (Code::NotFound, ErrorReason::NoSuchCredential),
            "{secret}"
        );
    }
}

#[tokio::test]
async fn an_access_token_says_what_it_came_of_and_ends_with_its_key() {
    let bench = Bench::new().await;
    let trust = AssertionTrust {
        entra_tenant_id: ENTRA.to_uppercase(),
        subject: ENTRA.to_owned(),
        audiences: vec!["api://x".to_owned()],
        applications: vec![],
    };
    let (client, secret) = bench.new_client(Some(trust)).await;
    assert_eq!((client.kind(), secret.as_str()), (CredentialKind::WorkloadIdentity, ""));
    let shown = bench.verifiers().await.clients.remove(0).assertion.unwrap();
    assert_eq!(shown.entra_tenant_id, ENTRA);
    assert_eq!(shown.applications.len(), 1, "Entra's provisioning service");
    let token = bench.issue(&client.id, "").await.unwrap();
    let said = claims(&token, &bench.verifiers().await).unwrap();
    assert_eq!(
        [&said["sub"], &said["tenant"], &said["credential"]],
        [client.client_id.as_str(), TENANT, client.id.as_str()]
    );
    let first = bench.verifiers().await.signing_keys[0].key_id.clone();
    let second = bench.rotate_key(false).await;
    assert_ne!(first, second);
    assert!(
        claims(&token, &bench.verifiers().await).is_some(),
        "it is good to its end"
    );
    let newer = bench.issue(&client.id, "").await.unwrap();
    assert_eq!(decode_header(&newer).unwrap().kid, Some(second));
    bench.rotate_key(true).await;
    for token in [token, newer] {
        assert_eq!(claims(&token, &bench.verifiers().await), None);
    }
}

#[tokio::test]
async fn the_last_use_is_known_to_the_minute_and_never_goes_back() {
    let bench = Bench::new().await;
    bench.new_token("entra").await.unwrap();
    let id = bench.list().await[1].id.clone();
    let last = async |nth: usize| bench.list().await[nth].last_used_at.as_ref().map(|at| at.seconds);
    bench.used(&id, 1_000_000_019).await;
    assert_eq!(last(1).await, Some(999_999_960));
    bench.used(&id, 900_000_000).await;
    assert_eq!(last(1).await, Some(999_999_960));
    bench.used("nobody", 1_000_000_000).await;
    let of_settings = bench.list().await[0].id.clone();
    bench.used(&of_settings, 1_000_000_000).await;
    assert_eq!(last(0).await, Some(999_999_960), "of what settings name, too");
}

#[tokio::test]
async fn another_tenant_has_no_credentials_here() {
    let bench = Bench::new().await;
    let tenant = "other".to_owned();
    let mut service = bench.service.clone();
    let refused = service.list_credentials(ListCredentialsRequest { tenant });
    let refused = refused.await.unwrap_err();
    assert_eq!(reason(&refused), (Code::NotFound, ErrorReason::UnknownTenant));
}
