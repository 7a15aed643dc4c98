//! How far a stop has come. Whoever stops the service moves the stage on; the accept loop and every connection follow it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long a connection that has said nothing yet may take to begin, once nothing new is accepted.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// The stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Everything is taken.
    Serving,
    /// Everything is still taken, and clients are asked to go elsewhere.
    Lingering,
    /// Nothing new is accepted. A connection may begin its first request until then.
    Closing { silent_until: Instant },
}

/// The hand that moves the stage on.
#[derive(Debug)]
pub(super) struct Stages(watch::Sender<Stage>);

impl Stages {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Stage::Serving))
    }

    pub(super) fn linger(&self) {
        self.0.send_replace(Stage::Lingering);
    }

    /// Silent connections get a second, but no more than `most` of what the drain may take.
    pub(super) fn close(&self, most: Duration) {
        let silent_until = Instant::now() + FIRST_WORD.min(most);
        self.0.send_replace(Stage::Closing { silent_until });
    }

    pub(super) fn follow(&self) -> Drain {
        Drain(self.0.subscribe())
    }
}

/// The eye that follows the stage.
#[derive(Clone, Debug)]
pub(super) struct Drain(watch::Receiver<Stage>);

impl Drain {
    /// Whether clients should go elsewhere.
    pub(super) fn has_begun(&self) -> bool {
        *self.0.borrow() != Stage::Serving
    }

    /// Resolves when nothing new is to be accepted.
    pub(super) async fn closing(&mut self) {
        self.silent_until().await;
    }

    /// Resolves when a connection that has said nothing yet need not be waited for any longer.
    pub(super) async fn silent_too_long(&mut self) {
        sleep_until(self.silent_until().await).await;
    }

    async fn silent_until(&mut self) -> Instant {
        let closing = self.0.wait_for(|stage| matches!(stage, Stage::Closing { .. }));
        match closing.await.map(|stage| *stage) {
            Ok(Stage::Closing { silent_until }) => silent_until,
            // The service was dropped without a drain: its connections are cut, and none ends gracefully.
            _ => std::future::pending().await,
        }
    }
}
