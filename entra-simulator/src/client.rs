//! HTTP as Entra's provisioning service speaks it, and a tally of every request.
//!
//! No `User-Agent`; `Content-Type` only where there is a body; form-encoded queries; a time-out. What an answer
//! means for an object is not decided here.

mod tally;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{
    StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    endpoint::TenantUrl,
    error::{Error, Failure},
    knobs::Knobs,
    sign_in::{SignIn, Signed},
};

pub use tally::{Counts, RequestKind, Tally};

/// No answer is read beyond this: a group with a million members stays below it.
const MAX_ANSWER: usize = 256 << 20;

/// An answer that is a success: its status and, unless it was empty, its JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status, 2xx.
    pub status: u16,
    /// The resource's version, if the answer told it (RFC 7644 §3.14).
    pub etag: Option<String>,
    /// The body; none if it was empty.
    pub body: Option<Value>,
}

/// A write that the endpoint has answered with success: it may not be lost any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// What was asked.
    pub kind: RequestKind,
    /// The SCIM id of the resource.
    pub id: String,
    /// The version that the resource had then, if the answer told it.
    pub etag: Option<String>,
}

/// Told of each write that was answered with success.
pub type AcknowledgedFn = Arc<dyn Fn(Acknowledged) + Send + Sync>;

/// A connection pool to one SCIM endpoint; clones share it and its tally.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: TenantUrl,
    signed: Arc<Signed>,
    knobs: Knobs,
    counts: Arc<Mutex<Counts>>,
    acknowledged: Option<AcknowledgedFn>,
}

impl Client {
    /// Prepares a client that signs in by a bearer token; nothing is sent yet.
    pub fn new(url: TenantUrl, token: &SecretString, knobs: Knobs) -> Result<Self, Error> {
        Self::signing_in(url, token.clone().into(), knobs)
    }

    /// Prepares a client that signs in like that; nothing is sent yet.
    pub fn signing_in(url: TenantUrl, sign_in: SignIn, knobs: Knobs) -> Result<Self, Error> {
        let mut headers = HeaderMap::new();
        if let Some(version) = knobs
            .ad_scim_version
            .as_deref()
            .and_then(|text| HeaderValue::from_str(text).ok())
        {
            headers.insert(HeaderName::from_static("adscimversion"), version);
        }
        let http = http_client(headers, knobs.timeout, url.base())?;
        Ok(Self {
            http,
            url,
            signed: Arc::new(Signed::new(sign_in, knobs.timeout)?),
            knobs,
            counts: Arc::default(),
            acknowledged: None,
        })
    }

    /// Calls this for every write that is answered with success from now on.
    pub fn on_acknowledged(&mut self, told: AcknowledgedFn) {
        self.acknowledged = Some(told);
    }

    /// The habits of this client.
    pub fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// What was sent so far.
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends one request and reads its answer; anything but a 2xx is a failure.
    pub async fn send(
        &self,
        kind: RequestKind,
        id: Option<&str>,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let path: Vec<&str> = [kind.endpoint()].into_iter().chain(id).collect();
        let url = self
            .url
            .join(&path, query, self.knobs.query_coding, self.knobs.append_flag);
        let started = Instant::now();
        let answer = self.signed_in(kind, &url, body).await;
        let failure = answer.as_ref().err();
        if let Some(failure) = failure {
            tracing::debug!(?kind, reason = label(failure), "request failed");
        }
        let bare = failure.is_some_and(|failure| lacks_scim_error(kind, failure));
        self.count(kind, started.elapsed(), failure.is_some(), bare);
        if let (Some(told), Ok(answer), true) = (&self.acknowledged, &answer, kind.is_write()) {
            let created = || answer.body.as_ref()?.get("id")?.as_str();
            told(Acknowledged {
                kind,
                id: id.or_else(created).unwrap_or_default().to_owned(),
                etag: answer.etag.clone(),
            });
        }
        answer.map_err(|refusal| refusal.failure)
    }

    /// Sends a request with the present token; once more with a new one, if that was refused and another can be had.
    async fn signed_in(&self, kind: RequestKind, url: &Url, body: Option<&Value>) -> Result<Answer, Refusal> {
        let mut refused = None;
        loop {
            let header = self.signed.header(refused.as_ref()).await;
            let header = header.map_err(|failure| Refusal {
                failure,
                scim_error: true,
            })?;
            let mut request = self.http.request(kind.method(), url.clone());
            request = request.header(AUTHORIZATION, header.clone());
            if let Some(body) = body {
                request = request
                    .header(CONTENT_TYPE, "application/scim+json; charset=utf-8")
                    .body(body.to_string());
            }
            match read(request).await {
                Err(Refusal {
                    failure: Failure::Unauthorized,
                    ..
                }) if refused.is_none() && self.signed.can_ask_again() => refused = Some(header),
                answer => return answer,
            }
        }
    }

