//! `ChangeService`.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use proto::identity::v1::{
    AttributeChange, Change, ChangeKind, MembersChange, WatchChangesRequest, WatchChangesResponse,
    change_service_server::ChangeService,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

use super::{directories::Directories, log::Log};
use crate::{
    error::Error,
    store::{self, LogEntry, Logged, Store},
    wake::Wake,
};

/// How many entries are read at a time.
const PAGE: usize = 256;
/// How long a watcher waits before it looks by itself: changes of other replicas ring no bell here.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The service.
pub(crate) struct ChangeFeed {
    directories: Directories,
    store: Arc<dyn Store>,
    wake: Wake,
    closing: CancellationToken,
}

impl ChangeFeed {
    pub(crate) fn new(directories: Directories, store: Arc<dyn Store>, wake: Wake, closing: CancellationToken) -> Self {
        Self {
            directories,
            store,
            wake,
            closing,
        }
    }
}

#[async_trait]
impl ChangeService for ChangeFeed {
    type WatchChangesStream = Pin<Box<dyn Stream<Item = Result<WatchChangesResponse, Status>> + Send>>;

    async fn watch_changes(
        &self,
        request: Request<WatchChangesRequest>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        let request = request.into_inner();
        let tenant = self.directories.tenant(&request.tenant)?;
        let log = Log::of(self.store.clone(), tenant).await?;
        let position = match &request.resume_token {
            // The present end.
            None => log.store.newest_entry(&log.tenant).await.map_err(Error::from)?,
            Some(token) => log.position("resume_token", token).await?,
        };
        // A slow reader holds this reading up, and nothing else.
        let (sender, receiver) = mpsc::channel(PAGE);
        let watch = Watch {
            log,
            wake: self.wake.clone(),
            sender,
        };
        let closing = self.closing.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = watch.run(position) => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// One watcher.
struct Watch {
    log: Log,
    wake: Wake,
    sender: mpsc::Sender<Result<WatchChangesResponse, Status>>,
}

impl Watch {
    async fn run(self, mut position: u64) {
        let mut wakes = self.wake.listen();
        // Said at once, so that a watcher can resume that never heard of a change.
        let beginning = WatchChangesResponse {
            resume_token: self.log.token(position),
            change: None,
        };
        if self.sender.send(Ok(beginning)).await.is_err() {
            return;
        }
        loop {
            let page = match self.log.store.log(&self.log.tenant, position, PAGE).await {
                // That other entries are gone is nothing to a watcher of changes.
                Ok(page) if position < page.changes_trimmed => Err(self.log.expired(position)),
                Ok(page) => Ok(page.entries),
                Err(error) => Err(Error::Store(error)),
            };
            let entries = match page {
                Ok(entries) => entries,
                Err(error) => {
                    // The reader is gone if this fails; either way the watch is over.
                    let _ = self.sender.send(Err(error.into())).await;
                    return;
                }
            };
            let quiet = entries.is_empty();
            for entry in entries {
                position = entry.position;
                if let Some(response) = self.response(entry)
                    && self.sender.send(Ok(response)).await.is_err()
                {
                    return;
                }
            }
            if quiet {
                tokio::select! {
                    () = self.sender.closed() => return,
                    // A bell that stays silent is no reason to stop.
                    _ = timeout(LOOK_AGAIN, wakes.heard()) => {}
                }
            }
        }
    }

    /// What a watcher hears of an entry, if it is a change.
    fn response(&self, entry: LogEntry) -> Option<WatchChangesResponse> {
        let Logged::Change(change) = entry.what else {
            return None;
        };
        let change = Change {
            kind: kind(change.what) as i32,
            resource_type: change.kind.name().to_owned(),
            resource_id: change.id.to_string(),
            version: change.version,
            attributes: change.attributes,
            changed_at: Some(proto::time::to_proto(entry.at)),
            attribute_changes: change.diff.into_iter().map(attribute).collect(),
            members: change.members.map(members),
        };
        Some(WatchChangesResponse {
            resume_token: self.log.token(entry.position),
            change: Some(change),
        })
    }
}

pub(super) fn kind(what: store::ChangeKind) -> ChangeKind {
    match what {
        store::ChangeKind::Created => ChangeKind::Created,
        store::ChangeKind::Updated => ChangeKind::Updated,
        store::ChangeKind::Deleted => ChangeKind::Deleted,
    }
}

pub(super) fn attribute(change: store::AttributeChange) -> AttributeChange {
    AttributeChange {
        path: change.path,
        before_json: change.before,
        after_json: change.after,
        values_left_out: change.left_out,
    }
}

pub(super) fn members(change: store::MembersChange) -> MembersChange {
    let texts = |ids: Vec<crate::id::ResourceId>| ids.iter().map(ToString::to_string).collect();
    MembersChange {
        added: change.added,
        removed: change.removed,
        added_ids: texts(change.added_ids),
        removed_ids: texts(change.removed_ids),
        ids_left_out: change.ids_left_out,
    }
}
