//! The operators' listener of a service: alive, ready, metrics, what is logged. It is apart from the service's own listener, so that it
//! can stay inside the cluster, and answers from the first moment to the last of the drain.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::settings::parse_duration;
use crate::telemetry::log_filter::{LogFilter, Unusable};
use crate::{Chain, Error, Readiness, telemetry};

/// How long a health check waits for its answer.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a service that is about to go still accepts connections, unless a setting says otherwise.
const LINGER: Duration = Duration::from_secs(1);

/// Settings of the operators' side of a service.
#[derive(clap::Args, Clone, Debug)]
pub struct OpsArgs {
    /// Address that answers /healthz, /readyz, /metrics and /log, such as 0.0.0.0:9090; not served when absent.
    #[arg(long, env = "OPS_LISTEN", value_name = "ADDRESS")]
    pub ops_listen: Option<SocketAddr>,
    /// Time a stop may take to finish what is under way, such as 10s; then it stops anyway.
    #[arg(long, env = "DRAIN_LIMIT", value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub drain_limit: Duration,
    /// Time for which a stop goes on accepting connections, so that balancers see in time that the service is not ready any
    /// more. Unless set, 1s where OPS_LISTEN is set, and none where nobody can ask. A part of DRAIN_LIMIT, half of it at most.
    #[arg(long, env = "DRAIN_LINGER", value_name = "DURATION", value_parser = parse_duration)]
    pub drain_linger: Option<Duration>,
}

impl OpsArgs {
    /// Whether the settings fit together.
    pub fn check(&self) -> Result<(), Error> {
        let too_long = self.drain_linger.is_some_and(|linger| linger > self.drain_limit / 2);
        match too_long {
            true => Err(Error::setting("DRAIN_LINGER", "is more than half of DRAIN_LIMIT")),
            false => Ok(()),
        }
    }

    /// How long a stop still accepts connections.
    pub(crate) fn linger(&self) -> Duration {
        let asked = self.ops_listen.map_or(Duration::ZERO, |_| LINGER);
        self.drain_linger.unwrap_or(asked)
    }
}

impl Default for OpsArgs {
    fn default() -> Self {
        Self {
            ops_listen: None,
            drain_limit: Duration::from_secs(10),
            drain_linger: None,
        }
    }
}

pub(crate) fn router(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/log", get(log).put(change_log).delete(restore_log))
        // A filter is short.
        .layer(DefaultBodyLimit::max(4096))
        .with_state(readiness)
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let report = readiness.report();
    let status = if report.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::json!({
        "state": report.standing(),
        "ready": report.is_ready(),
        "phase": report.phase,
        "dependencies": report.dependencies,
    });
    (status, Json(body)).into_response()
}

async fn metrics() -> Response {
    match telemetry::prometheus_text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::warn!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// How long another filter is in force.
#[derive(Deserialize)]
struct LogQuery {
    /// A duration such as `15m`; until the next change, or the end of the process, when absent.
    r#for: Option<String>,
}

async fn log() -> Response {
    match LogFilter::of_process() {
        Some(filter) => format!("{}\n", filter.present()).into_response(),
        None => not_ours(),
    }
}

async fn change_log(Query(query): Query<LogQuery>, body: String) -> Response {
    let Some(filter) = LogFilter::of_process() else {
        return not_ours();
    };
    let time = match query.r#for.as_deref().map(parse_duration).transpose() {
        Ok(time) => time,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("for: {error}\n")).into_response(),
    };
    match filter.replace(body.trim(), time) {
        Ok(()) => format!("{}\n", filter.present()).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{}\n", Chain(&error))).into_response(),
    }
}

async fn restore_log() -> Response {
    let restored = LogFilter::of_process().map(|filter| filter.restore().map(|()| filter.present()));
    match restored {
        Some(Ok(present)) => format!("{present}\n").into_response(),
        Some(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", Chain(&error))).into_response(),
        None => not_ours(),
    }
}

fn not_ours() -> Response {
    (StatusCode::NOT_FOUND, format!("{}\n", Unusable::NotOurs)).into_response()
}

/// Asks the service whose operators' listener is at `addr` whether it is ready, within two seconds. For an image
/// without a shell, this is the whole health check.
pub async fn healthcheck(addr: SocketAddr) -> Result<(), Error> {
    let addr = reachable(addr);
    let answer = match timeout(HEALTHCHECK_TIMEOUT, ask_readyz(addr)).await {
        Ok(answer) => answer,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
    };
    let status_line = answer.map_err(|source| Error::NoAnswer { addr, source })?;
    match status_line.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(Error::NotReady {
            addr,
            answer: status_line,
        }),
    }
}

/// One request by hand: an HTTP client would be a large thing for a status line.
async fn ask_readyz(addr: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    stream.take(1024).read_to_end(&mut head).await?;
    Ok(String::from_utf8_lossy(&head)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

/// A service that listens on every address is asked on this host's own.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(if addr.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    addr
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Phase;
    use crate::{Lifecycle, bind};

    fn on_any_port() -> OpsArgs {
        OpsArgs {
            ops_listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            drain_linger: Some(Duration::ZERO),
            ..OpsArgs::default()
        }
    }

    async fn get(addr: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn readyz_reflects_phase_and_dependencies() {
        let life = Lifecycle::start("test", &on_any_port()).await.unwrap();
        let (readiness, store) = (life.readiness.clone(), life.readiness.dependency("store"));
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        store.ready();
        let running = crate::serve_http(listener, Router::new(), life).unwrap();
        let addr = running.ops_addr.unwrap();
        healthcheck(addr).await.unwrap();

        store.not_ready("connection refused");
        let answer = get(addr, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        let body: serde_json::Value = serde_json::from_str(answer.lines().last().unwrap()).unwrap();
        let expected = serde_json::json!({
            "state": "not_ready",
            "ready": false,
            "phase": "running",
            "dependencies": { "store": { "state": "not_ready", "reason": "connection refused" } },
        });
        assert_eq!(body, expected);
        assert!(matches!(healthcheck(addr).await, Err(Error::NotReady { .. })));
        assert!(
            get(addr, "/healthz").await.starts_with("HTTP/1.1 200 "),
            "liveness is not readiness"
        );

        store.degraded("one replica");
        healthcheck(addr).await.unwrap();
        readiness.enter(Phase::Draining);
        assert!(matches!(healthcheck(addr).await, Err(Error::NotReady { .. })));
        assert!(running.stop(Duration::from_secs(5)).await);
        assert!(matches!(healthcheck(addr).await, Err(Error::NoAnswer { .. })));
    }

    #[test]
    fn a_stop_lingers_where_somebody_asks_for_readiness() {
        let (unasked, asked) = (OpsArgs::default(), on_any_port());
        assert_eq!(unasked.linger(), Duration::ZERO);
        let linger = |drain_linger| {
            let args = OpsArgs {
                drain_linger,
                ..asked.clone()
            };
            (args.linger().as_secs(), args.check().is_ok())
        };
        assert_eq!(linger(None), (1, true));
        assert_eq!(linger(Some(Duration::ZERO)), (0, true));
        assert_eq!(linger(Some(Duration::from_secs(5))), (5, true));
        assert_eq!(linger(Some(Duration::from_secs(6))), (6, false));
    }

    #[test]
    fn an_address_that_means_all_is_asked_on_this_host() {
        for (given, asked) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ] {
            assert_eq!(reachable(given.parse().unwrap()).to_string(), asked);
        }
    }
}
