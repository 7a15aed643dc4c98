//! Background work that is done for each tenant while it is served. A panic in it fails the service, as in any of its tasks.

use std::collections::BTreeMap;
use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Tasks;

/// The work of the tenants that are served.
#[derive(Debug)]
pub struct Workers {
    tasks: Tasks,
    tenants: BTreeMap<String, Running>,
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Workers {
    /// None yet; they will be among those tasks.
    pub fn new(tasks: &Tasks) -> Self {
        Self {
            tasks: tasks.clone(),
            tenants: BTreeMap::new(),
        }
    }

    /// The tenants that have any.
    pub fn tenants(&self) -> Vec<String> {
        self.tenants.keys().cloned().collect()
    }

    /// Starts some for a tenant. Its token is cancelled when the tenant's work ends, and when the service's does.
    pub fn start<F, T>(&mut self, tenant: &str, name: &'static str, work: F)
    where
        F: FnOnce(CancellationToken) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        let running = self.tenants.entry(tenant.to_owned()).or_insert_with(|| Running {
            stop: self.tasks.stop_token().child_token(),
            tracker: TaskTracker::new(),
        });
        let work = running.tracker.track_future(work(running.stop.clone()));
        self.tasks.spawn_once(name, |_| work);
    }

    /// Ends a tenant's work and waits until it has ended.
    pub async fn end(&mut self, tenant: &str) {
        if let Some(Running { stop, tracker }) = self.tenants.remove(tenant) {
            stop.cancel();
            tracker.close();
            tracker.wait().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_tenants_work_ends_with_it_and_no_other_s_does() {
        let tasks = Tasks::new(CancellationToken::new());
        let mut workers = Workers::new(&tasks);
        let ended: Vec<_> = (0..2).map(|_| Arc::new(AtomicBool::new(false))).collect();
        for (tenant, ended) in ["a", "b"].into_iter().zip(&ended) {
            let ended = Arc::clone(ended);
            workers.start(tenant, "test", |stop| async move {
                stop.cancelled().await;
                tokio::task::yield_now().await;
                ended.store(true, Ordering::SeqCst);
            });
        }
        assert_eq!(workers.tenants(), ["a", "b"]);
        workers.end("a").await;
        workers.end("nobody").await;
        let has_ended = |one: usize| ended[one].load(Ordering::SeqCst);
        assert!(has_ended(0) && !has_ended(1));
        assert_eq!(workers.tenants(), ["b"]);
        tasks.stop().await;
        assert!(has_ended(1), "the service's end is everybody's");
    }
}
