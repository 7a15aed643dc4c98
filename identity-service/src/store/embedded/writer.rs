//! The one thread that writes: it takes whatever steps are waiting, runs each in turn in one transaction, and commits once.
//!
//! A step that fails, or panics, fails alone: what it may have written goes with the transaction, and the others run again
//! without it. Only the engine's own failure ends the thread, and then says so to the [`Health`].

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

use redb::{Database, Durability};
use tokio::sync::{mpsc, oneshot};

use super::{
    health::Health,
    log::Bounds,
    tables::{Failed, Tables},
};
use crate::store::StoreError;

/// How many steps share one commit at most, so that none waits long for the others.
const STEPS_PER_COMMIT: usize = 256;

/// The writer's thread. Dropping this ends it, after the steps that are waiting.
pub(super) struct Writer {
    /// Taken only by `drop`.
    steps: Option<mpsc::Sender<Box<dyn Step>>>,
    thread: Option<JoinHandle<()>>,
}

/// A step: runs in the shared transaction, perhaps more than once, then is told whether the commit held.
trait Step: Send {
    fn doing(&self) -> &'static str;
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Failed>;
    fn end(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// A step whose caller waits.
struct Awaited<T, F> {
    doing: &'static str,
    run: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Step for Awaited<T, F>
where
    T: Send,
    F: for<'t> Fn(&mut Tables<'t>) -> Result<T, Failed> + Send,
{
    fn doing(&self) -> &'static str {
        self.doing
    }

    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Failed> {
        self.value = Some((self.run)(tables)?);
        Ok(())
    }

    fn end(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        // A caller that no longer waits does not mind.
        drop(reply.send(outcome.and_then(|()| value.ok_or(StoreError::Closed))));
    }
}

impl Writer {
    pub(super) fn start(database: Arc<Database>, log_bounds: Bounds, health: Health) -> std::io::Result<Self> {
        let (steps, receiver) = mpsc::channel(STEPS_PER_COMMIT);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_loop(&database, log_bounds, receiver, &health))?;
        Ok(Self {
            steps: Some(steps),
            thread: Some(thread),
        })
    }

    /// Runs a step and waits until it is durable.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        doing: &'static str,
        run: impl for<'t> Fn(&mut Tables<'t>) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let step = Box::new(Awaited {
            doing,
            run,
            value: None,
            reply,
        });
        let steps = self.steps.as_ref().ok_or(StoreError::Closed)?;
        steps.send(step).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
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

/// Runs steps until every sender is gone, or the engine is.
fn write_loop(database: &Database, log_bounds: Bounds, mut steps: mpsc::Receiver<Box<dyn Step>>, health: &Health) {
    let mut waiting = Vec::with_capacity(STEPS_PER_COMMIT);
    while steps.blocking_recv_many(&mut waiting, STEPS_PER_COMMIT) > 0 {
        let committed = catch_unwind(AssertUnwindSafe(|| commit(database, log_bounds, &mut waiting, health)));
        let error = match committed {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error,
            Err(_) => Failed::Panicked.while_doing("commit"),
        };
        health.fail(error.clone());
        steps.close();
        waiting.extend(std::iter::from_fn(|| steps.try_recv().ok()));
        for step in waiting {
            step.end(Err(error.clone()));
        }
        return;
    }
}

/// Runs steps in one transaction and commits it. When the engine fails, nothing of it was written, and every caller hears
/// so; an error here says that it will not work again either.
fn commit(
    database: &Database,
    log_bounds: Bounds,
    steps: &mut Vec<Box<dyn Step>>,
    health: &Health,
) -> Result<(), StoreError> {
    while !steps.is_empty() {
        match attempt(database, log_bounds, steps) {
            Ok(None) => {
                for step in steps.drain(..) {
                    step.end(Ok(()));
                }
            }
            Ok(Some((position, failed))) => {
                let step = steps.remove(position);
                let error = failed.while_doing(step.doing());
                tracing::error!(error = &error as &dyn std::error::Error, "a step of the store failed");
                step.end(Err(error));
            }
            Err(failed) => {
                let is_final = failed.is_final();
                let error = health.note(failed, "commit");
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the store could not commit; nothing of the transaction was written"
                );
                for step in steps.drain(..) {
                    step.end(Err(error.clone()));
                }
                if is_final {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// Runs the steps and commits. A step that fails is given instead, with its position, and nothing is written.
fn attempt(
    database: &Database,
    log_bounds: Bounds,
    steps: &mut [Box<dyn Step>],
) -> Result<Option<(usize, Failed)>, Failed> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    let mut tables = Tables::open(&transaction, log_bounds)?;
    for (position, step) in steps.iter_mut().enumerate() {
        let ran = catch_unwind(AssertUnwindSafe(|| step.run(&mut tables)));
        let failed = match ran {
            Ok(Ok(())) => continue,
            Ok(Err(failed)) if failed.is_final() => return Err(failed),
            Ok(Err(failed)) => failed,
            Err(_) => Failed::Panicked,
        };
        drop(tables);
        transaction.abort()?;
        return Ok(Some((position, failed)));
    }
    let dirty = tables.dirty;
    drop(tables);
    if dirty {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(None)
}
