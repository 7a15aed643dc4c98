//! `AuditService`.

use std::{pin::Pin, sync::Arc};

use futures_util::Stream;
use jiff::Timestamp;
use proto::identity::v1::{
    AuditEntry, AuditOutcome, ChangeRecord, ExportAuditRequest, ExportAuditResponse, OperatorAct, OperatorRecord,
    Origin, OutcomeRecord, audit_entry::Record, audit_service_server::AuditService,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

use super::{
    changes::{attribute, kind, members},
    directories::Directories,
    log::Log,
};
use crate::{
    error::Error,
    id::ResourceId,
    store::{self, Deed, LogEntry, Logged, Store, Verdict},
};

/// How many entries are read at a time.
const PAGE: usize = 256;

/// The service.
pub(crate) struct Audit {
    directories: Directories,
    store: Arc<dyn Store>,
}

impl Audit {
    pub(crate) fn new(directories: Directories, store: Arc<dyn Store>) -> Self {
        Self { directories, store }
    }
}

#[async_trait]
impl AuditService for Audit {
    type ExportAuditStream = Pin<Box<dyn Stream<Item = Result<ExportAuditResponse, Status>> + Send>>;

    async fn export_audit(
        &self,
        request: Request<ExportAuditRequest>,
    ) -> Result<Response<Self::ExportAuditStream>, Status> {
        let request = request.into_inner();
        let served = self.directories.served(&request.tenant)?;
        let wanted = Wanted::of(&request)?;
        let log = Log::of(self.store.clone(), served.tenant.clone()).await?;
        let after = request.after.as_deref().unwrap_or_default();
        let position = log.position("after", after).await?;
        let end = log.store.newest_entry(&log.tenant).await.map_err(Error::from)?;
        let (sender, receiver) = mpsc::channel(PAGE);
        let export = Export {
            log,
            wanted,
            values: served.audit_values,
            sender,
        };
        tokio::spawn(export.run(position, end));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// Which entries are asked for.
struct Wanted {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    resource: Option<ResourceId>,
}

impl Wanted {
    fn of(request: &ExportAuditRequest) -> Result<Self, Error> {
        let invalid = |field: &'static str, problem: &str| Error::InvalidRequest {
            field,
            problem: problem.to_owned(),
        };
        let from = request.from.as_ref().map(proto::time::from_proto);
        let until = request.until.as_ref().map(proto::time::from_proto);
        let time = |field, time: Option<Option<Timestamp>>| match time {
            Some(None) => Err(invalid(field, "is no time")),
            time => Ok(time.flatten()),
        };
        let id = |text: &String| text.parse().map_err(|_| invalid("resource_id", "is no id"));
        Ok(Self {
            from: time("from", from)?,
            until: time("until", until)?,
            resource: request.resource_id.as_ref().map(id).transpose()?,
        })
    }

    fn fits(&self, entry: &LogEntry) -> bool {
        self.from.is_none_or(|from| entry.at >= from)
            && self.until.is_none_or(|until| entry.at < until)
            && self.resource.is_none_or(|id| entry.what.resource() == Some(id))
    }
}

/// One export.
struct Export {
    log: Log,
    wanted: Wanted,
    values: bool,
    sender: mpsc::Sender<Result<ExportAuditResponse, Status>>,
}

impl Export {
    /// Sends what is asked for of the entries after `position` up to `end`. A slow reader is waited for.
    async fn run(self, mut position: u64, end: u64) {
        while position < end {
            let entries = match self.log.store.log(&self.log.tenant, position, PAGE).await {
                Ok(page) if position >= page.trimmed => page.entries,
                ended => {
                    let error = ended.map_or_else(Error::Store, |_| self.log.expired(position));
                    // The reader is gone if this fails; either way the export is over.
                    let _ = self.sender.send(Err(error.into())).await;
                    return;
                }
            };
            if entries.is_empty() {
                return;
            }
            for entry in entries.into_iter().take_while(|entry| entry.position <= end) {
                position = entry.position;
                if self.wanted.fits(&entry) && self.sender.send(Ok(self.response(entry))).await.is_err() {
                    return;
                }
            }
            if self.sender.is_closed() {
                return;
            }
        }
    }

    fn response(&self, entry: LogEntry) -> ExportAuditResponse {
        let record = match entry.what {
            Logged::Change(change) => Record::Change(self.change(change)),
            Logged::Outcome(outcome) => Record::Outcome(outcome_record(outcome)),
            Logged::Act(act) => Record::OperatorAct(operator_record(act)),
        };
        let entry = AuditEntry {
            position: self.log.token(entry.position),
            at: Some(proto::time::to_proto(entry.at)),
            record: Some(record),
        };
        ExportAuditResponse { entry: Some(entry) }
    }

    fn change(&self, change: store::Change) -> ChangeRecord {
        let diff = if self.values { change.diff } else { Vec::new() };
        ChangeRecord {
            kind: kind(change.what) as i32,
            resource_type: change.kind.name().to_owned(),
            resource_id: change.id.to_string(),
            version: change.version,
            attributes: change.attributes,
            attribute_changes: diff.into_iter().map(attribute).collect(),
            members: change.members.map(members),
            origin: change.origin.map(origin),
        }
    }
}

fn outcome_record(outcome: store::Outcome) -> OutcomeRecord {
    let verdict = match outcome.outcome {
        Verdict::Applied => AuditOutcome::Applied,
        Verdict::Refused => AuditOutcome::Refused,
        Verdict::Later => AuditOutcome::Later,
        Verdict::Held => AuditOutcome::Held,
        Verdict::Planned => AuditOutcome::Planned,
    };
    let (reason, message) = outcome.failure.map(|failure| (failure.reason, failure.message)).unzip();
    let planned = (!outcome.planned.is_empty()).then(|| outcome.planned.join("; "));
    OutcomeRecord {
        outcome: verdict as i32,
        resource_type: outcome.kind.name().to_owned(),
        resource_id: outcome.id.to_string(),
        from_version: outcome.from_version,
        to_version: outcome.to_version,
        reason,
        message: message.or(planned),
        members_applied: outcome.members_applied,
        members_refused: outcome.members_refused,
        trace_id: outcome.trace_id,
    }
}

fn operator_record(act: store::Act) -> OperatorRecord {
    let deed = match act.act {
        Deed::Retry => OperatorAct::Retry,
        Deed::Release => OperatorAct::Release,
        Deed::Discard => OperatorAct::Discard,
        Deed::Pause => OperatorAct::Pause,
        Deed::Resume => OperatorAct::Resume,
        Deed::Repair => OperatorAct::Repair,
        Deed::Relink => OperatorAct::Relink,
        Deed::Credential => OperatorAct::Credential,
    };
    OperatorRecord {
        act: deed as i32,
        resource_type: act.resource.map(|resource| resource.kind.name().to_owned()),
        resource_id: act.resource.map(|resource| resource.id.to_string()),
        origin: act.origin.map(origin),
        by: Some(act.by).filter(|by| !by.is_empty()),
        reason: Some(act.reason).filter(|reason| !reason.is_empty()),
    }
}

fn origin(origin: store::Origin) -> Origin {
    Origin {
        credential: origin.credential,
        request_id: origin.request_id,
        client_request_id: origin.client_request_id,
        correlation_id: origin.correlation_id,
        trace_id: origin.trace_id,
    }
}
