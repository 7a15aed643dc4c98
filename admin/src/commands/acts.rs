//! `retry`, `release` and `discard`: what is done to resources by name. Nothing is done before every one of them is known, and,
//! where it cannot be undone, before somebody said yes. Each may be repeated: what is done already is refused by the service.

use proto::{
    error::{Details, ErrorReason},
    identity::v1::{Delivery, DeliveryState, DiscardDeliveryRequest, ReleaseDeliveryRequest, RetryDeliveryRequest},
};
use serde::Serialize;

use super::deliveries::{held, state};
use crate::{
    arguments::{DiscardArgs, ReleaseArgs},
    confirm,
    error::Error,
    json::Json,
    names,
    output::Output,
    service::{Service, said},
    table::{Table, clean},
};

/// How many resources a question names one by one.
const NAMED: usize = 20;

/// Tries again now.
pub(crate) async fn retry(service: &Service, output: &Output, resources: &[String]) -> Result<(), Error> {
    let found = names::find(service, resources).await?;
    each(output, &found, async |before| {
        let request = RetryDeliveryRequest {
            tenant: service.tenant.clone(),
            resource_id: before.resource_id.clone(),
        };
        let answer = service.answer(service.deliveries().retry_delivery(service.act(request)).await)?;
        said(answer.delivery).map(Some)
    })
    .await
}

/// Lets go on what a brake holds.
pub(crate) async fn release(service: &Service, output: &Output, arguments: &ReleaseArgs) -> Result<(), Error> {
    confirm::askable(arguments.yes)?;
    let found = if arguments.all {
        service.all(DeliveryState::Held).await?
    } else {
        names::find(service, &arguments.resources).await?
    };
    if found.is_empty() {
        return Err(Error::NotFound("nothing is held".to_owned()));
    }
    if !arguments.yes {
        let what = "This delivers to the Platform what a brake holds of";
        let lines = question(service, what, &found, |delivery| match delivery.state() {
            DeliveryState::Held => held(delivery),
            _ => format!("{}, not held", state(delivery)),
        });
        confirm::ask(&lines.await?)?;
    }
    each(output, &found, async |before| {
        let request = ReleaseDeliveryRequest {
            tenant: service.tenant.clone(),
            resource_id: before.resource_id.clone(),
        };
        match service.answer(service.deliveries().release_delivery(service.act(request)).await) {
            // Of all that was held it was let go by another hand, or taken back, since it was listed.
            Err(error) if arguments.all && is_not_held(&error) => service.delivery(&before.resource_id).await.map(Some),
            answer => said(answer?.delivery).map(Some),
        }
    })
    .await
}

/// Takes back what is held or refused.
pub(crate) async fn discard(service: &Service, output: &Output, arguments: &DiscardArgs) -> Result<(), Error> {
    confirm::askable(arguments.yes)?;
    let found = names::find(service, &arguments.resources).await?;
    if !arguments.yes {
        let what = "This throws away what is wanted, and not yet on the Platform, of";
        let lines = question(service, what, &found, |delivery| {
            let becomes = match (delivery.applied_version, delivery.deleted) {
                (0, _) => "is gone, as it was never applied".to_owned(),
                (version, true) => format!("comes back as it was in version {version}"),
                (version, false) => format!("is again what it was in version {version}"),
            };
            format!("{}; {becomes}", state(delivery))
        });
        confirm::ask(&lines.await?)?;
    }
    each(output, &found, async |before| {
        let request = DiscardDeliveryRequest {
            tenant: service.tenant.clone(),
            resource_id: before.resource_id.clone(),
        };
        let answer = service.answer(service.deliveries().discard_delivery(service.act(request)).await)?;
        Ok(answer.delivery)
    })
    .await
}

/// What will happen, and to how many and which resources.
async fn question(
    service: &Service,
    what: &str,
    found: &[Delivery],
    becomes: impl Fn(&Delivery) -> String,
) -> Result<String, Error> {
    let named = &found[..found.len().min(NAMED)];
    let names = names::of(service, named).await?;
    let count = match found.len() {
        1 => "1 resource".to_owned(),
        count => format!("{count} resources"),
    };
    let mut lines = format!("{what} {count}:");
    for (delivery, name) in named.iter().zip(names) {
        let called = if name.is_empty() { &delivery.resource_id } else { &name };
        let line = format!("{} {called}: {}", delivery.resource_type, becomes(delivery));
        lines.push_str(&format!("\n  {}", clean(&line)));
    }
    if found.len() > named.len() {
        lines.push_str(&format!("\n  … and {} more", found.len() - named.len()));
    }
    Ok(lines)
}

/// What became of one resource, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Act<'a> {
    resource_id: &'a str,
    /// As it is after that; left out when the resource is gone, and when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Does something to each, one after the other, and says at once what became of it. One that fails holds up no other;
/// of one alone, for people, the error says it all.
async fn each(
    output: &Output,
    found: &[Delivery],
    act: impl AsyncFn(&Delivery) -> Result<Option<Delivery>, Error>,
) -> Result<(), Error> {
    let mut table = output.table(&["TYPE", "ID", "STATE"]);
    let mut failed = Vec::new();
    for before in found {
        match act(before).await {
            Ok(after) => tell(output, &mut table, before, after.as_ref(), None)?,
            Err(error) if error.is_final() || (found.len() == 1 && !output.json) => return Err(error),
            Err(error) => {
                tell(output, &mut table, before, None, Some(&error))?;
                failed.push(error);
            }
        }
    }
    let (failed, of) = (failed.len(), found.len());
    if failed == 0 {
        Ok(())
    } else {
        Err(Error::Some { failed, of })
    }
}

fn tell(
    output: &Output,
    table: &mut Table,
    before: &Delivery,
    after: Option<&Delivery>,
    error: Option<&Error>,
) -> Result<(), Error> {
    if output.json {
        return output.document(&Act {
            resource_id: &before.resource_id,
            delivery: after.map(Json::of).transpose()?,
            error: error.map(ToString::to_string),
        });
    }
    let became = match (after, error) {
        (_, Some(error)) => format!("failed: {error}"),
        (Some(after), None) => state(after).to_owned(),
        (None, None) => "gone".to_owned(),
    };
    let row = vec![before.resource_type.clone(), before.resource_id.clone(), became];
    output.text(&table.rows(&[row]))
}

fn is_not_held(error: &Error) -> bool {
    match error {
        Error::Refused(status) => Details::of(status).is_some_and(|details| details.reason == ErrorReason::NotHeld),
        _ => false,
    }
}
