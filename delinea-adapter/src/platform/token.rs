//! The access token: asked for by client credentials, kept until shortly before its end, renewed by one caller at a time
//! while the others wait for it. It is never refreshed by a refresh token: asking anew is simpler and has no race.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};
use tracing::{Instrument as _, field};

use crate::{config::PlatformConfig, metrics::Metrics};

use super::{
    envelope,
    failure::{Failure, Trouble},
    transport::Transport,
};

/// How the token call is named in errors and spans.
const METHOD: &str = "token";
const MAX_ANSWER: usize = 1 << 20;
/// How long a token that could not be renewed early is used before that is tried again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);

/// Gives tokens.
pub(crate) struct Tokens {
    transport: Transport,
    url: String,
    client_id: String,
    secret: Secret,
    scope: String,
    early: Duration,
    max_age: Duration,
    metrics: Metrics,
    /// How many renewals have ended.
    renewals: AtomicU64,
    state: Mutex<State>,
}

/// A token, as the header that shows it.
#[derive(Clone, Debug)]
pub(crate) struct Token(pub(crate) Arc<HeaderValue>);

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// How the last renewal failed, if it did.
    failed: Option<Failure>,
}

struct Held {
    token: Token,
    renew_at: Instant,
    ends_at: Instant,
}

enum Secret {
    Given(SecretString),
    File(PathBuf),
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// Seconds; some servers write numbers as text.
    #[serde(default)]
    expires_in: serde_json::Value,
}

impl Tokens {
    pub(crate) fn new(
        config: &PlatformConfig,
        transport: Transport,
        metrics: Metrics,
    ) -> Result<Self, service_runtime::Error> {
        let secret = match (&config.platform_client_secret, &config.platform_client_secret_file) {
            (Some(secret), _) if !secret.expose_secret().is_empty() => Secret::Given(secret.clone()),
            (_, file) => Secret::File(file.clone().unwrap_or_default()),
        };
        Ok(Self {
            transport,
            url: format!("{}/{}", config.base_url()?, config.token_path.trim_start_matches('/')),
            client_id: config.client_id()?.to_owned(),
            secret,
            scope: config.platform_scope.clone(),
            early: config.token_early_refresh,
            max_age: config.token_max_age,
            metrics,
            renewals: AtomicU64::new(0),
            state: Mutex::default(),
        })
    }

    /// A token that is good for a while.
    pub(crate) async fn current(&self) -> Result<Token, Failure> {
        let seen = self.renewals.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(held) = state.held.as_ref().filter(|held| Instant::now() < held.renew_at) {
            return Ok(held.token.clone());
        }
        // Who waited for a renewal that failed shares its failure; else each of them would wait for its own.
        if self.renewals.load(Ordering::Acquire) != seen
            && let Some(failure) = &state.failed
        {
            return Err(failure.clone());
        }
        let renewed = self.renew().await;
        self.renewals.fetch_add(1, Ordering::AcqRel);
        self.metrics
            .token(renewed.as_ref().map_or_else(Failure::kind, |_| "ok"));
        match renewed {
            Ok(held) => {
                let token = held.token.clone();
                *state = State {
                    held: Some(held),
                    failed: None,
                };
                Ok(token)
            }
            Err(failure) => {
                let now = Instant::now();
                if let Some(held) = state.held.as_mut().filter(|held| now < held.ends_at) {
                    tracing::warn!(scim.tenant = self.metrics.tenant(), %failure, "the token could not be renewed early; the old one is still good");
                    held.renew_at = now + RENEWAL_PAUSE;
                    return Ok(held.token.clone());
                }
                *state = State {
                    held: None,
                    failed: Some(failure.clone()),
                };
                Err(failure)
            }
        }
    }

