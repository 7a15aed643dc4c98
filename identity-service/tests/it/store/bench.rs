//! A store on the bench: short words for what the laws do with it.

use std::{any::Any, sync::Arc, time::Duration};

use identity_service::{
    id::{Kind, ResourceId, Tenant},
    index::{Index, Key, keys},
    record::Record,
    store::{
        Action, Applied, Brakes, Change, Claim, Claims, DEFAULT_RETENTION, Delivery, DocumentChange, Failure, Found,
        LogEntry, Logged, MemberChange, Order, Outcome, Seen, Settlement, Store, Summary, Tried, Usable, Which,
        WorkState, Write, WriteError, Written,
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Engine, Kept};

pub(super) const LEASE: Duration = Duration::from_secs(60);
pub(super) const KEPT: Kept = Kept {
    length: 10_000,
    retention: DEFAULT_RETENTION,
};

/// A moment, in seconds from the first.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A store of its own for one law.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tenant: Tenant,
    _home: Box<dyn Any + Send + Sync>,
}

impl Bench {
    pub(super) async fn new(engine: &dyn Engine) -> Self {
        Self::keeping(engine, KEPT).await
    }

    pub(super) async fn keeping(engine: &dyn Engine, kept: Kept) -> Self {
        let (store, home) = engine.open(kept).await;
        Self::over(store, home)
    }

    pub(crate) fn over(store: Arc<dyn Store>, home: Box<dyn Any + Send + Sync>) -> Self {
        Self {
            store,
            tenant: Tenant::new("acme"),
            _home: home,
        }
    }

    // === Writes ===

    pub(super) async fn write(&self, write: Write) -> Result<Written, WriteError> {
        self.store.write(&self.tenant, write).await
    }

    pub(super) async fn user(&self, name: &str) -> ResourceId {
        self.write(create(Kind::User, name, &[])).await.unwrap().record.id
    }

    pub(super) async fn group(&self, name: &str, members: &[ResourceId]) -> ResourceId {
        self.write(create(Kind::Group, name, members)).await.unwrap().record.id
    }

    /// Gives a resource another document, as one who has just read it.
    pub(super) async fn change(&self, kind: Kind, id: ResourceId, document: Value) -> Result<Written, WriteError> {
        let present = self.record(kind, id).await;
        self.write(update(&present, document)).await
    }

    /// Changes something that is no key.
    pub(super) async fn touch(&self, kind: Kind, id: ResourceId) -> Written {
        let mut document = self.record(kind, id).await.document;
        let count = document["touched"].as_u64().unwrap_or(0);
        document["touched"] = json!(count + 1);
        self.change(kind, id, document).await.unwrap()
    }

    pub(super) async fn rename(&self, kind: Kind, id: ResourceId, name: &str) -> Result<Written, WriteError> {
        self.change(kind, id, document(kind, name)).await
    }

    pub(super) async fn set_members(&self, group: ResourceId, change: MemberChange) -> Result<Written, WriteError> {
        self.write(update_members(group, change)).await
    }

    pub(super) async fn add(&self, group: ResourceId, members: &[ResourceId]) -> Written {
        self.set_members(group, adding(members)).await.unwrap()
    }

    pub(super) async fn remove(&self, group: ResourceId, members: &[ResourceId]) -> Written {
        let change = MemberChange {
            remove: members.to_vec(),
            ..MemberChange::default()
        };
        self.set_members(group, change).await.unwrap()
    }

    pub(super) async fn delete(&self, kind: Kind, id: ResourceId) -> Result<Written, WriteError> {
        let present = self.record(kind, id).await;
        self.write(delete(&present)).await
    }

    // === Reads ===

    pub(super) async fn get(&self, kind: Kind, id: ResourceId) -> Option<Record> {
        self.store.get(&self.tenant, kind, id).await.unwrap()
    }

    pub(super) async fn record(&self, kind: Kind, id: ResourceId) -> Record {
        self.get(kind, id).await.expect("the resource exists")
    }

    pub(super) async fn find(&self, kind: Kind, index: Index, value: &str) -> Vec<ResourceId> {
        let key = Key::new(index, value);
        let ids = self.store.find(&self.tenant, kind, &key, 100).await.unwrap();
        // Who looks the resources themselves up sees the same ones, or as many as fit into one step.
        let found = self.look_up(kind, Which::Key(&key, 100), 0).await;
        let seen: Vec<_> = found.seen.iter().map(|seen| seen.record.id).collect();
        assert!(seen == ids || found.more && ids.starts_with(&seen), "{seen:?} {ids:?}");
        ids
    }

