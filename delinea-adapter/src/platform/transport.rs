//! One exchange over HTTP, bounded in time and in size. It does not know what is said.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode, Version, header::DATE};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Url, redirect::Policy};
use tracing::Span;

use crate::record::Recorder;

use super::{
    failure::{Failure, Trouble},
    retry_after,
};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a connection that many calls share is asked whether it is still there, and how long it may take to say so. One that is
/// not would be used again for each call, and each would time out.
const STILL_THERE: Duration = Duration::from_secs(10);
const TRANSACTION: &str = "X-CFY-TX-ID";
const MAX_TRANSACTION: usize = 128;

/// Sends requests.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    http: Client,
    timeout: Duration,
    recorder: Option<Recorder>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    /// What the Platform calls this exchange; its support asks for it.
    pub(crate) transaction: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// How the tenant's address answers.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) status: StatusCode,
    /// The time that the answer bears.
    pub(crate) date: Option<Timestamp>,
    pub(crate) version: Version,
}

impl Transport {
    /// A transport whose exchanges each end within `timeout`. `direct` passes the environment's proxy by.
    pub(crate) fn new(timeout: Duration, direct: bool) -> Result<Self, reqwest::Error> {
        service_runtime::install_crypto_provider();
        // A redirect would turn a write into a read, or carry the token to another host.
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .http2_keep_alive_interval(STILL_THERE)
            .http2_keep_alive_timeout(STILL_THERE.min(timeout))
            .user_agent(concat!("delinea-scim-gateway/", env!("CARGO_PKG_VERSION")));
        if direct {
            builder = builder.no_proxy();
        }
        let http = builder.build()?;
        Ok(Self {
            http,
            timeout,
            recorder: None,
        })
    }

    /// The same transport, whose exchanges are recorded.
    pub(crate) fn recorded(self, recorder: &Recorder) -> Self {
        Self {
            recorder: Some(recorder.clone()),
            ..self
        }
    }

    /// A POST to `url`, to be filled in.
    pub(crate) fn post(&self, url: &str) -> RequestBuilder {
        self.http.post(url)
    }

    /// A request by `verb`, to be filled in.
    pub(crate) fn request(&self, verb: Method, url: Url) -> RequestBuilder {
        self.http.request(verb, url)
    }

    /// A GET of `url`, to be filled in.
    pub(crate) fn get(&self, url: &str) -> RequestBuilder {
        self.http.get(url)
    }

    /// Gets `url` and gives what came of it but for the body.
    pub(crate) async fn health(&self, url: &str) -> Result<Health, Failure> {
        const METHOD: &str = "health";
        let response = self.get(url).timeout(self.timeout).send().await;
        let response = response.map_err(|error| failure(METHOD, error))?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        Ok(Health {
            status: response.status(),
            date: date
                .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
                .map(|date| date.timestamp()),
            version: response.version(),
        })
    }

    /// Sends a request and reads at most `limit` bytes of what comes back.
    pub(crate) async fn exchange(
        &self,
        method: &'static str,
        request: RequestBuilder,
        limit: usize,
    ) -> Result<Answer, Failure> {
        let failed = |error| failure(method, error);
        let request = request.timeout(self.timeout).build().map_err(failed)?;
        let span = Span::current();
        span.record("http.request.method", request.method().as_str());
        span.record("server.address", request.url().host_str());
        let sent = self.recorder.as_ref().and_then(|_| request.try_clone());
        let mut response = self.http.execute(request).await.map_err(failed)?;
        let status = response.status();
        span.record("http.response.status_code", status.as_u16());
        let retry_after = retry_after::of(response.headers(), Timestamp::now());
        let transaction = response
            .headers()
            .get(TRANSACTION)
            .and_then(|value| value.to_str().ok())
            .map(|text| text.chars().take(MAX_TRANSACTION).collect());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > limit {
                if let (Some(recorder), Some(sent)) = (&self.recorder, &sent) {
                    recorder.cut(sent, status);
                }
                return Err(Failure::unavailable(method, Trouble::TooLong));
            }
            body.extend_from_slice(&chunk);
        }
        let answer = Answer {
            status,
            retry_after,
            transaction,
            body,
        };
        if let (Some(recorder), Some(sent)) = (&self.recorder, &sent) {
            recorder.exchange(sent, &answer);
        }
        Ok(answer)
    }
}

fn failure(method: &'static str, error: reqwest::Error) -> Failure {
    // A connection that never came about carried nothing, whatever stopped it.
    let trouble = if error.is_connect() || error.is_builder() {
        Trouble::Connect
    } else if error.is_timeout() {
        Trouble::Timeout
    } else {
        Trouble::Cut
    };
    Failure::Unavailable {
        method,
        trouble,
        in_doubt: trouble != Trouble::Connect,
        retry_after: None,
        source: Some(Arc::new(error.without_url())),
    }
}
