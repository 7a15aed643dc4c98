//! Background tasks of a service: told to stop, awaited in the drain, and missed when they end by themselves. A relay
//! that dies in silence would leave a healthy-looking service that delivers nothing.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Panicked;

/// The background tasks of one service. A clone is the same set.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    cut: CancellationToken,
    failed: watch::Sender<Option<String>>,
}

impl Tasks {
    /// An empty set; `cut` ends every task at once, wherever it is.
    pub(crate) fn new(cut: CancellationToken) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: cut.child_token(),
            cut,
            failed: watch::Sender::new(None),
        }
    }

    /// Starts a task that runs until its token is cancelled. If it ends earlier, the service has failed.
    pub fn spawn<F, T>(&self, name: &'static str, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        self.watch(name, true, task(self.stop.clone()));
    }

    /// Starts a task that ends when its work is done. Only a panic fails the service.
    pub fn spawn_once<F, T>(&self, name: &'static str, task: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        self.watch(name, false, task(self.stop.clone()));
    }

    /// The token that is cancelled when background work has to stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// How many tasks are running.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Tells every task to stop and waits until all have.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Resolves with the reason once a task has failed the service.
    pub(crate) async fn failed(&self) -> String {
        let mut failed = self.failed.subscribe();
        // The sender is ours, so the channel cannot be closed while we wait.
        let reason = failed
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|reason| reason.clone());
        reason.unwrap_or_default()
    }

    fn watch(&self, name: &'static str, endless: bool, task: impl Future<Output = ()> + Send + 'static) {
        let Self { stop, cut, failed, .. } = self.clone();
        self.tracker.spawn(async move {
            let outcome = tokio::select! {
                () = cut.cancelled() => return,
                outcome = AssertUnwindSafe(task).catch_unwind() => outcome,
            };
            let reason = match outcome {
                Err(_) => {
                    Panicked::Task.count();
                    format!("background task {name} panicked")
                }
                Ok(()) if endless && !stop.is_cancelled() => format!("background task {name} ended by itself"),
                Ok(()) => return,
            };
            tracing::error!(
                task = name,
                reason,
                "background work has ended, and the service ends with it"
            );
            // The first failure is the one that is reported.
            failed.send_if_modified(|first| first.is_none() && first.replace(reason).is_none());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_reported() {
        let tasks = Tasks::new(CancellationToken::new());
        tasks.spawn_once("sweep", |_| async {});
        tasks.spawn("relay", |stop| async move { stop.cancelled().await });
        tasks.spawn("feed", |_| async {});
        assert_eq!(tasks.failed().await, "background task feed ended by itself");

        let tasks = Tasks::new(CancellationToken::new());
        tasks.spawn_once("sweep", |_| async { panic!("a test") });
        assert_eq!(tasks.failed().await, "background task sweep panicked");
    }

    #[tokio::test]
    async fn stopping_waits_for_tasks_and_is_no_failure() {
        let tasks = Tasks::new(CancellationToken::new());
        tasks.spawn("relay", |stop| async move {
            stop.cancelled().await;
            tokio::task::yield_now().await;
        });
        tasks.stop().await;
        assert_eq!(tasks.running(), 0);
        assert!(tasks.failed().now_or_never().is_none());
    }
}
