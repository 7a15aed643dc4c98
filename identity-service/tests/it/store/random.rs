//! Any steps, taken by a store and by the reference model, come to the same.

use std::collections::{BTreeMap, BTreeSet};

use identity_service::{
    id::{Kind, ResourceId},
    index::Index,
    store::{Applied, Claim, From, MemberChange, Settlement, Tried, WorkState, Write, WriteError, Written},
};
use jiff::{SignedDuration, Timestamp};
use proptest::{
    collection::vec,
    prelude::*,
    sample,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use super::{
    Engine,
    bench::{Bench, applied, at, create_with, delete, document, failure, update, update_members},
    model::{End, LOOK_AGAIN, Model, Seen, Told},
    moving, quiet,
};

const NAMES: [&str; 6] = ["ada", "Ada", "bo", "BO", "cy", "dee"];
const STEPS: usize = 40;

/// One step. A choice falls on any id ever made, so that deleted resources and groups are tried as well.
#[derive(Debug, Clone)]
enum Step {
    Create {
        kind: Kind,
        name: usize,
        members: Vec<sample::Index>,
    },
    Change {
        id: sample::Index,
        name: usize,
        external: u8,
    },
    Members {
        group: sample::Index,
        replace: bool,
        add: Vec<sample::Index>,
        remove: Vec<sample::Index>,
    },
    Delete {
        id: sample::Index,
    },
    Claim {
        limit: usize,
    },
    Intend {
        claim: sample::Index,
    },
    Settle {
        claim: sample::Index,
        end: Ending,
    },
    Retry {
        id: sample::Index,
    },
    Wait {
        seconds: i64,
    },
    /// On to an empty store.
    Move {
        page: usize,
    },
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Applied,
    Gathers,
    MembersRefused,
    Postponed,
    Paused,
    Refused,
    /// What the Platform has is another's object.
    Collides(sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let id = any::<sample::Index>;
    let ids = || vec(id(), 0..4);
    let kind = prop_oneof![2 => Just(Kind::User), 1 => Just(Kind::Group)];
    let ending = prop_oneof![
        4 => Just(Ending::Applied),
        1 => Just(Ending::Gathers),
        1 => Just(Ending::MembersRefused),
        1 => Just(Ending::Postponed),
        1 => Just(Ending::Paused),
        1 => Just(Ending::Refused),
        1 => id().prop_map(Ending::Collides),
    ];
    prop_oneof![
        4 => (kind, 0..NAMES.len(), ids()).prop_map(|(kind, name, members)| Step::Create { kind, name, members }),
        2 => (id(), 0..NAMES.len(), 0..3_u8).prop_map(|(id, name, external)| Step::Change { id, name, external }),
        3 => (id(), any::<bool>(), ids(), ids())
            .prop_map(|(group, replace, add, remove)| Step::Members { group, replace, add, remove }),
        2 => id().prop_map(|id| Step::Delete { id }),
        4 => (0..4_usize).prop_map(|limit| Step::Claim { limit }),
        1 => id().prop_map(|claim| Step::Intend { claim }),
        5 => (id(), ending).prop_map(|(claim, end)| Step::Settle { claim, end }),
        1 => id().prop_map(|id| Step::Retry { id }),
        2 => (1..50_i64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (1..9_usize).prop_map(|page| Step::Move { page }),
    ]
}

/// Names the seed of a run to be repeated.
const SEED: &str = "STORE_TEST_SEED";

pub(super) fn any_steps_come_to_what_the_model_says(engine: &dyn Engine) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: engine.random_cases(),
        failure_persistence: None,
        max_shrink_iters: 4_096,
        ..Config::default()
    };
    let seed: u64 = match std::env::var(SEED) {
        Ok(text) => text.parse().expect("a seed is a number"),
        Err(_) => rand::random(),
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, rng).run(&vec(step(), 1..STEPS), |steps| {
        quiet::catch(|| {
            runtime.block_on(async {
                let mut race = Race::new(engine, Bench::new(engine).await);
                for step in steps {
                    race.take(step).await;
                    race.compare_wanted().await;
                    race.sweep().await;
                    race.compare().await;
                }
            });
        })
        .map_err(TestCaseError::fail)
    });
    if let Err(failed) = outcome {
        panic!("{failed}\nrun it again with {SEED}={seed}");
    }
}

/// A store and the model, side by side.
struct Race<'e> {
    engine: &'e dyn Engine,
    bench: Bench,
    model: Model,
    now: Timestamp,
    ids: Vec<(ResourceId, Kind)>,
    claims: Vec<(Claim, Applied, Seen)>,
}

