//! Conditional requests (RFC 9110 §13, RFC 7644 §3.14): `If-Match` on writes, `If-None-Match` on reads, and what `Accept`
//! says about the answer to a PATCH. Versions are weak entity tags, compared by their opaque part: SCIM uses weak tags
//! with `If-Match` although HTTP alone would not.

use std::future::Future;

use http::header::{ACCEPT, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::error::Problem;

/// The versions that a write asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Required {
    Any,
    This(String),
    /// One of these (RFC 9110 §13.1.1); at least two.
    OneOf(Vec<String>),
}

impl Required {
    /// Reads `If-Match`.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(text) = joined(headers, IF_MATCH) else {
            return Ok(Self::Any);
        };
        match parse(&text) {
            Some(Tags::Any) => Ok(Self::Any),
            Some(Tags::These(tags)) => {
                let mut tags: Vec<_> = tags.iter().map(|tag| format!("W/\"{tag}\"")).collect();
                Ok(if tags.len() == 1 {
                    Self::This(tags.remove(0))
                } else {
                    Self::OneOf(tags)
                })
            }
            None => Err(Problem::invalid_value(
                "The header If-Match is not an entity tag; send versions such as W/\"7\", or *.",
            )),
        }
    }

    /// The version that the write is made to depend on: the present one, where it is among those that will do. `present`
    /// is only asked where there is a choice; who writes in between is noticed all the same.
    pub(crate) async fn version<F>(self, present: impl FnOnce() -> F) -> Result<Option<String>, Problem>
    where
        F: Future<Output = Result<Option<String>, Problem>>,
    {
        match self {
            Self::Any => Ok(None),
            Self::This(tag) => Ok(Some(tag)),
            Self::OneOf(tags) => {
                let present = present().await?;
                let fits = tags.iter().find(|tag| Some(*tag) == present.as_ref());
                // With none that fits, any of them is refused with what is said of a version that has passed.
                Ok(fits.or(tags.first()).cloned())
            }
        }
    }
}

/// Whether the client has this version already. A header that cannot be read matches nothing.
pub(crate) fn is_known(headers: &HeaderMap, version: Option<&str>) -> bool {
    let (Some(text), Some(version)) = (joined(headers, IF_NONE_MATCH), version) else {
        return false;
    };
    match (parse(&text), parse(version)) {
        (Some(Tags::Any), _) => true,
        (Some(Tags::These(known)), Some(Tags::These(current))) => current.iter().any(|tag| known.contains(tag)),
        _ => false,
    }
}

/// Whether `Accept` names a SCIM or JSON type in so many words. `*/*`, or nothing, does not.
pub(crate) fn asks_for_json(headers: &HeaderMap) -> bool {
    joined(headers, ACCEPT).is_some_and(|text| {
        text.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default();
            let named = ["application/scim+json", "application/json"]
                .iter()
                .any(|json| json.eq_ignore_ascii_case(media_type));
            let refused = parts.filter_map(|part| part.split_once('=')).any(|(name, weight)| {
                name.trim().eq_ignore_ascii_case("q") && weight.trim().parse().is_ok_and(|weight: f32| weight <= 0.0)
            });
            named && !refused
        })
    })
}

enum Tags<'a> {
    Any,
    /// The opaque parts.
    These(Vec<&'a str>),
}

fn parse(text: &str) -> Option<Tags<'_>> {
    if text.trim() == "*" {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    let mut rest = text.trim();
    loop {
        let opened = rest
            .strip_prefix("W/")
            .or_else(|| rest.strip_prefix("w/"))
            .unwrap_or(rest)
            .strip_prefix('"')?;
        let (tag, after) = opened.split_once('"')?;
        tags.push(tag);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(Tags::These(tags));
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// A header's lines as one; `None` when it is absent, or not text.
fn joined(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers
        .get_all(name)
        .iter()
        .map(|line| line.to_str().unwrap_or("?"))
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (name.clone(), HeaderValue::from_str(line).unwrap()))
            .collect()
    }

    #[test]
    fn if_match_is_a_version_or_any() {
        type Row = (&'static [&'static str], Result<Option<&'static str>, ()>);
        let table: [Row; 10] = [
            (&[], Ok(None)),
            (&["*"], Ok(None)),
            (&[r#"W/"7""#], Ok(Some(r#"W/"7""#))),
            (&[r#""7""#], Ok(Some(r#"W/"7""#))),
            (&[r#" w/"a,b" "#], Ok(Some(r#"W/"a,b""#))),
            (&["7"], Err(())),
            (&[""], Err(())),
            (&[r#"W/"7"#], Err(())),
            (&[r#"W/"7" x"#], Err(())),
            (&[r#"W/"7","#], Err(())),
        ];
        for (lines, expected) in table {
            let required = Required::of(&headers(&IF_MATCH, lines)).map_err(drop);
            let expected = expected.map(|tag| tag.map_or(Required::Any, |tag| Required::This(tag.to_owned())));
            assert_eq!(required, expected, "{lines:?}");
        }
    }

    #[tokio::test]
    async fn if_match_may_list_versions() {
        for (lines, present, version) in [
            (&[r#"W/"7", W/"8""#][..], r#"W/"8""#, r#"W/"8""#),
            (&[r#"W/"7""#, r#""8""#], r#"W/"8""#, r#"W/"8""#),
            (&[r#"W/"7", W/"8""#], r#"W/"9""#, r#"W/"7""#),
        ] {
            let required = Required::of(&headers(&IF_MATCH, lines)).unwrap();
            let chosen = required.version(|| async { Ok(Some(present.to_owned())) }).await;
            assert_eq!(chosen.unwrap().as_deref(), Some(version), "{lines:?}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let table: [(&[&str], bool); 8] = [
            (&[], false),
            (&["*"], true),
            (&[r#"W/"7""#], true),
            (&[r#""7""#], true),
            (&[r#"W/"6""#], false),
            (&[r#"W/"6", W/"7""#], true),
            (&[r#"W/"6""#, r#""7""#], true),
            (&["7"], false),
        ];
        for (lines, expected) in table {
            assert_eq!(
                is_known(&headers(&IF_NONE_MATCH, lines), Some(r#"W/"7""#)),
                expected,
                "{lines:?}"
            );
        }
        assert!(!is_known(&headers(&IF_NONE_MATCH, &["*"]), None));
    }

    #[test]
    fn accept_must_name_json() {
        let table: [(&[&str], bool); 10] = [
            (&[], false),
            (&["*/*"], false),
            (&["application/*"], false),
            (&["text/html"], false),
            (&["application/scim+json"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["text/html, application/json;q=0.5"], true),
            (&["text/html", "application/scim+json"], true),
            (&["application/json;q=0"], false),
            (&["application/json; Q=0.0, */*"], false),
        ];
        for (lines, expected) in table {
            assert_eq!(asks_for_json(&headers(&ACCEPT, lines)), expected, "{lines:?}");
        }
    }
}
