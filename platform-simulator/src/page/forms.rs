//! What the page's forms send. Each does what a call below `/_sim` does, and leads back to the page; requests from other
//! sites are refused before they come here.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Form, Router};
use serde::Deserialize;

use crate::by_hand;
use crate::control::{Refused, Shared, invalid, settle};
use crate::faults::{Fault, FaultRule};
use crate::platform::Platform;
use crate::profile::Profile;

pub(crate) fn router() -> Router<Arc<Platform>> {
    Router::new()
        .route("/profile", post(switch_profile))
        .route("/faults", post(add_fault))
        .route("/faults/{at}/remove", post(remove_fault))
        .route("/users/{id}/login", post(log_in))
}

/// The kinds of faults, as rules spell them.
pub(super) fn kinds() -> Vec<String> {
    Fault::ALL
        .iter()
        .map(|fault| FaultRule::new("*", *fault).name())
        .collect()
}

fn back() -> Response {
    Redirect::to("/_sim").into_response()
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn switch_profile(State(platform): Shared, Form(named): Form<Named>) -> Result<Response, Refused> {
    let profile = Profile::named(&named.name).ok_or_else(|| invalid(format!("no profile is called {}", named.name)))?;
    let commit = platform.set_profile(profile);
    settle(commit, back()).await
}

/// Empty fields are left out by no browser.
#[derive(Deserialize)]
struct NewFault {
    method: String,
    fault: String,
    #[serde(default)]
    times: String,
    #[serde(default)]
    probability: String,
}

async fn add_fault(State(platform): Shared, Form(new): Form<NewFault>) -> Result<Response, Refused> {
    let fault = Fault::ALL
        .iter()
        .find(|fault| FaultRule::new("*", **fault).name() == new.fault)
        .ok_or_else(|| invalid(format!("no fault is called {}", new.fault)))?;
    let times = match new.times.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| invalid("times is not a number"))?),
    };
    let probability: f64 = match new.probability.trim() {
        "" => 100.0,
        text => text.parse().map_err(|_| invalid("probability is not a number"))?,
    };
    let rule = FaultRule {
        times,
        probability: probability / 100.0,
        ..FaultRule::new(new.method.trim(), *fault)
    };
    platform.faults().add(vec![rule]).map_err(invalid)?;
    Ok(back())
}

/// What the page showed at that place.
#[derive(Deserialize)]
struct Shown {
    method: String,
    fault: String,
}

/// The page is a moment old: another rule may be in the place of the one that was shown, and stays.
async fn remove_fault(State(platform): Shared, Path(at): Path<usize>, Form(shown): Form<Shown>) -> Response {
    let mut faults = platform.faults();
    let rule = faults.rules().get(at);
    if rule.is_some_and(|rule| rule.method == shown.method && rule.name() == shown.fault) {
        faults.remove(at);
    }
    back()
}

async fn log_in(platform: Shared, id: Path<String>) -> Result<Response, Refused> {
    by_hand::log_in(platform, id).await.map(|_| back())
}