    pub(super) async fn look_up(&self, kind: Kind, which: Which<'_>, groups: usize) -> Found {
        self.store.look_up(&self.tenant, kind, which, groups).await.unwrap()
    }

    pub(super) async fn named(&self, kind: Kind, name: &str) -> Option<ResourceId> {
        self.find(kind, Index::Name, name).await.pop()
    }

    /// All members, read in pages of three.
    pub(super) async fn members(&self, group: ResourceId) -> Vec<ResourceId> {
        let mut members: Vec<ResourceId> = Vec::new();
        loop {
            let after = members.last().copied();
            let page = self.store.members(&self.tenant, group, after, 3).await.unwrap();
            if page.is_empty() {
                return members;
            }
            members.extend(page.iter().map(|member| member.id));
        }
    }

    pub(super) async fn groups_of(&self, member: ResourceId) -> Vec<ResourceId> {
        let groups = self.store.groups_of(&self.tenant, member, None, 1_000).await.unwrap();
        // Who looks the member up sees the same beside it.
        for limit in [1, 1_000] {
            for seen in self.look_up(Kind::User, Which::Ids(&[member]), limit).await.seen {
                assert!(seen.groups.records.len() <= limit);
                assert_eq!(self.all_groups(&seen).await, groups);
            }
        }
        groups
    }

    /// The groups of a member that was looked up: those that came along, and the rest.
    pub(super) async fn all_groups(&self, seen: &Seen) -> Vec<ResourceId> {
        let (store, tenant, member) = (&self.store, &self.tenant, seen.record.id);
        let mut groups: Vec<_> = seen.groups.records.iter().map(|group| group.id).collect();
        if seen.groups.more {
            let rest = store.groups_of(tenant, member, groups.last().copied(), 1_000).await;
            groups.extend(rest.unwrap());
        }
        groups
    }

    pub(super) async fn delivery(&self, id: ResourceId) -> Option<Delivery> {
        self.store.delivery(&self.tenant, id).await.unwrap()
    }

    /// The state of a resource's work; `None` when all is applied, or there is no such resource.
    pub(super) async fn state(&self, id: ResourceId) -> Option<WorkState> {
        self.delivery(id).await?.work.map(|work| work.state)
    }

    /// When a resource's work is due.
    pub(super) async fn due(&self, id: ResourceId) -> Option<Timestamp> {
        self.delivery(id).await?.work.map(|work| work.due)
    }

    pub(super) async fn account(&self, id: ResourceId) -> Option<String> {
        self.store.link(&self.tenant, id).await.unwrap()?.platform_id
    }

    pub(crate) async fn summary(&self) -> Summary {
        self.store.summary(&self.tenant).await.unwrap()
    }

    // === Deliveries ===

    pub(super) async fn claim_all(&self, now: Timestamp) -> Vec<Claim> {
        self.take(now, 100).await.claims
    }

    /// Takes up to so many pieces of due work.
    pub(super) async fn take(&self, now: Timestamp, limit: usize) -> Claims {
        self.store.claim(&self.tenant, now, LEASE, limit).await.unwrap()
    }

    /// The only piece of work that is due.
    pub(super) async fn claim(&self, now: Timestamp) -> Claim {
        let mut claims = self.claim_all(now).await;
        assert_eq!(claims.len(), 1, "exactly one piece of work is due: {claims:?}");
        claims.remove(0)
    }

    pub(super) async fn order(&self, claim: &Claim) -> Order {
        let order = self.store.order(claim, 100).await.unwrap();
        order.expect("there is something to deliver")
    }

    pub(super) async fn settle(&self, claim: &Claim, settlement: Settlement, now: Timestamp) {
        self.settle_as(claim, &Tried::default(), settlement, now).await;
    }

    pub(super) async fn settle_as(&self, claim: &Claim, tried: &Tried, settlement: Settlement, now: Timestamp) {
        self.store.settle(claim, tried, settlement, now).await.unwrap();
    }

    /// Settles as applied what is wanted now.
    pub(super) async fn apply(&self, claim: &Claim, now: Timestamp) {
        let applied = applied(claim, &self.order(claim).await);
        self.settle(claim, Settlement::Applied(applied), now).await;
    }

    // === The log ===

    /// The entries after a position.
    pub(super) async fn log(&self, after: u64) -> Vec<LogEntry> {
        self.store.log(&self.tenant, after, 1_000).await.unwrap().entries
    }

    /// The changes among them.
    pub(super) async fn changes(&self, after: u64) -> Vec<Change> {
        let changes = self.log(after).await.into_iter().filter_map(|entry| match entry.what {
            Logged::Change(change) => Some(change),
            _ => None,
        });
        changes.collect()
    }

