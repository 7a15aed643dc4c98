//! `ChangeService`.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use proto::identity::v1::{
    Change, ChangeKind, WatchChangesRequest, WatchChangesResponse, change_service_server::ChangeService,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

use crate::{
    directory::Directory,
    error::Error,
    id::Tenant,
    store::{self, Store},
    wake::Wake,
};

/// How many changes are read at a time.
const PAGE: usize = 256;
/// How long a watcher waits before it looks by itself: changes of other replicas ring no bell here.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The service.
pub(crate) struct ChangeFeed {
    directory: Directory,
    store: Arc<dyn Store>,
    wake: Wake,
    closing: CancellationToken,
}

impl ChangeFeed {
    pub(crate) fn new(directory: Directory, store: Arc<dyn Store>, wake: Wake, closing: CancellationToken) -> Self {
        Self {
            directory,
            store,
            wake,
            closing,
        }
    }

    /// The position that a token names; without one, the present end of the feed.
    async fn position(&self, tenant: &Tenant, feed: u64, token: Option<&str>) -> Result<u64, Error> {
        match token {
            None => Ok(self.store.newest_change(tenant).await?),
            Some("") => Ok(self.store.changes(tenant, 0, 1).await?.trimmed),
            Some(token) => {
                let (of, position) = parse(token).ok_or_else(|| Error::InvalidRequest {
                    field: "resume_token",
                    problem: "is not a token of this feed".to_owned(),
                })?;
                // A token of another history, or from before a restore: waiting for it would lose changes.
                if of != feed || position > self.store.newest_change(tenant).await? {
                    return Err(Error::ResumeTokenExpired(token.to_owned()));
                }
                Ok(position)
            }
        }
    }
}

/// The token of a position: the feed's id before it, so that another feed's is recognised.
fn token(feed: u64, position: u64) -> String {
    format!("{feed:016x}-{position}")
}

fn parse(token: &str) -> Option<(u64, u64)> {
    let (feed, position) = token.split_once('-')?;
    let plain = feed.len() == 16 && position.bytes().all(|byte| byte.is_ascii_digit());
    plain.then_some(())?;
    Some((u64::from_str_radix(feed, 16).ok()?, position.parse().ok()?))
}

#[async_trait]
impl ChangeService for ChangeFeed {
    type WatchChangesStream = Pin<Box<dyn Stream<Item = Result<WatchChangesResponse, Status>> + Send>>;

    async fn watch_changes(
        &self,
        request: Request<WatchChangesRequest>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        let request = request.into_inner();
        let tenant = self.directory.tenant(&request.tenant)?;
        let feed = self.store.feed_id(&tenant).await.map_err(Error::from)?;
        let position = self.position(&tenant, feed, request.resume_token.as_deref()).await?;
        // A slow reader holds this reading up, and nothing else.
        let (sender, receiver) = mpsc::channel(PAGE);
        let watch = Watch {
            store: self.store.clone(),
            tenant,
            feed,
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
    store: Arc<dyn Store>,
    tenant: Tenant,
    feed: u64,
    wake: Wake,
    sender: mpsc::Sender<Result<WatchChangesResponse, Status>>,
}

impl Watch {
    async fn run(self, mut position: u64) {
        let mut wakes = self.wake.listen();
        // Said at once, so that a watcher can resume that never heard of a change.
        let beginning = WatchChangesResponse {
            resume_token: token(self.feed, position),
            change: None,
        };
        if self.sender.send(Ok(beginning)).await.is_err() {
            return;
        }
        loop {
            let page = match self.store.changes(&self.tenant, position, PAGE).await {
                Ok(page) if position < page.trimmed => Err(Error::ResumeTokenExpired(token(self.feed, position))),
                Ok(page) => Ok(page.changes),
                Err(error) => Err(Error::Store(error)),
            };
            let changes = match page {
                Ok(changes) => changes,
                Err(error) => {
                    // The reader is gone if this fails; either way the watch is over.
                    let _ = self.sender.send(Err(error.into())).await;
                    return;
                }
            };
            let quiet = changes.is_empty();
            for change in changes {
                position = change.position;
                if self.sender.send(Ok(response(self.feed, change))).await.is_err() {
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
}

fn response(feed: u64, change: store::Change) -> WatchChangesResponse {
    let kind = match change.what {
        store::ChangeKind::Created => ChangeKind::Created,
        store::ChangeKind::Updated => ChangeKind::Updated,
        store::ChangeKind::Deleted => ChangeKind::Deleted,
    };
    WatchChangesResponse {
        resume_token: token(feed, change.position),
        change: Some(Change {
            kind: kind as i32,
            resource_type: change.kind.name().to_owned(),
            resource_id: change.id.to_string(),
            version: change.version,
            attributes: change.attributes,
            changed_at: Some(proto::time::to_proto(change.at)),
        }),
    }
}
