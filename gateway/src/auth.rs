//! Who may call, and as which tenant: bearer tokens (RFC 6750) of four kinds. Those of our own making are known by their hashes;
//! access tokens (RFC 9068) by a signature of ours; Entra's by a signature of its. Every route but the one for tokens asks for a
//! credential, discovery included, and before the body is read.
//!
//! It knows what identity-service said of credentials at most ten seconds ago. What cannot be told for reasons of our own is
//! 503 and never 401, for which Entra would stop the job.

pub(crate) mod book;
mod follow;
pub(crate) mod jwt;
pub(crate) mod key_sets;
mod metrics;
mod settings;
mod verdicts;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use jiff::Timestamp;

use crate::error::Problem;
use crate::identity::Identity;
use crate::origin::{Origin, RequestId};
use crate::{Error, Gateway, traced};

pub(crate) use book::{Book, Who};
pub(crate) use follow::{MAX_AGE, follow, follow_keys};
use follow::{Present, Uses};
use jwt::Rules;
use key_sets::KeySets;
use metrics::Metrics;
pub use settings::AuthArgs;

/// The longest token that is looked at. Tokens of other makers, JWTs among them, stay well below.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What each bearer token of our making begins with.
const TOKEN_PREFIX: &str = "dsg_";

/// Checks credentials.
pub(crate) struct Credentials {
    pub(crate) present: Present,
    pub(crate) key_sets: KeySets,
    pub(crate) rules: Rules,
    uses: Uses,
    metrics: Metrics,
}

/// Whose request it is: goes with each request from the moment that its credential was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Authenticated {
    /// The tenant that the credential is for.
    pub(crate) tenant: Arc<str>,
}

/// Why a credential opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// None came.
    Missing,
    /// What came is no credential.
    Malformed,
    /// Nobody has it.
    Unknown,
    /// It was good once.
    Expired,
    /// The client, or the secret, that it came of is gone.
    Revoked,
    /// Another signed it, or somebody else in his name.
    Signature,
    /// A claim is not what it has to be.
    Claims(&'static str),
    /// It would be that of two tenants.
    Ambiguous,
    /// Entra's keys cannot be had.
    KeysUnavailable,
    /// identity-service has not said for too long who may call.
    Unavailable,
}

impl Credentials {
    pub(crate) fn new(args: &AuthArgs, first: Option<Book>, max_age: Duration) -> Result<Self, Error> {
        args.check()?;
        let plain = |url: &str| url.trim_end_matches('/').to_owned();
        Ok(Self {
            present: Present::new(first, max_age),
            key_sets: KeySets::new(&args.entra_authority, args.is_beside_us()).map_err(Error::KeySets)?,
            rules: Rules {
                authority: plain(&args.entra_authority),
                sts: plain(&args.entra_sts),
                skew: args.clock_skew.as_secs(),
            },
            uses: Uses::default(),
            metrics: Metrics::new(),
        })
    }

    /// Whose bearer token it is.
    pub(crate) async fn authenticate(&self, identity: &Identity, token: &str) -> Result<Who, Rejection> {
        let now = Timestamp::now();
        let book = self.book(identity).await?;
        let mut found = self.look_up(&book, token, now).await;
        // It may be younger than what we know.
        if matches!(found, Err(Rejection::Unknown | Rejection::Revoked)) && may_be_ours(token) {
            let newer = self.newer(identity).await?;
            found = self.look_up(&newer, token, now).await;
        }
        if let Ok(who) = &found {
            self.used(who);
        }
        found
    }

    /// The verifiers, fresh ones.
    pub(crate) async fn book(&self, identity: &Identity) -> Result<Arc<Book>, Rejection> {
        match self.present.fresh() {
            Some(book) => Ok(book),
            None => self.newer(identity).await,
        }
    }

    /// Newer verifiers than there are.
    pub(crate) async fn newer(&self, identity: &Identity) -> Result<Arc<Book>, Rejection> {
        let newer = self.present.newer(identity).await;
        newer.map_err(|_| Rejection::Unavailable)
    }

    /// Notes that a credential was used.
    pub(crate) fn used(&self, who: &Who) {
        self.uses.note(who, Timestamp::now());
    }

    /// Counts and tells that a credential was refused. What it was is told nowhere.
    pub(crate) fn refused(&self, rejection: Rejection, request_id: Option<&RequestId>) {
        let (reason, claim) = (rejection.name(), rejection.claim());
        self.metrics.refused(reason);
        let request_id = request_id.and_then(|RequestId(id)| id.to_str().ok());
        if rejection.is_ours() {
            tracing::warn!(reason, claim, request_id, "a credential cannot be checked");
        } else {
            tracing::info!(reason, claim, request_id, "a credential was refused");
        }
    }

