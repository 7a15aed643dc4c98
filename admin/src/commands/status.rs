//! `status`: the whole on one screen.

use jiff::Timestamp;
use proto::identity::v1::{DriftSummary, Pause, SummarizeDeliveriesRequest, SummarizeDeliveriesResponse};

use super::drift::left;
use crate::{
    arguments::StatusArgs,
    error::Error,
    output::Output,
    service::Service,
    table::{age, pairs},
};

/// Tells how much is pending, refused, held and planned, and whether deliveries are paused or only planned.
pub(crate) async fn status(service: &Service, output: &Output, arguments: &StatusArgs) -> Result<(), Error> {
    let request = SummarizeDeliveriesRequest {
        tenant: service.tenant.clone(),
    };
    let summary = service.answer(service.deliveries().summarize_deliveries(request).await)?;
    if output.json {
        output.message(&summary)?;
    } else {
        output.text(&shown(&service.tenant, &summary, Timestamp::now()))?;
    }
    let is_alarmed = summary.drift.as_ref().is_some_and(is_alarming);
    let stands_still = summary.pause.is_some() || summary.dry_run;
    let needs_somebody = summary.refused > 0 || summary.held > 0 || stands_still || is_alarmed;
    if arguments.check && needs_somebody {
        return Err(Error::Attention);
    }
    Ok(())
}

fn shown(tenant: &str, summary: &SummarizeDeliveriesResponse, now: Timestamp) -> String {
    let see = |count: i64, command: &str| match count {
        0 => "0".to_owned(),
        count => format!("{count}  (see `admin {command}`)"),
    };
    let pending = match &summary.oldest_pending_at {
        Some(oldest) => format!("{}  (the oldest for {})", summary.pending, age(Some(oldest), now)),
        None => summary.pending.to_string(),
    };
    let deliveries = match &summary.pause {
        Some(pause) => paused(pause, now),
        None if summary.dry_run => "dry run: nothing is written to the Platform (DRY_RUN)".to_owned(),
        None => "running".to_owned(),
    };
    // While none may be there, nobody is told of it.
    let planned = if summary.dry_run || summary.planned > 0 {
        see(summary.planned, "planned")
    } else {
        String::new()
    };
    pairs(&[
        ("tenant", tenant.to_owned()),
        ("users", summary.users.to_string()),
        ("groups", summary.groups.to_string()),
        ("pending", pending),
        ("refused", see(summary.refused, "refused")),
        ("held", see(summary.held, "held")),
        ("planned", planned),
        ("deliveries", deliveries),
        ("drift", drift(summary.drift.as_ref(), now)),
    ])
}

/// Whether a list is not believed, by the last comparison or by one before that none took back.
fn is_alarming(last: &DriftSummary) -> bool {
    !last.alarms.is_empty() || last.removals_held_since.is_some()
}

/// `2 differences 3h ago  (see `admin drift plan`)`.
fn drift(last: Option<&DriftSummary>, now: Timestamp) -> String {
    let Some(last) = last else {
        return "not compared yet".to_owned();
    };
    let ago = format!("{} ago", age(last.finished_at.as_ref(), now));
    let see = "(see `admin drift plan`)";
    let open = left(last);
    match (&last.failure, is_alarming(last), open) {
        (_, true, _) => format!("ALARM {ago}  {see}"),
        (Some(_), ..) => format!("comparison failed {ago}  {see}"),
        (None, false, ..=0) => format!("none {ago}"),
        (None, false, open) => format!("{open} differences {ago}  {see}"),
    }
}

/// `paused for 3m 12s, by Hana: the Platform is being moved`.
pub(super) fn paused(pause: &Pause, now: Timestamp) -> String {
    let by = match pause.paused_by.as_str() {
        "" => String::new(),
        by => format!(", by {by}"),
    };
    let reason = match pause.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    format!("paused for {}{by}{reason}", age(pause.paused_at.as_ref(), now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_stands_on_one_screen() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let at = |text: &str| Some(proto::time::to_proto(text.parse().unwrap()));
        let summary = SummarizeDeliveriesResponse {
            pending: 3,
            refused: 1,
            users: 120,
            groups: 14,
            held: 0,
            oldest_pending_at: at("2026-11-23T09:56:48Z"),
            pause: Some(Pause {
                paused_at: at("2026-11-23T08:00:00Z"),
                paused_by: "Hana".to_owned(),
                reason: "the Platform is being moved".to_owned(),
            }),
            drift: Some(DriftSummary {
                finished_at: at("2026-11-23T09:00:00Z"),
                changed: 3,
                repaired: 1,
                ..DriftSummary::default()
            }),
            ..SummarizeDeliveriesResponse::default()
        };
        let expected = "\
tenant      default
users       120
groups      14
pending     3  (the oldest for 3m 12s)
refused     1  (see `admin refused`)
held        0
deliveries  paused for 2h, by Hana: the Platform is being moved
drift       2 differences 1h ago  (see `admin drift plan`)
";
        assert_eq!(shown("default", &summary, now), expected);
        let mut last = summary.drift.clone().unwrap_or_default();
        last.changed = 0;
        assert_eq!(drift(Some(&last), now), "none 1h ago");
        last.failure = Some("the list broke off".to_owned());
        assert_eq!(
            drift(Some(&last), now),
            "comparison failed 1h ago  (see `admin drift plan`)"
        );
        last.removals_held_since = Some(prost_types::Timestamp::default());
        assert_eq!(drift(Some(&last), now), "ALARM 1h ago  (see `admin drift plan`)");
        last.removals_held_since = None;
        last.alarms.push(proto::identity::v1::DriftAlarm::default());
        assert_eq!(drift(Some(&last), now), "ALARM 1h ago  (see `admin drift plan`)");
        assert_eq!(drift(None, now), "not compared yet");
        let dry = SummarizeDeliveriesResponse {
            pause: None,
            planned: 2,
            dry_run: true,
            drift: None,
            ..summary
        };
        let dry = shown("default", &dry, now);
        assert!(
            dry.ends_with(
                "\
planned     2  (see `admin planned`)
deliveries  dry run: nothing is written to the Platform (DRY_RUN)
drift       not compared yet
"
            ),
            "{dry}"
        );
    }
}
