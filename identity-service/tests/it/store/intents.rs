//! Intents, links and owners: what is known of Platform objects.

use identity_service::{
    id::{Kind, ResourceId},
    store::{Applied, Claim, Intent, Owner, Settlement},
};

use super::{
    Engine,
    bench::{Bench, applied, at, failure},
};

async fn owner(bench: &Bench, kind: Kind, object: &str) -> Option<Owner> {
    bench.store.owner(&bench.tenant, kind, object).await.unwrap()
}

/// Delivers the only work that is due, by that object.
async fn apply_as(bench: &Bench, object: &str, now: i64) -> ResourceId {
    let claim = bench.claim(at(now)).await;
    let order = bench.order(&claim).await;
    let settlement = Settlement::Applied(Applied {
        object: Some((object.to_owned(), "rpc".to_owned())),
        ..applied(&claim, &order)
    });
    bench.settle(&claim, settlement, at(now)).await;
    claim.id
}

pub(super) async fn an_intent_is_kept_until_the_object_is_linked(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    for name in ["odile@x", "odile@y", "odile@x"] {
        assert_eq!(bench.store.record_intent(&claim, name).await.unwrap(), Intent::Noted);
    }
    // The process dies; another finds the intents.
    let claim = bench.claim(at(100)).await;
    assert_eq!(bench.order(&claim).await.link.intents, ["odile@x", "odile@y"]);
    bench.apply(&claim, at(101)).await;
    let link = bench.store.link(&bench.tenant, claim.id).await.unwrap().unwrap();
    assert!(link.intents.is_empty() && link.platform_id.is_some(), "{link:?}");
}

pub(super) async fn no_intent_without_a_claim_that_holds(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let lost = bench.claim(at(1)).await;
    let present = bench.claim(at(100)).await;
    assert_eq!(bench.store.record_intent(&lost, "odile").await.unwrap(), Intent::Void);
    bench.apply(&present, at(101)).await;
    assert_eq!(
        bench.store.record_intent(&present, "odile").await.unwrap(),
        Intent::Void
    );
    let link = bench.store.link(&bench.tenant, user).await.unwrap().unwrap();
    assert!(link.intents.is_empty(), "{link:?}");
}

pub(super) async fn no_intent_for_what_was_deleted(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    bench.delete(Kind::User, user).await.unwrap();
    assert_eq!(bench.store.record_intent(&claim, "odile").await.unwrap(), Intent::Void);
}

pub(super) async fn a_failure_may_void_intents(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let retry_at = at(1);
    let cases = [
        (vec![], vec!["odile", "roy"]),
        (vec!["roy"], vec!["odile"]),
        (vec!["roy", "odile"], vec![]),
        (vec!["nobody"], vec!["odile", "roy"]),
    ];
    for (void, left) in cases {
        for later in [false, true] {
            let claim = bench.claim(at(1)).await;
            for name in ["odile", "roy"] {
                assert_eq!(bench.store.record_intent(&claim, name).await.unwrap(), Intent::Noted);
            }
            let failure = failure();
            let void_intents: Vec<_> = void.iter().map(|name: &&str| (*name).to_owned()).collect();
            let end = if later {
                Settlement::Postponed {
                    failure,
                    retry_at,
                    not_before: None,
                    waits_for: None,
                    void_intents,
                }
            } else {
                Settlement::Refused {
                    failure,
                    retry_at,
                    void_intents,
                }
            };
            bench.settle(&claim, end, at(1)).await;
            let link = bench.store.link(&bench.tenant, user).await.unwrap().unwrap();
            assert_eq!(link.intents, left);
        }
    }
}

/// The name was found free by who records it: what another meant to create under it never came to be, and must not make
/// the other take this one's object for its own.
pub(super) async fn a_name_is_intended_by_one_resource_at_a_time(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let first = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    assert_eq!(
        bench.store.record_intent(&claim, "Odile@x").await.unwrap(),
        Intent::Noted
    );
    bench.settle(&claim, super::bench::postponed(at(50)), at(1)).await;
    let second = bench.user("jurgen").await;
    let claim = bench.claim(at(2)).await;
    assert_eq!(claim.id, second);
    assert_eq!(
        bench.store.record_intent(&claim, "odile@X").await.unwrap(),
        Intent::Noted
    );
    let intents = async |id| bench.store.link(&bench.tenant, id).await.unwrap().unwrap().intents;
    assert_eq!(
        (intents(first).await, intents(second).await),
        (vec![], vec!["odile@X".to_owned()])
    );
}

/// Where the create call of another may be on its way this moment, its intent is not lost: who wants the name waits for it.
pub(super) async fn the_intent_of_a_delivery_under_way_is_not_taken(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let first = bench.user("odile").await;
    let under_way = bench.claim(at(1)).await;
    assert_eq!(intend(&bench, &under_way, "Odile@x").await, Intent::Noted);
    let second = bench.user("jurgen").await;
    let waiting = bench.claim(at(2)).await;
    assert_eq!(intend(&bench, &waiting, "odile@X").await, Intent::Taken(first));
    let intender = async |name| bench.store.intender(&bench.tenant, Kind::User, name).await.unwrap();
    let (id, at_rest) = (first, false);
    assert_eq!(intender("ODILE@x").await, Some(Owner { id, at_rest }));
    assert_eq!(intender("jurgen@x").await, None);
    let end = Settlement::Postponed {
        failure: failure(),
        retry_at: at(1_000),
        not_before: None,
        waits_for: Some(first),
        void_intents: Vec::new(),
    };
    bench.settle(&waiting, end, at(3)).await;
    // It turned out that nothing was created: who waits is told, and may have the name.
    let end = Settlement::Refused {
        failure: failure(),
        retry_at: at(1_000),
        void_intents: vec!["Odile@x".to_owned()],
    };
    bench.settle(&under_way, end, at(4)).await;
    assert_eq!(intender("odile@x").await, None);
    let claim = bench.claim(at(4)).await;
    assert_eq!(claim.id, second);
    assert_eq!(intend(&bench, &claim, "odile@X").await, Intent::Noted);
}

