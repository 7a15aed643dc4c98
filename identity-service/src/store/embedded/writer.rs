//! The one thread that writes: it takes whatever steps are waiting, runs each in turn in one transaction, and commits once.

use std::{sync::Arc, thread::JoinHandle};

use redb::{Database, Durability};
use tokio::sync::{mpsc, oneshot};

use super::tables::{Failed, Tables};
use crate::store::StoreError;

/// How many steps share one commit at most, so that none waits long for the others.
const STEPS_PER_COMMIT: usize = 256;

/// The writer's thread. Dropping this ends it, after the steps that are waiting.
pub(super) struct Writer {
    /// Taken only by `drop`.
    steps: Option<mpsc::Sender<Step>>,
    thread: Option<JoinHandle<()>>,
}

/// A step: runs in the shared transaction, then is told whether the commit held.
type Step = Box<dyn for<'t> FnOnce(&mut Tables<'t>) -> Result<Verdict, Failed> + Send>;
type Verdict = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl Writer {
    pub(super) fn start(database: Arc<Database>, feed_length: u64) -> std::io::Result<Self> {
        let (steps, receiver) = mpsc::channel(STEPS_PER_COMMIT);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_loop(&database, feed_length, receiver))?;
        Ok(Self {
            steps: Some(steps),
            thread: Some(thread),
        })
    }

    /// Runs a step and waits until it is durable.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        doing: &'static str,
        run: impl for<'t> FnOnce(&mut Tables<'t>) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let step: Step = Box::new(move |tables| {
            let value = run(tables)?;
            // A caller that no longer waits does not mind.
            Ok(Box::new(move |committed: Result<(), StoreError>| {
                drop(reply.send(committed.map(|()| value)));
            }))
        });
        let steps = self.steps.as_ref().ok_or(StoreError::Closed)?;
        steps.send(step).await.map_err(|_| StoreError::Closed)?;
        // The writer drops the answer of a step that failed by itself; its error is in the log.
        answer.await.unwrap_or(Err(StoreError::Engine {
            doing,
            source: Arc::new(StepFailed),
        }))
    }
}

impl Drop for Writer {
    /// Waits for the thread, which has the file open: whoever dropped the store may open the file again at once.
    fn drop(&mut self) {
        drop(self.steps.take());
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing more to write; its callers were told.
            drop(thread.join());
        }
    }
}

/// The step's own failure, already logged by the writer.
#[derive(Debug, thiserror::Error)]
#[error("the step failed")]
struct StepFailed;

/// Runs steps until every sender is gone.
fn write_loop(database: &Database, feed_length: u64, mut steps: mpsc::Receiver<Step>) {
    let mut waiting = Vec::with_capacity(STEPS_PER_COMMIT);
    while steps.blocking_recv_many(&mut waiting, STEPS_PER_COMMIT) > 0 {
        commit(database, feed_length, waiting.drain(..));
    }
}

/// Runs steps in one transaction and commits it. A step that the engine failed takes the whole transaction with it:
/// nothing of it was written, and every caller hears so.
fn commit(database: &Database, feed_length: u64, steps: impl Iterator<Item = Step>) {
    let mut verdicts: Vec<Verdict> = Vec::new();
    let outcome = (|| {
        let mut transaction = database.begin_write().map_err(Failed::from)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(|error| Failed::Engine(redb::Error::from(error)))?;
        let mut tables = Tables::open(&transaction, feed_length).map_err(Failed::Engine)?;
        for step in steps {
            verdicts.push(step(&mut tables)?);
        }
        let dirty = tables.dirty;
        drop(tables);
        if dirty {
            transaction.commit().map_err(Failed::from)
        } else {
            transaction.abort().map_err(Failed::from)
        }
    })();
    let outcome = outcome.map_err(|failed| failed.while_doing("commit"));
    if let Err(error) = &outcome {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "the store could not commit; nothing of the transaction was written"
        );
    }
    for verdict in verdicts {
        verdict(outcome.clone());
    }
}
