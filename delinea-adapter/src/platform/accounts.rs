//! Accounts, whichever interface reaches them. Here stands what an account is to the rest of the adapter, and which
//! interface each question about one goes to: by its id, or, where there is none yet, as the settings and the probe say.

use std::sync::PoisonError;

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::config::{StateCall, UserBackend};

use super::{
    Connection,
    capabilities::Subject,
    failure::{Failure, Trouble},
    object_id::Backend,
    rows::Row,
    rpc, scim,
};

/// An account as it is read.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Its id as it is kept, which says by what interface it is reached.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) states: States,
    /// Whether it lives in the tenant's own directory; `None` when the Platform does not say.
    pub(crate) local: Option<bool>,
    /// Its values by the names that the RPC calls give them.
    pub(crate) attributes: Row,
}

/// An account as it is listed.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `None` where the list does not say; so are the next two.
    pub(crate) display_name: Option<String>,
    pub(crate) mail: Option<String>,
    pub(crate) disabled: Option<bool>,
    /// Whether a program signs in with it; `None` when the Platform does not say.
    pub(crate) service_user: Option<bool>,
    pub(crate) local: Option<bool>,
}

/// A list of accounts under way.
pub(crate) enum AccountPages<'a> {
    Rpc(rpc::lookup::AccountPages<'a>),
    Scim(scim::lists::Pages<'a>),
}

/// The states of an account; none means that it may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct States(Vec<String>);

const DISABLED: &str = "Disabled";
/// So many fields are told that cannot be held.
const MOST_TOLD: usize = 100;

impl States {
    /// Reads a comma list, in which `None` stands for nothing.
    pub(crate) fn parse(text: &str) -> Self {
        let words = text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("None"));
        Self(words.map(str::to_owned).collect())
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.0.iter().any(|word| word.eq_ignore_ascii_case(DISABLED))
    }

    /// The same states with the account disabled, or not. Locks and expiries that somebody else set stay.
    pub(crate) fn with_disabled(&self, disabled: bool) -> Self {
        let mut words: Vec<String> = self
            .0
            .iter()
            .filter(|word| !word.eq_ignore_ascii_case(DISABLED))
            .cloned()
            .collect();
        if disabled {
            words.push(DISABLED.to_owned());
        }
        Self(words)
    }

    /// As `SetUserState` takes it.
    pub(crate) fn to_text(&self) -> String {
        if self.0.is_empty() {
            "None".to_owned()
        } else {
            self.0.join(",")
        }
    }
}

impl Connection {
    /// What new accounts are created by. A tenant whose calls that write accounts are not exposed is served by its SCIM
    /// endpoint, if it has one.
    pub(crate) async fn user_backend(&self) -> Result<Backend, Failure> {
        match self.backends.user_backend {
            UserBackend::Rpc => Ok(Backend::Rpc),
            UserBackend::Scim => Ok(Backend::Scim),
            UserBackend::Auto => {
                let known = self.decided(Subject::Users).await?;
                let scim = known.has_scim() && rpc::users::WRITES.iter().any(|call| self.client.lacks(call));
                Ok(if scim { Backend::Scim } else { Backend::Rpc })
            }
        }
    }

