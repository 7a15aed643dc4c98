use secrecy::SecretString;

use super::*;

const METHOD: &str = "Controller/Method";
const SECOND: Duration = Duration::from_secs(1);

/// A pace by these settings, with one adapter.
fn pace(max_rps: u32, max_concurrency: u16) -> Pace {
    shared(max_rps, max_concurrency, 1)
}

fn shared(max_rps: u32, max_concurrency: u16, adapter_replicas: u16) -> Pace {
    let secret = SecretString::from("s");
    let config = PlatformConfig {
        max_rps: Some(max_rps),
        max_concurrency,
        adapter_replicas,
        ..PlatformConfig::new("https://h.example", "gateway@example.com", secret)
    };
    Pace::new(&config, Metrics::new("default"))
}

fn answer(status: u16, retry_after: Option<Duration>) -> Result<Answer, Failure> {
    Ok(Answer {
        status: StatusCode::from_u16(status).unwrap(),
        retry_after,
        transaction: None,
        body: Vec::new(),
    })
}

/// How long each of so many calls waits that come at once.
fn waits(pace: &Pace, now: Instant, calls: usize) -> Vec<u128> {
    let wait = |_| pace.rate.reserve(now, None).unwrap().duration_since(now).as_millis();
    (0..calls).map(wait).collect()
}

/// A Platform that takes so many calls a second, a second's worth of them at once, and asks for no pause.
struct Platform {
    allows: f64,
    tokens: f64,
    at: Instant,
}

impl Platform {
    fn new(allows: f64) -> Self {
        Self {
            allows,
            tokens: allows,
            at: Instant::now(),
        }
    }

    fn status(&mut self) -> u16 {
        let now = Instant::now();
        self.tokens += now.duration_since(self.at).as_secs_f64() * self.allows;
        self.tokens = self.tokens.min(self.allows);
        self.at = now;
        if self.tokens < 1.0 {
            return 429;
        }
        self.tokens -= 1.0;
        200
    }
}

/// Calls one after another for that long; gives how many went out, and how many of them were refused.
async fn call(pace: &Pace, platform: &mut Platform, time: Duration) -> (u32, u32) {
    let end = Instant::now() + time;
    let (mut calls, mut refused) = (0, 0);
    while Instant::now() < end {
        let _turn = pace.turn().await.unwrap();
        let sent = pace.sent(METHOD);
        tokio::time::sleep(Duration::from_millis(2)).await;
        let status = platform.status();
        calls += 1;
        refused += u32::from(status == 429);
        sent.ended(answer(status, None)).unwrap();
    }
    (calls, refused)
}

