//! How claims end, and what remains to be done afterwards.

use identity_service::{
    id::{Kind, ResourceId},
    store::{Applied, Claim, Delivery, MemberChange, Order, Settlement, WorkState},
};

use super::{
    Engine,
    bench::{Bench, adding, applied, at, failure, paused, postponed, refused, update_members},
};

pub(super) async fn what_was_applied_needs_nothing_more(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.touch(Kind::User, user).await;
    let claim = bench.claim(at(1)).await;
    bench.apply(&claim, at(2)).await;
    let delivery = bench.delivery(user).await.unwrap();
    assert_eq!(delivery.work, None);
    assert_eq!((delivery.link.applied_version, delivery.link.applied_document), (2, 2));
    assert_eq!(delivery.link.platform_id, Some(format!("object of {user}")));
    assert!(bench.claim_all(at(1_000_000)).await.is_empty());
}

pub(super) async fn a_settlement_of_a_lost_claim_is_ignored(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let lost = bench.claim(at(1)).await;
    let stale = Settlement::Applied(applied(&lost, &bench.order(&lost).await));
    let present = bench.claim(at(100)).await;
    for settlement in [stale.clone(), postponed(at(2)), refused(at(3))] {
        bench.settle(&lost, settlement, at(101)).await;
    }
    assert_eq!(bench.state(user).await, Some(WorkState::Pending));
    assert_eq!(bench.due(user).await, Some(at(160)), "the present lease stands");
    assert_eq!(bench.account(user).await, None);
    bench.apply(&present, at(102)).await;
    bench.settle(&present, refused(at(3)), at(103)).await;
    bench.settle(&lost, stale, at(104)).await;
    assert_eq!(bench.state(user).await, None, "a claim ends once");
}

pub(super) async fn a_change_during_a_delivery_stays_pending(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    let order = bench.order(&claim).await;
    bench.touch(Kind::User, user).await;
    assert!(
        bench.claim_all(at(2)).await.is_empty(),
        "one delivery of a resource at a time"
    );
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(3))
        .await;
    let delivery = bench.delivery(user).await.unwrap();
    assert_eq!((delivery.version, delivery.link.applied_version), (2, 1));
    let claim = bench.claim(at(3)).await;
    bench.apply(&claim, at(4)).await;
    assert_eq!(bench.state(user).await, None);
}

pub(super) async fn what_is_postponed_comes_again_at_its_time(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    for (attempt, now) in [(0, 1), (1, 10), (2, 20)] {
        let claim = bench.claim(at(now)).await;
        assert_eq!(claim.attempts, attempt);
        bench.settle(&claim, postponed(at(now + 9)), at(now + 1)).await;
        assert!(bench.claim_all(at(now + 8)).await.is_empty());
    }
    let work = bench.delivery(user).await.unwrap().work.unwrap();
    assert_eq!(
        (work.state, work.attempts, work.failure),
        (WorkState::Pending, 3, Some(failure()))
    );
    assert_eq!((work.since, work.due), (at(0), at(29)));
}

pub(super) async fn a_pause_outlasts_changes_but_no_request(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    bench.settle(&claim, paused(at(60)), at(2)).await;
    bench.touch(Kind::User, user).await;
    assert!(
        bench.claim_all(at(59)).await.is_empty(),
        "the Platform asked for a pause"
    );
    let claim = bench.claim(at(60)).await;
    assert_eq!(claim.attempts, 1, "and the next pause is the longer one");
    bench.touch(Kind::User, user).await;
    bench.settle(&claim, paused(at(120)), at(61)).await;

    // Whoever asks for a try gets it.
    assert!(bench.store.retry(&bench.tenant, user, None, at(62)).await.unwrap());
    let claim = bench.claim(at(62)).await;
    assert_eq!(claim.attempts, 0);
    bench.settle(&claim, paused(at(180)), at(63)).await;

    // A success lifts it.
    let claim = bench.claim(at(180)).await;
    bench.touch(Kind::User, user).await;
    bench.apply(&claim, at(181)).await;
    assert_eq!(bench.claim(at(181)).await.attempts, 0);
}

