//! `audit`: the trail of what changed, what became of it, and what operators did.

use std::num::NonZeroU64;

use jiff::Timestamp;
use proto::identity::v1::{
    AuditEntry, AuditOutcome, ChangeRecord, ExportAuditRequest, OperatorAct, OperatorRecord, OutcomeRecord,
    audit_entry::Record,
};

use super::watch::{happened, moment};
use crate::{
    arguments::AuditArgs,
    error::Error,
    names,
    output::Output,
    service::{Service, said},
};

/// Shows the entries that are kept, oldest first, up to the newest there is now.
pub(crate) async fn audit(service: &Service, output: &Output, arguments: &AuditArgs) -> Result<(), Error> {
    let resource = match &arguments.resource {
        Some(resource) => Some(names::id_of(service, resource).await?),
        None => None,
    };
    let time = |at: Option<Timestamp>| at.map(proto::time::to_proto);
    let request = ExportAuditRequest {
        tenant: service.tenant.clone(),
        after: arguments.after.clone(),
        from: time(arguments.from),
        until: time(arguments.until),
        resource_id: resource,
    };
    let mut entries = service.answer(service.audit().export_audit(request).await)?;
    let mut table = output.table(&["WHEN", "WHAT", "TYPE", "ID", "VERSION", "BY", "MORE"]);
    let mut left = arguments.limit.map_or(u64::MAX, NonZeroU64::get);
    let mut is_empty = true;
    while let Some(response) = entries.message().await.map_err(|status| service.failed(status))? {
        if left == 0 {
            output.aside("there are more");
            break;
        }
        left -= 1;
        is_empty = false;
        let entry = said(response.entry)?;
        if output.json {
            output.message(&entry)?;
        } else {
            output.text(&table.rows(&[row(&entry)]))?;
        }
    }
    if is_empty && !output.json {
        output.text("nothing is in the trail\n")?;
    }
    Ok(())
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let mut row = vec![moment(entry.at.as_ref())];
    row.extend(match &entry.record {
        Some(Record::Change(change)) => changed(change),
        Some(Record::Outcome(outcome)) => ended(outcome),
        Some(Record::OperatorAct(act)) => acted(act),
        None => vec!["unknown".to_owned()],
    });
    row
}

fn changed(change: &ChangeRecord) -> Vec<String> {
    let members = change.members.as_ref();
    let members = members.map(|members| format!("members +{} -{}", members.added, members.removed));
    let others = change
        .attributes
        .iter()
        .filter(|name| *name != "members" || members.is_none());
    let more: Vec<_> = others.cloned().chain(members.clone()).collect();
    let by = change.origin.as_ref().and_then(|origin| origin.credential.clone());
    vec![
        happened(change.kind()).to_owned(),
        change.resource_type.clone(),
        change.resource_id.clone(),
        change.version.to_string(),
        by.unwrap_or_default(),
        more.join(", "),
    ]
}

fn ended(outcome: &OutcomeRecord) -> Vec<String> {
    let how = match outcome.outcome() {
        AuditOutcome::Unspecified => "unknown",
        AuditOutcome::Applied => "applied",
        AuditOutcome::Refused => "refused",
        AuditOutcome::Later => "later",
        AuditOutcome::Held => "held",
        AuditOutcome::Planned => "planned",
    };
    let counted = |count: u64, what: &str| (count > 0).then(|| format!("{what}: {count}"));
    let parts = [
        outcome.reason.clone(),
        outcome.message.clone(),
        counted(outcome.members_applied, "members applied"),
        counted(outcome.members_refused, "members refused"),
    ];
    vec![
        how.to_owned(),
        outcome.resource_type.clone(),
        outcome.resource_id.clone(),
        outcome.to_version.to_string(),
        String::new(),
        parts.into_iter().flatten().collect::<Vec<_>>().join("; "),
    ]
}

fn acted(act: &OperatorRecord) -> Vec<String> {
    let what = match act.act() {
        OperatorAct::Unspecified => "unknown",
        OperatorAct::Retry => "retry",
        OperatorAct::Release => "release",
        OperatorAct::Discard => "discard",
        OperatorAct::Pause => "pause",
        OperatorAct::Resume => "resume",
        OperatorAct::Repair => "repair",
        OperatorAct::Relink => "relink",
        OperatorAct::Credential => "credential",
    };
    let credential = act.origin.as_ref().and_then(|origin| origin.credential.clone());
    let by = credential.or_else(|| act.by.clone());
    vec![
        what.to_owned(),
        act.resource_type.clone().unwrap_or_default(),
        act.resource_id.clone().unwrap_or_default(),
        String::new(),
        by.unwrap_or_default(),
        act.reason.clone().unwrap_or_default(),
    ]
}
