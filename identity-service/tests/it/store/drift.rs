//! What a comparison with the Platform asks of a store.

use std::{collections::BTreeSet, time::Duration};

use identity_service::{
    id::{Kind, ResourceId},
    store::{Act, Applied, Deed, Logged, Origin, Owned, PendingMember, Settlement, Subject, WorkState},
};

use super::{
    Engine,
    bench::{Bench, adding, applied, at, update_members},
};

const HOUR: Duration = Duration::from_secs(3600);

fn operator() -> Origin {
    Origin {
        credential: Some("operator".to_owned()),
        ..Origin::default()
    }
}

/// What was logged as repaired after a position.
async fn repairs(bench: &Bench, after: u64) -> Vec<Act> {
    let acts = bench.log(after).await.into_iter().filter_map(|entry| match entry.what {
        Logged::Act(act) => Some(act),
        _ => None,
    });
    acts.collect()
}

fn repair_of(kind: Kind, id: ResourceId) -> Act {
    Act {
        act: Deed::Repair,
        resource: Some(Subject { kind, id }),
        by: String::new(),
        reason: String::new(),
        origin: Some(operator()),
    }
}

async fn owned(bench: &Bench, kind: Kind, platform_ids: &[&str]) -> Vec<Option<Owned>> {
    let ids: Vec<_> = platform_ids.iter().map(|id| (*id).to_owned()).collect();
    bench.store.owned(&bench.tenant, kind, &ids).await.unwrap()
}

async fn doubt(bench: &Bench, group: ResourceId, members: &[ResourceId], now: i64) -> usize {
    let store = &bench.store;
    let operator = operator();
    let doubted = store.doubt_members(&bench.tenant, group, members, Some(&operator), at(now));
    doubted.await.unwrap()
}

/// The members of a group's order, and whether each shall be in.
fn wanted(batch: &[PendingMember]) -> BTreeSet<(ResourceId, bool)> {
    batch.iter().map(|member| (member.id, member.wanted)).collect()
}

pub(super) async fn an_owner_is_told_with_what_is_wanted(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for name in ["odile", "bert", "carla"] {
        users.push(bench.user(name).await);
    }
    let group = bench.group("g", &users).await;
    bench.deliver_all(at(1)).await;
    let objects: Vec<_> = users.iter().map(|user| format!("object of {user}")).collect();
    bench.touch(Kind::User, users[1]).await;

    let ids = [objects[1].as_str(), "nobody's", objects[0].as_str()];
    let found = owned(&bench, Kind::User, &ids).await;
    let told = |owned: &Option<Owned>| owned.as_ref().map(|owned| (owned.id, owned.at_rest));
    assert_eq!(
        found.iter().map(told).collect::<Vec<_>>(),
        [Some((users[1], false)), None, Some((users[0], true))],
        "in the order asked"
    );
    assert_eq!(
        found[2].as_ref().unwrap().record,
        Some(bench.record(Kind::User, users[0]).await)
    );
    let of_group = format!("object of {group}");
    assert_eq!(owned(&bench, Kind::User, &[&of_group]).await, [None], "kinds are apart");
    assert_eq!(
        owned(&bench, Kind::Group, &[&of_group]).await[0].as_ref().unwrap().id,
        group
    );
    assert_eq!(owned(&bench, Kind::User, &[]).await, []);

    // What is kept of a deleted user, disabled, is owned by its tombstone.
    bench.deliver_all(at(2)).await;
    bench.delete(Kind::User, users[2]).await.unwrap();
    let claims = bench.claim_all(at(3)).await;
    for claim in claims {
        let done = applied(&claim, &bench.order(&claim).await);
        let kept = (claim.id == users[2]).then(|| (objects[2].clone(), "rpc".to_owned()));
        let kept_disabled = Applied {
            object: kept.or(done.object),
            disabled: claim.id == users[2],
            ..done
        };
        bench.settle(&claim, Settlement::Applied(kept_disabled), at(3)).await;
    }
    let tombstone = Owned {
        id: users[2],
        record: None,
        disabled: true,
        at_rest: true,
    };
    assert_eq!(owned(&bench, Kind::User, &[&objects[2]]).await, [Some(tombstone)]);
}