/// Somebody may have left: what failed for no stated time is tried again with the next change.
pub(super) async fn a_change_is_tried_at_once_where_nobody_asked_for_a_pause(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    bench.settle(&claim, postponed(at(1_000)), at(2)).await;
    assert!(bench.claim_all(at(3)).await.is_empty());
    bench.touch(Kind::User, user).await;
    let claim = bench.claim(at(3)).await;
    assert_eq!(claim.attempts, 0);
    // So is one that comes during the delivery.
    bench.touch(Kind::User, user).await;
    bench.settle(&claim, postponed(at(1_000)), at(4)).await;
    let claim = bench.claim(at(4)).await;
    bench.touch(Kind::User, user).await;
    bench.settle(&claim, paused(at(50)), at(5)).await;
    assert!(bench.claim_all(at(49)).await.is_empty());
    assert_eq!(bench.claim(at(50)).await.id, user);
}

pub(super) async fn a_change_ends_the_wait_for_another(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let owner = bench.user("odile").await;
    bench.deliver_all(at(1)).await;
    bench.touch(Kind::User, owner).await;
    let heir = bench.user("anders").await;
    let claims = bench.claim_all(at(1)).await;
    let claim = claims.iter().find(|claim| claim.id == heir).unwrap();
    let until_given_up = Settlement::Postponed {
        failure: failure(),
        retry_at: at(60),
        not_before: None,
        waits_for: Some(owner),
        void_intents: Vec::new(),
    };
    bench.settle(claim, until_given_up, at(2)).await;
    bench.touch(Kind::User, heir).await;
    let claim = bench.claim(at(3)).await;
    assert_eq!((claim.id, claim.attempts), (heir, 0), "it may have another name now");
}

pub(super) async fn what_is_postponed_after_a_refusal_is_pending(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    bench.settle(&claim, refused(at(100)), at(2)).await;
    let claim = bench.claim(at(100)).await;
    bench.settle(&claim, postponed(at(200)), at(101)).await;
    assert_eq!(bench.state(user).await, Some(WorkState::Pending));
    assert_eq!((bench.summary().await.pending, bench.summary().await.refused), (1, 0));
}

pub(super) async fn what_is_refused_waits_long_and_a_change_makes_it_due(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    bench.settle(&claim, refused(at(3_600)), at(2)).await;
    let work = bench.delivery(user).await.unwrap().work.unwrap();
    assert_eq!(
        (work.state, work.due, work.failure),
        (WorkState::Refused, at(3_600), Some(failure()))
    );
    assert!(bench.claim_all(at(3_599)).await.is_empty());
    bench.touch(Kind::User, user).await;
    assert_eq!(bench.state(user).await, Some(WorkState::Pending));
    let claim = bench.claim(at(3)).await;
    bench.settle(&claim, refused(at(3_600)), at(4)).await;
    assert_eq!(bench.claim(at(3_600)).await.id, user, "and it is tried again by itself");
}

pub(super) async fn a_refusal_of_what_changed_meanwhile_is_none(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    bench.touch(Kind::User, user).await;
    bench.settle(&claim, refused(at(3_600)), at(2)).await;
    assert_eq!(bench.state(user).await, Some(WorkState::Pending));
    assert_eq!(bench.claim(at(2)).await.id, user);
}

/// A group of that many members, all with accounts; only the group is still to be delivered.
async fn group_to_deliver(bench: &Bench, members: usize) -> (ResourceId, Vec<ResourceId>) {
    let mut users = Vec::new();
    for number in 0..members {
        users.push(bench.user(&format!("u{number}")).await);
    }
    bench.deliver_all(at(1)).await;
    (bench.group("sales", &users).await, users)
}

