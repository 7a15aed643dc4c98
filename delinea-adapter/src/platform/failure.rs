//! How a call to the Platform can fail. A failure has three faces: what the caller may read ([`Failure::words`]), which
//! kind it counts as ([`Failure::kind`]), and whether it is worth another try ([`Failure::is_later`]).
//!
//! The Platform's own words name accounts, so they stand on the first face only: neither `Display` nor `Debug`, which
//! end up in logs, shows them.

use std::{fmt, sync::Arc, time::Duration};

/// How a call failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The Platform understood and said no.
    #[error("the Platform refused {method} ({class:?})")]
    Refused {
        method: &'static str,
        class: Class,
        words: Words,
        /// How long it asked to wait, where waiting may help.
        retry_after: Option<Duration>,
    },
    /// A bare 404: the method is not there. It says nothing about any object.
    #[error("the Platform does not expose {method}")]
    NotExposed { method: &'static str },
    /// No call is there that disables an account, so it was locked.
    #[error("the account was locked, for the Platform does not expose {method}")]
    Locked { method: &'static str },
    /// The call is not there, and the tenant's other interface is used from now on. Nothing was done.
    #[error("the Platform does not expose {method}; its other interface is used from now on")]
    Moved { method: &'static str },
    /// The Platform asked for fewer calls. Nothing was done.
    #[error("the Platform asked for fewer calls ({method})")]
    Throttled {
        method: &'static str,
        retry_after: Option<Duration>,
    },
    /// The service user's credentials, or its token, are not accepted. A secret can be rotated under way, so: later.
    #[error("the Platform does not accept the service user's credentials ({method}: HTTP {status})")]
    Credentials { method: &'static str, status: u16 },
    /// There is no secret to show.
    #[error("the service user's secret cannot be read")]
    Secret(#[source] Arc<service_runtime::Error>),
    /// No verdict came.
    #[error("the Platform gave no verdict on {method}: {trouble}")]
    Unavailable {
        method: &'static str,
        trouble: Trouble,
        /// Whether the Platform may have done what was asked.
        in_doubt: bool,
        retry_after: Option<Duration>,
        #[source]
        source: Option<Arc<reqwest::Error>>,
    },
    /// A write went out, and what came of it could not be read back in time.
    #[error("the outcome of {method} could not be read back")]
    Uncertain {
        method: &'static str,
        /// What the Platform said, if it said anything.
        words: Option<Words>,
    },
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The service user would have to answer a challenge.
    Challenge,
    /// The name is taken.
    Duplicate,
    /// The object does not exist.
    NotFound,
    /// The service user lacks a right.
    Permission,
    /// A value is not acceptable.
    Validation,
    /// The password of a new account is not acceptable.
    WeakPassword,
    /// It may work in a while.
    Transient,
    /// Anything else: permanent, and shown to a person.
    Other,
}

/// Why there was no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No turn came for the call while its caller waited: it was not sent.
    NoTurn,
    /// No connection came about.
    Connect,
    /// No answer came in time.
    Timeout,
    /// The connection ended before the answer did.
    Cut,
    /// The answer is longer than is read.
    TooLong,
    /// The answer is not what the API answers: HTML from a proxy, nothing, half an answer.
    NotAnEnvelope(u16),
    /// The server failed, and what it says of the call is not worth more than that.
    ServerError(u16),
    /// A redirect, which is not followed.
    Redirect(u16),
    /// The answer lacks what was asked for.
    Incomplete,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTurn => f.write_str("other calls went before it for too long"),
            Self::Connect => f.write_str("it cannot be reached"),
            Self::Timeout => f.write_str("no answer came in time"),
            Self::Cut => f.write_str("the connection was cut"),
            Self::TooLong => f.write_str("the answer is too long"),
            Self::NotAnEnvelope(status) => write!(f, "the answer (HTTP {status}) is not one of its API"),
            Self::ServerError(status) => write!(f, "its server failed (HTTP {status})"),
            Self::Redirect(status) => write!(f, "it answered with a redirect (HTTP {status})"),
            Self::Incomplete => f.write_str("the answer lacks what was asked for"),
        }
    }
}

/// What the Platform said, for the caller only.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Words(String);

/// No message of the Platform's is worth more.
const MAX_WORDS: usize = 500;

impl Words {
    /// The words, cut to a length that fits an error message, on one line.
    pub(crate) fn new(text: &str) -> Self {
        let line = |c: char| if c.is_control() { ' ' } else { c };
        let mut text: String = text.trim().chars().take(MAX_WORDS).map(line).collect();
        if text.is_empty() {
            text.push_str("no reason given");
        }
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({} bytes)", self.0.len())
    }
}

impl Failure {
    /// A failure for want of an answer.
    pub(crate) fn unavailable(method: &'static str, trouble: Trouble) -> Self {
        Self::Unavailable {
            method,
            trouble,
            in_doubt: !matches!(trouble, Trouble::NoTurn | Trouble::Connect),
            retry_after: None,
            source: None,
        }
    }

    /// A refusal in words of our own.
    pub(crate) fn refused(method: &'static str, class: Class, words: &str) -> Self {
        Self::Refused {
            method,
            class,
            words: Words::new(words),
            retry_after: None,
        }
    }

    /// A write whose outcome is not known.
    pub(crate) fn uncertain(method: &'static str) -> Self {
        Self::Uncertain { method, words: None }
    }

    /// What a write came to whose outcome is still not known: this failure's words are kept.
    pub(crate) fn still_uncertain(&self, method: &'static str) -> Self {
        Self::Uncertain {
            method,
            words: self.said().cloned(),
        }
    }

    /// What the caller may read.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Refused {
                method,
                class: Class::Challenge,
                words,
                ..
            } => format!(
                "the Platform asks the service user for a further factor ({method}: {}); exempt it from \
                 authentication challenges",
                words.as_str()
            ),
            Self::Refused {
                method,
                class: Class::Permission,
                words,
                ..
            } => format!(
                "the Platform's service user lacks a right ({method}: {}); check its roles",
                words.as_str()
            ),
            Self::Refused {
                method,
                class: Class::WeakPassword,
                words,
                ..
            } => format!(
                "the Platform refused {method}: {}; passwords are generated, by PASSWORD_SOURCE, PASSWORD_LENGTH, \
                 PASSWORD_EACH_KIND and PASSWORD_SYMBOLS: let them fit its policy",
                words.as_str()
            ),
            Self::Refused { method, words, .. } => format!("the Platform refused {method}: {}", words.as_str()),
            Self::Uncertain {
                method,
                words: Some(words),
            } => format!(
                "the outcome of {method} could not be read back; the Platform said: {}",
                words.as_str()
            ),
            Self::Unavailable { method, trouble, .. } => format!("the Platform gave no verdict on {method}: {trouble}"),
            Self::Locked { method } => format!(
                "the Delinea Platform does not expose {method} to the service user (HTTP 404 without a body), so the account was \
                 locked in place of being disabled: nobody gets in. Where a tenant never offers it, set STATE_CALL=cloud_lock, and \
                 the lock is cleared when its owner comes back; else clear the lock on the Platform then"
            ),
            Self::NotExposed { method } => format!(
                "the Delinea Platform does not expose {method} to the service user (HTTP 404 without a body); check its \
                 rights, or whether this tenant offers the call at all"
            ),
            other => other.to_string(),
        }
    }

    /// Which kind it counts as in metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Refused { class, .. } => match class {
                Class::Challenge => "challenge",
                Class::Duplicate => "duplicate",
                Class::NotFound => "not_found",
                Class::Permission => "permission",
                Class::Validation => "validation",
                Class::WeakPassword => "weak_password",
                Class::Transient => "transient",
                Class::Other => "refused",
            },
            Self::NotExposed { .. } | Self::Moved { .. } | Self::Locked { .. } => "not_exposed",
            Self::Throttled { .. } => "throttled",
            Self::Credentials { .. } | Self::Secret(_) => "credentials",
            Self::Unavailable {
                trouble: Trouble::Connect,
                ..
            } => "unreachable",
            Self::Unavailable {
                trouble: Trouble::Timeout,
                ..
            } => "timeout",
            Self::Unavailable { .. } => "unavailable",
            Self::Uncertain { .. } => "uncertain",
        }
    }

    /// Whether the same call may succeed later without anybody's doing.
    pub(crate) fn is_later(&self) -> bool {
        match self {
            Self::Refused { class, .. } => *class == Class::Transient,
            Self::NotExposed { .. } | Self::Locked { .. } => false,
            _ => true,
        }
    }

    /// How long the Platform asked to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. }
            | Self::Throttled { retry_after, .. }
            | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the Platform may have done what was asked.
    pub(crate) fn in_doubt(&self) -> bool {
        match self {
            Self::Unavailable { in_doubt, .. } => *in_doubt,
            Self::Uncertain { .. } => true,
            // The Platform says that it could not, which is not the same as that it did not.
            Self::Refused { class, .. } => *class == Class::Transient,
            _ => false,
        }
    }

    /// The call that failed, if it was one.
    pub(crate) fn method(&self) -> Option<&'static str> {
        match self {
            Self::Refused { method, .. }
            | Self::NotExposed { method }
            | Self::Moved { method }
            | Self::Locked { method }
            | Self::Throttled { method, .. }
            | Self::Credentials { method, .. }
            | Self::Unavailable { method, .. }
            | Self::Uncertain { method, .. } => Some(method),
            Self::Secret(_) => None,
        }
    }

    /// What the Platform said when it refused.
    pub(crate) fn said(&self) -> Option<&Words> {
        match self {
            Self::Refused { words, .. } => Some(words),
            _ => None,
        }
    }

    /// The class of a refusal.
    pub(crate) fn class(&self) -> Option<Class> {
        match self {
            Self::Refused { class, .. } => Some(*class),
            _ => None,
        }
    }

    /// Whether the service user lacks a right, as far as the Platform says.
    pub(crate) fn is_permission(&self) -> bool {
        let status = match self {
            Self::Credentials { status, .. } => *status,
            _ => 0,
        };
        self.class() == Some(Class::Permission) || status == 403
    }

    /// Whether it is a refusal that could be about the object, and not about the service user or the moment.
    pub(crate) fn is_about_object(&self) -> bool {
        matches!(
            self.class(),
            Some(Class::NotFound | Class::Other | Class::Validation | Class::WeakPassword | Class::Duplicate)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_words_reach_the_caller_but_no_log() {
        let words = Words::new("The user anna@example.com\nis already in use.");
        let failure = Failure::Refused {
            method: "CDirectoryService/CreateUser",
            class: Class::Duplicate,
            words,
            retry_after: None,
        };
        assert!(failure.words().contains("anna@example.com is already"));
        assert!(!failure.to_string().contains("anna"));
        assert!(!format!("{failure:?}").contains("anna"));
    }
}
