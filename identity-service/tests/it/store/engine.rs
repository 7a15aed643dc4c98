//! When the engine fails: a step alone, or the engine for good.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use identity_service::{
    id::Kind,
    store::embedded::{EmbeddedStore, Options},
};
use jiff::Timestamp;
use redb::{StorageBackend, backends::InMemoryBackend};

use super::bench::{Bench, LEASE, at, create};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Memory as a disk that can be broken, and whose `fsync` can be held up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    memory: InMemoryBackend,
    broken: AtomicBool,
    held: Mutex<bool>,
    released: Condvar,
    syncing: AtomicBool,
}

impl Disk {
    pub(crate) fn store(&self) -> EmbeddedStore {
        EmbeddedStore::on_backend(self.clone(), Options::default()).unwrap()
    }

    pub(crate) fn set_broken(&self, broken: bool) {
        self.0.broken.store(broken, Ordering::SeqCst);
    }

    /// Has every `fsync` wait until what this gives is dropped.
    pub(crate) fn hold(&self) -> Held {
        self.set_held(true);
        Held(self.clone())
    }

    fn set_held(&self, held: bool) {
        *self.0.held.lock().unwrap() = held;
        self.0.released.notify_all();
    }

    /// Waits until an `fsync` is held up.
    pub(crate) async fn held_up(&self) {
        let syncing = async {
            while !self.0.syncing.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, syncing)
            .await
            .expect("a step is written");
    }

    fn works(&self) -> io::Result<()> {
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is broken"));
        }
        Ok(())
    }
}

/// A disk whose `fsync` is held up.
pub(crate) struct Held(Disk);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set_held(false);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.0.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.works()?;
        self.0.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.works()?;
        let mut held = self.0.held.lock().unwrap();
        while *held {
            self.0.syncing.store(true, Ordering::SeqCst);
            held = self.0.released.wait(held).unwrap();
        }
        self.0.syncing.store(false, Ordering::SeqCst);
        self.0.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.works()?;
        self.0.memory.write(offset, data)
    }
}

#[tokio::test]
async fn a_failed_engine_tells_and_answers_everybody() {
    let disk = Disk::default();
    let store = disk.store();
    let bench = Bench::over(Arc::new(store.clone()), Box::new(()));
    bench.user("odile").await;
    disk.set_broken(true);
    bench.write(create(Kind::User, "anders", &[])).await.unwrap_err();
    let reason = tokio::time::timeout(PATIENCE, store.failed()).await.unwrap();
    let mut causes = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(&reason);
    while let Some(error) = cause {
        causes += &format!("{error}; ");
        cause = error.source();
    }
    assert!(causes.contains("the disk is broken"), "{causes}");
    // It does not mend itself, and keeps nobody waiting.
    disk.set_broken(false);
    for name in ["bo", "cy"] {
        bench.write(create(Kind::User, name, &[])).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_step_that_panics_fails_alone() {
    let store = Disk::default().store();
    let bench = Bench::over(Arc::new(store.clone()), Box::new(()));
    bench.user("odile").await;
    // There is no time at which this lease would end.
    let impossible = bench.store.claim(&bench.tenant, Timestamp::MAX, LEASE, 1);
    let (panicked, beside) = tokio::join!(impossible, bench.write(create(Kind::User, "anders", &[])));
    panicked.unwrap_err();
    beside.unwrap();
    bench.user("bo").await;
    assert_eq!(bench.claim_all(at(1)).await.len(), 3);
    let failed = tokio::time::timeout(Duration::ZERO, store.failed()).await;
    assert!(failed.is_err(), "the store works");
}
