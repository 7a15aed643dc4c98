//! `POST /oauth2/token`: access tokens for OAuth clients, which show a secret (RFC 6749 §4.4, by HTTP Basic or in the form) or an
//! assertion of Entra (RFC 7523 §2.2). It checks what the client shows; identity-service signs.
//!
//! Scopes are neither asked for nor given: a client is one tenant's, and may do what SCIM offers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use proto::error::{Details, ErrorReason};
use proto::identity::v1::IssueAccessTokenRequest;
use serde_json::json;

use crate::auth::book::Client;
use crate::auth::{Book, Credentials, Rejection, jwt};
use crate::call::{Deadline, Terms};
use crate::origin::RequestId;
use crate::{Gateway, edge};

/// Where tokens are given.
pub const PATH: &str = "/oauth2/token";

/// A form has an assertion of a few kilobytes at most.
const MOST_BYTES: usize = 32 << 10;
/// How many parameters a form may have.
const MOST_PARAMETERS: usize = 32;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why there is no token.
#[derive(Debug)]
enum Refusal {
    /// The request is not one for a token (RFC 6749 §5.2).
    Request(&'static str),
    /// Another grant than the one there is.
    GrantType,
    /// The client is not believed, and whether it came by HTTP Basic.
    Client { rejection: Rejection, basic: bool },
    /// Its address, or its tenant, asks for more than TOKEN_RATE_LIMIT; when to come again.
    TooMany(Duration),
    /// A fault of ours.
    Unavailable(Rejection),
}

/// What a client shows.
enum Shown {
    Secret {
        client_id: String,
        secret: String,
        basic: bool,
    },
    Assertion {
        client_id: Option<String>,
        assertion: String,
    },
}

pub(crate) async fn token(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    let answer = give(&gateway, request).await;
    answer.unwrap_or_else(|refusal| {
        if let Refusal::Client { rejection, .. } | Refusal::Unavailable(rejection) = refusal {
            gateway.credentials.refused(rejection, request_id.as_ref());
        }
        refusal.into_response()
    })
}

async fn give(gateway: &Gateway, request: Request) -> Result<Response, Refusal> {
    let deadline = request.extensions().get::<Deadline>().copied().unwrap_or_default();
    // Before the body is read, and before anything is compared.
    let client = request.extensions().get::<edge::Client>().and_then(|client| client.0);
    gateway
        .limits
        .tokens
        .of_source(client)
        .await
        .map_err(Refusal::TooMany)?;
    let (head, body) = request.into_parts();
    let shown = read(&head.headers, body, gateway).await?;
    let Gateway {
        credentials, identity, ..
    } = gateway;
    let book = credentials.book(identity).await.map_err(Refusal::Unavailable)?;
    let (basic, mut found) = (shown.is_basic(), shown.check(&book, credentials).await);
    if matches!(found, Err(Rejection::Unknown | Rejection::Revoked)) {
        // The client, or its secret, may be younger than what we know.
        let newer = credentials.newer(identity).await.map_err(Refusal::Unavailable)?;
        found = shown.check(&newer, credentials).await;
    }
    let (who, secret_id) = found.map_err(|rejection| match rejection.is_ours() {
        true => Refusal::Unavailable(rejection),
        false => Refusal::Client { rejection, basic },
    })?;
    // Signing is identity-service's work, which all tenants share.
    gateway
        .limits
        .tokens
        .of_tenant(&who.tenant)
        .await
        .map_err(Refusal::TooMany)?;
    let message = IssueAccessTokenRequest {
        tenant: who.tenant.to_string(),
        credential_id: who.credential.to_string(),
        secret_id,
    };
    let issued = identity.issue_access_token(message, Terms::within(deadline)).await;
    let issued = issued.map_err(|status| match Details::of(&status).map(|details| details.reason) {
        // It was revoked just now.
        Some(ErrorReason::NoSuchCredential | ErrorReason::UnknownTenant) => Refusal::Client {
            rejection: Rejection::Revoked,
            basic,
        },
        _ => Refusal::Unavailable(Rejection::Unavailable),
    })?;
    credentials.used(&who);
    let body = json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
    });
    Ok(answer(StatusCode::OK, &body))
}

/// Reads what the client shows, once and in one way.
async fn read(headers: &HeaderMap, body: Body, gateway: &Gateway) -> Result<Shown, Refusal> {
    let is_form = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok()?.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    if !is_form {
        return Err(Refusal::Request("Send application/x-www-form-urlencoded."));
    }
    let collected = Limited::new(body, MOST_BYTES).collect();
    let limit = gateway.settings.body_timeout;
    let collected = if limit.is_zero() {
        collected.await
    } else {
        let in_time = tokio::time::timeout(limit, collected).await;
        in_time.map_err(|_| Refusal::Request("The body did not arrive in time."))?
    };
    let bytes = collected.map_err(|_| Refusal::Request("The body is broken, or larger than 32 KiB."))?;
    shown(headers, &bytes.to_bytes())
}

