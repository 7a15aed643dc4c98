//! What goes on beside requests for each tenant, for as long as it is served: its relay, its sweep, its comparisons, and the look at
//! how it is. Each tenant has its own, so that none waits for another's.

use service_runtime::{Lifecycle, tenants::Workers};
use tokio_util::sync::CancellationToken;

use super::Tenants;
use crate::{delivery::Relays, drift::Schedule, figures::Figures, id::Tenant, metrics, sweep::Sweep};

/// Begins and ends what goes on for tenants.
pub(crate) struct Keep {
    pub(crate) tenants: Tenants,
    pub(crate) relays: Relays,
    pub(crate) sweep: Sweep,
    pub(crate) schedule: Schedule,
    pub(crate) figures: Figures,
    workers: Workers,
}

impl Keep {
    pub(crate) fn new(
        tenants: Tenants,
        relays: Relays,
        sweep: Sweep,
        schedule: Schedule,
        figures: Figures,
        life: &Lifecycle,
    ) -> Self {
        Self {
            tenants,
            relays,
            sweep,
            schedule,
            figures,
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
        metrics::begin(tenant);
        let (relays, of) = (self.relays.clone(), tenant.clone());
        self.workers.start(name, "relay", |stop| relays.run(of, stop));
        let (sweep, of) = (self.sweep.clone(), tenant.clone());
        self.workers.start(name, "sweep", |stop| sweep.run(of, stop));
        let (schedule, of) = (self.schedule.clone(), tenant.clone());
        self.workers.start(name, "drift", |stop| schedule.run(of, stop));
        let (figures, of) = (self.figures.clone(), tenant.clone());
        self.workers.start(name, "figures", |stop| figures.run(of, stop));
    }
}