async fn intend(bench: &Bench, claim: &Claim, name: &str) -> Intent {
    bench.store.record_intent(claim, name).await.unwrap()
}

/// Whatever happened, one object never belongs to two resources: who has it keeps it, and is delivered once more.
pub(super) async fn an_object_that_has_an_owner_is_not_taken(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let first = bench.user("odile").await;
    apply_as(&bench, "account 1", 1).await;
    let second = bench.user("jurgen").await;
    apply_as(&bench, "account 1", 2).await;
    let link = bench.store.link(&bench.tenant, second).await.unwrap();
    assert_eq!(link.and_then(|link| link.platform_id), None);
    assert_eq!(owner(&bench, Kind::User, "account 1").await.unwrap().id, first);
    let mut due: Vec<_> = bench.claim_all(at(3)).await.into_iter().map(|claim| claim.id).collect();
    due.sort_unstable();
    assert_eq!(due, [first, second]);
}

/// What led to another's object is forgotten, and the next look is after a pause: else it would go on for ever. So it is
/// for a removal, which must not take the object over either.
pub(super) async fn who_came_to_anothers_object_is_not_led_there_again(engine: &dyn Engine) {
    for deleted in [false, true] {
        let bench = Bench::new(engine).await;
        let first = bench.user("odile").await;
        apply_as(&bench, "account 1", 1).await;
        let second = bench.user("jurgen").await;
        let claim = bench.claim(at(2)).await;
        assert_eq!(intend(&bench, &claim, "odile@x").await, Intent::Noted);
        if deleted {
            bench.delete(Kind::User, second).await.unwrap();
        }
        let order = bench.order(&claim).await;
        let settlement = Settlement::Applied(Applied {
            object: Some(("account 1".to_owned(), "rpc".to_owned())),
            contested_until: Some(at(10)),
            ..applied(&claim, &order)
        });
        bench.settle(&claim, settlement, at(2)).await;
        assert_eq!(owner(&bench, Kind::User, "account 1").await.unwrap().id, first);
        let link = bench.store.link(&bench.tenant, second).await.unwrap().unwrap();
        assert_eq!((link.platform_id, link.intents), (None, vec![]), "{deleted}");
        assert_eq!(bench.due(second).await, Some(at(10)), "{deleted}");
    }
}

pub(super) async fn an_object_has_one_owner(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    assert_eq!(owner(&bench, Kind::User, "account 1").await, None);
    apply_as(&bench, "account 1", 1).await;
    let owned = |at_rest| Some(Owner { id: user, at_rest });
    assert_eq!(owner(&bench, Kind::User, "account 1").await, owned(true));
    assert_eq!(
        owner(&bench, Kind::Group, "account 1").await,
        None,
        "kinds have ids of their own"
    );
    bench.touch(Kind::User, user).await;
    assert_eq!(owner(&bench, Kind::User, "account 1").await, owned(false));
    // The account was deleted by hand and made anew.
    apply_as(&bench, "account 2", 2).await;
    assert_eq!(owner(&bench, Kind::User, "account 1").await, None);
    assert_eq!(owner(&bench, Kind::User, "account 2").await, owned(true));
    bench.delete(Kind::User, user).await.unwrap();
    assert_eq!(
        owner(&bench, Kind::User, "account 2").await,
        owned(false),
        "the tombstone owns it"
    );
    bench.deliver_all(at(3)).await;
    assert_eq!(owner(&bench, Kind::User, "account 2").await, None);
}

pub(super) async fn a_replaced_object_makes_its_memberships_unconfirmed(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let (one, two) = (bench.group("one", &[user]).await, bench.group("two", &[user]).await);
    let apart = bench.group("apart", &[]).await;
    bench.deliver_all(at(1)).await;
    assert_eq!(bench.summary().await.pending, 0);
    bench.touch(Kind::User, user).await;
    apply_as(&bench, "another account", 2).await;
    for (group, pending) in [(one, 1), (two, 1), (apart, 0)] {
        assert_eq!(bench.delivery(group).await.unwrap().pending_members, pending);
    }
    let claims = bench.claim_all(at(2)).await;
    assert_eq!(claims.iter().map(|claim| claim.id).collect::<Vec<_>>(), [one, two]);
    let batch = bench.order(&claims[0]).await.batch;
    assert_eq!(
        (batch[0].platform_id.as_str(), batch[0].wanted),
        ("another account", true)
    );
}

pub(super) async fn a_replaced_group_gets_all_its_members_anew(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = [bench.user("a").await, bench.user("b").await];
    let group = bench.group("g", &users).await;
    bench.deliver_all(at(1)).await;
    bench.touch(Kind::Group, group).await;
    apply_as(&bench, "another role", 2).await;
    let batch = bench.order(&bench.claim(at(2)).await).await.batch;
    assert_eq!(batch.iter().map(|member| member.id).collect::<Vec<_>>(), users);
}
