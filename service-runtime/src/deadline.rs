//! The caller's `grpc-timeout`, kept by the server whatever carried the call. A handler nobody waits for any more is
//! dropped, and the caller reads `DEADLINE_EXCEEDED`. Ends with the response's head: a stream may run on.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response};
use tonic::Status;
use tower::{Layer, Service};

pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";

/// Puts the deadline around a gRPC server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeadlineLayer;

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Deadline<S> {
    inner: S,
}

impl<S, Q, R> Service<Request<Q>> for Deadline<S>
where
    S: Service<Request<Q>, Response = Response<R>, Error = Infallible>,
    S::Future: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<R>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let limit = time_allowed(request.headers());
        let answer = self.inner.call(request);
        match limit {
            None => answer.boxed(),
            Some(limit) => async move {
                match tokio::time::timeout(limit, answer).await {
                    Ok(answer) => answer,
                    Err(_) => Ok(Status::deadline_exceeded("the caller's time is over").into_http()),
                }
            }
            .boxed(),
        }
    }
}

/// How long the caller of a request waits for its answer, if it says so: a handler that has more to say than "too late" must
/// end before. It is the header's value: at most eight digits and a unit (gRPC over HTTP/2, "Timeout"). Anything else is no limit.
pub fn time_allowed(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// The header's value for `limit`, in the finest unit that holds it in eight digits.
pub(crate) fn header(limit: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let text = match limit.as_micros() {
        micros @ ..=MOST => format!("{micros}u"),
        _ if limit.as_millis() <= MOST => format!("{}m", limit.as_millis()),
        _ => format!("{}S", u128::from(limit.as_secs()).min(MOST)),
    };
    HeaderValue::try_from(text).expect("digits and a letter are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_as_the_protocol_says() {
        let table = [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("", None),
            ("S", None),
            ("+1S", None),
            ("123456789S", None),
            ("1s", None),
        ];
        for (text, expected) in table {
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static(GRPC_TIMEOUT), text.parse().unwrap())]);
            assert_eq!(time_allowed(&headers), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for limit in [
            Duration::ZERO,
            Duration::from_millis(1500),
            Duration::from_secs(300),
            Duration::from_secs(900_000),
        ] {
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static(GRPC_TIMEOUT), header(limit))]);
            assert_eq!(time_allowed(&headers), Some(limit));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_takes_too_long_is_answered_for() {
        let slow = tower::service_fn(|_: Request<()>| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok::<_, Infallible>(Response::new(tonic::body::Body::default()))
        });
        let request = Request::builder().header(GRPC_TIMEOUT, "1S").body(()).unwrap();
        let answer = DeadlineLayer.layer(slow).call(request).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "4");
    }
}
