//! Answers as SCIM wants them: the media type on every body, the entity tag and the location where they belong.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION};
use serde_json::Value;

/// The media type of every body, in its plain form: the validators compare it as text.
const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    text(status, Body::from(body.to_string()))
}

/// An answer whose body is JSON text already, perhaps still on its way.
pub(crate) fn text(status: StatusCode, body: Body) -> Response {
    (status, [(CONTENT_TYPE, SCIM_JSON)], body).into_response()
}

/// A page of a list, as `ListResponse` (RFC 7644 §3.4.2).
pub(crate) fn list(total: i64, page: &Paged, resources: Vec<Value>) -> Value {
    let count = resources.len() as u64;
    // Neither is ever below zero.
    let [total, start_index] = [total, page.start_index()].map(|number| u64::try_from(number).unwrap_or_default());
    let mut list = scim::list_response(total, start_index, count, resources);
    if let (Paged::Cursor { next }, Some(members)) = (page, list.as_object_mut()) {
        members.remove("startIndex");
        members.extend(
            next.iter()
                .map(|next| ("nextCursor".to_owned(), Value::from(next.as_str()))),
        );
    }
    list
}

/// How the page was asked for, and so how the next one can be.
#[derive(Clone, Debug)]
pub(crate) enum Paged {
    /// By the index of its first result.
    Index(i64),
    /// By a cursor (RFC 9865): an index would be a guess. At the end there is no next one.
    Cursor { next: Option<String> },
}

impl Paged {
    fn start_index(&self) -> i64 {
        match self {
            Self::Index(index) => *index,
            Self::Cursor { .. } => 1,
        }
    }
}

/// The headers of an answer about one resource: `ETag`, and `Location` when it was just created (RFC 7644 §3.1, §3.3).
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers {
    /// The resource's version.
    pub(crate) etag: Option<String>,
    /// The resource's address.
    pub(crate) location: Option<String>,
}

impl Headers {
    /// Adds them to an answer.
    pub(crate) fn on(self, mut response: Response) -> Response {
        insert(response.headers_mut(), ETAG, self.etag);
        insert(response.headers_mut(), LOCATION, self.location);
        response
    }
}

/// An answer without a body, such as 204 or 304.
pub(crate) fn empty(status: StatusCode, headers: Headers) -> Response {
    headers.on(status.into_response())
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) {
    // What identity-service calls a version and what we call a location are header values; anything else is left out.
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}
