//! What proxies tell of whom they speak for, and how far it is believed: each proxy adds to the right, so that what stands there
//! was written by the one that we know, and everything further left by whoever the next one spoke to. An address is believed as
//! long as the one to its right is a trusted proxy's.

use std::net::{IpAddr, SocketAddr};

use clap::ValueEnum;
use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use http::uri::Authority;
use ipnet::IpNet;

use super::networks::Networks;

mod forwarded;

/// More proxies than anybody has.
const MAX_HOPS: usize = 32;
const MAX_PREFIX_BYTES: usize = 256;

const X_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The headers by which proxies tell whom they speak for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProxyHeaders {
    /// X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Prefix.
    #[default]
    XForwarded,
    /// Forwarded (RFC 7239).
    Forwarded,
}

/// The proxies that are listened to.
pub(super) struct Proxies {
    trusted: Networks,
    headers: ProxyHeaders,
}

/// How a request reached us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// Who sent it; `None` where a proxy does not tell a usable address.
    pub(super) client: Option<IpAddr>,
    /// Whether the client used TLS, if a proxy tells.
    pub(super) secure: Option<bool>,
    /// The host that the client asked for, if a proxy tells.
    pub(super) host: Option<Authority>,
    /// The path that a proxy took off before ours: empty, or `/…` without a slash at its end.
    pub(super) prefix: String,
}

/// What the proxies say, the one next to us last. Of addresses there is one for each of them; of the rest there may be fewer,
/// where one replaced what those before it said.
#[derive(Debug, Default)]
struct Claims {
    addresses: Vec<Option<IpAddr>>,
    protos: Vec<Option<String>>,
    hosts: Vec<Option<String>>,
    prefixes: Vec<Option<String>>,
}

impl Proxies {
    pub(super) fn new(trusted: &[IpNet], headers: ProxyHeaders) -> Self {
        Self {
            trusted: Networks::new(trusted),
            headers,
        }
    }

