//! How much one client, and how much one tenant may ask for, so that none of them keeps the gateway from the others. Each tenant has
//! a rate and a number of requests at a time; all tenants together have one too. What is beyond waits for its turn for a while, and
//! is then refused with the time after which to come again. Changes of users go before everything else, because the one that disables
//! a leaver is among them: they have a bucket of their own, and a share of the places that nobody else gets.
//!
//! Knows of a request its head, its tenant and whether it changes a user; nothing of what is asked.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use http_body::Body as _;
use http_body_util::BodyExt;
use ipnet::IpNet;
use service_runtime::ConnectionLimits;
use service_runtime::settings::{parse_bytes, parse_duration};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::auth::Authenticated;
use crate::error::Problem;
use crate::refusals::{self, Reason};
use crate::{BASE_PATH, Error, Gateway};

mod bucket;
mod head;
mod pool;
mod tenants;
mod tokens;

pub(crate) use head::check_head;
use pool::Pool;
use tenants::Tenants;
use tokens::Tokens;

/// What a marketplace of Microsoft's asks of every SCIM endpoint: so many requests a second of one tenant, for good.
const LEAST_RATE: u32 = 25;
/// When a client is told to come back whose request found no place.
const RETRY: Duration = Duration::from_secs(5);
/// An answer that is still being sent keeps its place for so long; then it is its reader who is slow.
const STREAMED: Duration = Duration::from_secs(60);

/// How much a client, and how much a tenant may ask for.
#[derive(clap::Args, Clone, Debug)]
pub struct LimitArgs {
    /// Requests a second of one tenant that each gateway takes for good; the next ones wait, QUEUE_TIMEOUT at most, and are answered with
    /// 429 after that. Changes of users (PATCH, PUT, DELETE) are counted apart from all others, and a bulk request is one. At least
    /// 25; 0 means no limit.
    #[arg(long, env = "RATE_LIMIT", value_name = "N", default_value_t = 250)]
    pub rate_limit: u32,
    /// Requests of one tenant that each gateway works on at a time; the next ones wait, and are answered with 429 after QUEUE_TIMEOUT. A
    /// quarter of the places is for changes of users alone. 0 means no limit.
    #[arg(long, env = "TENANT_CONCURRENCY", value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub tenant_concurrency: u32,
    /// The same for the requests of all tenants together, which are answered with 503.
    #[arg(long, env = "CONCURRENCY", value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub concurrency: u32,
    /// Requests for access tokens (`POST /oauth2/token`) a second that each gateway takes of one address, or one /64 of IPv6, and gives
    /// tokens for to one tenant; the next ones wait, QUEUE_TIMEOUT at most, and are answered with 429 after that. 0 means no limit.
    #[arg(long, env = "TOKEN_RATE_LIMIT", value_name = "N", default_value_t = 10)]
    pub token_rate_limit: u32,
    /// Time for which a request waits for its turn, such as 5s; a part of REQUEST_TIMEOUT. 0 refuses at once.
    #[arg(long, env = "QUEUE_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub queue_timeout: Duration,
    /// Largest URL, query included, up to 60KiB; longer ones are answered with 414.
    #[arg(long, env = "MAX_URL_SIZE", value_name = "BYTES", default_value = "16KiB", value_parser = parse_bytes)]
    pub max_url_size: u64,
    /// Largest sum of a request's headers, up to 60KiB; more is answered with 431.
    #[arg(long, env = "MAX_HEADER_SIZE", value_name = "BYTES", default_value = "32KiB", value_parser = parse_bytes)]
    pub max_header_size: u64,
    /// Time in which a new connection must have sent the head of its first request, such as 15s, or it is closed. 0 means 75s, after which
    /// an idle connection is closed.
    #[arg(long, env = "FIRST_REQUEST_TIMEOUT", value_name = "DURATION", default_value = "15s", value_parser = parse_duration)]
    pub first_request_timeout: Duration,
    /// Time for which a client may take nothing of its answer, such as 30s, before the connection is closed. 0 means no limit.
    #[arg(long, env = "SEND_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub send_timeout: Duration,
    /// Connections open at a time from one address, or from one /64 of IPv6; more are closed at once. TRUSTED_PROXIES may have any
    /// number. 0 means no limit.
    #[arg(long, env = "CONNECTIONS_PER_ADDRESS", value_name = "N", default_value_t = 256)]
    pub connections_per_address: u32,
}

impl Default for LimitArgs {
    fn default() -> Self {
        Self {
            rate_limit: 250,
            tenant_concurrency: 256,
            concurrency: 1024,
            token_rate_limit: 10,
            queue_timeout: Duration::from_secs(5),
            max_url_size: 16 << 10,
            max_header_size: 32 << 10,
            first_request_timeout: Duration::from_secs(15),
            send_timeout: Duration::from_secs(30),
            connections_per_address: 256,
        }
    }
}

