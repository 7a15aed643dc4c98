//! `/Bulk` (RFC 7644 §3.7): each operation is the request that it stands for, served in this process by the routes that
//! serve it alone, one after the other. What comes after what, and what the references mean, is decided by [`scim::Bulk`].
//!
//! All operations share the request's time. When it is over, what is not done is answered with 504; nothing is lost in
//! silence. An answer of the routes is thrown away but for its status, version and error: memory holds the request and a
//! few texts for each operation.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, LOCATION};
use http::{Extensions, StatusCode};
use scim::{Bulk, BulkCall, BulkMethod, BulkOutcome, ResourceType};
use serde_json::Value;
use tower::ServiceExt;
use tracing::Instrument;
use tracing::field::Empty;

use crate::answer;
use crate::call::Call;
use crate::error::{Cause, Problem};
use crate::{BASE_PATH, config::ScimArgs};

/// An error's body is a few lines.
const MAX_ERROR_BYTES: usize = 64 << 10;

pub(crate) async fn serve(routes: Router, call: Call, request: Request) -> Result<Response, Problem> {
    let ScimArgs {
        max_bulk_body,
        max_bulk_operations,
        ..
    } = call.gateway.settings;
    // What surrounds all routes left its marks here: the deadline, and whatever else is known of the caller.
    let mut extensions = request.extensions().clone();
    extensions.insert(call.base.clone());
    let body = call
        .json(request, max_bulk_body)
        .await
        .map_err(|problem| naming(problem, max_bulk_body))?;
    let mut bulk = Bulk::read(body, call.schemas(), max_bulk_operations.into())?;
    while let Some(mut next) = bulk.next_call() {
        if call.deadline.remaining().is_some_and(|left| left.is_zero()) {
            bulk.stop(&Problem::timed_out().into());
            break;
        }
        let span = tracing::info_span!(
            "operation",
            otel.name = format!("bulk {} {}", next.method.name(), next.resource_type.endpoint()),
            otel.status_code = Empty,
            http.response.status_code = Empty,
            scim.bulk.operation = next.operation,
        );
        let outcome = operate(&routes, &extensions, &mut next).instrument(span).await;
        bulk.settle(&next, outcome);
    }
    let results = bulk.results().into_iter().map(|result| {
        let address = |(kind, id): &(ResourceType, String)| call.base.at(&format!("{}/{id}", &kind.endpoint()[1..]));
        let location = result.resource.as_ref().map(address);
        result.into_json(location)
    });
    Ok(answer::json(StatusCode::OK, &scim::bulk_response(results.collect())))
}

/// RFC 7644 §3.7.4: the answer names the limit that was exceeded.
fn naming(mut problem: Problem, limit: u64) -> Problem {
    if problem == Problem::too_large(limit) {
        problem.detail =
            format!("The body is larger than maxPayloadSize, which is {limit} bytes; send less in one request.");
    }
    problem
}

/// Serves one operation.
async fn operate(routes: &Router, extensions: &Extensions, next: &mut BulkCall) -> BulkOutcome {
    let response = match request(extensions, next) {
        Ok(request) => match routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(problem) => problem.into_response(),
    };
    let (head, body) = response.into_parts();
    let span = tracing::Span::current();
    span.record("http.response.status_code", head.status.as_u16());
    if head.status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        let cause = head.extensions.get::<Cause>().map(|cause| &*cause.0);
        tracing::warn!(
            status = head.status.as_u16(),
            cause,
            "an operation of a bulk request failed"
        );
    }
    let text = |name: HeaderName| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
    let created = text(LOCATION).and_then(|location| Some(location.rsplit_once('/')?.1.to_owned()));
    BulkOutcome {
        status: head.status.as_u16(),
        id: created.filter(|_| next.method == BulkMethod::Post),
        version: text(ETAG),
        error: if head.status.is_success() {
            None
        } else {
            Some(error(head.status, body).await)
        },
    }
}

fn request(extensions: &Extensions, next: &mut BulkCall) -> Result<Request, Problem> {
    let mut path = format!("{BASE_PATH}{}", next.resource_type.endpoint());
    if let Some(id) = &next.id {
        path.extend(["/", id]);
    }
    // Nobody reads them, and they may be many.
    if next.resource_type == ResourceType::Group && next.method != BulkMethod::Delete {
        path.push_str("?excludedAttributes=members");
    }
    let mut request = Request::builder().method(next.method.name()).uri(path);
    if let Some(version) = &next.version {
        request = request.header(IF_MATCH, version);
    }
    let body = match next.body.take() {
        Some(body) => {
            request = request.header(CONTENT_TYPE, "application/scim+json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    let mut request = request
        .body(body)
        .map_err(|_| Problem::invalid_value("The operation's path or version cannot be part of a request."))?;
    *request.extensions_mut() = extensions.clone();
    Ok(request)
}

/// The error's body, as the routes gave it.
async fn error(status: StatusCode, body: Body) -> Value {
    let body = to_bytes(body, MAX_ERROR_BYTES).await.unwrap_or_default();
    serde_json::from_slice(&body).unwrap_or_else(|_| {
        let reason = status.canonical_reason().unwrap_or("failed");
        scim::error_body(status.as_u16(), None, reason)
    })
}
