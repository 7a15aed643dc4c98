//! `drift plan` and `drift apply`: what another hand changed on the Platform, and setting it right. Both compare now, and show
//! each difference as it is found; whoever leaves ends the comparison, and what was repaired before stays so.

use std::{collections::HashMap, num::NonZeroU64};

use proto::identity::v1::{
    ApplyDriftRequest, DriftDifference, DriftKind, DriftSummary, PlanDriftRequest, apply_drift_response,
    plan_drift_response,
};

use crate::{
    arguments::{DriftApplyArgs, DriftPlanArgs},
    confirm,
    error::Error,
    names,
    output::Output,
    service::Service,
    table::{Table, clean, pairs},
};

/// How many differences a question names one by one.
const NAMED: u64 = 20;
/// How many names are remembered: a member may be in many groups.
const REMEMBERED: usize = 10_000;

/// Shows what differs, and changes nothing.
pub(crate) async fn plan(service: &Service, output: &Output, arguments: &DriftPlanArgs) -> Result<(), Error> {
    let mut view = View::new(service, output, arguments.limit, false);
    let summary = planned(service, output.json.then_some(output), &mut view).await?;
    view.end(&summary)?;
    if arguments.check && (found(&summary) > 0 || !summary.alarms.is_empty()) {
        return Err(Error::Attention);
    }
    Ok(())
}

/// Repairs what differs.
pub(crate) async fn apply(service: &Service, output: &Output, arguments: &DriftApplyArgs) -> Result<(), Error> {
    confirm::askable(arguments.yes)?;
    if !arguments.yes {
        let mut question = Question::new(service);
        let summary = planned(service, None, &mut question).await?;
        let Some(what) = question.text(&summary, arguments.despite_alarm) else {
            output.aside("nothing that could be repaired differs");
            return unrepaired(&summary, arguments.despite_alarm);
        };
        confirm::ask(&what)?;
    }
    let request = ApplyDriftRequest {
        tenant: service.tenant.clone(),
        despite_alarm: arguments.despite_alarm,
    };
    let mut view = View::new(service, output, None, true);
    let mut parts = service.answer(service.drift().apply_drift(service.act(request)).await)?;
    while let Some(part) = parts.message().await.map_err(|status| service.failed(status))? {
        if output.json {
            output.message(&part)?;
        }
        match part.part {
            Some(apply_drift_response::Part::Difference(difference)) => view.see(difference).await?,
            Some(apply_drift_response::Part::Summary(summary)) => {
                view.end(&summary)?;
                return unrepaired(&summary, arguments.despite_alarm);
            }
            None => {}
        }
    }
    Err(service.ended())
}

/// What is left to a person after a repair.
fn unrepaired(summary: &DriftSummary, despite_alarm: bool) -> Result<(), Error> {
    if summary.alarms.is_empty() || despite_alarm {
        return Ok(());
    }
    Err(Error::Alarm)
}

/// Whoever sees differences as they are found.
trait See {
    async fn see(&mut self, difference: DriftDifference) -> Result<(), Error>;
}

/// Compares without a change; gives what came of it. What comes is printed as it is, where an output is given.
async fn planned(service: &Service, json: Option<&Output>, seer: &mut impl See) -> Result<DriftSummary, Error> {
    let request = PlanDriftRequest {
        tenant: service.tenant.clone(),
    };
    let mut parts = service.answer(service.drift().plan_drift(request).await)?;
    while let Some(part) = parts.message().await.map_err(|status| service.failed(status))? {
        if let Some(output) = json {
            output.message(&part)?;
        }
        match part.part {
            Some(plan_drift_response::Part::Difference(difference)) => seer.see(difference).await?,
            Some(plan_drift_response::Part::Summary(summary)) => return Ok(summary),
            None => {}
        }
    }
    Err(service.ended())
}

/// The names of resources, each asked for once.
struct Names<'a> {
    service: &'a Service,
    known: HashMap<String, String>,
}

impl Names<'_> {
    /// What it is called; empty for what is gone.
    async fn of(&mut self, resource_type: &str, id: &str) -> Result<String, Error> {
        if let Some(name) = self.known.get(id) {
            return Ok(name.clone());
        }
        let name = names::of_resource(self.service, resource_type, id).await?;
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(id.to_owned(), name.clone());
        Ok(name)
    }

    /// The name, or the id of what has none any more.
    async fn called(&mut self, resource_type: &str, id: &str) -> Result<String, Error> {
        let name = self.of(resource_type, id).await?;
        Ok(if name.is_empty() { id.to_owned() } else { name })
    }

    async fn detail(&mut self, difference: &DriftDifference) -> Result<String, Error> {
        let member = match &difference.member_id {
            Some(member) => self.called("User", member).await?,
            None => String::new(),
        };
        Ok(match difference.kind() {
            DriftKind::Unspecified => String::new(),
            DriftKind::Changed => difference.attributes.join(", "),
            DriftKind::Gone => "not listed on the Platform".to_owned(),
            DriftKind::MemberMissing | DriftKind::MemberExtra => member,
            DriftKind::ForeignMembers => {
                let ids = difference.foreign_platform_ids.join(", ");
                let count = difference.foreign_count;
                if ids.is_empty() {
                    format!("{count} not ours")
                } else {
                    format!("{count} not ours: {ids}")
                }
            }
        })
    }
}