    async fn look_up(&self, book: &Book, token: &str, now: Timestamp) -> Result<Who, Rejection> {
        if !jwt::is_one(token) {
            return book.bearer_token(token, now).cloned().ok_or(Rejection::Unknown);
        }
        if let Some(who) = book.verdicts.of(token) {
            return Ok(who);
        }
        let who = match jwt::access_token(book, &self.rules, token, now) {
            Some(found) => found?,
            None => jwt::entra_token(book, &self.rules, &self.key_sets, token).await?,
        };
        let good_for = jwt::good_for(&self.rules, token, now);
        book.verdicts.remember(token, &who, good_for);
        Ok(who)
    }
}

/// Whether identity-service may have made it.
fn may_be_ours(token: &str) -> bool {
    token.starts_with(TOKEN_PREFIX) || jwt::is_one(token)
}

/// Lets a request with a valid credential through, with whose it is, and answers all others.
pub(crate) async fn require(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let credentials = &gateway.credentials;
    let who = match bearer(request.headers()) {
        Ok(token) => credentials.authenticate(&gateway.identity, token).await,
        Err(rejection) => Err(rejection),
    };
    match who {
        Ok(who) => {
            let origin = Origin::of(&request, &who.name);
            traced::caller(&who.tenant, &origin);
            request.extensions_mut().insert(origin);
            gateway.tables.prepare(&gateway.identity, &who.tenant).await;
            request.extensions_mut().insert(Authenticated { tenant: who.tenant });
            next.run(request).await
        }
        Err(rejection) => {
            credentials.refused(rejection, request.extensions().get());
            rejection.into_response()
        }
    }
}

/// The bearer token that came with a request.
fn bearer(headers: &HeaderMap) -> Result<&str, Rejection> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let first = given.next().ok_or(Rejection::Missing)?;
    if given.next().is_some() {
        return Err(Rejection::Malformed);
    }
    parse_bearer(first.as_bytes()).ok_or(Rejection::Malformed)
}

/// The token of an `Authorization` header.
pub(crate) fn parse_bearer(header: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(header).ok()?.trim().split_once(' ')?;
    let token = token.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer")
        && (1..=MAX_TOKEN_BYTES).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(token)
}

impl Rejection {
    /// All the names that there are.
    pub(crate) const NAMES: [&'static str; 10] = [
        "missing",
        "malformed",
        "unknown",
        "expired",
        "revoked",
        "signature",
        "claims",
        "ambiguous",
        "keys_unavailable",
        "unavailable",
    ];

    /// Its name in metrics and log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Signature => "signature",
            Self::Claims(_) => "claims",
            Self::Ambiguous => "ambiguous",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Unavailable => "unavailable",
        }
    }

    fn claim(self) -> Option<&'static str> {
        match self {
            Self::Claims(claim) => Some(claim),
            _ => None,
        }
    }

    /// Whether it is our own fault, or that of whom we ask.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::KeysUnavailable | Self::Unavailable)
    }

    /// What the client is told. It helps who set it up wrongly, and nobody to get in.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Missing => {
                "No credential came with the request. Send `Authorization: Bearer <token>`; in Entra, enter the token as Secret Token."
            }
            Self::Malformed | Self::Unknown => {
                "The bearer token is not accepted. Compare the Secret Token in Entra with the one made for this gateway."
            }
            Self::Expired => "The token has ended. Ask for a new one.",
            Self::Revoked => "What the token came of was revoked.",
            Self::Signature | Self::Claims(_) | Self::Ambiguous => {
                "The token is not one that this gateway is set up to accept. Its log has the reason."
            }
            Self::KeysUnavailable => {
                "The keys that the token is checked with cannot be fetched for the moment. Try again."
            }
            Self::Unavailable => "Who may call cannot be told for the moment. Try again.",
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        if self.is_ours() {
            return Problem::unavailable(self.words()).into_response();
        }
        let challenge = match self {
            Self::Missing => r#"Bearer realm="scim""#,
            _ => r#"Bearer realm="scim", error="invalid_token""#,
        };
        let mut response = Problem::unauthorized(self.words()).into_response();
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_its_header_in_any_dress() {
        let long = format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES + 1));
        let table: [(&[&str], Result<&str, Rejection>); 11] = [
            (&[], Err(Rejection::Missing)),
            (&["Bearer dsg_old"], Ok("dsg_old")),
            (&["bearer dsg_new"], Ok("dsg_new")),
            (&["BEARER   dsg_new "], Ok("dsg_new")),
            (&["Bearer"], Err(Rejection::Malformed)),
            (&["Bearer "], Err(Rejection::Malformed)),
            (&["dsg_old"], Err(Rejection::Malformed)),
            (&["Basic dsg_old"], Err(Rejection::Malformed)),
            (&["Bearer dsg_old dsg_new"], Err(Rejection::Malformed)),
            (&["Bearer dsg_old", "Bearer dsg_new"], Err(Rejection::Malformed)),
            (&[&long], Err(Rejection::Malformed)),
        ];
        for (lines, expected) in table {
            let headers: HeaderMap = lines
                .iter()
                .map(|line| (AUTHORIZATION, HeaderValue::from_str(line).unwrap()))
                .collect();
            assert_eq!(bearer(&headers), expected, "{lines:?}");
        }
    }
}
