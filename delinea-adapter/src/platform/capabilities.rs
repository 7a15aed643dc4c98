//! What a tenant can do, found by asking it without changing anything: at the start, from time to time, and when a call turns
//! out not to be there. Which calls are there stands in [`super::exposure`]; here stands how they are asked.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use crate::config::{GroupBackend, UserBackend};

use super::{
    Connection,
    failure::Failure,
    rows,
    rpc::{
        redrock, roles,
        shapes::Seen,
        states,
        tenant::{Federation, Suffixes},
        users,
    },
    same_id, scim,
};

/// An id that no account and no group has: random, and always the same, so that what a tenant answers to it can be played back.
pub(crate) const NOBODY: &str = "1b0e7f52-5d0c-4c6e-9d53-7a1d0f6c9b3e";
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
    undecided_users: Option<Failure>,
    /// The same of groups.
    undecided_groups: Option<Failure>,
    asked: Instant,
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
    /// Its name in findings, logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exposed => "exposed",
            Self::Denied => "denied",
            Self::NotExposed => "not_exposed",
            Self::Unknown => "unknown",
        }
    }

    fn of(result: &Result<(), Failure>) -> Self {
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

    async fn ask(&self) -> Result<Capabilities, Failure> {
        self.client.token().await?;
        let nobody = NOBODY;
        let caller = self.caller.as_str();
        let mut calls = Vec::new();
        let mut unanswered = Vec::new();
        let mut note = |method, result: Result<(), Failure>| {
            calls.push(Call {
                method,
                state: State::of(&result),
            });
            unanswered.extend(result.err().filter(Failure::is_later).map(|failure| (method, failure)));
        };
        let ask = async |method: &'static str, body: Value| self.client.call(method, &body).await.map(drop);

        // An unreachable tenant is not asked twenty times.
        let reports = self.rpc.try_report(users::USER_SEARCH).await;
        if let Err(failure) = &reports
            && failure.is_later()
        {
            return Err(failure.clone());
        }
        note(users::USER_SEARCH, report(reports, users::USER_SEARCH));
        let groups = self.rpc.try_report(roles::ROLE_SEARCH).await;
        note(roles::ROLE_SEARCH, report(groups, roles::ROLE_SEARCH));
        note(redrock::QUERY, self.rpc.try_query().await);
        note(users::LOCAL_USERS, self.client.peek(users::LOCAL_USERS).await);
        let this = self
            .client
            .call(users::GET_USER_BY_NAME, &json!({"username": caller}))
            .await;
        let caller_id = this.as_ref().ok().and_then(rows::created_id);
        note(users::GET_USER_BY_NAME, this.map(drop));
        // What follows is about an account and a group that nobody has, so that whatever is there does nothing.
        let account = || json!({"ID": nobody});
        note(
            users::GET_USER_ATTRIBUTES,
            ask(users::GET_USER_ATTRIBUTES, account()).await,
        );
        note(users::CHANGE_USER, insist(|| ask(users::CHANGE_USER, account())).await);
        let state = json!({"ID": nobody, "state": "None"});
        note(states::SET_USER_STATE, ask(states::SET_USER_STATE, state).await);
        let enabled = json!({"ID": nobody, "Enabled": true});
        note(states::CHANGE_USER_STATE, ask(states::CHANGE_USER_STATE, enabled).await);
        note(states::SET_CLOUD_LOCK, self.rpc.lock_account(nobody, false).await);
        note(
            users::USERS_RIGHTS,
            ask(users::USERS_RIGHTS, json!({"id": nobody})).await,
        );
        let group = json!({"name": nobody, "suppressPrincipalsList": true});
        note(roles::GET_ROLE, ask(roles::GET_ROLE, group).await);
        let members = json!({"Name": nobody, "PageNumber": 1, "PageSize": 1, "SortBy": "", "Ascending": true});
        note(roles::PAGED_MEMBERS, ask(roles::PAGED_MEMBERS, members).await);
        note(
            roles::UPDATE_ROLE,
            insist(|| self.rpc.touch_by(roles::Family::Roles, nobody)).await,
        );
        note(
            roles::ADD_TO_ROLE,
            insist(|| self.rpc.touch_by(roles::Family::Saas, nobody)).await,
        );
        note(
            scim::GET_CONFIG,
            insist(|| async { self.scim.config().await.map(drop) }).await,
        );
        let [undecided_users, undecided_groups] = self.undecided(&calls, &unanswered);
        let federation = self.rpc.ask_federation().await.unwrap_or(Federation::Unknown);
        let suffixes = self.rpc.ask_suffixes().await.unwrap_or(Suffixes::Unknown);
        Ok(Capabilities {
            calls,
            shapes: self.rpc.shapes.seen(),
            federation,
            caller_id,
            suffixes,
            undecided_users,
            undecided_groups,
            asked: Instant::now(),
        })
    }

    /// The failures of calls without whose verdict nobody can say which interface serves accounts, and which groups.
    fn undecided(&self, calls: &[Call], unanswered: &[(&'static str, Failure)]) -> [Option<Failure>; 2] {
        let are = |methods: &[&str], states: &[State]| {
            let mut those = calls.iter().filter(|call| methods.contains(&call.method));
            those.all(|call| states.contains(&call.state))
        };
        let failure = |methods: &[&str]| {
            let mut failures = unanswered.iter();
            let found = failures.find(|(method, _)| methods.contains(method));
            found.map(|(_, failure)| failure.clone())
        };
        let none = [State::NotExposed];
        let users = match self.backends.user_backend {
            UserBackend::Auto if are(&[users::CHANGE_USER], &none) => failure(&[scim::GET_CONFIG]),
            UserBackend::Auto => failure(&[users::CHANGE_USER]),
            _ => None,
        };
        let families = [roles::UPDATE_ROLE, roles::ADD_TO_ROLE];
        let groups = match self.backends.group_backend {
            GroupBackend::Auto if are(&families, &none) => failure(&[scim::GET_CONFIG]),
            // One family is enough.
            GroupBackend::Auto if are(&families, &[State::NotExposed, State::Unknown]) => failure(&families),
            _ => None,
        };
        [users, groups]
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
            scim = found.of(scim::GET_CONFIG).name(),
            federation = ?found.federation,
            columns = found.shapes.columns,
            role_ids = found.shapes.role_ids,
            missing,
            "asked what the Platform exposes"
        );
    }
}

/// Asks again where there is no verdict: much depends on it, and a question costs little.
async fn insist<F: Future<Output = Result<(), Failure>>>(ask: impl Fn() -> F) -> Result<(), Failure> {
    let mut result = ask().await;
    for _ in 0..2 {
        match result {
            Err(failure) if failure.is_later() => result = ask().await,
            result => return result,
        }
    }
    result
}

/// A report that the tenant refuses is one that it does not have.
fn report(result: Result<(), Failure>, method: &'static str) -> Result<(), Failure> {
    match result {
        Err(failure) if failure.is_about_object() => Err(Failure::NotExposed { method }),
        result => result,
    }
}
