//! The Platform's identity API, typed: what can be asked of accounts, groups and the tenant, and how it can fail.
//!
//! Two interfaces lead there, the RPC calls ([`rpc`]) and the Platform's own SCIM endpoint ([`scim`]); [`accounts`] and
//! [`groups`] are what both have in common, and decide which is asked. Every call goes through [`client::Client`]. This module
//! knows names of methods and fields; it does not know what is wanted, nor the gateway's SCIM.

pub(crate) mod accounts;
pub(crate) mod capabilities;
pub(crate) mod client;
pub(crate) mod counterparts;
pub(crate) mod envelope;
pub(crate) mod exposure;
pub(crate) mod failure;
pub(crate) mod groups;
pub(crate) mod matchers;
pub(crate) mod object_id;
pub(crate) mod pace;
pub(crate) mod probe;
pub(crate) mod retry_after;
pub(crate) mod rows;
pub(crate) mod rpc;
pub(crate) mod scim;
pub(crate) mod token;
pub(crate) mod transport;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use crate::{
    Error,
    config::{BackendConfig, PlatformConfig},
    metrics::Metrics,
    record::Recorder,
};

use client::Client;

/// The connection to one Platform tenant.
pub(crate) struct Connection {
    /// Makes the calls.
    pub(crate) client: Arc<Client>,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// The RPC calls.
    pub(crate) rpc: rpc::Rpc,
    /// The Platform's own SCIM endpoint.
    pub(crate) scim: scim::Scim,
    /// Which interface is used for what, as the settings say.
    backends: BackendConfig,
    /// What was found of the tenant.
    probed: capabilities::Probed,
    /// What accounts are called in the other interface.
    counterparts: counterparts::Counterparts,
    /// The login name of the service user that we are.
    caller: String,
    /// The fields of which it was told that an interface cannot hold them.
    unheld: Mutex<HashSet<String>>,
}

impl Connection {
    /// A connection by these settings, whose exchanges a recorder takes in if there is one; nothing is called yet.
    pub(crate) fn new(config: &PlatformConfig, recorder: Option<&Recorder>) -> Result<Self, Error> {
        let metrics = Metrics::new(&config.platform_tenant);
        metrics.begin();
        metrics.secret_ends(config.secret_ends());
        let client = Arc::new(Client::new(config, metrics.clone(), recorder)?);
        Ok(Self {
            rpc: rpc::Rpc::new(config, Arc::clone(&client)),
            scim: scim::Scim::new(Arc::clone(&client), usize::from(config.page_size)),
            client,
            metrics,
            backends: config.backends.clone(),
            probed: capabilities::Probed::default(),
            counterparts: counterparts::Counterparts::default(),
            caller: config.client_id()?.to_owned(),
            unheld: Mutex::default(),
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
