//! The verdict of an answer of the SCIM endpoint: the HTTP status, and what its error body says (RFC 7644 §3.12). A bare 404 is
//! no verdict about an object: it means that the endpoint, or the path, is not there.

use http::StatusCode;
use serde_json::Value;

use super::super::{
    envelope,
    failure::{Class, Failure, Trouble, Words},
    matchers::{Matchers, Meaning, Reason},
    transport::Answer,
};

/// The body of a successful answer, `Null` where it has none; or the failure that the answer is. 401 is the caller's to handle
/// before. A tenant's own matchers come before the status: to them `scimType` is an `ErrorID` and `detail` a `Message`.
pub(crate) fn verdict(method: &'static str, answer: &Answer, matchers: &Matchers) -> Result<Value, Failure> {
    let blank = answer.body.iter().all(u8::is_ascii_whitespace);
    let status = answer.status;
    match status {
        StatusCode::NO_CONTENT => return Ok(Value::Null),
        StatusCode::NOT_FOUND if blank => return Err(Failure::NotExposed { method }),
        _ => {}
    }
    let body = serde_json::from_slice::<Value>(&answer.body)
        .ok()
        .filter(Value::is_object);
    if status.is_success() {
        // A proxy's page with 200 is no answer; what was asked may have been done all the same.
        return body.ok_or_else(|| envelope::no_verdict(method, answer));
    }
    let text = |name: &str| {
        body.as_ref()
            .and_then(|body| body.get(name)?.as_str())
            .unwrap_or_default()
    };
    let is_scim = body.as_ref().is_some_and(|body| {
        body.get("schemas").is_some() || body.get("status").is_some() || body.get("detail").is_some()
    });
    let refused = |class| Failure::Refused {
        method,
        class,
        words: Words::new(text("detail")),
        retry_after: answer.retry_after.filter(|_| class == Class::Transient),
    };
    let reason = Reason {
        error_id: text("scimType"),
        message: text("detail"),
        status: status.as_u16(),
        ..Reason::default()
    };
    match matchers.own(&reason).filter(|_| is_scim) {
        Some(Meaning::Throttled) => return Err(envelope::throttled(method, answer)),
        Some(Meaning::Refused(class)) => return Err(refused(class)),
        None => {}
    }
    let class = match status {
        StatusCode::CONFLICT => Class::Duplicate,
        StatusCode::BAD_REQUEST if text("scimType").eq_ignore_ascii_case("uniqueness") => Class::Duplicate,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Class::Validation,
        StatusCode::NOT_FOUND => Class::NotFound,
        StatusCode::FORBIDDEN => Class::Permission,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Class::Other,
        _ => return Err(envelope::no_verdict(method, answer)),
    };
    // What is not the endpoint's own answer says nothing of an object.
    if !is_scim && status != StatusCode::CONFLICT {
        return Err(match status {
            StatusCode::FORBIDDEN => envelope::no_verdict(method, answer),
            _ => Failure::Unavailable {
                method,
                trouble: Trouble::NotAnEnvelope(status.as_u16()),
                in_doubt: false,
                retry_after: answer.retry_after,
                source: None,
            },
        });
    }
    Err(refused(class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::matchers::tests::matchers;

    #[test]
    fn each_status_is_the_right_failure() {
        let scim = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"no","status":"4xx"}"#;
        for (status, body, kind, later, in_doubt) in [
            (404, "", "not_exposed", false, false),
            (404, scim, "not_found", false, false),
            (404, "<html>", "unavailable", true, false),
            (409, scim, "duplicate", false, false),
            (409, "", "duplicate", false, false),
            (400, scim, "validation", false, false),
            (
                400,
                r#"{"detail":"taken","scimType":"uniqueness"}"#,
                "duplicate",
                false,
                false,
            ),
            (403, scim, "permission", false, false),
            (403, "<html>", "credentials", true, false),
            (501, scim, "refused", false, false),
            (429, "", "throttled", true, false),
            (500, scim, "unavailable", true, true),
            (503, "", "unavailable", true, true),
            (302, "", "unavailable", true, false),
            (200, "", "unavailable", true, true),
            (200, "<html>", "unavailable", true, true),
            (201, "[]", "unavailable", true, true),
        ] {
            let answer = Answer {
                status: StatusCode::from_u16(status).unwrap(),
                retry_after: None,
                transaction: None,
                body: body.into(),
            };
            let failure = verdict("scim GET /Users", &answer, &matchers("[]")).unwrap_err();
            let seen = (failure.kind(), failure.is_later(), failure.in_doubt());
            assert_eq!(seen, (kind, later, in_doubt), "{status} {body}");
        }
    }

    #[test]
    fn a_tenants_own_matchers_come_before_the_status() {
        let own = matchers(
            r#"[{"field": "message", "contains": "langsam", "class": "throttled"}, {"field": "error_id", "contains": "quota", "status": 400, "class": "transient"}]"#,
        );
        for (body, kind) in [
            (r#"{"detail":"Bitte langsamer.","status":"400"}"#, "throttled"),
            (r#"{"detail":"x","scimType":"quota"}"#, "transient"),
            (r#"{"detail":"x","scimType":"invalidValue"}"#, "validation"),
        ] {
            let answer = Answer {
                status: StatusCode::BAD_REQUEST,
                retry_after: None,
                transaction: None,
                body: body.into(),
            };
            let failure = verdict("scim POST /Users", &answer, &own).unwrap_err();
            assert_eq!(failure.kind(), kind, "{body}");
        }
    }
}