pub(super) async fn members_that_come_meanwhile_are_gathered(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut others = Vec::new();
    for name in ["a", "b", "c", "d"] {
        others.push(bench.user(name).await);
    }
    let (group, users) = group_to_deliver(&bench, 1).await;
    let claimed = async |now: i64| {
        let claim = bench.claim(at(now)).await;
        let order = bench.order(&claim).await;
        let mut ids: Vec<_> = order.batch.iter().map(|member| member.id).collect();
        ids.sort();
        (claim, order, ids)
    };
    let until = |end: i64, claim: &Claim, order: &Order| {
        Settlement::Applied(Applied {
            more_at: Some(at(end)),
            ..applied(claim, order)
        })
    };
    let (claim, order, ids) = claimed(2).await;
    assert_eq!(ids, users);
    // One comes while the batch is delivered; whoever comes after that does not hasten it.
    bench.add(group, &others[..1]).await;
    bench.settle(&claim, until(20, &claim, &order), at(3)).await;
    bench.add(group, &others[1..2]).await;
    let work = bench.delivery(group).await.unwrap().work.unwrap();
    assert_eq!(
        (work.state, work.attempts, work.not_before),
        (WorkState::Pending, 0, Some(at(20)))
    );
    assert!(bench.claim_all(at(19)).await.is_empty());
    let (claim, order, ids) = claimed(20).await;
    assert_eq!(ids, others[..2]);
    // Those who come now are gathered again, unless somebody asks for a try.
    bench.add(group, &others[2..3]).await;
    bench.settle(&claim, until(40, &claim, &order), at(21)).await;
    assert!(bench.claim_all(at(39)).await.is_empty());
    assert!(bench.store.retry(&bench.tenant, group, None, at(22)).await.unwrap());
    let (claim, order, ids) = claimed(22).await;
    assert_eq!(ids, others[2..3]);
    // Nobody came: it is done, and the next change is delivered at once.
    bench.settle(&claim, until(60, &claim, &order), at(23)).await;
    assert_eq!(bench.state(group).await, None);
    let mut write = update_members(group, adding(&others[3..]));
    write.now = at(24);
    bench.write(write).await.unwrap();
    let (claim, order, ids) = claimed(24).await;
    assert_eq!(ids, others[3..]);
    // Unless what comes then is gathered, too.
    let busy = Settlement::Applied(Applied {
        gather_until: Some(at(50)),
        ..applied(&claim, &order)
    });
    bench.settle(&claim, busy, at(25)).await;
    bench.remove(group, &others[..1]).await;
    assert!(bench.claim_all(at(49)).await.is_empty());
    let (claim, order, ids) = claimed(50).await;
    assert_eq!(ids, others[..1]);
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(51))
        .await;
    assert_eq!(bench.state(group).await, None);
}

pub(super) async fn a_batch_at_a_time_until_no_member_is_left(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (group, users) = group_to_deliver(&bench, 5).await;
    let mut confirmed = Vec::new();
    for left in [5, 3, 1] {
        assert_eq!(bench.delivery(group).await.unwrap().pending_members, left);
        let claim = bench.claim(at(2)).await;
        let order = bench.store.order(&claim, 2).await.unwrap().unwrap();
        assert!(order.batch.iter().all(|member| member.wanted));
        for member in &order.batch {
            assert_eq!(Some(&member.platform_id), bench.account(member.id).await.as_ref());
        }
        confirmed.extend(order.batch.iter().map(|member| member.id));
        bench
            .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(2))
            .await;
    }
    assert_eq!(confirmed, users);
    assert_eq!(bench.state(group).await, None);

    bench.remove(group, &users[..1]).await;
    let batch = bench.order(&bench.claim(at(3)).await).await.batch;
    assert_eq!(
        batch
            .iter()
            .map(|member| (member.id, member.wanted))
            .collect::<Vec<_>>(),
        [(users[0], false)]
    );
}

pub(super) async fn a_member_that_changed_meanwhile_is_not_confirmed(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (group, users) = group_to_deliver(&bench, 2).await;
    let claim = bench.claim(at(2)).await;
    let order = bench.order(&claim).await;
    bench.remove(group, &users[..1]).await;
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(3))
        .await;
    let claim = bench.claim(at(3)).await;
    let batch = bench.order(&claim).await.batch;
    assert_eq!(
        batch
            .iter()
            .map(|member| (member.id, member.wanted))
            .collect::<Vec<_>>(),
        [(users[0], false)]
    );
    bench.apply(&claim, at(4)).await;
    assert_eq!(bench.state(group).await, None);
}

pub(super) async fn a_refused_member_holds_nobody_up_and_is_tried_again(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (group, users) = group_to_deliver(&bench, 3).await;
    let refuse_first = async |now| {
        let claim = bench.claim(at(now)).await;
        let order = bench.order(&claim).await;
        let (bad, good): (Vec<_>, Vec<_>) = order.batch.iter().cloned().partition(|member| member.id == users[0]);
        let settlement = Settlement::Applied(Applied {
            confirmed: good,
            refused_because: (!bad.is_empty()).then(failure),
            refused: bad,
            retry_at: Some(at(3_600)),
            ..applied(&claim, &order)
        });
        bench.settle(&claim, settlement, at(now)).await;
        order.batch.len()
    };
    assert_eq!(refuse_first(2).await, 3);
    let delivery = bench.delivery(group).await.unwrap();
    assert_eq!(delivery.pending_members, 1);
    let work = delivery.work.unwrap();
    assert_eq!(
        (work.state, work.due, work.failure),
        (WorkState::Refused, at(3_600), Some(failure()))
    );

    // Another change is delivered without it, and does not hide it.
    bench.remove(group, &users[1..2]).await;
    assert_eq!(refuse_first(3).await, 1);
    let work = bench.delivery(group).await.unwrap().work.unwrap();
    assert_eq!((work.state, work.failure), (WorkState::Refused, Some(failure())));

    // When its time has come, or somebody asks, it is tried again.
    assert_eq!(refuse_first(3_600).await, 1);
    assert!(bench.store.retry(&bench.tenant, group, None, at(3_601)).await.unwrap());
    let claim = bench.claim(at(3_601)).await;
    let order = bench.order(&claim).await;
    assert_eq!(
        order.batch.iter().map(|member| member.id).collect::<Vec<_>>(),
        users[..1]
    );
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(3_602))
        .await;
    assert_eq!(bench.state(group).await, None);
}

