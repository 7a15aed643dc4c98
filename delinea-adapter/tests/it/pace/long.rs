//! A minute of calls.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use tonic::Code;

use super::apply;
use crate::world::{World, anna, linked};

/// Calls that were made in a time, and those that were refused because there were too many.
#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    made: f64,
    refused: f64,
    seconds: f64,
}

/// Calls as fast as it goes, for that long.
async fn call(world: &World, id: &str, time: Duration) -> Calls {
    let began = Instant::now();
    let one = async || {
        let mut calls = Calls::default();
        while began.elapsed() < time {
            let outcome = Box::pin(apply(world, linked(&anna(), id), Duration::from_secs(60))).await;
            let refused = outcome.is_err_and(|status| {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                true
            });
            calls.made += 1.0;
            calls.refused += f64::from(u8::from(refused));
        }
        calls
    };
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    let all = [a, b, c, d];
    Calls {
        made: all.iter().map(|calls| calls.made).sum(),
        refused: all.iter().map(|calls| calls.refused).sum(),
        seconds: began.elapsed().as_secs_f64(),
    }
}

#[tokio::test]
async fn the_rate_settles_below_what_the_platform_takes_and_comes_back() {
    let world = World::with(&["--max-rps=100"]).await;
    let id = world.provision(&anna()).await;
    world.profile(json!({"max_rps": 20})).await;
    call(&world, &id, Duration::from_secs(15)).await;
    let settled = call(&world, &id, Duration::from_secs(40)).await;
    assert!(settled.refused * 10.0 < settled.made, "{settled:?}");
    assert!(
        settled.made > settled.seconds * 5.0,
        "it makes use of what there is: {settled:?}"
    );
    assert!(
        settled.made - settled.refused <= settled.seconds * 20.0 + 21.0,
        "{settled:?}"
    );

    world.profile(json!({"max_rps": 0})).await;
    call(&world, &id, Duration::from_secs(100)).await;
    let free = call(&world, &id, Duration::from_secs(10)).await;
    assert!(free.refused < 0.5, "{free:?}");
    let faster = (free.made / free.seconds) / (settled.made / settled.seconds);
    assert!(faster > 1.5, "{faster} times as fast: {free:?}");
    assert!(
        free.made <= free.seconds * 100.0 + 101.0,
        "never more than is set: {free:?}"
    );
}

#[tokio::test]
async fn without_the_setting_every_call_goes_out_as_fast_as_is_set() {
    let world = World::with(&["--max-rps=100", "--pace-adapts=false"]).await;
    let id = world.provision(&anna()).await;
    // The pauses that it asks for are kept; after each it is called as fast as before.
    world.profile(json!({"max_rps": 5})).await;
    let calls = call(&world, &id, Duration::from_secs(10)).await;
    assert!(calls.refused * 10.0 > calls.made, "{calls:?}");
}
