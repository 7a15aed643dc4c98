//! `token` and `client`: who may call SCIM. Secrets come out of here once; they are told to be the last line, so that they are
//! seen, and so that a program knows where they are.

use std::time::Duration;

use jiff::Timestamp;
use proto::{
    identity::v1::{
        AssertionTrust, CreateBearerTokenRequest, CreateClientRequest, Credential, CredentialKind,
        ListCredentialsRequest, RevokeCredentialRequest, RotateClientSecretRequest, RotateSigningKeyRequest,
    },
    time::{from_proto, to_proto},
};
use uuid::Uuid;

use crate::{
    arguments::{NewClientArgs, NewTokenArgs, RevokeArgs, RotateArgs},
    confirm,
    error::Error,
    output::Output,
    service::{Service, said},
    table::clean,
};

/// Makes a bearer token.
pub(crate) async fn new_token(service: &Service, output: &Output, arguments: &NewTokenArgs) -> Result<(), Error> {
    let request_id = request_id(arguments.request_id.as_deref());
    let request = CreateBearerTokenRequest {
        tenant: service.tenant.clone(),
        name: arguments.name.clone(),
        expires_at: end(arguments.expires)?,
        request_id: Some(request_id.clone()),
    };
    let answer = service.credentials().create_bearer_token(service.act(request)).await;
    let answer = told_once(service.answer(answer), request_id)?;
    if output.json {
        return output.message(&answer);
    }
    let credential = said(answer.credential)?;
    output.text(&format!("{}token    {}\n", head(&credential), clean(&answer.token)))
}

/// Makes an OAuth client.
pub(crate) async fn new_client(service: &Service, output: &Output, arguments: NewClientArgs) -> Result<(), Error> {
    let trust = |entra_tenant_id| AssertionTrust {
        entra_tenant_id,
        subject: arguments.subject.unwrap_or_default(),
        audiences: arguments.audience,
        applications: arguments.application,
    };
    let request_id = request_id(arguments.request_id.as_deref());
    let request = CreateClientRequest {
        tenant: service.tenant.clone(),
        name: arguments.name,
        expires_at: end(arguments.expires)?,
        assertion: arguments.entra_tenant.map(trust),
        request_id: Some(request_id.clone()),
    };
    let answer = service.credentials().create_client(service.act(request)).await;
    let answer = told_once(service.answer(answer), request_id)?;
    if output.json {
        return output.message(&answer);
    }
    let credential = said(answer.credential)?;
    output.text(&format!("{}{}", head(&credential), secret(&answer.client_secret)))
}

/// Makes another secret of a client.
pub(crate) async fn rotate(service: &Service, output: &Output, arguments: &RotateArgs) -> Result<(), Error> {
    let request_id = request_id(arguments.request_id.as_deref());
    let request = RotateClientSecretRequest {
        tenant: service.tenant.clone(),
        credential: arguments.client.clone(),
        expires_at: end(arguments.expires)?,
        request_id: Some(request_id.clone()),
    };
    let answer = service.credentials().rotate_client_secret(service.act(request)).await;
    let answer = told_once(service.answer(answer), request_id)?;
    if output.json {
        return output.message(&answer);
    }
    let credential = said(answer.credential)?;
    output.text(&format!("{}{}", head(&credential), secret(&answer.client_secret)))
}

/// Ends a credential, or one secret of it.
pub(crate) async fn revoke(service: &Service, output: &Output, arguments: &RevokeArgs) -> Result<(), Error> {
    confirm::askable(arguments.yes)?;
    if !arguments.yes {
        confirm::ask(&format!(
            "Whoever calls SCIM of tenant {} by {} is refused from now on; Entra stops provisioning at once where it is its only credential.",
            service.tenant,
            clean(&arguments.credential)
        ))?;
    }
    let request = RevokeCredentialRequest {
        tenant: service.tenant.clone(),
        credential: arguments.credential.clone(),
        secret_id: arguments.secret.clone().unwrap_or_default(),
    };
    let answer = service.answer(service.credentials().revoke_credential(service.act(request)).await)?;
    if output.json {
        return output.message(&answer);
    }
    output.text("revoked; gateways know within ten seconds\n")
}