pub(super) async fn doubted_members_are_delivered_again(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for number in 0..5 {
        users.push(bench.user(&format!("user {number}")).await);
    }
    let group = bench.group("g", &[]).await;
    for user in &users[..3] {
        bench.add(group, &[*user]).await;
    }
    bench.deliver_all(at(1)).await;
    assert_eq!(bench.state(group).await, None);

    let (version, before) = (bench.record(Kind::Group, group).await.version, bench.newest().await);
    assert_eq!(doubt(&bench, group, &[users[0], users[2], users[4]], 2).await, 3);
    assert_eq!(bench.delivery(group).await.unwrap().pending_members, 3);
    // An engine may take them in batches.
    let told = repairs(&bench, before).await;
    assert!(
        !told.is_empty() && told.iter().all(|act| *act == repair_of(Kind::Group, group)),
        "{told:?}"
    );
    let urgent = bench.delivery(group).await.unwrap().work.unwrap().urgent;
    assert!(urgent, "one of them is taken out");
    let claim = bench.claim(at(2)).await;
    let order = bench.order(&claim).await;
    // Whether one shall be in is what the membership says.
    assert_eq!(
        wanted(&order.batch),
        BTreeSet::from([(users[0], true), (users[2], true), (users[4], false)])
    );
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(3))
        .await;
    bench.deliver_all(at(3)).await;
    assert_eq!(bench.state(group).await, None);
    assert_eq!(bench.members(group).await, users[..3], "what is wanted did not change");
    assert_eq!(bench.record(Kind::Group, group).await.version, version);
    let before = bench.newest().await;
    assert_eq!(
        doubt(&bench, ResourceId::generate(), &users, 4).await,
        0,
        "no such group"
    );
    assert_eq!(doubt(&bench, group, &[], 4).await, 0);
    assert_eq!(bench.state(group).await, None);
    assert_eq!(bench.newest().await, before, "nothing was done, and nothing is told");
    assert_eq!(doubt(&bench, group, &[users[1]], 5).await, 1);
    assert!(
        !bench.delivery(group).await.unwrap().work.unwrap().urgent,
        "put in again"
    );
}

pub(super) async fn what_was_applied_is_repaired_and_what_is_on_its_way_is_left_alone(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = [bench.user("odile").await, bench.user("bert").await];
    let repair = async |id, urgent, now| {
        let operator = operator();
        let repair = bench.store.repair(&bench.tenant, id, urgent, Some(&operator), at(now));
        repair.await.unwrap()
    };
    assert!(!repair(users[0], false, 1).await, "it is still to be delivered");
    bench.deliver_all(at(2)).await;
    let before = bench.newest().await;
    assert!(!repair(ResourceId::generate(), false, 3).await, "no such resource");
    assert!(repair(users[0], false, 3).await);
    assert!(repair(users[1], true, 4).await);
    assert!(!repair(users[1], true, 5).await, "its repair is on its way");
    assert_eq!(
        repairs(&bench, before).await,
        users.map(|user| repair_of(Kind::User, user))
    );
    // What takes access away goes first, and all of the document is delivered.
    let first = bench.take(at(5), 1).await.claims.remove(0);
    assert_eq!(first.id, users[1]);
    let link = bench.order(&first).await.link;
    assert_eq!(link.applied_document, 0);
    bench.apply(&first, at(5)).await;
    bench.deliver_all(at(5)).await;
    assert_eq!(bench.state(users[0]).await, None);
    let tombstone = users[0];
    bench.delete(Kind::User, tombstone).await.unwrap();
    let claim = bench.claim(at(6)).await;
    let kept_disabled = Applied {
        object: Some(("object".to_owned(), "rpc".to_owned())),
        disabled: true,
        ..applied(&claim, &bench.order(&claim).await)
    };
    bench.settle(&claim, Settlement::Applied(kept_disabled), at(6)).await;
    assert_eq!(bench.state(tombstone).await, None);
    assert!(
        repair(tombstone, true, 7).await,
        "an account that was kept is disabled again"
    );
    assert_eq!(bench.claim(at(7)).await.id, tombstone);
}

