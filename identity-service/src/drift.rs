//! Comparing what was applied with what the Platform holds, on a schedule and on request; and setting right what differs.
//!
//! The Platform's lists are streamed; of a list, sixteen bytes are kept for each object of ours: 1.6 MB for 100,000 users, 16 MB
//! for a million, and as much for the largest group while its members are compared. Differences are kept up to a number, and
//! counted beyond it. Only what is at rest is compared: everything else is on its way. What differs is repaired by delivering
//! it once more, and a delivery looks before it writes, so a list that is wrong does no harm.
//!
//! This module knows the store and the adapter's contract; it must not know the Platform's fields, nor how a delivery is made.

mod absent;
mod groups;
mod members;
mod report;
mod run;
mod schedule;
mod users;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use proto::adapter::v1::adapter_service_client::AdapterServiceClient;
use service_runtime::Connection;
use tokio::sync::{Mutex as Turn, mpsc};

pub use self::report::{Alarm, Counts, Difference, Kind as DriftKind, Report};
pub(crate) use self::schedule::Schedule;

use self::run::{Run, Stopped};
use crate::{
    id::Tenant,
    metrics,
    store::{Brake, Origin, Store, StoreError, Work, WorkState},
    tenants::Served,
    wake::Wake,
};

/// Whether what differs is repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// It is only told.
    Nothing,
    /// It is repaired, but not what is so much that it raises an alarm.
    Ordinary,
    /// It is repaired despite an alarm: a person has looked.
    DespiteAlarm,
}

/// Compares tenants with the Platform. Clones share it.
#[derive(Clone)]
pub struct Drift(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    adapter: AdapterServiceClient<Connection>,
    wake: Wake,
    /// How much the clocks of replicas may differ.
    margin: Duration,
    tenants: Mutex<HashMap<Tenant, Arc<Comparisons>>>,
}

/// The comparisons of one tenant.
#[derive(Default)]
struct Comparisons {
    /// Held while one is made.
    turn: Turn<()>,
    /// What the last one found.
    last: Mutex<Option<Arc<Report>>>,
}

/// A comparison is under way already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderWay;

impl Drift {
    /// A comparison of what is in a store with what an adapter lists. Clocks of replicas may differ by less than `margin`.
    pub fn new(store: Arc<dyn Store>, adapter: AdapterServiceClient<Connection>, wake: Wake, margin: Duration) -> Self {
        Self(Arc::new(Shared {
            store,
            adapter,
            wake,
            margin,
            tenants: Mutex::default(),
        }))
    }

