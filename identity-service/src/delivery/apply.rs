//! What users and groups have in common on the way to the Platform: the intent before a create, whose an existing object
//! is, and what a failed call means.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use proto::{
    adapter::v1::{Adoption, IntentRequired, Intents, Link as WireLink},
    error::{Details, ErrorReason},
};
use scim::fold_case;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{Relay, backoff::pause};
use crate::{
    config::Adopt,
    store::{Claim, Failure, Link, Settlement, StoreError},
};

/// What is sent along with every call about one object.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) link: Option<WireLink>,
    pub(super) intents: Intents,
    pub(super) adoption: Adoption,
}

/// What a call came to.
pub(super) enum Answer<T> {
    Applied(T),
    IntentRequired(IntentRequired),
}

/// What the whole exchange came to: the Platform matches, or how the claim ends instead.
pub(super) enum Outcome<T> {
    Applied(T),
    Ends(Box<Settlement>),
}

impl Relay {
    /// Calls the adapter until the object matches: again after the intent to create it was recorded, and again when an
    /// existing object of that name may be taken over.
    pub(super) async fn apply<T, F>(
        &self,
        claim: &Claim,
        link: &Link,
        call: impl Fn(Standing) -> F,
    ) -> Result<Outcome<T>, StoreError>
    where
        F: Future<Output = Result<Answer<T>, Status>>,
    {
        let mut standing = Standing {
            link: link.platform_id.clone().map(|platform_id| WireLink {
                platform_id,
                backend: link.backend.clone(),
            }),
            intents: Intents {
                names: link.intents.clone(),
                fresh_name: None,
            },
            adoption: Adoption::Never,
        };
        // A further call is begun only where it must end within the lease: else another might deliver beside it.
        let last_begin = Instant::now() + self.config.delivery_lease.saturating_sub(self.config.delivery_timeout);
        loop {
            match call(standing.clone()).await {
                Ok(Answer::Applied(applied)) => {
                    self.adapter_state.ready();
                    return Ok(Outcome::Applied(applied));
                }
                Ok(Answer::IntentRequired(required)) => {
                    let again = standing.intents.fresh_name.is_some();
                    let late = Instant::now() > last_begin;
                    if again || late || !self.store.record_intent(claim, &required.name).await? {
                        // Deleted meanwhile, or another holds the work: look at it anew.
                        return Ok(Outcome::Ends(Box::new(self.anew())));
                    }
                    if !standing.intents.names.contains(&required.name) {
                        standing.intents.names.push(required.name.clone());
                    }
                    standing.intents.fresh_name = Some(required.name);
                }
                Err(status) => match self.may_adopt(claim, &standing, &status).await? {
                    Verdict::Adopt(_) if Instant::now() > last_begin => {
                        return Ok(Outcome::Ends(Box::new(self.anew())));
                    }
                    Verdict::Adopt(adoption) => standing.adoption = adoption,
                    Verdict::Ends(settlement) => return Ok(Outcome::Ends(settlement)),
                },
            }
        }
    }

    /// What a failed call means. An object of that name that is nobody's may be taken over, if the tenant allows it.
    async fn may_adopt(&self, claim: &Claim, standing: &Standing, status: &Status) -> Result<Verdict, StoreError> {
        let details = Details::of(status);
        let exists = details
            .as_ref()
            .filter(|details| details.reason == ErrorReason::PlatformObjectExists);
        // The create that the fresh intent was for met somebody else's object: what stands there is not ours.
        let void = standing.intents.fresh_name.clone().filter(|_| exists.is_some());
        let failed = || Verdict::Ends(Box::new(self.failed(claim, status, void.clone())));
        let Some(metadata) = exists.map(|details| &details.metadata) else {
            return Ok(failed());
        };
        let Some(platform_id) = metadata.get("platform_id").filter(|id| !id.is_empty()) else {
            return Ok(failed());
        };
        match self.store.owner(&claim.tenant, claim.kind, platform_id).await? {
            // One of our own is about to give the name up.
            Some(owner) if owner.id != claim.id && !owner.at_rest => {
                Ok(Verdict::Ends(Box::new(Settlement::Postponed {
                    failure: failure(status),
                    retry_at: self.retry_at(claim, None),
                    waits_for: Some(owner.id),
                    void_intent: void,
                })))
            }
            Some(_) => Ok(failed()),
            None => match self.adoption(metadata.get("platform_name").map(String::as_str)) {
                // A rename never adopts, and nothing is asked twice.
                Some(adoption) if standing.link.is_none() && standing.adoption == Adoption::Never => {
                    Ok(Verdict::Adopt(adoption))
                }
                _ => Ok(failed()),
            },
        }
    }

    fn adoption(&self, name: Option<&str>) -> Option<Adoption> {
        match self.policy.adopt {
            Adopt::Never => None,
            Adopt::Matching => Some(Adoption::Matching),
            Adopt::Listed => name
                .filter(|name| self.adopt_list.contains(&fold_case(name)))
                .map(|_| Adoption::Listed),
        }
    }

    /// How a claim ends after a failed call: later, or refused.
    fn failed(&self, claim: &Claim, status: &Status, void_intent: Option<String>) -> Settlement {
        let details = Details::of(status);
        if is_refusal(status.code(), details.is_some()) {
            self.adapter_state.ready();
            let retry_at = Timestamp::now() + self.config.refused_retry;
            return Settlement::Refused {
                failure: failure(status),
                retry_at,
                void_intent,
            };
        }
        if details.is_none() {
            // Not the adapter's own words: it could not be reached.
            self.adapter_state
                .degraded("the adapter cannot be reached; changes are kept and delivered later");
        }
        let after = details.and_then(|details| details.retry_after);
        Settlement::Postponed {
            failure: failure(status),
            retry_at: self.retry_at(claim, after),
            waits_for: None,
            void_intent,
        }
    }

    /// The next try of what failed: after a pause with jitter, and not before the Platform wants it.
    fn retry_at(&self, claim: &Claim, after: Option<Duration>) -> Timestamp {
        let pause = pause(
            self.config.backoff_base,
            self.config.backoff_ceiling,
            claim.attempts,
            &mut rand::rng(),
        );
        Timestamp::now() + pause.max(after.unwrap_or_default())
    }

    /// The end of a claim that is to be looked at anew at once.
    fn anew(&self) -> Settlement {
        let failure = Failure {
            reason: ErrorReason::Contention.name().to_owned(),
            message: "the resource changed meanwhile".to_owned(),
        };
        Settlement::Postponed {
            failure,
            retry_at: Timestamp::now() + self.config.backoff_base,
            waits_for: None,
            void_intent: None,
        }
    }

    /// When to look again at what waits or was refused, should no event do it sooner.
    pub(super) fn look_again_at(&self) -> Timestamp {
        Timestamp::now() + self.config.refused_retry
    }
}

enum Verdict {
    Adopt(Adoption),
    Ends(Box<Settlement>),
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

fn failure(status: &Status) -> Failure {
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
