//! What is replaced in a transcript, and by what. The same value is replaced by the same one everywhere, so that an id that was
//! created is still the id that is read; shapes stay (a UUID is a UUID, underscores and all), for they are what a transcript is
//! for. What is not known to be harmless is replaced.

mod words;

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::platform::probe::NOBODY;

use super::Exchange;
use words::{KNOWN, PROTOCOL, SECRETS, SENTENCES, WORDS};

/// What stands for anything.
const ANYTHING: &str = "***";

/// Replaces, and remembers what by what.
#[derive(Debug, Default)]
pub(super) struct Scrubber {
    replaced: HashMap<String, String>,
    /// Whether a request is being scrubbed.
    asking: bool,
    ids: usize,
    names: usize,
    domains: usize,
    texts: usize,
}

impl Scrubber {
    /// The exchange with everything replaced that is not the protocol's. In a request that is the mark which a replay takes for
    /// anything: whoever plays it back asks about others.
    pub(super) fn exchange(&mut self, exchange: Exchange) -> Exchange {
        self.asking = true;
        let request = self.value("", exchange.request);
        self.asking = false;
        Exchange {
            path: self.path(&exchange.path),
            request,
            body: match exchange.body {
                Value::String(text) => Value::from(self.sentence(&text)),
                body => self.value("", body),
            },
            ..exchange
        }
    }

    fn value(&mut self, name: &str, value: Value) -> Value {
        match value {
            // The columns of a list: names of members, and nothing of what stands in them.
            columns if name.eq_ignore_ascii_case("Columns") => columns,
            Value::Object(object) => {
                // A parameter says its own name.
                let parameter =
                    object.get("Name").and_then(Value::as_str).is_some() && object.contains_key("ColumnType");
                let replaced: Map<String, Value> = object
                    .into_iter()
                    .map(|(key, value)| {
                        let value = match parameter && key == "Name" {
                            true => value,
                            false => self.value(&key, value),
                        };
                        (self.key(key), value)
                    })
                    .collect();
                Value::Object(replaced)
            }
            Value::Array(list) => Value::Array(list.into_iter().map(|value| self.value(name, value)).collect()),
            Value::String(text) => Value::from(self.text(name, text)),
            other => other,
        }
    }

    /// A name of a member is the protocol's, unless it is an id or an address.
    fn key(&mut self, key: String) -> String {
        if key.contains('@') || is_uuid(&key) {
            self.replace(&key)
        } else {
            key
        }
    }

    fn text(&mut self, name: &str, text: String) -> String {
        let plain: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase();
        let is_in = |list: &[&str]| list.contains(&plain.as_str());
        match () {
            () if text.is_empty() => text,
            () if is_in(SECRETS) => ANYTHING.to_owned(),
            () if is_in(PROTOCOL) && !text.contains('@') => text,
            () if is_in(SENTENCES) => self.sentence(&text),
            () => self.replace(&text),
        }
    }

    /// A value replaced as a whole, wildcards around it aside.
    fn replace(&mut self, text: &str) -> String {
        if text == NOBODY
            || KNOWN.iter().any(|known| known.eq_ignore_ascii_case(text))
            || text.parse::<f64>().is_ok_and(|_| text.len() < 5)
        {
            return text.to_owned();
        }
        let inner = text.trim_matches('%');
        if inner.len() < text.len() && !inner.is_empty() {
            let replaced = self.replace(inner);
            return if self.asking {
                replaced
            } else {
                text.replace(inner, &replaced)
            };
        }
        let replaced = match self.replaced.get(&text.to_lowercase()) {
            Some(known) => known.clone(),
            None => self.invent(text),
        };
        self.replaced.insert(text.to_lowercase(), replaced.clone());
        if self.asking { ANYTHING.to_owned() } else { replaced }
    }

    /// Something of the same shape.
    fn invent(&mut self, text: &str) -> String {
        if is_uuid(text) {
            self.ids += 1;
            let id = format!("00000000-0000-4000-8000-{:012}", self.ids);
            return if text.contains('_') { id.replace('-', "_") } else { id };
        }
        if let Some((_, domain)) = text
            .rsplit_once('@')
            .filter(|(name, domain)| !name.is_empty() && !domain.is_empty())
        {
            self.names += 1;
            let name = format!("user-{}", self.names);
            return format!("{name}@{}", self.domain(domain));
        }
        if let Some(date) = text.strip_prefix("/Date(") {
            return if date.starts_with('-') {
                text.to_owned()
            } else {
                "/Date(1767225600000)/".to_owned()
            };
        }
        if text.parse::<jiff::Timestamp>().is_ok() {
            return "2026-01-01T00:00:00Z".to_owned();
        }
        if text.contains('.') && !text.contains(' ') && !text.contains('/') {
            return self.domain(text);
        }
        self.texts += 1;
        format!("text-{}", self.texts)
    }

