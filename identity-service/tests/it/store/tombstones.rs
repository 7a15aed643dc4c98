//! What a deleted resource leaves behind, and who takes it over.

use identity_service::{
    id::{Kind, ResourceId},
    store::{Applied, Intent, Settlement, WriteError},
};

use super::{
    Engine,
    bench::{Bench, applied, at, delete},
};

/// A user with an account, and nothing left to deliver.
async fn linked_user(bench: &Bench, name: &str) -> ResourceId {
    let user = bench.user(name).await;
    bench.deliver_all(at(1)).await;
    user
}

pub(super) async fn what_never_reached_the_platform_leaves_nothing(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[]).await;
    bench.delete(Kind::User, user).await.unwrap();
    bench.delete(Kind::Group, group).await.unwrap();
    assert!(bench.delivery(user).await.is_none());
    assert!(bench.claim_all(at(1)).await.is_empty());
    let summary = bench.summary().await;
    assert_eq!((summary.users, summary.groups, summary.pending), (0, 0, 0));
}

pub(super) async fn a_deleted_resource_is_removed_from_the_platform(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    for kind in Kind::ALL {
        let id = match kind {
            Kind::User => bench.user("sales").await,
            Kind::Group => bench.group("sales", &[]).await,
        };
        bench.deliver_all(at(1)).await;
        bench.delete(kind, id).await.unwrap();
        assert!(bench.get(kind, id).await.is_none(), "SCIM does not see a tombstone");
        let delivery = bench.delivery(id).await.unwrap();
        assert!(delivery.deleted);
        assert_eq!((delivery.kind, delivery.version), (kind, 2));
        let claim = bench.claim(at(2)).await;
        let order = bench.order(&claim).await;
        assert_eq!((claim.kind, order.record.as_ref()), (kind, None));
        assert!(order.link.platform_id.is_some());
        bench.apply(&claim, at(3)).await;
        assert!(bench.delivery(id).await.is_none());
        assert!(bench.store.link(&bench.tenant, id).await.unwrap().is_none());
    }
    assert_eq!(bench.summary().await.pending, 0);
}

pub(super) async fn a_deletion_during_the_first_delivery_is_not_forgotten(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    let created = applied(&claim, &bench.order(&claim).await);
    bench.delete(Kind::User, user).await.unwrap();
    bench.settle(&claim, Settlement::Applied(created), at(2)).await;
    let removal = bench.claim(at(2)).await;
    let order = bench.order(&removal).await;
    assert!(order.record.is_none() && order.link.platform_id.is_some(), "{order:?}");
    bench.apply(&removal, at(3)).await;
    assert!(bench.delivery(user).await.is_none());
}

pub(super) async fn an_account_that_is_kept_keeps_its_tombstone(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = linked_user(&bench, "odile").await;
    let account = bench.account(user).await.unwrap();
    bench.delete(Kind::User, user).await.unwrap();
    let claim = bench.claim(at(2)).await;
    let disabled = Applied {
        object: Some((account.clone(), "rpc".to_owned())),
        ..applied(&claim, &bench.order(&claim).await)
    };
    bench.settle(&claim, Settlement::Applied(disabled), at(3)).await;
    let delivery = bench.delivery(user).await.unwrap();
    assert!(delivery.deleted && delivery.work.is_none());
    let owner = bench
        .store
        .owner(&bench.tenant, Kind::User, &account)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((owner.id, owner.at_rest), (user, true));
    let successor = bench.user("odile").await;
    assert_eq!(bench.account(successor).await, Some(account));
}

pub(super) async fn a_new_user_of_the_name_takes_the_account_over(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let old = linked_user(&bench, "odile").await;
    let account = bench.account(old).await.unwrap();
    bench.delete(Kind::User, old).await.unwrap();
    let new = bench.user("ODILE").await;
    assert_ne!(new, old);
    assert!(bench.delivery(old).await.is_none(), "the removal is cancelled");
    let owner = bench
        .store
        .owner(&bench.tenant, Kind::User, &account)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((owner.id, owner.at_rest), (new, false));
    let claim = bench.claim(at(2)).await;
    let order = bench.order(&claim).await;
    assert_eq!((claim.id, order.link.platform_id.as_ref()), (new, Some(&account)));
    assert_eq!(
        (order.link.applied_version, order.link.applied_document),
        (0, 0),
        "all of it is new"
    );
    bench.apply(&claim, at(3)).await;
    assert_eq!(bench.summary().await.pending, 0);
}

