//! The audit trail: what became of each delivery, and what operators did; how old entries go.

use std::time::Duration;

use identity_service::{
    id::Kind,
    index::keys,
    store::{
        Act, Applied, AttributeChange, Change, ChangeKind, Deed, Failure, Logged, MembersChange, Origin, Outcome,
        Pause, Revert, Reverted, Settlement, Subject, Tried, Verdict, WhyNot, WorkState,
    },
};

use super::{
    Engine, Kept,
    bench::{Bench, KEPT, applied, at, document, failure, paused, postponed, refused},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A delivery as the relay tells of it.
fn tried(version: u64) -> Tried {
    Tried {
        version: Some(version),
        trace_id: Some(TRACE.to_owned()),
    }
}

pub(super) async fn a_delivery_is_told_from_version_to_version(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.touch(Kind::User, user).await;
    let claim = bench.claim(at(1)).await;
    let answer = applied(&claim, &bench.order(&claim).await);
    bench.touch(Kind::User, user).await;
    let settled = Settlement::Applied(answer);
    bench.settle_as(&claim, &tried(2), settled.clone(), at(2)).await;
    bench.settle_as(&claim, &tried(2), settled, at(2)).await;
    bench.deliver_all(at(3)).await;

    let expected = Outcome {
        outcome: Verdict::Applied,
        kind: Kind::User,
        id: user,
        from_version: 0,
        to_version: 2,
        failure: None,
        planned: Vec::new(),
        members_applied: 0,
        members_refused: 0,
        trace_id: Some(TRACE.to_owned()),
    };
    let next = Outcome {
        from_version: 2,
        to_version: 3,
        trace_id: None,
        ..expected.clone()
    };
    assert_eq!(bench.outcomes(0).await, [expected, next]);
    let log = bench.log(0).await;
    assert_eq!((log[3].at, log[4].at, log.len()), (at(2), at(3), 5));
}

pub(super) async fn what_fails_as_before_is_told_once(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    for now in [1, 20, 40] {
        let claim = bench.claim(at(now)).await;
        bench
            .settle_as(&claim, &tried(1), postponed(at(now + 9)), at(now + 1))
            .await;
        // Nor does a change make the outage another one.
        bench.touch(Kind::User, user).await;
    }
    let claim = bench.claim(at(60)).await;
    bench.settle_as(&claim, &tried(4), paused(at(70)), at(61)).await;
    let claim = bench.claim(at(70)).await;
    let throttled = Failure {
        reason: "PLATFORM_THROTTLED".to_owned(),
        ..failure()
    };
    let slower = Settlement::Postponed {
        failure: throttled.clone(),
        retry_at: at(80),
        not_before: None,
        waits_for: None,
        void_intents: Vec::new(),
    };
    bench.settle_as(&claim, &tried(4), slower, at(71)).await;
    bench.deliver_all(at(80)).await;
    let told = bench.outcomes(0).await.into_iter();
    let told: Vec<_> = told
        .map(|told| (told.outcome, told.failure, told.from_version, told.to_version))
        .collect();
    let expected = [
        (Verdict::Later, Some(failure()), 0, 1),
        (Verdict::Later, Some(throttled), 0, 4),
        (Verdict::Applied, None, 0, 4),
    ];
    assert_eq!(told, expected);
}

pub(super) async fn a_refusal_is_told_with_its_words_and_again_after_a_change(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let refuse = async |now: i64, words: &str| {
        let claim = bench.claim(at(now)).await;
        let settlement = Settlement::Refused {
            failure: Failure {
                message: words.to_owned(),
                ..failure()
            },
            retry_at: at(now + 9),
            void_intents: Vec::new(),
        };
        bench.settle(&claim, settlement, at(now)).await;
    };
    refuse(1, "no suffix").await;
    refuse(10, "no suffix").await;
    refuse(20, "no \"é\" suffix").await;
    bench.touch(Kind::User, user).await;
    refuse(30, "no \"é\" suffix").await;
    assert_eq!(bench.state(user).await, Some(WorkState::Refused));
    let told = bench.outcomes(0).await.into_iter();
    let told: Vec<_> = told
        .map(|told| (told.outcome, told.failure.unwrap().message, told.to_version))
        .collect();
    let expected = [
        (Verdict::Refused, "no suffix".to_owned(), 1),
        (Verdict::Refused, "no \"é\" suffix".to_owned(), 1),
        (Verdict::Refused, "no \"é\" suffix".to_owned(), 2),
    ];
    assert_eq!(told, expected);
}

pub(super) async fn a_delivery_that_changed_nothing_is_not_told(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.group("sales", &[user]).await;
    bench.deliver_all(at(1)).await;
    let before = bench.newest().await;
    // One that was asked for is told, though it may have found all as it was.
    bench.store.retry(&bench.tenant, user, None, at(2)).await.unwrap();
    bench.deliver_all(at(3)).await;
    assert_eq!(bench.outcomes(before).await.len(), 1);

    // Woken for nothing: its first delivery is told, its second has nothing to do.
    let other = bench.user("anders").await;
    let claim = bench.claim(at(4)).await;
    let waits = Applied {
        waits_for: Some(other),
        ..applied(&claim, &bench.order(&claim).await)
    };
    bench.settle(&claim, Settlement::Applied(waits), at(4)).await;
    let told = bench.newest().await;
    bench.deliver_all(at(5)).await;
    assert_eq!(bench.state(other).await, None);
    assert_eq!(bench.newest().await, told);
}

pub(super) async fn members_put_in_and_refused_are_counted(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for name in ["a", "b", "c"] {
        users.push(bench.user(name).await);
    }
    bench.deliver_all(at(1)).await;
    let group = bench.group("sales", &users).await;
    let before = bench.newest().await;
    let because = Failure {
        message: "no such user".to_owned(),
        ..failure()
    };
    let half = async |now: i64| {
        let claim = bench.claim(at(now)).await;
        let order = bench.order(&claim).await;
        let (confirmed, refused) = match &order.batch[..] {
            [first, second, third] => (vec![first.clone(), second.clone()], vec![third.clone()]),
            rest => (Vec::new(), rest.to_vec()),
        };
        let answer = Applied {
            confirmed,
            refused,
            refused_because: Some(because.clone()),
            retry_at: Some(at(now + 10)),
            ..applied(&claim, &order)
        };
        bench.settle(&claim, Settlement::Applied(answer), at(now)).await;
    };
    half(2).await;
    half(12).await;
    half(22).await;
    bench.deliver_all(at(32)).await;
    assert_eq!(bench.state(group).await, None);
    let told = bench.outcomes(before).await.into_iter();
    let told: Vec<_> = told
        .map(|told| {
            let members = (told.members_applied, told.members_refused);
            (told.outcome, members, told.from_version, told.failure)
        })
        .collect();
    let expected = [
        (Verdict::Refused, (2, 1), 0, Some(because)),
        (Verdict::Applied, (1, 0), 1, None),
    ];
    assert_eq!(told, expected);
}

pub(super) async fn a_removal_is_told(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.deliver_all(at(1)).await;
    bench.touch(Kind::User, user).await;
    bench.delete(Kind::User, user).await.unwrap();
    let claim = bench.claim(at(2)).await;
    bench.settle(&claim, refused(at(3)), at(2)).await;
    bench.deliver_all(at(3)).await;
    let told = bench.outcomes(0).await.into_iter();
    let told: Vec<_> = told
        .map(|told| (told.outcome, told.from_version, told.to_version))
        .collect();
    let expected = [
        (Verdict::Applied, 0, 1),
        (Verdict::Refused, 1, 3),
        (Verdict::Applied, 1, 3),
    ];
    assert_eq!(told, expected);
}

pub(super) async fn a_lost_claim_tells_nothing(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    bench.user("odile").await;
    let lost = bench.claim(at(1)).await;
    bench.claim(at(100)).await;
    for settlement in [refused(at(200)), postponed(at(200))] {
        bench.settle(&lost, settlement, at(101)).await;
    }
    assert_eq!(bench.newest().await, 1);
}

pub(super) async fn an_operators_act_is_told_with_who_did_it(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.deliver_all(at(1)).await;
    let origin = Origin {
        credential: Some("operator".to_owned()),
        ..Origin::default()
    };
    let before = bench.newest().await;
    let stranger = identity_service::id::ResourceId::generate();
    let retry = async |id, origin| bench.store.retry(&bench.tenant, id, origin, at(2)).await.unwrap();
    assert!(retry(user, Some(&origin)).await);
    assert!(!retry(stranger, Some(&origin)).await);
    bench.delete(Kind::User, user).await.unwrap();
    assert!(retry(user, None).await);
    let acts = bench.log(before).await;
    let acts: Vec<_> = acts
        .into_iter()
        .filter_map(|entry| match entry.what {
            Logged::Act(act) => Some((entry.at, act)),
            _ => None,
        })
        .collect();
    let told = |origin| Act {
        by: String::new(),
        reason: String::new(),
        act: Deed::Retry,
        resource: Some(Subject {
            kind: Kind::User,
            id: user,
        }),
        origin,
    };
    assert_eq!(acts, [(at(2), told(Some(origin))), (at(2), told(None))]);
}

pub(super) async fn a_pause_is_told_with_its_reason_and_its_end_once(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let origin = Origin {
        credential: Some("operator".to_owned()),
        ..Origin::default()
    };
    let pause = Pause {
        at: at(1),
        by: "odile".to_owned(),
        reason: "a \"change\" window".to_owned(),
    };
    let set = async |pause, now| {
        let set = bench.store.set_pause(&bench.tenant, pause, Some(&origin), at(now));
        set.await.unwrap();
    };
    set(None, 0).await;
    set(Some(pause.clone()), 1).await;
    set(None, 2).await;
    set(None, 3).await;
    let told = |deed, by: &str, reason: &str| {
        Logged::Act(Act {
            act: deed,
            resource: None,
            by: by.to_owned(),
            reason: reason.to_owned(),
            origin: Some(origin.clone()),
        })
    };
    let log: Vec<_> = bench
        .log(0)
        .await
        .into_iter()
        .map(|entry| (entry.at, entry.what))
        .collect();
    let expected = [
        (at(1), told(Deed::Pause, &pause.by, &pause.reason)),
        (at(2), told(Deed::Resume, "", "")),
    ];
    assert_eq!(log, expected);
}

/// A refused change, and what takes it back.
async fn refused_change(bench: &Bench, only_if_refused: bool) -> (Revert, u64) {
    let user = bench.user("odile").await;
    bench.deliver_all(at(1)).await;
    bench.rename(Kind::User, user, "anders").await.unwrap();
    let claim = bench.claim(at(2)).await;
    bench.settle(&claim, refused(at(1_000)), at(2)).await;
    let record = bench.record(Kind::User, user).await;
    let revert = Revert {
        kind: Kind::User,
        id: user,
        expected: record.document_version,
        only_if_refused,
        old_keys: keys(Kind::User, &record.document),
        new_keys: keys(Kind::User, &document(Kind::User, "odile")),
        attributes: vec!["userName".to_owned()],
        diff: vec![AttributeChange {
            path: "userName".to_owned(),
            before: Some(r#""anders""#.to_owned()),
            after: Some(r#""odile""#.to_owned()),
            left_out: false,
        }],
        origin: Some(Origin {
            request_id: Some("r-1".to_owned()),
            ..Origin::default()
        }),
        request: None,
        now: at(3),
        traceparent: None,
    };
    (revert, bench.newest().await)
}

pub(super) async fn what_is_taken_back_is_told_with_what_it_was(engine: &dyn Engine) {
    for only_if_refused in [true, false] {
        let bench = Bench::new(engine).await;
        let (revert, before) = refused_change(&bench, only_if_refused).await;
        let stale = Revert {
            expected: 1,
            ..revert.clone()
        };
        let kept = bench.store.revert(&bench.tenant, stale).await.unwrap();
        assert_eq!((kept, bench.newest().await), (Reverted::Not(WhyNot::Moved), before));
        bench.store.revert(&bench.tenant, revert.clone()).await.unwrap();
        let mut told: Vec<_> = bench.log(before).await.into_iter().map(|entry| entry.what).collect();
        let change = Change {
            what: ChangeKind::Updated,
            kind: Kind::User,
            id: revert.id,
            version: 3,
            attributes: revert.attributes,
            diff: revert.diff,
            members: None,
            origin: revert.origin.clone(),
        };
        assert_eq!(told.remove(0), Logged::Change(change));
        // Taken back by a person, that is told, too.
        let discarded = Act {
            act: Deed::Discard,
            resource: Some(Subject {
                kind: Kind::User,
                id: revert.id,
            }),
            by: String::new(),
            reason: String::new(),
            origin: revert.origin,
        };
        let acts = if only_if_refused {
            Vec::new()
        } else {
            vec![Logged::Act(discarded)]
        };
        assert_eq!(told, acts);
    }
}

pub(super) async fn members_that_are_taken_back_are_told(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.deliver_all(at(1)).await;
    let group = bench.group("sales", &[user]).await;
    let claim = bench.claim(at(2)).await;
    let order = bench.order(&claim).await;
    let asked = [(user, order.batch[0].stamp)];
    let answer = Applied {
        confirmed: Vec::new(),
        refused: order.batch.clone(),
        refused_because: Some(failure()),
        ..applied(&claim, &order)
    };
    bench.settle(&claim, Settlement::Applied(answer), at(2)).await;
    let before = bench.newest().await;
    let origin = Origin {
        request_id: Some("r-1".to_owned()),
        ..Origin::default()
    };
    let store = &bench.store;
    let back = store
        .revert_members(&bench.tenant, group, &asked, Some(&origin), at(3))
        .await;
    assert_eq!(back.unwrap(), [user]);
    let told = bench.changes(before).await.remove(0);
    let went = MembersChange {
        removed: 1,
        removed_ids: vec![user],
        ..MembersChange::default()
    };
    assert_eq!((told.id, told.version, told.members), (group, 2, Some(went)));
    assert_eq!(told.origin, Some(origin));
}

const DAY: i64 = 24 * 60 * 60;

/// A log whose entries are kept for so many days.
async fn keeping_days(engine: &dyn Engine, days: u64) -> Bench {
    let retention = Duration::from_secs(days * DAY as u64);
    Bench::keeping(engine, Kept { retention, ..KEPT }).await
}

pub(super) async fn old_entries_go_by_age_in_small_steps(engine: &dyn Engine) {
    let bench = keeping_days(engine, 10).await;
    for number in 0..30 {
        bench.user(&format!("u{number}")).await;
    }
    let kept = async || bench.store.log(&bench.tenant, 0, 100).await.unwrap();
    let touch = async |now| {
        let user = bench.named(Kind::User, "u0").await.unwrap();
        bench.store.retry(&bench.tenant, user, None, at(now)).await.unwrap();
    };
    touch(10 * DAY - 1).await;
    assert_eq!((kept().await.trimmed, kept().await.entries.len()), (0, 31));
    touch(10 * DAY).await;
    let page = kept().await;
    assert_eq!(page.entries.len(), 24, "a step does not take all of them out at once");
    assert_eq!((page.trimmed, page.changes_trimmed), (8, 8));
    for _ in 0..5 {
        touch(10 * DAY).await;
    }
    let page = kept().await;
    assert_eq!((page.trimmed, page.changes_trimmed, page.entries.len()), (30, 30, 7));
}

pub(super) async fn old_entries_of_a_quiet_tenant_are_swept(engine: &dyn Engine) {
    let bench = keeping_days(engine, 10).await;
    for number in 0..20 {
        bench.user(&format!("u{number}")).await;
    }
    let sweep = async |now| while bench.store.sweep(&bench.tenant, at(now)).await.unwrap() > 0 {};
    sweep(10 * DAY - 1).await;
    assert_eq!(bench.log(0).await.len(), 20);
    sweep(10 * DAY).await;
    let page = bench.store.log(&bench.tenant, 0, 100).await.unwrap();
    assert_eq!((page.entries.len(), page.trimmed, page.changes_trimmed), (0, 20, 20));
    assert_eq!(bench.newest().await, 20);
    bench.user("one more").await;
    let page = bench.store.log(&bench.tenant, 0, 100).await.unwrap();
    assert_eq!((page.entries[0].position, page.trimmed), (21, 20));
}

pub(super) async fn entries_that_are_no_changes_do_not_outdate_a_reader_of_changes(engine: &dyn Engine) {
    let bench = Bench::keeping(engine, Kept { length: 4, ..KEPT }).await;
    let user = bench.user("odile").await;
    for now in 0..10 {
        bench.store.retry(&bench.tenant, user, None, at(now)).await.unwrap();
    }
    let page = bench.store.log(&bench.tenant, 0, 100).await.unwrap();
    assert_eq!((page.entries.len(), page.trimmed, page.changes_trimmed), (4, 7, 1));
}

pub(super) async fn what_is_kept_for_ever_does_not_age(engine: &dyn Engine) {
    let bench = keeping_days(engine, 0).await;
    let user = bench.user("odile").await;
    bench
        .store
        .retry(&bench.tenant, user, None, at(10_000 * DAY))
        .await
        .unwrap();
    assert_eq!(bench.store.sweep(&bench.tenant, at(10_000 * DAY)).await.unwrap(), 0);
    assert_eq!(bench.log(0).await.len(), 2);
}
