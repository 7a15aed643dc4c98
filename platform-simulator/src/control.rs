//! `/_sim` as JSON: the state for programs to compare with, the log of calls, faults, the profile, and changes by hand, as
//! an administrator of the tenant makes them. It is not part of the Platform and asks for no token.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::by_hand;
use crate::calls::Call;
use crate::envelope::json_response;
use crate::faults::FaultRule;
use crate::journal::Commit;
use crate::page;
use crate::platform::Platform;
use crate::profile::{Profile, ProfileError};
use crate::records::{Group, User};

pub(crate) type Shared = State<Arc<Platform>>;

/// The simulator's own paths, below `/_sim`.
pub(crate) fn router() -> Router<Arc<Platform>> {
    Router::new()
        .route("/state", get(show_state))
        .route("/calls", get(show_calls).delete(forget_calls))
        .route("/faults", get(show_faults).post(add_faults).delete(drop_faults))
        .route("/faults/{at}", delete(drop_fault))
        .route("/profile", get(show_profile).put(put_profile).patch(patch_profile))
        .route("/profile/{name}", put(name_profile))
        .route("/tokens", delete(revoke_tokens))
        .route("/users", post(by_hand::add_users))
        .route("/users/{id}/login", post(by_hand::log_in))
        .route(
            "/users/{id}",
            get(by_hand::show_user)
                .patch(by_hand::patch_user)
                .delete(by_hand::remove_user),
        )
        .route("/groups", post(by_hand::add_groups))
        .route(
            "/groups/{id}/members",
            post(by_hand::add_members).delete(by_hand::remove_members),
        )
        .route(
            "/groups/{id}",
            get(by_hand::show_group)
                .patch(by_hand::patch_group)
                .delete(by_hand::remove_group),
        )
        .route("/reset", post(reset))
        .route("/group/{id}", get(page::group::show))
        .nest("/forms", page::forms::router())
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "no such path") })
        .layer(middleware::from_fn(not_from_elsewhere))
}

/// A page of another site that a person has open must not steer the simulator: a browser says where such a request comes
/// from, and sends JSON from elsewhere only after it was allowed to, which it never is.
async fn not_from_elsewhere(request: Request, next: Next) -> Response {
    if request.method().is_safe() || may_steer(request.headers()) {
        next.run(request).await
    } else {
        refuse(StatusCode::FORBIDDEN, "from another site, and not application/json")
    }
}

fn may_steer(headers: &HeaderMap) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = header(ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    let is_json = header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    is_json || origin.is_none_or(|origin| header(HOST) == Some(origin))
}

fn refuse(status: StatusCode, reason: impl Into<String>) -> Response {
    (status, Json(json!({ "error": reason.into() }))).into_response()
}

/// A change by hand that cannot be made.
pub(crate) struct Refused(pub(crate) StatusCode, pub(crate) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        refuse(self.0, self.1)
    }
}

pub(crate) fn invalid(reason: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, reason.into())
}

pub(crate) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))
}

/// One thing or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

impl OneOrMany {
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<Vec<T>, Refused> {
        let values = match self {
            Self::Many(values) => values,
            Self::One(value) => vec![value],
        };
        values
            .into_iter()
            .map(|value| serde_json::from_value(value).map_err(|error| invalid(error.to_string())))
            .collect()
    }
}

