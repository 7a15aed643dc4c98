//! `relink plan`, `relink apply` and `adopt plan`: Platform objects that have the names which ours would have, what is done about
//! them by a person's word, and what each policy of adoption would do about them.

use proto::identity::v1::{
    AdoptionOutlook, ApplyRelinkRequest, PlanRelinkRequest, RelinkEntry, RelinkSummary, RelinkVerdict,
    apply_relink_response, plan_relink_response,
};

use crate::{
    arguments::RelinkApplyArgs,
    confirm,
    error::Error,
    output::Output,
    service::{Service, said},
    table::{Table, pairs},
};

/// What a plan, or the doing of one, says piece by piece.
enum Part {
    Entry(RelinkEntry),
    Summary(RelinkSummary),
}

/// Shows what would be linked.
pub(crate) async fn plan(service: &Service, output: &Output) -> Result<(), Error> {
    let mut shown = Shown::new(
        output,
        &["TYPE", "ID", "PLATFORM ID", "PLATFORM NAME", "WHAT IS DONE"],
        |entry| vec![verdict(entry.verdict()).to_owned()],
    );
    let summary = planned(service, &mut shown, false).await?;
    if output.json {
        return Ok(());
    }
    output.text(&counts(&summary, "to be linked"))?;
    match summary.digest.as_str() {
        "" => output.text("nothing is to be linked\n"),
        digest => output.text(&format!("link them with: admin relink apply {digest}\n")),
    }
}

/// Shows what each policy of adoption would take over.
pub(crate) async fn adoption(service: &Service, output: &Output) -> Result<(), Error> {
    let heads = ["TYPE", "ID", "PLATFORM ID", "PLATFORM NAME", "MATCHING", "LISTED"];
    let mut shown = Shown::new(output, &heads, |entry| match &entry.adoption {
        Some(outlook) => vec![matching(outlook), listed(outlook)],
        None => vec![format!("no: {}", verdict(entry.verdict())), String::new()],
    });
    planned(service, &mut shown, true).await?;
    if !output.json && !shown.any {
        output.text("no user or group meets an object that is not known to be ours\n")?;
    }
    Ok(())
}

/// Links what a plan showed.
pub(crate) async fn apply(service: &Service, output: &Output, arguments: &RelinkApplyArgs) -> Result<(), Error> {
    confirm::askable(arguments.yes)?;
    if !arguments.yes {
        confirm::ask(&format!(
            "This makes each account and group that the plan showed the user's or group's whose name it has, in tenant {}. What \
             differs is then written to it.",
            service.tenant
        ))?;
    }
    let mut shown = Shown::new(
        output,
        &["TYPE", "ID", "PLATFORM ID", "PLATFORM NAME", "WHAT WAS DONE"],
        |entry| {
            let done = match entry.verdict() {
                RelinkVerdict::Link => "linked",
                other => verdict(other),
            };
            vec![done.to_owned()]
        },
    );
    let request = ApplyRelinkRequest {
        tenant: service.tenant.clone(),
        digest: arguments.digest.clone(),
    };
    let mut parts = service.answer(service.relink().apply_relink(service.act(request)).await)?;
    let mut summary = None;
    while let Some(part) = parts.message().await.map_err(|status| service.failed(status))? {
        let part = match said(part.part)? {
            apply_relink_response::Part::Entry(entry) => Part::Entry(entry),
            apply_relink_response::Part::Summary(last) => Part::Summary(last),
        };
        summary = shown.take(part)?.or(summary);
    }
    let summary = said(summary)?;
    if !output.json {
        output.text(&counts(&summary, "linked"))?;
    }
    match usize::try_from(summary.changed) {
        Ok(failed) if failed > 0 => Err(Error::Some {
            failed,
            of: failed + usize::try_from(summary.linked).unwrap_or_default(),
        }),
        _ => Ok(()),
    }
}

/// Reads a plan and shows its entries; gives its summary.
async fn planned(service: &Service, shown: &mut Shown<'_>, with_adoption: bool) -> Result<RelinkSummary, Error> {
    let request = PlanRelinkRequest {
        tenant: service.tenant.clone(),
        with_adoption,
    };
    let mut parts = service.answer(service.relink().plan_relink(request).await)?;
    let mut summary = None;
    while let Some(part) = parts.message().await.map_err(|status| service.failed(status))? {
        let part = match said(part.part)? {
            plan_relink_response::Part::Entry(entry) => Part::Entry(entry),
            plan_relink_response::Part::Summary(last) => Part::Summary(last),
        };
        summary = shown.take(part)?.or(summary);
    }
    said(summary)
}

/// The entries as they come.
struct Shown<'o> {
    output: &'o Output,
    table: Table,
    /// What the last columns say.
    cells: fn(&RelinkEntry) -> Vec<String>,
    any: bool,
}

impl<'o> Shown<'o> {
    fn new(output: &'o Output, heads: &[&'static str], cells: fn(&RelinkEntry) -> Vec<String>) -> Self {
        Self {
            output,
            table: output.table(heads),
            cells,
            any: false,
        }
    }

    /// Shows an entry; gives the summary when that is what has come.
    fn take(&mut self, part: Part) -> Result<Option<RelinkSummary>, Error> {
        match part {
            Part::Entry(entry) => {
                self.any = true;
                if self.output.json {
                    self.output.message(&entry)?;
                    return Ok(None);
                }
                let mut row = vec![
                    entry.resource_type.clone(),
                    entry.resource_id.clone(),
                    entry.platform_id.clone(),
                    entry.platform_name.clone(),
                ];
                row.extend((self.cells)(&entry));
                self.output.text(&self.table.rows(&[row]))?;
                Ok(None)
            }
            Part::Summary(summary) => {
                if self.output.json {
                    self.output.message(&summary)?;
                }
                Ok(Some(summary))
            }
        }
    }
}

fn verdict(verdict: RelinkVerdict) -> &'static str {
    match verdict {
        RelinkVerdict::Unspecified => "unknown",
        RelinkVerdict::Link => "to be linked",
        RelinkVerdict::Ambiguous => "nothing: the name is not one object's, or not one of ours",
        RelinkVerdict::Protected => "nothing: it is protected",
        RelinkVerdict::Owned => "nothing: it is another's of ours",
        RelinkVerdict::Changed => "nothing: it changed meanwhile; plan anew",
    }
}

fn matching(outlook: &AdoptionOutlook) -> String {
    outlook
        .matching_why_not
        .as_ref()
        .map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"))
}

fn listed(outlook: &AdoptionOutlook) -> String {
    match (&outlook.listed_why_not, outlook.is_on_list) {
        (Some(why), _) => format!("no: {why}"),
        (None, true) => "yes".to_owned(),
        (None, false) => "yes, once its name is in ADOPT_LIST".to_owned(),
    }
}

fn counts(summary: &RelinkSummary, linked: &str) -> String {
    let some = |count: i64| match count {
        0 => String::new(),
        count => count.to_string(),
    };
    pairs(&[
        (linked, summary.linked.to_string()),
        ("changed meanwhile", some(summary.changed)),
        ("ambiguous", some(summary.ambiguous)),
        ("protected", some(summary.protected)),
        ("owned by others of ours", some(summary.owned)),
        ("without an object", summary.unmatched.to_string()),
        ("strangers", summary.strangers.to_string()),
    ])
}
