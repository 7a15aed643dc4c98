//! Tokens by which callers are known: the one that all services of a deployment share, and how a token travels (RFC 6750 §2.1).
//! Only digests are compared, and each comparison takes the same time whatever is right about a token.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{GrpcArgs, Watched, given};
use crate::{Error, settings};

/// As long as 128 random bits are in hexadecimal digits.
const SHORTEST: usize = 32;

/// The SHA-256 of a token.
pub(super) type Digest = [u8; 32];

/// The token that all services of a deployment share.
#[derive(Clone, Debug)]
pub(crate) struct SharedToken(Source);

#[derive(Clone, Debug)]
enum Source {
    Setting(Arc<Tokens>),
    File(Arc<Watched<Tokens>>),
}

/// One token that is sent, and all that are accepted.
struct Tokens {
    sent: HeaderValue,
    accepted: Vec<Digest>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tokens", self.accepted.len())
    }
}

impl SharedToken {
    /// The one of the settings, if they have one.
    pub(crate) fn new(args: &GrpcArgs) -> Result<Option<Self>, Error> {
        const SETTING: &str = "GRPC_TOKEN";
        let value = settings::secret(SETTING, args.grpc_token.as_ref(), None)?;
        match (value, given(args.grpc_token_file.as_ref())) {
            (Some(_), Some(_)) => Err(Error::setting(SETTING, "is given both as a value and as a file")),
            (Some(value), None) => {
                let tokens = tokens(value.expose_secret().split(','));
                let tokens = tokens.map_err(|reason| Error::setting(SETTING, reason))?;
                Ok(Some(Self(Source::Setting(Arc::new(tokens)))))
            }
            (None, Some(path)) => {
                let file = Watched::open("GRPC_TOKEN_FILE", path, |text| tokens(text.lines()))?;
                Ok(Some(Self(Source::File(Arc::new(file)))))
            }
            (None, None) => Ok(None),
        }
    }

    /// The header's value by which we are known.
    pub(crate) fn sent(&self) -> HeaderValue {
        self.tokens().sent.clone()
    }

    pub(super) fn accepts(&self, digest: &Digest) -> bool {
        let tokens = self.tokens();
        // All of them, or the time would tell which it was.
        let hits = tokens.accepted.iter().map(|known| known.ct_eq(digest));
        hits.fold(Choice::from(0), |any, hit| any | hit).into()
    }

    pub(super) fn fault(&self) -> Option<String> {
        match &self.0 {
            Source::Setting(_) => None,
            Source::File(file) => file.fault(),
        }
    }

    fn tokens(&self) -> Arc<Tokens> {
        match &self.0 {
            Source::Setting(tokens) => Arc::clone(tokens),
            Source::File(file) => file.get(),
        }
    }
}

fn tokens<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Tokens, String> {
    let texts: Vec<_> = texts
        .map(str::trim)
        .filter(|text| !text.is_empty() && !text.starts_with('#'))
        .collect();
    for (index, text) in texts.iter().enumerate() {
        let number = index + 1;
        if text.len() < SHORTEST {
            return Err(format!("token {number} has fewer than {SHORTEST} characters"));
        }
        if !is_token(text.as_bytes()) {
            return Err(format!(
                "token {number} has a character that no token has (RFC 6750 §2.1)"
            ));
        }
    }
    let first = texts.first().ok_or("there is no token in it")?;
    let mut sent = HeaderValue::try_from(format!("Bearer {first}")).map_err(|_| "token 1 is no header's value")?;
    sent.set_sensitive(true);
    Ok(Tokens {
        sent,
        accepted: texts.iter().map(|text| digest(text.as_bytes())).collect(),
    })
}

/// Letters, digits and a few signs, then any number of `=`.
fn is_token(text: &[u8]) -> bool {
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    let body = &text[..end];
    !body.is_empty()
        && body
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

pub(super) fn digest(token: &[u8]) -> Digest {
    Sha256::digest(token).into()
}

/// The token that a call carries: `Bearer`, in any case, and one token; anything else is none.
pub(super) fn bearer(headers: &HeaderMap) -> Presented<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Presented::Nothing;
    };
    let token = || {
        let (scheme, token) = value.as_bytes().split_at_checked(b"bearer ".len())?;
        let token = token.trim_ascii();
        (scheme.eq_ignore_ascii_case(b"bearer ") && is_token(token)).then_some(token)
    };
    match (token(), values.next()) {
        (Some(token), None) => Presented::Token(token),
        _ => Presented::Unusable,
    }
}

/// What a call carries to be known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presented<'a> {
    Nothing,
    Token(&'a [u8]),
    /// Something that is no token. It is not taken for nothing: who sends a token is known by it or not at all.
    Unusable,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "0123456789abcdef0123456789abcdef";
    const SECOND: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~+/==";

    fn shared(text: &str) -> Result<Option<SharedToken>, Error> {
        SharedToken::new(&GrpcArgs {
            grpc_token: Some(text.into()),
            ..GrpcArgs::default()
        })
    }

    #[test]
    fn the_first_is_sent_and_each_is_accepted() {
        let token = shared(&format!("{FIRST}, {SECOND},")).unwrap().unwrap();
        assert_eq!(token.sent(), format!("Bearer {FIRST}"));
        assert!(token.sent().is_sensitive());
        for (text, accepted) in [(FIRST, true), (SECOND, true), ("", false), (&FIRST[1..], false)] {
            assert_eq!(token.accepts(&digest(text.as_bytes())), accepted, "{text}");
        }
        assert!(shared("").unwrap().is_none());
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        for wrong in [
            "s3cret",
            ",",
            "s3cret s3cret s3cret s3cret s3cret",
            "==================================",
        ] {
            let error = shared(wrong).unwrap_err();
            assert!(error.to_string().starts_with("GRPC_TOKEN: "), "{error}");
            assert!(!format!("{error:?} {error}").contains("s3cret"), "{error:?}");
        }
        let both = GrpcArgs {
            grpc_token: Some(FIRST.into()),
            grpc_token_file: Some("token".into()),
            ..GrpcArgs::default()
        };
        assert!(SharedToken::new(&both).is_err());
    }

    #[test]
    fn a_call_carries_one_token_or_none() {
        let presented = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            match bearer(&headers) {
                Presented::Token(token) => Some(Some(String::from_utf8(token.to_vec()).unwrap())),
                Presented::Unusable => Some(None),
                Presented::Nothing => None,
            }
        };
        assert_eq!(presented(&[]), None);
        for value in ["Bearer abc", "bearer abc", "BEARER  abc"] {
            assert_eq!(presented(&[value]), Some(Some("abc".to_owned())), "{value}");
        }
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Basic abc",
            "Bearerabc",
            "Bearer a b",
            "Bearer a,b",
            "Bearer é",
        ] {
            assert_eq!(presented(&[value]), Some(None), "{value}");
        }
        assert_eq!(
            presented(&["Bearer abc", "Bearer abc"]),
            Some(None),
            "two are ambiguous"
        );
    }
}