/// Has access tokens signed by a new key.
pub(crate) async fn rotate_key(service: &Service, output: &Output, end_tokens: bool) -> Result<(), Error> {
    let request = RotateSigningKeyRequest {
        tenant: service.tenant.clone(),
        end_tokens,
    };
    let answer = service.answer(service.credentials().rotate_signing_key(service.act(request)).await)?;
    if output.json {
        return output.message(&answer);
    }
    output.text(&format!("key {}\n", clean(&answer.key_id)))
}

/// Lists every credential.
pub(crate) async fn list(service: &Service, output: &Output) -> Result<(), Error> {
    let credentials = all(service).await?;
    if output.json {
        return credentials.iter().try_for_each(|one| output.message(one));
    }
    let rows: Vec<_> = credentials.iter().map(row).collect();
    let mut table = output.table(&["NAME", "KIND", "CREATED", "EXPIRES", "LAST USED", "ID"]);
    output.text(&table.rows(&rows))
}

/// Lists the clients, each of their secrets on a row.
pub(crate) async fn list_clients(service: &Service, output: &Output) -> Result<(), Error> {
    let mut credentials = all(service).await?;
    credentials.retain(|one| !one.client_id.is_empty());
    if output.json {
        return credentials.iter().try_for_each(|one| output.message(one));
    }
    let mut rows = Vec::new();
    for client in &credentials {
        let name = [client.name.clone(), kind(client).to_owned(), client.client_id.clone()];
        if client.secrets.is_empty() {
            rows.push([&name[..], &["-".to_owned(), String::new(), String::new()]].concat());
        }
        for secret in &client.secrets {
            let ends = [
                secret.id.clone(),
                time(secret.created_at.as_ref(), "settings"),
                time(secret.expires_at.as_ref(), "never"),
            ];
            rows.push([&name[..], &ends].concat());
        }
    }
    let mut table = output.table(&["NAME", "KIND", "CLIENT ID", "SECRET", "CREATED", "EXPIRES"]);
    output.text(&table.rows(&rows))
}

async fn all(service: &Service) -> Result<Vec<Credential>, Error> {
    let request = ListCredentialsRequest {
        tenant: service.tenant.clone(),
    };
    let answer = service.answer(service.credentials().list_credentials(request).await)?;
    Ok(answer.credentials)
}

/// The id by which a request is known to be the same again.
fn request_id(given: Option<&str>) -> String {
    given.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// What is told once may be lost on its way: then the request's id is what helps.
fn told_once<T>(answer: Result<T, Error>, request_id: String) -> Result<T, Error> {
    answer.map_err(|error| match error {
        Error::Unreachable { .. } => Error::AnswerLost {
            request_id,
            source: Box::new(error),
        },
        error => error,
    })
}

/// When what is to be good for so long ends; 0 is never.
fn end(expires: Duration) -> Result<Option<prost_types::Timestamp>, Error> {
    if expires.is_zero() {
        return Ok(None);
    }
    let at = Timestamp::now().checked_add(expires);
    let at = at.map_err(|_| Error::Usage("--expires is too long".to_owned()))?;
    Ok(Some(to_proto(at)))
}

fn head(credential: &Credential) -> String {
    let client = match credential.client_id.as_str() {
        "" => String::new(),
        id => format!("client   {}\n", clean(id)),
    };
    format!(
        "name     {}\nkind     {}\nexpires  {}\n{client}",
        clean(&credential.name),
        kind(credential),
        time(credential.expires_at.as_ref(), "never"),
    )
}

fn secret(secret: &str) -> String {
    match secret {
        "" => String::new(),
        secret => format!("secret   {}\n", clean(secret)),
    }
}

fn row(credential: &Credential) -> Vec<String> {
    vec![
        credential.name.clone(),
        kind(credential).to_owned(),
        time(credential.created_at.as_ref(), "settings"),
        time(credential.expires_at.as_ref(), "never"),
        time(credential.last_used_at.as_ref(), "never"),
        credential.id.clone(),
    ]
}

fn kind(credential: &Credential) -> &'static str {
    match credential.kind() {
        CredentialKind::BearerToken => "bearer token",
        CredentialKind::Client => "client",
        CredentialKind::WorkloadIdentity => "workload identity",
        CredentialKind::EntraToken => "Entra token",
        CredentialKind::Unspecified => "?",
    }
}

fn time(at: Option<&prost_types::Timestamp>, instead: &str) -> String {
    let at = at.and_then(from_proto);
    at.map_or_else(|| instead.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}
