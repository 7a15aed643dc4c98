//! A version moves when something changed, and only then; a lost race is told, never overwritten.

use std::sync::Arc;

use identity_service::{
    id::{Kind, ResourceId},
    store::WriteError,
};
use serde_json::json;

use super::{
    Engine,
    bench::{Bench, adding, at, create, delete, document, update, update_members},
};

pub(super) async fn a_version_moves_only_when_something_changed(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[user]).await;
    let unchanged = bench.add(group, &[user]).await;
    assert!(!unchanged.changed);
    assert_eq!(bench.record(Kind::Group, group).await.version, 1);

    let mut write = update(
        &bench.record(Kind::User, user).await,
        json!({"userName": "odile", "title": "Dr"}),
    );
    write.now = at(5);
    let written = bench.write(write).await.unwrap();
    assert!(written.changed);
    let record = bench.record(Kind::User, user).await;
    assert_eq!(record, written.record);
    assert_eq!((record.version, record.document_version), (2, 2));
    assert_eq!((record.created, record.modified), (at(0), at(5)));
    assert_eq!(
        bench.record(Kind::Group, group).await.version,
        1,
        "a member's change is not the group's"
    );
}

pub(super) async fn a_document_that_moved_is_not_overwritten(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let stale = bench.record(Kind::User, user).await;
    bench.touch(Kind::User, user).await;
    let refused = bench.write(update(&stale, document(Kind::User, "other"))).await;
    assert!(matches!(refused, Err(WriteError::DocumentMoved)), "{refused:?}");
    let refused = bench.write(delete(&stale)).await;
    assert!(matches!(refused, Err(WriteError::DocumentMoved)), "{refused:?}");
    assert_eq!(bench.record(Kind::User, user).await.version, 2);
    assert_eq!(bench.named(Kind::User, "other").await, None);
}

pub(super) async fn a_membership_change_does_not_hold_a_document_change_up(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[]).await;
    let read_before = bench.record(Kind::Group, group).await;
    bench.add(group, &[user]).await;
    let written = bench
        .write(update(&read_before, document(Kind::Group, "Sales")))
        .await
        .unwrap();
    assert_eq!((written.record.version, written.record.document_version), (3, 3));
    assert_eq!(written.record.member_count, 1);
    assert_eq!(bench.members(group).await, [user]);
}

pub(super) async fn an_insisting_caller_is_refused_at_another_version(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[]).await;
    bench.add(group, &[user]).await;
    let present = bench.record(Kind::Group, group).await;
    let writes = [
        update(&present, document(Kind::Group, "other")),
        update_members(group, adding(&[user])),
        delete(&present),
    ];
    for mut write in writes {
        write.if_version = Some(1);
        let refused = bench.write(write).await;
        assert!(
            matches!(refused, Err(WriteError::VersionMismatch { present: 2 })),
            "{refused:?}"
        );
    }
    let mut write = update(&present, document(Kind::Group, "other"));
    write.if_version = Some(2);
    assert_eq!(bench.write(write).await.unwrap().record.version, 3);
}

pub(super) async fn a_refused_write_leaves_no_trace(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    bench.user("taken").await;
    let user = bench.user("odile").await;
    let group = bench.group("sales", &[]).await;
    bench.deliver_all(at(1)).await;
    let position = bench.store.newest_entry(&bench.tenant).await.unwrap();
    let (before, present) = (bench.summary().await, bench.record(Kind::User, user).await);

    let nobody = ResourceId::generate();
    let mut absent = present.clone();
    absent.id = nobody;
    let writes = [
        create(Kind::User, "TAKEN", &[]),
        update(&present, document(Kind::User, "taken")),
        update(&absent, document(Kind::User, "free")),
        delete(&absent),
        update_members(group, adding(&[user, nobody])),
        create(Kind::Group, "new", &[user, group]),
    ];
    for write in writes {
        let shown = format!("{write:?}");
        assert!(bench.write(write).await.is_err(), "{shown}");
    }
    assert_eq!(bench.summary().await, before);
    assert_eq!(bench.store.newest_entry(&bench.tenant).await.unwrap(), position);
    assert_eq!(bench.record(Kind::User, user).await, present);
    assert!(bench.members(group).await.is_empty());
    assert!(bench.groups_of(user).await.is_empty());
    assert_eq!(bench.named(Kind::Group, "new").await, None);
}

pub(super) async fn of_many_who_read_the_same_document_one_wins(engine: &dyn Engine) {
    let bench = Arc::new(Bench::new(engine).await);
    let user = bench.user("odile").await;
    let read = bench.record(Kind::User, user).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (bench, write) = (
            Arc::clone(&bench),
            update(&read, document(Kind::User, &format!("n{number}"))),
        );
        tasks.spawn(async move { bench.write(write).await.is_ok() });
    }
    let won = tasks.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    assert_eq!(bench.record(Kind::User, user).await.version, 2);
}
