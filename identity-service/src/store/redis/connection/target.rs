//! Where Redis is, as a URL says it: which topology, which hosts, which user. It opens nothing.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

/// The port that a server listens on unless it is told otherwise.
const SERVER_PORT: u16 = 6379;
/// The same of a Sentinel.
const SENTINEL_PORT: u16 = 26379;

/// What a URL says. It prints without user and password.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) topology: Topology,
    pub(super) hosts: Vec<Host>,
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) database: i64,
}

/// How the servers stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topology {
    /// One server.
    Standalone,
    /// The hosts are Sentinels, which know who is master.
    Sentinel {
        /// The name that they know the master by.
        master: String,
    },
    /// The hosts are some of a cluster's nodes, which know the others.
    Cluster,
}

/// An address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
}

/// What is wrong with a URL. It never repeats it: there may be a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(&'static str);

impl Target {
    /// Reads `redis://`, `rediss://` (TLS), each also with `+sentinel` and `+cluster`; `valkey` and `valkeys` mean the same.
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(UrlError(FORM))?;
        let (server, topology) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match server {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(UrlError(FORM)),
        };
        if rest.contains(['?', '#']) {
            return Err(UrlError("has a part after ? or #, which means nothing here"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        let (user, password) = credentials.map(parse_credentials).transpose()?.unwrap_or_default();
        let (topology, database) = match topology {
            "" => (Topology::Standalone, parse_database(path)?),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                let master = decode(master)?;
                if master.is_empty() {
                    return Err(UrlError("names no master: redis+sentinel://host:26379/NAME"));
                }
                (Topology::Sentinel { master }, parse_database(database)?)
            }
            "cluster" if parse_database(path)? == 0 => (Topology::Cluster, 0),
            "cluster" => return Err(UrlError("asks for a database, and a cluster has only one")),
            _ => return Err(UrlError(FORM)),
        };
        let port = match topology {
            Topology::Sentinel { .. } => SENTINEL_PORT,
            _ => SERVER_PORT,
        };
        let hosts = hosts.split(',').map(|host| Host::parse(host, port));
        let hosts = hosts
            .collect::<Option<Vec<_>>>()
            .ok_or(UrlError("has a host that is none, such as host:6379"))?;
        if topology == Topology::Standalone && hosts.len() > 1 {
            return Err(UrlError(
                "names several hosts: write redis+sentinel:// or redis+cluster://",
            ));
        }
        Ok(Self {
            topology,
            hosts,
            tls,
            user,
            password,
            database,
        })
    }
}

const FORM: &str = "is not of the form redis://host:6379, rediss://…, redis+sentinel://…/master or redis+cluster://…";

/// `user:password`, `:password`, or a user alone, whose password stands in a file.
fn parse_credentials(text: &str) -> Result<(Option<String>, Option<SecretString>), UrlError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let given = |text: &str| decode(text).map(|text| Some(text).filter(|text| !text.is_empty()));
    Ok((given(user)?, given(password)?.map(SecretString::from)))
}

fn parse_database(text: &str) -> Result<i64, UrlError> {
    match text {
        "" => Ok(0),
        number => match number.parse() {
            Ok(number @ 0..=65_535) => Ok(number),
            _ => Err(UrlError("has a database that is no number")),
        },
    }
}

fn decode(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded
        .map_err(|_| UrlError("has a part that is not UTF-8"))?
        .into_owned())
}

impl Host {
    /// `name`, `name:port`, `[address]:port`.
    pub(super) fn parse(text: &str, default_port: u16) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']')?;
                (
                    address,
                    if rest.is_empty() {
                        None
                    } else {
                        Some(rest.strip_prefix(':')?)
                    },
                )
            }
            None => match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
        let is_name = !name.is_empty() && !name.contains(char::is_whitespace) && port != 0;
        is_name.then(|| Self::new(name, port))
    }

    pub(super) fn new(name: impl Into<String>, port: u16) -> Self {
        let name = name.into();
        Self { name, port }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        f.write_str(match &self.topology {
            Topology::Standalone => "://",
            Topology::Sentinel { .. } => "+sentinel://",
            Topology::Cluster => "+cluster://",
        })?;
        for (place, host) in self.hosts.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{host}")?;
        }
        if let Topology::Sentinel { master } = &self.topology {
            write!(f, "/{master}")?;
        }
        match self.database {
            0 => Ok(()),
            database => write!(f, "/{database}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_url_says_which_topology_and_which_hosts() {
        for (url, means) in [
            ("redis://cache", "redis://cache:6379"),
            ("valkey://10.0.0.1:7000/3", "redis://10.0.0.1:7000/3"),
            ("rediss://u:p@cache:6380/", "rediss://cache:6380"),
            ("valkeys://[::1]:1", "rediss://[::1]:1"),
            (
                "redis+sentinel://a,b:1/mymaster",
                "redis+sentinel://a:26379,b:1/mymaster",
            ),
            ("rediss+sentinel://u:p@a/m/2", "rediss+sentinel://a:26379/m/2"),
            (
                "redis+cluster://u:p@a:7000,[fe80::1]",
                "redis+cluster://a:7000,[fe80::1]:6379",
            ),
            ("valkeys+cluster://a/0", "rediss+cluster://a:6379"),
        ] {
            assert_eq!(Target::parse(url).unwrap().to_string(), means, "{url}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let target = Target::parse("redis://scim:p%40ss%2Fw%3Ard@cache").unwrap();
        assert_eq!(target.user.as_deref(), Some("scim"));
        assert_eq!(target.password.as_ref().unwrap().expose_secret(), "p@ss/w:rd");
        assert!(!format!("{target} {target:?}").contains("p@ss"));
        let only_password = Target::parse("redis://:secret@cache").unwrap();
        assert_eq!((only_password.user, only_password.password.is_some()), (None, true));
        let only_user = Target::parse("redis://scim@cache").unwrap();
        assert_eq!(
            (only_user.user.as_deref(), only_user.password.is_none()),
            (Some("scim"), true)
        );
    }

    #[test]
    fn what_is_no_url_of_redis_is_refused_without_being_repeated() {
        for url in [
            "",
            "cache:6379",
            "http://s3cret",
            "redis://",
            "redis://a,b",
            "redis://a:x",
            "redis://a:0",
            "redis://a/x",
            "redis://s3cret@",
            "redis://a?password=s3cret",
            "redis+ring://a",
            "redis+sentinel://a",
            "redis+sentinel:///m",
            "redis+cluster://a/1",
            "redis://[::1",
            "redis://:s3cret%ff@a",
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{url}: {error}");
        }
    }
}
