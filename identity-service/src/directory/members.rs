//! What the member steps of a PATCH come to: one change of a set, in the order the steps were given.

use std::collections::BTreeSet;

use scim::{Filter, MemberMatcher, MemberTarget, Op, Step, member_target};

use super::Directory;
use crate::{
    config::MembersReplace,
    error::Error,
    id::{Kind, ResourceId},
    store::{Member, MemberChange},
};

/// How many members one page of a group has.
pub const MEMBER_PAGE: usize = 1_000;
/// How many steps of one PATCH may ask all members of a group something else than their ids.
const MAX_FILTERS: usize = 16;

impl Directory {
    /// A page of a group's members. The group's absence is an error; an empty group is an empty page.
    pub async fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, Error> {
        Ok(self.store.members(self.tenant(), group, after, limit).await?)
    }

    /// The members of a group that match a filter over `value` and `type`.
    pub(super) async fn members_matching(&self, group: ResourceId, filter: &Filter) -> Result<Vec<ResourceId>, Error> {
        let matcher = MemberMatcher::new(filter, self.schema(Kind::Group));
        let mut matching = Vec::new();
        let (mut after, mut seen) = (None, 0);
        loop {
            let page = self.store.members(self.tenant(), group, after, MEMBER_PAGE).await?;
            seen += page.len();
            if seen > self.served.policy.scan_limit {
                let detail = format!(
                    "the filter on members would have to look at more than {} of them",
                    self.served.policy.scan_limit
                );
                return Err(scim::Error {
                    kind: scim::ErrorKind::TooMany,
                    detail,
                }
                .into());
            }
            let Some(last) = page.last() else { return Ok(matching) };
            after = Some(last.id);
            matching.extend(
                page.iter()
                    .filter(|member| matches(&matcher, **member))
                    .map(|member| member.id),
            );
            tokio::task::yield_now().await;
        }
    }

    /// The members that match among those which earlier steps of the same PATCH added.
    pub(super) async fn added_matching(&self, plan: &MemberPlan, filter: &Filter) -> Vec<ResourceId> {
        let matcher = MemberMatcher::new(filter, self.schema(Kind::Group));
        let mut matching = Vec::new();
        for (at, id) in plan.add.iter().enumerate() {
            if matches(&matcher, Member { id: *id, kind: None }) {
                matching.push(*id);
            }
            if at % MEMBER_PAGE == MEMBER_PAGE - 1 {
                tokio::task::yield_now().await;
            }
        }
        matching
    }
}

/// A filter such as `value eq "x" or type eq "Group"`, asked of one member.
fn matches(matcher: &MemberMatcher<'_>, member: Member) -> bool {
    matcher.matches(&member.id.to_string(), member.kind.unwrap_or(Kind::User).name())
}

/// The steps taken so far, as one change.
pub(super) struct MemberPlan {
    replace: bool,
    add: BTreeSet<ResourceId>,
    remove: BTreeSet<ResourceId>,
    policy: MembersReplace,
    filters: usize,
}

impl MemberPlan {
    pub(super) fn new(policy: MembersReplace) -> Self {
        Self {
            replace: false,
            add: BTreeSet::new(),
            remove: BTreeSet::new(),
            policy,
            filters: 0,
        }
    }

    /// The filter that a step asks of the members, if it does not name them by their ids.
    pub(super) fn filter_of(&mut self, step: &Step) -> Result<Option<Filter>, Error> {
        let MemberTarget::Matching(filter) = member_target(step)? else {
            return Ok(None);
        };
        self.filters += 1;
        if self.filters > MAX_FILTERS {
            let detail = format!(
                "operation {}: `{}`: one request may look through all members at most {MAX_FILTERS} times; name them by `value`",
                step.operation + 1,
                step.path.shown()
            );
            let kind = scim::ErrorKind::TooMany;
            return Err(scim::Error { kind, detail }.into());
        }
        Ok(Some(filter))
    }

    /// Whether nothing of what was there before will be left.
    pub(super) fn replaces(&self) -> bool {
        self.replace
    }

    /// Takes a step; `matching` are the members that match its filter, if it has one.
    pub(super) fn take(&mut self, step: &Step, matching: &[ResourceId]) -> Result<(), Error> {
        match (step.op, member_target(step)?) {
            (Op::Add, MemberTarget::Ids(ids)) => self.put_in(&known(&ids)?),
            (Op::Replace, MemberTarget::Ids(ids)) if step.path.filter.is_none() => {
                let ids = known(&ids)?;
                if self.policy == MembersReplace::Exact {
                    self.put_all_out();
                }
                self.put_in(&ids);
            }
            (Op::Remove, MemberTarget::Ids(ids)) => {
                // An id that is not ours is no member: nothing to remove.
                let ids: Vec<_> = ids.iter().filter_map(|id| id.parse().ok()).collect();
                self.put_out(&ids);
            }
            (Op::Remove, MemberTarget::All) => self.put_all_out(),
            (Op::Remove, MemberTarget::Matching(_)) => self.put_out(matching),
            // `replace` without a value, or with an empty list, means none.
            (Op::Replace, MemberTarget::All) => {
                if self.policy == MembersReplace::Exact {
                    self.put_all_out();
                }
            }
            (Op::Add, MemberTarget::All) => {}
            (Op::Add | Op::Replace, MemberTarget::Matching(_) | MemberTarget::Ids(_)) => {
                let detail = format!(
                    "operation {}: `{}`: members are added and removed whole; their sub-attributes are immutable",
                    step.operation + 1,
                    step.path.shown()
                );
                return Err(scim::Error {
                    kind: scim::ErrorKind::Mutability,
                    detail,
                }
                .into());
            }
        }
        Ok(())
    }

    pub(super) fn into_change(self) -> MemberChange {
        MemberChange {
            replace: self.replace,
            add: self.add.into_iter().collect(),
            // All that is not in `add` goes anyway.
            remove: if self.replace {
                Vec::new()
            } else {
                self.remove.into_iter().collect()
            },
        }
    }

    fn put_in(&mut self, ids: &[ResourceId]) {
        for id in ids {
            self.remove.remove(id);
            self.add.insert(*id);
        }
    }

    fn put_out(&mut self, ids: &[ResourceId]) {
        for id in ids {
            self.add.remove(id);
            self.remove.insert(*id);
        }
    }

    fn put_all_out(&mut self) {
        self.replace = true;
        self.add.clear();
        self.remove.clear();
    }
}

fn known(ids: &[String]) -> Result<Vec<ResourceId>, Error> {
    ids.iter()
        .map(|id| {
            id.parse()
                .map_err(|_| Error::UnknownMember(id.chars().take(64).collect()))
        })
        .collect()
}
