//! A batch of members put in or out of a group. A batch that is refused is cut in halves until the ids at fault stand
//! alone; a batch that failed in any other way is simply sent again later, for putting in twice does no harm. A small group
//! is looked at afterwards: the Platform may pass over an id that it does not know, and say nothing.

use std::collections::HashSet;

use proto::adapter::v1::RefusedMember;

use crate::{
    error::ApplyError,
    platform::{
        failure::{Class, Failure},
        object_id::Backend,
        rpc::roles::UPDATE_ROLE,
    },
};

use super::Tenant;

/// The members of one request.
pub(crate) struct Batch<'a> {
    changes: Vec<Change<'a>>,
}

/// What shall become of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change<'a> {
    In(&'a str),
    Out(&'a str),
}

/// A change as it is sent.
struct Part<'a> {
    change: Change<'a>,
    /// The account's id in the interface of the group.
    own: String,
}

impl Part<'_> {
    fn refused(&self, message: String) -> RefusedMember {
        RefusedMember {
            platform_id: self.change.id().to_owned(),
            message,
        }
    }
}

impl<'a> Batch<'a> {
    /// The batch that puts some in and takes others out; those that come in stand first.
    pub(crate) fn new(members_in: &'a [String], members_out: &'a [String]) -> Result<Self, ApplyError> {
        let mut seen = HashSet::new();
        let changes = members_in
            .iter()
            .map(|id| Change::In(id))
            .chain(members_out.iter().map(|id| Change::Out(id)));
        let changes: Vec<_> = changes
            .filter(|change| seen.insert((change.id(), change.is_in())))
            .collect();
        if changes.iter().any(|change| change.id().trim().is_empty()) {
            return Err(ApplyError::Invalid {
                field: "members_in, members_out",
                reason: "must not contain an empty id",
            });
        }
        if changes
            .iter()
            .any(|change| !change.is_in() && seen.contains(&(change.id(), true)))
        {
            return Err(ApplyError::Invalid {
                field: "members_out",
                reason: "must not repeat an id of members_in",
            });
        }
        Ok(Self { changes })
    }

    /// How many come in, and how many go out.
    pub(super) fn counts(&self) -> (usize, usize) {
        let ins = self.changes.iter().filter(|change| change.is_in()).count();
        (ins, self.changes.len() - ins)
    }
}

impl<'a> Change<'a> {
    fn id(self) -> &'a str {
        match self {
            Self::In(id) | Self::Out(id) => id,
        }
    }

    fn is_in(self) -> bool {
        matches!(self, Self::In(_))
    }
}

impl Tenant {
    /// Takes accounts out of a group, and gives those that stay in. Each is looked at first: the account that this gateway
    /// calls with must not lose what the group allows it, and what is protected is not touched.
    pub(crate) async fn take_out(&self, group: &str, accounts: &[String]) -> Result<Vec<RefusedMember>, ApplyError> {
        let batch = Batch::new(&[], accounts)?;
        self.platform.client.spare().await;
        let Some(role) = self.platform.role(group, None).await? else {
            return Ok(Vec::new());
        };
        self.guard_group(&role)?;
        let (mut refused, mut changes) = (Vec::new(), Vec::new());
        for change in batch.changes {
            self.platform.client.spare().await;
            match self.platform.account(change.id()).await? {
                Some(account)
                    if self.is_caller(&account.id, &account.name) || self.config.is_protected(&account.name) =>
                {
                    refused.push(RefusedMember {
                        platform_id: change.id().to_owned(),
                        message: "the account is the gateway's own, or protected (PROTECTED_NAMES)".to_owned(),
                    });
                }
                _ => changes.push(change),
            }
        }
        if !changes.is_empty() {
            self.platform.client.spare().await;
            refused.extend(self.change_members(&role.id, &Batch { changes }).await?);
        }
        Ok(refused)
    }