    /// Forgets a token that a call was refused with, unless it has been replaced already.
    pub(crate) async fn reject(&self, token: &Token) {
        let mut state = self.state.lock().await;
        if state
            .held
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(&held.token.0, &token.0))
        {
            state.held = None;
        }
    }

    async fn renew(&self) -> Result<Held, Failure> {
        let span = tracing::info_span!(
            "platform call",
            otel.name = METHOD,
            otel.kind = "client",
            scim.tenant = self.metrics.tenant(),
            http.request.method = field::Empty,
            http.response.status_code = field::Empty,
            server.address = field::Empty,
        );
        let asked = Instant::now();
        let answer = async {
            let secret = self.secret.read().await?;
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", self.client_id.as_str()),
                ("client_secret", secret.expose_secret()),
                ("scope", self.scope.as_str()),
            ];
            let request = self.transport.post(&self.url).form(&form);
            self.transport.exchange(METHOD, request, MAX_ANSWER).await
        };
        let answer = answer.instrument(span).await?;
        let status = answer.status;
        if matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            return Err(Failure::Credentials {
                method: METHOD,
                status: status.as_u16(),
            });
        }
        if status == StatusCode::NOT_FOUND && answer.body.is_empty() {
            return Err(Failure::unavailable(METHOD, Trouble::NotAnEnvelope(status.as_u16())));
        }
        let granted = status
            .is_success()
            .then(|| serde_json::from_slice::<TokenAnswer>(&answer.body).ok())
            .flatten();
        let granted = granted.filter(|granted| !granted.access_token.is_empty());
        let granted = granted.ok_or_else(|| envelope::no_verdict(METHOD, &answer))?;
        let header = format!("Bearer {}", granted.access_token);
        let mut header = HeaderValue::from_str(&header)
            .map_err(|_| Failure::unavailable(METHOD, Trouble::NotAnEnvelope(status.as_u16())))?;
        header.set_sensitive(true);
        let life = lifetime(&granted.expires_in).unwrap_or(self.max_age).min(self.max_age);
        Ok(Held {
            token: Token(Arc::new(header)),
            renew_at: asked + early_end(life, self.early),
            ends_at: asked + life,
        })
    }
}

impl Secret {
    async fn read(&self) -> Result<SecretString, Failure> {
        let path = match self {
            Self::Given(secret) => return Ok(secret.clone()),
            Self::File(path) => path.clone(),
        };
        const SETTING: &str = "PLATFORM_CLIENT_SECRET_FILE";
        let read = move || match service_runtime::settings::secret(SETTING, None, Some(&path)) {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => Err(service_runtime::Error::setting(SETTING, "must be set")),
            Err(error) => Err(error),
        };
        let read = tokio::task::spawn_blocking(read).await;
        let read = read.unwrap_or_else(|_| Err(service_runtime::Error::setting(SETTING, "cannot be read")));
        read.map_err(|error| Failure::Secret(Arc::new(error)))
    }
}

fn lifetime(expires_in: &serde_json::Value) -> Option<Duration> {
    let seconds = expires_in
        .as_f64()
        .or_else(|| expires_in.as_str()?.trim().parse().ok())?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// When a token of that life is renewed. One that lives hardly longer than `early` is used for half its life, or each
/// call would ask for another.
fn early_end(life: Duration, early: Duration) -> Duration {
    life.saturating_sub(early).max(life / 2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_life_is_read_in_each_form() {
        for (expires_in, seconds) in [
            (json!(3600), Some(3600)),
            (json!("3600"), Some(3600)),
            (json!(0), Some(0)),
            (json!(-1), None),
            (json!(1e300), None),
            (json!("soon"), None),
            (json!(null), None),
        ] {
            assert_eq!(lifetime(&expires_in), seconds.map(Duration::from_secs), "{expires_in}");
        }
    }

    #[test]
    fn a_short_token_is_used_for_half_its_life() {
        let seconds = Duration::from_secs;
        assert_eq!(early_end(seconds(3600), seconds(60)), seconds(3540));
        assert_eq!(early_end(seconds(60), seconds(60)), seconds(30));
        assert_eq!(early_end(seconds(10), seconds(60)), seconds(5));
        assert_eq!(early_end(Duration::ZERO, seconds(60)), Duration::ZERO);
    }
}
