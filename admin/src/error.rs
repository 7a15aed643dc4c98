//! Why a command failed, and the one table that turns it into exit codes.

use std::io;

use proto::error::{Details, ErrorReason};
use tonic::{Code, Status};

/// The service said no, or failed; or the operator said no.
const EX_FAILED: u8 = 1;
/// Nothing was found, or something was found that a person must see.
const EX_FOUND: u8 = 3;
/// Wrong usage.
pub(crate) const EX_USAGE: u8 = 64;
/// The service cannot be reached.
const EX_UNREACHABLE: u8 = 69;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Something cannot be done as it was asked for.
    #[error("{0}")]
    Usage(String),
    /// The address cannot be called.
    #[error("--identity-url")]
    Address(#[source] service_runtime::Error),
    /// No answer came.
    #[error("identity-service at {url} cannot be reached ({})", .status.message())]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What the connection said.
        status: Box<Status>,
    },
    /// No answer came to a request whose answer is told once.
    #[error(
        "no answer came, and it may have been done all the same; ask again with --request-id {request_id}, and what nobody received is replaced"
    )]
    AnswerLost {
        /// The request's id.
        request_id: String,
        /// Why none came.
        #[source]
        source: Box<Error>,
    },
    /// The service ended a stream before its end.
    #[error("identity-service at {0} ended the stream")]
    Ended(String),
    /// The service said no, or failed.
    #[error("{}{}", told(.0), .0.message())]
    Refused(Box<Status>),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// What was to be done to several resources could not be done to some.
    #[error("{failed} of {of} failed")]
    Some {
        /// How many failed.
        failed: usize,
        /// How many there were.
        of: usize,
    },
    /// `--check` found something, which has been printed.
    #[error("a person is needed")]
    Attention,
    /// What raised an alarm was not repaired.
    #[error(
        "what raised an alarm is not repaired; look at the Platform first, then say --despite-alarm if it is to be repaired"
    )]
    Alarm,
    /// A comparison came to no end.
    #[error("the comparison came to no end: {0}")]
    Incomplete(String),
    /// The operator did not say yes.
    #[error("nothing was done")]
    Declined,
    /// The answer is not what the contract says.
    #[error("the answer cannot be read: {0}")]
    Answer(String),
    /// The terminal, a pipe or a signal failed.
    #[error("input or output failed")]
    Io(#[from] io::Error),
    /// Signals cannot be listened for.
    #[error(transparent)]
    Runtime(service_runtime::Error),
}

impl Error {
    /// What a status means for a call to identity-service at that URL.
    pub(crate) fn of(status: Status, url: &str) -> Self {
        use std::error::Error as _;
        let reason = Details::of(&status).map(|details| details.reason);
        let is_silence = matches!(
            status.code(),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled
        );
        match reason {
            Some(ErrorReason::NotFound) => Self::NotFound(not_found(&status)),
            Some(ErrorReason::NoSuchCredential) => Self::NotFound(status.message().to_owned()),
            // A status that came over the wire has no cause in this process.
            None if is_silence || status.source().is_some() => Self::Unreachable {
                url: url.to_owned(),
                status: Box::new(status),
            },
            _ => Self::Refused(Box::new(status)),
        }
    }

    /// The table.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Address(_) => EX_USAGE,
            Self::Unreachable { .. } | Self::Ended(_) => EX_UNREACHABLE,
            Self::AnswerLost { source, .. } => source.exit_code(),
            Self::NotFound(_) | Self::Attention | Self::Alarm => EX_FOUND,
            // Whoever reads has had enough, as with `| head`.
            Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Refused(_)
            | Self::Some { .. }
            | Self::Incomplete(_)
            | Self::Declined
            | Self::Answer(_)
            | Self::Io(_)
            | Self::Runtime(_) => EX_FAILED,
        }
    }

    /// Whether there is nothing to say about it.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Attention) || self.exit_code() == 0
    }

    /// Whether the next resource would fare no better.
    pub(crate) fn is_final(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::NotFound(_))
    }
}

/// The service's own reason before its words.
fn told(status: &Status) -> String {
    Details::of(status).map_or_else(
        || format!("{}: ", status.code().description()),
        |details| format!("{}: ", details.reason.name()),
    )
}

/// The service does not know whether a user or a group was meant.
fn not_found(status: &Status) -> String {
    let id = Details::of(status).and_then(|details| details.metadata.get("id").cloned());
    id.map_or_else(
        || status.message().to_owned(),
        |id| format!("no user or group has the id {id}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_exit_code() {
        let ours = |reason, code| Details::new(reason).status(code, "words");
        let table = [
            (Status::unavailable("connection refused"), 69),
            (Status::deadline_exceeded("the caller's time is over"), 69),
            (Status::cancelled("Timeout expired"), 69),
            (Status::from_error(Box::new(io::Error::other("broken"))), 69),
            (Status::internal("internal error"), 1),
            (Status::unimplemented(""), 1),
            // The service is there, and its store is not.
            (ours(ErrorReason::StoreUnavailable, Code::Unavailable), 1),
            (ours(ErrorReason::NotFound, Code::NotFound), 3),
            (ours(ErrorReason::UnknownTenant, Code::NotFound), 1),
            (ours(ErrorReason::NotHeld, Code::FailedPrecondition), 1),
        ];
        for (status, code) in table {
            let shown = format!("{status:?}");
            assert_eq!(Error::of(status, "http://x").exit_code(), code, "{shown}");
        }
        let lost = Error::AnswerLost {
            request_id: "r-1".to_owned(),
            source: Box::new(Error::of(Status::unavailable("connection refused"), "http://x")),
        };
        assert_eq!(lost.exit_code(), 69);
        let told = service_runtime::Chain(&lost).to_string();
        assert!(
            told.contains("--request-id r-1") && told.matches("connection refused").count() == 1,
            "{told}"
        );
        let said = Error::of(ours(ErrorReason::NotHeld, Code::FailedPrecondition), "http://x");
        assert_eq!(said.to_string(), "NOT_HELD: words");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let gone = Error::Io(io::ErrorKind::BrokenPipe.into());
        assert!(gone.exit_code() == 0 && gone.is_silent());
        assert_eq!(Error::Io(io::ErrorKind::StorageFull.into()).exit_code(), 1);
    }
}
