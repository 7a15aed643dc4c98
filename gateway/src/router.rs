//! The table of contents: every route, and what surrounds them all, from the outside in: the path brought into one
//! form, a span, who asks from where, the request's id, a guard against panics, the networks that may call, the size of the head,
//! the time limit, compression, the credential, the tenant's turn.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use service_runtime::Panicked;
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use uuid::Uuid;

use crate::call::Call;
use crate::edge::Client;
use crate::error::{Cause, Problem};
use crate::origin::RequestId;
use crate::{Gateway, auth, bulk, call, discovery, edge, groups, limits, list, oauth, traced, users};

/// Where SCIM is served.
pub const BASE_PATH: &str = "/scim/v2";

/// Bodies below this fit into one packet as they are.
const WORTH_COMPRESSING: u16 = 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    // What an operation of a bulk request stands for is served by routes of its own, with nothing around them but what
    // keeps one operation's panic from the others: the rest surrounds the whole request.
    let operations = resources()
        .layer(CatchPanicLayer::custom(panicked as fn(Box<dyn Any + Send>) -> Response))
        .with_state(Arc::clone(&gateway));
    let bulk = move |call: Call, request: Request| bulk::serve(operations.clone(), call, request);
    let routes = resources()
        .route(BASE_PATH, get(list::everything))
        .route(&at("/.search"), post(list::search_everything))
        .route(&at("/Users/.search"), post(users::search))
        .route(&at("/Groups/.search"), post(groups::search))
        .route(&at("/Bulk"), post(bulk))
        .route(&at("/Me"), any(me))
        .route(&at("/ServiceProviderConfig"), get(discovery::service_provider_config))
        .route(&at("/ResourceTypes"), get(discovery::resource_types))
        .route(&at("/ResourceTypes/{name}"), get(discovery::resource_type))
        .route(&at("/Schemas"), get(discovery::schemas))
        .route(&at("/Schemas/{urn}"), get(discovery::schema))
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        // What stands below needs no credential: it gives one.
        .layer((
            middleware::from_fn_with_state(Arc::clone(&gateway), auth::require),
            middleware::from_fn_with_state(Arc::clone(&gateway), limits::wait_for_turn),
        ))
        .route(oauth::PATH, post(oauth::token))
        // The outermost first. Given one by one, each would put every route into another box.
        .layer((
            service_runtime::http_server_layer(),
            middleware::map_request_with_state(Arc::clone(&gateway), edge::mark),
            middleware::from_fn(identify),
            CatchPanicLayer::custom(panicked as fn(Box<dyn Any + Send>) -> Response),
            middleware::from_fn_with_state(Arc::clone(&gateway), edge::admit),
            middleware::from_fn_with_state(Arc::clone(&gateway), limits::check_head),
            middleware::from_fn_with_state(Arc::clone(&gateway), call::limit_time),
            compression(),
        ))
        .with_state(gateway);
    // Outside the routes, because it decides which of them is meant.
    Router::new().fallback_service(MapRequest::new(routes, in_one_form as fn(Request) -> Request))
}

/// The routes of the resources themselves.
fn resources() -> Router<Arc<Gateway>> {
    Router::new()
        .route(&at("/Users"), get(users::list).post(users::create))
        .route(
            &at("/Users/{id}"),
            get(users::get)
                .put(users::replace)
                .patch(users::patch)
                .delete(users::delete),
        )
        .route(&at("/Groups"), get(groups::list).post(groups::create))
        .route(
            &at("/Groups/{id}"),
            get(groups::get)
                .put(groups::replace)
                .patch(groups::patch)
                .delete(groups::delete),
        )
}

fn at(path: &str) -> String {
    format!("{BASE_PATH}{path}")
}

async fn unknown_route(uri: Uri) -> Problem {
    let below = uri
        .path()
        .strip_prefix(BASE_PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    Problem::not_found(if below {
        "There is no such endpoint; there are /Users, /Groups, /.search, /Bulk, /ServiceProviderConfig, /ResourceTypes and /Schemas."
            .to_owned()
    } else {
        format!("SCIM is served below {BASE_PATH}; compare the Tenant URL in Entra.")
    })
}

/// The router adds `Allow` to either.
async fn unknown_method(method: Method) -> Result<StatusCode, Problem> {
    if method == Method::OPTIONS {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::method_not_allowed(&method))
    }
}

/// RFC 7644 §3.11 allows it not to be there: whoever calls is a provisioning service, and no user.
async fn me() -> Problem {
    Problem::not_implemented("/Me is not offered: the caller is a service, and no user; ask /Users.")
}

/// Packs answers for clients that take gzip, streamed ones while they are streamed. What one may learn from the length of a
/// packed answer (BREACH) is a secret that stands beside text of the attacker's choice: answers have no secret in
/// them, neither token nor password, and the caller may read all of what they have.
fn compression() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new()
        .gzip(true)
        .compress_when(SizeAbove::new(WORTH_COMPRESSING))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature the layer asks for")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    Panicked::Http.count();
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Problem::internal("a handler panicked", &text.unwrap_or("without a text")).into_response()
}

/// Gives each request an id, the client's own if it sent a usable one, and says it in the answer and in the log. Here
/// failures are logged, once.
async fn identify(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).filter(|id| is_usable(id)).cloned();
    let made = || HeaderValue::try_from(Uuid::new_v4().to_string()).expect("a UUID is a header value");
    let id = given.unwrap_or_else(made);
    request.extensions_mut().insert(RequestId(id.clone()));
    traced::target(&request);
    let client = request.extensions().get().and_then(|Client(address)| *address);
    let client = client.map(tracing::field::display);
    let mut response = next.run(request).await;
    traced::created(&response);
    let (status, request_id) = (response.status().as_u16(), id.to_str().unwrap_or_default());
    let cause = response.extensions().get::<Cause>().map(|cause| &*cause.0);
    if response.status().is_server_error() {
        tracing::warn!(request_id, client, status, cause, "request failed");
    } else {
        tracing::debug!(request_id, client, status, cause, "request answered");
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// A client's id goes into our log; it must not be able to write there what it likes.
fn is_usable(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=128).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
}

/// Takes doubled and trailing slashes out of the path (Q37). Never a redirect.
fn in_one_form(mut request: Request) -> Request {
    let path = request.uri().path();
    if !path.contains("//") && (!path.ends_with('/') || path == "/") {
        return request;
    }
    let mut clean: String = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .flat_map(|segment| ["/", segment])
        .collect();
    if clean.is_empty() {
        clean.push('/');
    }
    if let Some(query) = request.uri().query() {
        clean.push('?');
        clean.push_str(query);
    }
    let mut parts = request.uri().clone().into_parts();
    // It was a path before, with more slashes.
    if let Ok(clean) = clean.parse::<PathAndQuery>() {
        parts.path_and_query = Some(clean);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests;