impl<'e> Race<'e> {
    fn new(engine: &'e dyn Engine, bench: Bench) -> Self {
        Self {
            engine,
            bench,
            model: Model::default(),
            now: at(0),
            ids: Vec::new(),
            claims: Vec::new(),
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Create { kind, name, members } => self.create(kind, NAMES[name], &members).await,
            Step::Change { id, name, external } => self.change(&id, NAMES[name], external).await,
            Step::Members {
                group,
                replace,
                add,
                remove,
            } => self.members(&group, replace, &add, &remove).await,
            Step::Delete { id } => self.delete(&id).await,
            Step::Claim { limit } => self.claim(limit).await,
            Step::Intend { claim } => self.intend(&claim).await,
            Step::Settle { claim, end } => self.settle(&claim, end).await,
            Step::Retry { id } => {
                let Some((id, _)) = self.pick(&id) else { return };
                let retried = self
                    .bench
                    .store
                    .retry(&self.bench.tenant, id, None, self.now)
                    .await
                    .unwrap();
                assert_eq!(retried, self.model.retry(id, self.now));
            }
            Step::Wait { seconds } => self.now += SignedDuration::from_secs(seconds),
            Step::Move { page } => {
                let there = Bench::new(self.engine).await;
                moving::import(&there, &moving::export(&self.bench, page).await).await;
                self.bench = there;
                self.model.move_away();
            }
        }
    }

    fn pick(&self, choice: &sample::Index) -> Option<(ResourceId, Kind)> {
        (!self.ids.is_empty()).then(|| *choice.get(&self.ids))
    }

    fn pick_set(&self, choices: &[sample::Index]) -> BTreeSet<ResourceId> {
        choices
            .iter()
            .filter_map(|choice| self.pick(choice))
            .map(|(id, _)| id)
            .collect()
    }

    async fn write(&self, mut write: Write) -> Result<Written, WriteError> {
        write.now = self.now;
        self.bench.write(write).await
    }

    /// The error that these members call for, if any.
    fn unfit(&self, members: &BTreeSet<ResourceId>) -> Option<ResourceId> {
        let fit = |id: &&ResourceId| {
            self.model
                .resources
                .get(id)
                .is_some_and(|member| member.kind == Kind::User)
        };
        members.iter().find(|id| !fit(id)).copied()
    }

