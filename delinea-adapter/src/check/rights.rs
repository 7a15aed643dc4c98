//! Whether the service user may do what deliveries need. A right to write is seen by a write about nobody: the tenant says that
//! there is no such account, or that the right is missing. A tenant that looks for the account first says the former in both
//! cases, so only a write probe is proof; the words say so.

use crate::{
    apply::Tenant,
    platform::{
        capabilities::{Capabilities, State},
        object_id::Backend,
        rpc::{roles, users},
    },
};

use super::Finding;

const VIEW_USERS: &str = "view_users";
const VIEW_GROUPS: &str = "view_groups";
const VIEW_PERMISSIONS: &str = "view_permissions";
const MANAGE_USERS: &str = "manage_users";
const MANAGE_GROUPS: &str = "manage_groups";

const GRANT_USERS: &str =
    "grant the service user a role with the user management right (Manage Identity Settings is the likely one)";
const GRANT_GROUPS: &str =
    "grant the service user a role with the role management right (Manage Identity Settings is the likely one)";
const PROOF: &str = "; --write-probe would prove it";

pub(super) async fn findings(tenant: &Tenant, known: &Capabilities) -> Vec<Finding> {
    vec![
        view(
            VIEW_USERS,
            "users",
            known.of(users::USER_SEARCH),
            users_backend(tenant).await,
            GRANT_USERS,
        ),
        view(
            VIEW_GROUPS,
            "groups",
            known.of(roles::ROLE_SEARCH),
            groups_backend(tenant).await,
            GRANT_GROUPS,
        ),
        permissions(known),
        manage_users(tenant, known).await,
        manage_groups(tenant, known).await,
    ]
}

async fn users_backend(tenant: &Tenant) -> Option<Backend> {
    tenant.platform.user_backend().await.ok()
}

async fn groups_backend(tenant: &Tenant) -> Option<Backend> {
    tenant.platform.group_backend().await.ok()
}

fn view(name: &'static str, what: &str, report: State, backend: Option<Backend>, grant: &str) -> Finding {
    match (report, backend) {
        (_, Some(Backend::Scim)) => Finding::ok(name, format!("{what} are read at the SCIM endpoint")),
        (State::Exposed, _) => Finding::ok(name, format!("{what} can be read")),
        (State::Denied, _) => Finding::problem(name, format!("the service user may not read {what}"), grant),
        (State::NotExposed, _) => Finding::warning(
            name,
            format!("the tenant has no report that lists {what}; slower ways are tried"),
            "none, where the write probe succeeds",
        ),
        (State::Unknown, _) => Finding::unknown(name, format!("whether {what} can be read"), "repeat the check"),
    }
}

fn permissions(known: &Capabilities) -> Finding {
    match known.of(users::USERS_RIGHTS) {
        State::Exposed => Finding::ok(VIEW_PERMISSIONS, "roles and rights of an account can be read"),
        State::Denied => Finding::warning(
            VIEW_PERMISSIONS,
            "the service user may not read roles and rights: system administrators are told by the group alone",
            "grant it the right to view permissions, or do not set ADOPT=matching",
        ),
        State::NotExposed => Finding::warning(
            VIEW_PERMISSIONS,
            "the tenant does not show roles and rights: system administrators are told by the group alone",
            "none; with ADOPT=matching an account may be refused for want of that",
        ),
        State::Unknown => Finding::unknown(
            VIEW_PERMISSIONS,
            "whether roles and rights can be read",
            "repeat the check",
        ),
    }
}

async fn manage_users(tenant: &Tenant, known: &Capabilities) -> Finding {
    match (users_backend(tenant).await, known.of(users::CHANGE_USER)) {
        (Some(Backend::Scim), _) if known.has_scim() => Finding::ok(
            MANAGE_USERS,
            format!("accounts are written at the SCIM endpoint{PROOF}"),
        ),
        (Some(Backend::Scim), _) => Finding::problem(
            MANAGE_USERS,
            "accounts shall be written at the SCIM endpoint, which is not there",
            "have the SCIM preview enabled for the tenant, or set USER_BACKEND to rpc or auto",
        ),
        (_, State::Exposed) => Finding::ok(MANAGE_USERS, format!("accounts can be written{PROOF}")),
        (_, State::Denied) => Finding::problem(MANAGE_USERS, "the service user may not write accounts", GRANT_USERS),
        (_, State::NotExposed) => Finding::problem(
            MANAGE_USERS,
            "the tenant exposes neither the calls that write accounts nor its SCIM endpoint to the service user",
            format!("{GRANT_USERS}; if that does not help, ask for the SCIM preview"),
        ),
        (_, State::Unknown) => Finding::unknown(MANAGE_USERS, "whether accounts can be written", "repeat the check"),
    }
}

async fn manage_groups(tenant: &Tenant, known: &Capabilities) -> Finding {
    let backend = match tenant.platform.group_backend().await {
        Ok(backend) => backend,
        Err(failure) if failure.is_later() => return super::unreadable(MANAGE_GROUPS, &failure),
        Err(_) => {
            return Finding::warning(
                MANAGE_GROUPS,
                "groups are switched off (GROUP_BACKEND)",
                "take groups out of the provisioning scope in Entra ID, or set GROUP_BACKEND",
            );
        }
    };
    let (roles, saas) = (known.of(roles::UPDATE_ROLE), known.of(roles::ADD_TO_ROLE));
    match (backend, tenant.platform.rpc.families_in_force().first()) {
        (Backend::Scim, _) if known.has_scim() => Finding::ok(
            MANAGE_GROUPS,
            format!(
                "groups are written at the SCIM endpoint, for the tenant does not expose the calls for it, or the settings say so{PROOF}"
            ),
        ),
        (Backend::Scim, _) => Finding::problem(
            MANAGE_GROUPS,
            "groups shall be written at the SCIM endpoint, which is not there",
            "have the SCIM preview enabled for the tenant, or set GROUP_BACKEND to another value",
        ),
        (Backend::Rpc, None) => Finding::problem(
            MANAGE_GROUPS,
            "the tenant exposes neither family of calls that write groups, nor its SCIM endpoint (HTTP 404 without a body): \
             groups cannot be delivered",
            format!("{GRANT_GROUPS}; if that does not help, ask for the SCIM preview, or set GROUP_BACKEND=off"),
        ),
        (Backend::Rpc, Some(_)) if [roles, saas].contains(&State::Denied) => {
            Finding::problem(MANAGE_GROUPS, "the service user may not write groups", GRANT_GROUPS)
        }
        (Backend::Rpc, Some(roles::Family::Roles)) if roles == State::Exposed => {
            Finding::ok(MANAGE_GROUPS, format!("groups can be written{PROOF}"))
        }
        (Backend::Rpc, Some(roles::Family::Saas)) if saas == State::Exposed => Finding::warning(
            MANAGE_GROUPS,
            format!("groups can be written by the SaasManage calls only; renaming may fail{PROOF}"),
            "none, where the write probe succeeds",
        ),
        _ => Finding::unknown(MANAGE_GROUPS, "whether groups can be written", "repeat the check"),
    }
}