/// What the headers and the form say.
fn shown(headers: &HeaderMap, form: &[u8]) -> Result<Shown, Refusal> {
    let mut form = parameters(form)?;
    match form.remove("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err(Refusal::GrantType),
        None => return Err(Refusal::Request("grant_type is missing.")),
    }
    let basic = basic(headers)?;
    let client_id = form.remove("client_id");
    let secret = form.remove("client_secret");
    let assertion = form.remove("client_assertion");
    let kind = form.remove("client_assertion_type");
    match (basic, secret, assertion) {
        (Some((user, password)), None, None) => {
            if client_id.is_some_and(|id| id != user) {
                return Err(Refusal::Request(
                    "client_id differs from the one in the Authorization header.",
                ));
            }
            Ok(Shown::Secret {
                client_id: user,
                secret: password,
                basic: true,
            })
        }
        (None, Some(secret), None) => Ok(Shown::Secret {
            client_id: client_id.ok_or(Refusal::Request("client_id is missing."))?,
            secret,
            basic: false,
        }),
        (None, None, Some(assertion)) if kind.as_deref() == Some(ASSERTION_TYPE) => {
            Ok(Shown::Assertion { client_id, assertion })
        }
        (None, None, Some(_)) => Err(Refusal::Request("client_assertion_type is not one that is accepted.")),
        (None, None, None) => Err(Refusal::Client {
            rejection: Rejection::Missing,
            basic: false,
        }),
        _ => Err(Refusal::Request("The client shows itself in more than one way.")),
    }
}

/// Reads a request and tells nothing of it, for fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn look_at(headers: &HeaderMap, form: &[u8]) {
    if let Ok(Shown::Assertion { assertion, .. }) = shown(headers, form) {
        let _ = jwt::claimed(&assertion);
    }
}

/// The parameters of a form. One that is there twice makes the request invalid (RFC 6749 §3.2).
fn parameters(form: &[u8]) -> Result<HashMap<String, String>, Refusal> {
    let mut all = HashMap::new();
    for (name, value) in form_urlencoded::parse(form) {
        // An empty one counts as left out (§3.1).
        if value.is_empty() {
            continue;
        }
        if all.len() == MOST_PARAMETERS || all.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Refusal::Request("A parameter is given twice, or there are too many."));
        }
    }
    Ok(all)
}

/// Client id and secret from the header (RFC 6749 §2.3.1: each is encoded as in a form).
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    const WRONG: Refusal = Refusal::Client {
        rejection: Rejection::Malformed,
        basic: true,
    };
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(WRONG);
    }
    let text = first.to_str().map_err(|_| WRONG)?;
    let (scheme, encoded) = text.trim().split_once(' ').ok_or(WRONG)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(WRONG);
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| WRONG)?;
    let decoded = String::from_utf8(decoded).map_err(|_| WRONG)?;
    let (user, password) = decoded.split_once(':').ok_or(WRONG)?;
    let decode = |text: &str| {
        // A form of one parameter without a name.
        let mut parts = form_urlencoded::parse(text.as_bytes());
        parts.next().map(|(text, _)| text.into_owned()).unwrap_or_default()
    };
    // What has the form's own signs in it was not encoded.
    let plain = |text: &str| text.contains(['=', '&']);
    let read = |text: &str| if plain(text) { text.to_owned() } else { decode(text) };
    Ok(Some((read(user), read(password))))
}

impl Shown {
    fn is_basic(&self) -> bool {
        matches!(self, Self::Secret { basic: true, .. })
    }

    /// Whose client it is, and by which secret; the empty id for an assertion.
    async fn check(&self, book: &Book, credentials: &Credentials) -> Result<(crate::auth::Who, String), Rejection> {
        match self {
            Self::Secret { client_id, secret, .. } => {
                let client = book.client(client_id).ok_or(Rejection::Unknown)?;
                let secret_id = client.secret(secret, Timestamp::now()).ok_or(Rejection::Unknown)?;
                Ok((client.who.clone(), secret_id.to_owned()))
            }
            Self::Assertion { client_id, assertion } => {
                let client = Self::client(book, client_id.as_deref(), assertion)?;
                let trust = client.assertion.as_ref().ok_or(Rejection::Unknown)?;
                jwt::trusted(&credentials.rules, &credentials.key_sets, trust, assertion).await?;
                Ok((client.who.clone(), String::new()))
            }
        }
    }

