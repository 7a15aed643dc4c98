//! What goes on beside requests for each tenant, for as long as it is served: its relay, its sweep, its comparisons. Each tenant
//! has its own, so that none waits for another's.

use std::sync::Arc;

use service_runtime::{Lifecycle, tenants::Workers};
use tokio_util::sync::CancellationToken;

use super::{Served, Tenants};
use crate::{
    config::Config, delivery::Relays, drift::Schedule, id::Tenant, start::StartError, store::Store, sweep::Sweep,
};

/// The tenants of the settings. What another version left of one, or half an import, is refused now, not at the first request.
pub(crate) async fn serve(config: &Config, store: &Arc<dyn Store>) -> Result<Tenants, StartError> {
    let served = Served::new(&config.tenant, config)?;
    is_whole(store.as_ref(), &served.tenant).await?;
    Ok(Tenants::one(served))
}

/// Whether the store can serve a tenant.
async fn is_whole(store: &dyn Store, tenant: &Tenant) -> Result<(), StartError> {
    store.feed_id(tenant).await?;
    match store.importing(tenant).await? {
        None => Ok(()),
        Some(_) => Err(StartError::HalfImported),
    }
}

/// Begins and ends what goes on for tenants.
pub(crate) struct Keep {
    pub(crate) tenants: Tenants,
    pub(crate) relays: Relays,
    pub(crate) sweep: Sweep,
    pub(crate) schedule: Schedule,
    workers: Workers,
}

impl Keep {
    pub(crate) fn new(tenants: Tenants, relays: Relays, sweep: Sweep, schedule: Schedule, life: &Lifecycle) -> Self {
        Self {
            tenants,
            relays,
            sweep,
            schedule,
            workers: Workers::new(&life.tasks),
        }
    }

    /// Runs until told to stop; what it began is told so by itself.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let present = self.tenants.take();
            for gone in self.workers.tenants() {
                if !present.contains_key(&gone) {
                    self.workers.end(&gone).await;
                    tracing::info!(
                        scim.tenant = gone,
                        "the tenant is no longer served; what it has stays in the store"
                    );
                }
            }
            let known = self.workers.tenants();
            for (name, served) in present.iter().filter(|(name, _)| !known.contains(name)) {
                self.begin(name, &served.tenant);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tenants.0.changed() => {}
            }
        }
    }

    fn begin(&mut self, name: &str, tenant: &Tenant) {
        let (relays, of) = (self.relays.clone(), tenant.clone());
        self.workers.start(name, "relay", |stop| relays.run(of, stop));
        let (sweep, of) = (self.sweep.clone(), tenant.clone());
        self.workers.start(name, "sweep", |stop| sweep.run(of, stop));
        let (schedule, of) = (self.schedule.clone(), tenant.clone());
        self.workers.start(name, "drift", |stop| schedule.run(of, stop));
    }
}
