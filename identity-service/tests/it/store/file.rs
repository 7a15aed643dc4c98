//! What only a store in a file can break: what was acknowledged is there after closing and opening; one file has one
//! user; a newer layout is refused.

use std::{error::Error as _, path::Path, sync::Arc};

use identity_service::{
    id::{Kind, ResourceId},
    index::Index,
    store::{
        From, Intent, RequestKey,
        embedded::{EmbeddedStore, OpenError, Options},
    },
};
use redb::{Database, TableDefinition};

use super::{
    bench::{Bench, at, create, refused},
    chores::manager_of,
};

fn open(path: &Path) -> Bench {
    Bench::over(
        Arc::new(EmbeddedStore::open(path, Options::default()).unwrap()),
        Box::new(()),
    )
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    let bench = open(&path);
    let applied = bench.user("applied").await;
    bench.deliver_all(at(1)).await;
    let gone = bench.user("gone").await;
    bench.deliver_all(at(1)).await;
    bench.delete(Kind::User, gone).await.unwrap();
    let stuck = bench.user("stuck").await;
    let group = bench.group("sales", &[applied, stuck]).await;
    for claim in bench.claim_all(at(2)).await {
        if claim.id == stuck {
            assert_eq!(
                bench.store.record_intent(&claim, "stuck@x").await.unwrap(),
                Intent::Noted
            );
            bench.settle(&claim, refused(at(3_600)), at(3)).await;
        }
    }
    let request = RequestKey {
        id: "r1".to_owned(),
        digest: [1; 32],
    };
    let mut write = create(Kind::User, "asked", &[]);
    write.request = Some(request.clone());
    let first = bench.write(write).await.unwrap();

    let everything = async |bench: &Bench| {
        let mut shown = Vec::new();
        for kind in Kind::ALL {
            for record in bench
                .store
                .list(&bench.tenant, kind, From::Offset(0), 100)
                .await
                .unwrap()
            {
                shown.push(format!("{record:?}"));
                shown.push(format!("{:?}", bench.groups_of(record.id).await));
            }
        }
        for id in [applied, gone, stuck, group] {
            shown.push(format!("{:?}", bench.delivery(id).await));
        }
        shown.push(format!("{:?}", bench.members(group).await));
        shown.push(format!("{:?}", bench.find(Kind::User, Index::Name, "stuck").await));
        shown.push(format!("{:?}", bench.summary().await));
        shown.push(format!("{:?}", bench.store.log(&bench.tenant, 0, 100).await.unwrap()));
        shown.push(format!(
            "{:?}",
            bench.store.answered(&bench.tenant, &request, at(0)).await.unwrap()
        ));
        shown
    };
    let before = everything(&bench).await;
    drop(bench);
    let bench = open(&path);
    assert_eq!(everything(&bench).await, before);
    assert_eq!(
        bench.store.answered(&bench.tenant, &request, at(0)).await.unwrap(),
        Some(first)
    );
}

#[tokio::test]
async fn leases_of_a_process_that_is_gone_are_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    let bench = open(&path);
    let user = bench.user("odile").await;
    bench.user("anders").await;
    let lost = bench.claim_all(at(1)).await;
    bench.apply(&lost[1], at(2)).await;
    drop(bench);

    let store = EmbeddedStore::open(&path, Options::default()).unwrap();
    assert_eq!(store.release_leases(at(5)).await.unwrap(), 1);
    assert_eq!(store.release_leases(at(5)).await.unwrap(), 0);
    let bench = Bench::over(Arc::new(store), Box::new(()));
    assert!(
        bench.claim_all(at(5)).await.is_empty(),
        "what the dead process began may still be under way"
    );
    let claim = bench.claim(at(10)).await;
    assert_eq!(claim.id, user);
    assert_eq!(
        bench.store.record_intent(&lost[0], "odile").await.unwrap(),
        Intent::Void
    );
}

#[tokio::test]
async fn a_file_in_use_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    let store = EmbeddedStore::open(&path, Options::default()).unwrap();
    let clone = store.clone();
    let refused = EmbeddedStore::open(&path, Options::default()).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    let message = refused.to_string();
    assert!(
        message.contains("identity.redb") && message.contains("in use"),
        "{message}"
    );
    drop(store);
    assert!(
        EmbeddedStore::open(&path, Options::default()).is_err(),
        "a clone still has it"
    );
    drop(clone);
    EmbeddedStore::open(&path, Options::default()).map(drop).unwrap();
}

