//! The Platform's own paths: which call is meant, whether it goes wrong on purpose, who asks, and what is logged.
//! What `methods` does not list is a bare 404, as on a real tenant.

mod core;
mod directory;
mod fields;
mod lookup;
mod members;
mod methods;
mod params;
mod redrock;
mod removals;
mod reports;
mod rest;
mod roles;
mod rules;
mod sabotage;
mod scim;
mod states;
mod token;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::header::{AUTHORIZATION, DATE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::MAX_BODY;
use crate::calls;
use crate::envelope::{self, Failure};
use crate::faults::{Fault, FaultRule};
use crate::platform::Platform;
use crate::profile::{Denial, Profile, RateLimitAnswer};
use crate::server::Scissors;
use methods::{Effect, Target};
use params::Params;

/// The log keeps no more of what a call calls its object.
const MAX_OBJECT: usize = 128;

/// One call under way, as its handler sees it.
struct Call<'a> {
    platform: &'a Platform,
    profile: &'a Profile,
    params: Params,
}

/// The tenant is up.
pub(crate) async fn health(State(platform): State<Arc<Platform>>) -> Response {
    let mut response = envelope::json_response(&serde_json::json!({ "healthy": true }));
    set_clock(&mut response, &platform.profile());
    response
}

/// Answers every path that is not the simulator's own.
pub(crate) async fn serve(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let target = Target::of(&parts);
    let others = platform.calls().count(target.name(), target.writes());
    let rule = platform.faults().hit(target.name(), &body);
    let mut entry = Entry::new(&platform, target, &parts.headers, rule.as_ref());
    sleep(platform.latency(target.name(), others)).await;

    let is_scim = matches!(target, Target::Scim(_));
    let mut response = match rule.as_ref().and_then(|rule| sabotage::instead(rule, is_scim)) {
        Some(response) => response,
        None => answer(&platform, target, &parts, body, &mut entry).await,
    };
    if let Some(rule) = &rule {
        let pause = rule
            .delay_ms
            .or((rule.fault == Fault::Slow).then_some(5000))
            .unwrap_or(0);
        sleep(Duration::from_millis(pause)).await;
        if let Some(wrong) = sabotage::wrong_answer(rule, is_scim).filter(|_| rule.after) {
            response = wrong;
        }
        match rule.fault {
            Fault::Failure if !is_scim => entry.call.success = Some(false),
            Fault::LostAnswer | Fault::Drop => {
                scissors.cut();
                return response;
            }
            Fault::Truncated => response = sabotage::truncated(response).await,
            _ => {}
        }
    }
    entry.call.status = Some(response.status().as_u16());
    let transaction = Uuid::new_v4().to_string();
    let transaction = HeaderValue::from_str(&transaction).expect("a UUID is plain ASCII");
    response.headers_mut().insert("X-CFY-TX-ID", transaction);
    set_clock(&mut response, &platform.profile());
    response
}

/// Lets the answer say what time it is here.
fn set_clock(response: &mut Response, profile: &Profile) {
    if profile.clock_skew_s == 0 {
        return;
    }
    let now = Timestamp::now();
    let here = now
        .checked_add(SignedDuration::from_secs(profile.clock_skew_s))
        .unwrap_or(now);
    let here = here.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&here) {
        response.headers_mut().insert(DATE, date);
    }
}

