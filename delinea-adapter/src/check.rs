//! The prerequisites on the Platform's side, one finding for each: what was found, and what to do about it.

use proto::adapter::v1::{Finding, Severity};
use uuid::Uuid;

use crate::{
    apply::Tenant,
    config::DirectoryPolicy,
    platform::{
        failure::Failure,
        rpc::{
            roles::{Family, ROLE_SEARCH},
            tenant::{Federation, Suffixes},
            users::USER_SEARCH,
        },
    },
};

/// Tries each prerequisite. Nothing is changed on the Platform.
pub(crate) async fn findings(tenant: &Tenant) -> Vec<Finding> {
    let token = match tenant.platform.client.token().await {
        Ok(()) => ok("token", "the Platform gives a token"),
        Err(failure) => {
            // Without a token nothing else can be told.
            return vec![error(
                "token",
                failure.words() + "; check PLATFORM_URL, PLATFORM_CLIENT_ID and the secret",
            )];
        }
    };
    vec![
        token,
        read(tenant, "users", USER_SEARCH).await,
        read(tenant, "groups", ROLE_SEARCH).await,
        directory(tenant).await,
        suffixes(tenant).await,
        group_writes(tenant).await,
    ]
}

async fn read(tenant: &Tenant, name: &str, report: &'static str) -> Finding {
    match tenant.platform.rpc.try_report(report).await {
        Ok(()) => ok(name, format!("the {name} can be read")),
        Err(failure) => error(name, failure.words()),
    }
}

async fn directory(tenant: &Tenant) -> Finding {
    const NAME: &str = "directory_policy";
    let federation = match tenant.platform.rpc.federation().await {
        Ok(federation) => federation,
        Err(failure) => return error(NAME, failure.words()),
    };
    match (tenant.config.directory_policy, federation) {
        (DirectoryPolicy::CreateLocal, Federation::Present) => warning(
            NAME,
            "local accounts are created although the tenant has a federation: a person may have two accounts",
        ),
        (DirectoryPolicy::CreateLocal, _) => ok(NAME, "local accounts are created"),
        (DirectoryPolicy::AdoptOnly, _) => ok(
            NAME,
            "no accounts are created; existing ones are taken as adoption allows",
        ),
        (DirectoryPolicy::Ask, Federation::Absent) => {
            ok(NAME, "the tenant has no federation; local accounts are created")
        }
        (DirectoryPolicy::Ask, Federation::Present) => error(
            NAME,
            "the tenant has a federation, so no accounts are created until DIRECTORY_POLICY is create_local or adopt_only",
        ),
        (DirectoryPolicy::Ask, Federation::Unknown) => error(
            NAME,
            "whether the tenant has a federation cannot be told, so no accounts are created until DIRECTORY_POLICY is \
             create_local or adopt_only",
        ),
    }
}

async fn suffixes(tenant: &Tenant) -> Finding {
    const NAME: &str = "suffixes";
    let suffixes = match tenant.platform.rpc.suffixes().await {
        Ok(suffixes) => suffixes,
        Err(failure) => return error(NAME, failure.words()),
    };
    let config = &tenant.config;
    let wanted = config
        .default_suffix
        .iter()
        .chain(config.suffix_map.iter().map(|mapping| &mapping.new));
    match &*suffixes {
        Suffixes::Unknown => warning(
            NAME,
            "the tenant does not tell its login suffixes; they are not checked beforehand",
        ),
        Suffixes::Known(known) => {
            let is_known = |suffix: &String| known.contains(&suffix.trim_start_matches('@').to_lowercase());
            let missing: Vec<_> = wanted.filter(|suffix| !is_known(suffix)).map(String::as_str).collect();
            if missing.is_empty() {
                ok(NAME, format!("the tenant has the login suffixes {}", known.join(", ")))
            } else {
                error(
                    NAME,
                    format!(
                        "the tenant lacks the login suffixes {} of the settings",
                        missing.join(", ")
                    ),
                )
            }
        }
    }
}

/// An update of a group that cannot exist: a verdict of any kind says that the call is there.
async fn group_writes(tenant: &Tenant) -> Finding {
    const NAME: &str = "group_writes";
    let nobody = Uuid::new_v4().to_string();
    let heritage = match tenant.platform.rpc.touch_by(Family::Roles, &nobody).await {
        Err(Failure::NotExposed { .. }) => tenant.platform.rpc.touch_by(Family::Saas, &nobody).await,
        Err(failure) if !failure.is_about_object() => return error(NAME, failure.words()),
        _ => return ok(NAME, "groups can be written"),
    };
    match heritage {
        Err(failure @ Failure::NotExposed { .. }) => error(NAME, failure.words() + "; groups cannot be delivered"),
        Err(failure) if !failure.is_about_object() => error(NAME, failure.words()),
        _ => warning(
            NAME,
            "groups can be written by the SaasManage calls only; renaming may fail",
        ),
    }
}

fn finding(name: &str, severity: Severity, message: impl Into<String>) -> Finding {
    Finding {
        name: name.to_owned(),
        severity: severity.into(),
        message: message.into(),
    }
}

fn ok(name: &str, message: impl Into<String>) -> Finding {
    finding(name, Severity::Ok, message)
}

fn warning(name: &str, message: impl Into<String>) -> Finding {
    finding(name, Severity::Warning, message)
}

fn error(name: &str, message: impl Into<String>) -> Finding {
    finding(name, Severity::Error, message)
}
