//! What is too much, over real sockets: heads, rates, requests under way, and clients that do not speak.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use service_runtime::Running;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::client::{Answer, ask};
use super::{config, start};
use crate::LimitArgs;

const PATIENCE: Duration = Duration::from_secs(20);

async fn gateway(limits: LimitArgs) -> Running {
    let mut config = config();
    config.limits = limits;
    start(config).await
}

/// A gateway whose identity-service takes calls and never answers them.
async fn gateway_that_hangs(limits: LimitArgs) -> (Arc<Running>, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config();
    config.identity_url = format!("http://{}", silent.local_addr().unwrap());
    config.limits = limits;
    (Arc::new(start(config).await), silent)
}

/// Sends so many requests at once, whose answers come one by one.
fn send(running: &Arc<Running>, line: &'static str, many: usize) -> mpsc::UnboundedReceiver<Answer> {
    let (tell, answers) = mpsc::unbounded_channel();
    for _ in 0..many {
        let (running, tell) = (Arc::clone(running), tell.clone());
        tokio::spawn(async move {
            let _ = tell.send(ask(line).of(&running).await);
        });
    }
    answers
}

async fn next(answers: &mut mpsc::UnboundedReceiver<Answer>) -> Answer {
    timeout(PATIENCE, answers.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn heads_that_are_too_large_are_scim_errors() {
    let running = gateway(LimitArgs::default()).await;
    let filter = |length| format!("GET /scim/v2/Users?filter={}", "a".repeat(length));
    let (_, detail) = ask(&filter(17 << 10)).of(&running).await.error(414);
    assert!(
        detail.contains("16384 bytes") && detail.contains("/.search"),
        "{detail}"
    );
    ask(&filter(15 << 10)).of(&running).await.error(503);
    let large = "a".repeat(20 << 10);
    let two = ask("GET /scim/v2/Users").with("X-A", &large).with("X-B", &large);
    let (_, detail) = two.of(&running).await.error(431);
    assert!(detail.contains("32768 bytes"), "{detail}");
    let one = ask("GET /scim/v2/Schemas").with("X-A", &large);
    assert_eq!(one.of(&running).await.status, 200);
    // Nobody who has no credential learns more than that.
    ask(&filter(17 << 10))
        .without("Authorization")
        .of(&running)
        .await
        .error(414);
}

/// Who asks for tokens has shown nothing yet: a flood of it is refused for itself.
#[tokio::test]
async fn a_flood_of_requests_for_tokens_is_refused_and_starves_nobody() {
    let limits = LimitArgs {
        queue_timeout: Duration::ZERO,
        ..LimitArgs::default()
    };
    let running = gateway(limits).await;
    let form = "grant_type=client_credentials&client_id=nobody&client_secret=nothing";
    let token = || async {
        let request = ask("POST /oauth2/token").with("Content-Type", "application/x-www-form-urlencoded");
        request.without("Authorization").body(form).of(&running).await
    };
    let answers = join_all((0..100).map(|_| token())).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() > 50, "{} of 100", refused.len());
    for answer in refused {
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told["error"], "temporarily_unavailable");
        assert!(
            told["error_description"].as_str().unwrap().contains("TOKEN_RATE_LIMIT"),
            "{told}"
        );
    }
    let scim = join_all((0..100).map(|_| ask("GET /scim/v2/Schemas").of(&running))).await;
    assert!(scim.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn a_rate_is_held_by_waiting_and_then_by_refusing() {
    let limits = |queue_timeout| LimitArgs {
        rate_limit: 25,
        queue_timeout,
        ..LimitArgs::default()
    };
    let patient = gateway(limits(Duration::from_secs(20))).await;
    let began = Instant::now();
    let asked = (0..66).map(|_| ask("GET /scim/v2/ResourceTypes").of(&patient));
    for answer in join_all(asked).await {
        assert_eq!(answer.status, 200);
    }
    // 26 at once, and 40 more at 25 a second.
    assert!(began.elapsed() >= Duration::from_millis(1590), "{:?}", began.elapsed());

    let strict = gateway(limits(Duration::ZERO)).await;
    let asked = (0..400).map(|_| ask("GET /scim/v2/ResourceTypes").of(&strict));
    let answers = join_all(asked).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!((1..=374).contains(&refused.len()), "{}", refused.len());
    for answer in refused {
        let (_, detail) = answer.error(429);
        assert!(detail.contains("RATE_LIMIT"), "{detail}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    // There is no identity-service; but it would be asked.
    ask("DELETE /scim/v2/Users/1").of(&strict).await.error(503);
    // Who has no credential is of no tenant, and takes nothing from one.
    ask("GET /scim/v2/Users")
        .without("Authorization")
        .of(&strict)
        .await
        .error(401);
}

#[tokio::test]
async fn with_too_much_under_way_changes_of_users_still_find_a_place() {
    for (tenant_concurrency, concurrency, status) in [(4, 0, 429), (0, 4, 503)] {
        let (running, _silent) = gateway_that_hangs(LimitArgs {
            rate_limit: 0,
            tenant_concurrency,
            concurrency,
            queue_timeout: Duration::from_millis(100),
            ..LimitArgs::default()
        })
        .await;
        // Three find a place and hang there; the others are refused.
        let mut reads = send(&running, "GET /scim/v2/Users/1", 10);
        for _ in 0..7 {
            let answer = next(&mut reads).await;
            let (_, detail) = answer.error(status);
            assert!(detail.contains("CONCURRENCY"), "{detail}");
            assert_eq!(answer.header("retry-after"), Some("5"));
        }
        let mut creates = send(&running, "POST /scim/v2/Groups", 2);
        for _ in 0..2 {
            next(&mut creates).await.error(status);
        }
        let mut changes = send(&running, "DELETE /scim/v2/Users/1", 3);
        for _ in 0..2 {
            next(&mut changes).await.error(status);
        }
        assert!(
            changes.try_recv().is_err(),
            "the one that found a place hangs with the service behind"
        );
        assert!(reads.try_recv().is_err());
    }
}

#[tokio::test]
async fn clients_that_do_not_speak_or_are_too_many_are_cut() {
    let running = gateway(LimitArgs {
        first_request_timeout: Duration::from_millis(200),
        connections_per_address: 2,
        ..LimitArgs::default()
    })
    .await;
    let connect = async || TcpStream::connect(running.addr).await.unwrap();
    let ends = async |mut stream: TcpStream| timeout(PATIENCE, stream.read(&mut [0; 1])).await.unwrap();
    let (first, second) = (connect().await, connect().await);
    assert_eq!(ends(connect().await).await.unwrap_or(0), 0, "the third is one too many");
    assert_eq!(ends(first).await.unwrap_or(0), 0);
    assert_eq!(ends(second).await.unwrap_or(0), 0);
}
