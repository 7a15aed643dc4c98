//! `DriftService`.

use std::{pin::Pin, sync::Arc};

use futures_util::Stream;
use proto::{
    identity::v1::{
        ApplyDriftRequest, ApplyDriftResponse, DriftAlarm, DriftDifference, DriftKind as WireKind, DriftSummary,
        GetDriftRequest, GetDriftResponse, PlanDriftRequest, PlanDriftResponse, apply_drift_response,
        drift_service_server::DriftService, plan_drift_response,
    },
    time::to_proto,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};
use tracing::Instrument as _;

use super::{directories::Directories, origin, paging};
use crate::{
    drift::{Difference, Drift, DriftKind, Repair, Report},
    error::Error,
    id::Tenant,
    store::Origin,
    tenants::Served,
};

/// How many differences wait for a slow reader, who holds the comparison up, and nothing else.
const BUFFER: usize = 256;

/// The service.
pub(crate) struct Drifts {
    directories: Directories,
    drift: Drift,
    closing: CancellationToken,
}

/// A part of what a comparison found.
enum Part {
    Difference(Difference),
    Summary(Arc<Report>),
}

type Parts<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Drifts {
    pub(crate) fn new(directories: Directories, drift: Drift, closing: CancellationToken) -> Self {
        Self {
            directories,
            drift,
            closing,
        }
    }

    /// Compares now, and tells what is found for as long as somebody listens: who leaves ends the comparison.
    fn compare<T: Send + 'static>(
        &self,
        served: Arc<Served>,
        repair: Repair,
        origin: Option<Origin>,
        shown: fn(Part) -> T,
    ) -> Parts<T> {
        let (sender, receiver) = mpsc::channel(BUFFER);
        let (drift, closing) = (self.drift.clone(), self.closing.clone());
        let comparison = async move {
            let (tell, mut told) = mpsc::channel(1);
            let tells = async {
                while let Some(difference) = told.recv().await {
                    if sender.send(Ok(shown(Part::Difference(difference)))).await.is_err() {
                        return;
                    }
                }
            };
            let compared = async { drift.compare(&served, repair, origin, Some(tell)).await };
            let both = async { tokio::join!(compared, tells).0 };
            let last = tokio::select! {
                () = sender.closed() => return,
                () = closing.cancelled() => Err(Status::unavailable("the service is stopping")),
                compared = both => match compared {
                    Ok(report) => Ok(shown(Part::Summary(report))),
                    Err(_) => Err(Error::DriftUnderWay.into()),
                },
            };
            // The reader is gone if this fails.
            let _ = sender.send(last).await;
        };
        tokio::spawn(comparison.in_current_span());
        Box::pin(ReceiverStream::new(receiver))
    }
}

#[async_trait]
impl DriftService for Drifts {
    type PlanDriftStream = Parts<PlanDriftResponse>;
    type ApplyDriftStream = Parts<ApplyDriftResponse>;

    async fn plan_drift(&self, request: Request<PlanDriftRequest>) -> Result<Response<Self::PlanDriftStream>, Status> {
        use plan_drift_response::Part as Wire;
        let served = self.directories.served(&request.into_inner().tenant)?;
        let parts = self.compare(served, Repair::Nothing, None, |part| PlanDriftResponse {
            part: Some(match part {
                Part::Difference(difference) => Wire::Difference(shown(difference)),
                Part::Summary(report) => Wire::Summary(summary(&report)),
            }),
        });
        Ok(Response::new(parts))
    }

    async fn apply_drift(
        &self,
        request: Request<ApplyDriftRequest>,
    ) -> Result<Response<Self::ApplyDriftStream>, Status> {
        use apply_drift_response::Part as Wire;
        let origin = origin(request.metadata());
        let request = request.into_inner();
        let served = self.directories.served(&request.tenant)?;
        let repair = if request.despite_alarm {
            Repair::DespiteAlarm
        } else {
            Repair::Ordinary
        };
        let parts = self.compare(served, repair, origin, |part| ApplyDriftResponse {
            part: Some(match part {
                Part::Difference(difference) => Wire::Difference(shown(difference)),
                Part::Summary(report) => Wire::Summary(summary(&report)),
            }),
        });
        Ok(Response::new(parts))
    }