    /// The account of that id; `None` when it is definitely gone.
    pub(crate) async fn account(&self, id: &str) -> Result<Option<Account>, Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.account(id).await,
            (Backend::Scim, id) => self.scim.account(id).await,
        }
    }

    /// The accounts of exactly that name, whatever its case.
    pub(crate) async fn accounts_named(&self, backend: Backend, name: &str) -> Result<Vec<Listed>, Failure> {
        match backend {
            Backend::Rpc => self.rpc.accounts_named(name).await,
            Backend::Scim => self.scim.accounts_named(name).await,
        }
    }

    /// All accounts, page by page.
    pub(crate) fn all_accounts(&self, backend: Backend) -> AccountPages<'_> {
        match backend {
            Backend::Rpc => AccountPages::Rpc(self.rpc.all_accounts()),
            Backend::Scim => AccountPages::Scim(self.scim.all("/Users")),
        }
    }

    /// Creates an account and gives its id, if the answer has it. `fields` have the names that the RPC calls give them.
    pub(crate) async fn create_account(
        &self,
        backend: Backend,
        fields: Map<String, Value>,
        password: &SecretString,
    ) -> Result<Option<String>, Failure> {
        let may_choose = self.backends.user_backend == UserBackend::Auto;
        let create = || async {
            match backend {
                Backend::Rpc => self.rpc.create_account(fields.clone(), password).await,
                Backend::Scim => self.scim.create_account(&fields).await,
            }
        };
        self.created(backend, may_choose, create).await
    }

    /// Changes fields of an account, by the names that the RPC calls give them.
    pub(crate) async fn change_account(&self, id: &str, fields: Map<String, Value>) -> Result<(), Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.change_account(id, fields).await,
            (Backend::Scim, id) => self.scim.change_account(id, &fields).await,
        }
    }

    /// Puts an account into states, by the call that is in force.
    pub(crate) async fn put_states(&self, id: &str, states: &States) -> Result<(), Failure> {
        let (backend, own) = Backend::of(id);
        let disabled = states.is_disabled();
        if backend == Backend::Scim {
            return self.scim.set_active(own, !disabled).await;
        }
        // Each lock comes before the state that would make this look done.
        if self.backends.cloud_lock_on_disable {
            self.rpc.lock_account(own, disabled).await?;
        }
        if self.backends.state_call == StateCall::Scim {
            let counterpart = self.counterpart(id, Backend::Scim).await?;
            let (_, counterpart) = Backend::of(&counterpart);
            return self.scim.set_active(counterpart, !disabled).await;
        }
        self.rpc.put_states(own, states).await
    }

    /// Sets or clears the cloud lock of an account of any directory.
    pub(crate) async fn lock_account(&self, id: &str, locked: bool) -> Result<(), Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.lock_account(id, locked).await,
            (Backend::Scim, id) => self.scim.set_active(id, !locked).await,
        }
    }

    /// Removes an account.
    pub(crate) async fn remove_account(&self, id: &str) -> Result<(), Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.remove_account(id).await,
            (Backend::Scim, id) => self.scim.remove("/Users", id).await,
        }
    }

    /// Whether an account is a system administrator, by itself or as a member of a group that is; `None` when the Platform
    /// does not tell.
    pub(crate) async fn is_system_administrator(&self, id: &str) -> Result<Option<bool>, Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.is_system_administrator(id).await,
            // The endpoint shows no rights.
            (Backend::Scim, _) => Ok(None),
        }
    }

    /// Whether the interface of that account can hold a field. What it cannot hold is not written; that is told once for each
    /// field.
    pub(crate) fn holds(&self, id: &str, field: &str) -> bool {
        if Backend::of(id).0 == Backend::Rpc || scim::fields::holds(field) {
            return true;
        }
        let mut told = self.unheld.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST_TOLD && told.insert(field.to_owned()) {
            tracing::warn!(
                scim.tenant = self.metrics.tenant(),
                field,
                "the Platform's SCIM endpoint cannot hold the field; it is kept in SCIM alone"
            );
        }
        false
    }

    /// The id of what a call creates, as it is kept. One bare 404 may be a mishap of what stands before the Platform, and what is
    /// created elsewhere stays there: the call is made once more before the other interface is used.
    pub(super) async fn created<F: Future<Output = Result<Option<String>, Failure>>>(
        &self,
        backend: Backend,
        may_choose: bool,
        create: impl Fn() -> F,
    ) -> Result<Option<String>, Failure> {
        let mut created = create().await;
        if let Err(Failure::NotExposed { method }) = created
            && may_choose
            && self.has_other(method).await
        {
            created = create().await;
        }
        match created {
            Ok(id) => Ok(id.map(|id| backend.kept(&id))),
            Err(failure) => Err(self.moved(failure, may_choose).await),
        }
    }

    /// What a call that is not there means where the settings leave the choice: the other interface is used from now on, which
    /// the next try finds. Nothing was done by this one.
    async fn moved(&self, failure: Failure, may_choose: bool) -> Failure {
        match failure {
            Failure::NotExposed { method } if may_choose && self.has_other(method).await => Failure::Moved { method },
            other => other,
        }
    }

    async fn has_other(&self, method: &'static str) -> bool {
        let known = self.capabilities().await;
        !scim::is_call(method) && known.is_ok_and(|known| known.has_scim())
    }
}

impl AccountPages<'_> {
    /// The next accounts; `None` after the last. After a failure the same page may be asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Listed>>, Failure> {
        match self {
            Self::Rpc(pages) => pages.next().await,
            Self::Scim(pages) => {
                let Some(page) = pages.next().await? else {
                    return Ok(None);
                };
                let listed = page.iter().map(scim::users::listed).collect::<Option<Vec<_>>>();
                let incomplete = || Failure::unavailable(scim::GET_USERS, Trouble::Incomplete);
                Ok(Some(listed.ok_or_else(incomplete)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_keep_what_somebody_else_set() {
        for (states, disabled, text) in [
            ("None", true, "Disabled"),
            ("", true, "Disabled"),
            ("Locked", true, "Locked,Disabled"),
            ("disabled", true, "Disabled"),
            ("Disabled", false, "None"),
            ("Disabled, Locked", false, "Locked"),
            ("Locked,Expired", false, "Locked,Expired"),
        ] {
            let states = States::parse(states);
            assert_eq!(states.with_disabled(disabled).to_text(), text, "{states:?}");
            assert_eq!(states.with_disabled(disabled).is_disabled(), disabled);
        }
    }
}