    /// The outcomes among them.
    pub(super) async fn outcomes(&self, after: u64) -> Vec<Outcome> {
        let outcomes = self.log(after).await.into_iter().filter_map(|entry| match entry.what {
            Logged::Outcome(outcome) => Some(outcome),
            _ => None,
        });
        outcomes.collect()
    }

    /// The position of the newest entry.
    pub(super) async fn newest(&self) -> u64 {
        self.store.newest_entry(&self.tenant).await.unwrap()
    }

    /// Delivers until nothing is due at that time.
    pub(super) async fn deliver_all(&self, now: Timestamp) {
        for _ in 0..100 {
            let claims = self.claim_all(now).await;
            if claims.is_empty() {
                return;
            }
            for claim in claims {
                self.apply(&claim, now).await;
            }
        }
        panic!("work never ends");
    }
}

// === What goes in ===

pub(super) fn document(kind: Kind, name: &str) -> Value {
    match kind {
        Kind::User => json!({"userName": name}),
        Kind::Group => json!({"displayName": name}),
    }
}

fn step(kind: Kind, id: ResourceId, action: Action) -> Write {
    Write {
        kind,
        id,
        action,
        if_version: None,
        keep_unknown_members: false,
        request: None,
        usable: Usable::ALWAYS,
        brakes: Brakes::default(),
        deletion_disables: false,
        now: at(0),
        traceparent: None,
        diff: Vec::new(),
        origin: None,
    }
}

pub(crate) fn create(kind: Kind, name: &str, members: &[ResourceId]) -> Write {
    create_with(kind, document(kind, name), members)
}

pub(super) fn create_with(kind: Kind, document: Value, members: &[ResourceId]) -> Write {
    let action = Action::Create {
        keys: keys(kind, &document),
        document,
        members: members.to_vec(),
    };
    step(kind, ResourceId::generate(), action)
}

pub(super) fn update(present: &Record, document: Value) -> Write {
    let change = DocumentChange {
        expected: present.document_version,
        old_keys: keys(present.kind, &present.document),
        new_keys: keys(present.kind, &document),
        document,
        attributes: vec!["changed".to_owned()],
    };
    let action = Action::Update {
        document: Some(change),
        members: None,
    };
    step(present.kind, present.id, action)
}

pub(super) fn update_members(group: ResourceId, change: MemberChange) -> Write {
    let action = Action::Update {
        document: None,
        members: Some(change),
    };
    step(Kind::Group, group, action)
}

pub(super) fn adding(members: &[ResourceId]) -> MemberChange {
    MemberChange {
        add: members.to_vec(),
        ..MemberChange::default()
    }
}

pub(super) fn delete(present: &Record) -> Write {
    let action = Action::Delete {
        expected: present.document_version,
        keys: keys(present.kind, &present.document),
    };
    step(present.kind, present.id, action)
}

// === What comes back from the Platform ===

/// The Platform did all of an order. What lives has an object afterwards; what was deleted has none.
pub(super) fn applied(claim: &Claim, order: &Order) -> Applied {
    let object = order.record.as_ref().map(|_| {
        let known = order.link.platform_id.clone();
        (
            known.unwrap_or_else(|| format!("object of {}", claim.id)),
            "rpc".to_owned(),
        )
    });
    let versions = order
        .record
        .as_ref()
        .map(|record| (record.version, record.document_version));
    Applied {
        object,
        versions: versions.unwrap_or_default(),
        confirmed: order.batch.clone(),
        retry_at: Some(at(100_000)),
        ..Applied::default()
    }
}

pub(super) fn failure() -> Failure {
    Failure {
        reason: "PLATFORM_UNAVAILABLE".to_owned(),
        message: "no answer".to_owned(),
    }
}

pub(super) fn postponed(retry_at: Timestamp) -> Settlement {
    Settlement::Postponed {
        failure: failure(),
        retry_at,
        not_before: None,
        waits_for: None,
        void_intents: Vec::new(),
    }
}

/// Postponed, and the Platform asked for the pause.
pub(super) fn paused(until: Timestamp) -> Settlement {
    Settlement::Postponed {
        failure: failure(),
        retry_at: until,
        not_before: Some(until),
        waits_for: None,
        void_intents: Vec::new(),
    }
}

pub(super) fn refused(retry_at: Timestamp) -> Settlement {
    Settlement::Refused {
        failure: failure(),
        retry_at,
        void_intents: Vec::new(),
    }
}
