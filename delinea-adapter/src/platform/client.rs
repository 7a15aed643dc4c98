//! The one place that every call to the Platform goes through: its turn, the token, the deadline, the trace, the verdict,
//! the count. What limits or counts calls belongs here.

use std::time::Duration;

use http::{
    HeaderMap, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use reqwest::{RequestBuilder, Url};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{Instrument as _, Span, field};

use crate::{Error, config::PlatformConfig, metrics::Metrics, record::Recorder};

use super::{
    envelope,
    exposure::Exposure,
    failure::{Class, Failure, Trouble},
    matchers::Matchers,
    pace::{NoTurn, Pace},
    scim,
    token::{Token, Tokens},
    transport::{Answer, Transport},
};

pub(crate) use super::transport::Health;

/// An answer about one object is no longer.
const MAX_ANSWER: usize = 1 << 20;
/// A list is no longer.
const MAX_LIST: usize = 32 << 20;

/// A call of the SCIM endpoint.
pub(crate) struct ScimCall<'a> {
    /// What the call is named in errors, spans and metrics.
    pub(crate) method: &'static str,
    pub(crate) verb: Method,
    /// The segments behind the endpoint's base path; an id is one of them, whatever characters it has.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<&'a Value>,
}

/// Makes calls.
pub(crate) struct Client {
    transport: Transport,
    base: String,
    scim_base: Url,
    health_url: String,
    exposure: Exposure,
    tokens: Tokens,
    pace: Pace,
    headers: HeaderMap,
    matchers: Matchers,
    metrics: Metrics,
}

impl Client {
    pub(crate) fn new(config: &PlatformConfig, metrics: Metrics, recorder: Option<&Recorder>) -> Result<Self, Error> {
        let transport = Transport::new(config.platform_timeout, config.is_beside_us()).map_err(Error::HttpClient)?;
        let transport = match recorder {
            Some(recorder) => transport.recorded(recorder),
            None => transport,
        };
        let scim_path = config.backends.scim_base_path.trim_matches('/');
        Ok(Self {
            scim_base: format!("{}/{scim_path}", config.base_url()?).parse().map_err(|_| {
                service_runtime::Error::setting("SCIM_BASE_PATH", "does not make a URL with PLATFORM_URL")
            })?,
            health_url: format!("{}/health", config.base_url()?),
            exposure: Exposure::of_tenant(&config.platform_tenant),
            base: format!("{}/{}", config.base_url()?, config.identity_base_path.trim_matches('/')),
            tokens: Tokens::new(config, transport.clone(), metrics.clone())?,
            transport,
            pace: Pace::new(config, metrics.clone()),
            headers: config.headers(),
            matchers: Matchers::read(config, metrics.clone())?,
            metrics,
        })
    }

    /// Whether the Platform gives a token.
    pub(crate) async fn token(&self) -> Result<(), Failure> {
        self.tokens.current().await.map(drop)
    }

    /// Asks the tenant's address how it is, without a token.
    pub(crate) async fn health(&self) -> Result<Health, Failure> {
        self.transport.health(&self.health_url).await
    }

    /// Waits until a call that can wait, such as one for a list to compare with, holds up no delivery.
    pub(crate) async fn spare(&self) {
        self.pace.spare().await;
    }

    /// Calls `Controller/Method` and gives its `Result`.
    pub(crate) async fn call(&self, method: &'static str, body: &Value) -> Result<Value, Failure> {
        self.call_with(method, &[], body, MAX_ANSWER).await
    }

    /// Calls `Controller/Method` for a page of a list.
    pub(crate) async fn call_for_list(&self, method: &'static str, body: &Value) -> Result<Value, Failure> {
        self.call_with(method, &[], body, MAX_LIST).await
    }

    /// Calls `Controller/Method` with arguments in the query of its URL.
    pub(crate) async fn call_by_query(&self, method: &'static str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.call_with(method, query, &json!({}), MAX_ANSWER).await
    }

