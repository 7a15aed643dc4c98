//! What a refusal is about, judged by its `ErrorID`, `MessageID`, `Message`, `Exception` and HTTP status. The Platform
//! publishes no list of them, so matchers are asked in order, a tenant's own before the built-in ones, and the first that fits
//! decides. What fits none is permanent and shown, and told once, so that somebody can write a matcher for it.

mod file;
mod table;

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use regex::Regex;
use service_runtime::Error;

use crate::{config::PlatformConfig, entries, metrics::Metrics};

use super::failure::Class;
use file::Own;

/// What a failed envelope says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reason<'a> {
    /// `ErrorID` or `ErrorCode`.
    pub(crate) error_id: &'a str,
    /// `MessageID`.
    pub(crate) message_id: &'a str,
    /// `Message`.
    pub(crate) message: &'a str,
    /// `Exception`.
    pub(crate) exception: &'a str,
    /// The HTTP status that it came with.
    pub(crate) status: u16,
}

impl<'a> Reason<'a> {
    /// The words for a person: the message, or else the exception.
    pub(crate) fn said(&self) -> &'a str {
        if self.message.is_empty() {
            self.exception
        } else {
            self.message
        }
    }
}

/// What a refusal comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The Platform refused what was asked.
    Refused(Class),
    /// It asked for fewer calls, and did nothing.
    Throttled,
}

/// What was judged, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) meaning: Meaning,
    /// Whether a tenant's own matcher said so, who knows their Platform.
    pub(crate) own: bool,
}

/// Where a pattern is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    ErrorId,
    MessageId,
    Message,
    Exception,
    /// In any of them.
    Any,
    /// In both ids, with everything but letters and digits left out.
    AnyId,
    /// In the words for a person.
    Said,
}

/// What a text is held against.
enum Test<'a> {
    /// It contains this, which is in lower case.
    Contains(&'a str),
    Regex(&'a Regex),
}

impl Test<'_> {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Contains(pattern) => text.contains(pattern),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

const FILE: &str = "ERROR_MATCHERS_FILE";
/// How many refusals are told at most that no matcher knows.
const MOST: usize = 100;

/// The matchers of a tenant.
pub(crate) struct Matchers {
    own: Vec<Own>,
    told: Mutex<HashSet<String>>,
    metrics: Metrics,
}

impl Matchers {
    /// The matchers by these settings, of which the file is read.
    pub(crate) fn read(config: &PlatformConfig, metrics: Metrics) -> Result<Self, Error> {
        let own = match &config.tables.error_matchers_file {
            None => Vec::new(),
            Some(path) => {
                let text = entries::text(FILE, path)?;
                file::parse(&text).map_err(|fault| fault.in_file(FILE, path))?
            }
        };
        Ok(Self {
            own,
            told: Mutex::default(),
            metrics,
        })
    }

    /// What the refusal is about. Names that it quotes are left out, for they may be made of the very words that are looked
    /// for.
    pub(crate) fn judge(&self, method: &'static str, reason: &Reason<'_>, names: &[&str]) -> Judgement {
        let texts = Texts::of(reason, names);
        if let Some(meaning) = self.own_meaning(reason, &texts) {
            return Judgement { meaning, own: true };
        }
        let text = table::TEXTS.iter().find(|built_in| {
            let (place, test) = built_in.test();
            texts.fit(place, &test)
        });
        let status = || table::STATUSES.iter().find(|(status, _)| *status == reason.status);
        let meaning = text
            .map(|built_in| built_in.2)
            .or_else(|| status().map(|(_, meaning)| *meaning));
        if meaning.is_none() {
            self.tell(method, reason);
        }
        Judgement {
            meaning: meaning.unwrap_or(Meaning::Refused(Class::Other)),
            own: false,
        }
    }

    /// What a tenant's own matcher says of a refusal, if one fits.
    pub(crate) fn own(&self, reason: &Reason<'_>) -> Option<Meaning> {
        self.own_meaning(reason, &Texts::of(reason, &[]))
    }

    fn own_meaning(&self, reason: &Reason<'_>, texts: &Texts) -> Option<Meaning> {
        let fits = |matcher: &&Own| {
            matcher.status.is_none_or(|statuses| statuses.have(reason.status))
                && matcher.test().is_none_or(|(place, test)| texts.fit(place, &test))
        };
        self.own.iter().find(fits).map(|matcher| matcher.meaning)
    }

    /// Tells of a refusal that nobody knows: its ids, once for each, and never its message, which names accounts.
    fn tell(&self, method: &'static str, reason: &Reason<'_>) {
        self.metrics.unknown_refusal(method);
        let (error_id, message_id) = (shown(reason.error_id), shown(reason.message_id));
        let which = format!("{method} {error_id} {message_id}");
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MOST || !told.insert(which) {
            return;
        }
        let status = reason.status;
        tracing::warn!(
            scim.tenant = self.metrics.tenant(),
            method,
            error_id,
            message_id,
            status,
            "no matcher knows what this refusal is about, so it counts as permanent; {FILE} can say"
        );
        if told.len() == MOST {
            tracing::warn!(
                scim.tenant = self.metrics.tenant(),
                "further refusals that no matcher knows are counted and not told"
            );
        }
    }
}

/// An id for a log; what does not look like one may be anything.
fn shown(id: &str) -> &str {
    const LONGEST: usize = 100;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    match id {
        "" => "none",
        id if id.len() <= LONGEST && id.bytes().all(plain) => id,
        _ => "not shown",
    }
}

/// A reason's texts in lower case.
struct Texts<'a> {
    reason: &'a Reason<'a>,
    ids: String,
    message: String,
    exception: String,
}

