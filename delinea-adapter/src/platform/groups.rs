//! Groups, whichever interface reaches them: what a group is to the rest of the adapter, and which interface each question
//! goes to.

use serde_json::Value;

use crate::config::GroupBackend;

use super::{
    Connection,
    capabilities::Subject,
    failure::{Class, Failure, Trouble},
    object_id::Backend,
    rpc, same_id, scim,
};

/// A group as it is read or listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its id as it is kept, which says by what interface it is reached.
    pub(crate) id: String,
    pub(crate) name: String,
    /// Whether the Platform itself owns it.
    pub(crate) built_in: bool,
}

/// Members of a group, by their ids in the interface of the group.
#[derive(Debug, Default)]
pub(crate) struct Members {
    pub(crate) list: Vec<Member>,
    /// Whether these are all.
    pub(crate) complete: bool,
}

/// A member of a group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: String,
    /// `User`, `Role` or `Group`; empty where the Platform does not say.
    pub(crate) kind: String,
}

/// A list of groups under way.
pub(crate) enum GroupPages<'a> {
    Rpc(rpc::roles::RolePages<'a>),
    Scim(scim::lists::Pages<'a>),
}

/// A list of members under way.
pub(crate) struct MemberPages<'a> {
    platform: &'a Connection,
    source: MemberSource<'a>,
    /// A page that was read, and not yet told by the ids that accounts are kept by.
    read: Option<Vec<Member>>,
}

enum MemberSource<'a> {
    Rpc(rpc::members::MemberPages<'a>),
    /// The endpoint gives them all at once; `None` when it has.
    Scim(Option<String>),
}

const OFF: &str = "groups";

impl Connection {
    /// What new groups are created by.
    pub(crate) async fn group_backend(&self) -> Result<Backend, Failure> {
        match self.backends.group_backend {
            GroupBackend::Roles | GroupBackend::Saas => Ok(Backend::Rpc),
            GroupBackend::Scim => Ok(Backend::Scim),
            GroupBackend::Off => Err(Failure::refused(
                OFF,
                Class::Other,
                "groups are switched off for this tenant (GROUP_BACKEND)",
            )),
            GroupBackend::Auto => {
                let known = self.decided(Subject::Groups).await?;
                let scim = known.has_scim() && !self.rpc.creates_roles();
                Ok(if scim { Backend::Scim } else { Backend::Rpc })
            }
        }
    }

    /// The group of that id; `None` when it is definitely gone. `likely_name` is tried before the whole list is read, where
    /// the Platform does not give a group by its id.
    pub(crate) async fn role(&self, id: &str, likely_name: Option<&str>) -> Result<Option<Role>, Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.role(id, likely_name).await,
            (Backend::Scim, id) => self.scim.group(id).await,
        }
    }

    /// The groups of exactly that name, whatever its case.
    pub(crate) async fn roles_named(&self, backend: Backend, name: &str) -> Result<Vec<Role>, Failure> {
        match backend {
            Backend::Rpc => self.rpc.roles_named(name).await,
            Backend::Scim => self.scim.groups_named(name).await,
        }
    }

    /// All groups, page by page.
    pub(crate) fn all_roles(&self, backend: Backend) -> GroupPages<'_> {
        match backend {
            Backend::Rpc => GroupPages::Rpc(self.rpc.all_roles()),
            Backend::Scim => GroupPages::Scim(self.scim.all("/Groups")),
        }
    }

    /// Creates a group and gives its id, if the answer has it.
    pub(crate) async fn create_role(&self, backend: Backend, name: &str) -> Result<Option<String>, Failure> {
        let may_choose = self.backends.group_backend == GroupBackend::Auto;
        let create = || async {
            match backend {
                Backend::Rpc => self.rpc.create_role(name).await,
                Backend::Scim => self.scim.create_group(name).await,
            }
        };
        self.created(backend, may_choose, create).await
    }

    /// Gives a group another name.
    pub(crate) async fn rename_role(&self, id: &str, name: &str) -> Result<(), Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.rename_role(id, name).await,
            (Backend::Scim, id) => self.scim.rename_group(id, name).await,
        }
    }

    /// Puts accounts into a group and takes others out; ids are those of the group's interface, without its mark.
    pub(crate) async fn change_members(&self, id: &str, add: &[&str], delete: &[&str]) -> Result<(), Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.change_members(id, add, delete).await,
            (Backend::Scim, id) => self.scim.change_members(id, add, delete).await,
        }
    }

    /// Sends an update that changes nothing, to learn whether the group itself takes updates.
    pub(crate) async fn touch_role(&self, id: &str) -> Result<(), Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.touch_role(id).await,
            (Backend::Scim, id) => self.scim.group(id).await.map(drop),
        }
    }

    /// Removes a group.
    pub(crate) async fn delete_role(&self, id: &str) -> Result<(), Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.delete_role(id).await,
            (Backend::Scim, id) => self.scim.remove("/Groups", id).await,
        }
    }

    /// The members of a group, up to a bound; `None` when the Platform does not tell.
    pub(crate) async fn role_members(&self, id: &str, most: usize) -> Result<Option<Members>, Failure> {
        match Backend::of(id) {
            (Backend::Rpc, id) => self.rpc.role_members(id, most).await,
            (Backend::Scim, id) => match self.scim.members(id).await {
                Ok(list) => Ok(list.map(|list| Members { list, complete: true })),
                // More than one answer holds: nobody can tell whether somebody is among them.
                Err(Failure::Unavailable {
                    trouble: Trouble::TooLong,
                    ..
                }) => Ok(None),
                Err(failure) => Err(failure),
            },
        }
    }

    /// Begins a list of members; nothing is called before the first page is asked for.
    pub(crate) fn all_members(&self, id: &str) -> MemberPages<'_> {
        let source = match Backend::of(id) {
            (Backend::Rpc, id) => MemberSource::Rpc(self.rpc.all_members(id)),
            (Backend::Scim, id) => MemberSource::Scim(Some(id.to_owned())),
        };
        MemberPages {
            platform: self,
            source,
            read: None,
        }
    }
}

