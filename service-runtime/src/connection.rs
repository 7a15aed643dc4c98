//! How a service calls another by gRPC. A network channel and a server in the same process are one type, so neither the
//! caller nor its tests can tell them apart: both carry the trace, the deadline and the full encoding.

use std::convert::Infallible;
use std::error::Error as _;
use std::iter::successors;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::uri::Authority;
use http::{Request, Response, Uri};
use http_body::Body;
use tonic::transport::Endpoint;
use tonic::{ConnectError, Status};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;

use crate::access::{GrpcCallArgs, SharedToken};
use crate::deadline::{self, DeadlineLayer};
use crate::observe::{grpc_client_layer, grpc_server_layer};
use crate::{Error, Panicked, install_crypto_provider};

mod dial;

use dial::Dial;

/// What a generated client is given: `UserServiceClient::new(connection)`. Cloning is cheap and shares the channel.
pub type Connection = BoxCloneSyncService<Request<tonic::body::Body>, Response<tonic::body::Body>, CallFailed>;

/// No answer came: the peer cannot be reached, or the connection broke. A generated client makes a `Status` of it.
///
/// A type of its own and not a boxed error: the compiler cannot prove that a future which holds a client with a boxed
/// error is `Send`.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
pub struct CallFailed(#[source] BoxError);

/// How long a connection attempt may take; after that the call fails as unavailable, and the next one tries again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The port of `https`, where the address names none.
const HTTPS: u16 = 443;
/// How often a peer that has been silent is asked whether it is still there, and how long it may take to say so.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to `uri` (`http://host:port`, or `https` to a peer that the system's authorities vouch for). Nothing is
/// opened before the first call, and a lost connection is opened anew by the next. A call without a deadline of its own
/// gets `request_timeout`, which covers the wait for the answer's head; zero means none.
///
/// Must be called inside a tokio runtime.
pub fn connect(uri: &str, request_timeout: Duration) -> Result<Connection, Error> {
    connect_as(uri, request_timeout, &GrpcCallArgs::default())
}

/// As [`connect`], known to the peer by what the settings say, and trusting whom they say.
pub fn connect_as(uri: &str, request_timeout: Duration, call: &GrpcCallArgs) -> Result<Connection, Error> {
    let token = SharedToken::new(&call.own)?;
    let endpoint = endpoint(uri)?;
    let asked = endpoint.uri().clone();
    let channel = match (asked.scheme_str(), asked.host()) {
        (Some("http"), Some(host)) => {
            if token.is_some() && !is_this_machine(host) {
                tracing::warn!(
                    uri,
                    "GRPC_TOKEN goes there in clear: whoever is in between can read it; https would hide it"
                );
            }
            endpoint.connect_lazy()
        }
        (Some("https"), Some(host)) => {
            install_crypto_provider();
            let dial = Arc::new(Dial::new(host, asked.port_u16().unwrap_or(HTTPS), call)?);
            // The dialling is ours, TLS included: tonic would ask for TLS of its own if it saw the scheme.
            let opaque = format!("http://{}", asked.authority().map_or("", Authority::as_str));
            let connector = tower::service_fn(move |_: Uri| Arc::clone(&dial).open());
            self::endpoint(&opaque)?
                .origin(asked)
                .connect_with_connector_lazy(connector)
        }
        _ => {
            return Err(Error::setting(
                uri,
                "expected an address of the form http://host:port or https://host:port",
            ));
        }
    };
    Ok(client(
        channel.map_err(|error| CallFailed(error.into())),
        request_timeout,
        token,
    ))
}

/// Whether what a call over TLS needs can be read.
pub(crate) fn check(call: &GrpcCallArgs) -> Result<(), Error> {
    dial::read(call).map(drop)
}

fn endpoint(uri: &str) -> Result<Endpoint, Error> {
    let invalid = |source| Error::Address {
        uri: uri.to_owned(),
        source,
    };
    let endpoint = Endpoint::from_shared(uri.to_owned()).map_err(invalid)?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true))
}

/// A connection to a generated server, or to whole `Routes`, in this process: no socket, but the full encoding, its own
/// server span, and the caller's deadline.
pub fn in_process<S, B>(service: S) -> Connection
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let guarded = DeadlineLayer.layer(catch_panic().layer(service));
    let server = grpc_server_layer()
        .layer(guarded)
        .map_response(|response| response.map(tonic::body::Body::new));
    client(server.map_err(|never: Infallible| match never {}), Duration::ZERO, None)
}

/// Turns a handler's panic into `INTERNAL`; the panic hook has logged it.
pub(crate) fn catch_panic() -> CatchPanicLayer<PanicAnswer> {
    CatchPanicLayer::custom(answer_panic as PanicAnswer)
}