impl<'a> Texts<'a> {
    fn of(reason: &'a Reason<'a>, names: &[&str]) -> Self {
        let letters = |text: &str| -> String {
            let letters = text.chars().filter(|c| c.is_alphanumeric());
            letters.flat_map(char::to_lowercase).collect()
        };
        // In a known order, so that what is left of a message does not depend on chance.
        let mut names: Vec<_> = names.iter().map(|name| name.trim().to_lowercase()).collect();
        names.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        names.dedup();
        let without_names = |text: &str| {
            let mut text = text.to_lowercase();
            for name in names.iter().filter(|name| !name.is_empty()) {
                leave_out(&mut text, name);
            }
            text
        };
        Self {
            reason,
            ids: format!("{} {}", letters(reason.error_id), letters(reason.message_id)),
            message: without_names(reason.message),
            exception: without_names(reason.exception),
        }
    }

    fn fit(&self, place: Place, test: &Test<'_>) -> bool {
        let error_id = || Cow::from(self.reason.error_id.to_lowercase());
        let message_id = || Cow::from(self.reason.message_id.to_lowercase());
        let fits = |text: Cow<'_, str>| test.fits(&text);
        match place {
            Place::ErrorId => fits(error_id()),
            Place::MessageId => fits(message_id()),
            Place::Message => test.fits(&self.message),
            Place::Exception => test.fits(&self.exception),
            Place::Any => {
                fits(error_id()) || fits(message_id()) || test.fits(&self.message) || test.fits(&self.exception)
            }
            Place::AnyId => test.fits(&self.ids),
            Place::Said if self.reason.message.is_empty() => test.fits(&self.exception),
            Place::Said => test.fits(&self.message),
        }
    }
}

/// Leaves out a name where it first stands as words of its own. Later on the same words may be the message's.
fn leave_out(text: &mut String, name: &str) {
    let stands_alone = |at: &usize| {
        !text[..*at].ends_with(char::is_alphanumeric) && !text[at + name.len()..].starts_with(char::is_alphanumeric)
    };
    let found = text.match_indices(name).map(|(at, _)| at).find(stands_alone);
    if let Some(at) = found {
        text.replace_range(at..at + name.len(), "");
    }
}

#[cfg(test)]
pub(crate) mod tests;
