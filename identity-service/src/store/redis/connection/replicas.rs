//! Waiting until replicas have what was written. WAIT blocks its connection, and counts only what that connection wrote: so
//! it has a connection of its own, which first writes a marker. What was written before the marker is on a replica that has
//! the marker. Who comes while a WAIT is under way shares the next one.
//!
//! All this is true of one master only. A change that the old master acknowledged and lost must not be confirmed by the new
//! one: so a connection counts only when it is at the same process as the scripts', and was there before the write.

use std::time::Duration;

use redis::RedisError;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    Settings,
    dial::Dialer,
    error::CallError,
    link::{Link, Up},
    script::Verdict,
    slots,
};

/// How many callers may stand in the queue; more wait to get into it.
const QUEUE: usize = 1024;
/// After this time nobody needs a marker.
const MARKER_LIVES_MS: u32 = 60_000;

/// Confirms writes to one server. A clone is the same.
#[derive(Clone)]
pub(super) struct Replicas {
    pub(super) link: Link,
    queue: mpsc::Sender<Waiter>,
}

struct Waiter {
    marker: String,
    /// The process that took the write, if that is known.
    run_id: Option<String>,
    told: oneshot::Sender<Result<(), CallError>>,
}

struct Asker {
    link: Link,
    wanted: u32,
    wait: Duration,
    /// How long an answer to a write may take: who asks wrote no earlier than that.
    timeout: Duration,
    /// Whether the link's first connection is older than any write.
    first_counts: bool,
}

impl Replicas {
    /// Begins to connect.
    pub(super) fn ask(dialer: &Dialer, settings: &Settings, is_first: bool) -> Self {
        let link = Link::keep(dialer.patient(settings.wait_timeout), settings.timeout);
        let (queue, waiters) = mpsc::channel(QUEUE);
        let asker = Asker {
            link: link.clone(),
            wanted: settings.wait_replicas,
            wait: settings.wait_timeout,
            timeout: settings.timeout,
            first_counts: is_first,
        };
        tokio::spawn(asker.run(waiters));
        Self { link, queue }
    }

    /// Waits until what was written under `key` is on as many replicas as are wanted. `run_id` is the process that the
    /// scripts go to.
    pub(super) async fn have(&self, key: &str, run_id: Option<String>) -> Result<(), CallError> {
        let (told, verdict) = oneshot::channel();
        let marker = marker(key);
        let waiter = Waiter { marker, run_id, told };
        // The asker lives as long as we do.
        let _ = self.queue.send(waiter).await;
        verdict.await.unwrap_or(Err(CallError::MasterChanged))
    }
}

/// A key beside the one given: of the same slot, and of the same tenant.
fn marker(key: &str) -> String {
    let end = slots::tag(key).and_then(|tag| key.find(&format!("{{{tag}}}")).map(|at| at + tag.len() + 2));
    format!("{}:wait", &key[..end.unwrap_or(key.len())])
}

impl Asker {
    async fn run(self, mut queue: mpsc::Receiver<Waiter>) {
        let mut waiters = Vec::new();
        while queue.recv_many(&mut waiters, QUEUE).await > 0 {
            let verdict = self.confirm(&waiters).await;
            for Waiter { run_id, told, .. } in waiters.drain(..) {
                let verdict = match &verdict {
                    Ok(Some(process)) if run_id.is_some_and(|run_id| run_id != *process) => {
                        Err(CallError::MasterChanged)
                    }
                    Ok(_) => Ok(()),
                    Err(error) => Err(error.clone()),
                };
                // Who asked may be gone.
                let _ = told.send(verdict);
            }
        }
    }

    /// One WAIT for all of them. Gives the process that answered, if that is known.
    async fn confirm(&self, waiters: &[Waiter]) -> Result<Option<String>, CallError> {
        let up = self
            .link
            .up(Instant::now() + self.timeout)
            .await
            .map_err(CallError::Away)?;
        let was_there_before = up.since.elapsed() >= self.timeout || (up.is_first && self.first_counts);
        if !was_there_before {
            return Err(CallError::MasterChanged);
        }
        let marker = waiters.first().map_or("", |waiter| waiter.marker.as_str());
        match self.wait(&up, marker).await {
            Ok(reached) if reached >= self.wanted => Ok(up.facts.run_id.clone()),
            Ok(reached) => Err(CallError::Replicas {
                reached,
                wanted: self.wanted,
            }),
            Err(error) => {
                if matches!(Verdict::on(&error), Verdict::Broken | Verdict::NotMaster) {
                    self.link.give_up(up.generation, error.clone());
                }
                Err(CallError::Wait(error))
            }
        }
    }

    async fn wait(&self, up: &Up, marker: &str) -> Result<u32, RedisError> {
        let milliseconds = u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX);
        let mut pipeline = redis::pipe();
        let set = pipeline.cmd("SET").arg(marker).arg(1).arg("PX").arg(MARKER_LIVES_MS);
        set.ignore().cmd("WAIT").arg(self.wanted).arg(milliseconds);
        let (reached,): (u32,) = pipeline.query_async(&mut up.connection.clone()).await?;
        Ok(reached)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_marker_stands_beside_what_was_written() {
        assert_eq!(super::marker("scim:{default}:user:1"), "scim:{default}:wait");
        assert_eq!(super::marker("{t}"), "{t}:wait");
        assert_eq!(super::marker("key"), "key:wait");
    }
}