pub(crate) type PanicAnswer = fn(Box<dyn std::any::Any + Send>) -> Response<tonic::body::Body>;

fn answer_panic(_panic: Box<dyn std::any::Any + Send>) -> Response<tonic::body::Body> {
    Panicked::Grpc.count();
    Status::internal("internal error").into_http()
}

fn client<S>(transport: S, request_timeout: Duration, token: Option<SharedToken>) -> Connection
where
    S: Service<Request<tonic::body::Body>, Response = Response<tonic::body::Body>, Error = CallFailed>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let limit = (!request_timeout.is_zero()).then(|| deadline::header(request_timeout));
    let limited = transport.map_request(move |mut request: Request<tonic::body::Body>| {
        if let Some(limit) = &limit {
            request
                .headers_mut()
                .entry(deadline::GRPC_TIMEOUT)
                .or_insert_with(|| limit.clone());
        }
        if let Some(token) = &token {
            request.headers_mut().insert(AUTHORIZATION, token.sent());
        }
        request
    });
    let observed = grpc_client_layer().layer(limited);
    BoxCloneSyncService::new(observed.map_response(|response| response.map(tonic::body::Body::new)))
}

/// Whether the peer certainly did nothing about a call that failed, so that sending it again is sending it once: there was
/// no connection, the call never left this process, or the peer said that it refused the stream (RFC 9113 §8.7) or had
/// stopped looking at streams before it (§6.8), as one that is being restarted does.
pub fn never_processed(status: &Status) -> bool {
    // tonic keeps the cause of what it made up itself; a status that travelled has none.
    let mut causes = successors(status.source(), |&cause| cause.source());
    causes.any(|cause| {
        let unsent = |error: &hyper::Error| error.is_canceled();
        let refused = |error: &h2::Error| {
            error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
        };
        cause.is::<ConnectError>()
            || cause.downcast_ref().is_some_and(unsent)
            || cause.downcast_ref().is_some_and(refused)
    })
}

/// Whether a URL's host is this machine. What leads elsewhere (a proxy of the environment) or guards the way there (TLS)
/// has no place in between.
pub fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;

    #[tokio::test]
    async fn an_address_without_a_scheme_or_host_is_refused() {
        for uri in ["", "identity:50051", "localhost", "ftp://host", "http://", "http://a b"] {
            assert!(connect(uri, Duration::ZERO).is_err(), "{uri:?}");
        }
        connect("http://127.0.0.1:1", Duration::from_secs(1)).unwrap();
    }

    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;

    /// A frame without flags (RFC 9113 §4.1).
    fn frame(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, 0, 0, 0, 0, stream], payload].concat()
    }

    /// Fails one call: the peer answers its headers with this, and ends the connection.
    async fn fails_by(answer: Vec<u8>) -> Status {
        let listener = crate::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let peer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&frame(SETTINGS, 0, &[])).await.unwrap();
            stream.read_exact(&mut [0; 24]).await.unwrap();
            let mut head = [0; 9];
            while head[3] != HEADERS {
                stream.read_exact(&mut head).await.unwrap();
                let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
                stream.read_exact(&mut payload).await.unwrap();
            }
            stream.write_all(&answer).await.unwrap();
        };
        tokio::join!(call(addr), peer).0
    }

    async fn call(addr: SocketAddr) -> Status {
        let connection = connect(&format!("http://{addr}"), Duration::from_secs(20)).unwrap();
        let mut client = HealthClient::new(connection);
        client.check(HealthCheckRequest::default()).await.unwrap_err()
    }

    #[tokio::test]
    async fn what_a_peer_never_looked_at_is_told_from_what_it_may_have_done() {
        let goes_away = |last: u8| frame(GOAWAY, 0, &[0, 0, 0, last, 0, 0, 0, 0]);
        let resets = |code: u8| frame(RST_STREAM, 1, &[0, 0, 0, code]);
        let (cancel, refused, internal) = (8, 7, 2);
        for (what, answer, expected) in [
            ("it goes, and has not seen the call", goes_away(0), true),
            ("it goes, and has seen the call", goes_away(1), false),
            ("it refuses the stream", resets(refused), true),
            ("it breaks the stream off", resets(internal), false),
            ("it cancels the stream", resets(cancel), false),
            ("the connection breaks", Vec::new(), false),
        ] {
            let status = fails_by(answer).await;
            assert_eq!(never_processed(&status), expected, "{what}: {status:?}");
        }
        let nobody = crate::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let addr = nobody.local_addr().unwrap();
        drop(nobody);
        let status = call(addr).await;
        assert!(never_processed(&status), "nobody listens: {status:?}");
        assert!(!never_processed(&Status::unavailable("it says so itself")));
    }
}