pub(super) async fn a_takeover_brings_the_intents(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let old = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    assert_eq!(
        bench.store.record_intent(&claim, "odile@x").await.unwrap(),
        Intent::Noted
    );
    bench.delete(Kind::User, old).await.unwrap();
    let new = bench.user("odile").await;
    let claim = bench.claim(at(100)).await;
    assert_eq!(
        (claim.id, bench.order(&claim).await.link.intents),
        (new, vec!["odile@x".to_owned()])
    );
}

pub(super) async fn a_removal_under_way_is_not_overtaken(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let old = linked_user(&bench, "odile").await;
    bench.delete(Kind::User, old).await.unwrap();
    let removal = bench.claim(at(2)).await;
    let new = bench.user("odile").await;
    assert!(bench.claim_all(at(3)).await.is_empty());
    // Neither a change nor a request for a retry makes it due sooner.
    bench.touch(Kind::User, new).await;
    bench.store.retry(&bench.tenant, new, None, at(4)).await.unwrap();
    assert!(bench.claim_all(at(40)).await.is_empty());
    // The removal's end does, though it is no longer what is wanted.
    bench
        .settle(&removal, Settlement::Applied(Applied::default()), at(41))
        .await;
    assert!(bench.account(new).await.is_some());
    let claim = bench.claim(at(41)).await;
    assert_eq!(claim.id, new);
    bench.touch(Kind::User, new).await;
    bench.apply(&claim, at(42)).await;
    bench.touch(Kind::User, new).await;
    assert_eq!(bench.claim(at(42)).await.id, new, "it was held once, not for ever");
}

pub(super) async fn a_lost_claim_on_a_removal_lets_nobody_overtake_the_present_one(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let old = linked_user(&bench, "odile").await;
    bench.delete(Kind::User, old).await.unwrap();
    let lost = bench.claim(at(2)).await;
    let present = bench.claim(at(70)).await;
    let new = bench.user("odile").await;
    bench
        .settle(&lost, Settlement::Applied(Applied::default()), at(71))
        .await;
    assert!(bench.claim_all(at(72)).await.is_empty());
    bench
        .settle(&present, Settlement::Applied(Applied::default()), at(73))
        .await;
    assert_eq!(bench.claim(at(73)).await.id, new);
}

pub(super) async fn a_removal_that_never_ends_holds_nobody_beyond_its_lease(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let old = linked_user(&bench, "odile").await;
    bench.delete(Kind::User, old).await.unwrap();
    bench.claim(at(2)).await;
    let new = bench.user("odile").await;
    bench.touch(Kind::User, new).await;
    assert!(bench.claim_all(at(61)).await.is_empty());
    assert_eq!(bench.claim(at(62)).await.id, new);
}

pub(super) async fn memberships_of_the_old_user_are_ended_on_the_new_one(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let old = bench.user("odile").await;
    let (left, kept) = (bench.group("left", &[old]).await, bench.group("kept", &[old]).await);
    bench.deliver_all(at(1)).await;
    bench.delete(Kind::User, old).await.unwrap();
    let new = bench.user("odile").await;
    bench.add(kept, &[new]).await;
    for claim in bench.claim_all(at(2)).await {
        if claim.kind == Kind::Group {
            let batch = bench.order(&claim).await.batch;
            assert_eq!(batch.len(), 1);
            assert_eq!((batch[0].id, batch[0].wanted), (new, claim.id == kept));
        }
        bench.apply(&claim, at(2)).await;
    }
    bench.deliver_all(at(3)).await;
    assert_eq!(bench.summary().await.pending, 0);
    assert!(bench.members(left).await.is_empty());
}

pub(super) async fn a_new_group_of_the_name_waits_for_the_removal(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = linked_user(&bench, "odile").await;
    let old = bench.group("sales", &[user]).await;
    bench.deliver_all(at(1)).await;
    bench.delete(Kind::Group, old).await.unwrap();
    let new = bench.group("sales", &[]).await;
    assert_eq!(bench.account(new).await, None, "its members would come with it");
    let removal = bench.claim(at(2)).await;
    assert_eq!(removal.id, old);
    bench.apply(&removal, at(3)).await;
    let claim = bench.claim(at(3)).await;
    assert_eq!(claim.id, new, "woken by the removal");
    assert!(bench.order(&claim).await.batch.is_empty());
}

pub(super) async fn a_second_deletion_finds_nothing(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = linked_user(&bench, "odile").await;
    let write = delete(&bench.record(Kind::User, user).await);
    bench.write(write.clone()).await.unwrap();
    let again = bench.write(write).await;
    assert!(matches!(again, Err(WriteError::NotFound)), "{again:?}");
}