async fn answer(platform: &Platform, target: Target, parts: &Parts, body: Bytes, entry: &mut Entry<'_>) -> Response {
    let profile = platform.profile();
    if let Some(mut replay) = platform.replay() {
        // Of a transcript without a token, whoever has the settings' secret gets one.
        if !matches!(target, Target::Token) || replay.knows(parts) {
            return replay.answer(parts, &body);
        }
    }
    match target {
        Target::Unknown => return StatusCode::NOT_FOUND.into_response(),
        Target::Token => return token::issue(platform, &profile, parts, body).await,
        Target::Scim(_) if !profile.scim => return StatusCode::NOT_FOUND.into_response(),
        Target::Rest(_) | Target::Rpc(_) | Target::Scim(_) => {}
    }
    if !platform.within_rate(&profile) {
        return too_many(&profile);
    }
    if !bearer(&parts.headers).is_some_and(|token| platform.tokens().is_valid(token)) {
        return unauthorized();
    }
    if !target.exposed(&profile) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let right = target.effect().map(Effect::right);
    let denied = right.is_some_and(|right| profile.missing_permissions.contains(&right));
    if denied && profile.missing_permission_answer == Denial::NotFound {
        return StatusCode::NOT_FOUND.into_response();
    }
    let denial = denied.then(|| Failure::new(&profile.texts.denied, target.name()));
    let method = match target {
        Target::Rpc(method) => method,
        Target::Scim(operation) => {
            let (response, object) = scim::answer(platform, &profile, operation, denial, parts, &body).await;
            entry.call.object = object.chars().take(MAX_OBJECT).collect();
            return response;
        }
        Target::Rest(rest) => return rest::answer(platform, &profile, rest, denial, parts),
        Target::Token | Target::Unknown => return StatusCode::NOT_FOUND.into_response(),
    };
    let params = denial.map_or_else(|| Params::parse(&parts.uri, &body), Err);
    let outcome = match params {
        Ok(params) => (method.handle)(&Call {
            platform,
            profile: &profile,
            params,
        }),
        Err(failure) => Err(failure),
    };
    entry.call.success = Some(outcome.is_ok());
    let (response, commit) = match outcome {
        Ok(done) => {
            entry.call.object = done.object.chars().take(MAX_OBJECT).collect();
            (envelope::success(&done.result), done.commit)
        }
        Err(failure) => (
            envelope::failure(&failure.message, failure.error_id.as_deref()),
            failure.commit,
        ),
    };
    match commit.durable().await {
        Ok(()) => response,
        Err(error) => {
            entry.call.success = None;
            (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn too_many(profile: &Profile) -> Response {
    let status = match profile.rate_limit_answer {
        RateLimitAnswer::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        RateLimitAnswer::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    let retry_after = profile
        .rate_retry_after_s
        .map(|seconds| (RETRY_AFTER, seconds.to_string()));
    (status, AppendHeaders(retry_after.into_iter().collect::<Vec<_>>())).into_response()
}

fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")]).into_response()
}

/// The log's entry of one call: written when the call ends, also where the client has gone before.
struct Entry<'a> {
    platform: &'a Platform,
    started: Instant,
    call: calls::Call,
}

impl<'a> Entry<'a> {
    fn new(platform: &'a Platform, target: Target, headers: &HeaderMap, rule: Option<&FaultRule>) -> Self {
        let call = calls::Call {
            time: Timestamp::now(),
            method: target.name().to_owned(),
            status: None,
            success: None,
            object: String::new(),
            traceparent: headers
                .get("traceparent")
                .and_then(|value| value.to_str().ok())
                .map(|value| value.chars().take(128).collect()),
            fault: rule.map(FaultRule::name),
            duration_ms: 0,
        };
        Self {
            platform,
            started: Instant::now(),
            call,
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.call.time = Timestamp::now();
        self.call.duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(
            method = self.call.method,
            status = self.call.status,
            success = self.call.success,
            "call"
        );
        self.platform.calls().log(self.call.clone());
    }
}

/// The names of all calls, as the log, faults and profiles know them, but for the token's.
#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    const KINDS: [&str; 5] = ["ServiceProviderConfig", "ResourceTypes", "Schemas", "Users", "Groups"];
    let requests = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().flat_map(|verb| {
        let segments = KINDS.into_iter().flat_map(|kind| [vec![kind], vec![kind, "id"]]);
        segments.map(move |segments| (verb, segments))
    });
    let scim = requests.filter_map(|(verb, segments)| {
        let operation = scim::Operation::of(&verb.parse().ok()?, &segments);
        (operation != scim::Operation::Unknown).then(|| operation.name())
    });
    let rest: [&[&str]; 4] = [
        &["entities", "localusers"],
        &["entities", "xpmusers"],
        &["users"],
        &["users", "id"],
    ];
    let rest = rest
        .into_iter()
        .filter_map(|segments| Some(rest::Rest::of(segments)?.name()));
    let rpc = methods::METHODS.iter().map(|method| method.name);
    rpc.chain(rest).chain(scim).collect()
}
