//! The tenant URL as an administrator types it, and the request URLs that Entra makes of it.
//!
//! Flags that select a dialect are typed as a query on the tenant URL; they are meant for Entra and are not sent.

use reqwest::Url;

use crate::{error::Error, knobs::QueryCoding};

/// A SCIM base URL, without its flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantUrl {
    base: Url,
    flag: Option<String>,
}

impl TenantUrl {
    /// Reads a tenant URL: `http` or `https`, with or without a slash at its end, with or without a flag.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |reason: String| Error::BadUrl {
            url: text.to_owned(),
            reason,
        };
        let mut base = Url::parse(text.trim()).map_err(|error| bad(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(bad("it must begin with http:// or https:// and name a host".to_owned()));
        }
        let flag = base.query().filter(|query| !query.is_empty()).map(str::to_owned);
        base.set_query(None);
        base.set_fragment(None);
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        Ok(Self { base, flag })
    }

    /// The URL without its flag.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Whether the URL carried the flag that selects the flagged dialect, under its newer or its older name.
    pub fn is_flagged(&self) -> bool {
        let flag = self.flag.as_deref().unwrap_or_default().to_lowercase();
        flag.contains("aadoptscim062020") || flag.contains("azureadscimpatch062020")
    }

    /// The request URL for a path below the base, such as `["Users", id]`, and its query.
    pub(crate) fn join(&self, path: &[&str], query: &[(&str, &str)], coding: QueryCoding, append_flag: bool) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
            if coding == QueryCoding::Percent {
                // In a form-encoded query every `+` is a blank: a plus sign itself is written %2B.
                let encoded = url.query().unwrap_or_default().replace('+', "%20");
                url.set_query(Some(&encoded));
            }
        }
        if let (true, Some(flag)) = (append_flag, &self.flag) {
            let joined = url
                .query()
                .map_or_else(|| flag.clone(), |query| format!("{query}&{flag}"));
            url.set_query(Some(&joined));
        }
        url
    }
}

/// A filter that compares an attribute with a text, as Entra writes it.
pub(crate) fn equals(attribute: &str, value: &str) -> String {
    format!(
        "{attribute} eq \"{}\"",
        value.replace('\\', "\\\\").replace('"', "\\\"")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_lose_slash_and_flag() {
        for (text, users, flagged) in [
            ("http://gw/scim/v2", "http://gw/scim/v2/Users", false),
            ("http://gw/scim/v2/", "http://gw/scim/v2/Users", false),
            ("http://gw:8080", "http://gw:8080/Users", false),
            (
                "https://gw/t/kw/scim?aadOptscim062020",
                "https://gw/t/kw/scim/Users",
                true,
            ),
            (
                "https://gw/scim/v2/?AzureAdScimPatch062020=",
                "https://gw/scim/v2/Users",
                true,
            ),
            ("https://gw/scim/v2?other=1", "https://gw/scim/v2/Users", false),
        ] {
            let url = TenantUrl::parse(text).unwrap();
            assert_eq!(
                url.join(&["Users"], &[], QueryCoding::Plus, false).as_str(),
                users,
                "{text}"
            );
            assert_eq!(url.is_flagged(), flagged, "{text}");
        }
        for text in ["", "gw/scim", "ftp://gw/scim", "http://"] {
            assert!(TenantUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn queries_are_coded_as_forms_or_with_percent() {
        let url = TenantUrl::parse("http://gw/scim?aadOptscim062020").unwrap();
        let filter = equals("userName", r#"o'brien+"b\@x.example"#);
        let query = [("filter", filter.as_str())];
        let plus = url.join(&["Users"], &query, QueryCoding::Plus, false);
        let coded = "userName+eq+%22o%27brien%2B%5C%22b%5C%5C%40x.example%22";
        assert_eq!(plus.as_str(), format!("http://gw/scim/Users?filter={coded}"));
        let percent = url.join(&["Users"], &query, QueryCoding::Percent, true);
        let coded = coded.replace('+', "%20");
        assert_eq!(
            percent.as_str(),
            format!("http://gw/scim/Users?filter={coded}&aadOptscim062020")
        );
        let read = url.join(&["Users", "a/b c"], &[], QueryCoding::Plus, true);
        assert_eq!(read.as_str(), "http://gw/scim/Users/a%2Fb%20c?aadOptscim062020");
    }
}
