//! The one place where failures become SCIM errors (RFC 7644 §3.12): the gateway's own refusals, scim's rules, and, in
//! [`meaning`], every gRPC code and reason. A client's mistake is 4xx; 5xx means that one of us must look. Our own
//! fault is never 401, 403 or 404: Entra would quarantine the job or drop its link to the resource.

use std::error::Error as StdError;
use std::fmt;
use std::iter::successors;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use proto::error::{Details, ErrorReason as Reason};
use scim::ErrorKind;
use service_runtime::Chain;
use tonic::{Code, Status, TimeoutExpired};

use crate::answer;

/// When a client is told to come back if nobody knows better.
const RETRY: Duration = Duration::from_secs(5);

/// A failure as the client reads it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) scim_type: Option<&'static str>,
    pub(crate) detail: String,
    pub(crate) retry_after: Option<Duration>,
    /// What our log shall say of it; not for the client.
    cause: Option<String>,
}

/// Goes with the answer to where failures are logged, once, with the request's id.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub(crate) String);

/// What a failed call to identity-service means outside: status, `scimType`, and what to say instead of the failure's
/// own words, which are for the client only where it made the mistake.
fn meaning(code: Code, details: Option<&Details>) -> (StatusCode, Option<ErrorKind>, Option<&'static str>) {
    use ErrorKind::{InvalidValue, Mutability, Uniqueness};
    use StatusCode as S;

    const OURS: Option<&str> = Some("The gateway failed; its log has the cause. The request may be repeated.");
    const UNREACHED: Option<&str> = Some("The service behind the gateway cannot be reached for the moment. Try again.");
    const LATE: Option<&str> = Some("The service behind the gateway did not answer in time. Try again.");
    const SCHEMAS: Option<&str> = Some("The tenant's schemas are being replaced. Try again.");
    const SETTINGS: Option<&str> =
        Some("The gateway names a tenant that its service does not know; compare their settings.");
    const UNKNOWN_HERE: Option<&str> =
        Some("The service behind the gateway does not know the gateway; compare their GRPC_ settings. Try again.");
    const NOT_ALLOWED: Option<&str> =
        Some("The service behind the gateway does not allow the gateway this; compare their GRPC_ settings.");
    const THEIR_WORDS: Option<&str> = None;

    let Some(Details { reason, metadata, .. }) = details else {
        // No reason of ours: the transport, a proxy, or tonic itself.
        return match code {
            Code::Unavailable => (S::SERVICE_UNAVAILABLE, None, UNREACHED),
            Code::DeadlineExceeded | Code::Cancelled => (S::GATEWAY_TIMEOUT, None, LATE),
            _ => (S::INTERNAL_SERVER_ERROR, None, OURS),
        };
    };
    match reason {
        Reason::Scim => {
            let kind = metadata
                .get("scim_type")
                .and_then(|name| ErrorKind::from_scim_type(name));
            let status = kind.and_then(|kind| S::from_u16(kind.status()).ok());
            (status.unwrap_or(S::BAD_REQUEST), kind, THEIR_WORDS)
        }
        Reason::NotFound => (S::NOT_FOUND, None, THEIR_WORDS),
        Reason::Uniqueness => (S::CONFLICT, Some(Uniqueness), THEIR_WORDS),
        Reason::VersionMismatch => (S::PRECONDITION_FAILED, None, THEIR_WORDS),
        Reason::UnknownMember | Reason::NestedGroup => (S::BAD_REQUEST, Some(InvalidValue), THEIR_WORDS),
        Reason::Contention => (S::SERVICE_UNAVAILABLE, None, THEIR_WORDS),
        // Twice in one request: they are being replaced.
        Reason::SchemasChanged => (S::SERVICE_UNAVAILABLE, None, SCHEMAS),
        Reason::StoreUnavailable => (S::SERVICE_UNAVAILABLE, None, UNREACHED),

        Reason::PlatformObjectExists | Reason::PlatformAmbiguous => (S::CONFLICT, Some(Uniqueness), THEIR_WORDS),
        Reason::PlatformRefused => (S::BAD_REQUEST, Some(InvalidValue), THEIR_WORDS),
        Reason::PlatformProtected => (S::BAD_REQUEST, Some(Mutability), THEIR_WORDS),
        Reason::DirectoryPolicy => (S::BAD_REQUEST, None, THEIR_WORDS),
        Reason::PlatformUnavailable | Reason::PlatformThrottled | Reason::PlatformUncertain => {
            (S::SERVICE_UNAVAILABLE, None, THEIR_WORDS)
        }
        Reason::PlatformCredentials | Reason::PlatformNotExposed => (S::INTERNAL_SERVER_ERROR, None, THEIR_WORDS),

        // The tenant was taken out just now, or the two of us are of different versions.
        Reason::UnknownTenant => (S::INTERNAL_SERVER_ERROR, None, SETTINGS),
        // It is the gateway that was refused, and not its client. While a token is rotated that may pass by itself.
        Reason::CallerUnknown => (S::SERVICE_UNAVAILABLE, None, UNKNOWN_HERE),
        Reason::RightMissing => (S::INTERNAL_SERVER_ERROR, None, NOT_ALLOWED),
        // The request was of our own making.
        Reason::InvalidRequest
        | Reason::RequestIdReused
        | Reason::ResumeTokenExpired
        | Reason::NotHeld
        | Reason::NoSuchCredential
        | Reason::CredentialExists
        | Reason::CredentialReadOnly
        | Reason::CannotDiscard
        | Reason::DriftUnderWay
        | Reason::RelinkChanged => (S::INTERNAL_SERVER_ERROR, None, OURS),
        Reason::Internal | Reason::Unspecified => (S::INTERNAL_SERVER_ERROR, None, OURS),
    }
}