/// What differs, in a word or two.
fn kind(difference: &DriftDifference) -> &'static str {
    match difference.kind() {
        DriftKind::Unspecified => "unknown",
        DriftKind::Changed => "changed",
        DriftKind::Gone => "gone",
        DriftKind::MemberMissing => "member missing",
        DriftKind::MemberExtra => "member extra",
        DriftKind::ForeignMembers => "foreign members",
    }
}

/// Shows each difference in a table, and what came of it all below. With `--json` everything was printed as it came.
struct View<'a> {
    output: &'a Output,
    names: Names<'a>,
    table: Table,
    left: u64,
    more: bool,
    repairs: bool,
}

impl<'a> View<'a> {
    fn new(service: &'a Service, output: &'a Output, limit: Option<NonZeroU64>, repairs: bool) -> Self {
        let known = HashMap::new();
        Self {
            output,
            names: Names { service, known },
            table: if repairs {
                output.table(&["WHAT", "TYPE", "ID", "NAME", "REPAIRED", "DETAIL"])
            } else {
                output.table(&["WHAT", "TYPE", "ID", "NAME", "DETAIL"])
            },
            left: limit.map_or(u64::MAX, NonZeroU64::get),
            more: false,
            repairs,
        }
    }

    /// Says how it ended.
    fn end(&self, summary: &DriftSummary) -> Result<(), Error> {
        if self.more {
            self.output.aside("there are more");
        }
        if !self.output.json {
            self.output.text(&shown(summary, self.repairs))?;
        }
        match &summary.failure {
            Some(failure) => Err(Error::Incomplete(clean(failure))),
            None => Ok(()),
        }
    }
}

impl See for View<'_> {
    async fn see(&mut self, difference: DriftDifference) -> Result<(), Error> {
        if self.output.json {
            return Ok(());
        }
        if self.left == 0 {
            self.more = true;
            return Ok(());
        }
        self.left -= 1;
        let (resource_type, id) = (difference.resource_type.clone(), difference.resource_id.clone());
        let name = self.names.of(&resource_type, &id).await?;
        let detail = self.names.detail(&difference).await?;
        let mut row = vec![kind(&difference).to_owned(), resource_type, id, name];
        if self.repairs {
            row.push(if difference.repaired { "yes" } else { "no" }.to_owned());
        }
        row.push(detail);
        self.output.text(&self.table.rows(&[row]))
    }
}

/// Collects the first differences, for a question.
struct Question<'a> {
    names: Names<'a>,
    lines: String,
    repairable: u64,
}

impl<'a> Question<'a> {
    fn new(service: &'a Service) -> Self {
        let known = HashMap::new();
        Self {
            names: Names { service, known },
            lines: String::new(),
            repairable: 0,
        }
    }

    /// What will be done; nothing when there is nothing to do.
    fn text(&self, summary: &DriftSummary, despite_alarm: bool) -> Option<String> {
        let foreign = foreign(summary);
        if self.repairable == 0 && foreign == 0 {
            return None;
        }
        let mut text = format!(
            "This compares once more, and sets right on the Platform what differs then; now that is {}:{}",
            counted(i128::from(self.repairable) + i128::from(foreign), "difference"),
            self.lines
        );
        if self.repairable > NAMED {
            text.push_str(&format!("\n  … and {} more", self.repairable - NAMED));
        }
        if foreign > 0 {
            let members = counted(foreign, "foreign member");
            text.push_str(&format!("\n  {members} of groups of ours, taken out"));
        }
        for alarm in alarms(summary) {
            text.push_str(&format!("\nALARM: {alarm}; "));
            text.push_str(if despite_alarm {
                "this is repaired, too"
            } else {
                "of this nothing is repaired"
            });
        }
        Some(text)
    }
}

impl See for Question<'_> {
    async fn see(&mut self, difference: DriftDifference) -> Result<(), Error> {
        if difference.kind() == DriftKind::ForeignMembers {
            return Ok(());
        }
        self.repairable += 1;
        if self.repairable <= NAMED {
            let (resource_type, id) = (&difference.resource_type, &difference.resource_id);
            let name = self.names.called(resource_type, id).await?;
            let detail = self.names.detail(&difference).await?;
            let line = format!("{resource_type} {name}: {}, {detail}", kind(&difference));
            self.lines.push_str(&format!("\n  {}", clean(&line)));
        }
        Ok(())
    }
}

