//! The header `Forwarded` (RFC 7239 §4): elements separated by commas, one for each proxy; in each pairs separated by semicolons,
//! whose values may be quoted. What cannot be read makes an element that tells nothing, which ends what is believed there.

use http::HeaderValue;

use super::{Claims, address};

/// Reads all lines of it, as if they were one.
pub(super) fn read<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Claims {
    let mut claims = Claims::default();
    for line in lines {
        for element in split(line.to_str().unwrap_or_default(), ',') {
            let mut told = [const { None }; 3];
            for pair in split(element, ';') {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let place = ["for", "proto", "host"]
                    .iter()
                    .position(|known| name.trim().eq_ignore_ascii_case(known));
                if let Some(place) = place {
                    told[place] = unquoted(value.trim());
                }
            }
            let [client, proto, host] = told;
            claims.addresses.push(client.as_deref().and_then(address));
            claims.protos.push(proto);
            claims.hosts.push(host);
        }
    }
    claims
}

/// The parts between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let splits = c == separator && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && quoted && !escaped;
        splits
    })
}

/// A token as it is, a quoted string without its quotes (RFC 9110 §5.6.4).
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return (!value.is_empty() && !value.contains('"')).then(|| value.to_owned());
    };
    let mut text = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(text),
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_separators() {
        let parts = |text, separator| split(text, separator).collect::<Vec<_>>();
        assert_eq!(parts(r#"a="x,\",y",b"#, ','), [r#"a="x,\",y""#, "b"]);
        assert_eq!(parts(r#"a="x;y";b=z"#, ';'), [r#"a="x;y""#, "b=z"]);
        for (value, expected) in [
            ("token", Some("token")),
            (r#""a \"b\" \\""#, Some(r#"a "b" \"#)),
            (r#""open"#, None),
            (r#""a"b"#, None),
            (r#"a"b"#, None),
            (r#""a\"#, None),
            ("", None),
        ] {
            assert_eq!(unquoted(value).as_deref(), expected, "{value}");
        }
    }
}
