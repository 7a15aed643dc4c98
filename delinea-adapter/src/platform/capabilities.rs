//! What a tenant can do, found by asking it without changing anything: at the start, from time to time, and when a call turns
//! out not to be there ([`super::probe`]). Here stands what was found, and how long it holds; which calls are there, as every
//! answer shows, stands in [`super::exposure`].

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};

use super::{
    Connection,
    failure::Failure,
    rpc::{
        shapes::Seen,
        tenant::{Federation, Suffixes},
    },
    same_id, scim,
};

/// How soon a tenant is asked again by whoever waits for a verdict that did not come.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a tenant is not asked again because of a surprise: a call that comes and goes must not be asked about for ever.
pub(crate) const PAUSE: Duration = Duration::from_secs(30);

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Capabilities {
    /// Each call that was asked about, in the order of the probe.
    pub(crate) calls: Vec<Call>,
    pub(crate) shapes: Seen,
    pub(crate) federation: Federation,
    /// The id of the service user that we are, where the tenant tells it.
    pub(crate) caller_id: Option<String>,
    pub(crate) suffixes: Suffixes,
    /// Why nobody can say which interface serves accounts, where a call that decides gave no verdict.
    pub(super) undecided_users: Option<Failure>,
    /// The same of groups.
    pub(super) undecided_groups: Option<Failure>,
    pub(super) asked: Instant,
}

/// What an interface is chosen for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject {
    Users,
    Groups,
}

/// What was found of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its name, as metrics and errors have it.
    pub(crate) method: &'static str,
    pub(crate) state: State,
}

/// Whether a call can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is there.
    Exposed,
    /// It is there, and the service user may not call it.
    Denied,
    /// It is not there.
    NotExposed,
    /// It gave no verdict.
    Unknown,
}

impl State {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Exposed, Self::Denied, Self::NotExposed, Self::Unknown];

    /// Its name in findings, logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exposed => "exposed",
            Self::Denied => "denied",
            Self::NotExposed => "not_exposed",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn of(result: &Result<(), Failure>) -> Self {
        match result {
            Ok(()) => Self::Exposed,
            Err(Failure::NotExposed { .. }) => Self::NotExposed,
            Err(failure) if failure.is_about_object() => Self::Exposed,
            Err(failure) if failure.is_permission() => Self::Denied,
            Err(_) => Self::Unknown,
        }
    }
}

/// What was found last.
#[derive(Default)]
pub(crate) struct Probed {
    found: Mutex<Option<Arc<Capabilities>>>,
    /// The id of the service user that we are.
    caller: std::sync::Mutex<Option<String>>,
}

impl Capabilities {
    /// What was found of a call; `Unknown` when it was not asked about.
    pub(crate) fn of(&self, method: &str) -> State {
        let found = self.calls.iter().find(|call| call.method == method);
        found.map_or(State::Unknown, |call| call.state)
    }

    /// Why an interface cannot be chosen, if it cannot.
    fn undecided(&self, subject: Subject) -> Option<&Failure> {
        match subject {
            Subject::Users => self.undecided_users.as_ref(),
            Subject::Groups => self.undecided_groups.as_ref(),
        }
    }

    /// Whether every question that matters has its verdict.
    pub(crate) fn is_decided(&self) -> bool {
        self.undecided_users.is_none() && self.undecided_groups.is_none()
    }

    /// Whether the tenant offers its SCIM endpoint.
    pub(crate) fn has_scim(&self) -> bool {
        self.of(scim::GET_CONFIG) == State::Exposed
    }
}

impl Connection {
    /// What the tenant can do, asked for the first time if need be.
    pub(crate) async fn capabilities(&self) -> Result<Arc<Capabilities>, Failure> {
        let mut probed = self.probed.found.lock().await;
        if let Some(known) = &*probed {
            return Ok(Arc::clone(known));
        }
        let found = self.ask_in_turn().await?;
        *probed = Some(Arc::clone(&found));
        Ok(found)
    }

    /// The same, where an interface is to be chosen by it: while a call that decides gives no verdict, nothing is, for by a guess
    /// the tenant would be served by the wrong one. The tenant is asked again, and what is about the other subject goes on.
    pub(super) async fn decided(&self, subject: Subject) -> Result<Arc<Capabilities>, Failure> {
        let mut known = self.capabilities().await?;
        if known.undecided(subject).is_some() {
            let mut probed = self.probed.found.lock().await;
            let last = probed.as_ref().filter(|last| last.asked.elapsed() < AGAIN);
            known = match last {
                Some(last) => Arc::clone(last),
                None => self.ask_in_turn().await?,
            };
            *probed = Some(Arc::clone(&known));
        }
        match known.undecided(subject) {
            Some(failure) => Err(failure.clone()),
            None => Ok(known),
        }
    }

    /// Asks the tenant anew. What was found before stays in force meanwhile, and where the tenant gives no verdict on what
    /// matters.
    pub(crate) async fn probe(&self) -> Result<Arc<Capabilities>, Failure> {
        let found = self.ask_in_turn().await?;
        let mut probed = self.probed.found.lock().await;
        let keeps = |before: &Arc<Capabilities>| before.is_decided() && !found.is_decided();
        if !probed.as_ref().is_some_and(keeps) {
            *probed = Some(Arc::clone(&found));
        }
        Ok(found)
    }

    async fn ask_in_turn(&self) -> Result<Arc<Capabilities>, Failure> {
        self.client.exposure().asks();
        let found = self.ask().await;
        self.client.exposure().settled();
        let found = found?;
        self.settle(&found);
        Ok(Arc::new(found))
    }

    /// Whether an id is that of the service user that we are, as far as the tenant told.
    pub(crate) fn is_caller(&self, id: &str) -> bool {
        let caller = self.probed.caller.lock().unwrap_or_else(PoisonError::into_inner);
        caller.as_deref().is_some_and(|caller| same_id(caller, id))
    }

    /// Takes over what was found, and tells it.
    fn settle(&self, found: &Capabilities) {
        if let Some(caller) = &found.caller_id {
            let mut known = self.probed.caller.lock().unwrap_or_else(PoisonError::into_inner);
            *known = Some(caller.clone());
        }
        let exposure = self.client.exposure();
        let asked: Vec<_> = found.calls.iter().map(|call| call.method).collect();
        exposure.forget_older(self.backends.probe_interval.max(PAUSE), &asked);
        for call in &found.calls {
            self.metrics.capability(call.method, call.state);
        }
        let missing = exposure.missing().join(", ");
        tracing::info!(
            scim.tenant = self.metrics.tenant(),
            scim_config = found.of(scim::GET_CONFIG).name(),
            federation = ?found.federation,
            columns = found.shapes.columns,
            role_ids = found.shapes.role_ids,
            missing,
            "asked what the Platform exposes"
        );
    }
}
