//! The change feed: one entry for each change, in order, resumable, bounded.

use identity_service::{
    id::{Kind, ResourceId},
    store::{AttributeChange, ChangeKind, MEMBERS_NAMED, MemberChange, MembersChange, Origin},
};

use super::{
    Engine, Kept,
    bench::{Bench, KEPT, adding, at, create, delete, document, update, update_members},
};

pub(super) async fn each_change_is_one_entry_in_order(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    assert_eq!(bench.newest().await, 0);
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[user]).await;
    bench.touch(Kind::User, user).await;
    bench.delete(Kind::User, user).await.unwrap();
    bench.delete(Kind::Group, group).await.unwrap();

    let changes = bench.changes(0).await;
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
    let entries = bench.log(0).await;
    let positions: Vec<_> = entries.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, (1..=6).collect::<Vec<_>>());
    assert_eq!(bench.newest().await, 6);
    assert_eq!(changes[0].attributes, ["userName"]);
    assert_eq!(changes[1].attributes, ["displayName", "members"]);
    assert_eq!(changes[3].attributes, ["members"]);
    assert_eq!(entries[0].at, at(0));
}

pub(super) async fn what_changed_nothing_is_not_in_the_feed(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[user]).await;
    bench.add(group, &[user]).await;
    bench.deliver_all(at(1)).await;
    bench.store.retry(&bench.tenant, user, None, at(2)).await.unwrap();
    assert_eq!(bench.changes(0).await.len(), 2);
}

