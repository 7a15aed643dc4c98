//! Which of the tenant's interfaces are in force, and how its answers look.

use crate::{
    apply::Tenant,
    config::StateCall,
    platform::{
        capabilities::{Capabilities, State},
        object_id::Backend,
        scim,
    },
};

use super::Finding;

const SCIM_PREVIEW: &str = "scim_preview";
const INTERFACES: &str = "interfaces";
const STATE_CALL: &str = "state_call";
const SHAPES: &str = "shapes";

pub(super) async fn findings(tenant: &Tenant, known: &Capabilities) -> Vec<Finding> {
    vec![
        preview(known),
        in_force(tenant).await,
        state_call(tenant),
        shapes(tenant, known),
    ]
}

fn preview(known: &Capabilities) -> Finding {
    match known.of(scim::GET_CONFIG) {
        State::Exposed => Finding::ok(SCIM_PREVIEW, "the tenant offers its own SCIM endpoint"),
        State::NotExposed => Finding::ok(
            SCIM_PREVIEW,
            "the tenant does not offer its own SCIM endpoint (private preview); it is needed only where the calls that write \
             accounts or groups are not exposed",
        ),
        State::Denied => Finding::warning(
            SCIM_PREVIEW,
            "the tenant has its own SCIM endpoint, and the service user may not use it",
            "none while the other calls are exposed; else grant Bypass Direct API Authentication Restriction and Manage \
             Identity Settings",
        ),
        State::Unknown => Finding::unknown(
            SCIM_PREVIEW,
            "whether the tenant offers its own SCIM endpoint",
            "repeat the check",
        ),
    }
}

async fn in_force(tenant: &Tenant) -> Finding {
    let name = |backend: Result<Backend, _>| backend.map_or("none", Backend::name);
    let users = name(tenant.platform.user_backend().await);
    let groups = name(tenant.platform.group_backend().await);
    let found = format!("new accounts are created by {users}, new groups by {groups}");
    match tenant.platform.ids_are_the_same() {
        Some(same) if users != groups => {
            let ids = if same { "the same ids" } else { "ids of their own" };
            Finding::ok(INTERFACES, format!("{found}; accounts have {ids} in both"))
        }
        _ => Finding::ok(INTERFACES, found),
    }
}

fn state_call(tenant: &Tenant) -> Finding {
    if tenant.config.backends.state_call == StateCall::Scim {
        return Finding::ok(STATE_CALL, "accounts are disabled at the SCIM endpoint");
    }
    match tenant.platform.rpc.state_call() {
        Some(call) => {
            let found = format!("accounts that are reached by rpc are disabled by {}", call.method());
            Finding::ok(STATE_CALL, found)
        }
        None => Finding::warning(
            STATE_CALL,
            "no call that disables an account is exposed: a leaver reached by rpc is locked, and each such delivery refused",
            "grant the service user the user management right; else set STATE_CALL=cloud_lock, or scim where the tenant offers its SCIM endpoint",
        ),
    }
}

fn shapes(tenant: &Tenant, known: &Capabilities) -> Finding {
    let or = |text: &'static str| if text.is_empty() { "not seen" } else { text };
    let missing = tenant.platform.client.exposure().missing();
    let missing = if missing.is_empty() {
        "none".to_owned()
    } else {
        missing.join(", ")
    };
    Finding::ok(
        SHAPES,
        format!(
            "columns: {}; ids of accounts: {}; ids of groups: {}; calls that are not exposed: {missing}",
            or(known.shapes.columns),
            or(known.shapes.user_ids),
            or(known.shapes.role_ids),
        ),
    )
}
