//! One group without its members: matched, created, renamed or deleted (R04, R05, R08, R12, R14).

use serde_json::Value;

use super::{
    Action,
    memory::GroupMemory,
    worker::{Worker, id_of},
};
use crate::{
    client::RequestKind,
    directory::Group,
    error::Failure,
    knobs::GroupMatching,
    mapping::{self, patch},
};

/// A link that turns out void is made anew this often in one evaluation.
const MAX_VOID_LINKS: usize = 3;

impl Worker {
    /// Brings the endpoint's group to what the directory says, except for its members.
    pub(super) async fn evaluate_group(
        &self,
        group: &Group,
        memory: &mut GroupMemory,
        reread: bool,
    ) -> Result<Action, Failure> {
        memory.source = Some(group.display_name.clone());
        for _ in 0..MAX_VOID_LINKS {
            let result = self.converge_group(group, memory, reread).await;
            match result {
                Err(Failure::NotFound(_)) if memory.link.is_some() => memory.void_link(),
                Err(failure) => {
                    memory.blur();
                    return Err(failure);
                }
                Ok(action) => return Ok(action),
            }
        }
        Err(Failure::NotFound(
            "the group was found by filter and not by id, again and again".to_owned(),
        ))
    }

    /// R12, when the group is deleted from the directory.
    pub(super) async fn delete_group(&self, memory: &mut GroupMemory) -> Result<Action, Failure> {
        if memory.link.is_none() {
            let by_name = |name: &str| GroupMatching::DisplayName.filter_for(name);
            if let Some((id, resource)) = self
                .find_doubtful(RequestKind::MatchGroup, &memory.doubtful_names, by_name)
                .await?
            {
                memory.saw(id, resource);
            }
        }
        let Some(link) = &memory.link else {
            return Ok(Action::Skipped);
        };
        self.delete(RequestKind::DeleteGroup, &link.id).await?;
        Ok(Action::Deleted)
    }

    async fn converge_group(&self, group: &Group, memory: &mut GroupMemory, reread: bool) -> Result<Action, Failure> {
        if memory.link.is_none() {
            match self.match_group(group, memory).await? {
                Some((id, resource)) => {
                    memory.doubtful_names.clear();
                    memory.saw(id, without_members(resource)?);
                    if reread {
                        memory.blur();
                    }
                }
                None => return self.create_group(group, memory).await,
            }
        }
        let Some(link) = memory.link.clone() else {
            return Err(Failure::NotFound("there is no link".to_owned()));
        };
        let seen = match link.seen {
            Some(seen) => seen,
            None => {
                let seen = without_members(self.read(RequestKind::ReadGroup, &link.id).await?)?;
                memory.saw(link.id.clone(), seen.clone());
                seen
            }
        };
        let operations = patch::group(group, &seen, self.knobs());
        if operations.is_empty() {
            return Ok(Action::Unchanged);
        }
        self.send(
            RequestKind::UpdateGroup,
            Some(&link.id),
            &[],
            Some(&patch::body(&operations)),
        )
        .await?;
        // 204 is the preferred answer, and a body is not needed: the group is read before it is compared again.
        memory.blur();
        Ok(Action::Updated)
    }

    async fn match_group(&self, group: &Group, memory: &GroupMemory) -> Result<Option<(String, Value)>, Failure> {
        let filter = self.knobs().group_matching.filter(group);
        if let Some(hit) = self.find_one(RequestKind::MatchGroup, &filter).await? {
            return Ok(Some(hit));
        }
        let by_name = |name: &str| GroupMatching::DisplayName.filter_for(name);
        self.find_doubtful(RequestKind::MatchGroup, &memory.doubtful_names, by_name)
            .await
    }

    async fn create_group(&self, group: &Group, memory: &mut GroupMemory) -> Result<Action, Failure> {
        let body = mapping::new_group(group);
        let created = match self.send(RequestKind::CreateGroup, None, &[], Some(&body)).await {
            Ok(answer) => answer.body.unwrap_or_default(),
            Err(failure) => {
                if failure.is_ambiguous() {
                    memory.doubtful_names.insert(group.display_name.clone());
                }
                return Err(failure);
            }
        };
        let id = id_of(&created)?;
        memory.doubtful_names.clear();
        memory.saw(id, created);
        Ok(Action::Created)
    }
}

/// Groups are asked for without members; an endpoint that sends them all the same would not stand large groups.
fn without_members(group: Value) -> Result<Value, Failure> {
    if group.get("members").is_some() {
        return Err(Failure::Incompatible(
            "members were answered although they were excluded".to_owned(),
        ));
    }
    Ok(group)
}
