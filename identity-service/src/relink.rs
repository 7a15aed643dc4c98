//! Rebuilding links from the Platform's lists, after the store was lost and everything was provisioned anew: each account and
//! group is there, and is not known to be ours.
//!
//! It goes by names, which prove nothing. So it is never done by itself: a plan shows what would be linked, a person looks at
//! it, and only what was shown is done. What is linked is then delivered like anything else: compared, and written where it
//! differs. It keeps some forty bytes for each resource without an object, and an id and a name for each object that is found.

mod adoption;
mod look;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use proto::adapter::v1::adapter_service_client::AdapterServiceClient;
use service_runtime::Connection;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

pub use self::adoption::Outlook;
use self::look::Found;
use crate::{
    error::Error,
    id::{Kind, ResourceId, Tenant},
    store::{Origin, Relinked, Store},
    wake::Wake,
};

/// The interface that objects are written by, as links name it.
const BACKEND: &str = "rpc";
/// How long a delivery that is under way is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How often it is looked whether it has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What is done about an object that has the name which one of ours would have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be linked, or was.
    Link,
    /// Several have the name, or would.
    Ambiguous,
    /// It is nobody's to take.
    Protected,
    /// Another of our resources has it, or may have created it.
    Owned,
    /// The resource changed while it was to be linked.
    Changed,
}

/// An object that has the name which one of ours would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// User or group.
    pub kind: Kind,
    /// The resource.
    pub id: ResourceId,
    /// The object.
    pub platform_id: String,
    /// Its name.
    pub platform_name: String,
    /// What is done about it.
    pub verdict: Verdict,
}

/// What would be linked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Every object that has the name which one of ours would have.
    pub entries: Vec<Entry>,
    /// Resources without an object of whose name there is none.
    pub unmatched: u64,
    /// Objects whose name is nobody's of them.
    pub strangers: u64,
}

impl Plan {
    /// Names what is to be linked for a tenant: the same for the same, whatever else there is. Empty when that is nothing.
    pub fn digest(&self, tenant: &Tenant) -> String {
        let mut links: Vec<_> = self.of(Verdict::Link).collect();
        if links.is_empty() {
            return String::new();
        }
        links.sort_unstable_by_key(|entry| (entry.kind.number(), entry.id));
        let mut digest = Sha256::new();
        digest.update(format!("{:?}", tenant.as_str()));
        for entry in links {
            digest.update([entry.kind.number()]);
            digest.update(entry.id.as_u128().to_be_bytes());
            digest.update((entry.platform_id.len() as u64).to_be_bytes());
            digest.update(&entry.platform_id);
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The entries of one verdict.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.verdict == verdict)
    }
}

/// Rebuilds links. Clones share it.
#[derive(Clone)]
pub struct Relink {
    store: Arc<dyn Store>,
    adapter: AdapterServiceClient<Connection>,
    wake: Wake,
    /// A Platform's lists are read by one at a time.
    turns: Arc<std::sync::Mutex<HashMap<Tenant, Arc<Mutex<()>>>>>,
}

impl Relink {
    /// Links between what is in a store and what an adapter lists.
    pub fn new(store: Arc<dyn Store>, adapter: AdapterServiceClient<Connection>, wake: Wake) -> Self {
        Self {
            store,
            adapter,
            wake,
            turns: Arc::default(),
        }
    }

    /// What would be linked.
    pub async fn plan(&self, tenant: &Tenant) -> Result<Plan, Error> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.entry(tenant.clone()).or_default().clone()
        };
        let _turn = turn.lock().await;
        let mut plan = Plan::default();
        for kind in Kind::ALL {
            let found = Found::look(self, tenant, kind).await?;
            found.judge(kind, &mut plan);
        }
        Ok(plan)
    }

    /// Links what a plan of that digest showed; nothing, where it comes to anything else by now. Cut off on the way, it has linked
    /// some: a new plan is of the rest.
    pub async fn apply(&self, tenant: &Tenant, digest: &str, origin: Option<&Origin>) -> Result<Plan, Error> {
        let mut plan = self.plan(tenant).await?;
        if digest.is_empty() || plan.digest(tenant) != digest {
            return Err(Error::RelinkChanged);
        }
        // Groups first: what becomes due with their members' accounts is then already known.
        plan.entries.sort_by_key(|entry| entry.kind == Kind::User);
        for entry in plan.entries.iter_mut().filter(|entry| entry.verdict == Verdict::Link) {
            if self.link(tenant, entry, origin).await? {
                tracing::info!(scim.tenant = %tenant, scim.resource.id = %entry.id, "linked by an operator's word");
                self.wake.ring();
            } else {
                entry.verdict = Verdict::Changed;
            }
        }
        Ok(plan)
    }

    /// Links one; waits for a delivery of it that is under way, for a while.
    async fn link(&self, tenant: &Tenant, entry: &Entry, origin: Option<&Origin>) -> Result<bool, Error> {
        let began = Instant::now();
        loop {
            let object = (entry.platform_id.clone(), BACKEND.to_owned());
            let now = Timestamp::now();
            let linked = self.store.relink(tenant, entry.kind, entry.id, object, origin, now);
            match linked.await? {
                Relinked::Done => return Ok(true),
                Relinked::UnderWay if began.elapsed() < LONGEST_WAIT => sleep(LOOK_AGAIN).await,
                Relinked::UnderWay | Relinked::NotThis => return Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_what_is_linked_alone() {
        let entry = |object: &str, verdict| Entry {
            kind: Kind::User,
            id: ResourceId::from_u128(7),
            platform_id: object.to_owned(),
            platform_name: "odile".to_owned(),
            verdict,
        };
        let digest = |entries: Vec<Entry>| {
            let plan = Plan {
                entries,
                ..Plan::default()
            };
            plan.digest(&Tenant::new("kestrel"))
        };
        let links = [entry("a", Verdict::Link), entry("b", Verdict::Link)];
        let both = digest(links.to_vec());
        assert_eq!(both.len(), 64);
        assert_ne!(both, digest(links[..1].to_vec()));
        assert_ne!(
            digest(vec![entry("a", Verdict::Link)]),
            digest(vec![entry("b", Verdict::Link)])
        );
        let beside = [&links[..], &[entry("c", Verdict::Protected)]].concat();
        assert_eq!(digest(beside), both);
        assert_eq!(digest(vec![entry("c", Verdict::Protected)]), "");
        let plan = Plan {
            entries: links.to_vec(),
            ..Plan::default()
        };
        assert_ne!(plan.digest(&Tenant::new("merlin")), both, "a neighbour's is another");
    }
}
