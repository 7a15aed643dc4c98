//! The Platform's own SCIM endpoint, `/scim/v2`, over the same accounts and groups: the shape of its answers (RFC 7644). It is the other side of what a client speaks and shares no code with one.

mod discovery;
mod document;
mod filter;
mod groups;
mod ids;
mod list;
mod membership;
mod operation;
mod patch;
mod users;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::methods::segments;
use super::rest::decoded;
use crate::envelope::Failure;
use crate::journal::Commit;
use crate::platform::Platform;
use crate::profile::Profile;

pub(super) use operation::Operation;

/// One request under way, as its handler sees it.
struct Ask<'a> {
    platform: &'a Platform,
    profile: &'a Profile,
    parts: &'a Parts,
    body: &'a Bytes,
}

impl Ask<'_> {
    /// The id in the path.
    fn id(&self) -> String {
        decoded(segments(self.parts).last().copied().unwrap_or_default())
    }

    fn json(&self) -> Result<Value, Refusal> {
        let value = serde_json::from_slice(self.body).ok();
        let object = value.filter(Value::is_object);
        object.ok_or_else(|| Refusal::bad("invalidSyntax", "The body is not a JSON object."))
    }
}

/// What is answered where all went well.
struct Reply {
    status: StatusCode,
    /// Null: nothing.
    body: Value,
    /// The object's id at the Platform, for the log of calls.
    object: String,
    commit: Commit,
}

impl Reply {
    fn read(body: Value, object: &str) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            object: object.to_owned(),
            commit: Commit::default(),
        }
    }

    fn done(object: String, commit: Commit) -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: Value::Null,
            object,
            commit,
        }
    }
}

/// What is answered where it did not (RFC 7644, 3.12).
struct Refusal {
    status: StatusCode,
    kind: Option<&'static str>,
    detail: String,
    /// Part of it may have been done.
    commit: Commit,
}

impl Refusal {
    fn new(status: StatusCode, failure: Failure) -> Self {
        Self {
            status,
            kind: None,
            detail: failure.message,
            commit: failure.commit,
        }
    }

    fn bad(kind: &'static str, detail: &str) -> Self {
        Self {
            kind: Some(kind),
            ..Self::new(StatusCode::BAD_REQUEST, Failure::new(detail, ""))
        }
    }

    fn invalid(failure: Failure) -> Self {
        Self {
            kind: Some("invalidValue"),
            ..Self::new(StatusCode::BAD_REQUEST, failure)
        }
    }

    fn taken(failure: Failure) -> Self {
        Self {
            kind: Some("uniqueness"),
            ..Self::new(StatusCode::CONFLICT, failure)
        }
    }
}

type Answer = Result<Reply, Refusal>;

/// Carries the operation out; beside the answer, the id of what it was about.
pub(super) async fn answer(
    platform: &Platform,
    profile: &Profile,
    operation: Operation,
    denial: Option<Failure>,
    parts: &Parts,
    body: &Bytes,
) -> (Response, String) {
    let ask = Ask {
        platform,
        profile,
        parts,
        body,
    };
    let answer = match denial {
        Some(denial) => Err(Refusal::new(StatusCode::FORBIDDEN, denial)),
        None => carry_out(operation, &ask),
    };
    let (response, object, commit) = match answer {
        Ok(reply) => {
            let mut response = scim_json(reply.status, &reply.body);
            let location = reply.body["meta"]["location"].as_str();
            if let Some(location) = location.and_then(|location| HeaderValue::from_str(location).ok()) {
                response.headers_mut().insert(LOCATION, location);
            }
            (response, reply.object, reply.commit)
        }
        Err(refusal) => (
            error(refusal.status, refusal.kind, &refusal.detail),
            String::new(),
            refusal.commit,
        ),
    };
    match commit.durable().await {
        Ok(()) => (response, object),
        Err(failed) => (failure(StatusCode::INTERNAL_SERVER_ERROR, &failed.to_string()), object),
    }
}

fn carry_out(operation: Operation, ask: &Ask<'_>) -> Answer {
    match operation {
        Operation::Config => Ok(Reply::read(discovery::config(), "")),
        Operation::ResourceTypes => Ok(Reply::read(discovery::resource_types(), "")),
        Operation::Schemas => Ok(Reply::read(discovery::schemas(), "")),
        Operation::ListUsers => users::list(ask),
        Operation::CreateUser => users::create(ask),
        Operation::ReadUser => users::read(ask),
        Operation::ReplaceUser => users::replace(ask),
        Operation::PatchUser => users::change(ask),
        Operation::DeleteUser => users::delete(ask),
        Operation::ListGroups => groups::list(ask),
        Operation::CreateGroup => groups::create(ask),
        Operation::ReadGroup => groups::read(ask),
        Operation::ReplaceGroup => groups::replace(ask),
        Operation::PatchGroup => groups::change(ask),
        Operation::DeleteGroup => groups::delete(ask),
        Operation::Unknown => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            Failure::new("There is no such endpoint.", ""),
        )),
    }
}

/// A failure with these words alone.
pub(super) fn failure(status: StatusCode, detail: &str) -> Response {
    error(status, None, detail)
}

fn error(status: StatusCode, kind: Option<&str>, detail: &str) -> Response {
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": status.as_u16().to_string(),
        "detail": detail,
    });
    if let Some(kind) = kind {
        body["scimType"] = json!(kind);
    }
    scim_json(status, &body)
}

fn scim_json(status: StatusCode, body: &Value) -> Response {
    if body.is_null() {
        return status.into_response();
    }
    let kind = HeaderValue::from_static("application/scim+json; charset=utf-8");
    (status, [(CONTENT_TYPE, kind)], body.to_string()).into_response()
}
