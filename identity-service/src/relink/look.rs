//! Looking: which of ours have no object, which names theirs would have, and which objects have those names.

use futures_util::future::try_join_all;
use proto::{
    adapter::v1::{ExpectGroupsRequest, ExpectUsersRequest, ListPlatformGroupsRequest, ListPlatformUsersRequest},
    resource::v1::{Group, User},
};
use sha2::{Digest as _, Sha256};

use super::{Entry, Plan, Relink, Verdict};
use crate::{
    error::Error,
    id::{Kind, ResourceId, Tenant},
    record::Record,
    store::{From, StoreError},
};

/// How many resources are read, and asked about, at a time.
const PAGE: usize = 100;
/// How many of them, or of the objects found, are read at once.
const AT_ONCE: usize = 16;

/// A name, so short that there may be a million. Two that are not the same have not the same.
type Short = [u8; 16];

/// What was found of one kind.
pub(super) struct Found {
    /// Those of ours that have no object, by the name that it would have.
    ours: Vec<(Short, ResourceId)>,
    /// The objects that have one of those names.
    objects: Vec<Object>,
    strangers: u64,
}

struct Object {
    name: Short,
    listed: Listed,
    owned: bool,
}

/// An object as it is listed.
#[derive(Clone)]
struct Listed {
    platform_id: String,
    platform_name: String,
    protected: bool,
}

impl Found {
    pub(super) async fn look(relink: &Relink, tenant: &Tenant, kind: Kind) -> Result<Self, Error> {
        let mut ours = ours(relink, tenant, kind).await?;
        ours.sort_unstable();
        let mut found = Self {
            ours,
            objects: Vec::new(),
            strangers: 0,
        };
        match kind {
            Kind::User => found.accounts(relink, tenant).await?,
            Kind::Group => found.groups(relink, tenant).await?,
        }
        Ok(found)
    }

    async fn accounts(&mut self, relink: &Relink, tenant: &Tenant) -> Result<(), Error> {
        let request = ListPlatformUsersRequest {
            tenant: tenant.to_string(),
        };
        let list = relink.adapter.clone().list_platform_users(request).await;
        let mut list = list.map_err(Error::Adapter)?.into_inner();
        while let Some(batch) = list.message().await.map_err(Error::Adapter)? {
            let listed = batch.users.into_iter().map(|account| Listed {
                protected: account.protected || account.service_user,
                platform_id: account.platform_id,
                platform_name: account.name,
            });
            self.take(relink, tenant, Kind::User, listed.collect()).await?;
        }
        Ok(())
    }

    async fn groups(&mut self, relink: &Relink, tenant: &Tenant) -> Result<(), Error> {
        let request = ListPlatformGroupsRequest {
            tenant: tenant.to_string(),
        };
        let list = relink.adapter.clone().list_platform_groups(request).await;
        let mut list = list.map_err(Error::Adapter)?.into_inner();
        while let Some(batch) = list.message().await.map_err(Error::Adapter)? {
            let listed = batch.groups.into_iter().map(|group| Listed {
                protected: group.protected || group.built_in,
                platform_id: group.platform_id,
                platform_name: group.name,
            });
            self.take(relink, tenant, Kind::Group, listed.collect()).await?;
        }
        Ok(())
    }

    /// Takes in what was listed under a name of ours.
    async fn take(
        &mut self,
        relink: &Relink,
        tenant: &Tenant,
        kind: Kind,
        listed: Vec<Listed>,
    ) -> Result<(), StoreError> {
        let mut named = Vec::new();
        for object in listed {
            let name = short(&object.platform_name);
            if self.of(name).is_empty() {
                self.strangers += 1;
            } else {
                named.push((name, object));
            }
        }
        for some in named.chunks(AT_ONCE) {
            let owned = some.iter().map(async |(name, object)| {
                let owner = relink.store.owner(tenant, kind, &object.platform_id).await?;
                let intender = relink.store.intender(tenant, kind, &object.platform_name).await?;
                // What one of ours may have created is its alone, whoever else would have the name.
                let anothers = |id: ResourceId| self.of(*name).iter().all(|(_, ours)| *ours != id);
                Ok::<_, StoreError>(owner.is_some() || intender.is_some_and(|intender| anothers(intender.id)))
            });
            let owned = try_join_all(owned).await?;
            self.objects
                .extend(some.iter().zip(owned).map(|((name, object), owned)| Object {
                    name: *name,
                    listed: object.clone(),
                    owned,
                }));
        }
        Ok(())
    }

