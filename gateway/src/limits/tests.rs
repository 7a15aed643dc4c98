//! A request's turn, by a clock that stands still between the steps.

use futures_util::FutureExt;

use super::*;

fn request(method: Method, path: &str) -> Request {
    let builder = Request::builder().method(method).uri(path);
    builder.body(Body::empty()).unwrap()
}

fn limits(rate_limit: u32, tenant_concurrency: u32, concurrency: u32) -> Limits {
    Limits::new(&LimitArgs {
        rate_limit,
        tenant_concurrency,
        concurrency,
        ..LimitArgs::default()
    })
}

#[test]
fn changes_of_users_are_told_from_all_else() {
    for (method, path, expected) in [
        (Method::PATCH, "/scim/v2/Users/7", Kind::UserChange),
        (Method::PUT, "/scim/v2/Users/7", Kind::UserChange),
        (Method::DELETE, "/scim/v2/Users/7", Kind::UserChange),
        (Method::GET, "/scim/v2/Users/7", Kind::Other),
        (Method::POST, "/scim/v2/Users", Kind::Other),
        (Method::PATCH, "/scim/v2/Users", Kind::Other),
        (Method::PATCH, "/scim/v2/Groups/7", Kind::Other),
        (Method::POST, "/scim/v2/Bulk", Kind::Other),
        (Method::PATCH, "/Users/7", Kind::Other),
        (Method::PATCH, "/", Kind::Other),
    ] {
        assert_eq!(Kind::of(&request(method, path)), expected, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_asks_for_too_much_is_queued_then_told_and_holds_up_no_other() {
    let limits = limits(25, 0, 0);
    let (busy, quiet) = (Arc::from("busy"), Arc::from("quiet"));
    let turn = |tenant, kind| limits.turn(tenant, kind).map(|turn| turn.map(drop));
    // A second's worth at once, and five seconds' worth that wait.
    let mut waiting = Vec::new();
    for _ in 0..26 + 125 {
        waiting.push(Box::pin(turn(&busy, Kind::Other)));
    }
    let went = waiting
        .iter_mut()
        .filter_map(|turn| turn.as_mut().now_or_never())
        .count();
    assert_eq!(went, 26);
    let problem = turn(&busy, Kind::Other).now_or_never().unwrap().unwrap_err();
    assert_eq!(problem.status, http::StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(problem.retry_after, Some(Duration::from_millis(40)));
    turn(&busy, Kind::UserChange).now_or_never().unwrap().unwrap();
    turn(&quiet, Kind::Other).now_or_never().unwrap().unwrap();
    // They go in their order, at the rate.
    let began = Instant::now();
    waiting.pop().unwrap().await.unwrap();
    assert_eq!(began.elapsed().as_millis(), 5000);
}

#[tokio::test(start_paused = true)]
async fn who_has_too_many_under_way_is_told_apart_from_what_is_too_much_for_all() {
    let limits = limits(0, 4, 8);
    let [one, two, three] = ["one", "two", "three"].map(Arc::<str>::from);
    let mut held = Vec::new();
    for tenant in [&one, &two] {
        for _ in 0..3 {
            held.push(limits.turn(tenant, Kind::Other).await.unwrap());
        }
        let status = limits.turn(tenant, Kind::Other).await.unwrap_err().status;
        assert_eq!(status, http::StatusCode::TOO_MANY_REQUESTS);
    }
    // Six of eight places are taken, and the last two are for changes of users.
    let problem = limits.turn(&three, Kind::Other).await.unwrap_err();
    assert_eq!((problem.status.as_u16(), problem.retry_after), (503, Some(RETRY)));
    held.push(limits.turn(&three, Kind::UserChange).await.unwrap());
    // What was refused by all holds no place of its tenant's.
    held.clear();
    for _ in 0..3 {
        held.push(limits.turn(&three, Kind::Other).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_is_kept_until_the_answer_is_sent_but_not_for_a_reader_who_is_slow() {
    let limits = limits(0, 0, 4);
    let tenant = Arc::from("one");
    let is_full = async || {
        let free = limits.all.as_ref().unwrap().places_free();
        // The task that keeps the place is another.
        tokio::task::yield_now().await;
        (free, limits.all.as_ref().unwrap().places_free())
    };
    let whole = kept_until_sent(
        Response::new(Body::from("done")),
        limits.turn(&tenant, Kind::Other).await.unwrap(),
    );
    assert_eq!(is_full().await, (4, 4), "what is there as a whole needs no place");
    let streamed = || Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let places = limits.turn(&tenant, Kind::Other).await.unwrap();
    let answer = kept_until_sent(Response::new(streamed()), places);
    assert_eq!(is_full().await, (3, 3));
    drop(answer);
    assert_eq!(is_full().await.1, 4);
    let places = limits.turn(&tenant, Kind::Other).await.unwrap();
    let slow = kept_until_sent(Response::new(streamed()), places);
    tokio::time::sleep(STREAMED - Duration::from_millis(1)).await;
    assert_eq!(is_full().await.1, 3);
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(is_full().await.1, 4);
    drop((whole, slow));
}
