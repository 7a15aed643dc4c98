//! The Platform's identity API, typed: what can be asked of accounts, groups and the tenant, and how it can fail.
//!
//! Every call goes through [`client::Client`]. This module knows names of methods and fields; it does not know what is
//! wanted, nor SCIM.

pub(crate) mod client;
pub(crate) mod envelope;
pub(crate) mod failure;
pub(crate) mod matchers;
pub(crate) mod members;
pub(crate) mod pace;
pub(crate) mod reports;
pub(crate) mod retry_after;
pub(crate) mod roles;
pub(crate) mod rows;
pub(crate) mod tenant;
pub(crate) mod token;
pub(crate) mod transport;
pub(crate) mod users;

use crate::{Error, config::PlatformConfig, metrics::Metrics};

use client::Client;
use tenant::Facts;

/// The connection to one Platform tenant.
pub(crate) struct Connection {
    /// Makes the calls.
    pub(crate) client: Client,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// How reports are asked for.
    pub(crate) reports: reports::Settings,
    /// The directory of local accounts.
    pub(crate) cds_uuid: String,
    /// What is known of the tenant, for a while.
    facts: Facts,
}

impl Connection {
    /// A connection by these settings; nothing is called yet.
    pub(crate) fn new(config: &PlatformConfig) -> Result<Self, Error> {
        let metrics = Metrics::new();
        Ok(Self {
            client: Client::new(config, metrics.clone())?,
            metrics,
            reports: reports::Settings {
                page_size: usize::from(config.page_size),
                caching: config.query_caching,
                limit: usize::try_from(config.report_limit).unwrap_or(usize::MAX),
            },
            cds_uuid: config.cds_uuid.clone(),
            facts: Facts::default(),
        })
    }
}

/// Whether two ids are of one object: the Platform writes role ids with dashes here and underscores there.
pub(crate) fn same_id(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    one.len() == other.len() && one.bytes().map(plain).eq(other.bytes().map(plain))
}

/// Whether two names are the same: the Platform compares them without regard to case.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    let fold = |name: &str| name.trim().to_lowercase();
    one == other || fold(one) == fold(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_any_case() {
        assert!(same_name("Ann\u{c9}@Example.com", "ann\u{e9}@example.com "));
        assert!(!same_name("anna@example.com", "ann_@example.com"));
    }

    #[test]
    fn ids_are_the_same_whatever_joins_their_parts() {
        assert!(same_id("5CA1AB1E_0000", "5ca1ab1e-0000"));
        assert!(!same_id("5ca1ab1e-0000", "5ca1ab1e-0001"));
        assert!(!same_id("", "5ca1ab1e"));
    }
}
