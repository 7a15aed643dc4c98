//! Work that waits for another resource's delivery, and what wakes it.

use identity_service::{
    id::{Kind, ResourceId},
    store::{Applied, Claim, Settlement, WorkState},
};

use super::{
    Engine,
    bench::{Bench, applied, at, failure, postponed, refused},
};

/// Takes all due work and gives the claim of one resource first.
async fn claims(bench: &Bench, first: ResourceId, now: i64) -> Vec<Claim> {
    let mut claims = bench.claim_all(at(now)).await;
    claims.sort_by_key(|claim| claim.id != first);
    assert_eq!(claims[0].id, first);
    claims
}

/// Settles a user as applied, but for its manager, who has no account yet.
async fn apply_without(bench: &Bench, claim: &Claim, manager: ResourceId, now: i64) {
    let settlement = Settlement::Applied(Applied {
        waits_for: Some(manager),
        ..applied(claim, &bench.order(claim).await)
    });
    bench.settle(claim, settlement, at(now)).await;
}

pub(super) async fn a_report_is_delivered_again_when_its_manager_has_an_account(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (manager, report) = (bench.user("boss").await, bench.user("odile").await);
    let claims = claims(&bench, report, 1).await;
    apply_without(&bench, &claims[0], manager, 2).await;
    assert_eq!(bench.state(report).await, Some(WorkState::Pending));
    assert!(bench.claim_all(at(3)).await.is_empty());
    bench.apply(&claims[1], at(4)).await;
    let again = bench.claim(at(4)).await;
    assert_eq!(again.id, report);
    bench.apply(&again, at(5)).await;
    assert_eq!(bench.summary().await.pending, 0);
}

pub(super) async fn a_manager_linked_meanwhile_is_not_waited_for(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (manager, report) = (bench.user("boss").await, bench.user("odile").await);
    let claims = claims(&bench, report, 1).await;
    bench.apply(&claims[1], at(2)).await;
    apply_without(&bench, &claims[0], manager, 3).await;
    assert_eq!(bench.claim(at(3)).await.id, report);
}

pub(super) async fn a_manager_deleted_meanwhile_is_not_waited_for(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (manager, report) = (bench.user("boss").await, bench.user("odile").await);
    let claims = claims(&bench, report, 1).await;
    // Nothing of the manager had reached the Platform, so that nothing is left of it.
    bench.settle(&claims[1], postponed(at(1_000)), at(2)).await;
    bench.delete(Kind::User, manager).await.unwrap();
    apply_without(&bench, &claims[0], manager, 3).await;
    assert_eq!(bench.claim(at(3)).await.id, report);
}

pub(super) async fn a_member_without_an_account_is_put_in_when_it_has_one(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[user]).await;
    let claims = claims(&bench, group, 1).await;
    assert!(bench.order(&claims[0]).await.batch.is_empty(), "nobody to put in yet");
    bench.apply(&claims[0], at(2)).await;
    assert_eq!(bench.state(group).await, Some(WorkState::Pending));
    bench.apply(&claims[1], at(3)).await;
    let again = bench.claim(at(3)).await;
    let batch = bench.order(&again).await.batch;
    assert_eq!((again.id, batch[0].id, batch[0].wanted), (group, user, true));
    bench.apply(&again, at(4)).await;
    assert_eq!(bench.summary().await.pending, 0);
}

pub(super) async fn a_member_that_left_before_it_had_an_account_is_not_waited_for(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[user]).await;
    bench.remove(group, &[user]).await;
    assert_eq!(bench.delivery(group).await.unwrap().pending_members, 0);
    let claims = claims(&bench, group, 1).await;
    bench.apply(&claims[0], at(2)).await;
    assert_eq!(bench.state(group).await, None);
}

pub(super) async fn a_member_deleted_before_it_had_an_account_is_not_waited_for(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[user]).await;
    bench.delete(Kind::User, user).await.unwrap();
    bench.deliver_all(at(1)).await;
    assert_eq!(bench.delivery(group).await.unwrap().pending_members, 0);
    assert_eq!(bench.summary().await.pending, 0);
}

/// The Platform said that the object of that name is `owner`'s, who is about to give it up.
fn until_given_up(owner: ResourceId) -> Settlement {
    Settlement::Postponed {
        failure: failure(),
        retry_at: at(100_000),
        not_before: None,
        waits_for: Some(owner),
        void_intents: Vec::new(),
    }
}

pub(super) async fn a_name_is_tried_again_when_its_owner_gave_it_up(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let owner = bench.user("odile").await;
    bench.deliver_all(at(1)).await;
    bench.rename(Kind::User, owner, "odile.mercier").await.unwrap();
    let heir = bench.user("heir").await;
    let claims = claims(&bench, heir, 2).await;
    bench.settle(&claims[0], until_given_up(owner), at(3)).await;
    assert!(bench.claim_all(at(4)).await.is_empty());
    bench.apply(&claims[1], at(5)).await;
    assert_eq!(bench.claim(at(5)).await.id, heir);
}

pub(super) async fn an_owner_that_came_to_rest_meanwhile_is_not_waited_for(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let owner = bench.user("odile").await;
    bench.deliver_all(at(1)).await;
    bench.rename(Kind::User, owner, "odile.mercier").await.unwrap();
    let heir = bench.user("heir").await;
    let claims = claims(&bench, heir, 2).await;
    bench.apply(&claims[1], at(3)).await;
    bench.settle(&claims[0], until_given_up(owner), at(4)).await;
    assert_eq!(bench.claim(at(4)).await.id, heir);
}

pub(super) async fn a_group_is_done_when_its_last_unconfirmed_account_is_gone(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[user]).await;
    bench.deliver_all(at(1)).await;
    bench.delete(Kind::User, user).await.unwrap();
    let claims = claims(&bench, group, 2).await;
    bench.settle(&claims[0], refused(at(3_600)), at(3)).await;
    bench.apply(&claims[1], at(4)).await;
    assert_eq!(bench.delivery(group).await.unwrap().pending_members, 0);
    let claim = bench.claim(at(4)).await;
    bench.apply(&claim, at(5)).await;
    assert_eq!(bench.summary().await.pending, 0);
}
