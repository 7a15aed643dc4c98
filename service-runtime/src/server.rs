//! Servers that bind before they serve, tell their readiness, and stop: first by draining within a limit, then anyway.
//! HTTP and gRPC share one accept loop, because both need the same bounds: connections, time for a request's head, and
//! a silent peer's patience. Knows no route; a service brings its router or its gRPC routes.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::access::{Access, GuardLayer};
use crate::connection::catch_panic;
use crate::deadline::DeadlineLayer;
use crate::health::{Phase, measured};
use crate::{Error, OpsArgs, Readiness, Tasks, Tls, bind, grpc_server_layer, ops};

mod accept;
mod connection;
mod drain;
mod limits;
mod opening;
mod rewound;
mod wire;

use accept::Acceptor;
use drain::Stages;
pub use limits::ConnectionLimits;

/// How long connections that were cut may take to vanish.
const CUT_PATIENCE: Duration = Duration::from_secs(1);

/// What lives and dies with one service besides its listener: readiness, background tasks, the operators' listener.
///
/// Dropping it (or the [`Running`] it becomes) ends all of it at once, as a crash would.
pub struct Lifecycle {
    /// Names the dependencies and tells their state.
    pub readiness: Readiness,
    /// The background tasks.
    pub tasks: Tasks,
    stages: Stages,
    linger: Duration,
    connections: TaskTracker,
    ops: Option<Ops>,
    cut: CancellationToken,
    cut_on_drop: DropGuard,
}

/// The operators' listener: it outlives the drain, so that the drain can be watched.
struct Ops {
    addr: SocketAddr,
    stages: Stages,
    connections: TaskTracker,
}

impl Lifecycle {
    /// Begins the life of the service of that name; its operators' listener answers at once, with "starting".
    pub async fn start(service: &'static str, args: &OpsArgs) -> Result<Self, Error> {
        let cut = CancellationToken::new();
        let readiness = Readiness::until(cut.child_token());
        measured::register(service, &readiness);
        let tasks = Tasks::new(cut.clone());
        let ops = match args.ops_listen {
            None => None,
            Some(addr) => {
                let listener = bind(addr).await?;
                let ops = Ops {
                    addr: local_addr(&listener, addr)?,
                    stages: Stages::new(),
                    connections: TaskTracker::new(),
                };
                let acceptor = Acceptor {
                    router: ops::router(readiness.clone()),
                    tls: None,
                    limits: ConnectionLimits::default(),
                    drain: ops.stages.follow(),
                    cut: cut.clone(),
                    connections: ops.connections.clone(),
                };
                tokio::spawn(acceptor.run(listener));
                Some(ops)
            }
        };
        let cut_on_drop = cut.clone().drop_guard();
        Ok(Self {
            readiness,
            tasks,
            stages: Stages::new(),
            linger: args.linger(),
            connections: TaskTracker::new(),
            ops,
            cut,
            cut_on_drop,
        })
    }

    /// Cancelled in a drain when nothing new is accepted any more. A stream that never ends by itself must end on it, or it
    /// holds up the drain until the limit; were it to end earlier, its client would come back to the same service.
    pub fn closing(&self) -> CancellationToken {
        self.readiness.closing()
    }

    /// Serves another router beside the service's own, until the service ends: what is not its work, and must be on another port. It
    /// drains with the service.
    pub fn serve_beside(&self, listener: Listener, router: Router) {
        let Listener { tcp, tls, limits } = listener;
        tokio::spawn(self.acceptor(router, tls, limits).run(tcp));
    }

    fn acceptor(&self, router: Router, tls: Option<Tls>, limits: ConnectionLimits) -> Acceptor {
        Acceptor {
            router,
            tls,
            limits,
            drain: self.stages.follow(),
            cut: self.cut.clone(),
            connections: self.connections.clone(),
        }
    }

