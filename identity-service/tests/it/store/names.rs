//! Names are unique within a kind and a tenant, without regard to case.

use std::sync::Arc;

use identity_service::{
    id::{Kind, Tenant},
    store::WriteError,
};

use super::{
    Engine,
    bench::{Bench, create},
};

pub(super) async fn a_name_is_taken_in_any_letter_case(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    for kind in Kind::ALL {
        let first = bench.write(create(kind, "Zoë", &[])).await.unwrap().record.id;
        for name in ["Zoë", "zoë", "ZOË"] {
            let again = bench.write(create(kind, name, &[])).await;
            assert!(matches!(again, Err(WriteError::NameTaken)), "{name}: {again:?}");
            assert_eq!(bench.named(kind, name).await, Some(first));
        }
        let other = bench.write(create(kind, "zoe", &[])).await.unwrap().record.id;
        let renamed = bench.rename(kind, other, "ZOË").await;
        assert!(matches!(renamed, Err(WriteError::NameTaken)), "{renamed:?}");
        assert_eq!(bench.named(kind, "zoe").await, Some(other));
    }
}

pub(super) async fn a_name_is_free_again_after_a_rename(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    for kind in Kind::ALL {
        let first = bench.write(create(kind, "old", &[])).await.unwrap().record.id;
        bench.rename(kind, first, "new").await.unwrap();
        let second = bench.write(create(kind, "OLD", &[])).await.unwrap().record.id;
        assert_eq!(bench.named(kind, "new").await, Some(first));
        assert_eq!(bench.named(kind, "old").await, Some(second));
    }
}

pub(super) async fn a_name_is_free_again_after_a_deletion(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    for kind in Kind::ALL {
        let first = bench.write(create(kind, "odile", &[])).await.unwrap().record.id;
        bench.delete(kind, first).await.unwrap();
        assert_eq!(bench.named(kind, "odile").await, None);
        let second = bench.write(create(kind, "odile", &[])).await.unwrap().record.id;
        assert_eq!(bench.named(kind, "odile").await, Some(second));
    }
}

pub(super) async fn users_and_groups_have_names_of_their_own(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("sales").await;
    let group = bench.group("sales", &[]).await;
    assert_eq!(bench.named(Kind::User, "sales").await, Some(user));
    assert_eq!(bench.named(Kind::Group, "sales").await, Some(group));
}

pub(super) async fn a_resource_may_change_the_letter_case_of_its_own_name(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.rename(Kind::User, user, "Odile").await.unwrap();
    assert_eq!(bench.named(Kind::User, "ODILE").await, Some(user));
    assert_eq!(bench.record(Kind::User, user).await.document["userName"], "Odile");
}

pub(super) async fn tenants_do_not_see_each_other(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.group("sales", &[user]).await;
    let other = Tenant::new("acme2");
    let written = bench
        .store
        .write(&other, create(Kind::User, "odile", &[]))
        .await
        .unwrap();
    assert_ne!(written.record.id, user);
    assert!(bench.store.get(&other, Kind::User, user).await.unwrap().is_none());
    assert!(bench.store.groups_of(&other, user, None, 10).await.unwrap().is_empty());
    assert!(bench.store.delivery(&other, user).await.unwrap().is_none());
    let stranger = create(Kind::Group, "ops", &[user]);
    let refused = bench.store.write(&other, stranger).await;
    assert!(matches!(refused, Err(WriteError::UnknownMember(id)) if id == user));
    let summary = bench.store.summary(&other).await.unwrap();
    assert_eq!((summary.users, summary.groups, summary.pending), (1, 0, 1));
    assert_eq!(bench.store.newest_entry(&other).await.unwrap(), 1);
}

pub(super) async fn of_many_who_want_a_name_one_gets_it(engine: &dyn Engine) {
    let bench = Arc::new(Bench::new(engine).await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move { bench.write(create(Kind::User, "odile", &[])).await });
    }
    let (mut won, mut lost) = (0, 0);
    while let Some(outcome) = tasks.join_next().await {
        match outcome.unwrap() {
            Ok(_) => won += 1,
            Err(WriteError::NameTaken) => lost += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((won, lost), (1, 15));
    assert_eq!(bench.summary().await.users, 1);
}
