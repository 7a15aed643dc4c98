//! The RPC calls: accounts, groups and facts of the tenant, as `Controller/Method` has them.

pub(crate) mod lookup;
pub(crate) mod members;
pub(crate) mod passwords;
pub(crate) mod redrock;
pub(crate) mod reports;
pub(crate) mod roles;
pub(crate) mod shapes;
pub(crate) mod states;
pub(crate) mod tenant;
pub(crate) mod users;

use std::sync::Arc;

use crate::config::{GroupBackend, PlatformConfig, RestV3};

use super::client::Client;

/// The RPC calls of one tenant.
pub(crate) struct Rpc {
    client: Arc<Client>,
    /// How reports are asked for.
    pub(crate) reports: reports::Settings,
    /// The directory of local accounts.
    cds_uuid: String,
    /// Which of the two families of calls writes groups.
    families: &'static [roles::Family],
    /// Whether accounts of other directories are disabled, by the cloud lock.
    touch_non_cds: bool,
    /// What the newer REST reads are used for.
    rest_v3: RestV3,
    /// How an account is disabled.
    state_calls: states::Chain,
    /// What is known of the tenant, for a while.
    facts: tenant::Facts,
    /// How answers look.
    pub(crate) shapes: shapes::Shapes,
}

impl Rpc {
    pub(crate) fn new(config: &PlatformConfig, client: Arc<Client>) -> Self {
        let families: &[_] = match config.backends.group_backend {
            GroupBackend::Roles => &[roles::Family::Roles],
            GroupBackend::Saas => &[roles::Family::Saas],
            GroupBackend::Auto | GroupBackend::Scim | GroupBackend::Off => &[roles::Family::Roles, roles::Family::Saas],
        };
        Self {
            client,
            reports: reports::Settings {
                page_size: usize::from(config.page_size),
                caching: config.query_caching,
                limit: usize::try_from(config.report_limit).unwrap_or(usize::MAX),
            },
            cds_uuid: config.cds_uuid.clone(),
            families,
            rest_v3: config.backends.rest_v3,
            touch_non_cds: config.backends.touch_non_cds,
            state_calls: states::Chain::new(config.backends.state_call),
            facts: tenant::Facts::default(),
            shapes: shapes::Shapes::default(),
        }
    }
}
