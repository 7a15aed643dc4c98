//! Claims: due work under a lease, each piece to one claimer at a time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use identity_service::{
    id::{Kind, Tenant},
    store::{Claim, WorkState, Write},
};

use super::{
    Engine,
    bench::{Bench, LEASE, at, create, document, paused, postponed, update},
};

pub(super) async fn a_change_makes_work_that_is_claimed_once(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    assert!(bench.claim_all(at(1)).await.is_empty());
    let user = bench.user("odile").await;
    bench.touch(Kind::User, user).await;
    bench.touch(Kind::User, user).await;
    let claim = bench.claim(at(1)).await;
    assert_eq!(
        (claim.id, claim.kind, &claim.tenant, claim.attempts),
        (user, Kind::User, &bench.tenant, 0)
    );
    assert!(bench.claim_all(at(1)).await.is_empty(), "it is under a lease");
    assert_eq!(bench.state(user).await, Some(WorkState::Pending));
}

pub(super) async fn a_claim_comes_again_when_its_lease_is_over(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    bench.user("odile").await;
    let first = bench.claim(at(1)).await;
    assert!(bench.claim_all(at(60)).await.is_empty());
    let second = bench.claim(at(61)).await;
    assert_eq!(second.id, first.id);
    assert_ne!(second.token, first.token);
}

pub(super) async fn a_renewed_claim_holds_until_its_new_end(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    bench.touch(Kind::User, user).await;
    assert!(bench.store.renew(&claim, at(90)).await.unwrap());
    assert!(bench.claim_all(at(89)).await.is_empty(), "beyond its first end");
    let second = bench.claim(at(90)).await;
    assert_eq!((second.id, second.attempts), (user, 0), "renewing is no try");
    assert_eq!(bench.state(user).await, Some(WorkState::Pending));
}

pub(super) async fn nothing_waits_for_a_clock_that_went_back(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for name in ["failed", "paused", "leased"] {
        users.push(bench.user(name).await);
    }
    let [failed, paused_one, leased] = users[..] else {
        panic!()
    };
    for claim in bench.claim_all(at(3_600)).await {
        if claim.id == failed {
            bench.settle(&claim, postponed(at(3_700)), at(3_600)).await;
        } else if claim.id == paused_one {
            bench.settle(&claim, paused(at(3_900)), at(3_600)).await;
        }
    }
    // It is an hour earlier.
    let ids = async |seconds| -> Vec<_> {
        let claims = bench.claim_all(at(seconds)).await;
        claims.into_iter().map(|claim| claim.id).collect()
    };
    assert!(ids(0).await.is_empty());
    bench.store.rewind(&bench.tenant, at(0), LEASE).await.unwrap();
    assert_eq!(ids(0).await, [failed]);
    let lease = i64::try_from(LEASE.as_secs()).unwrap();
    let mut others = ids(lease).await;
    others.retain(|id| *id != failed);
    assert_eq!(
        others.into_iter().collect::<BTreeSet<_>>(),
        [paused_one, leased].into(),
        "a lease, and a pause that the Platform asked for, end no later than a new lease"
    );
}

pub(super) async fn what_no_longer_holds_is_not_renewed(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    bench.user("odile").await;
    let lost = bench.claim(at(1)).await;
    let present = bench.claim(at(61)).await;
    assert!(
        !bench.store.renew(&lost, at(1_000)).await.unwrap(),
        "another took the work"
    );
    bench.settle(&present, postponed(at(70)), at(62)).await;
    assert!(!bench.store.renew(&present, at(1_000)).await.unwrap(), "it was settled");
    assert_eq!(
        bench.claim_all(at(70)).await.len(),
        1,
        "renewing what is lost moved nothing"
    );
}

pub(super) async fn the_longest_due_comes_first_and_the_limit_is_kept(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for (number, seconds) in [30, 10, 20].into_iter().enumerate() {
        let mut write = create(Kind::User, &format!("u{number}"), &[]);
        write.now = at(seconds);
        users.push(bench.write(write).await.unwrap().record.id);
    }
    let claims = bench.take(at(40), 2).await.claims;
    assert_eq!(
        claims.iter().map(|claim| claim.id).collect::<Vec<_>>(),
        [users[1], users[2]]
    );
    assert!(bench.take(at(40), 0).await.claims.is_empty());
    assert_eq!(bench.claim(at(40)).await.id, users[0]);
}

