//! One server that takes scripts: the connection they go over, and the one that asks for its replicas.

use std::sync::Arc;

use super::{Settings, checks::Durability, dial::Dialer, error::OpenError, link::Link, replicas::Replicas};

/// A server. A clone is the same one.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) link: Link,
    /// `None` when nothing waits for replicas.
    pub(super) replicas: Option<Replicas>,
}

impl Server {
    /// Begins to connect to it. `is_first` says that nothing was written to it by us before.
    pub(super) fn keep(dialer: Dialer, settings: &Settings, is_first: bool) -> Self {
        let replicas = (settings.wait_replicas > 0).then(|| Replicas::ask(&dialer, settings, is_first));
        Self {
            link: Link::keep(dialer, settings.timeout),
            replicas,
        }
    }

    /// What its word is worth, or why it does not work.
    pub(super) fn health(&self) -> Result<Durability, Arc<OpenError>> {
        if let Some(replicas) = &self.replicas {
            replicas.link.now()?;
        }
        Ok(self.link.now()?.facts.durability)
    }
}
