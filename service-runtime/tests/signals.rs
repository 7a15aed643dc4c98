//! What signals do to a running service, and what its exit code then says. Signals are process-wide, hence a test
//! binary of its own with one test.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(unix)]

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use service_runtime::{
    Error, Lifecycle, OpsArgs, Running, Service, TelemetryArgs, bind, healthcheck, run_until_stopped, serve_http,
    service,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

async fn start(router: Router) -> Running {
    let life = Lifecycle::start("test", &OpsArgs::default()).await.unwrap();
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    serve_http(listener, router, life).unwrap()
}

struct Idle;

#[derive(clap::Args)]
struct IdleConfig {
    /// Address it listens on.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    ops: OpsArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

impl Service for Idle {
    const NAME: &'static str = "idle";
    const ABOUT: &'static str = "Does nothing";
    type Config = IdleConfig;
    type Error = Error;

    fn telemetry(config: &IdleConfig) -> &TelemetryArgs {
        &config.telemetry
    }

    fn ops(config: &IdleConfig) -> &OpsArgs {
        &config.ops
    }

    async fn start(config: IdleConfig) -> Result<Running, Error> {
        let life = Lifecycle::start("test", &config.ops).await?;
        serve_http(bind(config.listen).await?, Router::new(), life)
    }
}

/// Runs `idle` as its `main` would and returns how its exit code is shown; the type has no comparison.
async fn exit_code(arguments: Vec<String>) -> String {
    let run = tokio::task::spawn_blocking(move || service::main_from::<Idle, _>(arguments));
    format!("{:?}", timeout(PATIENCE, run).await.unwrap().unwrap())
}

async fn raise(signal: &str) {
    let this = std::process::id().to_string();
    // A part of the shell: a machine need not have the program.
    let status = tokio::process::Command::new("sh")
        .args(["-c", &format!("kill {signal} {this}")])
        .status()
        .await
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_leaves() {
    // From here on signals no longer end this process.
    let mut ours = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();

    let idle = start(Router::new()).await;
    let run = tokio::spawn(run_until_stopped(idle, PATIENCE));
    tokio::task::yield_now().await;
    raise("-TERM").await;
    assert!(
        timeout(PATIENCE, run).await.unwrap().unwrap().unwrap(),
        "an idle service drains"
    );
    timeout(PATIENCE, ours.recv()).await.unwrap();

    let entered = Arc::new(Notify::new());
    let inside = Arc::clone(&entered);
    let hanging = start(Router::new().route(
        "/",
        get(|| async move {
            inside.notify_one();
            pending::<()>().await;
        }),
    ))
    .await;
    let readiness = hanging.readiness().subscribe();
    let mut stream = TcpStream::connect(hanging.addr).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    entered.notified().await;
    let run = tokio::spawn(run_until_stopped(hanging, Duration::from_secs(3600)));
    tokio::task::yield_now().await;
    raise("-TERM").await;
    let mut draining = readiness;
    timeout(
        PATIENCE,
        draining.wait_for(|report| report.phase == service_runtime::health::Phase::Draining),
    )
    .await
    .unwrap()
    .unwrap();
    assert!(!run.is_finished(), "the drain waits for the request");
    raise("-INT").await;
    assert!(
        !timeout(PATIENCE, run).await.unwrap().unwrap().unwrap(),
        "the second signal does not wait"
    );

    let shown = |code: u8| format!("{:?}", std::process::ExitCode::from(code));
    assert_eq!(
        exit_code(vec!["idle".to_owned(), "--no-such-setting".to_owned()]).await,
        shown(64)
    );
    assert_eq!(exit_code(vec!["idle".to_owned(), "--help".to_owned()]).await, shown(0));
    let free = bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let arguments = ["idle", &format!("--ops-listen={free}"), "--drain-linger=0"].map(str::to_owned);
    let run = tokio::spawn(exit_code(arguments.to_vec()));
    let ready = async {
        while healthcheck(free).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, ready).await.unwrap();
    // It would end this process, which is the service's too.
    raise("-HUP").await;
    healthcheck(free).await.unwrap();
    assert!(!run.is_finished(), "a hangup is for files to be read anew");
    raise("-TERM").await;
    assert_eq!(run.await.unwrap(), shown(0));
}
