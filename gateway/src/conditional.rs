//! Conditional requests (RFC 9110 §13, RFC 7644 §3.14): `If-Match` on writes, `If-None-Match` on reads, and what `Accept`
//! says about the answer to a PATCH. Versions are weak entity tags, compared by their opaque part: SCIM uses weak tags
//! with `If-Match` although HTTP alone would not.

use http::header::{ACCEPT, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::error::Problem;

/// The version that a write asks for; `None` when any will do.
pub(crate) fn required_version(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(text) = joined(headers, IF_MATCH) else {
        return Ok(None);
    };
    let invalid = |why: &str| {
        Problem::invalid_value(format!(
            "The header If-Match {why}; send one version such as W/\"7\", or *."
        ))
    };
    match parse(&text) {
        Some(Tags::Any) => Ok(None),
        Some(Tags::These(tags)) => match tags[..] {
            [tag] => Ok(Some(format!("W/\"{tag}\""))),
            _ => Err(invalid("names several versions")),
        },
        None => Err(invalid("is not an entity tag")),
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
    fn if_match_is_one_version_or_any() {
        type Row = (&'static [&'static str], Result<Option<&'static str>, ()>);
        let table: [Row; 12] = [
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
            (&[r#"W/"7", W/"8""#], Err(())),
            (&[r#"W/"7""#, r#"W/"8""#], Err(())),
        ];
        for (lines, expected) in table {
            let version = required_version(&headers(&IF_MATCH, lines)).map_err(drop);
            assert_eq!(version, expected.map(|tag| tag.map(str::to_owned)), "{lines:?}");
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
