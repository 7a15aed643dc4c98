//! What fuzz targets are given of this crate: the ways from a stranger's bytes to what is believed of them. Not in any program.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use proto::resource::v1::{Group, User};
use scim::Schemas;

use crate::{auth, body, json, oauth};

/// The largest body of the kind that is read here.
const LIMIT: u64 = 1 << 20;

/// Reads a body as each kind of write would.
pub fn body(bytes: &[u8]) {
    let Ok(read) = json::parse(bytes, LIMIT) else {
        return;
    };
    let schemas = Schemas::builtin();
    let _ = body::resource::<User>(schemas.user(), read.clone());
    let _ = body::resource::<Group>(schemas.group(), read.clone());
    let _ = body::operations(schemas.user(), read.clone());
    let _ = body::operations(schemas.group(), read);
}

/// The token of an `Authorization` header; a JWT is looked into, too.
pub fn credential(header: &[u8]) -> Option<&str> {
    let token = auth::parse_bearer(header)?;
    let _ = auth::jwt::claimed(token);
    Some(token)
}

/// Reads a request for an access token.
pub fn token_request(header: &[u8], form: &[u8]) {
    let value = HeaderValue::from_bytes(header).ok().filter(|value| !value.is_empty());
    let headers: HeaderMap = value.into_iter().map(|value| (AUTHORIZATION, value)).collect();
    oauth::look_at(&headers, form);
}