    fn domain(&mut self, domain: &str) -> String {
        let key = format!("domain {}", domain.to_lowercase());
        if let Some(known) = self.replaced.get(&key) {
            return known.clone();
        }
        self.domains += 1;
        let replaced = format!("domain-{}.example", self.domains);
        self.replaced.insert(key, replaced.clone());
        replaced
    }

    /// A sentence, with what it quotes or names replaced: what was replaced elsewhere, addresses, ids and numbers, and words with a
    /// capital letter that are not the protocol's.
    fn sentence(&mut self, text: &str) -> String {
        const LONGEST: usize = 500;
        if self.asking {
            return ANYTHING.to_owned();
        }
        let mut text: String = text.chars().take(LONGEST).collect();
        let mut known: Vec<_> = self
            .replaced
            .iter()
            .filter(|(key, _)| !key.starts_with("domain "))
            .collect();
        known.sort_by_key(|(original, _)| std::cmp::Reverse(original.len()));
        for (original, replaced) in known {
            if original.len() > 2 {
                text = replace_ignoring_case(&text, original, replaced);
            }
        }
        let words: Vec<String> = text.split(' ').map(|word| self.word(word)).collect();
        words.join(" ")
    }

    fn word(&mut self, word: &str) -> String {
        let core = word.trim_matches(|c: char| !c.is_alphanumeric());
        if core.is_empty() || word.contains("-4000-8000-") || core.starts_with("user-") || core.starts_with("text-") {
            return word.to_owned();
        }
        let harmless = core.chars().all(|c| c.is_ascii_lowercase() || c == '\'' || c == '-') || WORDS.contains(&core);
        if harmless {
            return word.to_owned();
        }
        let replaced = if core.contains('@') || is_uuid(core) {
            self.replace(core)
        } else {
            "X".to_owned()
        };
        word.replace(core, &replaced)
    }

    fn path(&mut self, path: &str) -> String {
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        let segments: Vec<String> = path
            .split('/')
            .map(|segment| {
                let is_name = segment.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') && !is_uuid(segment);
                if segment.is_empty()
                    || is_name && !segment.chars().any(|c| c.is_ascii_digit())
                    || segment == "v2"
                    || segment == "oauth2"
                {
                    segment.to_owned()
                } else {
                    self.replace(segment)
                }
            })
            .collect();
        let mut scrubbed = segments.join("/");
        if let Some(query) = query {
            let url = reqwest::Url::parse(&format!("query:?{query}"));
            let pairs: Vec<(String, String)> = url
                .iter()
                .flat_map(|url| url.query_pairs())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            let scrubbed_pairs = pairs.into_iter().map(|(name, value)| {
                let value = match name.as_str() {
                    "filter" => self.sentence(&value),
                    "user" | "id" => self.replace(&value),
                    _ => value,
                };
                (name, value)
            });
            let Ok(mut url) = reqwest::Url::parse("query:") else {
                return scrubbed;
            };
            url.query_pairs_mut().extend_pairs(scrubbed_pairs);
            scrubbed = format!("{scrubbed}?{}", url.query().unwrap_or_default());
        }
        scrubbed
    }
}

/// A UUID, with dashes or underscores.
fn is_uuid(text: &str) -> bool {
    uuid::Uuid::parse_str(&text.replace('_', "-")).is_ok()
}

fn replace_ignoring_case(text: &str, original: &str, replaced: &str) -> String {
    let lower = text.to_lowercase();
    // Where lower case has another length, positions do not match: then nothing of the text is kept.
    if lower.len() != text.len() {
        return if lower.contains(original) {
            "X".to_owned()
        } else {
            text.to_owned()
        };
    }
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower[from..].find(original) {
        result.push_str(&text[from..from + at]);
        result.push_str(replaced);
        from += at + original.len();
    }
    result.push_str(&text[from..]);
    result
}

#[cfg(test)]
mod tests;
