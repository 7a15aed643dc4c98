//! Waiting for a state.

use tokio::time::{Instant, sleep};

use crate::{PATIENCE, PAUSE};

/// Waits until it holds; panics when it does not within [`PATIENCE`].
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(PAUSE).await;
    }
}
