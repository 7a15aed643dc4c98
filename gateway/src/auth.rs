//! Who may call: bearer tokens (RFC 6750), of which only SHA-256 hashes are kept. Several are valid at once, so that
//! one can be rotated. Every route asks for a credential, discovery included, and before the body is read.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use subtle::{Choice, ConstantTimeEq};

use crate::error::Problem;
use crate::origin::Origin;
use crate::token::hash_token;
use crate::{Error, Gateway};

/// The longest token that is looked at. Tokens of other makers, JWTs among them, stay well below.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Which bearer tokens are accepted. At least one is needed.
#[derive(clap::Args, Clone, Default)]
pub struct CredentialArgs {
    /// SHA-256 of each accepted bearer token, in hex, separated by commas. `gateway token` makes a token and its hash.
    #[arg(long, env = "BEARER_TOKEN_SHA256", value_name = "HASHES", hide_env_values = true)]
    pub bearer_token_sha256: Option<String>,
    /// File with such hashes, one on each line; `#` begins a comment. Adds to those given directly.
    #[arg(long, env = "BEARER_TOKEN_SHA256_FILE", value_name = "FILE")]
    pub bearer_token_sha256_file: Option<PathBuf>,
}

impl fmt::Debug for CredentialArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.bearer_token_sha256.as_ref().map(|_| "<hidden>");
        f.debug_struct("CredentialArgs")
            .field("bearer_token_sha256", &given)
            .field("bearer_token_sha256_file", &self.bearer_token_sha256_file)
            .finish()
    }
}

impl CredentialArgs {
    pub(crate) fn load(&self) -> Result<Credentials, Error> {
        const DIRECT: &str = "--bearer-token-sha256";
        const FILE: &str = "--bearer-token-sha256-file";
        let parse =
            |setting: &'static str, text: &str| text.parse().map_err(|_| Error::setting(setting, NotAHash.to_string()));
        let mut hashes: Vec<TokenHash> = Vec::new();
        let direct = self.bearer_token_sha256.as_deref().unwrap_or_default();
        for text in direct.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            hashes.push(parse(DIRECT, text)?);
        }
        if let Some(path) = self
            .bearer_token_sha256_file
            .as_ref()
            .filter(|path| !path.as_os_str().is_empty())
        {
            let text = fs::read_to_string(path).map_err(|source| Error::HashFile {
                path: path.clone(),
                source,
            })?;
            let lines = text
                .lines()
                .map(|line| line.split('#').next().unwrap_or_default().trim());
            for line in lines.filter(|line| !line.is_empty()) {
                hashes.push(parse(FILE, line)?);
            }
        }
        if hashes.is_empty() {
            return Err(Error::setting(
                DIRECT,
                "at least one hash is needed; `gateway token` makes a token and its hash",
            ));
        }
        Ok(Credentials { hashes })
    }
}

/// The SHA-256 of a bearer token. Compared in constant time; shown by `Display`, not by `Debug`.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

/// The text is not a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits: the SHA-256 of the token, not the token itself")]
pub struct NotAHash;

impl From<[u8; 32]> for TokenHash {
    fn from(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl FromStr for TokenHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(NotAHash);
        }
        let digit = |at: usize| {
            char::from(digits[at])
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = digit(2 * at).ok_or(NotAHash)? << 4 | digit(2 * at + 1).ok_or(NotAHash)?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(<hidden>)")
    }
}

/// The credentials in effect.
pub(crate) struct Credentials {
    hashes: Vec<TokenHash>,
}

impl Credentials {
    /// The name of the credential that a token is, if it is one. Compares with every hash, whichever matches, so that the
    /// time taken tells nothing.
    fn name(&self, token: &str) -> Option<String> {
        let given = hash_token(token);
        let accepted: bool = self
            .hashes
            .iter()
            .fold(Choice::from(0), |found, hash| found | hash.0.ct_eq(&given.0))
            .into();
        // Enough of the hash to find it among the settings, and nothing of the token.
        accepted.then(|| format!("bearer-{}", &given.to_string()[..8]))
    }
}

/// Whose request it is: goes with each request from the moment that its credential was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Authenticated {
    /// The tenant that the credential is for.
    pub(crate) tenant: Arc<str>,
}