    async fn create(&mut self, kind: Kind, name: &str, members: &[sample::Index]) {
        let members = match kind {
            Kind::User => BTreeSet::new(),
            Kind::Group => self.pick_set(members),
        };
        let listed: Vec<_> = members.iter().copied().collect();
        match self.write(create_with(kind, text(kind, name, 0), &listed)).await {
            Ok(written) => {
                assert!(self.model.name_taken(kind, name).is_none() && self.unfit(&members).is_none());
                self.ids.push((written.record.id, kind));
                self.model.create(written.record.id, kind, name, &members, self.now);
            }
            Err(WriteError::NameTaken) => assert!(self.model.name_taken(kind, name).is_some()),
            Err(WriteError::NameReserved(owner)) => self.model.may_reserve(owner, kind, name),
            Err(WriteError::UnknownMember(id) | WriteError::NestedGroup(id)) => {
                assert_eq!(self.unfit(&members), Some(id));
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn change(&mut self, id: &sample::Index, name: &str, external: u8) {
        let Some((id, kind)) = self.pick(id) else { return };
        let Some(present) = self.bench.get(kind, id).await else {
            return;
        };
        let wanted = text(kind, name, external);
        if wanted == present.document {
            return;
        }
        match self.write(update(&present, wanted)).await {
            Ok(_) => {
                assert!(self.model.name_taken(kind, name).is_none_or(|owner| owner == id));
                self.model.change(id, name, external, self.now);
            }
            Err(WriteError::NameTaken) => assert!(self.model.name_taken(kind, name).is_some_and(|owner| owner != id)),
            Err(WriteError::NameReserved(owner)) => {
                assert_ne!(owner, id);
                self.model.may_reserve(owner, kind, name);
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn members(&mut self, group: &sample::Index, replace: bool, add: &[sample::Index], remove: &[sample::Index]) {
        let Some((group, Kind::Group)) = self.pick(group) else {
            return;
        };
        let add = self.pick_set(add);
        let remove: BTreeSet<_> = self.pick_set(remove).difference(&add).copied().collect();
        let change = MemberChange {
            replace,
            add: add.iter().copied().collect(),
            remove: if replace {
                Vec::new()
            } else {
                remove.iter().copied().collect()
            },
        };
        let written = self.write(update_members(group, change)).await;
        let Some(present) = self.model.resources.get(&group) else {
            return assert!(matches!(written, Err(WriteError::NotFound)), "{written:?}");
        };
        match written {
            Ok(written) => {
                assert_eq!(self.unfit(&add), None);
                let mut wanted = if replace {
                    BTreeSet::new()
                } else {
                    present.members.clone()
                };
                wanted.extend(add);
                wanted.retain(|member| replace || !remove.contains(member));
                assert_eq!(written.changed, wanted != present.members);
                self.model.set_members(group, &wanted, self.now);
            }
            Err(WriteError::UnknownMember(id) | WriteError::NestedGroup(id)) => assert_eq!(self.unfit(&add), Some(id)),
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn delete(&mut self, id: &sample::Index) {
        let Some((id, kind)) = self.pick(id) else { return };
        let Some(present) = self.bench.get(kind, id).await else {
            return;
        };
        self.write(delete(&present)).await.unwrap();
        self.model.delete(id, self.now);
    }

    async fn claim(&mut self, limit: usize) {
        let due = self.model.due(self.now);
        let taken = self.bench.take(self.now, limit).await;
        assert_eq!(taken.claims.len(), limit.min(due.len()));
        let last = taken.claims.iter().map(|claim| self.model.place(claim.id)).max();
        let taken_ids: BTreeSet<_> = taken.claims.iter().map(|claim| claim.id).collect();
        for claim in taken.claims {
            assert!(due.contains(&claim.id));
            assert_eq!(claim.attempts, self.model.work[&claim.id].attempts);
            let seen = self.model.claim(claim.id, self.now);
            let order = self.bench.order(&claim).await;
            // Who was refused before comes after the others.
            let batch: BTreeSet<_> = order.batch.iter().map(|member| member.id).collect();
            let ready: BTreeSet<_> = self
                .model
                .ready(claim.id)
                .into_iter()
                .map(|(member, _)| member)
                .collect();
            if let Some(group) = self.model.resources.get(&claim.id) {
                assert_eq!(batch, ready);
                assert!(
                    order
                        .batch
                        .iter()
                        .all(|member| member.wanted == group.members.contains(&member.id))
                );
            }
            let answer = applied(&claim, &order);
            self.claims.push((claim, answer, seen));
        }
        let untaken = || self.model.work.iter().filter(|(id, _)| !taken_ids.contains(id));
        assert_eq!(taken.next_due, untaken().map(|(_, work)| work.due).min());
        let due = untaken().filter(|(_, work)| work.due <= self.now);
        let first = due.map(|(id, _)| self.model.place(*id)).min();
        assert!(
            last.is_none_or(|last| first.is_none_or(|first| last <= first)),
            "what takes access away comes first, then the longest due"
        );
    }

    async fn intend(&mut self, claim: &sample::Index) {
        if self.claims.is_empty() {
            return;
        }
        let (claim, _, seen) = claim.get(&self.claims);
        // A create call names the resource as it is called then; one that is gone may send none.
        let present = self.model.resources.get(&claim.id);
        let name = present.map_or("gone", |resource| resource.name.as_str());
        let may = self.bench.store.record_intent(claim, name).await.unwrap();
        assert_eq!(may, self.model.intend(seen));
    }

    /// A claim may be settled again and again: only the first time counts, and only while it holds.
    async fn settle(&mut self, claim: &sample::Index, ending: Ending) {
        if self.claims.is_empty() {
            return;
        }
        let (claim, answer, seen) = claim.get(&self.claims).clone();
        let versions = answer.versions;
        let soon = self.now + SignedDuration::from_secs(10);
        let late = self.now + SignedDuration::from_secs(100);
        let retry_at = Some(self.now + SignedDuration::from_secs(LOOK_AGAIN));
        let (end, settlement) = match ending {
            Ending::Applied => (End::Applied, Settlement::Applied(Applied { retry_at, ..answer })),
            Ending::Gathers => {
                let answer = Applied {
                    retry_at,
                    more_at: Some(soon),
                    gather_until: Some(soon),
                    ..answer
                };
                (End::Gathers(soon), Settlement::Applied(answer))
            }
            Ending::MembersRefused => {
                let answer = Applied {
                    retry_at,
                    confirmed: Vec::new(),
                    refused: answer.confirmed.clone(),
                    refused_because: Some(failure()),
                    ..answer
                };
                (End::MembersRefused, Settlement::Applied(answer))
            }
            Ending::Collides(other) => match self.model.object_of_another(claim.id, self.pick(&other)) {
                None => (End::Applied, Settlement::Applied(Applied { retry_at, ..answer })),
                Some((owner, object)) => {
                    let answer = Applied {
                        retry_at,
                        object: Some((object, "rpc".to_owned())),
                        ..answer
                    };
                    (End::Collides(owner), Settlement::Applied(answer))
                }
            },
            Ending::Postponed => (End::Postponed(soon), super::bench::postponed(soon)),
            Ending::Paused => (End::Paused(soon), super::bench::paused(soon)),
            Ending::Refused => (End::Refused(late), super::bench::refused(late)),
        };
        let tried = Tried {
            version: Some(versions.0).filter(|version| *version > 0),
            trace_id: None,
        };
        self.bench.settle_as(&claim, &tried, settlement, self.now).await;
        self.model.settle(&seen, end, self.now);
    }

    /// Looks at what is wanted, which shows at once, however much is still to be done about it.
    async fn compare_wanted(&self) {
        let (bench, model) = (&self.bench, &self.model);
        for (id, kind) in &self.ids {
            let wanted = model.resources.get(id);
            assert_eq!(bench.get(*kind, *id).await.is_some(), wanted.is_some());
            let members: Vec<_> = wanted.into_iter().flat_map(|wanted| wanted.members.clone()).collect();
            assert_eq!(bench.members(*id).await, members);
            assert_eq!(bench.groups_of(*id).await, model.groups_of(*id));
        }
    }

    /// Has what is left of a step done.
    async fn sweep(&self) {
        while self.bench.store.sweep(&self.bench.tenant, self.now).await.unwrap() > 0 {}
    }

    /// Looks at everything that a store shows.
    async fn compare(&self) {
        let (bench, model) = (&self.bench, &self.model);
        for (id, kind) in &self.ids {
            let shown = bench.get(*kind, *id).await;
            let wanted = model.resources.get(id);
            assert_eq!(shown.is_some(), wanted.is_some());
            if let (Some(shown), Some(wanted)) = (shown, wanted) {
                assert_eq!(shown.document, text(*kind, &wanted.name, wanted.external));
                assert_eq!(
                    (shown.version, shown.document_version),
                    (wanted.version, wanted.document_version)
                );
                assert_eq!(shown.member_count, wanted.members.len() as u64);
                let members: Vec<_> = wanted.members.iter().copied().collect();
                assert_eq!(bench.members(*id).await, members);
            }
            assert_eq!(bench.groups_of(*id).await, model.groups_of(*id));
            self.compare_delivery(*id).await;
        }
        self.compare_lists().await;
        let count = |kind| {
            model
                .resources
                .values()
                .filter(|resource| resource.kind == kind)
                .count() as u64
        };
        let work = |state| model.work.values().filter(|work| work.state == state).count() as u64;
        let summary = bench.summary().await;
        assert_eq!((summary.users, summary.groups), (count(Kind::User), count(Kind::Group)));
        assert_eq!(
            (summary.pending, summary.refused),
            (work(WorkState::Pending), work(WorkState::Refused))
        );
        assert_eq!(bench.newest().await, model.log.len() as u64);
        let told: Vec<_> = bench.log(0).await.into_iter().map(Told::of).collect();
        let wanted = model.log.iter().zip(&told).map(|(wanted, told)| wanted.as_far_as(told));
        assert_eq!(told, wanted.collect::<Vec<_>>());
    }

    async fn compare_delivery(&self, id: ResourceId) {
        let model = &self.model;
        let Some(shown) = self.bench.delivery(id).await else {
            return assert!(
                !model.resources.contains_key(&id) && !model.tombstones.contains_key(&id),
                "{id}"
            );
        };
        assert_eq!(shown.deleted, model.tombstones.contains_key(&id));
        assert_eq!(shown.link.platform_id.as_ref(), model.accounts.get(&id));
        assert_eq!(!shown.link.intents.is_empty(), model.intends(id));
        let unconfirmed = model.unconfirmed.keys().filter(|(group, _)| *group == id).count() as u64;
        assert_eq!(shown.pending_members, unconfirmed, "{id}");
        let work = shown
            .work
            .map(|work| (work.kind, work.state, work.due, work.lease.is_some(), work.attempts));
        let wanted = model.work.get(&id);
        let wanted = wanted.map(|work| (work.kind, work.state, work.due, work.leased, work.attempts));
        assert_eq!(work, wanted, "{id}");
    }

    async fn compare_lists(&self) {
        let (bench, model) = (&self.bench, &self.model);
        for kind in Kind::ALL {
            let mut named = BTreeMap::new();
            let of_kind = || {
                model
                    .resources
                    .iter()
                    .filter(move |(_, resource)| resource.kind == kind)
            };
            for (id, resource) in of_kind() {
                named.insert(resource.name.to_ascii_lowercase(), *id);
            }
            let listed = bench
                .store
                .list(&bench.tenant, kind, From::Offset(0), 1_000)
                .await
                .unwrap();
            let listed: Vec<_> = listed.into_iter().map(|record| record.id).collect();
            assert_eq!(listed, of_kind().map(|(id, _)| *id).collect::<Vec<_>>());
            for name in ["ada", "BO", "cy", "Dee"] {
                assert_eq!(
                    bench.named(kind, name).await.as_ref(),
                    named.get(&name.to_ascii_lowercase())
                );
            }
            let external = of_kind()
                .filter(|(_, resource)| resource.external == 1)
                .map(|(id, _)| *id);
            assert_eq!(
                bench.find(kind, Index::ExternalId, "X1").await,
                external.collect::<Vec<_>>()
            );
        }
        for state in [None, Some(WorkState::Pending), Some(WorkState::Refused)] {
            let listed = bench.store.deliveries(&bench.tenant, state, None, 1_000).await.unwrap();
            let wanted = model
                .work
                .iter()
                .filter(|(_, work)| state.is_none_or(|state| work.state == state));
            let listed: Vec<_> = listed.into_iter().map(|delivery| delivery.id).collect();
            assert_eq!(listed, wanted.map(|(id, _)| *id).collect::<Vec<_>>());
        }
        for (object, id) in model.accounts.iter().map(|(id, object)| (object, id)) {
            let kind = model.resources.get(id).or(model.tombstones.get(id)).unwrap().kind;
            let owner = bench.store.owner(&bench.tenant, kind, object).await.unwrap().unwrap();
            assert_eq!((owner.id, owner.at_rest), (*id, !model.work.contains_key(id)));
        }
    }
}

fn text(kind: Kind, name: &str, external: u8) -> Value {
    let mut document = document(kind, name);
    if external > 0 {
        document["externalId"] = json!(format!("x{external}"));
    }
    document
}
