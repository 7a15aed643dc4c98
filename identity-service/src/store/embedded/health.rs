//! Whether the engine still works. After an I/O error redb refuses everything until the file is opened again, and a
//! writer that is gone writes nothing: neither mends itself, so whoever runs the service has to know.

use std::sync::Arc;

use tokio::sync::watch;

use super::tables::Failed;
use crate::store::StoreError;

/// The health of one open file, shared by its writer and its readers.
#[derive(Clone)]
pub(super) struct Health(Arc<watch::Sender<Option<StoreError>>>);

impl Health {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// The boundary's error for a failure; one that leaves the engine useless is remembered.
    pub(super) fn note(&self, failed: Failed, doing: &'static str) -> StoreError {
        let is_final = failed.is_final();
        let error = failed.while_doing(doing);
        if is_final {
            self.fail(error.clone());
        }
        error
    }

    /// Says that the engine is of no use any more. The first reason is the one that is kept.
    pub(super) fn fail(&self, error: StoreError) {
        self.0
            .send_if_modified(|first| first.is_none() && first.replace(error).is_none());
    }

    /// Resolves with the reason once the engine is of no use any more.
    pub(super) async fn failed(&self) -> StoreError {
        let mut reasons = self.0.subscribe();
        // The sender is ours, so the channel cannot be closed while we wait.
        let reason = reasons.wait_for(Option::is_some).await.ok();
        reason
            .and_then(|reason| (*reason).clone())
            .unwrap_or(StoreError::Closed)
    }
}
