//! The token endpoint: client credentials in a form, OAuth's own errors, no envelope.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use serde_json::json;

use crate::platform::{CALLER_ID, Platform};
use crate::profile::Profile;

pub(super) async fn issue(platform: &Platform, profile: &Profile, parts: &Parts, body: Bytes) -> Response {
    let mut request = Request::post("/")
        .body(Body::from(body))
        .expect("a path of one slash is valid");
    if let Some(kind) = parts.headers.get(CONTENT_TYPE) {
        request.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    let Ok(Form(fields)) = Form::<Vec<(String, String)>>::from_request(request, &()).await else {
        return refuse("invalid_request", "the body is not a form");
    };
    let field = |name| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    };
    if field("grant_type") != "client_credentials" {
        return refuse("unsupported_grant_type", "only client_credentials is supported");
    }
    // A disabled or removed service user is refused like a wrong secret.
    let active = platform.read(|state| state.user(CALLER_ID).is_some_and(|caller| caller.state == "None"));
    let known = field("client_id").eq_ignore_ascii_case(&platform.client.id);
    if !active || !known || field("client_secret") != platform.client.secret {
        return refuse("invalid_client", "client authentication failed");
    }
    if field("scope") != profile.token_scope {
        return refuse("invalid_scope", "the scope is not granted to this client");
    }
    let lifetime = Duration::from_secs(profile.token_lifetime_s);
    let answer = Json(json!({
        "access_token": platform.tokens().issue(lifetime),
        "token_type": "Bearer",
        "expires_in": profile.token_lifetime_s,
        "session_expires_in": 43200,
        "scope": profile.token_scope,
    }));
    ([(CACHE_CONTROL, "no-store")], answer).into_response()
}

fn refuse(error: &str, description: &str) -> Response {
    let body = Json(json!({ "error": error, "error_description": description }));
    (StatusCode::BAD_REQUEST, body).into_response()
}