/// Whether the connection failed rather than the service: no answer came, so nothing was said about the request.
pub(crate) fn is_connection_lost(status: &Status) -> bool {
    // tonic keeps the cause of what it made up itself; a status that travelled has none.
    let mut causes = successors(status.source(), |&cause| cause.source()).peekable();
    let local = causes.peek().is_some();
    let late = status.code() == Code::DeadlineExceeded || causes.any(<dyn StdError>::is::<TimeoutExpired>);
    (local || status.code() == Code::Unavailable) && !late && Details::of(status).is_none()
}

/// What a log may say of a failed call. The text of an error of ours may name a person; its reason does not, nor does
/// what the transport says.
pub(crate) fn cause(status: &Status) -> String {
    let code = status.code();
    match (Details::of(status), status.source()) {
        (Some(details), _) => details.reason.name().to_owned(),
        (None, Some(source)) => format!("{code:?}: {}", Chain(source)),
        (None, None) => format!("{code:?}: {}", status.message()),
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        let details = Details::of(&status);
        // A connection that breaks has many codes; outside it is one thing.
        let code = if is_connection_lost(&status) {
            Code::Unavailable
        } else {
            status.code()
        };
        let (http, kind, instead) = meaning(code, details.as_ref());
        let cause = cause(&status);
        let known = details.as_ref().and_then(|details| details.retry_after);
        let detail = match instead {
            Some(text) => text.to_owned(),
            None if status.message().is_empty() => http.canonical_reason().unwrap_or("failed").to_owned(),
            None => status.message().to_owned(),
        };
        Self {
            status: http,
            scim_type: kind.map(ErrorKind::scim_type),
            detail,
            retry_after: (http == StatusCode::SERVICE_UNAVAILABLE).then(|| known.unwrap_or(RETRY)),
            cause: Some(cause),
        }
    }
}

