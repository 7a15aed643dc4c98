//! What an account of one interface is called in the other. Nobody has shown that ids are the same in both, so they are looked
//! up by the account's name, and remembered.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use tokio::sync::Mutex;

use super::{
    Connection,
    failure::{Class, Failure},
    object_id::Backend,
    same_name, scim,
};

/// What accounts are called in the other interface, as far as that was looked up.
#[derive(Default)]
pub(crate) struct Counterparts {
    known: Mutex<HashMap<String, String>>,
    /// How many accounts were found to have the same id in both interfaces.
    same: AtomicU32,
    /// Whether one was found to have another.
    differ: AtomicBool,
}

/// After so many accounts with the same id, and none with another, ids are the same in this tenant.
const CONVINCED: u32 = 3;

/// So many are remembered; then it begins anew.
const MOST_COUNTERPARTS: usize = 200_000;
impl Connection {
    /// What an account is called in another interface, found by its login name there. Only where several were found to have
    /// the same id in both, and none another, is that taken for granted. Refused as *not found* where it is not there.
    pub(crate) async fn counterpart(&self, id: &str, to: Backend) -> Result<String, Failure> {
        if Backend::of(id).0 == to {
            return Ok(id.to_owned());
        }
        let Counterparts { known, same, differ } = &self.counterparts;
        let (_, own) = Backend::of(id);
        if same.load(Ordering::Relaxed) >= CONVINCED && !differ.load(Ordering::Relaxed) {
            return Ok(to.kept(own));
        }
        if let Some(known) = known.lock().await.get(id) {
            return Ok(known.clone());
        }
        let missing = |words| Failure::refused(scim::GET_USERS, Class::NotFound, words);
        let account = self.account(id).await?;
        let account = account.ok_or_else(|| missing("the account does not exist"))?;
        let mut found = self.accounts_named(to, &account.name).await?;
        let other = match found.len() {
            1 => found.remove(0).id,
            0 => return Err(missing("the account does not exist in the interface of the group")),
            _ => {
                return Err(missing(
                    "more than one account has its name in the interface of the group",
                ));
            }
        };
        // Had the name moved on to another account between the two looks, the wrong one would be remembered, and put into groups.
        let again = self.account(id).await?;
        if !again.is_some_and(|again| same_name(&again.name, &account.name)) {
            return Err(Failure::uncertain(scim::GET_USERS));
        }
        if Backend::of(&other).1.eq_ignore_ascii_case(own) {
            same.fetch_add(1, Ordering::Relaxed);
        } else {
            differ.store(true, Ordering::Relaxed);
        }
        let mut known = known.lock().await;
        if known.len() >= MOST_COUNTERPARTS {
            known.clear();
        }
        known.insert(id.to_owned(), other.clone());
        known.insert(other.clone(), id.to_owned());
        Ok(other)
    }

    /// Whether accounts have the same id in both interfaces, as far as that was looked up.
    pub(crate) fn ids_are_the_same(&self) -> Option<bool> {
        let Counterparts { same, differ, .. } = &self.counterparts;
        match (differ.load(Ordering::Relaxed), same.load(Ordering::Relaxed)) {
            (true, _) => Some(false),
            (false, CONVINCED..) => Some(true),
            (false, _) => None,
        }
    }
}
