//! How a job signs in (R19): a bearer token that it was given, or an access token that it asks for by a client secret or by an
//! assertion, and keeps until it nears its end or is refused. Or, with an empty Secret Token, Entra's own token.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{
    Url,
    header::{HeaderMap, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::{
    client::{http_client, read},
    error::{Error, Failure},
    issuer::Issuer,
};

/// How long before its end an access token is renewed; of a short one, a third of its time.
const EARLY: Duration = Duration::from_secs(300);

/// How a job signs in.
#[derive(Debug, Clone)]
pub enum SignIn {
    /// By the Secret Token.
    Bearer(SecretString),
    /// By OAuth 2.0 client credentials.
    ClientCredentials {
        /// The Token Endpoint.
        token_url: String,
        /// The Client Identifier.
        client_id: String,
        /// The Client Secret.
        client_secret: SecretString,
        /// Where id and secret stand in the request.
        placed: Placed,
    },
    /// By a signed assertion in place of a secret (workload identity federation).
    Assertion {
        /// The Token Endpoint.
        token_url: String,
        /// The client's id, if it is sent.
        client_id: Option<String>,
        /// Who signs.
        issuer: Arc<Issuer>,
        /// For whom, as the endpoint's administrator says it.
        audience: String,
    },
    /// By the token that Entra makes for itself where no secret is entered.
    EntraToken(Arc<Issuer>),
}

/// Where client id and secret stand in a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Placed {
    /// By HTTP Basic.
    Header,
    /// In the form.
    Form,
}

impl From<SecretString> for SignIn {
    fn from(token: SecretString) -> Self {
        Self::Bearer(token)
    }
}

/// The present token, for all requests of a job.
pub(crate) struct Signed {
    sign_in: SignIn,
    http: reqwest::Client,
    present: tokio::sync::Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    renewed_at: Option<Instant>,
}

impl Signed {
    pub(crate) fn new(sign_in: SignIn, timeout: Duration) -> Result<Self, Error> {
        let url = match &sign_in {
            SignIn::ClientCredentials { token_url, .. } | SignIn::Assertion { token_url, .. } => Some(token_url),
            SignIn::Bearer(_) | SignIn::EntraToken(_) => None,
        };
        let bad = |reason: String| Error::BadUrl {
            url: url.cloned().unwrap_or_default(),
            reason,
        };
        let url = url.map_or("http://localhost", |url| url.as_str());
        let url = Url::parse(url).map_err(|error| bad(error.to_string()))?;
        if let SignIn::Bearer(token) = &sign_in {
            bearer(token.expose_secret()).ok_or(Error::BadToken)?;
        }
        Ok(Self {
            http: http_client(HeaderMap::new(), timeout, &url)?,
            sign_in,
            present: tokio::sync::Mutex::default(),
        })
    }

    /// What goes into `Authorization`, asked for if there is none, or if that one was refused.
    pub(crate) async fn header(&self, refused: Option<&HeaderValue>) -> Result<HeaderValue, Failure> {
        let mut present = self.present.lock().await;
        let fresh = |token: &&Token| {
            let in_time = token.renewed_at.is_none_or(|at| Instant::now() < at);
            in_time && refused.is_none_or(|refused| *refused != token.header)
        };
        if let Some(token) = present.as_ref().filter(fresh) {
            return Ok(token.header.clone());
        }
        let token = self.ask().await?;
        *present = Some(token.clone());
        Ok(token.header)
    }

    /// Whether there is anything to ask for when a token was refused.
    pub(crate) fn can_ask_again(&self) -> bool {
        !matches!(self.sign_in, SignIn::Bearer(_))
    }

    async fn ask(&self) -> Result<Token, Failure> {
        let form = match &self.sign_in {
            SignIn::Bearer(token) => return given(token.expose_secret()),
            SignIn::EntraToken(issuer) => return given(&issuer.own_token()),
            SignIn::ClientCredentials {
                token_url,
                client_id,
                client_secret,
                placed,
            } => {
                let request = self.http.post(token_url);
                let (id, secret) = (client_id.as_str(), client_secret.expose_secret());
                match placed {
                    Placed::Header => {
                        let grant = [("grant_type", "client_credentials")];
                        request.basic_auth(id, Some(secret)).form(&grant)
                    }
                    Placed::Form => request.form(&[
                        ("grant_type", "client_credentials"),
                        ("client_id", id),
                        ("client_secret", secret),
                    ]),
                }
            }
            SignIn::Assertion {
                token_url,
                client_id,
                issuer,
                audience,
            } => {
                let assertion = issuer.assertion(audience);
                let mut form = vec![
                    ("grant_type", "client_credentials"),
                    (
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    ),
                    ("client_assertion", assertion.as_str()),
                ];
                form.extend(client_id.as_deref().map(|id| ("client_id", id)));
                self.http.post(token_url).form(&form)
            }
        };
        let asked = Instant::now();
        let answer = read(form).await.map_err(|refusal| refusal.failure)?;
        let body = answer.body.unwrap_or_default();
        let incompatible = |what: &str| Failure::Incompatible(format!("the token answer has no {what}"));
        let token = body["access_token"]
            .as_str()
            .ok_or_else(|| incompatible("access_token"))?;
        let kind = body["token_type"].as_str().unwrap_or_default();
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(incompatible("token_type Bearer"));
        }
        let seconds = body["expires_in"].as_u64().filter(|seconds| *seconds > 0);
        let lifetime = Duration::from_secs(seconds.ok_or_else(|| incompatible("expires_in"))?);
        let early = EARLY.min(lifetime / 3);
        Ok(Token {
            renewed_at: Some(asked + lifetime.saturating_sub(early)),
            ..given(token)?
        })
    }
}

fn given(token: &str) -> Result<Token, Failure> {
    let header = bearer(token).ok_or_else(|| Failure::Incompatible("the token cannot stand in a header".to_owned()))?;
    Ok(Token {
        header,
        renewed_at: None,
    })
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    bearer.set_sensitive(true);
    Some(bearer)
}
