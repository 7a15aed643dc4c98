//! One user: matched, created, updated, disabled, released from the job or deleted (R03, R05, R07, R09–R12).

use serde_json::Value;

use super::{
    Action,
    memory::UserMemory,
    worker::{Worker, id_of},
};
use crate::{
    client::RequestKind,
    directory::User,
    error::Failure,
    knobs::Matching,
    mapping::{self, patch},
};

/// A link that turns out void is made anew this often in one evaluation.
const MAX_VOID_LINKS: usize = 3;

impl Worker {
    /// Brings the endpoint's user to what the directory says, except for the manager.
    pub(super) async fn evaluate_user(
        &self,
        user: &User,
        memory: &mut UserMemory,
        reread: bool,
    ) -> Result<Action, Failure> {
        memory.source = Some(user.clone());
        if !user.assigned {
            return self.release_user(user, memory).await;
        }
        for _ in 0..MAX_VOID_LINKS {
            let result = self.converge_user(user, memory, reread).await;
            match result {
                Err(Failure::NotFound(_)) if memory.link.is_some() => memory.void_link(),
                Err(failure) => {
                    memory.blur();
                    if failure.is_ambiguous() {
                        memory.doubt(mapping::flowing(user));
                    }
                    return Err(failure);
                }
                Ok(action) => {
                    if memory.link.is_some() {
                        memory.flowed(mapping::flowing(user));
                    }
                    return Ok(action);
                }
            }
        }
        Err(Failure::NotFound(
            "the user was found by filter and not by id, again and again".to_owned(),
        ))
    }

    /// R12, when the user is purged from the directory.
    pub(super) async fn purge_user(&self, memory: &mut UserMemory) -> Result<Action, Failure> {
        if memory.link.is_none() {
            self.adopt_doubtful(memory).await?;
        }
        let Some(link) = &memory.link else {
            return Ok(Action::Skipped);
        };
        self.delete(RequestKind::DeleteUser, &link.id).await?;
        memory.void_link();
        Ok(Action::Deleted)
    }

    async fn converge_user(&self, user: &User, memory: &mut UserMemory, reread: bool) -> Result<Action, Failure> {
        if memory.link.is_none() {
            match self.match_user(user, memory).await? {
                Some((id, resource)) => {
                    self.adopt(user, memory, id, resource);
                    if reread {
                        memory.blur();
                    }
                }
                // Whoever is disabled before being provisioned is not created.
                None if !user.is_active() => return Ok(Action::Skipped),
                None => return self.create_user(user, memory).await,
            }
        }
        let (id, seen) = self.last_answer(memory).await?;
        let operations = patch::user(user, &seen, self.knobs());
        if operations.is_empty() {
            return Ok(Action::Unchanged);
        }
        let disables = !user.is_active() && seen["active"] != false;
        self.update_user(memory, &id, operations, disables).await?;
        Ok(if disables { Action::Disabled } else { Action::Updated })
    }

    /// R03, attribute by attribute; then the names under which an earlier creation got no verdict.
    async fn match_user(&self, user: &User, memory: &UserMemory) -> Result<Option<(String, Value)>, Failure> {
        for matching in &self.knobs().matching {
            if let Some(filter) = matching.filter(user)
                && let Some(hit) = self.find_one(RequestKind::MatchUser, &filter).await?
            {
                return Ok(Some(hit));
            }
        }
        let by_name = |name: &str| Matching::UserName.filter_for(name);
        self.find_doubtful(RequestKind::MatchUser, &memory.doubtful_names, by_name)
            .await
    }

    /// Links a match. Where the directory has no value and nothing was sent before, what was found is what stays.
    fn adopt(&self, user: &User, memory: &mut UserMemory, id: String, resource: Value) {
        memory.leave_behind(resource["userName"].as_str().unwrap_or_default());
        let unverified = memory.ledger.is_empty() || !memory.doubtful_names.is_empty();
        for (place, value) in mapping::user_values(user) {
            if let (None, true, Some(found)) = (value, unverified, place.read(&resource)) {
                memory.ledger.insert(place.path(), found);
            }
        }
        memory.doubtful_names.clear();
        memory.saw(id, resource);
    }

