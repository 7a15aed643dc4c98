//! The callers file: who may call besides the services of the deployment, by name, with rights and how each is recognised.
//!
//! ```toml
//! [callers.reporting]
//! rights = ["read"]
//! token_sha256 = ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
//! certificate = ["spiffe://corp.example/reporting", "reporting.corp.example"]
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::rights::{Right, Rights};
use super::token::Digest;

/// The longest name of a caller: it stands in logs and errors.
const LONGEST_NAME: usize = 64;

/// All callers of the file.
#[derive(Debug, Default)]
pub(super) struct Callers {
    tokens: Vec<(Digest, Known)>,
    certificates: HashMap<String, Known>,
}

/// A caller's name and rights.
pub(super) type Known = (Arc<str>, Rights);

impl Callers {
    /// Who has the token of that digest. Each is compared, whichever it is.
    pub(super) fn by_token(&self, digest: &Digest) -> Option<Known> {
        let mut found = None;
        for (known, caller) in &self.tokens {
            if known.ct_eq(digest).into() {
                found = Some(caller);
            }
        }
        found.cloned()
    }

    /// Who has a certificate with that name in it: a DNS name, or a URI as it stands there.
    pub(super) fn by_certificate(&self, name: &str) -> Option<Known> {
        self.certificates.get(&canonical(name)).cloned()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    callers: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    rights: Vec<Right>,
    #[serde(default)]
    token_sha256: Vec<String>,
    #[serde(default)]
    certificate: Vec<String>,
}

/// Reads the file. What is wrong is told with the caller's name.
pub(super) fn read(text: &str) -> Result<Callers, String> {
    // The parser shows the line that is wrong, which has hashes and names, and nothing secret.
    let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().replace('\n', " "))?;
    let mut callers = Callers::default();
    for (name, entry) in file.callers {
        let wrong = |what: &str| Err(format!("callers.{name}: {what}"));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
            return Err(format!(
                "callers.{name:?}: a name has letters, digits, `-`, `_` and `.`, {LONGEST_NAME} at most"
            ));
        }
        if entry.rights.is_empty() {
            return wrong("rights is empty; read, write and operate are known");
        }
        if entry.token_sha256.is_empty() && entry.certificate.is_empty() {
            return wrong("nothing says how it is recognised: token_sha256 or certificate");
        }
        let known: Known = (Arc::from(&*name), entry.rights.into_iter().collect());
        for text in &entry.token_sha256 {
            let Some(digest) = digest(text) else {
                return wrong("token_sha256 has an entry that is not 64 hexadecimal digits");
            };
            if let Some((other, _)) = callers.by_token(&digest) {
                return wrong(&format!("its token is {other}'s, too"));
            }
            callers.tokens.push((digest, known.clone()));
        }
        for text in &entry.certificate {
            if text.is_empty() || text.contains('*') || text.contains(char::is_whitespace) {
                return wrong("certificate has an entry that is neither a DNS name nor a URI");
            }
            if let Some((other, _)) = callers.certificates.insert(canonical(text), known.clone()) {
                return wrong(&format!("{text} is {other}'s, too"));
            }
        }
    }
    Ok(callers)
}

/// DNS names know no case (RFC 4343); a URI is compared as it is.
fn canonical(name: &str) -> String {
    if name.contains("://") {
        name.to_owned()
    } else {
        name.to_ascii_lowercase()
    }
}

fn digest(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::super::token;
    use super::*;

    /// `sha256sum` of `test`.
    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn a_caller_is_recognised_by_token_and_certificate() {
        let text = format!(
            "[callers.reporting]\nrights = [\"read\"]\ntoken_sha256 = [\"{HASH}\"]\n\n\
             [callers.portal]\nrights = [\"write\", \"operate\"]\ncertificate = [\"Portal.example\", \"spiffe://x/Portal\"]\n"
        );
        let callers = read(&text).unwrap();
        let (name, rights) = callers.by_token(&token::digest(b"test")).unwrap();
        assert_eq!(&*name, "reporting");
        assert!(rights.contain(Right::Read) && !rights.contain(Right::Write) && !rights.contain(Right::Operate));
        assert!(callers.by_token(&token::digest(b"Test")).is_none());
        for (certificate, known) in [
            ("portal.EXAMPLE", true),
            ("spiffe://x/Portal", true),
            ("spiffe://x/portal", false),
            ("x.portal.example", false),
        ] {
            assert_eq!(callers.by_certificate(certificate).is_some(), known, "{certificate}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_callers_name() {
        let of = |line: &str| format!("[callers.x]\n{line}\n");
        let twice = format!(
            "[callers.a]\nrights = [\"read\"]\ntoken_sha256 = [\"{HASH}\"]\n[callers.x]\nrights = [\"read\"]\ntoken_sha256 = [\"{HASH}\"]\n"
        );
        for (text, told) in [
            (of("rights = []\ncertificate = [\"a\"]"), "callers.x: rights is empty"),
            (of("rights = [\"read\"]"), "callers.x: nothing says"),
            (of("rights = [\"all\"]\ncertificate = [\"a\"]"), "unknown variant"),
            (of("rights = [\"read\"]\ntoken = [\"a\"]"), "unknown field"),
            (
                of("rights = [\"read\"]\ntoken_sha256 = [\"abc\"]"),
                "callers.x: token_sha256",
            ),
            (
                of("rights = [\"read\"]\ncertificate = [\"*.a\"]"),
                "callers.x: certificate",
            ),
            (
                "[callers.\"a b\"]\nrights = [\"read\"]".to_owned(),
                "a name has letters",
            ),
            ("[caller.x]".to_owned(), "unknown field"),
            ("[callers.x".to_owned(), "TOML"),
            (twice, "callers.x: its token is a's, too"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(told) && !error.contains('\n'), "{text}\n{error}");
        }
        assert!(read("").unwrap().tokens.is_empty(), "nobody is a list, too");
    }
}
