//! The rules of users and groups, on a store in memory: what a request makes of a resource.

mod groups;
mod queries;
mod races;
mod users;

use std::sync::Arc;

use identity_service::{
    config::{Adopt, Brake, DeleteMode, MembersReplace, Policy, UnknownMembers},
    directory::{Caller, Directory},
    id::{Kind, ResourceId, Tenant},
    record::Record,
    store::{Store, embedded::EmbeddedStore},
    tenants::Served,
    wake::Wake,
};
use scim::{Operation, PatchRequest};
use serde_json::{Value, json};

use crate::service::config;

const ENTERPRISE: &str = scim::URN_ENTERPRISE_USER;

fn policy() -> Policy {
    Policy {
        max_removals_per_hour: Brake::Most(0),
        max_deactivations_per_hour: Brake::Most(0),
        unknown_members: UnknownMembers::Reject,
        members_replace: MembersReplace::Exact,
        delete_mode: DeleteMode::Remove,
        adopt: Adopt::Never,
        adopt_list: None,
        dry_run: false,
        scan_limit: 50,
    }
}

/// A directory with one tenant and an empty store.
struct Home {
    directory: Directory,
    store: Arc<dyn Store>,
    tenant: Tenant,
    wake: Wake,
}

impl Home {
    fn new() -> Self {
        Self::with(policy())
    }

    fn with(policy: Policy) -> Self {
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::in_memory().unwrap());
        let tenant = Tenant::new("acme");
        let wake = Wake::new();
        let mut config = config(&["--answer-wait=0"]);
        config.policy = policy;
        let served = Served::new(tenant.as_str(), &config).unwrap();
        let directory = Directory::new(Arc::clone(&store), Arc::new(served), wake.clone());
        Self {
            directory,
            store,
            tenant,
            wake,
        }
    }

    async fn user(&self, name: &str) -> ResourceId {
        self.create(json!({"userName": name})).await.id
    }

    async fn create(&self, body: Value) -> Record {
        let created = self.directory.create_user(body, Caller::default()).await;
        created.unwrap()
    }

    async fn group(&self, name: &str, members: &[ResourceId]) -> ResourceId {
        let members: Vec<_> = members.iter().map(|id| json!({"value": id.to_string()})).collect();
        let body = json!({"displayName": name, "members": members});
        let created = self.directory.create_group(body, Caller::default()).await;
        created.unwrap().id
    }

    async fn patch_user(&self, id: ResourceId, operations: Value) -> (Record, bool) {
        let (id, operations) = (id.to_string(), read(operations));
        let patched = self.directory.patch_user(&id, operations, Caller::default()).await;
        patched.unwrap()
    }

    async fn members(&self, group: ResourceId) -> Vec<ResourceId> {
        let members = self.store.members(&self.tenant, group, None, 1_000).await.unwrap();
        members.into_iter().map(|member| member.id).collect()
    }

    async fn record(&self, kind: Kind, id: ResourceId) -> Record {
        self.directory.get(kind, &id.to_string()).await.unwrap()
    }
}

/// The operations of a PATCH body.
#[expect(clippy::needless_pass_by_value, reason = "callers write the JSON in place")]
fn read(operations: Value) -> Vec<Operation> {
    let body = json!({"Operations": operations});
    PatchRequest::from_json(body).unwrap().operations
}
