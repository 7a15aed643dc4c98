//! A store that fails for good, and what a service leaves on a disk.

use tokio::time::timeout;
use tonic::Code;

use super::Served;
use crate::store::engine::{Disk, PATIENCE};

#[tokio::test]
async fn a_store_that_fails_for_good_ends_the_service() {
    let disk = Disk::default();
    let it = Served::on(disk.store()).await;
    it.user("odile").await.unwrap();
    assert!(it.running.readiness().report().is_ready());
    disk.set_broken(true);
    let refused = it.user("anders").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    let failure = timeout(PATIENCE, it.running.failed()).await.expect("it ends");
    assert!(failure.to_string().contains("store"), "{failure}");
    assert!(!it.running.readiness().report().is_ready());
}

#[cfg(unix)]
#[tokio::test]
async fn the_data_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("made/for/it");
    let flags = [
        &format!("--data-dir={}", data.display())[..],
        "--delivery-concurrency=0",
    ];
    let running = identity_service::start(super::config(&flags)).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("identity.redb")), 0o600);
    drop(running);
}