pub(super) async fn the_next_due_time_is_told(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let next_due = async |now| bench.take(now, 1).await.next_due;
    assert_eq!(next_due(at(0)).await, None, "there is no work at all");
    bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    assert_eq!(next_due(at(2)).await, Some(at(61)), "the end of the lease");
    bench.settle(&claim, postponed(at(30)), at(2)).await;
    assert_eq!(next_due(at(3)).await, Some(at(30)));
    bench.user("anders").await;
    assert_eq!(
        next_due(at(30)).await,
        Some(at(30)),
        "more is due than the limit lets be taken"
    );
}

pub(super) async fn many_claimers_share_the_work_without_overlap(engine: &dyn Engine) {
    let bench = Arc::new(Bench::new(engine).await);
    for number in 0..40 {
        bench.user(&format!("u{number}")).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move { bench.take(at(1), 7).await.claims });
    }
    let claims: Vec<Claim> = tasks.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = claims.iter().map(|claim| claim.id).collect();
    let tokens: BTreeSet<_> = claims.iter().map(|claim| claim.token).collect();
    assert_eq!((claims.len(), distinct.len(), tokens.len()), (40, 40, 40));
}

pub(super) async fn a_claim_carries_the_traces_of_its_changes(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let traced = |mut write: Write, trace: &str| {
        write.traceparent = Some(trace.to_owned());
        write
    };
    let created = bench
        .write(traced(create(Kind::User, "odile", &[]), "00-11-22-01"))
        .await;
    let user = created.unwrap().record;
    let renamed = update(&user, document(Kind::User, "anders"));
    bench.write(traced(renamed, "00-33-44-01")).await.unwrap();
    bench.touch(Kind::User, user.id).await;
    let claim = bench.claim(at(1)).await;
    assert_eq!(
        claim.traceparent.as_deref(),
        Some("00-33-44-01 00-11-22-01"),
        "the newest first"
    );

    // Of one that is changed on and on, only some are kept.
    let created = bench
        .write(traced(create(Kind::User, "inga", &[]), "00-55-66-01"))
        .await;
    let mut user = created.unwrap().record;
    for number in 0..20 {
        let another = update(&user, document(Kind::User, &format!("u{number}")));
        let trace = format!("00-{number}-66-01");
        user = bench.write(traced(another, &trace)).await.unwrap().record;
    }
    let claim = bench.claim(at(1)).await;
    let traces = claim.traceparent.unwrap();
    let traces: Vec<_> = traces.split(' ').collect();
    assert_eq!((traces.len(), traces[0], traces[7]), (8, "00-19-66-01", "00-12-66-01"));
}

pub(super) async fn a_claim_knows_what_is_wanted_now(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claims = bench
        .store
        .claim(&bench.tenant, at(1), Duration::from_secs(5), 1)
        .await
        .unwrap()
        .claims;
    bench.rename(Kind::User, user, "odile.mercier").await.unwrap();
    let record = bench.order(&claims[0]).await.record.unwrap();
    assert_eq!((record.version, record.text("userName")), (2, Some("odile.mercier")));
}

pub(super) async fn a_tenants_work_is_its_own(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let neighbour = Tenant::new("neighbour");
    // The neighbour's work has been due for longer, and is more.
    for number in 0..3 {
        let write = create(Kind::User, &format!("u{number}"), &[]);
        bench.store.write(&neighbour, write).await.unwrap();
    }
    let mut write = create(Kind::User, "odile", &[]);
    write.now = at(5);
    let user = bench.write(write).await.unwrap().record.id;
    let taken = bench.take(at(5), 1).await;
    assert_eq!(taken.claims.iter().map(|claim| claim.id).collect::<Vec<_>>(), [user]);
    assert_eq!(taken.next_due, None, "the neighbour's is not this tenant's to wait for");
    let theirs = bench.store.claim(&neighbour, at(5), LEASE, 10).await.unwrap();
    assert_eq!(theirs.claims.len(), 3);
}
