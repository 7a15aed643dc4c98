//! `watch`: changes as they happen. Whoever reads goes on after the last change it saw, by its token: a change may be shown
//! twice, and is never left out.

use std::num::NonZeroU64;

use proto::identity::v1::{Change, ChangeKind, WatchChangesRequest, WatchChangesResponse};
use service_runtime::Signals;

use crate::{arguments::WatchArgs, error::Error, output::Output, service::Service, table::Table};

/// Shows changes until a signal comes, so many were shown, or the service ends it.
pub(crate) async fn watch(service: &Service, output: &Output, arguments: &WatchArgs) -> Result<(), Error> {
    let mut watch = Watch {
        output,
        table: output.table(&["WHEN", "WHAT", "TYPE", "ID", "VERSION", "ATTRIBUTES"]),
        left: arguments.limit.map_or(u64::MAX, NonZeroU64::get),
        token: None,
    };
    let outcome = watch.run(service, arguments).await;
    // However it ended: whoever saw all this need not see it again.
    if let Some(token) = &watch.token {
        output.aside(&format!("go on with: admin watch --from {token}"));
    }
    outcome
}

struct Watch<'a> {
    output: &'a Output,
    table: Table,
    left: u64,
    /// Of the last change that was shown.
    token: Option<String>,
}

impl Watch<'_> {
    async fn run(&mut self, service: &Service, arguments: &WatchArgs) -> Result<(), Error> {
        let mut signals = Signals::new().map_err(Error::Runtime)?;
        let request = WatchChangesRequest {
            tenant: service.tenant.clone(),
            resume_token: arguments.from.clone().or(arguments.oldest.then(String::new)),
        };
        let mut client = service.changes();
        let mut changes = tokio::select! {
            signal = signals.next() => return signal.map(drop).map_err(Error::Runtime),
            answer = client.watch_changes(request) => service.answer(answer)?,
        };
        while self.left > 0 {
            let next = tokio::select! {
                signal = signals.next() => return signal.map(drop).map_err(Error::Runtime),
                next = changes.message() => next.map_err(|status| service.failed(status))?,
            };
            self.show(next.ok_or_else(|| service.ended())?)?;
        }
        Ok(())
    }

    fn show(&mut self, response: WatchChangesResponse) -> Result<(), Error> {
        if self.output.json {
            self.output.message(&response)?;
        }
        if let Some(change) = &response.change {
            self.left -= 1;
            if !self.output.json {
                self.output.text(&self.table.rows(&[row(change)]))?;
            }
        } else {
            let token = &response.resume_token;
            self.output.aside(&format!("watching from {token}"));
        }
        self.token = Some(response.resume_token);
        Ok(())
    }
}

fn row(change: &Change) -> Vec<String> {
    vec![
        moment(change.changed_at.as_ref()),
        happened(change.kind()).to_owned(),
        change.resource_type.clone(),
        change.resource_id.clone(),
        change.version.to_string(),
        change.attributes.join(", "),
    ]
}

/// A time in UTC, to the second.
pub(super) fn moment(at: Option<&prost_types::Timestamp>) -> String {
    let at = at.and_then(proto::time::from_proto);
    at.map_or_else(String::new, |at| format!("{at:.0}"))
}

/// What happened, in a word.
pub(super) fn happened(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Unspecified => "unknown",
        ChangeKind::Created => "created",
        ChangeKind::Updated => "updated",
        ChangeKind::Deleted => "deleted",
    }
}