    /// The client that an assertion is for: the one that it names, or the only one that this service principal may be.
    fn client<'b>(book: &'b Book, client_id: Option<&str>, assertion: &str) -> Result<&'b Client, Rejection> {
        let found = match client_id {
            Some(id) => book.client(id),
            None => {
                let (tenant, subject) = jwt::claimed(assertion).ok_or(Rejection::Malformed)?;
                book.client_of(&tenant, &subject)
            }
        };
        found.ok_or(Rejection::Unknown)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, words) = match &self {
            Self::Request(words) => (StatusCode::BAD_REQUEST, "invalid_request", *words),
            Self::GrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "The grant is client_credentials.",
            ),
            Self::Client { rejection, .. } => (StatusCode::UNAUTHORIZED, "invalid_client", client_words(*rejection)),
            Self::TooMany(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "temporarily_unavailable",
                "More tokens are asked for than the gateway's TOKEN_RATE_LIMIT lets through. Use each until it ends.",
            ),
            Self::Unavailable(rejection) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                rejection.words(),
            ),
        };
        let body = json!({ "error": code, "error_description": words });
        let mut response = answer(status, &body);
        let headers = response.headers_mut();
        match self {
            Self::Client { basic: true, .. } => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="oauth2""#));
            }
            Self::TooMany(after) => {
                // Whole seconds, and never before the moment.
                let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            Self::Unavailable(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

/// What a client is told that is not believed.
fn client_words(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::Missing => "The client shows neither a secret nor an assertion.",
        Rejection::Expired => "The assertion has ended.",
        Rejection::Signature | Rejection::Claims(_) | Rejection::Ambiguous => {
            "The assertion is not one that this client may show. The gateway's log has the reason."
        }
        _ => {
            "The client, its secret or its assertion is not accepted. Compare Client Identifier and Client Secret in Entra."
        }
    }
}

/// An answer that nobody may keep (RFC 6749 §5.1).
fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: Option<&str>) -> HeaderMap {
        let line = authorization.map(|text| (AUTHORIZATION, HeaderValue::from_str(text).unwrap()));
        line.into_iter().collect()
    }

    #[test]
    fn a_client_shows_itself_in_one_way() {
        let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let secret = |authorization: Option<&str>, form: &str| match shown(&headers(authorization), form.as_bytes()) {
            Ok(Shown::Secret { client_id, secret, .. }) => format!("{client_id} {secret}"),
            Ok(Shown::Assertion { client_id, assertion }) => format!("{} {assertion}", client_id.unwrap_or_default()),
            Err(Refusal::Request(_)) => "request".to_owned(),
            Err(Refusal::GrantType) => "grant".to_owned(),
            Err(_) => "client".to_owned(),
        };
        const GRANT: &str = "grant_type=client_credentials";
        let with = |rest: &str| format!("{GRANT}&{rest}");
        let kind = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let table = [
            (Some(encoded("id:s3")), GRANT.to_owned(), "id s3"),
            (Some(encoded("i%2Fd:s%2B3")), GRANT.to_owned(), "i/d s+3"),
            (Some(encoded("id:a=b&c")), GRANT.to_owned(), "id a=b&c"),
            (Some(encoded("id:s:3")), GRANT.to_owned(), "id s:3"),
            (None, with("client_id=id&client_secret=s3"), "id s3"),
            (None, with("client_id=id&client_secret=s3&scope=x&resource=y"), "id s3"),
            (Some(encoded("id:s3")), with("client_id=id"), "id s3"),
            (Some(encoded("id:s3")), with("client_id=other"), "request"),
            (Some(encoded("id:s3")), with("client_secret=s3"), "request"),
            (None, with("client_secret=s3"), "request"),
            (None, with("client_id=id"), "client"),
            (None, GRANT.to_owned(), "client"),
            (None, "grant_type=password&username=a".to_owned(), "grant"),
            (None, "client_id=id&client_secret=s3".to_owned(), "request"),
            (None, with("client_id=a&client_id=b&client_secret=s"), "request"),
            (
                None,
                with(&format!("client_id=id&{kind}&client_assertion=e.y.J")),
                "id e.y.J",
            ),
            (None, with(&format!("{kind}&client_assertion=e.y.J")), " e.y.J"),
            (None, with("client_assertion=e.y.J"), "request"),
            (
                None,
                with(&format!("{kind}&client_assertion=e.y.J&client_secret=s")),
                "request",
            ),
            (Some("Bearer dsg_x".to_owned()), GRANT.to_owned(), "client"),
            (Some("Basic ???".to_owned()), GRANT.to_owned(), "client"),
        ];
        for (authorization, form, expected) in table {
            assert_eq!(
                secret(authorization.as_deref(), &form),
                expected,
                "{authorization:?} {form}"
            );
        }
    }
}