impl LimitArgs {
    /// Whether the settings can be held, and leave enough.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if (1..LEAST_RATE).contains(&self.rate_limit) {
            let reason = format!("must be {LEAST_RATE} at least, which Entra may need for good; 0 means no limit");
            return Err(Error::setting("--rate-limit", reason));
        }
        // Beyond that the connection itself reads no head.
        let most = head::MOST;
        for (setting, size) in [
            ("--max-url-size", self.max_url_size),
            ("--max-header-size", self.max_header_size),
        ] {
            if !(1024..=most).contains(&size) {
                return Err(Error::setting(setting, format!("must be from 1024 to {most} bytes")));
            }
        }
        Ok(())
    }

    /// What holds for each connection.
    pub(crate) fn connections(&self, proxies: &[IpNet]) -> ConnectionLimits {
        let some = |time: Duration| (!time.is_zero()).then_some(time);
        ConnectionLimits {
            per_address: (self.connections_per_address > 0).then_some(self.connections_per_address),
            unlimited: proxies.to_vec(),
            first_request: some(self.first_request_timeout),
            stalled: some(self.send_timeout),
        }
    }
}

/// The limits in force.
pub(crate) struct Limits {
    tenants: Tenants,
    pub(crate) tokens: Tokens,
    all: Option<Pool>,
    patience: Duration,
    max_url: u64,
    max_headers: u64,
}

impl Limits {
    pub(crate) fn new(args: &LimitArgs) -> Self {
        refusals::begin();
        Self {
            tenants: Tenants::beginning(args.rate_limit, args.tenant_concurrency, refusals::begin_of),
            tokens: Tokens::new(args.token_rate_limit, args.queue_timeout),
            all: Pool::new(args.concurrency),
            patience: args.queue_timeout,
            max_url: args.max_url_size,
            max_headers: args.max_header_size,
        }
    }

    /// Waits for a request's turn, and gives the places that it holds while it is worked on.
    async fn turn(&self, tenant: &Arc<str>, kind: Kind) -> Result<[Option<OwnedSemaphorePermit>; 2], Problem> {
        let now = Instant::now();
        let until = now + self.patience;
        let own = self.tenants.of(tenant, now);
        let at = own.reserve(kind, now, until).map_err(|after| {
            refusals::count_of(Reason::Rate, tenant);
            let detail = "This tenant has sent more requests than the gateway's RATE_LIMIT lets through. Try again.";
            Problem::throttled(detail, after)
        })?;
        if at > now {
            sleep_until(at).await;
        }
        let place = pool::enter(own.pool.as_ref(), kind, until).await.map_err(|_| {
            refusals::count_of(Reason::Concurrency, tenant);
            let detail = "This tenant has more requests under way than the gateway's TENANT_CONCURRENCY. Try again.";
            Problem::throttled(detail, RETRY)
        })?;
        let shared = pool::enter(self.all.as_ref(), kind, until).await.map_err(|_| {
            refusals::count_of(Reason::Overload, tenant);
            Problem::overloaded(RETRY)
        })?;
        Ok([place, shared])
    }
}

/// What goes first when not everything can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A change of a user that is there: it may be what takes somebody's access away.
    UserChange,
    /// A read, a create, anything about groups, a bulk request.
    Other,
}

impl Kind {
    fn of(request: &Request) -> Self {
        let path = request.uri().path().strip_prefix(BASE_PATH).unwrap_or_default();
        match *request.method() {
            Method::PATCH | Method::PUT | Method::DELETE if path.starts_with("/Users/") => Self::UserChange,
            _ => Self::Other,
        }
    }
}

/// Lets a request through when it is its turn. Stands behind the credential: without one there is no tenant, and no turn.
pub(crate) async fn wait_for_turn(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let Some(Authenticated { tenant }) = request.extensions().get().cloned() else {
        return next.run(request).await;
    };
    match gateway.limits.turn(&tenant, Kind::of(&request)).await {
        Ok(places) => kept_until_sent(next.run(request).await, places),
        Err(problem) => problem.into_response(),
    }
}

/// An answer that is there as a whole needs its place no longer. One that is still being made keeps it to its end, or for a while.
fn kept_until_sent(response: Response, places: [Option<OwnedSemaphorePermit>; 2]) -> Response {
    if response.body().size_hint().exact().is_some() || places.iter().all(Option::is_none) {
        return response;
    }
    let sent = CancellationToken::new();
    let guard = sent.clone().drop_guard();
    tokio::spawn(async move {
        let _late = timeout(STREAMED, sent.cancelled()).await;
        drop(places);
    });
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _goes_with_the_body = &guard;
            frame
        }))
    })
}

#[cfg(test)]
mod tests;
