//! `CredentialService`.

use jiff::Timestamp;
use prost::Message;
use proto::{
    identity::v1::{
        AssertionTrust, BearerTokenVerifier, ClientVerifier, CreateBearerTokenRequest, CreateBearerTokenResponse,
        CreateClientRequest, CreateClientResponse, Credential, CredentialKind, EntraTokenVerifier, GetVerifiersRequest,
        GetVerifiersResponse, IssueAccessTokenRequest, IssueAccessTokenResponse, ListCredentialsRequest,
        ListCredentialsResponse, RecordUsesRequest, RecordUsesResponse, RevokeCredentialRequest,
        RevokeCredentialResponse, RotateClientSecretRequest, RotateClientSecretResponse, RotateSigningKeyRequest,
        RotateSigningKeyResponse, Secret, SecretVerifier, SigningKeyVerifier, TenantVerifiers,
        credential_service_server::CredentialService,
    },
    time::{from_proto, to_proto},
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status, async_trait, metadata::MetadataMap};
use uuid::Uuid;

use super::origin;
use crate::{
    config::provisioning_service,
    credentials::{
        By, Credentials, Shown, Verifiers,
        kept::{self, Trust, What},
    },
    error::Error,
};

/// How many uses one call may note.
const MOST_USES: usize = 1_000;
/// How many audiences or applications one trust may name, and how long each may be.
const MOST_NAMES: usize = 16;
const LONGEST_NAME: usize = 256;
const LONGEST_REQUEST_ID: usize = 64;

/// The service.
pub(crate) struct CredentialBook {
    credentials: Credentials,
}

impl CredentialBook {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials }
    }
}

#[async_trait]
impl CredentialService for CredentialBook {
    async fn get_verifiers(
        &self,
        request: Request<GetVerifiersRequest>,
    ) -> Result<Response<GetVerifiersResponse>, Status> {
        let verifiers = self.credentials.verifiers(Timestamp::now()).await?;
        let tenants: Vec<_> = verifiers.into_iter().map(of_tenant).collect();
        let mut response = GetVerifiersResponse {
            hash: String::new(),
            tenants,
        };
        response.hash = Sha256::digest(response.encode_to_vec())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if request.get_ref().known_hash == response.hash {
            response.tenants.clear();
        }
        Ok(Response::new(response))
    }

    async fn issue_access_token(
        &self,
        request: Request<IssueAccessTokenRequest>,
    ) -> Result<Response<IssueAccessTokenResponse>, Status> {
        let request = request.into_inner();
        let tenant = self.credentials.tenant(&request.tenant)?;
        let issued = self
            .credentials
            .issue(&tenant, &request.credential_id, &request.secret_id, Timestamp::now())
            .await?;
        Ok(Response::new(IssueAccessTokenResponse {
            access_token: issued.token,
            expires_in: u32::try_from(issued.lifetime.as_secs()).unwrap_or(u32::MAX),
        }))
    }

    async fn record_uses(&self, request: Request<RecordUsesRequest>) -> Result<Response<RecordUsesResponse>, Status> {
        let request = request.into_inner();
        let tenant = self.credentials.tenant(&request.tenant)?;
        if request.uses.len() > MOST_USES {
            return Err(invalid("uses", "has more than 1,000 entries").into());
        }
        let uses = request
            .uses
            .into_iter()
            .filter_map(|use_| Some((use_.credential_id, from_proto(&use_.used_at?)?)));
        let uses: Vec<_> = uses.collect();
        self.credentials.record_uses(&tenant, &uses, Timestamp::now()).await?;
        Ok(Response::new(RecordUsesResponse {}))
    }

    async fn list_credentials(
        &self,
        request: Request<ListCredentialsRequest>,
    ) -> Result<Response<ListCredentialsResponse>, Status> {
        let tenant = self.credentials.tenant(&request.get_ref().tenant)?;
        let all = self.credentials.list(&tenant).await?.into_iter();
        Ok(Response::new(ListCredentialsResponse {
            credentials: all.map(shown).collect(),
        }))
    }