#[tokio::test(start_paused = true)]
async fn calls_go_out_evenly_after_what_was_saved_up() {
    let now = Instant::now();
    let five = pace(5, 4);
    assert_eq!(waits(&five, now + SECOND, 7), [0, 0, 0, 0, 0, 200, 400]);
    let later = now + 60 * SECOND;
    assert_eq!(waits(&five, later, 6), [0, 0, 0, 0, 0, 200], "no more than a second's");
    let half = shared(5, 4, 2);
    assert_eq!(waits(&half, now + SECOND, 4), [0, 0, 200, 600]);
    assert_eq!(waits(&pace(0, 4), now, 100), [0; 100]);
    assert_eq!(waits(&pace(1, 4), now + SECOND, 3), [0, 1000, 2000]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_can_wait_leave_every_second_turn_free_and_yield() {
    let ten = pace(10, 4);
    let began = Instant::now();
    for _ in 0..5 {
        ten.spare().await;
    }
    assert_eq!(began.elapsed(), Duration::from_millis(800), "half of ten a second");
    // Who waits for a turn goes first.
    tokio::time::sleep(SECOND).await;
    let now = Instant::now();
    waits(&ten, now, 30);
    ten.spare().await;
    let waited = now.elapsed();
    assert!(waited >= Duration::from_millis(1_900), "{waited:?}");
    // But nobody waits for ever.
    let now = Instant::now();
    waits(&ten, now, 10_000);
    ten.spare().await;
    assert_eq!(now.elapsed(), MOST_YIELDED);
    let free = pace(0, 4);
    let now = Instant::now();
    free.spare().await;
    assert_eq!(now.elapsed(), Duration::ZERO);
    free.sent(METHOD).ended(answer(429, Some(3 * SECOND))).unwrap();
    free.spare().await;
    assert_eq!(now.elapsed(), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everything_up() {
    let pace = pace(2, 4);
    pace.rate.pause(Instant::now() + SECOND);
    let began = Instant::now();
    drop(pace.turn().await.unwrap());
    assert_eq!(began.elapsed(), SECOND);
    // Also who waits for a turn already.
    waits(&pace, Instant::now(), 2);
    let (waiting, ()) = tokio::join!(pace.turn(), async { pace.rate.pause(Instant::now() + 2 * SECOND) });
    drop(waiting.unwrap());
    assert_eq!(began.elapsed(), 3 * SECOND);
    pace.rate.pause(Instant::now() + 30 * SECOND);
    pace.rate.pause(Instant::now() + SECOND);
    assert_eq!(pace.turn().await.unwrap_err(), NoTurn::Paused(30 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_takes_less_is_found_out_and_used_in_full_when_it_takes_more() {
    let pace = pace(100, 4);
    let mut platform = Platform::new(20.0);
    call(&pace, &mut platform, 20 * SECOND).await;
    let (calls, refused) = call(&pace, &mut platform, 120 * SECOND).await;
    assert!(
        refused >= 1 && refused * 50 < calls,
        "{refused} of {calls} were refused"
    );
    assert!(calls > 120 * 20 * 6 / 10, "{calls} calls use most of what it takes");
    platform.allows = 1_000.0;
    call(&pace, &mut platform, 120 * SECOND).await;
    let (calls, refused) = call(&pace, &mut platform, 10 * SECOND).await;
    assert_eq!(refused, 0);
    assert!((950..=1_100).contains(&calls), "{calls}: as set, and never more");
    assert_eq!(pace.rate.raise(Instant::now()), None, "it does not grow beyond");
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_found_where_none_is_set_and_given_up_again() {
    let pace = pace(0, 4);
    let mut platform = Platform::new(20.0);
    call(&pace, &mut platform, 20 * SECOND).await;
    let (calls, refused) = call(&pace, &mut platform, 120 * SECOND).await;
    assert!(refused * 50 < calls, "{refused} of {calls} were refused");
    assert!(calls > 120 * 20 / 2, "{calls}");
    platform.allows = 1e6;
    call(&pace, &mut platform, 120 * SECOND).await;
    let (calls, refused) = call(&pace, &mut platform, SECOND).await;
    assert_eq!((calls, refused), (500, 0), "each call takes 2 ms, and none waits");
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_halved_once_for_a_burst_and_stays_above_a_least() {
    for (max_rps, least) in [(100, 0.5), (0, 0.5), (1, 0.5)] {
        let pace = pace(max_rps, 4);
        let mut lowered = Vec::new();
        for _ in 0..20 {
            for _ in 0..5 {
                match pace.rate.lower(Instant::now()) {
                    Some(Change::Lower { now, first }) => lowered.push((now, first)),
                    other => assert_eq!(other, None),
                }
            }
            tokio::time::sleep(3 * SECOND).await;
        }
        let (last, _) = *lowered.last().unwrap();
        assert!((last - least).abs() < 1e-9, "{max_rps}: {last}");
        assert!(
            lowered.windows(2).all(|pair| pair[1].0 >= pair[0].0 / 2.0),
            "{lowered:?}"
        );
        let firsts: Vec<_> = lowered.iter().map(|(_, first)| *first).collect();
        assert!(firsts[0] && firsts[1..].iter().all(|first| !first), "{firsts:?}");
    }
    // A share that is below the least already is not lowered.
    assert_eq!(shared(1, 4, 4).rate.lower(Instant::now()), None);
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_asks_in_words_is_heard_like_one_that_asks_by_status() {
    let (by_words, by_status) = (pace(8, 4), pace(8, 4));
    by_words.throttled(None);
    let _ = by_status.sent(METHOD).ended(answer(429, None));
    let now = Instant::now();
    let waits_by_words = waits(&by_words, now, 20);
    assert_eq!(waits_by_words, waits(&by_status, now, 20));
    assert!(waits_by_words[19] > waits(&pace(8, 4), now, 20)[19]);
    by_words.throttled(Some(5 * SECOND));
    let paused = by_words.rate.reserve(now, None);
    assert!(matches!(paused, Err(NoTurn::Paused(wait)) if wait == 5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_is_unavailable_is_called_less_often() {
    let pace = pace(10, 4);
    pace.sent(METHOD).ended(answer(503, None)).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(waits(&pace, Instant::now(), 7)[5..], [200, 400]);
}

#[tokio::test(start_paused = true)]
async fn a_pace_that_does_not_adapt_stays_as_it_is_set() {
    let secret = SecretString::from("s");
    let config = PlatformConfig {
        pace_adapts: false,
        ..PlatformConfig::new("https://h.example", "gateway@example.com", secret)
    };
    let pace = Pace::new(&config, Metrics::new("default"));
    for status in [429, 503] {
        pace.sent(METHOD).ended(answer(status, None)).unwrap();
        tokio::time::sleep(3 * SECOND).await;
    }
    let timeout = Err(Failure::unavailable(METHOD, Trouble::Timeout));
    pace.sent(METHOD).ended(timeout).unwrap_err();
    assert_eq!(waits(&pace, Instant::now(), 6), [0, 0, 0, 0, 0, 200]);
    assert_eq!(free_places(&pace), 4);
}

/// How many calls more may be under way.
fn free_places(pace: &Pace) -> usize {
    pace.concurrency.free()
}

async fn answered_after(pace: &Pace, time: Duration) {
    let sent = pace.sent(METHOD);
    tokio::time::sleep(time).await;
    sent.ended(answer(200, None)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn fewer_calls_are_made_at_once_while_answers_are_slow_and_one_more_by_and_by() {
    let pace = pace(0, 8);
    for _ in 0..10 {
        answered_after(&pace, Duration::from_millis(100)).await;
    }
    // One slow answer, or answers that are quick all the same, change nothing.
    answered_after(&pace, 3 * SECOND).await;
    for _ in 0..20 {
        answered_after(&pace, Duration::from_millis(900)).await;
    }
    assert_eq!(free_places(&pace), 8);
    for _ in 0..8 {
        answered_after(&pace, 3 * SECOND).await;
    }
    let slower = free_places(&pace);
    assert!((1..8).contains(&slower), "{slower}");
    for _ in 0..200 {
        answered_after(&pace, 3 * SECOND).await;
    }
    assert_eq!(free_places(&pace), 1, "one is left in any case");
    let mut seen = vec![1];
    for _ in 0..2_000 {
        answered_after(&pace, Duration::from_millis(100)).await;
        let free = free_places(&pace);
        assert!(free <= seen.last().unwrap() + 1, "one by one");
        seen.push(free);
    }
    assert_eq!(seen.last(), Some(&8), "and never more than is set");
}

#[tokio::test(start_paused = true)]
async fn places_that_are_taken_away_under_way_do_not_come_back() {
    let pace = pace(0, 4);
    let turns = [
        pace.turn().await.unwrap(),
        pace.turn().await.unwrap(),
        pace.turn().await.unwrap(),
    ];
    let timeout = || Err(Failure::unavailable(METHOD, Trouble::Timeout));
    pace.sent(METHOD).ended(timeout()).unwrap_err();
    pace.sent(METHOD).ended(timeout()).unwrap_err();
    assert_eq!(free_places(&pace), 0, "two at once, and three are under way still");
    drop(turns);
    assert_eq!(free_places(&pace), 2, "calls that time out together count as one");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_its_caller_gave_up_counts_as_timed_out_where_it_took_long() {
    let pace = pace(0, 4);
    answered_after(&pace, Duration::from_millis(50)).await;
    let sent = pace.sent(METHOD);
    tokio::time::sleep(SECOND / 2).await;
    drop(sent);
    assert_eq!(free_places(&pace), 4);
    let sent = pace.sent(METHOD);
    tokio::time::sleep(5 * SECOND).await;
    drop(sent);
    assert_eq!(free_places(&pace), 2);
}

#[tokio::test(start_paused = true)]
async fn adapters_share_what_is_set_and_each_has_one_call() {
    for (at_once, adapters, each) in [(4, 1, 4), (4, 2, 2), (5, 2, 2), (4, 9, 1), (1, 1, 1)] {
        assert_eq!(
            free_places(&shared(5, at_once, adapters)),
            each,
            "{at_once} among {adapters}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_comes_too_late_for_its_caller_is_not_taken() {
    let pace = pace(1, 1);
    let wait = async |time| deadline::within(time, pace.turn()).await.unwrap();
    tokio::time::sleep(SECOND).await;
    let turn = wait(10 * SECOND).await.unwrap();
    // All places are taken.
    let began = Instant::now();
    assert_eq!(wait(5 * SECOND).await.unwrap_err(), NoTurn::TooLate);
    assert!(began.elapsed() < 5 * SECOND, "before its caller leaves");
    drop(turn);
    drop(pace.turn().await.unwrap());
    // The next turn comes in a second: whoever cannot wait for it leaves it to others, at once.
    let began = Instant::now();
    drop(pace.turn().await.unwrap());
    for _ in 0..10 {
        assert_eq!(wait(SECOND).await.unwrap_err(), NoTurn::TooLate);
    }
    drop(wait(2 * SECOND).await.unwrap());
    let waited = began.elapsed();
    assert!(waited <= 2 * SECOND, "{waited:?}");
}