impl GroupPages<'_> {
    /// The next groups; `None` after the last. After a failure the same page may be asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Role>>, Failure> {
        match self {
            Self::Rpc(pages) => pages.next().await,
            Self::Scim(pages) => {
                let Some(page) = pages.next().await? else {
                    return Ok(None);
                };
                let read: Option<Vec<_>> = page.iter().map(|entry: &Value| scim::groups::read(entry)).collect();
                let incomplete = || Failure::unavailable(scim::GET_GROUPS, Trouble::Incomplete);
                Ok(Some(read.ok_or_else(incomplete)?))
            }
        }
    }
}

impl MemberPages<'_> {
    /// The next members, by the ids that accounts are kept by; `None` after the last. After a failure the same page may be asked
    /// for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Member>>, Failure> {
        let page = match self.read.take() {
            Some(page) => page,
            None => match self.source.next(&self.platform.scim).await? {
                Some(page) => page,
                None => return Ok(None),
            },
        };
        let (platform, backend) = (self.platform, self.source.backend());
        // What cannot be told now is not read once more.
        let page = self.read.insert(page);
        let kept = platform.as_users_are_kept(backend, page).await?;
        self.read = None;
        Ok(Some(kept))
    }
}

impl MemberSource<'_> {
    fn backend(&self) -> Backend {
        match self {
            Self::Rpc(_) => Backend::Rpc,
            Self::Scim(_) => Backend::Scim,
        }
    }

    async fn next(&mut self, scim: &scim::Scim) -> Result<Option<Vec<Member>>, Failure> {
        match self {
            Self::Rpc(pages) => pages.next().await,
            Self::Scim(group) => {
                let Some(id) = group.as_deref() else { return Ok(None) };
                let incomplete = || Failure::unavailable(scim::GET_GROUPS, Trouble::Incomplete);
                let members = scim.members(id).await?.ok_or_else(incomplete)?;
                *group = None;
                Ok((!members.is_empty()).then_some(members))
            }
        }
    }
}

impl Connection {
    /// The same members by the ids that accounts are kept by, where those are of another interface.
    async fn as_users_are_kept(&self, backend: Backend, members: &[Member]) -> Result<Vec<Member>, Failure> {
        let users = self.user_backend().await?;
        let mut kept = Vec::with_capacity(members.len());
        for member in members {
            let own = backend.kept(&member.id);
            let id = match self.counterpart(&own, users).await {
                Ok(other) if member.is_account() => other,
                Err(failure) if failure.is_later() => return Err(failure),
                _ => own,
            };
            let kind = member.kind.clone();
            kept.push(Member { id, kind });
        }
        Ok(kept)
    }
}

impl Member {
    /// Whether it is an account, as far as the Platform says.
    pub(crate) fn is_account(&self) -> bool {
        self.kind.is_empty() || self.kind.eq_ignore_ascii_case("User")
    }
}

impl Members {
    pub(crate) fn contain(&self, id: &str) -> bool {
        self.list.iter().any(|member| same_id(&member.id, id))
    }
}
