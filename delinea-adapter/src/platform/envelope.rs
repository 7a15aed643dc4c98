//! The envelope that every RPC answer comes in, and how its verdict is read. The verdict is `success`, never the HTTP
//! status; an answer without one is no answer. Nor is a refusal that comes with a server error and names no reason: the
//! server may have failed after it had done what was asked. A bare 404 means that the method is not exposed, and never that an object
//! is missing.

use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    failure::{Class, Failure, Trouble, Words},
    matchers::{Matchers, Meaning, Reason},
    rows,
    transport::Answer,
};

/// The `Result` of a successful answer, or the failure that the answer is. 401 is the caller's to handle before. `names` are
/// those that the call was about, which a message may quote; `matchers` say what a refusal is about.
pub(crate) fn verdict(
    method: &'static str,
    answer: &Answer,
    names: &[&str],
    matchers: &Matchers,
) -> Result<Value, Failure> {
    let blank = answer.body.iter().all(u8::is_ascii_whitespace);
    match answer.status {
        StatusCode::NOT_FOUND if blank => return Err(Failure::NotExposed { method }),
        StatusCode::TOO_MANY_REQUESTS => return Err(throttled(method, answer)),
        _ => {}
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(mut envelope)) => match success(&envelope) {
            Some(true) => Ok(take(&mut envelope, "Result").unwrap_or(Value::Null)),
            Some(false) => Err(refusal(method, answer, &envelope, names, matchers)),
            None => Err(no_verdict(method, answer)),
        },
        _ => Err(no_verdict(method, answer)),
    }
}

/// The failure that an answer without a verdict is.
pub(crate) fn no_verdict(method: &'static str, answer: &Answer) -> Failure {
    let status = answer.status;
    if status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::SERVICE_UNAVAILABLE && answer.retry_after.is_some())
    {
        return throttled(method, answer);
    }
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Failure::Credentials {
            method,
            status: status.as_u16(),
        };
    }
    let trouble = if status.is_redirection() {
        Trouble::Redirect(status.as_u16())
    } else {
        Trouble::NotAnEnvelope(status.as_u16())
    };
    Failure::Unavailable {
        method,
        trouble,
        // What did not reach the API was not done: a redirect, or a proxy that refuses. A proxy that gave up waiting is
        // neither.
        in_doubt: status == StatusCode::REQUEST_TIMEOUT || !(status.is_redirection() || status.is_client_error()),
        retry_after: answer.retry_after,
        source: None,
    }
}

pub(super) fn throttled(method: &'static str, answer: &Answer) -> Failure {
    Failure::Throttled {
        method,
        retry_after: answer.retry_after,
    }
}

fn success(envelope: &Map<String, Value>) -> Option<bool> {
    rows::flag(rows::column(envelope, "success")?)
}

fn take(envelope: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = envelope.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    envelope.remove(&key)
}

