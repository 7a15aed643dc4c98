//! What can go wrong in a request, and the one table that turns it into gRPC statuses.

use std::time::Duration;

use proto::error::{Details, ErrorReason};
use tonic::{Code, Status};

use crate::{
    id::{Kind, ResourceId},
    record::Malformed,
    store::StoreError,
};

/// When to try again what the store could not do. It comes back by itself or not at all, and a fail-over takes about as long.
const STORE_RETRY: Duration = Duration::from_secs(5);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request breaks a rule of SCIM.
    #[error("{}", .0.detail)]
    Scim(#[from] scim::Error),
    /// No such resource.
    #[error("no {} has the id {id}", .kind.name())]
    NotFound {
        /// The kind asked for.
        kind: Kind,
        /// The id asked for.
        id: String,
    },
    /// Another resource has the name.
    #[error("another {} has this {attribute}; it is unique without regard to case{}", .kind.name(), told(.holder.as_ref()))]
    NameTaken {
        /// User or group.
        kind: Kind,
        /// The attribute that is unique.
        attribute: &'static str,
        /// Who has it, where that is known.
        holder: Option<Holder>,
    },
    /// Another resource gives the name up by a change that the Platform does not have yet.
    #[error("the {attribute} is reserved for {owner}, whose change of it has not been applied yet; try again later")]
    NameReserved {
        /// The attribute that is unique.
        attribute: &'static str,
        /// Who may have to take it back.
        owner: ResourceId,
    },
    /// The Platform, or a rule, said no while the caller waited.
    #[error("{message}{}", if *undone { "" } else { " (the change stays, listed as refused)" })]
    Refused {
        /// Why.
        reason: ErrorReason,
        /// The Platform's words.
        message: String,
        /// Whether the change was taken back.
        undone: bool,
    },
    /// What is held or refused cannot be taken back.
    #[error("it cannot be discarded: {0}")]
    CannotDiscard(&'static str),
    /// The resource is not at the version that the caller insists on.
    #[error("the resource is at version {present}, not at {wanted}")]
    VersionMismatch {
        /// The entity tag it is at.
        present: String,
        /// The entity tag the caller sent.
        wanted: String,
    },
    /// A member does not exist.
    #[error("the member {0} does not exist")]
    UnknownMember(String),
    /// A member is a group.
    #[error("the member {0} is a group; nested groups are not delivered to the Platform")]
    NestedGroup(String),
    /// The tenant does not exist.
    #[error("there is no tenant {0}")]
    UnknownTenant(String),
    /// The request id was used for something else.
    #[error("the request_id {0} was used for another request")]
    RequestIdReused(String),
    /// A field of the request is missing or malformed.
    #[error("{field}: {problem}")]
    InvalidRequest {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The caller read the request by another schema table than the present one.
    #[error("the tenant's schemas are others by now; fetch them and read the request anew")]
    SchemasChanged {
        /// The hash of the present ones.
        present: String,
    },
    /// There is no such credential, or secret of one.
    #[error("there is no credential {0}")]
    NoSuchCredential(String),
    /// Another credential has the name.
    #[error("another credential is called {0}")]
    CredentialExists(String),
    /// Settings name the credential.
    #[error("{0} stands in the settings, and is changed there")]
    CredentialReadOnly(String),
    /// A token could not be signed.
    #[error("an access token could not be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
    /// There is nothing to release.
    #[error("nothing of {0} is held")]
    NotHeld(String),
    /// This process compares with the Platform already.
    #[error("a comparison with the Platform is under way; try again when it has ended")]
    DriftUnderWay,
    /// What would be linked is not what was shown.
    #[error("what would be linked is not what the plan of that digest showed; plan anew")]
    RelinkChanged,
    /// The adapter, or the Platform behind it, could not be asked. The adapter's own words.
    #[error("the Platform could not be asked: {}", .0.message())]
    Adapter(Status),
    /// Too many others changed the same resource at the same time.
    #[error("the resource kept changing while the request was tried; try again")]
    Contention,
    /// The log no longer goes back that far.
    #[error("what followed this token is no longer kept; list everything and begin anew")]
    ResumeTokenExpired(String),
    /// The store failed.
    #[error("the store is not available")]
    Store(#[from] StoreError),
    /// A stored resource could not be turned into a message.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// The resource that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub id: ResourceId,
    /// Whether it is a user that may not be used.
    pub inactive: bool,
}

fn told(holder: Option<&Holder>) -> String {
    let Some(Holder { id, inactive }) = holder else {
        return String::new();
    };
    let inactive = if *inactive { ", and it is inactive" } else { "" };
    format!("; its id is {id}{inactive}")
}

impl Error {
    /// The table: what each error is outside.
    fn parts(&self) -> (Code, Details) {
        use ErrorReason as Reason;
        let details = Details::new;
        match self {
            Self::Scim(error) => (
                Code::InvalidArgument,
                details(Reason::Scim).with("scim_type", error.kind.scim_type()),
            ),
            Self::NotFound { kind, id } => (
                Code::NotFound,
                details(Reason::NotFound)
                    .with("resource_type", kind.name())
                    .with("id", id),
            ),
            Self::NameTaken { attribute, .. } => (
                Code::AlreadyExists,
                details(Reason::Uniqueness).with("attribute", *attribute),
            ),
            Self::NameReserved { attribute, .. } => (
                Code::AlreadyExists,
                details(Reason::Uniqueness).with("attribute", *attribute),
            ),
            Self::Refused { reason, .. } => (
                match reason {
                    Reason::PlatformObjectExists | Reason::PlatformAmbiguous => Code::AlreadyExists,
                    _ => Code::FailedPrecondition,
                },
                details(*reason),
            ),
            Self::CannotDiscard(_) => (Code::FailedPrecondition, details(Reason::CannotDiscard)),
            Self::VersionMismatch { present, .. } => {
                (Code::Aborted, details(Reason::VersionMismatch).with("etag", present))
            }
            Self::UnknownMember(id) => (Code::InvalidArgument, details(Reason::UnknownMember).with("member", id)),
            Self::NestedGroup(id) => (Code::InvalidArgument, details(Reason::NestedGroup).with("member", id)),
            Self::UnknownTenant(tenant) => (Code::NotFound, details(Reason::UnknownTenant).with("tenant", tenant)),
            Self::RequestIdReused(id) => (
                Code::InvalidArgument,
                details(Reason::RequestIdReused).with("request_id", id),
            ),
            Self::InvalidRequest { field, .. } => (
                Code::InvalidArgument,
                details(Reason::InvalidRequest).with("field", *field),
            ),
            Self::SchemasChanged { present } => (
                Code::FailedPrecondition,
                details(Reason::SchemasChanged).with("hash", present),
            ),
            Self::NoSuchCredential(called) => (
                Code::NotFound,
                details(Reason::NoSuchCredential).with("credential", called),
            ),
            Self::CredentialExists(name) => (
                Code::AlreadyExists,
                details(Reason::CredentialExists).with("name", name),
            ),
            Self::CredentialReadOnly(called) => (
                Code::FailedPrecondition,
                details(Reason::CredentialReadOnly).with("credential", called),
            ),
            Self::Signing(_) => (Code::Internal, details(Reason::Internal)),
            Self::NotHeld(id) => (Code::FailedPrecondition, details(Reason::NotHeld).with("id", id)),
            Self::DriftUnderWay => (Code::Aborted, details(Reason::DriftUnderWay)),
            Self::RelinkChanged => (Code::Aborted, details(Reason::RelinkChanged)),
            Self::Adapter(status) => (
                Code::Unavailable,
                Details::of(status).unwrap_or_else(|| details(Reason::PlatformUnavailable)),
            ),
            Self::Contention => (Code::Aborted, details(Reason::Contention)),
            Self::ResumeTokenExpired(token) => (
                Code::OutOfRange,
                details(Reason::ResumeTokenExpired).with("resume_token", token),
            ),
            Self::Store(_) => (
                Code::Unavailable,
                details(Reason::StoreUnavailable).retry_after(Some(STORE_RETRY)),
            ),
            Self::Malformed(_) => (Code::Internal, details(Reason::Internal)),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, details) = error.parts();
        if matches!(code, Code::Unavailable | Code::Internal) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                reason = details.reason.name(),
                "a request failed through a fault of ours"
            );
        }
        details.status(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_away_is_unavailable_and_says_when_to_try_again() {
        let away = StoreError::Engine {
            doing: "write",
            source: std::sync::Arc::new(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
        };
        for error in [away, StoreError::Closed] {
            let status = Status::from(Error::from(error));
            let details = Details::of(&status).unwrap();
            assert_eq!(
                (status.code(), details.reason),
                (Code::Unavailable, ErrorReason::StoreUnavailable)
            );
            assert_eq!(details.retry_after, Some(STORE_RETRY));
        }
    }

    #[test]
    fn every_error_names_what_it_is_about() {
        let cases: [(Error, Code, &str, &str); 6] = [
            (
                Error::NotFound {
                    kind: Kind::User,
                    id: "u1".into(),
                },
                Code::NotFound,
                "id",
                "u1",
            ),
            (
                Error::NameTaken {
                    kind: Kind::Group,
                    attribute: "displayName",
                    holder: None,
                },
                Code::AlreadyExists,
                "attribute",
                "displayName",
            ),
            (Error::UnknownMember("m1".into()), Code::InvalidArgument, "member", "m1"),
            (Error::NestedGroup("g1".into()), Code::InvalidArgument, "member", "g1"),
            (Error::UnknownTenant("t".into()), Code::NotFound, "tenant", "t"),
            (
                Error::InvalidRequest {
                    field: "id",
                    problem: "missing".into(),
                },
                Code::InvalidArgument,
                "field",
                "id",
            ),
        ];
        for (error, code, key, value) in cases {
            let status = Status::from(error);
            assert_eq!(status.code(), code, "{status:?}");
            assert_eq!(Details::of(&status).unwrap().metadata[key], value);
        }
    }
}
