//! What a drain does to connections, at real sockets: whoever came before the end of the linger is served, and told to go.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use service_runtime::health::{Phase, is_draining};
use service_runtime::{Access, Lifecycle, OpsArgs, Running, bind, connect, grpc_routes, serve_grpc, serve_http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const PATIENCE: Duration = Duration::from_secs(20);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// A service that answers `/` at once and `/slow` when it is let, and what is needed to watch its drain.
struct Served {
    running: Running,
    addr: SocketAddr,
    closing: CancellationToken,
    entered: Arc<Notify>,
    release: Arc<Notify>,
}

async fn start(linger: Duration) -> Served {
    let life = life(linger).await;
    let closing = life.closing();
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
        || async move {
            entered.notify_one();
            release.notified().await;
            "done"
        }
    };
    let router = Router::new()
        .route("/", get(|| async { "done" }))
        .route("/slow", get(slow));
    let running = serve_http(bind(ANY_PORT.into()).await.unwrap(), router, life).unwrap();
    Served {
        addr: running.addr,
        running,
        closing,
        entered,
        release,
    }
}

async fn life(linger: Duration) -> Lifecycle {
    let ops = OpsArgs {
        drain_linger: Some(linger),
        ..OpsArgs::default()
    };
    Lifecycle::start("test", &ops).await.unwrap()
}

async fn draining(running: &Running) -> impl Future<Output = ()> + use<> {
    let mut reports = running.readiness().subscribe();
    async move {
        let begun = reports.wait_for(|report| report.phase == Phase::Draining);
        timeout(PATIENCE, begun).await.unwrap().unwrap();
    }
}

/// The answer to a request on this connection, which ends after it.
async fn last_answer(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
    read.expect("the connection ends").unwrap();
    answer
}

/// The answer to a request on this connection, which goes on.
async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        let read = timeout(PATIENCE, stream.read_buf(&mut answer)).await.unwrap();
        assert!(read.unwrap() > 0, "{answer:?}");
    }
    String::from_utf8(answer).unwrap()
}

fn is_last(answer: &str) -> bool {
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"),
        "{answer:?}"
    );
    answer.contains("\r\nconnection: close\r\n")
}

/// Has the service accept what was opened before: the queue is taken in its order.
async fn accepted(addr: SocketAddr) {
    let mut later = TcpStream::connect(addr).await.unwrap();
    later.write_all(GET).await.unwrap();
    assert!(!is_last(&answer(&mut later).await));
}

#[tokio::test]
async fn a_connection_that_was_silent_before_the_drain_is_still_served() {
    let Served {
        running, addr, closing, ..
    } = start(Duration::ZERO).await;
    let mut silent = TcpStream::connect(addr).await.unwrap();
    accepted(addr).await;
    let stop = tokio::spawn(running.stop(PATIENCE));
    timeout(PATIENCE, closing.cancelled()).await.unwrap();
    // The clock is ours while the service waits, so that a machine that stands still meanwhile changes nothing.
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(900)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    silent.try_write(GET).unwrap();
    tokio::time::resume();
    assert!(is_last(&last_answer(&mut silent).await));
    assert!(stop.await.unwrap());
}

#[tokio::test]
async fn a_request_that_has_begun_to_arrive_is_served() {
    let Served {
        running, addr, closing, ..
    } = start(Duration::ZERO).await;
    let mut begun = Vec::new();
    // Less than tells HTTP/1 from HTTP/2, and more.
    for length in [1, 3, GET.len() - 2] {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&GET[..length]).await.unwrap();
        begun.push((stream, length));
    }
    accepted(addr).await;
    let stop = tokio::spawn(running.stop(PATIENCE));
    timeout(PATIENCE, closing.cancelled()).await.unwrap();
    for (stream, length) in &mut begun {
        stream.write_all(&GET[*length..]).await.unwrap();
        assert!(is_last(&last_answer(stream).await), "{length}");
    }
    assert!(stop.await.unwrap());
}

#[tokio::test]
async fn a_connection_of_the_linger_is_served() {
    let Served {
        running, addr, closing, ..
    } = start(PATIENCE).await;
    let begun = draining(&running).await;
    let stop = tokio::spawn(running.stop(PATIENCE * 2));
    begun.await;
    for _ in 0..3 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(GET).await.unwrap();
        assert!(is_last(&last_answer(&mut stream).await));
    }
    assert!(!closing.is_cancelled());
    stop.abort();
}

#[tokio::test]
async fn what_waits_to_be_accepted_is_served() {
    let Served {
        running, addr, closing, ..
    } = start(Duration::ZERO).await;
    // Nothing here waits, so the service's tasks do not run: all of these stand in the system's queue.
    let mut waiting: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
    let (speak, are_silent) = waiting.split_at_mut(10);
    for stream in speak {
        stream.write_all(GET).unwrap();
    }
    let stop = tokio::spawn(running.stop(PATIENCE));
    timeout(PATIENCE, closing.cancelled()).await.unwrap();
    for stream in are_silent {
        stream.write_all(GET).unwrap();
    }
    assert!(stop.await.unwrap());
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(is_last(&answer));
    }
    TcpStream::connect(addr).await.unwrap_err();
}

