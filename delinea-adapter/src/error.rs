//! Why something could not be applied, and the one table that turns it into a gRPC status: the code says *later* or
//! *refused*, the reason says why, the message is what an administrator reads.

use proto::error::{Details, ErrorReason};
use tonic::{Code, Status};

use crate::platform::failure::{Class, Failure, Words};

/// What kind of object it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Account,
    Group,
}

impl Kind {
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Group => "group",
        }
    }
}

/// Why something could not be applied. Names stand in [`ApplyError::words`] only, so that a log shows none.
#[derive(thiserror::Error)]
pub(crate) enum ApplyError {
    /// The Platform failed or refused.
    #[error("a call to the Platform failed")]
    Platform(#[from] Failure),
    /// Another object has the name.
    #[error("the name is taken by another {}", .kind.noun())]
    Exists {
        kind: Kind,
        id: String,
        name: String,
        why: &'static str,
        /// What the Platform said, where it was the one that refused.
        said: Option<Words>,
    },
    /// Several objects have the name.
    #[error("more than one {} has the name", .kind.noun())]
    Ambiguous { kind: Kind, name: String },
    /// The object must not be touched.
    #[error("the {} is protected: {why}", .kind.noun())]
    Protected { kind: Kind, id: String, why: &'static str },
    /// The name is one that nothing of ours may have. Nothing was called.
    #[error("the name is reserved: {why}")]
    Reserved {
        kind: Kind,
        name: String,
        why: &'static str,
    },
    /// No local account may be created here.
    #[error("the directory policy does not allow a new account: {0}")]
    DirectoryPolicy(&'static str),
    /// The login suffix does not exist.
    #[error("the Platform does not know the login suffix")]
    UnknownSuffix { suffix: String },
    /// A login name must change, and may not.
    #[error("renames are switched off")]
    RenameOff { from: String, to: String },
    /// A field of the request is missing or malformed.
    #[error("{field} {reason}")]
    Invalid { field: &'static str, reason: &'static str },
    /// The tenant is not ours.
    #[error("there is no such tenant")]
    UnknownTenant { tenant: String },
    /// The time that the caller allows is over.
    #[error("the time for the call is over")]
    OutOfTime,
    /// It failed before anything was created or renamed, or the Platform said that it did nothing.
    #[error("nothing was created")]
    NotCreated(#[source] Box<ApplyError>),
}

impl std::fmt::Debug for ApplyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApplyError({self})")
    }
}

impl ApplyError {
    /// Whether trying again later may help without anybody's doing.
    pub(crate) fn is_later(&self) -> bool {
        match self {
            Self::Platform(failure) => failure.is_later(),
            Self::NotCreated(error) => error.is_later(),
            Self::OutOfTime => true,
            _ => false,
        }
    }

    /// The same error, with word that nothing was created or renamed.
    pub(crate) fn not_created(self) -> Self {
        match self {
            Self::NotCreated(_) => self,
            error => Self::NotCreated(Box::new(error)),
        }
    }

    /// The status: code, reason, metadata and words of each case.
    pub(crate) fn status(self) -> Status {
        let words = self.words();
        let (code, details) = self.details();
        details.status(code, words)
    }

    fn details(self) -> (Code, Details) {
        use ErrorReason as R;
        match self {
            Self::Platform(failure) => platform_details(&failure),
            Self::NotCreated(error) => {
                let (code, details) = error.details();
                (code, details.with("created", "no"))
            }
            Self::Exists { id, name, .. } => (
                Code::AlreadyExists,
                Details::new(R::PlatformObjectExists)
                    .with("platform_id", id)
                    .with("platform_name", name),
            ),
            Self::Ambiguous { name, .. } => (
                Code::FailedPrecondition,
                Details::new(R::PlatformAmbiguous).with("platform_name", name),
            ),
            Self::Protected { id, .. } => (
                Code::FailedPrecondition,
                Details::new(R::PlatformProtected).with("platform_id", id),
            ),
            Self::Reserved { name, .. } => (
                Code::AlreadyExists,
                Details::new(R::PlatformObjectExists).with("platform_name", name),
            ),
            Self::DirectoryPolicy(_) => (Code::FailedPrecondition, Details::new(R::DirectoryPolicy)),
            Self::UnknownSuffix { suffix } => (
                Code::FailedPrecondition,
                Details::new(R::PlatformRefused).with("suffix", suffix),
            ),
            Self::RenameOff { .. } => (Code::FailedPrecondition, Details::new(R::PlatformRefused)),
            Self::Invalid { field, .. } => (
                Code::InvalidArgument,
                Details::new(R::InvalidRequest).with("field", field),
            ),
            Self::UnknownTenant { tenant } => (Code::NotFound, Details::new(R::UnknownTenant).with("tenant", tenant)),
            Self::OutOfTime => (Code::Unavailable, Details::new(R::PlatformUncertain)),
        }
    }

    /// What an administrator reads.
    fn words(&self) -> String {
        match self {
            Self::Platform(failure) => failure.words(),
            Self::NotCreated(error) => error.words(),
            Self::OutOfTime => "the Platform did not answer all calls in the time that one delivery may take \
                                (DELIVERY_TIMEOUT); what has become of the last one is looked at next time"
                .to_owned(),
            Self::Exists {
                kind,
                id,
                name,
                why,
                said,
            } => {
                let noun = kind.noun();
                let which = if id.is_empty() {
                    String::new()
                } else {
                    format!(" (id {id})")
                };
                let said = said
                    .as_ref()
                    .map(|words| format!("; the Platform said: {}", words.as_str()))
                    .unwrap_or_default();
                format!(
                    "the Delinea Platform has {} {noun} named \"{name}\" already{which}, and it is not ours: {why}{said}",
                    if *kind == Kind::Account { "an" } else { "a" }
                )
            }
            Self::Ambiguous { kind, name } => format!(
                "the Delinea Platform has more than one {} named \"{name}\"; remove or rename all but one",
                kind.noun()
            ),
            Self::Protected { kind, id, why } => format!("the Platform's {} {id} is not touched: {why}", kind.noun()),
            Self::Reserved { kind, name, why } => {
                format!("no {} of this gateway may be named \"{name}\": {why}", kind.noun())
            }
            Self::DirectoryPolicy(why) => format!("no local account is created on the Delinea Platform: {why}"),
            Self::UnknownSuffix { suffix } => format!(
                "the Delinea Platform does not know the login suffix \"{suffix}\"; add it there, or map it to one that \
                 exists (SUFFIX_MAP)"
            ),
            Self::RenameOff { from, to } => {
                format!("the login name \"{from}\" would become \"{to}\", but renames are switched off (ALLOW_RENAME)")
            }
            Self::UnknownTenant { tenant } => format!("there is no tenant \"{tenant}\""),
            Self::Invalid { .. } => self.to_string(),
        }
    }
}

fn platform_details(failure: &Failure) -> (Code, Details) {
    use ErrorReason as R;
    let (code, reason) = match failure {
        Failure::Refused { class, .. } => match class {
            Class::Duplicate => (Code::AlreadyExists, R::PlatformObjectExists),
            Class::Validation | Class::WeakPassword => (Code::InvalidArgument, R::PlatformRefused),
            Class::Permission => (Code::PermissionDenied, R::PlatformRefused),
            Class::Transient => (Code::Unavailable, R::PlatformUnavailable),
            Class::Challenge | Class::NotFound | Class::Other => (Code::FailedPrecondition, R::PlatformRefused),
        },
        Failure::NotExposed { .. } | Failure::Locked { .. } => (Code::FailedPrecondition, R::PlatformNotExposed),
        Failure::Moved { .. } => (Code::Unavailable, R::PlatformNotExposed),
        Failure::Throttled { .. } => (Code::ResourceExhausted, R::PlatformThrottled),
        Failure::Credentials { .. } | Failure::Secret(_) => (Code::Unavailable, R::PlatformCredentials),
        Failure::Unavailable { .. } => (Code::Unavailable, R::PlatformUnavailable),
        Failure::Uncertain { .. } => (Code::Unavailable, R::PlatformUncertain),
    };
    let mut details = Details::new(reason).retry_after(failure.retry_after());
    if let Some(method) = failure.method() {
        details = details.with("method", method);
    }
    (code, details)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::platform::failure::Trouble;

    #[test]
    fn every_failure_is_later_or_refused_as_its_code_says() {
        let method = "Controller/Method";
        let refused = |class| Failure::refused(method, class, "anna@example.com");
        let wait = Some(Duration::from_secs(3));
        for failure in [
            refused(Class::Challenge),
            refused(Class::Duplicate),
            refused(Class::NotFound),
            refused(Class::Permission),
            refused(Class::Validation),
            refused(Class::WeakPassword),
            refused(Class::Transient),
            refused(Class::Other),
            Failure::NotExposed { method },
            Failure::Moved { method },
            Failure::Throttled {
                method,
                retry_after: wait,
            },
            Failure::Credentials { method, status: 401 },
            Failure::unavailable(method, Trouble::Timeout),
            Failure::uncertain(method),
        ] {
            let (later, retry_after) = (failure.is_later(), failure.retry_after());
            let error = ApplyError::from(failure.clone()).not_created().not_created();
            assert!(!format!("{error:?} {error}").contains("anna"));
            assert_eq!(error.is_later(), later);
            let status = error.status();
            let code = status.code();
            assert_eq!(
                matches!(code, Code::Unavailable | Code::ResourceExhausted),
                later,
                "{failure:?}"
            );
            let details = Details::of(&status).unwrap();
            assert_eq!(details.retry_after, retry_after);
            assert_eq!(details.metadata["method"], method);
            assert_eq!(details.metadata["created"], "no");
            let status = ApplyError::from(failure).status();
            assert!(!Details::of(&status).unwrap().metadata.contains_key("created"));
        }
    }
}