    /// Those of ours whose objects would have that name.
    fn of(&self, name: Short) -> &[(Short, ResourceId)] {
        let first = self.ours.partition_point(|(one, _)| *one < name);
        let end = self.ours.partition_point(|(one, _)| *one <= name);
        &self.ours[first..end]
    }

    /// Says of each object what is done about it.
    pub(super) fn judge(mut self, kind: Kind, plan: &mut Plan) {
        self.objects
            .sort_unstable_by(|one, other| one.name.cmp(&other.name).then(one.id().cmp(other.id())));
        // A list that is read page by page may show one twice.
        self.objects.dedup_by(|one, other| one.id() == other.id());
        let mut matched = 0;
        for namesakes in self.objects.chunk_by(|one, other| one.name == other.name) {
            let ours = self.of(namesakes[0].name);
            matched += ours.len() as u64;
            for object in namesakes {
                let verdict = match () {
                    () if object.owned => Verdict::Owned,
                    () if object.listed.protected => Verdict::Protected,
                    () if namesakes.len() > 1 || ours.len() > 1 => Verdict::Ambiguous,
                    () => Verdict::Link,
                };
                plan.entries.extend(ours.iter().map(|(_, id)| Entry {
                    kind,
                    id: *id,
                    platform_id: object.listed.platform_id.clone(),
                    platform_name: object.listed.platform_name.clone(),
                    verdict,
                }));
            }
        }
        plan.unmatched += self.ours.len() as u64 - matched;
        plan.strangers += self.strangers;
    }
}

impl Object {
    fn id(&self) -> &str {
        &self.listed.platform_id
    }
}

/// Those of ours that have no object, with the name that it would have. Who cannot have one, as the settings are, has none.
async fn ours(relink: &Relink, tenant: &Tenant, kind: Kind) -> Result<Vec<(Short, ResourceId)>, Error> {
    let (mut ours, mut from) = (Vec::new(), From::Offset(0));
    loop {
        let page = relink.store.list(tenant, kind, from, PAGE).await?;
        let Some(last) = page.last().map(|record| record.id) else {
            return Ok(ours);
        };
        from = From::After(last);
        let mut without = Vec::new();
        for some in page.chunks(AT_ONCE) {
            let links = try_join_all(some.iter().map(|record| relink.store.link(tenant, record.id))).await?;
            let none = some.iter().zip(links).filter(|(_, link)| {
                let object = link.as_ref().and_then(|link| link.platform_id.as_ref());
                object.is_none()
            });
            without.extend(none.map(|(record, _)| record));
        }
        if without.is_empty() {
            continue;
        }
        let names = names(relink, tenant, kind, &without).await?;
        let named = without.iter().zip(names);
        ours.extend(named.filter_map(|(record, name)| Some((short(&name?), record.id))));
    }
}

/// The names that the objects of these would have.
async fn names(
    relink: &Relink,
    tenant: &Tenant,
    kind: Kind,
    records: &[&Record],
) -> Result<Vec<Option<String>>, Error> {
    let tenant = tenant.to_string();
    let mut adapter = relink.adapter.clone();
    Ok(match kind {
        Kind::User => {
            // Only the name is asked about; a value of something else that does not fit must not be in the way.
            let users = records.iter().map(|record| User {
                user_name: record.text("userName").map(str::to_owned),
                ..User::default()
            });
            let users = users.collect();
            let answer = adapter.expect_users(ExpectUsersRequest { tenant, users }).await;
            let expected = answer.map_err(Error::Adapter)?.into_inner().expected.into_iter();
            expected
                .map(|expected| expected.account.map(|account| account.name))
                .collect()
        }
        Kind::Group => {
            let groups = records.iter().map(|record| Group {
                display_name: record.text("displayName").map(str::to_owned),
                ..Group::default()
            });
            let groups = groups.collect();
            let answer = adapter.expect_groups(ExpectGroupsRequest { tenant, groups }).await;
            let expected = answer.map_err(Error::Adapter)?.into_inner().expected.into_iter();
            expected
                .map(|expected| expected.group.map(|group| group.name))
                .collect()
        }
    })
}

/// Names are compared as the Platform does: without regard to case, and to what stands around them.
fn short(name: &str) -> Short {
    let digest = Sha256::digest(name.trim().to_lowercase());
    let mut short = Short::default();
    short.copy_from_slice(&digest[..16]);
    short
}
