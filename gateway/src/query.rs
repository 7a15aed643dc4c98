//! What a client asks for (RFC 7644 §3.4.2, §3.9): `filter`, the page, the attributes; in the URL, or in the body of a
//! search. The URL's text is decoded once, as a form is: `+` is a blank. Unknown parameters, flags such as
//! `aadOptscim062020` among them, are ignored. What a filter means is for identity-service to say.

mod body;

use scim::Projection;
use serde_json::Value;

use crate::error::Problem;

/// The query of one request.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// The filter as it was written; never empty.
    pub(crate) filter: Option<String>,
    /// The 1-based index of the first result, at least 1.
    pub(crate) start_index: i64,
    /// How many results are wanted, at least 0.
    pub(crate) count: Option<i32>,
    /// The attribute that results are sorted by; never empty.
    pub(crate) sort_by: Option<String>,
    /// Whether the greatest comes first.
    pub(crate) descending: bool,
    /// Where an earlier page ended; empty for the first one (RFC 9865).
    pub(crate) cursor: Option<String>,
    /// Which attributes are wanted.
    pub(crate) projection: Projection,
    /// Whether `attributes` was given, which obliges a PATCH to answer with a body (RFC 7644 §3.5.2).
    pub(crate) names_attributes: bool,
}

/// The most bytes of a query that are looked at.
const MAX_QUERY_BYTES: usize = 64 * 1024;

impl Query {
    /// Reads the query of a URL.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(Problem::invalid_value(format!(
                "The query is longer than {MAX_QUERY_BYTES} bytes."
            )));
        }
        let mut given = Parameters::default();
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A name that cannot be decoded is not one that we know.
            let Some(name) = decode(name) else { continue };
            let Some((name, slot)) = given.slot(&name) else {
                continue;
            };
            let broken = || Problem::invalid_value(format!("The query parameter {name} is not UTF-8 once decoded."));
            if slot.replace(decode(value).ok_or_else(broken)?).is_some() {
                return Err(Problem::invalid_value(format!(
                    "The query parameter {name} is given more than once."
                )));
            }
        }
        given.query()
    }

    /// Reads the query of a discovery document's URL: of it only the filter counts, because that must be refused (RFC 7644
    /// §4). All else is as if it were not there.
    pub(crate) fn of_discovery(text: &str) -> Self {
        let filtered = text.split('&').any(|pair| {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            decode(name).is_some_and(|name| name.eq_ignore_ascii_case("filter"))
        });
        Self {
            filter: filtered.then(String::new),
            start_index: 1,
            count: None,
            sort_by: None,
            descending: false,
            cursor: None,
            projection: Projection::default(),
            names_attributes: false,
        }
    }

    /// Reads the body of a search (RFC 7644 §3.4.3).
    pub(crate) fn of_search(body: Value) -> Result<Self, Problem> {
        body::parameters(body)?.query()
    }
}

/// The parameters that mean something, as text. Lists have commas.
#[derive(Default)]
struct Parameters {
    filter: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    cursor: Option<String>,
    attributes: Option<String>,
    excluded: Option<String>,
}

impl Parameters {
    fn slot(&mut self, name: &str) -> Option<(&'static str, &mut Option<String>)> {
        let slots = [
            ("filter", &mut self.filter),
            ("startIndex", &mut self.start_index),
            ("count", &mut self.count),
            ("sortBy", &mut self.sort_by),
            ("sortOrder", &mut self.sort_order),
            ("cursor", &mut self.cursor),
            ("attributes", &mut self.attributes),
            ("excludedAttributes", &mut self.excluded),
        ];
        slots.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn query(self) -> Result<Query, Problem> {
        // To match everything here would show a matching client every user.
        if self.filter.as_ref().is_some_and(|filter| filter.trim().is_empty()) {
            return Err(Problem::invalid_filter(
                "The filter is empty; leave the parameter out to list everything.",
            ));
        }
        let start_index = self.start_index.map(|text| number("startIndex", &text)).transpose()?;
        let count = self.count.map(|text| number("count", &text)).transpose()?;
        if self.cursor.is_some() && count.is_some_and(|count| count < 1) {
            return Err(Problem::invalid_count("With a cursor, count must be at least 1."));
        }
        let order = self.sort_order.as_deref().unwrap_or("ascending").trim();
        let descending = order.eq_ignore_ascii_case("descending");
        if !descending && !order.eq_ignore_ascii_case("ascending") {
            return Err(Problem::invalid_value("sortOrder must be ascending or descending."));
        }
        if self.sort_by.as_ref().is_some_and(|by| by.trim().is_empty()) {
            return Err(Problem::invalid_value(
                "sortBy is empty; leave it out to get the order of creation.",
            ));
        }
        Ok(Query {
            sort_by: self.sort_by,
            // Without sortBy there is nothing to order (RFC 7644 §3.4.2.3).
            descending,
            cursor: self.cursor,
            filter: self.filter,
            start_index: start_index.unwrap_or(1).max(1),
            count: count.map(|count| i32::try_from(count.max(0)).unwrap_or(i32::MAX)),
            names_attributes: self.attributes.as_ref().is_some_and(|names| !names.trim().is_empty()),
            projection: Projection::parse(self.attributes.as_deref(), self.excluded.as_deref())?,
        })
    }
}

/// Reads an integer; one too large for the type is the largest.
fn number(name: &str, text: &str) -> Result<i64, Problem> {
    // A `+` before the digits has become a blank.
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Problem::invalid_value(format!(
            "The parameter {name} must be an integer."
        )));
    }
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Ok(text.parse().unwrap_or(beyond))
}