/// How many differences a comparison found that are to be repaired: foreign members are, where they are not to be kept.
pub(super) fn found(summary: &DriftSummary) -> i64 {
    summary.changed + summary.gone + summary.members_missing + summary.members_extra + foreign(summary)
}

/// How many of them are left.
pub(super) fn left(summary: &DriftSummary) -> i64 {
    found(summary) - summary.repaired - summary.foreign_removed
}

/// How many foreign members there are that are not to be kept.
fn foreign(summary: &DriftSummary) -> i64 {
    if summary.removes_foreign_members {
        summary.foreign_members
    } else {
        0
    }
}

/// One line for each list that is not believed.
pub(super) fn alarms(summary: &DriftSummary) -> Vec<String> {
    let told = summary.alarms.iter().map(|alarm| {
        let of = match &alarm.group_id {
            Some(group) => format!("{} members of group {group}", alarm.linked),
            None => format!("{} {}s", alarm.linked, alarm.resource_type.to_lowercase()),
        };
        let extra = match alarm.extra {
            0 => String::new(),
            extra => format!(", and has {extra} who should not be in it"),
        };
        format!("the Platform does not list {} of {of}{extra}", alarm.missing)
    });
    told.collect()
}

fn counted(count: impl Into<i128>, what: &str) -> String {
    match count.into() {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// What came of it, for people.
fn shown(summary: &DriftSummary, repairs: bool) -> String {
    let parts = [
        (summary.changed, "changed"),
        (summary.gone, "gone"),
        (summary.members_missing, "members missing"),
        (summary.members_extra, "members extra"),
        (summary.foreign_members, "foreign members"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let mut differs = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect::<Vec<_>>()
        .join(", ");
    if differs.is_empty() {
        "nothing".clone_into(&mut differs);
    }
    let some = |count: i64, why: &str| match count {
        0 => String::new(),
        count => format!("{count}  ({why})"),
    };
    let mut lines = vec![
        ("differs", differs),
        (
            "repaired",
            match (repairs, summary.foreign_removed) {
                (false, _) => String::new(),
                (true, 0) => summary.repaired.to_string(),
                (true, removed) => format!(
                    "{}, and {} taken out",
                    summary.repaired,
                    counted(removed, "foreign member")
                ),
            },
        ),
        (
            "compared",
            format!(
                "{}, {}, {}",
                counted(summary.users_compared, "user"),
                counted(summary.groups_compared, "group"),
                counted(summary.members_compared, "membership")
            ),
        ),
        (
            "skipped",
            some(summary.skipped, "of them something is, or just was, to be delivered"),
        ),
        (
            "unreadable",
            some(
                summary.unreadable,
                "the Platform does not tell a group's members, or the settings allow no such account",
            ),
        ),
        (
            "not ours",
            format!(
                "{}, {}",
                counted(summary.unmanaged_users, "account"),
                counted(summary.unmanaged_groups, "group")
            ),
        ),
    ];
    for alarm in alarms(summary) {
        lines.push(("ALARM", format!("{alarm}; see whether that is so before you repair it")));
    }
    if summary.removals_held_since.is_some() {
        lines.push((
            "held",
            "no account and no group is removed meanwhile (see `admin held`)".to_owned(),
        ));
    }
    pairs(&lines)
}

#[cfg(test)]
mod tests {
    use proto::identity::v1::DriftAlarm;

    use super::*;

    #[test]
    fn what_came_of_it_is_told_in_a_few_lines() {
        let quiet = DriftSummary {
            users_compared: 1,
            groups_compared: 2,
            unmanaged_users: 3,
            ..DriftSummary::default()
        };
        let expected = "\
differs   nothing
compared  1 user, 2 groups, 0 memberships
not ours  3 accounts, 0 groups
";
        assert_eq!(shown(&quiet, false), expected);
        let alarming = DriftSummary {
            gone: 24,
            members_extra: 1,
            skipped: 2,
            repaired: 1,
            alarms: vec![
                DriftAlarm {
                    resource_type: "User".to_owned(),
                    linked: 30,
                    missing: 24,
                    ..DriftAlarm::default()
                },
                DriftAlarm {
                    resource_type: "Group".to_owned(),
                    group_id: Some("g1".to_owned()),
                    linked: 40,
                    extra: 25,
                    ..DriftAlarm::default()
                },
            ],
            ..quiet
        };
        let expected = "\
differs   24 gone, 1 members extra
repaired  1
compared  1 user, 2 groups, 0 memberships
skipped   2  (of them something is, or just was, to be delivered)
not ours  3 accounts, 0 groups
ALARM     the Platform does not list 24 of 30 users; see whether that is so before you repair it
ALARM     the Platform does not list 0 of 40 members of group g1, and has 25 who should not be in it; see whether that is so before you repair it
";
        assert_eq!(shown(&alarming, true), expected);
    }
}
