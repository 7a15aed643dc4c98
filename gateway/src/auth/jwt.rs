//! JSON Web Tokens (RFC 7519): access tokens of our own, and what Entra signs. Algorithms are ours to choose and never the
//! token's; a key belongs to one algorithm.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::dangerous::insecure_decode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::Rejection;
use super::book::{Book, Trust, Who};
use super::key_sets::{KeyError, KeySets};

/// Who issues our access tokens, and who takes them.
const OURS: &str = "delinea-scim-gateway";

/// What of a JWT is believed, and by whose clock.
pub(crate) struct Rules {
    /// The beginning of Entra's newer issuers, such as `https://login.microsoftonline.com`.
    pub(crate) authority: String,
    /// The beginning of its older ones, such as `https://sts.windows.net`.
    pub(crate) sts: String,
    /// How far clocks may differ, in seconds.
    pub(crate) skew: u64,
}

/// What an access token of ours says.
#[derive(Deserialize)]
struct AccessToken {
    client_id: String,
    credential: String,
    #[serde(default)]
    secret: String,
}

/// What Entra says in its tokens, either version of them.
#[derive(Deserialize)]
struct EntraClaims {
    tid: String,
    #[serde(default)]
    sub: String,
    azp: Option<String>,
    appid: Option<String>,
}

