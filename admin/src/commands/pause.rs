//! `pause` and `resume`: the whole tenant stands still, and goes on.

use jiff::Timestamp;
use proto::identity::v1::{PauseDeliveriesRequest, ResumeDeliveriesRequest};

use super::status::paused;
use crate::{
    arguments::PauseArgs,
    confirm,
    error::Error,
    output::Output,
    service::{Service, said},
    table::clean,
};

/// Has nothing delivered until it is resumed.
pub(crate) async fn pause(service: &Service, output: &Output, arguments: &PauseArgs) -> Result<(), Error> {
    confirm::askable(arguments.yes)?;
    if !arguments.yes {
        confirm::ask(&format!(
            "Nothing of tenant {} is delivered to the Platform until it is resumed, leavers included; changes are taken and kept.",
            service.tenant
        ))?;
    }
    let request = PauseDeliveriesRequest {
        tenant: service.tenant.clone(),
        paused_by: service.by.clone(),
        reason: arguments.reason.clone(),
    };
    let answer = service.answer(service.deliveries().pause_deliveries(service.act(request)).await)?;
    if output.json {
        return output.message(&answer);
    }
    let pause = said(answer.pause)?;
    output.text(&format!("{}\n", clean(&paused(&pause, Timestamp::now()))))
}

/// Ends a pause, if there is one.
pub(crate) async fn resume(service: &Service, output: &Output) -> Result<(), Error> {
    let request = ResumeDeliveriesRequest {
        tenant: service.tenant.clone(),
    };
    let answer = service.answer(service.deliveries().resume_deliveries(service.act(request)).await)?;
    if output.json {
        return output.message(&answer);
    }
    let was = answer.ended.map_or_else(
        || "was not paused".to_owned(),
        |pause| format!("resumed; was {}", paused(&pause, Timestamp::now())),
    );
    output.text(&format!("{}\n", clean(&was)))
}