#[tokio::test]
async fn connections_that_are_kept_are_told_to_close_and_idle_ones_are_closed() {
    // In the linger a kept connection is served once more.
    let Served { running, addr, .. } = start(PATIENCE).await;
    let mut kept = TcpStream::connect(addr).await.unwrap();
    kept.write_all(GET).await.unwrap();
    assert!(!is_last(&answer(&mut kept).await));
    let begun = draining(&running).await;
    let stop = tokio::spawn(running.stop(PATIENCE * 2));
    begun.await;
    kept.write_all(GET).await.unwrap();
    assert!(is_last(&last_answer(&mut kept).await));
    stop.abort();

    // After it nobody waits for an idle one; what is under way ends, and says that it was the last.
    let served = start(Duration::ZERO).await;
    let (mut idle, mut busy) = tokio::join!(TcpStream::connect(served.addr), TcpStream::connect(served.addr));
    let (idle, busy) = (idle.as_mut().unwrap(), busy.as_mut().unwrap());
    idle.write_all(GET).await.unwrap();
    assert!(!is_last(&answer(idle).await));
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    served.entered.notified().await;
    let stop = tokio::spawn(served.running.stop(PATIENCE));
    assert_eq!(last_answer(idle).await, "");
    assert!(!stop.is_finished());
    served.release.notify_one();
    assert!(is_last(&last_answer(busy).await));
    assert!(stop.await.unwrap());
}

#[tokio::test]
async fn clients_that_hang_do_not_keep_the_service() {
    // One that never speaks is given up soon, and is no reason to call the drain unclean.
    let Served { running, addr, .. } = start(Duration::ZERO).await;
    let mut silent = TcpStream::connect(addr).await.unwrap();
    accepted(addr).await;
    let began = Instant::now();
    assert!(running.stop(3 * PATIENCE).await);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert_eq!(last_answer(&mut silent).await, "");

    // One that stops in the middle of a request is given up at the limit.
    for begun in [&b"G"[..], b"PRI *", b"GET / HTTP/1.1\r\n"] {
        let Served { running, addr, .. } = start(Duration::ZERO).await;
        let mut hanging = TcpStream::connect(addr).await.unwrap();
        hanging.write_all(begun).await.unwrap();
        accepted(addr).await;
        let began = Instant::now();
        assert!(!running.stop(Duration::from_millis(400)).await);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(400) && took < PATIENCE, "{took:?}");
        let cut = timeout(PATIENCE, hanging.read_to_end(&mut Vec::new())).await;
        assert!(cut.is_ok(), "the connection is closed at the limit");
    }
}

#[tokio::test]
async fn the_linger_leaves_time_for_the_requests() {
    let Served {
        running, addr, closing, ..
    } = start(PATIENCE * 100).await;
    let stop = tokio::spawn(running.stop(Duration::from_millis(400)));
    timeout(PATIENCE, closing.cancelled()).await.unwrap();
    assert!(stop.await.unwrap());
    TcpStream::connect(addr).await.unwrap_err();
}

#[tokio::test]
async fn grpc_goes_on_in_the_linger_and_ends_gracefully() {
    let life = life(Duration::from_secs(1)).await;
    let closing = life.closing();
    let routes = grpc_routes(Routes::default(), &life.readiness, &[]).unwrap();
    let running = serve_grpc(bind(ANY_PORT.into()).await.unwrap(), routes, Access::open(), life).unwrap();
    let url = format!("http://{}", running.addr);
    let begun = draining(&running).await;
    let client = || HealthClient::new(connect(&url, PATIENCE).unwrap());
    let (mut old, mut new) = (client(), client());
    let serving = old.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(serving.get_ref().status(), ServingStatus::Serving);
    assert!(!is_draining(&serving));
    let mut watch = old.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let mut told = async || watch.message().await.unwrap().map(|told| told.status());
    assert_eq!(told().await, Some(ServingStatus::Serving));

    let stop = tokio::spawn(running.stop(PATIENCE));
    begun.await;
    assert_eq!(told().await, Some(ServingStatus::NotServing));
    let mut calls = 0;
    while !closing.is_cancelled() {
        for client in [&mut old, &mut new] {
            match client.check(HealthCheckRequest::default()).await {
                Ok(answer) => assert!(is_draining(&answer)),
                Err(status) => assert!(
                    closing.is_cancelled() && service_runtime::never_processed(&status),
                    "{status:?}"
                ),
            }
            calls += 1;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(calls > 0);
    assert_eq!(told().await, None, "the stream ends as a stream does");
    assert!(stop.await.unwrap());
}