    /// Puts the members in and out, and gives those that the Platform refused.
    pub(super) async fn change_members(&self, id: &str, batch: &Batch<'_>) -> Result<Vec<RefusedMember>, Failure> {
        let mut refused = Vec::new();
        let size = usize::from(self.config.member_batch);
        let members = self.in_the_groups_interface(id, batch, &mut refused).await?;
        // What is still to be sent, the next at the end.
        let mut pending: Vec<&[Part<'_>]> = members.chunks(size).rev().collect();
        let mut group_is_sound = false;
        while let Some(part) = pending.pop() {
            let failure = match self.send(id, part).await {
                Ok(()) => continue,
                Err(failure) if failure.is_about_object() => failure,
                Err(failure) => return Err(failure),
            };
            if !group_is_sound {
                // If the group itself takes no update, no half will do better.
                match self.platform.touch_role(id).await {
                    Ok(()) | Err(Failure::NotExposed { .. }) => group_is_sound = true,
                    Err(of_group) => return Err(of_group),
                }
            }
            match part {
                // Who does not exist is out.
                [one] if !one.change.is_in() && failure.class() == Some(Class::NotFound) => {}
                [one] if !one.change.is_in() && self.is_out(id, one).await? => {}
                [one] => refused.push(one.refused(failure.words())),
                _ => {
                    let (first, second) = part.split_at(part.len() / 2);
                    pending.extend([second, first]);
                }
            }
        }
        self.see_them_done(id, &members, &mut refused).await?;
        Ok(refused)
    }

    /// Whether a member that could not be taken out is none: the refusal's words and status say that everywhere in another way.
    async fn is_out(&self, group: &str, part: &Part<'_>) -> Result<bool, Failure> {
        match self.platform.account(part.change.id()).await {
            Ok(None) => return Ok(true),
            Err(failure) if failure.is_later() => return Err(failure),
            Ok(Some(_)) | Err(_) => {}
        }
        let page = self.platform.rpc.reports.page_size;
        let members = self.platform.role_members(group, page).await?;
        Ok(members.is_some_and(|members| members.complete && !members.contain(&part.own)))
    }

    /// Looks whether the batch was done, and not passed over in silence. That costs one page of members, so it is not done
    /// where there are more.
    async fn see_them_done(
        &self,
        id: &str,
        members: &[Part<'_>],
        refused: &mut Vec<RefusedMember>,
    ) -> Result<(), Failure> {
        let told: HashSet<String> = refused.iter().map(|member| member.platform_id.clone()).collect();
        let is_told = |part: &&Part<'_>| told.contains(part.change.id());
        let asked: Vec<_> = members.iter().filter(|part| !is_told(part)).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let undone = || async {
            let members = self
                .platform
                .role_members(id, self.platform.rpc.reports.page_size)
                .await?;
            let Some(members) = members.filter(|members| members.complete) else {
                return Ok(Vec::new());
            };
            let undone = asked
                .iter()
                .filter(|part| members.contain(&part.own) != part.change.is_in());
            Ok(undone.copied().collect::<Vec<_>>())
        };
        let look = || async { Ok(undone().await?.is_empty().then_some(())) };
        if self.read_back(UPDATE_ROLE, look).await.is_some() {
            return Ok(());
        }
        refused.extend(undone().await?.into_iter().map(|part: &Part<'_>| {
            let why = if part.change.is_in() {
                "the Platform said that it was put in, but it is not a member; does the account exist?"
            } else {
                "the Platform said that it was taken out, but it is a member still"
            };
            part.refused(why.to_owned())
        }));
        Ok(())
    }

    /// The changes with the ids that accounts have in the interface of the group. Who is not there is out already, and cannot
    /// be put in.
    async fn in_the_groups_interface<'a>(
        &self,
        group: &str,
        batch: &Batch<'a>,
        refused: &mut Vec<RefusedMember>,
    ) -> Result<Vec<Part<'a>>, Failure> {
        let (backend, _) = Backend::of(group);
        let mut members = Vec::with_capacity(batch.changes.len());
        for change in batch.changes.iter().copied() {
            let part = |id: &str| Part {
                change,
                own: Backend::of(id).1.to_owned(),
            };
            match self.platform.counterpart(change.id(), backend).await {
                Ok(id) => members.push(part(&id)),
                // Whom only an interface knows that is there no more cannot be found: that is no reason to keep others waiting.
                Err(failure) if !(failure.is_about_object() || matches!(failure, Failure::NotExposed { .. })) => {
                    return Err(failure);
                }
                Err(failure) if change.is_in() || failure.class() != Some(Class::NotFound) => {
                    refused.push(part(change.id()).refused(failure.words()));
                }
                Err(_) => {}
            }
        }
        Ok(members)
    }

    async fn send(&self, id: &str, part: &[Part<'_>]) -> Result<(), Failure> {
        let ids = |is_in: bool| -> Vec<&str> {
            let parts = part.iter().filter(|part| part.change.is_in() == is_in);
            parts.map(|part| part.own.as_str()).collect()
        };
        self.platform.change_members(id, &ids(true), &ids(false)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_batch_is_without_contradiction_and_adds_first() {
        let (ins, outs) = (texts(&["a", "b", "a"]), texts(&["c", "c"]));
        let batch = Batch::new(&ins, &outs).unwrap();
        assert_eq!(batch.changes, [Change::In("a"), Change::In("b"), Change::Out("c")]);
        for (ins, outs) in [(&["a"][..], &["a"][..]), (&[""], &[]), (&[], &[" "])] {
            assert!(Batch::new(&texts(ins), &texts(outs)).is_err(), "{ins:?} {outs:?}");
        }
    }
}