    async fn create_bearer_token(
        &self,
        request: Request<CreateBearerTokenRequest>,
    ) -> Result<Response<CreateBearerTokenResponse>, Status> {
        let by = by(request.metadata());
        let request = request.into_inner();
        let tenant = self.credentials.tenant(&request.tenant)?;
        let expires = expiry(request.expires_at, by.now)?;
        let by = with_id(by, request.request_id)?;
        let made = self.credentials.new_bearer_token(&tenant, &request.name, expires, by);
        let (credential, token) = made.await?;
        Ok(Response::new(CreateBearerTokenResponse {
            credential: Some(shown(credential)),
            token: token.expose_secret().to_owned(),
        }))
    }

    async fn create_client(
        &self,
        request: Request<CreateClientRequest>,
    ) -> Result<Response<CreateClientResponse>, Status> {
        let by = by(request.metadata());
        let request = request.into_inner();
        let tenant = self.credentials.tenant(&request.tenant)?;
        let expires = expiry(request.expires_at, by.now)?;
        let trust = request.assertion.map(trust).transpose()?;
        let by = with_id(by, request.request_id)?;
        let made = self.credentials.new_client(&tenant, &request.name, trust, expires, by);
        let (credential, secret) = made.await?;
        Ok(Response::new(CreateClientResponse {
            credential: Some(shown(credential)),
            client_secret: secret.map_or_else(String::new, |secret| secret.expose_secret().to_owned()),
        }))
    }

    async fn rotate_client_secret(
        &self,
        request: Request<RotateClientSecretRequest>,
    ) -> Result<Response<RotateClientSecretResponse>, Status> {
        let by = by(request.metadata());
        let request = request.into_inner();
        let tenant = self.credentials.tenant(&request.tenant)?;
        let expires = expiry(request.expires_at, by.now)?;
        let by = with_id(by, request.request_id)?;
        let rotated = self
            .credentials
            .rotate_secret(&tenant, &request.credential, expires, by);
        let (credential, secret) = rotated.await?;
        Ok(Response::new(RotateClientSecretResponse {
            credential: Some(shown(credential)),
            client_secret: secret.expose_secret().to_owned(),
        }))
    }

    async fn revoke_credential(
        &self,
        request: Request<RevokeCredentialRequest>,
    ) -> Result<Response<RevokeCredentialResponse>, Status> {
        let by = by(request.metadata());
        let request = request.into_inner();
        let tenant = self.credentials.tenant(&request.tenant)?;
        let revoked = self
            .credentials
            .revoke(&tenant, &request.credential, &request.secret_id, by);
        revoked.await?;
        Ok(Response::new(RevokeCredentialResponse {}))
    }

    async fn rotate_signing_key(
        &self,
        request: Request<RotateSigningKeyRequest>,
    ) -> Result<Response<RotateSigningKeyResponse>, Status> {
        let by = by(request.metadata());
        let request = request.into_inner();
        let tenant = self.credentials.tenant(&request.tenant)?;
        let rotated = self.credentials.rotate_key(&tenant, request.end_tokens, by);
        Ok(Response::new(RotateSigningKeyResponse { key_id: rotated.await? }))
    }
}

/// Who asks, and when.
fn by(metadata: &MetadataMap) -> By {
    By {
        origin: origin(metadata),
        now: Timestamp::now(),
        request_id: None,
    }
}

/// The same, of a request that may be a repeat.
fn with_id(by: By, request_id: Option<String>) -> Result<By, Error> {
    let request_id = request_id.filter(|id| !id.is_empty());
    if request_id.as_ref().is_some_and(|id| id.len() > LONGEST_REQUEST_ID) {
        return Err(invalid("request_id", "has at most 64 bytes"));
    }
    Ok(By { request_id, ..by })
}

fn invalid(field: &'static str, problem: &str) -> Error {
    Error::InvalidRequest {
        field,
        problem: problem.to_owned(),
    }
}

/// When a credential shall end.
fn expiry(at: Option<prost_types::Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let Some(at) = at else { return Ok(None) };
    let at = from_proto(&at).filter(|at| *at > now);
    at.map(Some)
        .ok_or_else(|| invalid("expires_at", "is not in the future"))
}