    /// How a request came here whose connection has `peer` at its far end.
    pub(super) fn reached(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Reached {
        let client = peer.map(|peer| peer.to_canonical());
        if !client.is_some_and(|client| self.trusted.contain(client)) {
            return Reached {
                client,
                ..Reached::default()
            };
        }
        let claims = match self.headers {
            ProxyHeaders::XForwarded => x_forwarded(headers),
            ProxyHeaders::Forwarded => forwarded::read(headers.get_all(FORWARDED)),
        };
        self.believed(claims, client)
    }

    fn believed(&self, claims: Claims, peer: Option<IpAddr>) -> Reached {
        let (mut client, mut hop) = (peer, 0);
        for (nth, address) in claims.addresses.iter().rev().take(MAX_HOPS).enumerate() {
            (client, hop) = (*address, nth);
            if !address.is_some_and(|address| self.trusted.contain(address)) {
                break;
            }
        }
        // The one at that hop spoke to the client itself.
        let at_hop = |mut list: Vec<Option<String>>| {
            let at = list.len().checked_sub(1)?.saturating_sub(hop);
            list.swap_remove(at)
        };
        Reached {
            client,
            secure: at_hop(claims.protos).and_then(|proto| is_secure(&proto)),
            host: at_hop(claims.hosts).and_then(|host| host.parse().ok()),
            prefix: at_hop(claims.prefixes)
                .and_then(|prefix| usable(&prefix))
                .unwrap_or_default(),
        }
    }
}

fn x_forwarded(headers: &HeaderMap) -> Claims {
    let list = |name| {
        let lines = headers
            .get_all(name)
            .iter()
            .map(|line| line.to_str().unwrap_or_default());
        let items = lines.flat_map(|line| line.split(',')).map(str::trim);
        items
            .map(|item| (!item.is_empty()).then(|| item.to_owned()))
            .collect::<Vec<_>>()
    };
    Claims {
        addresses: list(X_FOR).iter().map(|item| address(item.as_deref()?)).collect(),
        protos: list(X_PROTO),
        hosts: list(X_HOST),
        prefixes: list(X_PREFIX),
    }
}

/// Reads `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:443`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let alone = bare.parse().ok();
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    alone.or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

fn is_secure(proto: &str) -> Option<bool> {
    match proto.to_ascii_lowercase().as_str() {
        "https" => Some(true),
        "http" => Some(false),
        _ => None,
    }
}

/// A prefix that can stand in an address as it is; `/` is none.
fn usable(prefix: &str) -> Option<String> {
    let prefix = prefix.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let fits = prefix.len() <= MAX_PREFIX_BYTES
        && prefix.bytes().all(plain)
        && prefix.starts_with('/')
        && !prefix.contains("//")
        && !prefix.split('/').any(|segment| matches!(segment, "." | ".."));
    fits.then(|| prefix.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn reached(kind: ProxyHeaders, peer: &str, lines: &[(&str, &str)]) -> (String, Option<bool>, String, String) {
        let networks: [IpNet; 2] = ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let reached = Proxies::new(&networks, kind).reached(Some(peer.parse().unwrap()), &headers);
        let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        (
            text(reached.client.map(|address| address.to_string())),
            reached.secure,
            text(reached.host.map(|host| host.to_string())),
            reached.prefix,
        )
    }

    type Case<'a> = (
        &'a str,
        &'a [(&'a str, &'a str)],
        (&'a str, Option<bool>, &'a str, &'a str),
    );

    fn holds(kind: ProxyHeaders, table: &[Case<'_>]) {
        for (peer, lines, (client, secure, host, prefix)) in table {
            let expected = ((*client).to_owned(), *secure, (*host).to_owned(), (*prefix).to_owned());
            assert_eq!(reached(kind, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn x_forwarded_is_believed_from_the_right_as_far_as_proxies_are_trusted() {
        const NOTHING: (Option<bool>, &str, &str) = (None, "-", "");
        let only = |client| (client, NOTHING.0, NOTHING.1, NOTHING.2);
        let all = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "scim.example.com"),
            ("x-forwarded-prefix", "/idp/"),
        ];
        holds(
            ProxyHeaders::XForwarded,
            &[
                (
                    "10.0.0.1",
                    &all,
                    ("203.0.113.9", Some(true), "scim.example.com", "/idp"),
                ),
                // Nobody that is known.
                ("192.0.2.1", &all, only("192.0.2.1")),
                ("2001:db8:2::1", &all, only("2001:db8:2::1")),
                ("2001:db8:1::1", &all[..1], only("203.0.113.9")),
                ("::ffff:10.0.0.1", &all[..1], only("203.0.113.9")),
                // The proxy itself asks, for its own health checks.
                ("10.0.0.1", &[], only("10.0.0.1")),
                // What the client wrote stands to the left of what the proxy saw.
                (
                    "10.0.0.1",
                    &[("x-forwarded-for", "10.0.0.7, 203.0.113.9")],
                    only("203.0.113.9"),
                ),
                (
                    "10.0.0.1",
                    &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")],
                    only("203.0.113.9"),
                ),
                (
                    "10.0.0.1",
                    &[("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2")],
                    only("203.0.113.9"),
                ),
                (
                    "10.0.0.1",
                    &[("x-forwarded-for", "10.0.0.3,10.0.0.2")],
                    only("10.0.0.3"),
                ),
                // Who is not told is nobody, and not the proxy.
                ("10.0.0.1", &[("x-forwarded-for", "203.0.113.9, unknown")], only("-")),
                ("10.0.0.1", &[("x-forwarded-for", "")], only("-")),
                (
                    "10.0.0.1",
                    &[("x-forwarded-for", "203.0.113.9:4711")],
                    only("203.0.113.9"),
                ),
                (
                    "10.0.0.1",
                    &[("x-forwarded-for", "[2001:db8::9]:4711")],
                    only("2001:db8::9"),
                ),
                // The other kind comes from the client.
                (
                    "10.0.0.1",
                    &[("forwarded", "for=1.1.1.1;proto=https")],
                    only("10.0.0.1"),
                ),
                // The outer proxy ends TLS, the inner one appends what it sees itself.
                (
                    "10.0.0.1",
                    &[
                        ("x-forwarded-for", "203.0.113.9, 10.0.0.2"),
                        ("x-forwarded-proto", "http, https, http"),
                    ],
                    ("203.0.113.9", Some(true), "-", ""),
                ),
                (
                    "10.0.0.1",
                    &[("x-forwarded-proto", "gopher"), ("x-forwarded-host", "a b")],
                    only("10.0.0.1"),
                ),
                ("10.0.0.1", &[("x-forwarded-prefix", "/a//b")], only("10.0.0.1")),
                ("10.0.0.1", &[("x-forwarded-prefix", "/a/../b")], only("10.0.0.1")),
                (
                    "10.0.0.1",
                    &[("x-forwarded-prefix", "//evil.example")],
                    only("10.0.0.1"),
                ),
                ("10.0.0.1", &[("x-forwarded-prefix", "/a?b")], only("10.0.0.1")),
            ],
        );
    }

    #[test]
    fn forwarded_is_believed_alike() {
        let quoted = r#"For="[2001:db8:cafe::17]:4711";proto=HTTPS;host="scim.example.com:8443";by=10.0.0.1"#;
        let chain =
            r#"for=1.1.1.1;proto=http, for=203.0.113.9;proto=https;host=a.example, for=10.0.0.2;proto=http;host=b"#;
        holds(
            ProxyHeaders::Forwarded,
            &[
                (
                    "10.0.0.1",
                    &[("forwarded", quoted)],
                    ("2001:db8:cafe::17", Some(true), "scim.example.com:8443", ""),
                ),
                (
                    "10.0.0.1",
                    &[("forwarded", chain)],
                    ("203.0.113.9", Some(true), "a.example", ""),
                ),
                ("192.0.2.1", &[("forwarded", quoted)], ("192.0.2.1", None, "-", "")),
                (
                    "10.0.0.1",
                    &[("forwarded", "for=_hidden;proto=https")],
                    ("-", Some(true), "-", ""),
                ),
                ("10.0.0.1", &[("forwarded", "for=unknown")], ("-", None, "-", "")),
                (
                    "10.0.0.1",
                    &[("x-forwarded-for", "1.1.1.1")],
                    ("10.0.0.1", None, "-", ""),
                ),
                // A comma in quotes separates nothing.
                (
                    "10.0.0.1",
                    &[("forwarded", r#"for="1.1.1.1, for=203.0.113.9""#)],
                    ("-", None, "-", ""),
                ),
                (
                    "10.0.0.1",
                    &[("forwarded", r#"for=1.1.1.1, for="203.0.113.9"#)],
                    ("-", None, "-", ""),
                ),
                (
                    "10.0.0.1",
                    &[("forwarded", "for=1.1.1.1"), ("forwarded", "for=203.0.113.9")],
                    ("203.0.113.9", None, "-", ""),
                ),
            ],
        );
    }
}
