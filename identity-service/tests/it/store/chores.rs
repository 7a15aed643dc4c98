//! What a step leaves to be done in batches: it shows nowhere meanwhile, and gets done.

use futures_util::future::join_all;
use identity_service::{
    id::{Kind, ResourceId},
    store::{Applied, Settlement, Which},
};
use serde_json::{Value, json};

use super::{
    Engine,
    bench::{Bench, applied, at, create, create_with},
};

/// How many entries one step may touch.
const BATCH: usize = 1_000;

/// Sweeps until nothing is left; how many entries that were.
pub(super) async fn sweep(bench: &Bench, now: i64) -> usize {
    let mut swept = 0;
    loop {
        let touched = bench.store.sweep(&bench.tenant, at(now)).await.unwrap();
        assert!(touched <= BATCH, "{touched}");
        if touched == 0 {
            return swept;
        }
        swept += touched;
    }
}

/// A group of so many members that are no resources, and of one that is.
pub(super) async fn large_group(bench: &Bench, members: usize) -> (ResourceId, ResourceId) {
    let mut members: Vec<_> = (0..members).map(|_| ResourceId::generate()).collect();
    let user = bench.user("odile").await;
    members.push(user);
    let mut write = create(Kind::Group, "everybody", &members);
    write.keep_unknown_members = true;
    (bench.write(write).await.unwrap().record.id, user)
}

pub(super) async fn a_large_group_is_gone_at_once_and_swept_in_batches(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (group, user) = large_group(&bench, 2_500).await;
    let small = bench.group("small", &[user]).await;
    bench.delete(Kind::Group, group).await.unwrap();
    for _ in 0..2 {
        assert!(bench.members(group).await.is_empty());
        assert!(!bench.store.is_member(&bench.tenant, group, user).await.unwrap());
        assert_eq!(bench.groups_of(user).await, [small]);
        let page = bench.store.groups_of(&bench.tenant, user, None, 1).await.unwrap();
        let seen = bench.look_up(Kind::User, Which::Ids(&[user]), 10).await.seen;
        assert!(seen[0].groups.records.iter().all(|group| group.id == small));
        assert_eq!(page, [small], "what is to be swept takes no place on a page");
        sweep(&bench, 1).await;
    }
    assert_eq!(bench.members(small).await, [user]);
    assert_eq!(bench.delivery(small).await.unwrap().pending_members, 1);
    assert_eq!(sweep(&bench, 2).await, 0);
}

pub(super) async fn what_a_deleted_group_left_wakes_nobody(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (group, user) = large_group(&bench, 1_500).await;
    bench.delete(Kind::Group, group).await.unwrap();
    bench.deliver_all(at(1)).await;
    assert!(bench.account(user).await.is_some());
    assert_eq!(bench.summary().await.pending, 0);
    bench.delete(Kind::User, user).await.unwrap();
    bench.deliver_all(at(2)).await;
    sweep(&bench, 3).await;
    assert!(bench.delivery(group).await.is_none());
    let summary = bench.summary().await;
    assert_eq!((summary.users, summary.groups, summary.pending), (0, 0, 0));
}

pub(super) fn report(number: usize, manager: ResourceId) -> Value {
    json!({
        "userName": format!("report {number}"),
        scim::URN_ENTERPRISE_USER: {"manager": {"value": manager.to_string()}},
    })
}

async fn reports(bench: &Bench, count: usize, manager: ResourceId) -> Vec<ResourceId> {
    let mut reports = Vec::new();
    for number in 0..count {
        let write = create_with(Kind::User, report(number, manager), &[]);
        reports.push(bench.write(write).await.unwrap().record.id);
    }
    reports
}

/// The ids of what is due, ascending.
async fn due(bench: &Bench, now: i64) -> Vec<ResourceId> {
    let mut due: Vec<_> = bench.claim_all(at(now)).await.iter().map(|claim| claim.id).collect();
    due.sort_unstable();
    due
}