/// The beginning of a JWT that is a JSON object, which no token of another kind has.
pub(super) fn is_one(token: &str) -> bool {
    token.starts_with("eyJ") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The id of the key that a token says it is signed by.
fn key_id(token: &str) -> Option<String> {
    decode_header(token).ok()?.kid.filter(|kid| !kid.is_empty())
}

/// Whose access token it is; `None` if it is none that a key of ours signed.
pub(super) fn access_token(book: &Book, rules: &Rules, token: &str, now: Timestamp) -> Option<Result<Who, Rejection>> {
    let key_id = key_id(token)?;
    let key = book.key(&key_id)?;
    let mut validation = validation(Algorithm::EdDSA, rules);
    validation.set_issuer(&[OURS]);
    validation.set_audience(&[OURS]);
    let claims: AccessToken = match decode(token, &key.key, &validation) {
        Ok(read) => read.claims,
        Err(error) => return Some(Err(reject(&error))),
    };
    let client = book
        .client(&claims.client_id)
        .filter(|client| client.who.tenant == key.tenant && *client.who.credential == *claims.credential)
        .filter(|client| client.has(&claims.secret, now));
    Some(client.map(|client| client.who.clone()).ok_or(Rejection::Revoked))
}

/// Whose token it is that Entra made for itself.
pub(super) async fn entra_token(book: &Book, rules: &Rules, key_sets: &KeySets, token: &str) -> Result<Who, Rejection> {
    // What does not even say that it is Entra's may be ours, by a key that is not known yet.
    let claims = peek(token).map_err(|_| Rejection::Unknown)?;
    let mut found = Err(Rejection::Unknown);
    for (who, trust) in book.entra_tokens(&claims.tid) {
        match trusted(rules, key_sets, trust, token).await {
            Ok(()) if found.is_ok() => return Err(Rejection::Ambiguous),
            Ok(()) => found = Ok(who.clone()),
            // What says the most: the last of several tenants' rules is as good as the first.
            Err(rejection) if found.is_err() => found = Err(rejection),
            Err(_) => {}
        }
    }
    found
}

/// Whether an assertion stands in for a client's secret (RFC 7523 §3). `jti` is not asked for: Entra sends none, and uses an
/// assertion again while it is good.
pub(crate) async fn trusted(rules: &Rules, key_sets: &KeySets, trust: &Trust, token: &str) -> Result<(), Rejection> {
    // Nothing is fetched for a token that does not even say that it is of this tenant.
    if peek(token)?.tid != trust.entra_tenant_id {
        return Err(Rejection::Claims("tid"));
    }
    let key_id = key_id(token).ok_or(Rejection::Malformed)?;
    let key = key_sets.key(&trust.entra_tenant_id, &key_id).await;
    let key = key.map_err(|error| match error {
        KeyError::Unknown => Rejection::Signature,
        KeyError::Unavailable => Rejection::KeysUnavailable,
    })?;
    let claims = verify(rules, trust, token, &key)?;
    let is_one_of = |caller: &Option<String>| caller.as_ref().is_some_and(|id| names(&trust.applications, id));
    if !claims.tid.eq_ignore_ascii_case(&trust.entra_tenant_id) {
        return Err(Rejection::Claims("tid"));
    }
    // Where both are there they are the same, or somebody is up to something.
    let callers: Vec<_> = [&claims.azp, &claims.appid]
        .into_iter()
        .filter(|one| one.is_some())
        .collect();
    if callers.is_empty() || !callers.into_iter().all(is_one_of) {
        return Err(Rejection::Claims("azp"));
    }
    match &trust.subject {
        Some(subject) if !subject.eq_ignore_ascii_case(&claims.sub) => Err(Rejection::Claims("sub")),
        _ => Ok(()),
    }
}

/// The Entra tenant and service principal that an assertion says it is of; nothing of it is certain.
pub(crate) fn claimed(token: &str) -> Option<(String, String)> {
    let claims = peek(token).ok()?;
    Some((claims.tid, claims.sub.to_ascii_lowercase()))
}

/// For how long a token that was accepted is still good.
pub(super) fn good_for(rules: &Rules, token: &str, now: Timestamp) -> Duration {
    #[derive(Deserialize)]
    struct End {
        exp: i64,
    }
    let end = insecure_decode::<End>(token).map_or(i64::MIN, |read| read.claims.exp);
    let left = end.saturating_add_unsigned(rules.skew).saturating_sub(now.as_second());
    Duration::from_secs(u64::try_from(left).unwrap_or(0))
}

fn verify(rules: &Rules, trust: &Trust, token: &str, key: &DecodingKey) -> Result<EntraClaims, Rejection> {
    let mut validation = validation(Algorithm::RS256, rules);
    let tenant = &trust.entra_tenant_id;
    validation.set_issuer(&[
        format!("{}/{tenant}/v2.0", rules.authority),
        format!("{}/{tenant}/", rules.sts),
    ]);
    let bare = |audience: &String| {
        let bare = audience.strip_prefix("api://").unwrap_or(audience);
        // Entra shows the audience with the scope that it asks for behind it; the token has it without.
        bare.strip_suffix("/.default").unwrap_or(bare).to_owned()
    };
    let audiences = trust.audiences.iter().flat_map(|audience| {
        let bare = bare(audience);
        [format!("api://{bare}"), bare]
    });
    validation.set_audience(&audiences.collect::<Vec<_>>());
    let read = decode(token, key, &validation).map_err(|error| reject(&error))?;
    Ok(read.claims)
}

fn validation(algorithm: Algorithm, rules: &Rules) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = rules.skew;
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation
}

/// What a token says of itself, before anything of it is believed.
fn peek(token: &str) -> Result<EntraClaims, Rejection> {
    let read = insecure_decode::<EntraClaims>(token).map_err(|_| Rejection::Malformed)?;
    let mut claims = read.claims;
    claims.tid.make_ascii_lowercase();
    Ok(claims)
}

fn names(ids: &[String], id: &str) -> bool {
    ids.iter().any(|one| one.eq_ignore_ascii_case(id))
}

fn reject(error: &jsonwebtoken::errors::Error) -> Rejection {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::ExpiredSignature => Rejection::Expired,
        ErrorKind::ImmatureSignature => Rejection::Claims("nbf"),
        ErrorKind::InvalidIssuer => Rejection::Claims("iss"),
        ErrorKind::InvalidAudience => Rejection::Claims("aud"),
        ErrorKind::MissingRequiredClaim(_) => Rejection::Claims("missing"),
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => Rejection::Signature,
        _ => Rejection::Malformed,
    }
}
