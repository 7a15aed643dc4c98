//! What a dry run leaves: what would be written is kept with the work, nothing of it is tried again by itself, and all of it is
//! due once it may be written.

use identity_service::{
    id::{Kind, ResourceId},
    store::{Brake, Brakes, Limit, Settlement, Usable, Verdict, WorkState, Write},
};

use super::{
    Engine,
    bench::{Bench, at, postponed, refused},
    chores::sweep,
};

const STEPS: [&str; 2] = ["create the account", "disable the account"];

fn planned() -> Settlement {
    Settlement::Planned(STEPS.map(str::to_owned).to_vec())
}

impl Bench {
    async fn plan(&self, id: ResourceId) -> (Option<WorkState>, Vec<String>) {
        let work = self.delivery(id).await.unwrap().work;
        (
            work.as_ref().map(|work| work.state),
            work.map(|work| work.plan).unwrap_or_default(),
        )
    }

    async fn deliver_planned(&self, seconds: i64) -> usize {
        self.store.deliver_planned(&self.tenant, at(seconds)).await.unwrap()
    }
}

pub(super) async fn what_is_planned_is_told_and_not_due(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    // It failed before: that is over.
    bench.settle(&claim, postponed(at(5)), at(1)).await;
    let claim = bench.claim(at(5)).await;
    bench.settle(&claim, planned(), at(5)).await;

    assert_eq!(
        bench.plan(user).await,
        (Some(WorkState::Planned), STEPS.map(str::to_owned).to_vec())
    );
    let work = bench.delivery(user).await.unwrap().work.unwrap();
    assert_eq!((work.attempts, work.failure, work.lease), (0, None, None));
    let claims = bench.take(at(1_000_000), 100).await;
    assert_eq!((claims.claims, claims.next_due), (Vec::new(), None), "it is never due");
    let summary = bench.summary().await;
    assert_eq!((summary.pending, summary.planned, summary.oldest_pending), (0, 1, None));
    for (state, count) in [(Some(WorkState::Planned), 1), (Some(WorkState::Pending), 0), (None, 1)] {
        let listed = bench.store.deliveries(&bench.tenant, state, None, 10).await.unwrap();
        assert_eq!(listed.len(), count, "{state:?}");
    }
    let told = bench.outcomes(0).await.pop().unwrap();
    assert_eq!(
        (told.outcome, told.planned),
        (Verdict::Planned, STEPS.map(str::to_owned).to_vec())
    );
}

pub(super) async fn a_change_or_a_request_has_it_planned_anew(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.settle(&bench.claim(at(1)).await, planned(), at(1)).await;
    bench.touch(Kind::User, user).await;
    assert_eq!(bench.plan(user).await, (Some(WorkState::Pending), Vec::new()));
    // What changes during a delivery leaves the work due: that plan is of what was.
    let claim = bench.claim(at(2)).await;
    bench.touch(Kind::User, user).await;
    bench.settle(&claim, planned(), at(2)).await;
    assert_eq!(bench.plan(user).await, (Some(WorkState::Pending), Vec::new()));
    bench.settle(&bench.claim(at(2)).await, planned(), at(2)).await;

    assert!(bench.store.retry(&bench.tenant, user, None, at(3)).await.unwrap());
    assert_eq!(bench.plan(user).await, (Some(WorkState::Pending), Vec::new()));
    bench.settle(&bench.claim(at(3)).await, planned(), at(3)).await;
    // Nothing was made of it, so that nothing is to be planned of its removal.
    bench.delete(Kind::User, user).await.unwrap();
    assert_eq!(bench.delivery(user).await, None);
    assert_eq!(bench.summary().await.planned, 0);
}

pub(super) async fn all_that_was_planned_is_due_once_it_may_be_written(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for number in 0..5 {
        users.push(bench.user(&format!("user {number}")).await);
    }
    let group = bench.group("all", &users).await;
    for claim in bench.claim_all(at(1)).await {
        let settled = if claim.id == users[0] {
            refused(at(900))
        } else {
            planned()
        };
        bench.settle(&claim, settled, at(1)).await;
    }
    assert_eq!(bench.summary().await.planned, 5);
    assert!(bench.claim_all(at(2)).await.is_empty());

    let mut made_due = 0;
    loop {
        match bench.deliver_planned(3).await {
            0 => break,
            some => made_due += some,
        }
    }
    assert_eq!(made_due, 5);
    let summary = bench.summary().await;
    assert_eq!((summary.planned, summary.pending, summary.refused), (0, 5, 1));
    bench.deliver_all(at(3)).await;
    bench.deliver_all(at(900)).await;
    sweep(&bench, 900).await;
    bench.deliver_all(at(900)).await;
    for id in users.iter().chain([&group]) {
        assert_eq!(bench.state(*id).await, None);
    }
    assert_eq!(bench.deliver_planned(1_000).await, 0);
}

pub(super) async fn who_waits_for_what_is_planned_is_due(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let old = bench.group("halls", &[]).await;
    bench.deliver_all(at(1)).await;
    bench.delete(Kind::Group, old).await.unwrap();
    let anew = bench.group("Halls", &[]).await;
    let removal = bench.claim(at(2)).await;
    assert_eq!(removal.id, old);
    bench.settle(&removal, planned(), at(2)).await;
    assert_eq!(bench.claim(at(2)).await.id, anew);
}

/// A brake came on in the dry run: it is on when that is over.
pub(super) async fn a_brake_outlasts_the_plan(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = [bench.user("odile").await, bench.user("roy").await];
    bench.deliver_all(at(1)).await;
    for user in users {
        let present = bench.record(Kind::User, user).await;
        let delete = Write {
            usable: Usable {
                before: true,
                after: false,
            },
            brakes: Brakes {
                removals: Some(Limit { least: 1, percent: 0 }),
                deactivations: None,
            },
            now: at(10),
            ..super::bench::delete(&present)
        };
        bench.write(delete).await.unwrap();
    }
    let claims = bench.claim_all(at(10)).await;
    assert_eq!(claims[1].braked, Some(Brake::Removals));
    for claim in claims {
        bench.settle(&claim, planned(), at(10)).await;
    }
    assert!(bench.deliver_planned(11).await > 0);
    while bench.deliver_planned(11).await > 0 {}
    let claims = bench.claim_all(at(11)).await;
    assert_eq!(
        claims.iter().map(|claim| claim.braked).collect::<Vec<_>>(),
        [None, Some(Brake::Removals)]
    );
}
