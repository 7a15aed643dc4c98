//! `pending`, `refused`, `held`, `planned` and `show`: what has not reached the Platform, and why.

use std::num::NonZeroU64;

use jiff::Timestamp;
use proto::identity::v1::{Brake, Delivery, DeliveryState};

use crate::{
    arguments::ListArgs,
    error::Error,
    names,
    output::Output,
    service::Service,
    table::{age, pairs, until},
};

/// A list of one state, as people read it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    state: DeliveryState,
    heads: &'static [&'static str],
    cells: fn(&Delivery, Timestamp) -> Vec<String>,
    none: &'static str,
}

/// What is still to be delivered.
pub(crate) const PENDING: List = List {
    state: DeliveryState::Pending,
    heads: &["TYPE", "ID", "NAME", "SINCE", "TRIES", "NEXT TRY", "NOTE"],
    cells: tried,
    none: "nothing is pending\n",
};

/// What was refused.
pub(crate) const REFUSED: List = List {
    state: DeliveryState::Refused,
    heads: &["TYPE", "ID", "NAME", "SINCE", "TRIES", "NEXT TRY", "WHY"],
    cells: tried,
    none: "nothing is refused\n",
};

/// What a brake holds.
pub(crate) const HELD: List = List {
    state: DeliveryState::Held,
    heads: &["TYPE", "ID", "NAME", "SINCE", "BRAKE", "WHAT IS HELD"],
    cells: |delivery, now| {
        vec![
            age(delivery.pending_since.as_ref(), now),
            brake(delivery).to_owned(),
            held(delivery),
        ]
    },
    none: "nothing is held\n",
};

/// What would be written.
pub(crate) const PLANNED: List = List {
    state: DeliveryState::Planned,
    heads: &["TYPE", "ID", "NAME", "SINCE", "WHAT WOULD BE DONE"],
    cells: |delivery, now| vec![age(delivery.pending_since.as_ref(), now), planned(delivery)],
    none: "nothing is planned\n",
};

/// Lists what is in one state, a page at a time.
pub(crate) async fn list(service: &Service, output: &Output, list: List, arguments: &ListArgs) -> Result<(), Error> {
    let mut left = arguments.limit.map_or(u64::MAX, NonZeroU64::get);
    let mut table = output.table(list.heads);
    let (mut token, mut is_empty) = (None, true);
    loop {
        let page = service.page(list.state, left, token).await?;
        is_empty &= page.deliveries.is_empty();
        left = left.saturating_sub(page.deliveries.len() as u64);
        if output.json {
            page.deliveries
                .iter()
                .try_for_each(|delivery| output.message(delivery))?;
        } else {
            let names = names::of(service, &page.deliveries).await?;
            let now = Timestamp::now();
            let rows = page.deliveries.iter().zip(names).map(|(delivery, name)| {
                let mut row = vec![delivery.resource_type.clone(), delivery.resource_id.clone(), name];
                row.extend((list.cells)(delivery, now));
                row
            });
            output.text(&table.rows(&rows.collect::<Vec<_>>()))?;
        }
        token = page.next_page_token;
        if token.is_none() || left == 0 {
            break;
        }
    }
    if token.is_some() {
        output.aside("there are more");
    }
    if is_empty && !output.json {
        output.text(list.none)?;
    }
    Ok(())
}

fn tried(delivery: &Delivery, now: Timestamp) -> Vec<String> {
    vec![
        age(delivery.pending_since.as_ref(), now),
        delivery.attempts.to_string(),
        until(delivery.next_attempt_at.as_ref(), now),
        note(delivery),
    ]
}

/// What is special about it, and why the last try failed.
fn note(delivery: &Delivery) -> String {
    let marks = [(delivery.deleted, "removal"), (delivery.urgent, "urgent")];
    let marks = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| (*mark).to_owned());
    let members = (delivery.pending_members > 0).then(|| members(delivery.pending_members));
    let parts = marks.chain(members).chain(Some(why(delivery)));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// `PLATFORM_REFUSED: the Platform's words`.
fn why(delivery: &Delivery) -> String {
    match (&delivery.last_error_reason, &delivery.last_error) {
        (Some(reason), Some(words)) => format!("{reason}: {words}"),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (None, None) => String::new(),
    }
}

fn members(count: i64) -> String {
    match count {
        1 => "1 member".to_owned(),
        count => format!("{count} members"),
    }
}

fn brake(delivery: &Delivery) -> &'static str {
    match delivery.brake() {
        Brake::Unspecified => "",
        Brake::Removals => "removals",
        Brake::Deactivations => "deactivations",
        Brake::Alarm => "alarm",
    }
}

/// What would be done if it were released.
pub(super) fn held(delivery: &Delivery) -> String {
    match (delivery.deleted, delivery.brake()) {
        (true, _) if delivery.resource_type == "User" => {
            "removal of the account, which is disabled meanwhile".to_owned()
        }
        (true, _) => "removal of the group".to_owned(),
        (false, Brake::Deactivations) => "deactivation of the account, which is as it was".to_owned(),
        (false, _) => format!("change of {}", members(delivery.pending_members)),
    }
}

/// What would be written, and how much is still to be found out.
fn planned(delivery: &Delivery) -> String {
    let mut parts = delivery.plan.clone();
    if delivery.pending_members > 0 {
        parts.push(format!("{} unconfirmed in all", members(delivery.pending_members)));
    }
    parts.join("; ")
}

/// The state in a word.
pub(super) fn state(delivery: &Delivery) -> &'static str {
    match delivery.state() {
        DeliveryState::Unspecified => "unknown",
        DeliveryState::Pending => "pending",
        DeliveryState::Applied => "applied",
        DeliveryState::Refused => "refused",
        DeliveryState::Held => "held",
        DeliveryState::Planned => "planned",
    }
}

/// Tells all about the delivery of one resource.
pub(crate) async fn show(service: &Service, output: &Output, resource: &str) -> Result<(), Error> {
    for delivery in names::find(service, &[resource.to_owned()]).await? {
        if output.json {
            output.message(&delivery)?;
        } else {
            let name = names::name(service, &delivery).await?;
            output.text(&shown(&delivery, name, Timestamp::now()))?;
        }
    }
    Ok(())
}

fn shown(delivery: &Delivery, name: String, now: Timestamp) -> String {
    let if_so = |is: bool, text: &str| if is { text.to_owned() } else { String::new() };
    let is_held = delivery.state() == DeliveryState::Held;
    let applied = match delivery.applied_version {
        0 => "never applied".to_owned(),
        version => format!("applied: {version}"),
    };
    pairs(&[
        ("type", delivery.resource_type.clone()),
        ("id", delivery.resource_id.clone()),
        ("name", name),
        ("state", state(delivery).to_owned()),
        ("why", why(delivery)),
        ("brake", brake(delivery).to_owned()),
        ("plan", delivery.plan.join("; ")),
        ("held", if is_held { held(delivery) } else { String::new() }),
        ("version", format!("{}  ({applied})", delivery.version)),
        (
            "deleted",
            if_so(delivery.deleted, "yes; its removal is what is to be delivered"),
        ),
        ("urgent", if_so(delivery.urgent, "yes; it takes access away")),
        ("platform id", delivery.platform_id.clone().unwrap_or_default()),
        ("since", age(delivery.pending_since.as_ref(), now)),
        ("tries", if_so(delivery.attempts > 0, &delivery.attempts.to_string())),
        ("next try", until(delivery.next_attempt_at.as_ref(), now)),
        (
            "unconfirmed",
            if_so(delivery.pending_members > 0, &members(delivery.pending_members)),
        ),
    ])
}
