//! Bodies of writes: the media types that are taken, the bounds of size and time, and the way from bytes to canonical
//! JSON and on to the contract's messages.

use std::time::Duration;

use axum::extract::Request;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt;
use proto::identity::v1::PatchOperation;
use scim::{AttrPath, ResourceSchema};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Problem;
use crate::json;

/// A body that is too large is read on and thrown away up to here: most clients read no answer before they have sent
/// everything, and would see a broken connection instead of 413.
const MOST_READ: u64 = 64 << 20;

/// How large a body may be, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: u64,
    /// Zero means no limit.
    pub(crate) time: Duration,
}

/// A body that has arrived. It can be read again, should the schemas turn out to be others.
pub(crate) struct Arrived {
    bytes: Vec<u8>,
    limit: u64,
}

impl Arrived {
    /// Waits for a request's body.
    pub(crate) async fn of(request: Request, limits: Limits) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        Ok(Self {
            bytes: read(request, limits).await?,
            limit: limits.bytes,
        })
    }

    /// What it says.
    pub(crate) fn json(&self) -> Result<Value, Problem> {
        json::parse(&self.bytes, self.limit)
    }
}

/// Reads a resource: canonical, with everything that a resource must have, as the contract's message; and what it says of
/// attributes that are returned on request.
pub(crate) fn resource<M: DeserializeOwned>(
    schema: &ResourceSchema,
    body: Value,
) -> Result<(M, Vec<AttrPath>), Problem> {
    let body = scim::canonicalize(schema, body)?;
    let said = scim::requested_by_body(schema, &body);
    let message = serde_path_to_error::deserialize(body).map_err(|error| {
        let path = error.path().to_string();
        Problem::invalid_value(format!("{path}: {}", error.into_inner()))
    })?;
    Ok((message, said))
}

/// Reads a PATCH: each operation of either dialect as one or more operations in the one form that identity-service
/// knows; and what they say of attributes that are returned on request.
pub(crate) fn operations(
    schema: &ResourceSchema,
    body: Value,
) -> Result<(Vec<PatchOperation>, Vec<AttrPath>), Problem> {
    let request = scim::PatchRequest::from_json(body)?;
    let steps = scim::steps(schema, request.operations)?;
    let said = scim::requested_by_steps(schema, &steps);
    let operations = steps.into_iter().map(|step| PatchOperation {
        op: step.op.to_string(),
        path: Some(step.path.to_string()),
        value: step.value.map(|value| value.to_string()),
        operation: i32::try_from(step.operation).ok(),
    });
    Ok((operations.collect(), said))
}

/// Takes SCIM's type and plain JSON, with any parameters, in any letter case (Q34), and a body that names no type.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let encoded = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|line| !line.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Problem::unsupported_media_type(
            "Send the body without a Content-Encoding.",
        ));
    }
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = given
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if ["application/scim+json", "application/json"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(essence))
    {
        return Ok(());
    }
    Err(Problem::unsupported_media_type(
        "Send the body as application/scim+json or application/json.",
    ))
}

