//! How old what is still to be delivered is: in each state the age of its oldest change, whatever becomes of it.

use identity_service::{
    id::{Kind, ResourceId},
    store::{Applied, Brake, Claim, Held, Settlement, Summary, Write},
};
use jiff::Timestamp;

use super::{
    Engine,
    bench::{Bench, applied, at, refused, update},
};

/// When the oldest change was made, in seconds: of what is pending, refused, planned, and held by each brake.
type Ages = (Option<i64>, Option<i64>, Option<i64>, [Option<i64>; 3]);
const NOTHING: Ages = (None, None, None, [None; 3]);

impl Bench {
    /// Users of whom everything was applied.
    async fn settled(&self, names: &[&str]) -> Vec<ResourceId> {
        let mut users = Vec::new();
        for name in names {
            users.push(self.user(name).await);
        }
        self.deliver_all(at(1)).await;
        users
    }

    async fn change_at(&self, user: ResourceId, seconds: i64) {
        let present = self.record(Kind::User, user).await;
        let mut document = present.document.clone();
        document["touched"] = seconds.into();
        let now = at(seconds);
        let change = Write {
            now,
            ..update(&present, document)
        };
        self.write(change).await.unwrap();
    }

    async fn claim_of(&self, user: ResourceId, seconds: i64) -> Claim {
        let claims = self.claim_all(at(seconds)).await;
        claims.into_iter().find(|claim| claim.id == user).unwrap()
    }

    async fn ages(&self) -> Ages {
        let seconds = |at_: Timestamp| at_.as_second() - at(0).as_second();
        let Summary {
            oldest_pending,
            oldest_refused,
            oldest_planned,
            oldest_held,
            ..
        } = self.summary().await;
        (
            oldest_pending.map(seconds),
            oldest_refused.map(seconds),
            oldest_planned.map(seconds),
            oldest_held.map(|oldest| oldest.map(seconds)),
        )
    }
}

pub(super) async fn what_rests_is_as_old_as_its_oldest_change(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    assert_eq!(bench.ages().await, NOTHING);
    let users = bench.settled(&["odile", "hana", "remy"]).await;
    assert_eq!(bench.ages().await, NOTHING);
    for (user, seconds) in users.iter().zip([20, 10, 30]) {
        bench.change_at(*user, seconds).await;
    }
    assert_eq!(bench.ages().await, (Some(10), None, None, [None; 3]));
    for claim in bench.claim_all(at(40)).await {
        assert_eq!(
            Some(claim.since),
            bench.delivery(claim.id).await.unwrap().work.map(|work| work.since)
        );
        bench.settle(&claim, refused(at(1_000)), at(41)).await;
    }
    assert_eq!(bench.ages().await, (None, Some(10), None, [None; 3]));
    // A newer change does not make it younger: the first is still not there.
    bench.change_at(users[1], 50).await;
    assert_eq!(bench.ages().await, (Some(10), Some(20), None, [None; 3]));
    let claim = bench.claim_of(users[1], 60).await;
    let planned = Settlement::Planned(vec!["change the account".to_owned()]);
    bench.settle(&claim, planned, at(61)).await;
    assert_eq!(bench.ages().await, (None, Some(20), Some(10), [None; 3]));
    bench.store.deliver_planned(&bench.tenant, at(62)).await.unwrap();
    assert_eq!(bench.ages().await, (Some(10), Some(20), None, [None; 3]));
    bench.apply(&bench.claim_of(users[1], 63).await, at(63)).await;
    assert_eq!(bench.ages().await, (None, Some(20), None, [None; 3]));
    bench.deliver_all(at(2_000)).await;
    assert_eq!(bench.ages().await, NOTHING);
}

pub(super) async fn what_each_brake_holds_has_an_age_of_its_own(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = bench.settled(&["odile", "hana", "remy", "yves"]).await;
    for (user, seconds) in users.iter().zip([10, 20, 30, 40]) {
        bench.change_at(*user, seconds).await;
    }
    let claims = bench.claim_all(at(50)).await;
    // Without a brake of its own it is held for its members, which only removals are.
    let brakes = [
        None,
        Some(Brake::Deactivations),
        Some(Brake::Alarm),
        Some(Brake::Removals),
    ];
    for (user, brake) in users.iter().zip(brakes) {
        let claim = claims.iter().find(|claim| claim.id == *user).unwrap();
        let held = Held {
            brake,
            ..Held::default()
        };
        bench.settle(claim, Settlement::Held(held), at(51)).await;
    }
    assert_eq!(bench.ages().await, (None, None, None, [Some(10), Some(20), Some(30)]));
    let release = async |user: ResourceId| bench.store.release(&bench.tenant, user, None, at(60)).await.unwrap();
    assert!(release(users[1]).await);
    assert_eq!(bench.ages().await, (Some(20), None, None, [Some(10), None, Some(30)]));
    bench.deliver_all(at(61)).await;
    assert_eq!(bench.ages().await, (None, None, None, [Some(10), None, Some(30)]));
    // A change has what no brake holds tried anew; the younger one is left.
    bench.change_at(users[0], 70).await;
    assert_eq!(bench.ages().await, (Some(10), None, None, [Some(40), None, Some(30)]));
    bench.deliver_all(at(71)).await;
    for user in &users[2..] {
        assert!(release(*user).await);
    }
    bench.deliver_all(at(72)).await;
    assert_eq!(bench.ages().await, NOTHING);
}

pub(super) async fn what_was_delivered_makes_nothing_old(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.settled(&["odile"]).await[0];
    // One change after another comes while the last is delivered: each is as old as it is, not as the first.
    bench.change_at(user, 10).await;
    for (seconds, oldest) in [(20, 20), (30, 30)] {
        let claim = bench.claim(at(seconds)).await;
        let order = bench.order(&claim).await;
        bench.change_at(user, seconds + 1).await;
        let caught_up = Applied {
            caught_up: Some(at(seconds)),
            ..applied(&claim, &order)
        };
        bench
            .settle(&claim, Settlement::Applied(caught_up), at(seconds + 2))
            .await;
        assert_eq!(bench.ages().await, (Some(oldest), None, None, [None; 3]));
    }
    // Where something was left out, the first change is still to come.
    let claim = bench.claim(at(40)).await;
    let order = bench.order(&claim).await;
    bench.change_at(user, 41).await;
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(42))
        .await;
    assert_eq!(bench.ages().await, (Some(30), None, None, [None; 3]));
    bench.deliver_all(at(50)).await;
    assert_eq!(bench.ages().await, NOTHING);

    let group = bench.group("sales", &[user]).await;
    let claim = bench.claim(at(60)).await;
    let order = bench.order(&claim).await;
    // Nothing is left, and what comes by then is gathered.
    let gathers = Applied {
        caught_up: Some(at(60)),
        gather_until: Some(at(70)),
        ..applied(&claim, &order)
    };
    bench.settle(&claim, Settlement::Applied(gathers), at(61)).await;
    assert_eq!(bench.ages().await, (Some(60), None, None, [None; 3]));
    bench.remove(group, &[user]).await;
    let claim = bench.claim(at(70)).await;
    let order = bench.order(&claim).await;
    let refused = Applied {
        caught_up: Some(at(70)),
        retry_at: Some(at(100)),
        refused: order.batch.clone(),
        confirmed: Vec::new(),
        ..applied(&claim, &order)
    };
    bench.settle(&claim, Settlement::Applied(refused), at(71)).await;
    assert_eq!(
        bench.ages().await,
        (None, Some(60), None, [None; 3]),
        "what is refused is not delivered"
    );
}