/// Lets a request with a valid credential through, with whose it is, and answers all others with 401.
pub(crate) async fn require(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    match check(request.headers(), &gateway.credentials) {
        Ok(credential) => {
            let origin = Origin::of(&request, &credential);
            request.extensions_mut().insert(origin);
            let tenant = gateway.tenant.as_str().into();
            request.extensions_mut().insert(Authenticated { tenant });
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Missing,
    Invalid,
}

/// The name of the credential that came with a request.
fn check(headers: &HeaderMap, credentials: &Credentials) -> Result<String, Refusal> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let first = given.next().ok_or(Refusal::Missing)?;
    if given.next().is_some() {
        return Err(Refusal::Invalid);
    }
    let (scheme, token) = first
        .to_str()
        .ok()
        .and_then(|text| text.trim().split_once(' '))
        .ok_or(Refusal::Invalid)?;
    let token = token.trim();
    let looks_right = scheme.eq_ignore_ascii_case("bearer") && (1..=MAX_TOKEN_BYTES).contains(&token.len());
    let name = looks_right.then(|| credentials.name(token)).flatten();
    name.ok_or(Refusal::Invalid)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (challenge, detail) = match self {
            Self::Missing => (
                r#"Bearer realm="scim""#,
                "No credential came with the request. Send `Authorization: Bearer <token>`; in Entra, enter the token as Secret Token.",
            ),
            Self::Invalid => (
                r#"Bearer realm="scim", error="invalid_token""#,
                "The bearer token is not accepted. Compare the Secret Token in Entra with the one made for this gateway.",
            ),
        };
        let mut response = Problem::unauthorized(detail).into_response();
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        let hashes = format!(
            "{}, {},",
            hash_token("dsg_old"),
            hash_token("dsg_new").to_string().to_uppercase()
        );
        CredentialArgs {
            bearer_token_sha256: Some(hashes),
            ..CredentialArgs::default()
        }
        .load()
        .unwrap()
    }

    #[test]
    fn a_credential_is_checked_by_its_hash() {
        use Refusal::{Invalid, Missing};
        let table: [(&[&str], Result<(), Refusal>); 13] = [
            (&[], Err(Missing)),
            (&["Bearer dsg_old"], Ok(())),
            (&["Bearer dsg_new"], Ok(())),
            (&["bearer dsg_new"], Ok(())),
            (&["BEARER   dsg_new "], Ok(())),
            (&["Bearer dsg_other"], Err(Invalid)),
            (&["Bearer dsg_ol"], Err(Invalid)),
            (&["Bearer"], Err(Invalid)),
            (&["Bearer "], Err(Invalid)),
            (&["dsg_old"], Err(Invalid)),
            (&["Basic dsg_old"], Err(Invalid)),
            (&["Bearer dsg_old dsg_new"], Err(Invalid)),
            (&["Bearer dsg_old", "Bearer dsg_new"], Err(Invalid)),
        ];
        let credentials = credentials();
        for (lines, expected) in table {
            let headers = lines
                .iter()
                .map(|line| (AUTHORIZATION, HeaderValue::from_str(line).unwrap()))
                .collect();
            assert_eq!(check(&headers, &credentials).map(drop), expected, "{lines:?}");
        }
        let long = HeaderValue::from_str(&format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES + 1))).unwrap();
        assert_eq!(
            check(&[(AUTHORIZATION, long)].into_iter().collect(), &credentials),
            Err(Invalid)
        );
    }

    #[test]
    fn a_credential_is_named_by_its_hash() {
        let name = credentials().name("dsg_new").unwrap();
        assert!(
            hash_token("dsg_new")
                .to_string()
                .starts_with(name.strip_prefix("bearer-").unwrap())
        );
        assert_eq!(name.len(), 15);
        assert_ne!(credentials().name("dsg_old").unwrap(), name);
    }

    #[test]
    fn hashes_come_from_a_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hashes");
        fs::write(
            &path,
            format!("# rotated in May\n{}  # entra\n\n", hash_token("dsg_file")),
        )
        .unwrap();
        let args = CredentialArgs {
            bearer_token_sha256: None,
            bearer_token_sha256_file: Some(path.clone()),
        };
        assert!(args.load().unwrap().name("dsg_file").is_some());
        fs::write(&path, "dsg_the-token-itself\n").unwrap();
        let error = args.load().map(drop).unwrap_err().to_string();
        assert!(
            error.starts_with("--bearer-token-sha256-file: ") && !error.contains("dsg_the"),
            "{error}"
        );
        fs::remove_file(&path).unwrap();
        assert!(matches!(args.load(), Err(Error::HashFile { .. })));
    }

    #[test]
    fn a_hash_that_is_none_is_refused() {
        for text in ["", "ab", &"g".repeat(64), &"é".repeat(32), &"a".repeat(65)] {
            assert_eq!(text.parse::<TokenHash>().unwrap_err(), NotAHash, "{text:?}");
        }
    }
}