    async fn call_with(
        &self,
        method: &'static str,
        query: &[(&str, &str)],
        body: &Value,
        limit: usize,
    ) -> Result<Value, Failure> {
        let url = match query {
            [] => self.url(method),
            // The settings were checked: it is a URL.
            query => Url::parse_with_params(&self.url(method), query).map_or_else(|_| self.url(method), Url::into),
        };
        let request = || self.transport.post(&url).json(body);
        self.observed(method, async {
            let answer = self.exchange(method, request, limit).await?;
            let verdict = envelope::verdict(method, &answer, &names_in(body), &self.matchers);
            if let Err(Failure::Throttled { retry_after, .. }) = &verdict
                && !is_busy(answer.status)
            {
                self.pace.throttled(*retry_after);
            }
            verdict
        })
        .await
    }

    /// Gets a list that comes as a bare JSON array, without an envelope.
    pub(crate) async fn get_list(&self, path: &'static str) -> Result<Vec<Value>, Failure> {
        self.get_list_within(path, MAX_LIST).await
    }

    async fn get_list_within(&self, path: &'static str, limit: usize) -> Result<Vec<Value>, Failure> {
        let request = || self.transport.get(&self.url(path));
        self.observed(path, async {
            let answer = self.exchange(path, request, limit).await?;
            match serde_json::from_slice(&answer.body) {
                Ok(Value::Array(list)) if answer.status.is_success() => Ok(list),
                // An envelope here tells a failure; a success without a list is not what was asked for.
                _ => {
                    envelope::verdict(path, &answer, &[], &self.matchers)?;
                    Err(Failure::unavailable(
                        path,
                        Trouble::NotAnEnvelope(answer.status.as_u16()),
                    ))
                }
            }
        })
        .await
    }