#[test]
fn another_layout_is_refused_and_left_alone() {
    for layout in [1, 99] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.redb");
        EmbeddedStore::open(&path, Options::default()).map(drop).unwrap();
        let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
        let database = Database::open(&path).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(meta).unwrap().insert("layout", layout).unwrap();
        write.commit().unwrap();
        drop(database);

        for _ in 0..2 {
            let refused = EmbeddedStore::open(&path, Options::default()).map(drop).unwrap_err();
            assert!(
                matches!(refused, OpenError::Layout { found, .. } if found == layout),
                "{refused:?}"
            );
            assert!(refused.to_string().contains(&format!("layout {layout}")), "{refused}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    EmbeddedStore::open(&path, Options::default()).map(drop).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Breaks the work of a resource in a file that is closed.
fn spoil_work(path: &Path, tenant: &str, id: ResourceId) {
    let work: TableDefinition<'_, (&str, u128), &[u8]> = TableDefinition::new("work");
    let database = Database::open(path).unwrap();
    let write = database.begin_write().unwrap();
    let spoilt: &[u8] = br#"{"kind": "odile"}"#;
    write
        .open_table(work)
        .unwrap()
        .insert((tenant, id.as_u128()), spoilt)
        .unwrap();
    write.commit().unwrap();
}

#[tokio::test]
async fn work_that_cannot_be_read_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    let bench = open(&path);
    let spoilt = bench.user("odile").await;
    let others = [bench.user("anders").await, bench.user("bo").await];
    drop(bench);
    spoil_work(&path, "acme", spoilt);

    let store = EmbeddedStore::open(&path, Options::default()).unwrap();
    store.release_leases(at(0)).await.unwrap();
    let bench = Bench::over(Arc::new(store), Box::new(()));
    // It is first in the row, and only one piece is taken at a time.
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.extend(bench.take(at(1), 1).await.claims);
    }
    assert_eq!(taken.iter().map(|claim| claim.id).collect::<Vec<_>>(), others);
    let listed = bench.store.deliveries(&bench.tenant, None, None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), others);
}

#[tokio::test]
async fn a_report_that_cannot_be_read_holds_up_neither_the_others_nor_the_manager() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    let bench = open(&path);
    let manager = manager_of(&bench, 3).await;
    let reports: Vec<_> = {
        let everybody = bench.store.list(&bench.tenant, Kind::User, From::Offset(0), 10).await;
        everybody.unwrap().into_iter().map(|user| user.id).collect()
    };
    drop(bench);
    spoil_work(&path, "acme", reports[1]);
    let bench = open(&path);
    bench.delete(Kind::User, manager).await.unwrap();
    let claimed: Vec<_> = bench.claim_all(at(2)).await.iter().map(|claim| claim.id).collect();
    assert_eq!(claimed, [manager, reports[2], reports[3]]);
}

#[tokio::test]
async fn a_step_that_fails_halfway_fails_alone_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    let bench = open(&path);
    let spoilt = bench.user("odile").await;
    drop(bench);
    spoil_work(&path, "acme", spoilt);

    let bench = Arc::new(open(&path));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move {
            // The record is written before its work turns out to be unreadable.
            match number {
                32 => bench.rename(Kind::User, spoilt, "odile.mercier").await,
                _ => bench.write(create(Kind::User, &format!("u{number}"), &[])).await,
            }
        });
    }
    let failed: Vec<_> = tasks.join_all().await.into_iter().filter_map(Result::err).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].to_string().contains("piece of work"), "{failed:?}");
    assert!(
        !format!("{failed:?}").contains("odile"),
        "no value of it is shown: {failed:?}"
    );
    assert_eq!(bench.record(Kind::User, spoilt).await.version, 1);
    assert_eq!(bench.named(Kind::User, "odile.mercier").await, None);
    assert_eq!(bench.summary().await.users, 64);
}

#[test]
fn what_is_no_store_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    std::fs::write(&path, "this is a letter, not a store").unwrap();
    let refused = EmbeddedStore::open(&path, Options::default()).map(drop).unwrap_err();
    assert!(refused.to_string().contains("identity.redb"), "{refused}");
    assert!(refused.source().is_some(), "with the engine's reason");
    assert_eq!(std::fs::read(&path).unwrap(), b"this is a letter, not a store");
}

#[tokio::test]
async fn a_file_that_was_emptied_is_made_smaller_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    let bench = open(&path);
    let stays = bench.user("stays").await;
    let mut users = Vec::new();
    for number in 0..400 {
        let mut document = serde_json::json!({"userName": format!("u{number}")});
        document["title"] = "x".repeat(10_000).into();
        let write = super::bench::create_with(Kind::User, document, &[]);
        users.push(bench.write(write).await.unwrap().record.id);
    }
    for user in users {
        bench.delete(Kind::User, user).await.unwrap();
    }
    let in_use = EmbeddedStore::compact(&path, Options::default()).unwrap_err();
    assert!(matches!(in_use, OpenError::InUse { .. }), "{in_use:?}");
    drop(bench);
    let compacted = EmbeddedStore::compact(&path, Options::default()).unwrap();
    assert!(compacted.after < compacted.before / 2, "{compacted:?}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), compacted.after);
    assert_eq!(open(&path).named(Kind::User, "stays").await, Some(stays));
    let missing = folder.path().join("missing.redb");
    EmbeddedStore::compact(&missing, Options::default()).unwrap_err();
    assert!(!missing.exists(), "nothing is made where nothing was");
}

#[tokio::test]
async fn a_file_without_an_order_by_age_gets_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    let bench = open(&path);
    for name in ["odile", "hana"] {
        bench.user(name).await;
    }
    for claim in bench.claim_all(at(2)).await {
        bench.settle(&claim, refused(at(3_600)), at(3)).await;
    }
    let told = bench.summary().await;
    assert!(told.oldest_refused.is_some());
    drop(bench);
    // As an earlier version left it.
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let ages: TableDefinition<'_, (&str, u8, u64, u128), ()> = TableDefinition::new("rest_ages");
    assert!(transaction.delete_table(ages).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let bench = open(&path);
    assert_eq!(bench.summary().await, told);
    bench.deliver_all(at(3_601)).await;
    assert_eq!(bench.summary().await.oldest_refused, None);
}
