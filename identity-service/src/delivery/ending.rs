//! How a claim ends when the Platform does not match: later, refused, or after another of ours; and when it is tried again.

use std::time::Duration;

use jiff::Timestamp;
use proto::error::{Details, ErrorReason};
use tonic::{Code, Status};

use super::{Relay, apply::Exchange, backoff::pause, dry_run};
use crate::{
    id::{Kind, ResourceId},
    store::{Claim, Failure, Settlement},
};

impl Relay {
    /// How a claim ends after a failed call: later, or refused.
    pub(super) fn failed(&self, exchange: &Exchange<'_>, status: &Status) -> Settlement {
        let (claim, void_intents) = (exchange.claim, exchange.void.clone());
        let details = Details::of(status);
        let reason = details.as_ref().map(|details| details.reason);
        // The adapter reads the file of tenants at a time of its own: it may come to know this one in a moment.
        let is_unknown = reason == Some(ErrorReason::UnknownTenant);
        if !is_unknown && is_refusal(status.code(), reason.is_some_and(is_of_the_object)) {
            self.adapter_state.ready();
            let retry_at = Timestamp::now() + self.served.delivery.refused_retry;
            return Settlement::Refused {
                failure: failure(status),
                retry_at,
                void_intents,
            };
        }
        match reason {
            // Not the adapter's own words: it could not be reached.
            None => self
                .adapter_state
                .degraded("the adapter cannot be reached; changes are kept and delivered later"),
            Some(reason) if !is_of_the_object(reason) => self.adapter_state.degraded(
                "the adapter does not let this service call it (compare their GRPC_ settings); changes are kept and delivered later",
            ),
            Some(_) => {}
        }
        let asked = details.and_then(|details| details.retry_after);
        let retry_at = self.retry_at(claim, asked);
        Settlement::Postponed {
            failure: failure(status),
            retry_at,
            not_before: not_before(claim.kind, retry_at, asked),
            waits_for: None,
            void_intents,
        }
    }

    /// The end of a claim that waits for another resource of ours.
    pub(super) fn waiting(&self, exchange: &Exchange<'_>, failure: Failure, on: ResourceId) -> Settlement {
        if self.served.policy.dry_run {
            return dry_run::after(on, &failure);
        }
        Settlement::Postponed {
            failure,
            retry_at: self.retry_at(exchange.claim, None),
            not_before: None,
            waits_for: Some(on),
            void_intents: exchange.void.clone(),
        }
    }

    /// The next try of what failed: after a pause with jitter, and not before the Platform wants it.
    pub(super) fn retry_at(&self, claim: &Claim, after: Option<Duration>) -> Timestamp {
        let pause = pause(
            self.served.delivery.backoff_base,
            self.served.delivery.backoff_ceiling,
            claim.attempts,
            &mut rand::rng(),
        );
        Timestamp::now() + pause.max(after.unwrap_or_default())
    }

    /// The end of a claim that is to be looked at anew soon.
    pub(super) fn anew(&self, exchange: &Exchange<'_>) -> Settlement {
        let failure = Failure {
            reason: ErrorReason::Contention.name().to_owned(),
            message: "the resource changed meanwhile".to_owned(),
        };
        Settlement::Postponed {
            failure,
            retry_at: self.retry_at(exchange.claim, None),
            not_before: None,
            waits_for: None,
            void_intents: exchange.void.clone(),
        }
    }

    /// When to look again at what waits or was refused, should no event do it sooner.
    pub(super) fn look_again_at(&self) -> Timestamp {
        Timestamp::now() + self.served.delivery.refused_retry
    }
}

/// Until when no change makes a failed delivery due sooner. A user's change may be that somebody leaves: it waits only where
/// the Platform asked for that. A group's changes come by the hundred, and each would be a try.
fn not_before(kind: Kind, retry_at: Timestamp, asked: Option<Duration>) -> Option<Timestamp> {
    (kind == Kind::Group || asked.is_some()).then_some(retry_at)
}

/// Whether a person must act. The other codes say that nothing was decided.
fn is_refusal(code: Code, in_its_own_words: bool) -> bool {
    match code {
        Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::NotFound
        // Without details this is tonic's own: a message too large for the other side, however often it is sent.
        | Code::OutOfRange => true,
        // Without details these come from a proxy, or from whatever else listens at the address.
        Code::PermissionDenied | Code::Unimplemented => in_its_own_words,
        _ => false,
    }
}

/// Whether a reason speaks of what is delivered. That the adapter does not let this service call it says nothing of that: it is
/// a matter of settings, and tried again.
fn is_of_the_object(reason: ErrorReason) -> bool {
    !matches!(reason, ErrorReason::CallerUnknown | ErrorReason::RightMissing)
}

pub(super) fn failure(status: &Status) -> Failure {
    let reason = Details::of(status).map_or(ErrorReason::PlatformUnavailable, |details| details.reason);
    Failure {
        reason: reason.name().to_owned(),
        message: status.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_must_change_is_refused() {
        let always = [
            Code::AlreadyExists,
            Code::FailedPrecondition,
            Code::InvalidArgument,
            Code::NotFound,
            Code::OutOfRange,
        ];
        let by_the_adapter_itself = [Code::PermissionDenied, Code::Unimplemented];
        for number in 0..17 {
            let code = Code::from(number);
            assert_eq!(is_refusal(code, false), always.contains(&code), "{code:?}");
            let refused = always.contains(&code) || by_the_adapter_itself.contains(&code);
            assert_eq!(is_refusal(code, true), refused, "{code:?}");
        }
    }

    #[test]
    fn an_adapter_that_does_not_let_us_call_refuses_no_resource() {
        for (status, refused) in [
            (proto::error::caller_unknown(), false),
            (proto::error::right_missing("identity-service", "write"), false),
            (
                Details::new(ErrorReason::PlatformRefused).status(Code::PermissionDenied, "the service user may not"),
                true,
            ),
        ] {
            let reason = Details::of(&status).unwrap().reason;
            assert_eq!(
                is_refusal(status.code(), is_of_the_object(reason)),
                refused,
                "{reason:?}"
            );
        }
    }

    #[test]
    fn only_the_platform_has_a_leaver_wait() {
        let (at, asked) = (Timestamp::UNIX_EPOCH, Some(Duration::from_secs(1)));
        assert_eq!(not_before(Kind::User, at, None), None);
        assert_eq!(not_before(Kind::User, at, asked), Some(at));
        assert_eq!(not_before(Kind::Group, at, None), Some(at));
        assert_eq!(not_before(Kind::Group, at, asked), Some(at));
    }

    #[test]
    fn a_failure_keeps_the_adapters_reason_and_the_platforms_words() {
        let refused =
            Details::new(ErrorReason::PlatformRefused).status(Code::FailedPrecondition, "the suffix is unknown");
        let unreachable = Status::unavailable("connection refused");
        let cases = [
            (refused, ErrorReason::PlatformRefused, "the suffix is unknown"),
            (unreachable, ErrorReason::PlatformUnavailable, "connection refused"),
        ];
        for (status, reason, message) in cases {
            let failure = failure(&status);
            assert_eq!(
                (failure.reason.as_str(), failure.message.as_str()),
                (reason.name(), message)
            );
        }
    }
}