pub(super) async fn a_repair_other_than_by_a_delivery_is_told(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let group = bench.group("g", &[]).await;
    bench.deliver_all(at(1)).await;
    let (before, operator) = (bench.newest().await, operator());
    let logged = bench.store.log_repair(&bench.tenant, group, Some(&operator), at(2));
    logged.await.unwrap();
    assert_eq!(repairs(&bench, before).await, [repair_of(Kind::Group, group)]);
    assert_eq!(bench.state(group).await, None, "nothing is delivered for it");
}

pub(super) async fn what_came_of_the_last_comparison_is_kept(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let kept = async || bench.store.comparison(&bench.tenant).await.unwrap();
    assert_eq!(kept().await, None);
    for summary in ["{\"a\":1}", "{\"ä\":\"\\u0000\"}"] {
        bench
            .store
            .keep_comparison(&bench.tenant, summary.to_owned())
            .await
            .unwrap();
        assert_eq!(kept().await.as_deref(), Some(summary));
    }
    let other = identity_service::id::Tenant::new("other");
    assert_eq!(bench.store.comparison(&other).await.unwrap(), None);
}

pub(super) async fn who_is_unconfirmed_already_stands_where_it_stood(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (one, other) = (bench.user("one").await, bench.user("other").await);
    bench.deliver_all(at(1)).await;
    let group = bench.group("g", &[one]).await;
    let claim = bench.claim(at(2)).await;
    let order = bench.order(&claim).await;
    let refused = Applied {
        refused: order.batch.clone(),
        confirmed: Vec::new(),
        retry_at: Some(at(1_000)),
        ..applied(&claim, &order)
    };
    bench.settle(&claim, Settlement::Applied(refused), at(3)).await;
    let before = bench.store.stages(&bench.tenant, group, &[one]).await.unwrap();
    assert_eq!(doubt(&bench, group, &[one], 4).await, 0);
    assert_eq!(
        bench.state(group).await,
        Some(WorkState::Refused),
        "nobody asked for a try"
    );
    assert_eq!(doubt(&bench, group, &[one, other], 5).await, 1);
    let after = bench.store.stages(&bench.tenant, group, &[one]).await.unwrap();
    assert_eq!(after, before);
    assert_eq!(bench.due(group).await, Some(at(5)));
}

pub(super) async fn who_has_no_account_is_not_doubted(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let gone = bench.user("gone").await;
    bench.deliver_all(at(1)).await;
    // A kept id that is no resource, though a tombstone of it has an account; and a user without one.
    bench.delete(Kind::User, gone).await.unwrap();
    let group = bench.group("g", &[]).await;
    let mut keeping = update_members(group, adding(&[gone]));
    keeping.keep_unknown_members = true;
    bench.write(keeping).await.unwrap();
    let new = bench.user("new").await;
    let stranger = ResourceId::generate();
    assert_eq!(doubt(&bench, group, &[gone, new, stranger], 2).await, 0);
    assert_eq!(bench.delivery(group).await.unwrap().pending_members, 1);
}

pub(super) async fn a_turn_comes_an_interval_after_the_last(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let turn = async |seconds| {
        let turn = bench.store.take_turn(&bench.tenant, at(seconds), HOUR).await;
        turn.unwrap()
    };
    for (now, has) in [
        (0, false),
        (10, false),
        (3_599, false),
        (3_600, true),
        (3_601, false),
        (7_199, false),
        (10_000, true),
        (13_599, false),
        (13_600, true),
        // A clock that went back: the wait begins anew.
        (500, false),
        (4_000, false),
        (4_100, true),
    ] {
        assert_eq!(turn(now).await, has, "at {now}");
    }
    let other = identity_service::id::Tenant::new("other");
    let turn = bench.store.take_turn(&other, at(100_000), HOUR).await.unwrap();
    assert!(!turn, "each tenant has turns of its own");
}