fn refusal(
    method: &'static str,
    answer: &Answer,
    envelope: &Map<String, Value>,
    names: &[&str],
    matchers: &Matchers,
) -> Failure {
    let text = |name| rows::column(envelope, name).and_then(Value::as_str).unwrap_or_default();
    let first = |one, other| if text(one).is_empty() { text(other) } else { text(one) };
    let reason = Reason {
        error_id: first("ErrorID", "ErrorCode"),
        message_id: text("MessageID"),
        message: text("Message"),
        exception: text("Exception"),
        status: answer.status.as_u16(),
    };
    let challenge = rows::column(envelope, "Result")
        .and_then(Value::as_object)
        .and_then(|result| rows::column(result, "ChallengeId"))
        .is_some_and(|id| !id.is_null());
    let (class, certain) = if challenge {
        (Class::Challenge, true)
    } else {
        let judged = matchers.judge(method, &reason, names);
        match judged.meaning {
            Meaning::Throttled => return throttled(method, answer),
            Meaning::Refused(class) => (class, judged.own),
        }
    };
    let vague = matches!(class, Class::Other | Class::Validation | Class::WeakPassword);
    if answer.status.is_server_error() && vague && !certain {
        return Failure::Unavailable {
            method,
            trouble: Trouble::ServerError(answer.status.as_u16()),
            in_doubt: true,
            retry_after: answer.retry_after,
            source: None,
        };
    }
    let said = [reason.said(), reason.error_id, reason.message_id]
        .into_iter()
        .find(|text| !text.is_empty());
    Failure::Refused {
        method,
        class,
        words: Words::new(said.unwrap_or_default()),
        retry_after: answer.retry_after.filter(|_| class == Class::Transient),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::platform::matchers::tests::matchers;

    fn answer(status: StatusCode) -> Answer {
        Answer {
            status,
            retry_after: None,
            transaction: None,
            body: Vec::new(),
        }
    }

    fn read(status: u16, body: &str) -> Result<Value, Failure> {
        let status = StatusCode::from_u16(status).unwrap();
        verdict(
            "Controller/Method",
            &Answer {
                body: body.into(),
                ..answer(status)
            },
            &[],
            &matchers("[]"),
        )
    }

    #[test]
    fn the_verdict_is_success_and_not_the_status() {
        for (status, body, result) in [
            (200, r#"{"success":true,"Result":"id"}"#, "id"),
            (200, r#"{"Success":"True","result":"id"}"#, "id"),
            (500, r#"{"success":true,"Result":"id"}"#, "id"),
        ] {
            assert_eq!(read(status, body).unwrap(), result, "{status} {body}");
        }
        assert_eq!(read(200, r#"{"success":true}"#).unwrap(), Value::Null);
    }

    #[test]
    fn what_is_not_a_success_is_the_right_failure() {
        for (status, body, kind, later, in_doubt) in [
            (
                200,
                r#"{"success":false,"Message":"User 7 not found."}"#,
                "not_found",
                false,
                false,
            ),
            (
                404,
                r#"{"success":false,"Message":"User 7 not found."}"#,
                "not_found",
                false,
                false,
            ),
            (200, r#"{"success":false,"Message":null}"#, "refused", false, false),
            (
                200,
                r#"{"success":false,"Result":{"ChallengeId":"x"}}"#,
                "challenge",
                false,
                false,
            ),
            (
                200,
                r#"{"success":false,"Exception":"it timed out"}"#,
                "transient",
                true,
                true,
            ),
            (
                500,
                r#"{"success":false,"Message":"Object reference not set to an instance of an object."}"#,
                "unavailable",
                true,
                true,
            ),
            (
                500,
                r#"{"success":false,"Message":"The user name a@b is already in use."}"#,
                "duplicate",
                false,
                false,
            ),
            (404, "", "not_exposed", false, false),
            (404, " \r\n", "not_exposed", false, false),
            (404, "<html>no</html>", "unavailable", true, false),
            (200, "", "unavailable", true, true),
            (200, "<html>", "unavailable", true, true),
            (200, r#"{"success":tr"#, "unavailable", true, true),
            (200, r#"{"Result":"id"}"#, "unavailable", true, true),
            (200, r#"[{"success":true}]"#, "unavailable", true, true),
            (200, r#"{"success":null}"#, "unavailable", true, true),
            (302, "", "unavailable", true, false),
            (403, "<html>", "credentials", true, false),
            (408, "", "unavailable", true, true),
            (413, "<html>", "unavailable", true, false),
            (429, "", "throttled", true, false),
            (500, "", "unavailable", true, true),
            (502, "<html>", "unavailable", true, true),
            (503, "", "unavailable", true, true),
        ] {
            let failure = read(status, body).unwrap_err();
            let seen = (failure.kind(), failure.is_later(), failure.in_doubt());
            assert_eq!(seen, (kind, later, in_doubt), "{status} {body}");
        }
    }

    /// The tenant knows their Platform: what they say of a server error holds.
    #[test]
    fn a_tenants_own_word_holds_for_a_server_error_too() {
        let matchers =
            matchers(r#"[{"contains": "nein", "class": "validation"}, {"contains": "langsam", "class": "throttled"}]"#);
        for (message, kind, later, in_doubt) in [
            ("nein", "validation", false, false),
            ("langsam", "throttled", true, false),
            ("invalid", "unavailable", true, true),
        ] {
            let answer = Answer {
                body: format!(r#"{{"success":false,"Message":"{message}"}}"#).into(),
                ..answer(StatusCode::INTERNAL_SERVER_ERROR)
            };
            let failure = verdict("Controller/Method", &answer, &[], &matchers).unwrap_err();
            let seen = (failure.kind(), failure.is_later(), failure.in_doubt());
            assert_eq!(seen, (kind, later, in_doubt), "{message}");
        }
    }

    #[test]
    fn deep_nesting_is_no_verdict_and_no_crash() {
        let deep = format!(r#"{{"success":true,"Result":{}"#, "[".repeat(100_000));
        assert_eq!(read(200, &deep).unwrap_err().kind(), "unavailable");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_verdict_or_a_failure(status in 200u16..600, body in proptest::collection::vec(any::<u8>(), 0..64)) {
            // No such short noise says that something was done.
            let answer = Answer { body, ..answer(StatusCode::from_u16(status).unwrap()) };
            prop_assert!(verdict("Controller/Method", &answer, &[], &matchers("[]")).is_err());
        }
    }

    #[test]
    fn a_busy_platform_says_when() {
        let soon = Some(Duration::from_secs(9));
        for (status, body, kind) in [
            (503, "busy", "throttled"),
            (
                200,
                r#"{"success":false,"Message":"Please try again later"}"#,
                "transient",
            ),
            (500, r#"{"success":false,"Message":"Object reference"}"#, "unavailable"),
        ] {
            let answer = Answer {
                retry_after: soon,
                body: body.into(),
                ..answer(StatusCode::from_u16(status).unwrap())
            };
            let failure = verdict("Controller/Method", &answer, &[], &matchers("[]")).unwrap_err();
            assert_eq!((failure.kind(), failure.retry_after()), (kind, soon), "{status} {body}");
        }
    }
}
