//! What a listener's limits cut, at real sockets: too many connections, requests that do not arrive, answers that nobody takes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use service_runtime::{ConnectionLimits, Lifecycle, Listener, OpsArgs, Running, bind, serve_http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(300);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

async fn start(router: Router, limits: ConnectionLimits) -> Running {
    let life = Lifecycle::start("test", &OpsArgs::default()).await.unwrap();
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    serve_http(Listener::from(listener).with_limits(limits), router, life).unwrap()
}

fn greeting() -> Router {
    Router::new().route("/", get(|| async { "done" }))
}

/// Everything that still comes; the peer has ended the connection when this returns.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    // A connection that is reset has ended too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut heard))
        .await
        .expect("the connection ends");
    heard
}

async fn answer(stream: &mut TcpStream) -> String {
    stream.write_all(GET).await.unwrap();
    let mut heard = [0; 1024];
    let read = timeout(PATIENCE, stream.read(&mut heard)).await.unwrap().unwrap();
    String::from_utf8_lossy(&heard[..read]).into_owned()
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_gets_its_places_back() {
    let limits = ConnectionLimits {
        per_address: Some(2),
        ..ConnectionLimits::default()
    };
    let running = start(greeting(), limits.clone()).await;
    let connect = async || TcpStream::connect(running.addr).await.unwrap();
    let mut held = [connect().await, connect().await];
    for stream in &mut held {
        assert!(answer(stream).await.ends_with("done"));
    }
    assert_eq!(rest(&mut connect().await).await, b"");
    // Another address of this machine is somebody else.
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind(([127, 0, 0, 2], 0).into()).unwrap();
    let mut other = other.connect(running.addr).await.unwrap();
    assert!(answer(&mut other).await.ends_with("done"));
    drop(held);
    let again = async {
        loop {
            let mut stream = connect().await;
            if stream.write_all(GET).await.is_ok() && stream.read(&mut [0; 1]).await.is_ok_and(|read| read > 0) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();

    let exempt = ConnectionLimits {
        unlimited: vec!["127.0.0.0/8".parse().unwrap()],
        ..limits
    };
    let running = start(greeting(), exempt).await;
    let mut many = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(running.addr).await.unwrap();
        assert!(answer(&mut stream).await.ends_with("done"));
        many.push(stream);
    }
}

#[tokio::test]
async fn a_first_request_that_does_not_arrive_is_not_waited_for() {
    let limits = ConnectionLimits {
        first_request: Some(SOON),
        ..ConnectionLimits::default()
    };
    let running = start(greeting(), limits).await;
    let mut silent = TcpStream::connect(running.addr).await.unwrap();
    assert_eq!(rest(&mut silent).await, b"");
    // A byte now and then, as Slowloris sends them; none of them buys time.
    for head in [
        &b"GET / HTTP/1.1\r\nx: "[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI",
    ] {
        let mut stream = TcpStream::connect(running.addr).await.unwrap();
        stream.write_all(head).await.unwrap();
        let trickled = async {
            while stream.write_all(b"a").await.is_ok() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, trickled).await.expect("the connection ends");
    }
    // Who has asked once may be silent for longer.
    let mut idle = TcpStream::connect(running.addr).await.unwrap();
    assert!(answer(&mut idle).await.ends_with("done"));
    sleep(SOON * 2).await;
    assert!(answer(&mut idle).await.ends_with("done"));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_broken_off() {
    let (tell, mut gone) = mpsc::unbounded_channel();
    let endless = move || {
        let told = Told(tell.clone());
        async move {
            let chunk = Bytes::from(vec![b'x'; 64 << 10]);
            Body::from_stream(stream::repeat_with(move || {
                let _ = &told;
                Ok::<_, std::io::Error>(chunk.clone())
            }))
        }
    };
    let limits = ConnectionLimits {
        stalled: Some(SOON),
        ..ConnectionLimits::default()
    };
    let running = start(Router::new().route("/", get(endless)), limits).await;
    let mut stream = TcpStream::connect(running.addr).await.unwrap();
    stream.write_all(GET).await.unwrap();
    // As long as something is taken, it goes on.
    let began = Instant::now();
    let mut some = vec![0; 64 << 10];
    while began.elapsed() < SOON * 3 {
        stream.read_exact(&mut some).await.unwrap();
    }
    assert!(gone.try_recv().is_err());
    timeout(PATIENCE, gone.recv()).await.unwrap().unwrap();
    drop(running);
}

/// Tells when it is dropped.
struct Told(mpsc::UnboundedSender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
