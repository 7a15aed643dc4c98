//! How an account is disabled and enabled: by the call that the settings name, and where it is not exposed, by the next that sets the
//! same state. The cloud lock is another thing, which `State` does not show: it counts as a state only where the settings say so.
//! Elsewhere it keeps a leaver out while no call is there that disables, and a person is told.

use serde_json::json;

use crate::config::StateCall;

use super::{
    super::{
        accounts::{Account, States},
        failure::{Failure, Trouble},
        rows,
    },
    Rpc,
    users::check_id,
};

pub(crate) const SET_USER_STATE: &str = "CDirectoryService/SetUserState";
pub(crate) const CHANGE_USER_STATE: &str = "CDirectoryService/ChangeUserState";
pub(crate) const SET_CLOUD_LOCK: &str = "UserMgmt/SetCloudLock";
const IS_CLOUD_LOCKED: &str = "UserMgmt/IsUserCloudLocked";

/// A call that disables accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    SetUserState,
    ChangeUserState,
    CloudLock,
}

impl Call {
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::SetUserState => SET_USER_STATE,
            Self::ChangeUserState => CHANGE_USER_STATE,
            Self::CloudLock => SET_CLOUD_LOCK,
        }
    }
}

/// The calls in the order in which they are tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain(&'static [Call]);

impl Chain {
    pub(crate) fn new(first: StateCall) -> Self {
        use Call::{ChangeUserState, CloudLock, SetUserState};
        Self(match first {
            StateCall::SetUserState | StateCall::Scim => &[SetUserState, ChangeUserState],
            StateCall::ChangeUserState => &[ChangeUserState, SetUserState],
            StateCall::CloudLock => &[CloudLock],
        })
    }

    /// Whether the cloud lock is what disables.
    fn is_lock(self) -> bool {
        self.0.contains(&Call::CloudLock)
    }
}

impl Rpc {
    /// The call that disables accounts in this tenant; `None` when none of them is exposed.
    pub(crate) fn state_call(&self) -> Option<Call> {
        let Chain(calls) = self.state_calls;
        calls.iter().copied().find(|call| !self.client.lacks(call.method()))
    }

    /// Puts an account of the tenant's own directory into states.
    pub(crate) async fn put_states(&self, id: &str, states: &States) -> Result<(), Failure> {
        let mut failure = None;
        // Of calls that are believed not to be there, one is made all the same: the belief may be old.
        let mut next = self.state_call().or_else(|| self.state_calls.0.first().copied());
        while let Some(call) = next {
            match self.send_states(call, id, states).await {
                Err(Failure::NotExposed { method }) if failure != Some(method) => failure = Some(method),
                result => return result,
            }
            // What turns out not to be there is out of the choice at this look.
            next = self.state_call();
        }
        let method = failure.unwrap_or(SET_USER_STATE);
        if states.is_disabled() && !self.state_calls.is_lock() {
            // What matters is that nobody gets in; a person must know, for it is not what was asked.
            self.lock_account(id, true).await?;
            return Err(Failure::Locked { method });
        }
        Err(Failure::NotExposed { method })
    }

    async fn send_states(&self, call: Call, id: &str, states: &States) -> Result<(), Failure> {
        check_id(call.method(), id)?;
        let body = match call {
            Call::SetUserState => json!({"ID": id, "state": states.to_text()}),
            Call::ChangeUserState => json!({"ID": id, "Enabled": !states.is_disabled()}),
            Call::CloudLock => return self.lock_account(id, states.is_disabled()).await,
        };
        self.client.call(call.method(), &body).await.map(drop)
    }

    /// Sets or clears the cloud lock of an account, which also ends its sessions.
    pub(crate) async fn lock_account(&self, id: &str, locked: bool) -> Result<(), Failure> {
        check_id(SET_CLOUD_LOCK, id)?;
        let query = [("user", id), ("lockUser", if locked { "true" } else { "false" })];
        self.client.call_by_query(SET_CLOUD_LOCK, &query).await.map(drop)
    }

    /// The account with its cloud lock read as a state, where that is what disables it.
    pub(super) async fn with_lock(&self, account: Account) -> Result<Account, Failure> {
        let by_lock = self.state_calls.is_lock() || account.local == Some(false) && self.touch_non_cds;
        if !by_lock {
            return Ok(account);
        }
        let locked = self.client.call(IS_CLOUD_LOCKED, &json!({"user": account.id})).await?;
        let locked = rows::flag(&locked).ok_or(Failure::unavailable(IS_CLOUD_LOCKED, Trouble::Incomplete))?;
        Ok(Account {
            states: account.states.with_disabled(account.states.is_disabled() || locked),
            ..account
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_of_the_settings_comes_first_and_the_lock_is_nobodys_stand_in() {
        for (setting, first, lock) in [
            (StateCall::SetUserState, Call::SetUserState, false),
            (StateCall::ChangeUserState, Call::ChangeUserState, false),
            (StateCall::CloudLock, Call::CloudLock, true),
            (StateCall::Scim, Call::SetUserState, false),
        ] {
            let chain = Chain::new(setting);
            assert_eq!((chain.0[0], chain.is_lock()), (first, lock), "{setting:?}");
        }
    }
}
