use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Load, Replicas};

/// How often each of the four goes.
const ROUNDS: usize = 3;
/// How long all are there before the next one goes, so that the load is spread again.
const PEACE: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_change_is_lost_when_replicas_are_killed_in_turn() {
    let mut replicas = Replicas::start().await;
    let (load, stop) = (Load::new([replicas.scim()]), CancellationToken::new());
    let kills = async {
        for _ in 0..ROUNDS {
            for process in &mut replicas.pairs {
                tokio::time::sleep(PEACE).await;
                process.kill().await;
                tokio::time::sleep(PEACE).await;
                process.start();
                process.ready().await;
            }
        }
        stop.cancel();
    };
    tokio::join!(load.run(&stop), kills);
    eprintln!("{load}");
    replicas.holds(&load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_in_a_rolling_restart() {
    let mut replicas = Replicas::start().await;
    let scims = [replicas.scim(), replicas.scim_with_kept_connections()];
    let (load, stop) = (Load::new(scims), CancellationToken::new());
    let restarts = async {
        for _ in 0..ROUNDS {
            replicas.restart_in_turn(PEACE).await;
        }
        stop.cancel();
    };
    tokio::join!(load.run(&stop), restarts);
    eprintln!("{load}");
    load.met_no_failure();
    replicas.holds(&load).await;
}
