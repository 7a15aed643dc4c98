//! The accept loop: one task for each connection, each told to finish when nothing new is accepted any more, and dropped
//! when the limit is over. What was begun is finished, and who has not begun yet gets a moment to. A client that goes
//! silent, trickles its headers or opens too many connections costs a bounded amount.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::FutureExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::drain::Drain;
use super::limits::{Addresses, ConnectionLimits, Ended, Place};
use crate::{Panicked, Tls};

/// Connections open at one time; the next ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;
/// How long to wait when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// What the connections of one listener share.
pub(super) struct Acceptor {
    pub(super) router: Router,
    pub(super) tls: Option<Tls>,
    pub(super) limits: ConnectionLimits,
    pub(super) drain: Drain,
    /// Drops every connection, wherever it is.
    pub(super) cut: CancellationToken,
    pub(super) connections: TaskTracker,
}

impl Acceptor {
    /// Accepts until the drain says no more. This counts as a connection itself, so that nobody takes the connections for
    /// gone while the last ones are being accepted.
    pub(super) fn run(self, listener: TcpListener) -> impl Future<Output = ()> + Send + 'static {
        let counted = self.connections.token();
        async move {
            self.cut.run_until_cancelled(self.accept(listener)).await;
            drop(counted);
        }
    }

    async fn accept(&self, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let addresses = Addresses::default();
        let mut drain = self.drain.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.closing() => break,
                accepted = async {
                    let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
                    let (stream, peer) = listener.accept().await?;
                    Ok::<_, io::Error>((slot, stream, peer))
                } => accepted,
            };
            match accepted {
                Ok((slot, stream, peer)) => match addresses.take(peer.ip(), &self.limits) {
                    Some(place) => self.serve(stream, peer, Some((slot, place))),
                    None => Ended::Address.count(),
                },
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        if let Err(error) = self.accept_waiting(listener) {
            tracing::warn!(%error, "cannot accept the connections that still wait");
        }
    }

    /// Accepts what stands in the system's queue, and closes it. Its peers believe to be connected already, and would be reset.
    /// The queue is short, so that it may pass the bound on connections.
    fn accept_waiting(&self, listener: TcpListener) -> io::Result<()> {
        // Asked directly: the runtime's word that nobody waits may be old.
        let listener = listener.into_std()?;
        loop {
            match listener.accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    self.serve(TcpStream::from_std(stream)?, peer, None);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, held: Option<(OwnedSemaphorePermit, Place)>) {
        let local = stream.local_addr().ok();
        let connection = Connection::new(
            peer,
            local,
            self.router.clone(),
            self.limits.clone(),
            self.drain.clone(),
        );
        let served = connection.serve(stream, self.tls.clone());
        let cut = self.cut.clone();
        self.connections.spawn(async move {
            let ended = AssertUnwindSafe(cut.run_until_cancelled_owned(served)).catch_unwind();
            if ended.await.is_err() {
                Panicked::Answer.count();
            }
            drop(held);
        });
    }
}

/// Errors that concern the connection being accepted and say nothing of the next.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