    async fn adopt_doubtful(&self, memory: &mut UserMemory) -> Result<(), Failure> {
        let by_name = |name: &str| Matching::UserName.filter_for(name);
        if let Some((id, resource)) = self
            .find_doubtful(RequestKind::MatchUser, &memory.doubtful_names, by_name)
            .await?
        {
            memory.saw(id, resource);
        }
        memory.doubtful_names.clear();
        Ok(())
    }

    async fn create_user(&self, user: &User, memory: &mut UserMemory) -> Result<Action, Failure> {
        let body = mapping::new_user(user, self.knobs());
        let created = match self.send(RequestKind::CreateUser, None, &[], Some(&body)).await {
            Ok(answer) => answer.body.unwrap_or_default(),
            Err(failure) => {
                if failure.is_ambiguous() {
                    memory.doubtful_names.insert(user.user_principal_name.clone());
                }
                return Err(failure);
            }
        };
        let id = id_of(&created)?;
        memory.leave_behind(&user.user_principal_name);
        memory.doubtful_names.clear();
        memory.ledger.clear();
        memory.saw(id, created);
        Ok(Action::Created)
    }

    /// What the endpoint last showed; read again (R05) where that is not known.
    async fn last_answer(&self, memory: &mut UserMemory) -> Result<(String, Value), Failure> {
        let Some(link) = memory.link.clone() else {
            return Err(Failure::NotFound("there is no link".to_owned()));
        };
        match link.seen {
            Some(seen) => Ok((link.id, seen)),
            None => {
                let seen = self.read(RequestKind::ReadUser, &link.id).await?;
                memory.saw(link.id.clone(), seen.clone());
                Ok((link.id, seen))
            }
        }
    }

    async fn update_user(
        &self,
        memory: &mut UserMemory,
        id: &str,
        operations: Vec<Value>,
        disables: bool,
    ) -> Result<(), Failure> {
        self.patch_user(RequestKind::UpdateUser, memory, id, operations).await?;
        if !disables || !self.knobs().read_back_disabled {
            return Ok(());
        }
        let seen = match self.read(RequestKind::ReadUser, id).await {
            Ok(seen) => seen,
            Err(Failure::NotFound(_)) => {
                return Err(Failure::Incompatible(
                    "a disabled user cannot be read any more".to_owned(),
                ));
            }
            Err(failure) => return Err(failure),
        };
        let is_disabled = seen["active"] == false;
        memory.saw(id.to_owned(), seen);
        if is_disabled {
            Ok(())
        } else {
            Err(Failure::Incompatible(
                "a user who was disabled is shown as active".to_owned(),
            ))
        }
    }

    /// PATCHes a user and takes the answer's body, if it has a whole one, as the last answer.
    pub(super) async fn patch_user(
        &self,
        kind: RequestKind,
        memory: &mut UserMemory,
        id: &str,
        operations: Vec<Value>,
    ) -> Result<(), Failure> {
        let answer = self.send(kind, Some(id), &[], Some(&patch::body(&operations))).await?;
        match answer.body {
            Some(body) if body["id"] == id && body["userName"].is_string() => memory.saw(id.to_owned(), body),
            _ => memory.blur(),
        }
        Ok(())
    }

    /// A user who left the scope is disabled; then the link is dropped, and no deletion ever follows. What was sent before
    /// without a verdict is not sent again: what the endpoint has of it is what stays.
    async fn release_user(&self, user: &User, memory: &mut UserMemory) -> Result<Action, Failure> {
        if memory.link.is_none() {
            self.adopt_doubtful(memory).await?;
        }
        if memory.link.is_none() {
            return Ok(Action::Skipped);
        }
        let result = self.disable_user(memory).await;
        match result {
            Ok(action) => {
                memory.resolve_doubt(mapping::user_values(user).into_iter().map(|(place, _)| place));
                memory.link = None;
                Ok(action)
            }
            Err(Failure::NotFound(_)) => {
                memory.void_link();
                Ok(Action::Unchanged)
            }
            Err(failure) => {
                memory.blur();
                Err(failure)
            }
        }
    }

    async fn disable_user(&self, memory: &mut UserMemory) -> Result<Action, Failure> {
        let (id, seen) = self.last_answer(memory).await?;
        let operations = patch::disable(&seen, self.knobs());
        if operations.is_empty() {
            return Ok(Action::Unchanged);
        }
        self.update_user(memory, &id, operations, true).await?;
        Ok(Action::Disabled)
    }
}