    /// Compares now for whoever asked, tells each difference as it is found, and gives all of it at the end. Who listens no
    /// longer ends it.
    pub async fn compare(
        &self,
        served: &Served,
        repair: Repair,
        origin: Option<Origin>,
        tell: Option<mpsc::Sender<Difference>>,
    ) -> Result<Arc<Report>, UnderWay> {
        let tenant = &served.tenant;
        let comparisons = self.of(tenant);
        let Ok(_turn) = comparisons.turn.try_lock() else {
            return Err(UnderWay);
        };
        let mut run = Run::new(&self.0, served, repair, (origin, tell), Timestamp::now());
        let outcome = Box::pin(run.all()).await;
        let asker = run.origin.clone();
        let (report, kept) = self.finish(run, &outcome).await;
        if let Err(error) = kept {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                scim.tenant = %tenant,
                "what came of the comparison cannot be kept; the last one is shown on"
            );
        } else if let Err(error) = self.let_go(tenant, &report, asker.as_ref()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                scim.tenant = %tenant,
                "what the alarm held cannot be let go; the next comparison tries it again"
            );
        }
        *comparisons.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
        Ok(report)
    }

    /// What the last comparison found, whichever replica made it: its differences only where this process did.
    pub async fn last(&self, tenant: &Tenant) -> Result<Option<Arc<Report>>, StoreError> {
        let kept = last_summary(&*self.0.store, tenant).await?;
        let comparisons = self.of(tenant);
        let own = comparisons.last.lock().unwrap_or_else(PoisonError::into_inner);
        let own = own.clone();
        Ok(match (own, kept) {
            (Some(own), Some(kept)) if kept.started > own.started => Some(Arc::new(kept)),
            (Some(own), _) => Some(own),
            (None, kept) => kept.map(Arc::new),
        })
    }

    /// Ends a comparison: says what came of it, and keeps that.
    async fn finish(&self, run: Run<'_>, outcome: &Result<(), Stopped>) -> (Arc<Report>, Result<(), StoreError>) {
        let despite_alarm = run.repair == Repair::DespiteAlarm;
        let (tenant, mut report) = run.into_report();
        report.failure = outcome.as_ref().err().map(Stopped::words);
        let before = last_summary(&*self.0.store, &tenant).await;
        let known = before.as_ref().ok().and_then(Option::as_ref);
        report.end(
            Timestamp::now(),
            despite_alarm,
            known.and_then(|known| known.doubted_since),
        );
        say(&tenant, &report, outcome);
        let kept = match before {
            // What is not known may be a doubt: it is not written over.
            Err(error) => Err(error),
            Ok(_) => self.keep(&tenant, &report).await,
        };
        (Arc::new(report), kept)
    }

    /// Lets go on what was held for a doubt that is no more. Whatever an earlier end of a doubt left is let go, too.
    async fn let_go(&self, tenant: &Tenant, report: &Report, origin: Option<&Origin>) -> Result<(), StoreError> {
        if report.doubted_since.is_some() {
            return Ok(());
        }
        let (store, mut after) = (&self.0.store, None);
        loop {
            let page = store
                .deliveries(tenant, Some(WorkState::Held), after, run::PAGE)
                .await?;
            let of_alarm = |work: &Work| work.braked == Some(Brake::Alarm);
            for held in page.iter().filter(|held| held.work.as_ref().is_some_and(of_alarm)) {
                store.release(tenant, held.id, origin, Timestamp::now()).await?;
                self.0.wake.ring();
            }
            match page.last() {
                Some(last) if page.len() == run::PAGE => after = Some(last.id),
                _ => return Ok(()),
            }
        }
    }

    async fn keep(&self, tenant: &Tenant, report: &Report) -> Result<(), StoreError> {
        let summary = serde_json::to_string(report).map_err(|error| StoreError::Corrupt {
            what: "comparison",
            problem: error.to_string(),
        })?;
        self.0.store.keep_comparison(tenant, summary).await
    }

    fn of(&self, tenant: &Tenant) -> Arc<Comparisons> {
        let mut tenants = self.0.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.entry(tenant.clone()).or_default().clone()
    }
}

/// What came of the last comparison, without its differences. One that this version cannot read is as none.
pub(crate) async fn last_summary(store: &dyn Store, tenant: &Tenant) -> Result<Option<Report>, StoreError> {
    let kept = store.comparison(tenant).await?;
    Ok(kept.and_then(|summary| serde_json::from_str(&summary).ok()))
}

/// Whether nothing of a tenant is to be removed from the Platform, because a list of what is there is not believed.
pub(crate) async fn is_doubted(store: &dyn Store, tenant: &Tenant) -> Result<bool, StoreError> {
    let last = last_summary(store, tenant).await?;
    Ok(last.is_some_and(|last| last.doubted_since.is_some()))
}

/// Says what came of a comparison, in the log and the metrics.
fn say(tenant: &Tenant, report: &Report, outcome: &Result<(), Stopped>) {
    if let Err(stopped) = outcome {
        tracing::warn!(
            error = stopped as &dyn std::error::Error,
            scim.tenant = %tenant,
            "the comparison with the Platform came to no end"
        );
    }
    let counts = report.counts;
    for alarm in &report.alarms {
        tracing::error!(
            scim.tenant = %tenant, scim.resource.type = alarm.kind.name(),
            scim.resource.id = alarm.group.map(tracing::field::display),
            linked = alarm.linked, missing = alarm.missing, extra = alarm.extra,
            "ALARM: the Platform's list differs so much from what was applied that it is not believed; \
             what that concerns is not repaired before a person has looked"
        );
    }
    if let Some(since) = report.doubted_since {
        tracing::error!(
            scim.tenant = %tenant, %since,
            "ALARM: the Platform's list of users or groups is not believed: no account and no group is removed before a later \
             comparison raises no alarm, or a person has looked"
        );
    }
    tracing::info!(
        scim.tenant = %tenant,
        changed = counts.changed, gone = counts.gone, members_missing = counts.members_missing,
        members_extra = counts.members_extra, foreign_members = counts.foreign_members,
        foreign_removed = counts.foreign_removed, repaired = counts.repaired, skipped = counts.skipped, unmanaged_users = counts.unmanaged_users,
        users = counts.users, groups = counts.groups, whole = outcome.is_ok(),
        "compared with the Platform"
    );
    metrics::compared(tenant, report);
}