pub(super) async fn a_change_tells_what_it_was_told(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let told = |before: Option<&str>, after: Option<&str>| AttributeChange {
        path: "userName".to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        left_out: false,
    };
    let secret = AttributeChange {
        path: "urn:x:pin".to_owned(),
        left_out: true,
        ..told(None, None)
    };
    let origin = |id: &str| Origin {
        credential: Some("bearer-0a1b2c3d".to_owned()),
        request_id: Some(id.to_owned()),
        client_request_id: Some("c \"1\"".to_owned()),
        correlation_id: None,
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
    };
    let mut write = create(Kind::User, "odile", &[]);
    write.diff = vec![told(None, Some(r#""odile \u00e9 é""#)), secret.clone()];
    write.origin = Some(origin("1"));
    let user = bench.write(write).await.unwrap().record;
    let group = bench.group("sales", &[user.id]).await;
    let mut write = update(&user, document(Kind::User, "anders"));
    write.diff = vec![told(Some(r#""odile""#), Some(r#""anders""#))];
    let user = bench.write(write).await.unwrap().record;
    let mut write = delete(&user);
    write.diff = vec![told(Some(r#""anders""#), None)];
    write.origin = Some(origin("2"));
    bench.write(write).await.unwrap();

    let changes = bench.changes(0).await;
    assert_eq!(changes[0].diff, [told(None, Some(r#""odile \u00e9 é""#)), secret]);
    assert_eq!(changes[0].origin, Some(origin("1")));
    assert_eq!(changes[0].members, None);
    assert_eq!((changes[1].diff.len(), &changes[1].origin), (0, &None));
    assert_eq!(changes[2].diff, [told(Some(r#""odile""#), Some(r#""anders""#))]);
    assert_eq!((changes[2].origin.as_ref(), changes.len()), (None, 5));
    // The group that the user left: by the same hand, and nothing of the user's document.
    let left = MembersChange {
        removed: 1,
        removed_ids: vec![user.id],
        ..MembersChange::default()
    };
    assert_eq!((changes[3].id, changes[3].members.as_ref()), (group, Some(&left)));
    assert_eq!((changes[3].diff.len(), &changes[3].origin), (0, &Some(origin("2"))));
    assert_eq!(changes[4].diff, [told(Some(r#""anders""#), None)]);
}

pub(super) async fn members_are_told_as_they_really_came_and_went(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for name in ["a", "b", "c", "d"] {
        users.push(bench.user(name).await);
    }
    let [a, b, c, d] = users[..] else { unreachable!() };
    let group = bench.group("sales", &[b, a]).await;
    bench.add(group, &[c, b]).await;
    bench.remove(group, &[d, a]).await;
    let exactly = MemberChange {
        replace: true,
        add: vec![d, c, a],
        remove: Vec::new(),
    };
    bench.set_members(group, exactly.clone()).await.unwrap();
    bench.set_members(group, exactly).await.unwrap();
    let changes = bench.changes(4).await;
    let told = |added_ids: &[ResourceId], removed_ids: &[ResourceId]| {
        Some(MembersChange {
            added: added_ids.len() as u64,
            removed: removed_ids.len() as u64,
            added_ids: added_ids.to_vec(),
            removed_ids: removed_ids.to_vec(),
            ids_left_out: false,
        })
    };
    let members: Vec<_> = changes.into_iter().map(|change| change.members).collect();
    let expected = [
        told(&[a, b], &[]),
        told(&[c], &[]),
        told(&[], &[a]),
        told(&[a, d], &[b]),
    ];
    assert_eq!(members, expected);
}

pub(super) async fn many_members_are_counted_and_not_named(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let members = |many: usize| (0..many).map(|_| ResourceId::generate()).collect::<Vec<_>>();
    let mut write = create(Kind::Group, "everybody", &members(MEMBERS_NAMED + 1));
    write.keep_unknown_members = true;
    let group = bench.write(write).await.unwrap().record.id;
    let mut write = update_members(group, adding(&members(1_001)));
    write.keep_unknown_members = true;
    bench.write(write).await.unwrap();
    let nobody = MemberChange {
        replace: true,
        ..MemberChange::default()
    };
    bench.set_members(group, nobody).await.unwrap();
    let counted = |added, removed| {
        Some(MembersChange {
            added,
            removed,
            ids_left_out: true,
            ..MembersChange::default()
        })
    };
    let told: Vec<_> = bench
        .changes(0)
        .await
        .into_iter()
        .map(|change| change.members)
        .collect();
    let named = MEMBERS_NAMED as u64;
    assert_eq!(
        told,
        [counted(named + 1, 0), counted(1_001, 0), counted(0, named + 1_002)]
    );
}

pub(super) async fn a_reader_resumes_where_it_stopped(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    for number in 0..10 {
        bench.user(&format!("u{number}")).await;
    }
    let everything = bench.log(0).await;
    let (mut position, mut seen) = (0, Vec::new());
    loop {
        let page = bench.store.log(&bench.tenant, position, 3).await.unwrap();
        assert_eq!((page.trimmed, page.changes_trimmed), (0, 0));
        let Some(last) = page.entries.last() else { break };
        position = last.position;
        seen.extend(page.entries);
    }
    assert_eq!(seen, everything);
    assert!(bench.log(position).await.is_empty());
    assert!(bench.log(u64::MAX).await.is_empty());
    bench.user("one more").await;
    assert_eq!(bench.log(position).await.len(), 1);
}

pub(super) async fn an_old_feed_is_trimmed_and_says_so(engine: &dyn Engine) {
    let bench = Bench::keeping(engine, Kept { length: 8, ..KEPT }).await;
    let user = bench.user("odile").await;
    for _ in 0..29 {
        bench.touch(Kind::User, user).await;
    }
    let feed = bench.store.log(&bench.tenant, 0, 1_000).await.unwrap();
    let positions: Vec<_> = feed.entries.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, (23..=30).collect::<Vec<_>>());
    assert_eq!(
        (feed.trimmed, feed.changes_trimmed),
        (22, 22),
        "whoever read less than that has missed something"
    );
    assert_eq!(bench.newest().await, 30);
}

pub(super) async fn a_feed_is_told_from_any_other(engine: &dyn Engine) {
    let (bench, other) = (Bench::new(engine).await, Bench::new(engine).await);
    let feed = async |bench: &Bench| bench.store.feed_id(&bench.tenant).await.unwrap();
    let before = feed(&bench).await;
    bench.user("odile").await;
    assert_eq!(feed(&bench).await, before);
    assert_ne!(feed(&other).await, before);
}
