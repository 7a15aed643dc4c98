//! What only a store in a file can break: what was acknowledged is there after closing and opening; one file has one
//! user; a newer layout is refused.

use std::{error::Error as _, path::Path, sync::Arc};

use identity_service::{
    id::Kind,
    index::Index,
    store::{
        Intent, RequestKey,
        embedded::{EmbeddedStore, OpenError},
    },
};
use redb::{Database, TableDefinition};

use super::bench::{Bench, at, create, refused};

fn open(path: &Path) -> Bench {
    Bench::over(Arc::new(EmbeddedStore::open(path).unwrap()), Box::new(()))
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
                .list(&bench.tenant, kind, identity_service::store::From::Offset(0), 100)
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
        shown.push(format!(
            "{:?}",
            bench.store.changes(&bench.tenant, 0, 100).await.unwrap()
        ));
        shown.push(format!(
            "{:?}",
            bench.store.answered(&bench.tenant, &request).await.unwrap()
        ));
        shown
    };
    let before = everything(&bench).await;
    drop(bench);
    let bench = open(&path);
    assert_eq!(everything(&bench).await, before);
    assert_eq!(
        bench.store.answered(&bench.tenant, &request).await.unwrap(),
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

    let store = EmbeddedStore::open(&path).unwrap();
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
    let store = EmbeddedStore::open(&path).unwrap();
    let clone = store.clone();
    let refused = EmbeddedStore::open(&path).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    let message = refused.to_string();
    assert!(
        message.contains("identity.redb") && message.contains("in use"),
        "{message}"
    );
    drop(store);
    assert!(EmbeddedStore::open(&path).is_err(), "a clone still has it");
    drop(clone);
    EmbeddedStore::open(&path).map(drop).unwrap();
}

#[test]
fn a_newer_layout_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    EmbeddedStore::open(&path).map(drop).unwrap();
    let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
    let database = Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(meta).unwrap().insert("layout", 99).unwrap();
    write.commit().unwrap();
    drop(database);

    for _ in 0..2 {
        let refused = EmbeddedStore::open(&path).map(drop).unwrap_err();
        assert!(matches!(refused, OpenError::Layout { found: 99, .. }), "{refused:?}");
        assert!(refused.to_string().contains("layout 99"), "{refused}");
    }
}

#[test]
fn what_is_no_store_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.redb");
    std::fs::write(&path, "this is a letter, not a store").unwrap();
    let refused = EmbeddedStore::open(&path).map(drop).unwrap_err();
    assert!(refused.to_string().contains("identity.redb"), "{refused}");
    assert!(refused.source().is_some(), "with the engine's reason");
    assert_eq!(std::fs::read(&path).unwrap(), b"this is a letter, not a store");
}
