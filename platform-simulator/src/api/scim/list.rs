//! What lists of users and of groups share: the question, the page, and the shape of the answer (RFC 7644, 3.4.2).

use axum::extract::Query;
use serde_json::{Value, json};

use super::filter::{Condition, filter};
use super::{Ask, Refusal};

/// A page has so many resources unless the client says otherwise, and never more than the second.
const DEFAULT: usize = 100;
pub(super) const MOST: usize = 200;

/// What the client wants to see. The names of parameters are in any letter case.
pub(super) struct Question {
    pub(super) conditions: Vec<Condition>,
    start: usize,
    count: usize,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl Question {
    pub(super) fn of(ask: &Ask<'_>) -> Result<Self, Refusal> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&ask.parts.uri);
        let query = query.map(|Query(query)| query).unwrap_or_default();
        let get = |name: &str| {
            let found = query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let number = |name, default: i64| match get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Refusal::bad("invalidValue", "startIndex and count are numbers.")),
        };
        let names = |name| {
            let names = get(name).unwrap_or_default().split(',');
            names
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect()
        };
        let conditions = match get("filter") {
            None => Vec::new(),
            Some(text) => filter(text).ok_or_else(bad_filter)?,
        };
        Ok(Self {
            conditions,
            start: usize::try_from(number("startIndex", 1)?).unwrap_or(1).max(1),
            count: usize::try_from(number("count", DEFAULT as i64)?).unwrap_or(0).min(MOST),
            attributes: names("attributes"),
            excluded: names("excludedAttributes"),
        })
    }

    /// Whether the client wants to see this attribute.
    pub(super) fn wants(&self, name: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        matches!(name, "id" | "schemas")
            || ((self.attributes.is_empty() || named(&self.attributes)) && !named(&self.excluded))
    }

    /// The resource with what the client wants of it.
    pub(super) fn shape(&self, mut resource: Value) -> Value {
        if let Value::Object(fields) = &mut resource {
            fields.retain(|name, _| self.wants(name));
        }
        resource
    }

    /// One page of these.
    pub(super) fn page<T>(&self, found: &[T], resource: impl Fn(&T) -> Value) -> Value {
        let page = found.iter().skip(self.start - 1).take(self.count);
        let resources: Vec<_> = page.map(|one| self.shape(resource(one))).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": found.len(),
            "itemsPerPage": resources.len(),
            "startIndex": self.start,
            "Resources": resources,
        })
    }
}

pub(super) fn bad_filter() -> Refusal {
    Refusal::bad("invalidFilter", "The filter is not supported.")
}