impl From<scim::Error> for Problem {
    fn from(error: scim::Error) -> Self {
        let status = StatusCode::from_u16(error.kind.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self {
            scim_type: Some(error.kind.scim_type()),
            ..Self::new(status, error.detail)
        }
    }
}

impl From<scim::Refusal> for Problem {
    fn from(refusal: scim::Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self {
            scim_type: refusal.scim_type,
            ..Self::new(status, refusal.detail)
        }
    }
}

impl From<Problem> for scim::Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.status.as_u16(),
            scim_type: problem.scim_type,
            detail: problem.detail,
        }
    }
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type: None,
            detail: detail.into(),
            retry_after: None,
            cause: None,
        }
    }

    pub(crate) fn invalid_syntax(detail: impl Into<String>) -> Self {
        scim_problem(ErrorKind::InvalidSyntax, detail)
    }

    pub(crate) fn invalid_value(detail: impl Into<String>) -> Self {
        scim_problem(ErrorKind::InvalidValue, detail)
    }

    pub(crate) fn invalid_filter(detail: impl Into<String>) -> Self {
        scim_problem(ErrorKind::InvalidFilter, detail)
    }

    pub(crate) fn invalid_cursor(detail: impl Into<String>) -> Self {
        scim_problem(ErrorKind::InvalidCursor, detail)
    }

    pub(crate) fn invalid_count(detail: impl Into<String>) -> Self {
        scim_problem(ErrorKind::InvalidCount, detail)
    }

    /// There is no schema table as yet, and nothing can be read without.
    pub(crate) fn no_schemas() -> Self {
        Self::unavailable("The gateway has just started and does not know the tenant's schemas as yet. Try again.")
    }

    pub(crate) fn unavailable(detail: &str) -> Self {
        Self {
            retry_after: Some(RETRY),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    pub(crate) fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    pub(crate) fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn method_not_allowed(method: &http::Method) -> Self {
        let detail = format!("{method} is not possible here; the Allow header lists what is.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    pub(crate) fn not_implemented(detail: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, detail)
    }

    pub(crate) fn slow_body() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "The request's body did not arrive in time.",
        )
    }

    pub(crate) fn too_large(limit: u64) -> Self {
        let detail =
            format!("The body is larger than the {limit} bytes that are taken here; send less in one request.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    pub(crate) fn too_many_values(most: usize) -> Self {
        let detail = format!("The body has more than the {most} values that are taken here; send less in one request.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    pub(crate) fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    pub(crate) fn timed_out() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "The request took longer than the gateway allows. Try again.",
        )
    }

    pub(crate) fn long_url(limit: u64) -> Self {
        let detail = format!("The URL is longer than {limit} bytes; a query can be the body of POST /.search.");
        Self::new(StatusCode::URI_TOO_LONG, detail)
    }

    pub(crate) fn large_headers(limit: u64) -> Self {
        let detail = format!("The headers are larger than {limit} bytes.");
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
    }

    /// The client's tenant asks for more than it may, and shall come again later.
    pub(crate) fn throttled(detail: &str, after: Duration) -> Self {
        Self {
            retry_after: Some(after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
        }
    }

    /// All tenants together ask for more than we can do.
    pub(crate) fn overloaded(after: Duration) -> Self {
        let detail = "The gateway has more requests under way than its CONCURRENCY. Try again.";
        Self {
            retry_after: Some(after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// A fault of ours; what is said of it here is for the log.
    pub(crate) fn internal(what: &str, cause: &dyn fmt::Display) -> Self {
        let detail = "The gateway failed; its log has the cause.";
        Self {
            cause: Some(format!("{what}: {cause}")),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
        }
    }
}

fn scim_problem(kind: ErrorKind, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    scim::Error { kind, detail }.into()
}

/// The detail may quote what the client sent; a log must not.
impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            scim_type,
            retry_after,
            ..
        } = self;
        write!(f, "Problem({status}, {scim_type:?}, {retry_after:?})")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = scim::error_body(self.status.as_u16(), self.scim_type, &self.detail);
        let mut response = answer::json(self.status, &body);
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: Code, reason: Reason, metadata: &[(&str, &str)]) -> Problem {
        let details = Details::new(reason);
        let details = metadata
            .iter()
            .fold(details, |details, (key, value)| details.with(key, *value));
        details.status(code, "the service's words").into()
    }

    #[test]
    fn the_table() {
        let filter = [("scim_type", "invalidFilter")];
        let table = [
            (
                Code::InvalidArgument,
                Reason::Scim,
                &filter[..],
                400,
                Some("invalidFilter"),
            ),
            (
                Code::InvalidArgument,
                Reason::Scim,
                &[("scim_type", "noTarget")],
                400,
                Some("noTarget"),
            ),
            (
                Code::InvalidArgument,
                Reason::Scim,
                &[("scim_type", "uniqueness")],
                409,
                Some("uniqueness"),
            ),
            (
                Code::InvalidArgument,
                Reason::Scim,
                &[("scim_type", "newerThanUs")],
                400,
                None,
            ),
            (Code::InvalidArgument, Reason::Scim, &[], 400, None),
            (Code::NotFound, Reason::NotFound, &[], 404, None),
            (
                Code::AlreadyExists,
                Reason::Uniqueness,
                &[("attribute", "userName")],
                409,
                Some("uniqueness"),
            ),
            (Code::Aborted, Reason::VersionMismatch, &[], 412, None),
            (
                Code::InvalidArgument,
                Reason::UnknownMember,
                &[],
                400,
                Some("invalidValue"),
            ),
            (
                Code::InvalidArgument,
                Reason::NestedGroup,
                &[],
                400,
                Some("invalidValue"),
            ),
            (Code::NotFound, Reason::UnknownTenant, &[], 500, None),
            (Code::Unauthenticated, Reason::CallerUnknown, &[], 503, None),
            (Code::PermissionDenied, Reason::RightMissing, &[], 500, None),
            (Code::AlreadyExists, Reason::RequestIdReused, &[], 500, None),
            (Code::InvalidArgument, Reason::InvalidRequest, &[], 500, None),
            (Code::Aborted, Reason::Contention, &[], 503, None),
            (Code::Unavailable, Reason::StoreUnavailable, &[], 503, None),
            (Code::FailedPrecondition, Reason::SchemasChanged, &[], 503, None),
            (Code::OutOfRange, Reason::ResumeTokenExpired, &[], 500, None),
            (Code::Internal, Reason::Internal, &[], 500, None),
            (
                Code::AlreadyExists,
                Reason::PlatformObjectExists,
                &[],
                409,
                Some("uniqueness"),
            ),
            (
                Code::FailedPrecondition,
                Reason::PlatformAmbiguous,
                &[],
                409,
                Some("uniqueness"),
            ),
            (
                Code::InvalidArgument,
                Reason::PlatformRefused,
                &[],
                400,
                Some("invalidValue"),
            ),
            (
                Code::PermissionDenied,
                Reason::PlatformProtected,
                &[],
                400,
                Some("mutability"),
            ),
            (Code::Unimplemented, Reason::PlatformNotExposed, &[], 500, None),
            (Code::Unauthenticated, Reason::PlatformCredentials, &[], 500, None),
            (Code::Unavailable, Reason::PlatformUnavailable, &[], 503, None),
            (Code::ResourceExhausted, Reason::PlatformThrottled, &[], 503, None),
            (Code::Unavailable, Reason::PlatformUncertain, &[], 503, None),
            (Code::FailedPrecondition, Reason::DirectoryPolicy, &[], 400, None),
        ];
        for (code, reason, metadata, status, scim_type) in table {
            let problem = problem(code, reason, metadata);
            assert_eq!(
                (problem.status.as_u16(), problem.scim_type),
                (status, scim_type),
                "{reason:?}"
            );
            assert_eq!(problem.retry_after.is_some(), status == 503, "{reason:?}");
            assert_eq!(
                problem.detail == "the service's words",
                status < 500 || reason.name().starts_with("PLATFORM") || reason == Reason::Contention
            );
        }
    }

    #[test]
    fn a_fault_of_ours_is_never_the_clients() {
        for code in (1..=16).map(Code::from) {
            let problem = Problem::from(Status::new(code, "a proxy's words"));
            assert!(problem.status.is_server_error(), "{code:?}: {problem:?}");
            assert!(!problem.detail.contains("proxy"), "{code:?}");
        }
    }

    #[test]
    fn the_time_to_wait_is_told_in_whole_seconds() {
        for (known, header) in [
            (None, "5"),
            (Some(Duration::from_millis(1200)), "2"),
            (Some(Duration::ZERO), "1"),
        ] {
            let status = Details::new(Reason::StoreUnavailable)
                .retry_after(known)
                .status(Code::Unavailable, "");
            assert_eq!(Problem::from(status).into_response().headers()[RETRY_AFTER], header);
        }
    }

    #[test]
    fn debug_keeps_what_the_client_sent_to_itself() {
        let problem = Problem::invalid_value("userName odile@kestrelworks.example");
        assert!(!format!("{problem:?}").contains("odile"));
    }
}
