//! What a fault does to an answer: takes its place, or mutilates it. Whether one strikes is decided elsewhere.

use std::time::Duration;

use axum::body::Body;
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use futures_util::stream;
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use tokio::time::sleep;

use super::{scim, unauthorized};
use crate::MAX_BODY;
use crate::envelope;
use crate::faults::{Fault, FaultRule};

/// The answer of a fault under which nothing is done; none where the call is carried out first.
pub(super) fn instead(rule: &FaultRule, is_scim: bool) -> Option<Response> {
    if rule.after { None } else { wrong_answer(rule, is_scim) }
}

/// The answer that takes the place of the right one; none where that is given, mutilated or late.
pub(super) fn wrong_answer(rule: &FaultRule, is_scim: bool) -> Option<Response> {
    let status = |default: StatusCode| {
        rule.status
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(default)
    };
    let retry_after = |default| {
        rule.retry_after_s
            .or(default)
            .map(|seconds: u64| (RETRY_AFTER, seconds.to_string()))
    };
    let headers: Vec<_> = match rule.fault {
        Fault::Throttle => retry_after(Some(1)),
        _ => retry_after(None),
    }
    .into_iter()
    .collect();
    let headers = AppendHeaders(headers);
    match rule.fault {
        Fault::Throttle => Some((status(StatusCode::TOO_MANY_REQUESTS), headers).into_response()),
        Fault::Error => {
            Some((status(StatusCode::INTERNAL_SERVER_ERROR), headers, "An error occurred.").into_response())
        }
        Fault::Unavailable => Some((status(StatusCode::SERVICE_UNAVAILABLE), headers).into_response()),
        Fault::Bare404 => Some(StatusCode::NOT_FOUND.into_response()),
        Fault::Html => {
            let page = Html("<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>");
            Some((status(StatusCode::BAD_GATEWAY), headers, page).into_response())
        }
        Fault::Unauthorized => Some(unauthorized()),
        Fault::Drop => Some(StatusCode::NO_CONTENT.into_response()),
        Fault::Failure => {
            let message = rule.message.as_deref().unwrap_or("The operation failed.");
            if is_scim {
                return Some(scim::failure(status(StatusCode::BAD_REQUEST), message));
            }
            let mut answer = envelope::failure(message, rule.error_id.as_deref());
            *answer.status_mut() = status(StatusCode::OK);
            Some((headers, answer).into_response())
        }
        Fault::Slow | Fault::LostAnswer | Fault::Truncated => None,
    }
}

/// Announces the whole answer, sends the first half, and ends the connection.
pub(super) async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_default();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    let ends = stream::unfold(Some(half), |half| async {
        match half {
            Some(half) => Some((Ok(half), None)),
            None => {
                // The first half leaves the machine before the cut.
                sleep(Duration::from_millis(20)).await;
                Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)), None))
            }
        }
    });
    Response::from_parts(parts, Body::from_stream(ends))
}
