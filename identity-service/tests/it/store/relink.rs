//! A Platform object made a resource's by a person's word.

use identity_service::{
    id::{Kind, ResourceId},
    store::{Act, Deed, Intent, Logged, Origin, Relinked, Subject, WorkState},
};

use super::{
    Engine,
    bench::{Bench, at, paused, refused},
    chores::{report, sweep},
};

fn object(name: &str) -> (String, String) {
    (name.to_owned(), "rpc".to_owned())
}

impl Bench {
    async fn relink(&self, kind: Kind, id: ResourceId, name: &str) -> Relinked {
        let relinked = self.store.relink(&self.tenant, kind, id, object(name), None, at(5));
        relinked.await.unwrap()
    }
}

pub(super) async fn what_is_linked_by_hand_is_delivered_anew(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("crew", &[user]).await;
    for claim in bench.claim_all(at(1)).await {
        // The Platform asked for a pause: somebody who links wants it now.
        let settled = if claim.kind == Kind::User {
            refused(at(4_000))
        } else {
            paused(at(3_000))
        };
        bench.settle(&claim, settled, at(1)).await;
    }
    let origin = Origin {
        credential: Some("operator".to_owned()),
        ..Origin::default()
    };
    let newest = bench.newest().await;
    let relinked = bench
        .store
        .relink(&bench.tenant, Kind::User, user, object("A1"), Some(&origin), at(5));
    assert_eq!(relinked.await.unwrap(), Relinked::Done);
    let log = bench.log(newest).await;
    let act = Act {
        act: Deed::Relink,
        resource: Some(Subject {
            kind: Kind::User,
            id: user,
        }),
        by: String::new(),
        reason: String::new(),
        origin: Some(origin),
    };
    assert_eq!(
        log.into_iter().map(|entry| entry.what).collect::<Vec<_>>(),
        [Logged::Act(act)]
    );
    let owner = bench
        .store
        .owner(&bench.tenant, Kind::User, "A1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((owner.id, owner.at_rest), (user, false));
    assert_eq!(bench.state(user).await, Some(WorkState::Pending));

    let claim = bench.claim(at(5)).await;
    let order = bench.order(&claim).await;
    assert_eq!((claim.id, order.link.platform_id.as_deref()), (user, Some("A1")));
    assert_eq!((order.link.backend.as_str(), order.link.applied_document), ("rpc", 0));
    bench.apply(&claim, at(5)).await;
    assert_eq!(bench.account(user).await.as_deref(), Some("A1"));

    // The group: its pause is over, and its member is ready.
    assert_eq!(bench.relink(Kind::Group, group, "R1").await, Relinked::Done);
    let claim = bench.claim(at(5)).await;
    let batch: Vec<_> = bench
        .order(&claim)
        .await
        .batch
        .into_iter()
        .map(|member| member.id)
        .collect();
    assert_eq!((claim.id, batch), (group, vec![user]));
    bench.apply(&claim, at(5)).await;
    assert_eq!(bench.state(group).await, None);
}

pub(super) async fn nothing_of_anybodys_is_linked_by_hand(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (user, other) = (bench.user("odile").await, bench.user("roy").await);
    let gone = bench.user("gone").await;
    bench.deliver_all(at(1)).await;
    let owned = bench.account(other).await.unwrap();
    bench.delete(Kind::User, gone).await.unwrap();
    let fresh = bench.user("fresh").await;

    // Who has an object, an object that somebody has, a tombstone's object, a tombstone, nobody at all, the other kind.
    let buried = bench.account(gone).await.unwrap();
    assert_eq!(bench.relink(Kind::User, user, "A9").await, Relinked::NotThis);
    assert_eq!(bench.relink(Kind::User, fresh, &owned).await, Relinked::NotThis);
    assert_eq!(bench.relink(Kind::User, fresh, &buried).await, Relinked::NotThis);
    assert_eq!(bench.relink(Kind::User, gone, "A9").await, Relinked::NotThis);
    assert_eq!(
        bench.relink(Kind::User, ResourceId::generate(), "A9").await,
        Relinked::NotThis
    );
    assert_eq!(bench.relink(Kind::Group, fresh, "A9").await, Relinked::NotThis);
    // A delivery under way may be creating one this moment.
    for claim in bench.claim_all(at(2)).await {
        if claim.id != fresh {
            bench.apply(&claim, at(2)).await;
            continue;
        }
        assert_eq!(bench.store.record_intent(&claim, "fresh").await.unwrap(), Intent::Noted);
        assert_eq!(bench.relink(Kind::User, fresh, "A9").await, Relinked::UnderWay);
        bench.settle(&claim, refused(at(4_000)), at(2)).await;
    }
    assert_eq!(bench.account(fresh).await, None);
    assert_eq!(bench.store.owner(&bench.tenant, Kind::User, "A9").await.unwrap(), None);

    // Linked, it has no intent any more; and it is linked once.
    assert_eq!(bench.relink(Kind::User, fresh, "A9").await, Relinked::Done);
    assert_eq!(
        bench.store.intender(&bench.tenant, Kind::User, "fresh").await.unwrap(),
        None
    );
    assert_eq!(bench.relink(Kind::User, fresh, "A9").await, Relinked::NotThis);
}

pub(super) async fn reports_and_groups_follow_who_is_linked_by_hand(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let boss = bench.user("boss").await;
    let claim = bench.claim(at(1)).await;
    bench.settle(&claim, refused(at(4_000)), at(1)).await;
    let reporter = super::bench::create_with(Kind::User, report(1, boss), &[]);
    let reporter = bench.write(reporter).await.unwrap().record.id;
    let group = bench.group("crew", &[boss]).await;
    bench.deliver_all(at(1)).await;
    assert_eq!(bench.state(reporter).await, None);

    assert_eq!(bench.relink(Kind::User, boss, "A1").await, Relinked::Done);
    sweep(&bench, 5).await;
    let mut due: Vec<_> = bench.claim_all(at(5)).await.into_iter().map(|claim| claim.id).collect();
    due.sort_unstable();
    assert_eq!(due, [boss, reporter, group]);
}
