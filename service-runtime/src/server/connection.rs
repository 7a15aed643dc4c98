//! One connection: its handshake, its first word, then HTTP until somebody has had enough. Each request is told where it
//! came from.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use futures_util::FutureExt;
use http::header::CONNECTION;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tonic::transport::server::TcpConnectInfo;
use tower::{Service, ServiceExt};

use super::drain::Drain;
use super::limits::{ConnectionLimits, Ended};
use super::opening::{Version, open};
use super::wire::Wire;
use crate::{Panicked, PeerCertificates, Tls};

/// HTTP/1: time for a request's headers, and for an idle connection between requests. Longer than the minute after
/// which load balancers give up an idle connection, so that it is they who close it.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);
/// HTTP/2: a silent peer is asked after this time, and dropped if it does not answer.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// HTTP/2: calls at one time on one connection. Callers share one connection, and a call may wait for seconds.
const MAX_STREAMS: u32 = 1024;
const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// HTTP/1: what is read of a head, and at one time of a body. More than of HTTP/2, where a head is packed.
const MAX_BUFFER_BYTES: usize = 128 * 1024;

/// One connection, from its first byte to its last.
pub(super) struct Connection {
    peer: SocketAddr,
    local: Option<SocketAddr>,
    router: Router,
    limits: ConnectionLimits,
    drain: Drain,
    /// Whether the head of a request was there.
    begun: Arc<AtomicBool>,
}

impl Connection {
    pub(super) fn new(
        peer: SocketAddr,
        local: Option<SocketAddr>,
        router: Router,
        limits: ConnectionLimits,
        drain: Drain,
    ) -> Self {
        let begun = Arc::new(AtomicBool::new(false));
        Self {
            peer,
            local,
            router,
            limits,
            drain,
            begun,
        }
    }

    pub(super) async fn serve(mut self, stream: TcpStream, tls: Option<Tls>) {
        let accepted = Instant::now();
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        // In this connection's own task, so that a slow handshake keeps nobody waiting.
        let Some(wire) = Wire::over(stream, tls.as_ref(), &mut self.drain).await else {
            return;
        };
        let certificates = wire.peer();
        let patience = self.limits.first_request.unwrap_or(HEADER_READ_TIMEOUT);
        let (version, io) = match open(wire, &mut self.drain, patience, self.limits.stalled).await {
            Ok(Some(opened)) => opened,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "connection ended");
                return;
            }
        };
        let service = self.service(version, certificates);
        let builder = builder(version);
        let mut connection = std::pin::pin!(builder.serve_connection(io, TowerToHyperService::new(service)));
        let (mut closing, mut patient) = (false, self.limits.first_request.is_none());
        let mut late = std::pin::pin!(sleep_until(accepted + patience));
        loop {
            tokio::select! {
                // First of all the connection: HTTP/1 that has read a part of a request finishes it, and closes what is idle.
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tell(&*error);
                    }
                    return;
                }
                () = self.drain.closing(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = late.as_mut(), if !patient => {
                    patient = true;
                    if !self.begun.load(Ordering::Relaxed) {
                        Ended::SlowRequest.count();
                        return;
                    }
                }
            }
        }
    }

    /// The router, with what each request is told of its connection.
    fn service(
        &self,
        version: Version,
        certificates: Option<PeerCertificates>,
    ) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + use<> {
        let asks_to_close = (version == Version::Http1).then(|| self.drain.clone());
        let (peer, local, begun) = (self.peer, self.local, Arc::clone(&self.begun));
        let router = self.router.clone();
        router
            .map_request(move |request: Request<_>| {
                begun.store(true, Ordering::Relaxed);
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
            })
    }
}

/// Notes why a connection ended that did not end well.
fn tell(error: &(dyn StdError + Send + Sync + 'static)) {
    if error.downcast_ref().is_some_and(hyper::Error::is_parse_too_large) {
        Ended::LargeHead.count();
    }
    tracing::debug!(error = %crate::Chain(error), "connection ended");
}

/// Runs what HTTP/2 does for each of its streams.
#[derive(Clone, Copy, Debug)]
struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(async move {
            if AssertUnwindSafe(stream).catch_unwind().await.is_err() {
                Panicked::Answer.count();
            }
        });
    }
}

fn builder(version: Version) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(Streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(MAX_BUFFER_BYTES);
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