    fn serve(self, listener: Listener, router: Router) -> Result<Running, Error> {
        let Listener { tcp, tls, limits } = listener;
        let addr = local_addr(&tcp, SocketAddr::from(([0, 0, 0, 0], 0)))?;
        let accepting = self.acceptor(router, tls, limits).run(tcp);
        let closing = self.closing();
        self.tasks.spawn("server", |stop| async move {
            accepting.await;
            // Accepting ends with the drain, before background tasks are told to stop.
            closing.cancelled().await;
            stop.cancelled().await;
        });
        self.readiness.enter(Phase::Running);
        let ops_addr = self.ops.as_ref().map(|ops| ops.addr);
        Ok(Running {
            addr,
            ops_addr,
            life: self,
        })
    }
}

/// What a server listens on, and how. A bound socket alone is one without TLS, and with no limits but those of every listener.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Tls>,
    limits: ConnectionLimits,
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self {
            tcp,
            tls: None,
            limits: ConnectionLimits::default(),
        }
    }
}

impl Listener {
    /// The same with TLS on every connection, or without.
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// The same with bounds of its connections.
    pub fn with_limits(self, limits: ConnectionLimits) -> Self {
        Self { limits, ..self }
    }
}

/// Serves a router. The router brings its own layers; [`crate::http_server_layer`] among them.
pub fn serve_http(listener: impl Into<Listener>, router: Router, lifecycle: Lifecycle) -> Result<Running, Error> {
    lifecycle.serve(listener.into(), router)
}

/// Serves gRPC routes to those who may call, with a span, the caller's deadline and a guard against panics around each call.
/// [`crate::grpc_routes`] adds health and reflection to the routes.
pub fn serve_grpc(
    listener: impl Into<Listener>,
    routes: Routes,
    access: Access,
    lifecycle: Lifecycle,
) -> Result<Running, Error> {
    if access.is_told() {
        let state = lifecycle.readiness.dependency("callers");
        let follow = access.clone();
        lifecycle.tasks.spawn("callers", |stop| follow.follow(state, stop));
    }
    let router = routes.prepare().into_axum_router();
    // The outermost first. Given one by one, each would put every route into another box.
    let around = (grpc_server_layer(), GuardLayer(access), DeadlineLayer, catch_panic());
    lifecycle.serve(listener.into(), router.layer(around))
}

/// A service that serves.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where it answers operators, if it does.
    pub ops_addr: Option<SocketAddr>,
    life: Lifecycle,
}

impl Running {
    /// The service's readiness.
    pub fn readiness(&self) -> &Readiness {
        &self.life.readiness
    }

    /// Resolves when the server or a background task has ended without being told to.
    pub async fn failed(&self) -> Error {
        Error::Ended(self.life.tasks.failed().await)
    }

    /// Drains within `grace`, then stops anyway and says so. Returns whether everything came to its end.
    ///
    /// From the first moment on it is not ready; `DRAIN_LINGER` later, or when half of the time is over, it accepts
    /// nothing more. Requests under way may need the background tasks, so these are told to stop after the last request,
    /// or when three quarters of the time are over.
    pub async fn stop(self, grace: Duration) -> bool {
        let Lifecycle {
            readiness,
            tasks,
            stages,
            linger,
            connections,
            ops,
            cut,
            cut_on_drop,
        } = self.life;
        let began = Instant::now();
        readiness.enter(Phase::Draining);
        stages.linger();
        if !linger.is_zero() {
            sleep(linger.min(grace / 2)).await;
        }
        stages.close(grace / 8);
        readiness.closing().cancel();
        connections.close();
        let requests_end = began + grace.mul_f64(0.75);
        let requests_ended = timeout_at(requests_end, connections.wait()).await.is_ok();
        let tasks_ended = timeout_at(began + grace, tasks.stop()).await.is_ok();
        // What is still open may have ended while the tasks did.
        let drained = tasks_ended && (requests_ended || timeout_at(began + grace, connections.wait()).await.is_ok());
        if drained {
            tracing::info!(addr = %self.addr, "drained");
        } else {
            let (open_connections, open_tasks) = (connections.len(), tasks.running());
            tracing::warn!(addr = %self.addr, open_connections, open_tasks, "the drain's limit is over; stopping anyway");
        }
        if let Some(ops) = &ops {
            ops.stages.close(Duration::ZERO);
            ops.connections.close();
        }
        cut.cancel();
        let gone = async {
            connections.wait().await;
            if let Some(ops) = &ops {
                ops.connections.wait().await;
            }
            tasks.stop().await;
        };
        // A handler that blocks its thread cannot be cut; the process's end will.
        let _ = timeout(CUT_PATIENCE, gone).await;
        drop(cut_on_drop);
        drained
    }
}