    fn count(&self, kind: RequestKind, took: Duration, failed: bool, bare: bool) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = counts.0.entry(kind).or_default();
        tally.sent += 1;
        tally.failed += u64::from(failed);
        tally.without_scim_error += u64::from(bare);
        tally.total += took;
        tally.slowest = tally.slowest.max(took);
    }
}

/// A client with our crypto provider, without a `User-Agent`, that follows no redirect.
pub(crate) fn http_client(headers: HeaderMap, timeout: Duration, url: &Url) -> Result<reqwest::Client, Error> {
    // reqwest panics when there is no provider.
    service_runtime::install_crypto_provider();
    let mut builder = reqwest::Client::builder()
        .default_headers(headers)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none());
    // The proxy of the environment leads out; it cannot know what listens on this machine.
    if url.host_str().is_some_and(service_runtime::is_this_machine) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(Error::HttpClient)
}

/// A failure, and whether the body that came with it was a SCIM error.
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    scim_error: bool,
}

/// Sends a request and reads its JSON.
pub(crate) async fn read(request: reqwest::RequestBuilder) -> Result<Answer, Refusal> {
    let broken = |error: reqwest::Error| Refusal {
        failure: broken(&error),
        scim_error: false,
    };
    let mut response = request.send().await.map_err(broken)?;
    let status = response.status();
    let etag = response.headers().get(ETAG);
    let etag = etag.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            let failure = Failure::Incompatible(format!("the answer is longer than {MAX_ANSWER} bytes"));
            return Err(Refusal {
                failure,
                scim_error: false,
            });
        }
        body.extend_from_slice(&chunk);
    }
    let json = serde_json::from_slice::<Value>(&body);
    if status.is_success() {
        let body = match json {
            _ if body.is_empty() => None,
            Ok(json) => Some(json),
            Err(_) => {
                let failure = Failure::Incompatible(format!("status {} with a body that is not JSON", status.as_u16()));
                return Err(Refusal {
                    failure,
                    scim_error: false,
                });
            }
        };
        return Ok(Answer {
            status: status.as_u16(),
            etag,
            body,
        });
    }
    let json = json.unwrap_or_default();
    let scim_error = json["schemas"].as_array().is_some_and(|urns| {
        urns.iter()
            .any(|urn| urn == "urn:ietf:params:scim:api:messages:2.0:Error")
    });
    Err(Refusal {
        failure: refused(status, &json),
        scim_error,
    })
}

fn refused(status: StatusCode, json: &Value) -> Failure {
    let detail: String = json["detail"]
        .as_str()
        .unwrap_or("no detail")
        .chars()
        .take(500)
        .collect();
    match status.as_u16() {
        401 => Failure::Unauthorized,
        404 => Failure::NotFound(detail),
        409 => Failure::Conflict(detail),
        status @ (429 | 500..=599) => Failure::Unavailable { status, detail },
        status => Failure::Refused { status, detail },
    }
}

fn broken(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::Timeout;
    }
    // The innermost cause says what happened ("connection refused"); the layers above it repeat the URL.
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    Failure::Connection(cause.to_string())
}

fn lacks_scim_error(kind: RequestKind, refusal: &Refusal) -> bool {
    let client_error = match refusal.failure {
        Failure::Conflict(_) | Failure::Unauthorized => true,
        Failure::Unavailable { status, .. } => status == 429,
        Failure::Refused { status, .. } => (400..500).contains(&status),
        // The body of a 404 on a resource is optional; a query must never end in one.
        Failure::NotFound(_) => !matches!(
            kind,
            RequestKind::ReadUser | RequestKind::ReadGroup | RequestKind::DeleteUser | RequestKind::DeleteGroup
        ),
        _ => false,
    };
    client_error && !refusal.scim_error
}

fn label(refusal: &Refusal) -> &'static str {
    match refusal.failure {
        Failure::Conflict(_) => "conflict",
        Failure::Unauthorized => "unauthorized",
        Failure::NotFound(_) => "not found",
        Failure::Unavailable { .. } => "unavailable",
        Failure::Refused { .. } => "refused",
        Failure::Timeout => "timeout",
        Failure::Connection(_) => "connection",
        Failure::Incompatible(_) => "incompatible",
        Failure::DuplicateTarget(_) => "duplicate target",
    }
}
