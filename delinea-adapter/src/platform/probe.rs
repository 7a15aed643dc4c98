//! The questions of a probe: each call that matters, asked about nobody, so that whatever is there does nothing. What comes of
//! it is [`super::capabilities`].

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::config::{GroupBackend, UserBackend};

use super::{
    Connection,
    capabilities::{Call, Capabilities, State},
    failure::Failure,
    rows,
    rpc::{
        redrock, roles, states,
        tenant::{Federation, Suffixes},
        users,
    },
    scim,
};

/// An id that no account and no group has: random, and always the same, so that what a tenant answers to it can be played back.
pub(crate) const NOBODY: &str = "1b0e7f52-5d0c-4c6e-9d53-7a1d0f6c9b3e";

impl Connection {
    pub(super) async fn ask(&self) -> Result<Capabilities, Failure> {
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
