//! The tenants that are served, and for each the settings in force: policies, brakes, schema table, how it is delivered and
//! compared. Whoever begins something takes a tenant's settings once and keeps them to its end; what begins later has those that
//! are in force by then.

mod file;
mod keep;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use scim::Schemas;
use service_runtime::{Live, tenants::Digest};

pub(crate) use self::{
    file::{check, serve},
    keep::Keep,
};
use crate::{
    config::{Config, ConfigError, DeliveryConfig, DriftConfig, ForeignMembers, Policy},
    credentials::Named,
    directory::schemas_hash,
    error::Error,
    id::Tenant,
    pulse::Pulse,
    store::Brakes,
};

/// A tenant and its settings.
pub struct Served {
    /// Which tenant.
    pub tenant: Tenant,
    /// Its rules.
    pub policy: Policy,
    /// Its schema table.
    pub schemas: Schemas,
    /// What tells that table from others: the same for the same extensions.
    pub schemas_hash: String,
    /// Names that may be taken over, case-folded.
    pub adopt_list: HashSet<String>,
    /// How deliveries are tried.
    pub delivery: DeliveryConfig,
    /// When and how it is compared with the Platform.
    pub drift: DriftConfig,
    /// Whether the audit trail tells what attributes were and are.
    pub audit_values: bool,
    /// Who may call SCIM as it, as far as settings say that.
    pub named: Named,
    /// How its deliveries go.
    pub pulse: Pulse,
    /// What its section of the file came to; of one without a file nothing.
    digest: Digest,
}

/// All tenants, by name.
type All = BTreeMap<String, Arc<Served>>;

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Served {
    /// A tenant by these settings; files that they name are read.
    pub fn new(name: &str, config: &Config) -> Result<Self, ConfigError> {
        let schemas = config.read_schemas()?;
        Ok(Self {
            tenant: Tenant::new(name),
            schemas_hash: schemas_hash(&schemas),
            schemas,
            adopt_list: config.policy.read_adopt_list()?,
            policy: config.policy.clone(),
            delivery: config.delivery.clone(),
            drift: config.drift.clone(),
            audit_values: config.log.audit_values,
            named: Named::read(&config.credentials)?,
            pulse: Pulse::default(),
            digest: Digest::default(),
        })
    }

    /// Its brakes.
    pub fn brakes(&self) -> Brakes {
        self.policy.brakes()
    }

    /// What a comparison does about accounts in a group of ours that are not ours.
    pub fn foreign_members(&self) -> ForeignMembers {
        // What takes them out is no delivery, which a dry run would only plan.
        if self.policy.dry_run {
            ForeignMembers::Keep
        } else {
            self.drift.foreign_members
        }
    }
}

/// The tenants that are served. A clone follows them, too.
#[derive(Clone)]
pub struct Tenants(Live<All>);

impl Tenants {
    /// One tenant, whose settings never change.
    pub fn one(served: Served) -> Self {
        let name = served.tenant.to_string();
        Self(Live::fixed(BTreeMap::from([(name, Arc::new(served))])))
    }

    /// The tenant of that name, with the settings in force now.
    pub fn get(&self, name: &str) -> Result<Arc<Served>, Error> {
        let served = self.0.get().get(name).cloned();
        served.ok_or_else(|| Error::UnknownTenant(name.chars().take(64).collect()))
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Arc<All> {
        self.0.get()
    }

    /// All of them; [`Self::changed`] waits for others.
    fn take(&mut self) -> Arc<All> {
        self.0.take()
    }

    /// The tenant of that name with the settings in force, as soon as it is served. For its work: a tenant may be put back before
    /// that has heard that it went.
    pub(crate) async fn once_served(&mut self, name: &str) -> Arc<Served> {
        loop {
            if let Ok(served) = self.get(name) {
                return served;
            }
            self.changed().await;
        }
    }

    /// Waits until the tenants, or the settings of one, are others.
    pub async fn changed(&mut self) {
        self.0.changed().await;
        // The next wait is for the next change.
        drop(self.0.take());
    }
}
