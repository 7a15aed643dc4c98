//! The change feed: one entry for each change, in order, resumable, bounded.

use identity_service::{
    id::Kind,
    store::{Change, ChangeKind},
};

use super::{
    Engine,
    bench::{Bench, at},
};

async fn all(bench: &Bench, after: u64) -> Vec<Change> {
    bench.store.changes(&bench.tenant, after, 1_000).await.unwrap().changes
}

pub(super) async fn each_change_is_one_entry_in_order(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    assert_eq!(bench.store.newest_change(&bench.tenant).await.unwrap(), 0);
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[user]).await;
    bench.touch(Kind::User, user).await;
    bench.delete(Kind::User, user).await.unwrap();
    bench.delete(Kind::Group, group).await.unwrap();

    let changes = all(&bench, 0).await;
    let seen: Vec<_> = changes
        .iter()
        .map(|change| (change.what, change.id, change.version))
        .collect();
    let expected = [
        (ChangeKind::Created, user, 1),
        (ChangeKind::Created, group, 1),
        (ChangeKind::Updated, user, 2),
        (ChangeKind::Updated, group, 2), // the user left it
        (ChangeKind::Deleted, user, 3),
        (ChangeKind::Deleted, group, 3),
    ];
    assert_eq!(seen, expected);
    assert!(changes.windows(2).all(|pair| pair[0].position < pair[1].position));
    assert_eq!(
        changes.last().map(|change| change.position),
        Some(bench.store.newest_change(&bench.tenant).await.unwrap())
    );
    assert_eq!(changes[0].attributes, ["userName"]);
    assert_eq!(changes[1].attributes, ["displayName", "members"]);
    assert_eq!(changes[3].attributes, ["members"]);
    assert_eq!(changes[0].at, at(0));
}

pub(super) async fn what_changed_nothing_is_not_in_the_feed(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[user]).await;
    bench.add(group, &[user]).await;
    bench.deliver_all(at(1)).await;
    bench.store.retry(&bench.tenant, user, at(2)).await.unwrap();
    assert_eq!(all(&bench, 0).await.len(), 2);
}

pub(super) async fn a_reader_resumes_where_it_stopped(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    for number in 0..10 {
        bench.user(&format!("u{number}")).await;
    }
    let everything = all(&bench, 0).await;
    let (mut position, mut seen) = (0, Vec::new());
    loop {
        let page = bench.store.changes(&bench.tenant, position, 3).await.unwrap();
        assert_eq!(page.trimmed, 0);
        let Some(last) = page.changes.last() else { break };
        position = last.position;
        seen.extend(page.changes);
    }
    assert_eq!(seen, everything);
    assert!(all(&bench, position).await.is_empty());
    assert!(all(&bench, u64::MAX).await.is_empty());
    bench.user("one more").await;
    assert_eq!(all(&bench, position).await.len(), 1);
}

pub(super) async fn an_old_feed_is_trimmed_and_says_so(engine: &dyn Engine) {
    let bench = Bench::with_feed(engine, 8).await;
    let user = bench.user("odile").await;
    for _ in 0..29 {
        bench.touch(Kind::User, user).await;
    }
    let feed = bench.store.changes(&bench.tenant, 0, 1_000).await.unwrap();
    let positions: Vec<_> = feed.changes.iter().map(|change| change.position).collect();
    assert_eq!(positions, (23..=30).collect::<Vec<_>>());
    assert_eq!(feed.trimmed, 22, "whoever read less than that has missed something");
    assert_eq!(bench.store.newest_change(&bench.tenant).await.unwrap(), 30);
}

pub(super) async fn a_feed_is_told_from_any_other(engine: &dyn Engine) {
    let (bench, other) = (Bench::new(engine).await, Bench::new(engine).await);
    let feed = async |bench: &Bench| bench.store.feed_id(&bench.tenant).await.unwrap();
    let before = feed(&bench).await;
    bench.user("odile").await;
    assert_eq!(feed(&bench).await, before);
    assert_ne!(feed(&other).await, before);
}