/// Undoes form encoding; `None` when what comes out is not UTF-8. A `%` without two digits stands for itself.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let (decoded, after) = match (byte, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(*high) << 4 | hex(*low), after)
            }
            _ => (*byte, after),
        };
        bytes.push(decoded);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_decoded_once() {
        let table = [
            (
                "filter=userName+eq+%22odile%40kestrelworks.example%22",
                r#"userName eq "odile@kestrelworks.example""#,
            ),
            ("filter=userName%20eq%20%22a%2Bb%22", r#"userName eq "a+b""#),
            ("filter=userName eq \"a%2526b\"", r#"userName eq "a%26b""#),
            ("filter=userName+eq+%22guest%23EXT%23%22", r#"userName eq "guest#EXT#""#),
            (
                "filter=displayName+eq+%22H%C3%A9l%C3%A8ne%22",
                r#"displayName eq "Hélène""#,
            ),
            ("filter=a+eq+%22100%%22", r#"a eq "100%""#),
            ("filter=a+eq+%22x=y%22", r#"a eq "x=y""#),
            ("Filter=a+pr", "a pr"),
            ("aadOptscim062020&filter=a+pr", "a pr"),
            ("filter=a+pr&aadOptscim062020=", "a pr"),
            ("%ff=1&filter=a+pr&", "a pr"),
        ];
        for (text, filter) in table {
            assert_eq!(Query::parse(text).unwrap().filter.as_deref(), Some(filter), "{text:?}");
        }
    }

    #[test]
    fn pages_are_made_to_fit() {
        let table = [
            ("", 1, None),
            ("startIndex=0&count=0", 1, Some(0)),
            ("startIndex=-3&count=-1", 1, Some(0)),
            ("startIndex=11&count=5", 11, Some(5)),
            ("startindex=+7&COUNT=2", 7, Some(2)),
            (
                "startIndex=99999999999999999999&count=99999999999",
                i64::MAX,
                Some(i32::MAX),
            ),
            ("startIndex=-99999999999999999999", 1, None),
            ("sortBy=userName&cursor", 1, None),
            ("cursor=0190&startIndex=7&count=1", 7, Some(1)),
        ];
        for (text, start_index, count) in table {
            let query = Query::parse(text).unwrap();
            assert_eq!((query.start_index, query.count), (start_index, count), "{text:?}");
        }
    }

    #[test]
    fn order_and_cursor_are_told() {
        let table = [
            ("", None, false, None),
            ("sortBy=name.familyName", Some("name.familyName"), false, None),
            ("sortby=userName&sortOrder=Descending", Some("userName"), true, None),
            (
                "sortBy=userName&sortOrder=ascending&cursor=",
                Some("userName"),
                false,
                Some(""),
            ),
            ("cursor=0190ab", None, false, Some("0190ab")),
        ];
        for (text, sort_by, descending, cursor) in table {
            let query = Query::parse(text).unwrap();
            let given = (query.sort_by.as_deref(), query.descending, query.cursor.as_deref());
            assert_eq!(given, (sort_by, descending, cursor), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let table = [
            ("filter=", "invalidFilter"),
            ("filter", "invalidFilter"),
            ("filter=++", "invalidFilter"),
            ("filter=%ff", "invalidValue"),
            ("filter=a+pr&filter=b+pr", "invalidValue"),
            ("count=ten", "invalidValue"),
            ("count=", "invalidValue"),
            ("startIndex=1.5", "invalidValue"),
            ("startIndex=--1", "invalidValue"),
            ("cursor&count=0", "invalidCount"),
            ("cursor=0190&count=-1", "invalidCount"),
            ("cursor=0190&cursor=0191", "invalidValue"),
            ("sortBy", "invalidValue"),
            ("sortBy=userName&sortOrder=down", "invalidValue"),
            (&"x".repeat(MAX_QUERY_BYTES + 1), "invalidValue"),
        ];
        for (text, scim_type) in table {
            let problem = Query::parse(text).unwrap_err();
            assert_eq!(
                problem.scim_type,
                Some(scim_type),
                "{:?}",
                text.get(..40).unwrap_or(text)
            );
        }
    }
}