pub(super) async fn refused_members_of_a_busy_group_are_tried_again(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (group, users) = group_to_deliver(&bench, 3).await;
    // The Platform refuses the first; others come and go all the time.
    let mut tried = Vec::new();
    for now in (2..=9_000).step_by(100) {
        let mut write = update_members(group, adding(&users[2..]));
        if now / 100 % 2 == 0 {
            write = update_members(
                group,
                MemberChange {
                    remove: users[2..].to_vec(),
                    ..MemberChange::default()
                },
            );
        }
        write.now = at(now);
        bench.write(write).await.unwrap();
        let claim = bench.claim(at(now)).await;
        let order = bench.order(&claim).await;
        let (bad, good): (Vec<_>, Vec<_>) = order.batch.iter().cloned().partition(|member| member.id == users[0]);
        if !bad.is_empty() {
            tried.push(now);
        }
        let settlement = Settlement::Applied(Applied {
            confirmed: good,
            refused_because: (!bad.is_empty()).then(failure),
            refused: bad,
            retry_at: Some(at(now + 3_600)),
            ..applied(&claim, &order)
        });
        bench.settle(&claim, settlement, at(now)).await;
        let work = bench.delivery(group).await.unwrap().work.unwrap();
        assert_eq!(
            (work.state, work.failure),
            (WorkState::Refused, Some(failure())),
            "no change hides it"
        );
    }
    assert_eq!(tried, [2, 3_602, 7_202]);
}

pub(super) async fn the_summary_is_what_the_list_shows(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("a").await;
    bench.user("b").await;
    bench.user("c").await;
    bench.group("g", &[user]).await;
    let listed = async |state| -> Vec<Delivery> {
        let mut all: Vec<Delivery> = Vec::new();
        loop {
            let after = all.last().map(|delivery| delivery.id);
            let page = bench.store.deliveries(&bench.tenant, state, after, 2).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    };
    let claims = bench.claim_all(at(1)).await;
    assert_eq!((listed(None).await.len(), claims.len()), (4, 4));
    bench.settle(&claims[0], refused(at(50)), at(2)).await;
    bench.settle(&claims[1], postponed(at(50)), at(2)).await;
    bench.apply(&claims[2], at(2)).await;
    for (state, count) in [(None, 3), (Some(WorkState::Pending), 2), (Some(WorkState::Refused), 1)] {
        assert_eq!(listed(state).await.len(), count, "{state:?}");
    }
    for delivery in listed(None).await {
        assert_eq!(bench.delivery(delivery.id).await, Some(delivery));
    }
    let summary = bench.summary().await;
    assert_eq!(
        (summary.users, summary.groups, summary.pending, summary.refused),
        (3, 1, 2, 1)
    );
}

pub(super) async fn a_retry_makes_anything_due_and_everything_applied_anew(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    bench.settle(&claim, refused(at(3_600)), at(2)).await;
    assert!(bench.store.retry(&bench.tenant, user, None, at(3)).await.unwrap());
    let claim = bench.claim(at(3)).await;
    bench.apply(&claim, at(4)).await;
    assert!(
        bench.store.retry(&bench.tenant, user, None, at(5)).await.unwrap(),
        "applied as it is"
    );
    let link = bench.order(&bench.claim(at(5)).await).await.link;
    assert_eq!(link.applied_document, 0, "so that nobody takes it for done");
    assert_eq!(bench.record(Kind::User, user).await.version, 1);
}

pub(super) async fn a_retry_of_what_does_not_exist_says_so(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    assert!(
        !bench
            .store
            .retry(&bench.tenant, ResourceId::generate(), None, at(1))
            .await
            .unwrap()
    );
    assert_eq!(bench.summary().await.pending, 0);
}
