//! What the span of a request says of SCIM, beside what HTTP's conventions have: whose request it is, which resource it is about,
//! and the ids by which the caller and we know it. All of it under the prefix `scim.`, and nothing of a person: no name, no filter,
//! no value.

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::header::LOCATION;
use proto::origin::{CLIENT_REQUEST_ID, CORRELATION_ID, CREDENTIAL, REQUEST_ID};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::origin::Origin;
use crate::router::BASE_PATH;

/// The attribute that each part of an origin becomes.
const ORIGIN: [(&str, &str); 4] = [
    (CREDENTIAL, "scim.credential"),
    (REQUEST_ID, "scim.request_id"),
    (CLIENT_REQUEST_ID, "scim.client_request_id"),
    (CORRELATION_ID, "scim.correlation_id"),
];

/// Says whose request it is, once that is known.
pub(crate) fn caller(tenant: &str, origin: &Origin) {
    let span = Span::current();
    span.set_attribute("scim.tenant", tenant.to_owned());
    for (part, attribute) in ORIGIN {
        if let Some(value) = origin.part(part) {
            span.set_attribute(attribute, value.to_owned());
        }
    }
}

/// Says which resource a request is about, where its path names one.
pub(crate) fn target(request: &Request) {
    let Some(matched) = request.extensions().get::<MatchedPath>() else {
        return;
    };
    let Some(below) = matched.as_str().strip_prefix(BASE_PATH) else {
        return;
    };
    let kind = match below.trim_end_matches("/{id}") {
        "/Users" => "User",
        "/Groups" => "Group",
        _ => return,
    };
    let span = Span::current();
    span.set_attribute("scim.resource.type", kind);
    if below.ends_with("/{id}") {
        resource(&span, request.uri().path());
    }
}

/// Says which resource an answer is of, which only it knows where one was created.
pub(crate) fn created(response: &Response) {
    if let Some(location) = response.headers().get(LOCATION).and_then(|at| at.to_str().ok()) {
        resource(&Span::current(), location);
    }
}

/// Whatever else a path may end with is of the caller's making.
fn resource(span: &Span, path: &str) {
    let id = path.rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok());
    if let Some(id) = id {
        span.set_attribute("scim.resource.id", id.to_string());
    }
}