pub(super) async fn reports_are_delivered_anew_when_their_manager_has_another_account(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let manager = bench.user("boss").await;
    let reports = reports(&bench, 2, manager).await;
    bench.user("somebody else").await;
    bench.deliver_all(at(1)).await;
    assert_eq!(bench.summary().await.pending, 0);
    bench.touch(Kind::User, manager).await;
    let claim = bench.claim(at(2)).await;
    bench.apply(&claim, at(2)).await;
    assert_eq!(due(&bench, 3).await, [], "the account is the same");
    bench.touch(Kind::User, manager).await;
    let claim = bench.claim(at(3)).await;
    let another = Settlement::Applied(Applied {
        object: Some(("another account".to_owned(), "rpc".to_owned())),
        ..applied(&claim, &bench.order(&claim).await)
    });
    bench.settle(&claim, another, at(3)).await;
    assert_eq!(due(&bench, 4).await, reports);
}

pub(super) async fn reports_are_delivered_anew_when_their_manager_is_deleted(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let manager = bench.user("boss").await;
    let mut expected = reports(&bench, 2, manager).await;
    bench.deliver_all(at(1)).await;
    bench.delete(Kind::User, manager).await.unwrap();
    expected.insert(0, manager);
    assert_eq!(due(&bench, 2).await, expected);
}

pub(super) async fn many_reports_are_delivered_anew_in_batches(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let count = BATCH + 100;
    let manager = manager_of(&bench, count).await;
    bench.delete(Kind::User, manager).await.unwrap();
    assert_eq!(sweep(&bench, 2).await, 100);
    assert_eq!(bench.summary().await.pending, count as u64 + 1);
}

/// A manager of so many, and nothing left to deliver.
pub(crate) async fn manager_of(bench: &Bench, count: usize) -> ResourceId {
    let manager = bench.user("boss").await;
    let creating = (0..count).map(async |number| {
        let write = create_with(Kind::User, report(number, manager), &[]);
        bench.write(write).await.unwrap();
    });
    join_all(creating).await;
    deliver_in_batches(bench).await;
    manager
}

/// Everybody in the group with an account, and nothing left to deliver.
async fn delivered_group(bench: &Bench, members: usize) -> (ResourceId, Vec<ResourceId>) {
    let creating = (0..members).map(async |number| bench.user(&format!("u{number}")).await);
    let mut users = join_all(creating).await;
    users.sort_unstable();
    let group = bench.group("everybody", &users).await;
    deliver_in_batches(bench).await;
    assert_eq!(bench.summary().await.pending, 0);
    (group, users)
}

async fn deliver_in_batches(bench: &Bench) {
    loop {
        let claims = bench.take(at(1), BATCH).await.claims;
        if claims.is_empty() {
            // Of a large group, some members may be still to come.
            if sweep(bench, 1).await == 0 {
                return;
            }
            continue;
        }
        let delivering = claims.iter().map(async |claim| {
            let order = bench.store.order(claim, BATCH).await.unwrap().unwrap();
            bench
                .settle(claim, Settlement::Applied(applied(claim, &order)), at(1))
                .await;
        });
        join_all(delivering).await;
    }
}

pub(super) async fn a_large_group_that_was_replaced_is_filled_in_batches(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (group, users) = delivered_group(&bench, BATCH + 200).await;
    bench.touch(Kind::Group, group).await;
    let claim = bench.claim(at(2)).await;
    let another = Settlement::Applied(Applied {
        object: Some(("another role".to_owned(), "rpc".to_owned())),
        ..applied(&claim, &bench.order(&claim).await)
    });
    bench.settle(&claim, another, at(2)).await;
    // What is there already may be delivered meanwhile.
    let claim = bench.claim(at(2)).await;
    let order = bench.store.order(&claim, BATCH).await.unwrap().unwrap();
    assert_eq!(order.batch.len(), BATCH);
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(2))
        .await;
    assert_eq!(sweep(&bench, 3).await, 200);
    let claim = bench.claim(at(3)).await;
    let rest = bench.store.order(&claim, BATCH).await.unwrap().unwrap();
    let mut filled: Vec<_> = order.batch.iter().chain(&rest.batch).map(|member| member.id).collect();
    filled.sort_unstable();
    assert_eq!(filled, users);
}
