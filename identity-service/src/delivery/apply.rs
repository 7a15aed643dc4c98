//! What users and groups have in common on the way to the Platform: the intent before a create, whose an existing object
//! is, and what a failed call means.

use std::future::Future;

use proto::{
    adapter::v1::{Adoption, Found, IntentRequired, Intents, Link as WireLink},
    error::{Details, ErrorReason},
};
use scim::fold_case;
use tonic::Status;

use super::{Relay, ending::failure};
use crate::{
    config::Adopt,
    store::{Claim, Failure, Intent, Link, Settlement, StoreError},
};

/// How many calls one delivery makes at most. Each call but the last taught something: an intent to record, an object to
/// ask about, an object to adopt; a sequence that goes on and on is looked at anew.
const MOST_CALLS: u32 = 16;

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
    /// Nothing may be written, and this is what would be.
    Planned(Vec<String>),
    IntentRequired(IntentRequired),
    Found(Found),
}

/// What the whole exchange came to: the Platform matches, or how the claim ends instead.
pub(super) enum Outcome<T> {
    Applied(T),
    Ends(Box<Settlement>),
}

/// What is known on the way from call to call.
pub(super) struct Exchange<'a> {
    pub(super) claim: &'a Claim,
    standing: Standing,
    /// Intents that turned out void.
    pub(super) void: Vec<String>,
    /// Whether an object of our own stood in the way before: it may have moved out of it since.
    in_the_way: bool,
}

impl Relay {
    /// Calls the adapter until the object matches: again after the intent to create it was recorded, after it was asked
    /// whose an object under an intent is, and when an existing object of that name may be taken over.
    pub(super) async fn apply<T, F>(
        &self,
        claim: &Claim,
        link: &Link,
        call: impl Fn(Standing) -> F,
    ) -> Result<Outcome<T>, StoreError>
    where
        F: Future<Output = Result<Answer<T>, Status>>,
    {
        let mut exchange = Exchange::begin(claim, link);
        for _ in 0..MOST_CALLS {
            let next = match call(exchange.standing.clone()).await {
                Ok(Answer::Applied(applied)) => {
                    self.adapter_state.ready();
                    return Ok(Outcome::Applied(applied));
                }
                Ok(Answer::Planned(steps)) => {
                    self.adapter_state.ready();
                    return Ok(Outcome::Ends(Box::new(Settlement::Planned(steps))));
                }
                Ok(Answer::IntentRequired(required)) => self.record(&mut exchange, required).await?,
                Ok(Answer::Found(found)) => self.ask_whose(&mut exchange, found).await?,
                Err(status) => self.after_failure(&mut exchange, &status).await?,
            };
            match next {
                Next::Ends(settlement) => return Ok(Outcome::Ends(settlement)),
                Next::Call => {}
            }
        }
        Ok(Outcome::Ends(Box::new(self.anew(&exchange))))
    }

    /// Notes the name that was found free, before anything is created under it.
    async fn record(&self, exchange: &mut Exchange<'_>, required: IntentRequired) -> Result<Next, StoreError> {
        let (claim, intents) = (exchange.claim, &mut exchange.standing.intents);
        if intents.fresh_name.is_some() {
            return Ok(Next::Ends(Box::new(self.anew(exchange))));
        }
        match self.store.record_intent(claim, &required.name).await? {
            Intent::Noted => {}
            // Deleted meanwhile, or another holds the work: look at it anew.
            Intent::Void => return Ok(Next::Ends(Box::new(self.anew(exchange)))),
            Intent::Taken(other) => {
                let failure = Failure {
                    reason: ErrorReason::Contention.name().to_owned(),
                    message: format!("the name may be given to {other} this moment, which comes first"),
                };
                return Ok(Next::Ends(Box::new(self.waiting(exchange, failure, other))));
            }
        }
        exchange.void.retain(|name| *name != required.name);
        if !intents.names.contains(&required.name) {
            intents.names.push(required.name.clone());
        }
        intents.fresh_name = Some(required.name);
        Ok(Next::Call)
    }

