//! Errors as the contract carries them: a gRPC status with `google.rpc.ErrorInfo`, and `RetryInfo` where it is known when.
//!
//! The reasons are the enum [`ErrorReason`]; which status a reason goes with is the business of the service that raises it.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub use v1::ErrorReason;

/// The domain of every reason of ours.
pub const DOMAIN: &str = "scim-gateway.delinea";

mod v1 {
    #![allow(missing_docs, clippy::all, unreachable_pub, reason = "generated")]
    tonic::include_proto!("delinea.scim.error.v1");
}

const PREFIX: &str = "ERROR_REASON_";

/// How long the text of an error may be, and each piece of its metadata, in bytes. A status travels in headers, and one
/// that does not fit into them breaks the call.
const TEXT_BYTES: usize = 1_024;

impl ErrorReason {
    /// The reason as `ErrorInfo` has it, such as `UNIQUENESS`.
    pub fn name(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix(PREFIX).unwrap_or(name)
    }

    /// The reason of that name, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::from_str_name(&format!("{PREFIX}{name}"))
    }
}

/// What an error says beside its code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Why it failed.
    pub reason: ErrorReason,
    /// What the text mentions, by name.
    pub metadata: HashMap<String, String>,
    /// How long to wait before the next try, where that is known.
    pub retry_after: Option<Duration>,
}

impl Details {
    /// Details that say no more than the reason.
    pub fn new(reason: ErrorReason) -> Self {
        Self {
            reason,
            metadata: HashMap::new(),
            retry_after: None,
        }
    }

    /// Adds a piece of metadata.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.metadata.insert(key.to_owned(), short(value.into()));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// The status that carries these details.
    pub fn status(self, code: Code, message: impl Into<String>) -> Status {
        let mut details = ErrorDetails::with_error_info(self.reason.name(), DOMAIN, self.metadata);
        if let Some(after) = self.retry_after {
            details.set_retry_info(Some(after));
        }
        Status::with_error_details(code, short(message.into()), details)
    }

    /// The details of a status of ours; `None` when another hand made it (a proxy, the transport, tonic itself).
    pub fn of(status: &Status) -> Option<Self> {
        let info = status.get_details_error_info()?;
        if info.domain != DOMAIN {
            return None;
        }
        let reason = ErrorReason::from_name(&info.reason)?;
        let retry_after = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
        Some(Self {
            reason,
            metadata: info.metadata,
            retry_after,
        })
    }
}

/// The refusal of a caller that a service does not know: no token or certificate, or one that is not known.
pub fn caller_unknown() -> Status {
    Details::new(ErrorReason::CallerUnknown).status(
        Code::Unauthenticated,
        "the caller is not known here: it sent no token or certificate that this service knows (GRPC_TOKEN, GRPC_CALLERS_FILE)",
    )
}

/// The refusal of a known caller that lacks the right which a method states.
pub fn right_missing(caller: &str, right: &str) -> Status {
    let message = format!("the caller {caller} has no right to {right} here (GRPC_CALLERS_FILE)");
    Details::new(ErrorReason::RightMissing)
        .with("caller", caller)
        .with("right", right)
        .status(Code::PermissionDenied, message)
}

/// Cuts a text that is too long, and shows that it was.
fn short(mut text: String) -> String {
    if text.len() > TEXT_BYTES {
        let room = TEXT_BYTES - '…'.len_utf8();
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_a_header_is_cut() {
        let long = "é".repeat(20_000);
        let status = Details::new(ErrorReason::Scim)
            .with("member", long.as_str())
            .status(Code::InvalidArgument, long);
        let member = Details::of(&status).unwrap().metadata["member"].clone();
        for text in [status.message(), &member] {
            assert!(
                text.len() <= TEXT_BYTES && text.len() > TEXT_BYTES - 8,
                "{}",
                text.len()
            );
            assert!(text.ends_with("é…"), "{text}");
        }
    }

    #[test]
    fn details_survive_the_way_through_a_status() {
        let details = Details::new(ErrorReason::PlatformThrottled)
            .with("method", "CDirectoryService/CreateUser")
            .retry_after(Some(Duration::from_secs(7)));
        let status = details.clone().status(Code::Unavailable, "the Platform asked to wait");
        assert_eq!(status.message(), "the Platform asked to wait");
        assert_eq!(Details::of(&status), Some(details));
    }

    #[test]
    fn a_status_from_another_hand_has_no_details() {
        assert_eq!(Details::of(&Status::unavailable("connection refused")), None);
    }

    #[test]
    fn every_reason_is_found_by_its_name() {
        let all = (0..64).filter_map(|number| ErrorReason::try_from(number).ok());
        for reason in all {
            assert_eq!(ErrorReason::from_name(reason.name()), Some(reason));
        }
    }
}