fn local_addr(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, Error> {
    listener
        .local_addr()
        .map_err(|source| Error::Bind { addr: asked, source })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::Notify;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn start(router: Router, tasks: impl FnOnce(&Tasks)) -> Running {
        let life = Lifecycle::start("test", &OpsArgs::default()).await.unwrap();
        tasks(&life.tasks);
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        serve_http(listener, router, life).unwrap()
    }

    async fn send(addr: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn a_request_under_way_completes_in_a_drain_and_tasks_outlive_it() {
        let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
            move || async move {
                entered.notify_one();
                release.notified().await;
                "done"
            }
        };
        // The background task lets the request go on; were it stopped first, the request would never end.
        let running = start(Router::new().route("/", get(handler)), |tasks| {
            tasks.spawn("releases", |stop| async move {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(Duration::from_millis(50)) => release.notify_one(),
                }
                stop.cancelled().await;
            });
        })
        .await;
        let addr = running.addr;
        let mut stream = send(addr, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        entered.notified().await;
        assert!(running.stop(PATIENCE).await, "nothing hangs");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"),
            "{answer}"
        );
        TcpStream::connect(addr).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_drain_with_a_hanging_client_ends_at_the_limit() {
        let entered = Arc::new(Notify::new());
        let handler = {
            let entered = Arc::clone(&entered);
            move |body: axum::body::Body| async move {
                entered.notify_one();
                axum::body::to_bytes(body, 100).await.map_or("broken", |_| "whole")
            }
        };
        let running = start(Router::new().route("/", post(handler)), |_| {}).await;
        let mut stream = send(
            running.addr,
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf",
        )
        .await;
        entered.notified().await;
        let began = Instant::now();
        assert!(!running.stop(Duration::from_millis(400)).await, "it did not drain");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(400) && took < PATIENCE, "{took:?}");
        let cut = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(cut.is_ok(), "the connection is closed at the limit");
    }

    #[tokio::test]
    async fn a_task_that_does_not_stop_is_cut_at_the_limit() {
        let running = start(Router::new(), |tasks| tasks.spawn("deaf", |_| std::future::pending())).await;
        let tasks = running.life.tasks.clone();
        assert!(!running.stop(Duration::from_millis(100)).await);
        assert_eq!(tasks.running(), 0);
    }

    #[tokio::test]
    async fn dropping_a_service_ends_it_at_once() {
        let running = start(Router::new().route("/", get(std::future::pending::<()>)), |_| {}).await;
        let mut stream = send(running.addr, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        drop(running);
        let read = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(read.is_ok(), "the connection is closed");
    }

    #[tokio::test]
    async fn a_task_that_ends_fails_the_service() {
        let running = start(Router::new(), |tasks| tasks.spawn("relay", |_| async {})).await;
        let failure = timeout(PATIENCE, running.failed()).await.unwrap();
        assert_eq!(failure.to_string(), "background task relay ended by itself");
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let taken = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let addr = taken.local_addr().unwrap();
        assert_eq!(
            bind(addr).await.unwrap_err().to_string(),
            format!("cannot listen on {addr}")
        );
    }
}