    /// Whose an object is that stands under an intent: ours, unless another resource of ours has it.
    async fn ask_whose(&self, exchange: &mut Exchange<'_>, found: Found) -> Result<Next, StoreError> {
        let claim = exchange.claim;
        let owner = self.store.owner(&claim.tenant, claim.kind, &found.platform_id).await?;
        let intents = &mut exchange.standing.intents;
        // It was looked up just now, so nothing is free any more.
        intents.fresh_name = None;
        if owner.is_some_and(|owner| owner.id != claim.id) {
            intents.names.retain(|name| *name != found.intent);
            exchange.void.push(found.intent);
        } else if intents.confirmed_ids.contains(&found.platform_id) {
            return Ok(Next::Ends(Box::new(self.anew(exchange))));
        } else {
            intents.confirmed_ids.push(found.platform_id);
        }
        Ok(Next::Call)
    }

    /// What a failed call means. An object of that name that is nobody's may be taken over, if the tenant allows it.
    async fn after_failure(&self, exchange: &mut Exchange<'_>, status: &Status) -> Result<Next, StoreError> {
        let claim = exchange.claim;
        let details = Details::of(status);
        let of = |details: &Details, key: &str| details.metadata.get(key).filter(|text| !text.is_empty()).cloned();
        let exists = details
            .as_ref()
            .filter(|details| details.reason == ErrorReason::PlatformObjectExists);
        let not_created = details.as_ref().and_then(|details| of(details, "created")).as_deref() == Some("no");
        // What the fresh intent was for did not come to be: what stands under the name now or later is not ours.
        if exists.is_some() || not_created {
            exchange.void.extend(exchange.standing.intents.fresh_name.clone());
        }
        let Some(exists) = exists else {
            return Ok(Next::Ends(Box::new(self.failed(exchange, status))));
        };
        let (id, name) = (of(exists, "platform_id"), of(exists, "platform_name"));
        // Who means to create it is asked before who has it: the one becomes the other, never the other way round.
        if let Some(name) = &name
            && let Some(other) = self.store.intender(&claim.tenant, claim.kind, name).await?
            && other.id != claim.id
            && !other.at_rest
        {
            return Ok(Next::Ends(Box::new(self.waiting(exchange, failure(status), other.id))));
        }
        let Some(id) = id else {
            return Ok(Next::Ends(Box::new(self.failed(exchange, status))));
        };
        match self.store.owner(&claim.tenant, claim.kind, &id).await? {
            // One of our own is about to give the name up.
            Some(owner) if owner.id != claim.id && !owner.at_rest => {
                Ok(Next::Ends(Box::new(self.waiting(exchange, failure(status), owner.id))))
            }
            // It may have given the name up since it was seen there.
            Some(owner) if owner.id != claim.id && !exchange.in_the_way => {
                exchange.in_the_way = true;
                exchange.forget_void();
                Ok(Next::Call)
            }
            Some(_) => Ok(Next::Ends(Box::new(self.failed(exchange, status)))),
            None => match self.adoption(name.as_deref()) {
                // A rename never adopts, and nothing is asked twice.
                Some(adoption) if exchange.standing.link.is_none() && exchange.standing.adoption == Adoption::Never => {
                    exchange.forget_void();
                    exchange.standing.adoption = adoption;
                    Ok(Next::Call)
                }
                _ => Ok(Next::Ends(Box::new(self.failed(exchange, status)))),
            },
        }
    }

    fn adoption(&self, name: Option<&str>) -> Option<Adoption> {
        match self.served.policy.adopt {
            Adopt::Never => None,
            Adopt::Matching => Some(Adoption::Matching),
            Adopt::Listed => name
                .filter(|name| self.served.adopt_list.contains(&fold_case(name)))
                .map(|_| Adoption::Listed),
        }
    }
}

impl<'a> Exchange<'a> {
    fn begin(claim: &'a Claim, link: &Link) -> Self {
        Self {
            claim,
            standing: Standing {
                link: link.platform_id.clone().map(|platform_id| WireLink {
                    platform_id,
                    backend: link.backend.clone(),
                }),
                intents: Intents {
                    names: link.intents.clone(),
                    ..Intents::default()
                },
                adoption: Adoption::Never,
            },
            void: Vec::new(),
            in_the_way: false,
        }
    }

    /// Sends no intent along any more that turned out void.
    fn forget_void(&mut self) {
        let intents = &mut self.standing.intents;
        intents.names.retain(|name| !self.void.contains(name));
        intents.fresh_name = None;
    }
}

/// How an exchange goes on.
enum Next {
    Call,
    Ends(Box<Settlement>),
}