fn trust(asked: AssertionTrust) -> Result<Trust, Error> {
    let uuid = |field, text: &str| {
        let parsed = Uuid::try_parse(text).map_err(|_| invalid(field, "is not a UUID"))?;
        Ok::<_, Error>(parsed.hyphenated().to_string())
    };
    let fits = |name: &String| (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
    if !(1..=MOST_NAMES).contains(&asked.audiences.len()) || !asked.audiences.iter().all(fits) {
        return Err(invalid("assertion.audiences", "has 1 to 16 entries of up to 256 bytes"));
    }
    if asked.applications.len() > MOST_NAMES {
        return Err(invalid("assertion.applications", "has at most 16 entries"));
    }
    let applications = match &asked.applications[..] {
        [] => provisioning_service(),
        some => some
            .iter()
            .map(|one| uuid("assertion.applications", one))
            .collect::<Result<_, _>>()?,
    };
    Ok(Trust {
        entra_tenant_id: uuid("assertion.entra_tenant_id", &asked.entra_tenant_id)?,
        subject: uuid("assertion.subject", &asked.subject)?,
        audiences: asked.audiences,
        applications,
    })
}

fn shown(Shown { credential, last_used }: Shown) -> Credential {
    let kind = match &credential.what {
        What::BearerToken { .. } => CredentialKind::BearerToken,
        What::Client { .. } => CredentialKind::Client,
        What::WorkloadIdentity { .. } => CredentialKind::WorkloadIdentity,
        What::EntraToken { .. } => CredentialKind::EntraToken,
    };
    let secret = |secret: &kept::Secret| Secret {
        id: secret.id.clone(),
        created_at: secret.created.map(to_proto),
        expires_at: secret.expires.map(to_proto),
    };
    Credential {
        kind: kind.into(),
        client_id: credential.client_id().unwrap_or_default().to_owned(),
        created_at: credential.created.map(to_proto),
        expires_at: credential.expires().map(to_proto),
        last_used_at: last_used.map(to_proto),
        read_only: credential.created.is_none(),
        secrets: credential.secrets().iter().map(secret).collect(),
        id: credential.id,
        name: credential.name,
    }
}

fn of_tenant(verifiers: Verifiers) -> TenantVerifiers {
    let mut of = TenantVerifiers {
        tenant: verifiers.tenant.to_string(),
        ..TenantVerifiers::default()
    };
    for credential in verifiers.credentials {
        let secrets = credential.secrets().iter().map(|secret| SecretVerifier {
            id: secret.id.clone(),
            sha256: secret.sha256.as_bytes().to_vec(),
            expires_at: secret.expires.map(to_proto),
        });
        let secrets = secrets.collect();
        let kept::Credential { id, name, what, .. } = credential;
        match what {
            What::BearerToken { sha256, expires } => of.bearer_tokens.push(BearerTokenVerifier {
                id,
                name,
                sha256: sha256.as_bytes().to_vec(),
                expires_at: expires.map(to_proto),
            }),
            What::Client { client_id, .. } => of.clients.push(ClientVerifier {
                id,
                name,
                client_id,
                secrets,
                assertion: None,
            }),
            What::WorkloadIdentity { client_id, trust, .. } => of.clients.push(ClientVerifier {
                id,
                name,
                client_id,
                secrets,
                assertion: Some(AssertionTrust {
                    entra_tenant_id: trust.entra_tenant_id,
                    subject: trust.subject,
                    audiences: trust.audiences,
                    applications: trust.applications,
                }),
            }),
            What::EntraToken { trust } => of.entra_tokens.push(EntraTokenVerifier {
                id,
                name,
                entra_tenant_id: trust.entra_tenant_id,
                audiences: trust.audiences,
                applications: trust.applications,
            }),
        }
    }
    of.signing_keys = verifiers
        .keys
        .into_iter()
        .map(|(key_id, public)| SigningKeyVerifier {
            key_id,
            ed25519_public_key: public.to_vec(),
        })
        .collect();
    of
}