    /// Calls the SCIM endpoint and gives the body of its answer.
    pub(crate) async fn scim(&self, call: ScimCall<'_>) -> Result<Value, Failure> {
        const SCIM_JSON: &str = "application/scim+json";
        let ScimCall {
            method, query, body, ..
        } = call;
        let mut url = self.scim_base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(call.path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = || {
            let request = self
                .transport
                .request(call.verb.clone(), url.clone())
                .header(ACCEPT, SCIM_JSON);
            match body {
                Some(body) => request.header(CONTENT_TYPE, SCIM_JSON).body(body.to_string()),
                None => request,
            }
        };
        self.observed(method, async {
            let answer = self.exchange(method, request, MAX_LIST).await?;
            scim::answer::verdict(method, &answer, &self.matchers)
        })
        .await
    }

    /// Gets a JSON object that comes without an envelope.
    pub(crate) async fn get_json(&self, path: &'static str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.get_plain(path, &[], query, MAX_LIST).await
    }

    /// Gets one resource of a path, by its name or id.
    pub(crate) async fn get_one(
        &self,
        path: &'static str,
        name: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        self.get_plain(path, &[name], query, MAX_ANSWER).await
    }

    async fn get_plain(
        &self,
        path: &'static str,
        segments: &[&str],
        query: &[(&str, &str)],
        limit: usize,
    ) -> Result<Value, Failure> {
        let wrong = |_| Failure::unavailable(path, Trouble::Incomplete);
        let mut url = Url::parse_with_params(&self.url(path), query).map_err(wrong)?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        let request = || self.transport.request(Method::GET, url.clone());
        self.observed(path, async {
            let answer = self.exchange(path, request, limit).await?;
            let about_nobody = answer.status == StatusCode::NOT_FOUND
                && serde_json::from_slice::<Value>(&answer.body).is_ok_and(|body| body.is_object());
            if about_nobody {
                return Err(Failure::refused(path, Class::NotFound, "there is none of that name"));
            }
            scim::answer::verdict(path, &answer, &self.matchers)
        })
        .await
    }

    /// Asks whether a list is there, and reads nothing of it.
    pub(crate) async fn peek(&self, path: &'static str) -> Result<(), Failure> {
        match self.get_list_within(path, 0).await {
            Ok(_)
            | Err(Failure::Unavailable {
                trouble: Trouble::TooLong,
                ..
            }) => {
                self.exposure.learn(path, true);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// What is known of which calls are there.
    pub(crate) fn exposure(&self) -> &Exposure {
        &self.exposure
    }

    /// Whether a call is known not to be there.
    pub(crate) fn lacks(&self, method: &str) -> bool {
        self.exposure.of(method) == Some(false)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// Waits for a turn, then makes the call in a span of its own and counts it.
    async fn observed<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let _turn = match self.pace.turn().await {
            Ok(turn) => turn,
            Err(NoTurn::Paused(wait)) => {
                self.metrics.call(method, "paused", Duration::ZERO);
                return Err(Failure::Throttled {
                    method,
                    retry_after: Some(wait),
                });
            }
            Err(NoTurn::TooLate) => {
                self.metrics.call(method, "no_turn", Duration::ZERO);
                return Err(Failure::unavailable(method, Trouble::NoTurn));
            }
        };
        let span = tracing::info_span!(
            "platform call",
            otel.name = method,
            otel.kind = "client",
            scim.tenant = self.metrics.tenant(),
            otel.status_code = field::Empty,
            platform.outcome = field::Empty,
            error.type = field::Empty,
            http.request.method = field::Empty,
            http.response.status_code = field::Empty,
            server.address = field::Empty,
            platform.transaction = field::Empty,
        );
        let started = Instant::now();
        let result = call.instrument(span.clone()).await;
        match &result {
            Err(Failure::NotExposed { .. }) => self.exposure.learn(method, false),
            Ok(_) | Err(Failure::Refused { .. }) => self.exposure.learn(method, true),
            // Neither says whether the call is there.
            Err(_) => {}
        }
        let outcome = result.as_ref().map_or_else(Failure::kind, |_| "ok");
        span.record("platform.outcome", outcome);
        if let Err(failure) = &result
            && !failure.is_about_object()
        {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", outcome);
        }
        self.metrics.call(method, outcome, started.elapsed());
        result
    }

    /// Sends the request with a token; a token that is refused is replaced, and the request replayed, once. That is safe
    /// for writes too: what was refused for its token was not done.
    async fn exchange(
        &self,
        method: &'static str,
        request: impl Fn() -> RequestBuilder,
        limit: usize,
    ) -> Result<Answer, Failure> {
        let token = self.tokens.current().await?;
        let answer = self.send(method, request(), &token, limit).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.tokens.reject(&token).await;
        let token = self.tokens.current().await?;
        let answer = self.send(method, request(), &token, limit).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            self.tokens.reject(&token).await;
            return Err(Failure::Credentials {
                method,
                status: answer.status.as_u16(),
            });
        }
        Ok(answer)
    }

    async fn send(
        &self,
        method: &'static str,
        request: RequestBuilder,
        token: &Token,
        limit: usize,
    ) -> Result<Answer, Failure> {
        let mut headers = self.headers.clone();
        service_runtime::trace_context::inject(&mut headers);
        let request = request.headers(headers).header(AUTHORIZATION, &*token.0);
        let sent = self.pace.sent(method);
        let answer = sent.ended(self.transport.exchange(method, request, limit).await)?;
        if let Some(transaction) = &answer.transaction {
            Span::current().record("platform.transaction", transaction.as_str());
        }
        Ok(answer)
    }
}

/// Whether the status alone says that there is too much to do.
fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// The names that a call is about, which the Platform may quote when it refuses.
fn names_in(body: &Value) -> Vec<&str> {
    let names = ["Name", "NewName", "DisplayName", "Mail"];
    names.iter().filter_map(|name| body.get(name)?.as_str()).collect()
}