    async fn get_drift(&self, request: Request<GetDriftRequest>) -> Result<Response<GetDriftResponse>, Status> {
        let request = request.into_inner();
        let tenant = self.directories.tenant(&request.tenant)?;
        let size = paging::entries(request.page_size)?;
        let Some(report) = self.drift.last(&tenant).await.map_err(Error::from)? else {
            return Ok(Response::new(GetDriftResponse::default()));
        };
        let first = match request.page_token.as_deref().filter(|token| !token.is_empty()) {
            None => 0,
            Some(token) => place(token, &tenant, &report).ok_or_else(|| Error::InvalidRequest {
                field: "page_token",
                problem: "is not one of the last comparison's".to_owned(),
            })?,
        };
        let end = report.differences.len().min(first.saturating_add(size));
        let page = report.differences.get(first..end).unwrap_or_default();
        Ok(Response::new(GetDriftResponse {
            summary: Some(summary(&report)),
            differences: page.iter().cloned().map(shown).collect(),
            next_page_token: (end < report.differences.len()).then(|| token(end, &tenant, &report)),
            differences_elsewhere: report.differences.is_empty() && report.counts.differences() > 0,
        }))
    }
}

/// The token of a place in a report: another comparison's, or another tenant's, is recognised by its beginning.
fn token(place: usize, tenant: &Tenant, report: &Report) -> String {
    format!("{}-{place}", beginning(tenant, report))
}

fn place(token: &str, tenant: &Tenant, report: &Report) -> Option<usize> {
    let (of, place) = token.split_once('-')?;
    (of == beginning(tenant, report)).then(|| place.parse().ok())?
}

fn beginning(tenant: &Tenant, report: &Report) -> String {
    let started = report.started.as_millisecond();
    format!("{:016x}", paging::mark(&format!("{:?}", (tenant.as_str(), started))))
}

fn shown(difference: Difference) -> DriftDifference {
    let mut wire = DriftDifference {
        resource_type: difference.of.name().to_owned(),
        resource_id: difference.id.to_string(),
        platform_id: difference.platform_id,
        repaired: difference.repaired,
        ..DriftDifference::default()
    };
    let kind = match difference.kind {
        DriftKind::Changed(attributes) => {
            wire.attributes = attributes.into_iter().map(str::to_owned).collect();
            WireKind::Changed
        }
        DriftKind::Gone => WireKind::Gone,
        DriftKind::MemberMissing(member) => {
            wire.member_id = Some(member.to_string());
            WireKind::MemberMissing
        }
        DriftKind::MemberExtra(member) => {
            wire.member_id = Some(member.to_string());
            WireKind::MemberExtra
        }
        DriftKind::ForeignMembers(count, removed, some) => {
            wire.foreign_count = number(count);
            wire.foreign_removed = number(removed);
            wire.foreign_platform_ids = some;
            WireKind::ForeignMembers
        }
    };
    wire.set_kind(kind);
    wire
}

/// What came of a comparison.
pub(super) fn summary(report: &Report) -> DriftSummary {
    let counts = &report.counts;
    DriftSummary {
        started_at: Some(to_proto(report.started)),
        finished_at: report.finished.map(to_proto),
        failure: report.failure.clone(),
        repairs: report.repairs,
        users_compared: number(counts.users),
        groups_compared: number(counts.groups),
        members_compared: number(counts.members),
        skipped: number(counts.skipped),
        unreadable: number(counts.unreadable),
        unmanaged_users: number(counts.unmanaged_users),
        unmanaged_groups: number(counts.unmanaged_groups),
        changed: number(counts.changed),
        gone: number(counts.gone),
        members_missing: number(counts.members_missing),
        members_extra: number(counts.members_extra),
        foreign_members: number(counts.foreign_members),
        repaired: number(counts.repaired),
        alarms: report
            .alarms
            .iter()
            .map(|alarm| DriftAlarm {
                resource_type: alarm.kind.name().to_owned(),
                group_id: alarm.group.map(|group| group.to_string()),
                linked: number(alarm.linked),
                missing: number(alarm.missing),
                extra: number(alarm.extra),
            })
            .collect(),
        not_kept: number(report.not_kept),
        foreign_removed: number(counts.foreign_removed),
        removes_foreign_members: report.removes_foreign,
        removals_held_since: report.doubted_since.map(to_proto),
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
