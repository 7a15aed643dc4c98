//! The accept loop: one task for each connection, each told to finish when nothing new is accepted any more, and dropped
//! when the limit is over. What was begun is finished, and who has not begun yet gets a moment to. A client that goes
//! silent, trickles its headers or opens too many connections costs a bounded amount.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::CONNECTION;
use http::{HeaderValue, Request};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::TcpConnectInfo;
use tower::ServiceExt;

use super::drain::Drain;
use super::opening::{Version, open};
use super::wire::Wire;
use crate::Tls;

/// Connections open at one time; the next ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;
/// HTTP/1: time for a request's headers, and for an idle connection between requests. Longer than the minute after
/// which load balancers give up an idle connection, so that it is they who close it.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);
/// HTTP/2: a silent peer is asked after this time, and dropped if it does not answer.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// HTTP/2: calls at one time on one connection. Callers share one connection, and a call may wait for seconds.
const MAX_STREAMS: u32 = 1024;
const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// How long to wait when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// What the connections of one listener share.
pub(super) struct Acceptor {
    pub(super) router: Router,
    pub(super) tls: Option<Tls>,
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
                Ok((slot, stream, peer)) => self.serve(stream, peer, Some(slot)),
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

    fn serve(&self, stream: TcpStream, peer: SocketAddr, slot: Option<OwnedSemaphorePermit>) {
        let served = serve(stream, peer, self.tls.clone(), self.router.clone(), self.drain.clone());
        let cut = self.cut.clone();
        self.connections.spawn(async move {
            cut.run_until_cancelled_owned(served).await;
            drop(slot);
        });
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, tls: Option<Tls>, router: Router, mut drain: Drain) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let local = stream.local_addr().ok();
    // In this connection's own task, so that a slow handshake keeps nobody waiting.
    let Some(wire) = Wire::over(stream, tls.as_ref(), &mut drain).await else {
        return;
    };
    let certificates = wire.peer();
    let (version, io) = match open(wire, &mut drain, HEADER_READ_TIMEOUT).await {
        Ok(Some(opened)) => opened,
        Ok(None) => return,
        Err(error) => {
            tracing::debug!(%error, "connection ended");
            return;
        }
    };
    let asks_to_close = (version == Version::Http1).then(|| drain.clone());
    let service = router
        .map_request(move |request: Request<_>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(TcpConnectInfo {
                local_addr: local,
                remote_addr: Some(peer),
            });
            if let Some(certificates) = &certificates {
                request.extensions_mut().insert(certificates.clone());
            }
            request
        })
        .map_response(move |mut response| {
            // So that clients leave by themselves, before idle connections are closed under them (RFC 9112 §9.6).
            if asks_to_close.as_ref().is_some_and(Drain::has_begun) {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            response
        });
    let builder = builder(version);
    let mut connection = std::pin::pin!(builder.serve_connection(io, TowerToHyperService::new(service)));
    let mut closing = false;
    loop {
        tokio::select! {
            // First of all the connection: HTTP/1 that has read a part of a request finishes it, and closes what is idle.
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error = %crate::Chain(&*error), "connection ended");
                }
                return;
            }
            () = drain.closing(), if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(version: Version) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES);
    match version {
        Version::Http1 => builder.http1_only(),
        Version::Http2 => builder.http2_only(),
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
