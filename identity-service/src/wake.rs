//! A bell that tells whoever listens to look at the store again. It carries nothing: what to do is always in the store,
//! so a bell that was missed costs time, never work.

use tokio::sync::watch;

/// The bell.
#[derive(Clone, Debug)]
pub struct Wake(watch::Sender<()>);

/// An ear for the bell.
#[derive(Clone, Debug)]
pub struct Wakes(watch::Receiver<()>);

impl Wake {
    /// A bell that nobody hears yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Rings.
    pub fn ring(&self) {
        self.0.send_replace(());
    }

    /// Hears every ring from now on.
    pub fn listen(&self) -> Wakes {
        Wakes(self.0.subscribe())
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self::new()
    }
}

impl Wakes {
    /// Waits for a ring; at once if there was one since the last wait. Several rings are one.
    pub async fn heard(&mut self) {
        // The bell's end is the end of the service; then there is nothing to wait for.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