async fn read(request: Request, Limits { bytes: limit, time }: Limits) -> Result<Vec<u8>, Problem> {
    let most = limit.max(MOST_READ);
    let headers = request.headers();
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > most || length > limit && headers.contains_key(EXPECT)) {
        return Err(Problem::too_large(limit));
    }
    let mut body = request.into_body();
    let (mut bytes, mut seen) = (Vec::new(), 0);
    let arrival = async {
        while seen <= most
            && let Some(frame) = body.frame().await
        {
            let frame = frame.map_err(|_| Problem::invalid_syntax("The body broke off before its end."))?;
            let data = frame.into_data().unwrap_or_default();
            seen += data.len() as u64;
            if seen <= limit {
                bytes.extend_from_slice(&data);
            }
        }
        Ok(())
    };
    let arrived = if time.is_zero() {
        arrival.await
    } else {
        let slow = |_| Err(Problem::slow_body());
        tokio::time::timeout(time, arrival).await.unwrap_or_else(slow)
    };
    if seen > limit {
        Err(Problem::too_large(limit))
    } else {
        arrived.map(|()| bytes)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::stream;
    use http::HeaderValue;
    use proto::resource::v1::User;
    use scim::Schemas;
    use serde_json::json;

    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 64,
        time: Duration::from_secs(5),
    };

    #[test]
    fn media_types() {
        let table = [
            (None, true),
            (Some("application/scim+json"), true),
            (Some("application/scim+json; charset=utf-8"), true),
            (Some("Application/SCIM+JSON;Charset=UTF-8"), true),
            (Some("application/json"), true),
            (Some(" application/json "), true),
            (Some("text/json"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("multipart/form-data; boundary=application/json"), false),
            (Some("application/scim+jsonx"), false),
            (Some(""), false),
        ];
        for (given, taken) in table {
            let headers = given
                .into_iter()
                .map(|given| (CONTENT_TYPE, HeaderValue::from_static(given)))
                .collect();
            let status = check_media_type(&headers).map_err(|problem| problem.status.as_u16());
            assert_eq!(status, if taken { Ok(()) } else { Err(415) }, "{given:?}");
        }
        let packed = [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]
            .into_iter()
            .collect();
        assert_eq!(check_media_type(&packed).unwrap_err().status.as_u16(), 415);
    }

    #[test]
    fn a_user_of_entra_becomes_the_message() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "UserName": "odile.marchetti@kestrelworks.example",
            "active": "True",
            "title": null,
            "password": "never kept",
            "roles": [],
            "emails": [{"primary": "true", "type": "work", "value": "odile@kestrelworks.example"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": 417, "manager": "m1"},
            "meta": {"resourceType": "User"},
        });
        let (user, _): (User, _) = resource(Schemas::builtin().user(), body).unwrap();
        assert_eq!(user.user_name(), "odile.marchetti@kestrelworks.example");
        assert_eq!((user.active, user.title, user.roles.len()), (Some(true), None, 0));
        assert_eq!((user.emails.len(), user.emails[0].primary), (1, Some(true)));
        let enterprise = user.enterprise_user.unwrap();
        assert_eq!(enterprise.employee_number(), "417");
        assert_eq!(enterprise.manager.unwrap().value(), "m1");
    }

    #[test]
    fn both_dialects_of_entra_end_in_one_form() {
        let default = json!({"Operations": [
            {"op": "Replace", "path": "displayName", "value": "Odile M. Roy"},
            {"op": "Add", "path": "name.familyName", "value": "Roy"},
            {"op": "Replace", "path": "active", "value": "False"},
            {"op": "Replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Halls"},
        ]});
        let flagged = json!({"Operations": [{"op": "replace", "value": {
            "displayName": "Odile M. Roy",
            "name.familyName": "Roy",
            "active": false,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "Halls",
        }}]});
        let read = |body: &Value| {
            let (operations, _) = operations(Schemas::builtin().user(), body.clone()).unwrap();
            let mut set: Vec<_> = operations
                .into_iter()
                .map(|operation| (operation.path.unwrap(), operation.value.unwrap()))
                .collect();
            set.sort_unstable();
            set
        };
        assert_eq!(read(&default), read(&flagged));
        assert!(read(&default).contains(&("active".to_owned(), "false".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn size_and_time_are_bounded() {
        let status = |body: Body, length: Option<&'static str>| async move {
            let mut request = Request::new(body);
            request
                .headers_mut()
                .extend(length.map(|length| (CONTENT_LENGTH, HeaderValue::from_static(length))));
            read(request, LIMITS)
                .await
                .map(|bytes| bytes.len())
                .map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(status(Body::from(vec![b' '; 64]), None).await, Ok(64));
        assert_eq!(status(Body::from(vec![b' '; 65]), None).await, Err(413));
        assert_eq!(
            status(Body::empty(), Some("99999999999")).await,
            Err(413),
            "refused before it is read"
        );
        let endless = stream::repeat(Ok::<_, std::convert::Infallible>("never enough "));
        assert_eq!(status(Body::from_stream(endless), None).await, Err(413));
        let silent = stream::pending::<Result<&str, std::io::Error>>();
        assert_eq!(status(Body::from_stream(silent), None).await, Err(408));
        let broken = stream::iter([Ok("{"), Err(std::io::Error::other("reset"))]);
        assert_eq!(status(Body::from_stream(broken), None).await, Err(400));
    }
}
