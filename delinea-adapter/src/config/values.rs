//! Settings that are more than a number or a text, and how an operator writes them.

use std::str::FromStr;

use http::{HeaderName, HeaderValue};
use service_runtime::Error;

/// Whether local accounts are created beside federated logins of the same name.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
pub enum DirectoryPolicy {
    /// Only where the Platform has no federation; otherwise creates are refused until a person has decided.
    Ask,
    /// Always.
    CreateLocal,
    /// Never: only accounts that exist are taken.
    AdoptOnly,
}

/// What clears a field.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearValue {
    /// The empty string.
    Empty,
    /// Null.
    Null,
}

/// A login suffix to put in the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuffixMapping {
    /// The suffix as SCIM has it, in lower case.
    pub old: String,
    /// The suffix as the Platform has it.
    pub new: String,
}

impl FromStr for SuffixMapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let suffix = |text: &str| text.trim().trim_start_matches('@').to_owned();
        match text.split_once('=').map(|(old, new)| (suffix(old), suffix(new))) {
            Some((old, new)) if is_suffix(&old) && is_suffix(&new) => Ok(Self {
                old: old.to_lowercase(),
                new,
            }),
            _ => Err(format!(
                "{text:?} is not of the form old=new; a suffix has letters, digits, and - _ ."
            )),
        }
    }
}

/// Whether a text can be a login suffix: letters, digits, and `-`, `_`, `.`.
pub(crate) fn is_suffix(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Whether the settings about suffixes can be used.
pub(super) fn check_suffixes(default: Option<&str>, map: &[SuffixMapping]) -> Result<(), Error> {
    // The empty one is how deployment files say "not set".
    let default = default
        .map(|suffix| suffix.trim().trim_start_matches('@'))
        .unwrap_or_default();
    if !default.is_empty() && !is_suffix(default) {
        return Err(Error::setting(
            "DEFAULT_SUFFIX",
            "is not a login suffix: it has letters, digits, and - _ .",
        ));
    }
    for (at, mapping) in map.iter().enumerate() {
        if map[..at].iter().any(|earlier| earlier.old == mapping.old) {
            let reason = format!("{:?} is mapped twice", mapping.old);
            return Err(Error::setting("SUFFIX_MAP", reason));
        }
    }
    Ok(())
}

/// A header sent with each call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraHeader {
    /// Its name.
    pub name: HeaderName,
    /// Its value; not shown.
    pub value: HeaderValue,
}

impl FromStr for ExtraHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("a header is written name=value")?;
        let name: HeaderName = name
            .trim()
            .parse()
            .map_err(|_| format!("{name:?} is not a header's name"))?;
        let reserved = [
            http::header::AUTHORIZATION,
            http::header::HOST,
            http::header::CONTENT_LENGTH,
        ];
        if reserved.contains(&name) {
            return Err(format!("the header {name} cannot be set"));
        }
        let mut value: HeaderValue = value
            .trim()
            .parse()
            .map_err(|_| format!("the value of {name} is not a header's value"))?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}
