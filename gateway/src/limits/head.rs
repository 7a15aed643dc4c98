//! The size of a request's head. The connection itself reads somewhat more than is allowed here at most, so that a refusal is a SCIM
//! error, for what is not quite beyond measure.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::Gateway;
use crate::error::Problem;
use crate::refusals::{self, Reason};

/// HTTP/1 takes a URL of 64 KiB, and HTTP/2 as much of headers.
pub(super) const MOST: u64 = 60 << 10;
/// What a header takes besides its name and value (RFC 9113 §6.5.2).
const EACH: usize = 32;

/// Refuses heads that are too large.
pub(crate) async fn check_head(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let limits = &gateway.limits;
    let url = request.uri().path_and_query().map_or(0, |url| url.as_str().len());
    if url as u64 > limits.max_url {
        refusals::count(Reason::Url);
        return Problem::long_url(limits.max_url).into_response();
    }
    let headers = request.headers().iter();
    let size: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len() + EACH)
        .sum();
    if size as u64 > limits.max_headers {
        refusals::count(Reason::Headers);
        return Problem::large_headers(limits.max_headers).into_response();
    }
    next.run(request).await
}
