//! One comparison: what it knows on its way, and what all its parts do alike.

use std::time::Duration;

use jiff::Timestamp;
use proto::error::Details;
use tokio::{sync::mpsc, time::timeout};
use tonic::{Status, Streaming};

use super::{
    Alarm, Difference, DriftKind, Repair, Report, Shared,
    report::{MANY, MANY_MEMBERS, is_sharp},
};
use crate::{
    config::ForeignMembers,
    id::{Kind, ResourceId, Tenant},
    record::Record,
    store::{Origin, StoreError},
    tenants::Served,
};

/// How many resources are read at a time.
pub(super) const PAGE: usize = 500;
/// How long the next batch of a list may take: the adapter makes these calls in spare moments only.
const LONGEST_SILENCE: Duration = Duration::from_secs(300);

/// Why a comparison came to no end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The adapter, or the Platform behind it, failed. The words may name people: they are told, and not logged.
    #[error("the Platform's list could not be read ({reason})")]
    List { reason: &'static str, words: String },
    /// Nobody listens any more.
    #[error("nobody listens any more")]
    Unheard,
}

impl From<Status> for Stopped {
    fn from(status: Status) -> Self {
        Self::List {
            reason: Details::of(&status).map_or("the adapter cannot be reached", |details| details.reason.name()),
            words: status.message().to_owned(),
        }
    }
}

impl Stopped {
    /// Why, for whoever may read the report.
    pub(super) fn words(&self) -> String {
        match self {
            Self::List { reason, words } => format!("{reason}: {words}"),
            other => other.to_string(),
        }
    }
}

/// A comparison under way.
pub(super) struct Run<'a> {
    pub(super) shared: &'a Shared,
    pub(super) served: &'a Served,
    pub(super) tenant: &'a Tenant,
    pub(super) repair: Repair,
    /// Who asked for it; nobody where it is by schedule.
    pub(super) origin: Option<Origin>,
    began: Timestamp,
    tell: Option<mpsc::Sender<Difference>>,
    /// What was still to be delivered when it began, ascending.
    pending: Vec<ResourceId>,
    /// The users that are gone, ascending.
    pub(super) users_gone: Vec<ResourceId>,
    pub(super) report: Report,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        served: &'a Served,
        repair: Repair,
        (origin, tell): (Option<Origin>, Option<mpsc::Sender<Difference>>),
        began: Timestamp,
    ) -> Self {
        Self {
            shared,
            served,
            tenant: &served.tenant,
            repair,
            origin,
            began,
            tell,
            pending: Vec::new(),
            users_gone: Vec::new(),
            report: Report::new(
                began,
                repair != Repair::Nothing,
                served.foreign_members() == ForeignMembers::Remove,
            ),
        }
    }

    pub(super) fn into_report(self) -> (Tenant, Report) {
        (self.tenant.clone(), self.report)
    }

    /// Compares everything.
    pub(super) async fn all(&mut self) -> Result<(), Stopped> {
        self.pending = self.work().await?;
        let users = self.users().await?;
        self.users_gone = self.absent(Kind::User, &users).await?;
        drop(users);
        let groups = self.groups().await?;
        self.absent(Kind::Group, &groups).await?;
        self.memberships(&groups).await
    }

    /// Everything of which something is still to be delivered.
    async fn work(&self) -> Result<Vec<ResourceId>, Stopped> {
        let mut pending: Vec<ResourceId> = Vec::new();
        loop {
            let after = pending.last().copied();
            let page = self.shared.store.deliveries(self.tenant, None, after, PAGE).await?;
            pending.extend(page.iter().map(|delivery| delivery.id));
            if page.len() < PAGE {
                return Ok(pending);
            }
        }
    }

    /// Whether something of it was still to be delivered when this began.
    pub(super) fn was_pending(&self, id: ResourceId) -> bool {
        self.pending.binary_search(&id).is_ok()
    }

    /// Whether all of a resource that is at rest now was applied before this began, so that the Platform's list, which may be
    /// older than this moment, must show it. The clock that it was changed by may be another's.
    pub(super) fn was_at_rest(&self, record: &Record) -> bool {
        !self.was_pending(record.id) && record.modified + self.shared.margin < self.began
    }

    /// Whether what differs is repaired; what raised an alarm only where a person said so.
    pub(super) fn repairs(&self, alarming: bool) -> bool {
        match self.repair {
            Repair::Nothing => false,
            Repair::Ordinary => !alarming,
            Repair::DespiteAlarm => true,
        }
    }

    /// Has a resource delivered once more, where that is wanted: before all others if it takes access away.
    pub(super) async fn redeliver(&self, id: ResourceId, alarming: bool, urgent: bool) -> Result<bool, Stopped> {
        if !self.repairs(alarming) {
            return Ok(false);
        }
        let (store, origin) = (&self.shared.store, self.origin.as_ref());
        let due = store.repair(self.tenant, id, urgent, origin, Timestamp::now()).await?;
        self.shared.wake.ring();
        Ok(due)
    }

    /// Notes a difference, and tells it.
    pub(super) async fn found(
        &mut self,
        of: Kind,
        id: ResourceId,
        platform_id: &str,
        kind: DriftKind,
        repaired: bool,
    ) -> Result<(), Stopped> {
        let difference = Difference {
            kind,
            of,
            id,
            platform_id: platform_id.to_owned(),
            repaired,
        };
        self.report.note(&difference);
        match &self.tell {
            Some(tell) => tell.send(difference).await.map_err(|_| Stopped::Unheard),
            None => Ok(()),
        }
    }

    /// Raises an alarm where so much is missing from a list, or so many are in a group who should not be, that the list is not
    /// believed.
    pub(super) fn alarm(
        &mut self,
        kind: Kind,
        group: Option<ResourceId>,
        linked: u64,
        missing: u64,
        extra: u64,
    ) -> bool {
        let many = if group.is_some() { MANY_MEMBERS } else { MANY };
        let share = u64::from(self.served.drift.drift_alarm_share);
        let sharp = is_sharp(missing, linked, many, share) || is_sharp(extra, linked, many, share);
        if sharp {
            self.report.raise(Alarm {
                kind,
                group,
                linked,
                missing,
                extra,
            });
        }
        sharp
    }
}

/// The next batch of a list; `None` after the last.
pub(super) async fn next<T>(list: &mut Streaming<T>) -> Result<Option<T>, Status> {
    let silence = |_| Status::deadline_exceeded("the next batch of the list did not come");
    timeout(LONGEST_SILENCE, list.message()).await.map_err(silence)?
}
