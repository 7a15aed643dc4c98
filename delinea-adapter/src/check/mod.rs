//! What must hold on the Platform's side, gone through one by one: what was found, and what to do about it. Nothing is changed
//! on the Platform, but by [`write_probe`], which is asked for by name.
//!
//! Each finding stands for itself: one that cannot be made is *could not tell*, and never hides the next.

pub(crate) mod command;
mod directory;
mod finding;
mod interfaces;
mod reach;
mod rights;
mod write_probe;

pub(crate) use finding::{Finding, Verdict};

use std::sync::Arc;

use crate::{
    apply::Tenant,
    platform::{capabilities::Capabilities, failure::Failure},
};

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Login suffixes that users have or will have.
    pub(crate) suffixes: Vec<String>,
    /// Whether a throw-away account and group are made, changed and removed.
    pub(crate) write_probe: bool,
}

/// What was found.
pub(crate) struct Checked {
    pub(crate) findings: Vec<Finding>,
    /// What the tenant exposes, where it could be asked.
    pub(crate) capabilities: Option<Arc<Capabilities>>,
}

/// Goes through all of it.
pub(crate) async fn check(tenant: &Tenant, asked: &Asked) -> Checked {
    let mut findings = reach::findings(tenant).await;
    let token = tenant.platform.client.token().await;
    findings.push(reach::token(tenant, &token));
    // Without a token nothing else can be told.
    if token.is_err() {
        return Checked {
            findings,
            capabilities: None,
        };
    }
    let capabilities = match tenant.platform.probe().await {
        Ok(capabilities) => capabilities,
        Err(failure) => {
            findings.push(unreadable("interfaces", &failure));
            return Checked {
                findings,
                capabilities: None,
            };
        }
    };
    findings.push(reach::service_user(tenant, &capabilities).await);
    findings.extend(rights::findings(tenant, &capabilities).await);
    findings.extend(interfaces::findings(tenant, &capabilities).await);
    findings.extend(directory::findings(tenant, &capabilities, &asked.suffixes));
    if asked.write_probe {
        findings.extend(write_probe::findings(tenant).await);
    }
    Checked {
        findings,
        capabilities: Some(capabilities),
    }
}

/// A finding that could not be made.
fn unreadable(name: &'static str, failure: &Failure) -> Finding {
    Finding::unknown(
        name,
        failure.words(),
        "repeat the check; if it stays so, look into the log of delinea-adapter",
    )
}