pub(crate) async fn settle(commit: Commit, answer: Response) -> Result<Response, Refused> {
    match commit.durable().await {
        Ok(()) => Ok(answer),
        Err(error) => Err(Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

#[derive(Serialize)]
struct WholeState<'a> {
    users: Vec<&'a User>,
    groups: Vec<&'a Group>,
    calls: std::collections::BTreeMap<&'static str, u64>,
    writes: u64,
    reads: u64,
    most_at_once: u64,
    caller_edits: u64,
}

async fn show_state(State(platform): Shared) -> Response {
    let (calls, writes, reads, most_at_once) = {
        let calls = platform.calls();
        (calls.by_method.clone(), calls.writes, calls.reads, calls.most_at_once)
    };
    let (users, groups, caller_edits) = platform.read(|state| {
        let users: Vec<Arc<User>> = state.users().cloned().collect();
        let groups: Vec<Arc<Group>> = state.groups().cloned().collect();
        (users, groups, state.caller_edits)
    });
    let users = users.iter().map(AsRef::as_ref).collect();
    let groups = groups.iter().map(AsRef::as_ref).collect();
    json_response(&WholeState {
        users,
        groups,
        calls,
        writes,
        reads,
        most_at_once,
        caller_edits,
    })
}

async fn show_calls(State(platform): Shared) -> Response {
    let recent: Vec<Call> = platform.calls().recent().cloned().collect();
    json_response(&recent)
}

async fn forget_calls(State(platform): Shared) -> StatusCode {
    platform.calls().forget();
    StatusCode::NO_CONTENT
}

async fn show_faults(State(platform): Shared) -> Response {
    json_response(&platform.faults().rules())
}

async fn add_faults(State(platform): Shared, body: Bytes) -> Result<Response, Refused> {
    let rules: Vec<FaultRule> = parse::<OneOrMany>(&body)?.read()?;
    platform.faults().add(rules).map_err(invalid)?;
    Ok((StatusCode::CREATED, Json(platform.faults().rules().to_vec())).into_response())
}

async fn drop_faults(State(platform): Shared) -> StatusCode {
    platform.faults().clear();
    StatusCode::NO_CONTENT
}

/// Drops one rule, by its place in the list.
async fn drop_fault(State(platform): Shared, Path(at): Path<usize>) -> Result<StatusCode, Refused> {
    if platform.faults().remove(at) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refused(StatusCode::NOT_FOUND, format!("no fault {at}")))
    }
}

async fn show_profile(State(platform): Shared) -> Response {
    json_response(&*platform.profile())
}

/// Fields left out have the values of the profile that `extends` names, or their defaults.
async fn put_profile(State(platform): Shared, body: Bytes) -> Result<Response, Refused> {
    behave(&platform, Profile::from_fields(parse(&body)?)).await
}

/// Fields left out stay as they are, but where `extends` names another profile to start from.
async fn patch_profile(State(platform): Shared, body: Bytes) -> Result<Response, Refused> {
    let fields: Map<String, Value> = parse(&body)?;
    let profile = match fields.contains_key("extends") {
        true => Profile::from_fields(fields),
        false => platform.profile().overlaid(fields),
    };
    behave(&platform, profile).await
}

/// Takes a profile by its name alone.
async fn name_profile(State(platform): Shared, Path(name): Path<String>) -> Result<Response, Refused> {
    let unknown = || Refused(StatusCode::NOT_FOUND, format!("no profile is called {name}"));
    behave(&platform, Ok(Profile::named(&name).ok_or_else(unknown)?)).await
}

async fn behave(platform: &Platform, profile: Result<Profile, ProfileError>) -> Result<Response, Refused> {
    let profile = profile.map_err(|error| match error {
        ProfileError::Json(error) => invalid(error.to_string()),
        other => invalid(other.to_string()),
    })?;
    let commit = platform.set_profile(profile);
    settle(commit, json_response(&*platform.profile())).await
}

async fn revoke_tokens(State(platform): Shared) -> StatusCode {
    platform.tokens().revoke_all();
    StatusCode::NO_CONTENT
}

/// A value with some of its top fields replaced; unknown fields are refused.
pub(crate) fn overlay<T: Serialize + DeserializeOwned>(base: &T, fields: Map<String, Value>) -> Result<T, Refused> {
    let mut whole = serde_json::to_value(base).map_err(|error| invalid(error.to_string()))?;
    if let Value::Object(whole) = &mut whole {
        whole.extend(fields);
    }
    serde_json::from_value(whole).map_err(|error| invalid(error.to_string()))
}

async fn reset(State(platform): Shared) -> Result<Response, Refused> {
    let commit = platform.reset();
    settle(commit, StatusCode::NO_CONTENT.into_response()).await
}
