//! Whether the tenant is there, and lets the service user in.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use service_runtime::Chain;

use crate::{
    apply::Tenant,
    platform::{
        capabilities::Capabilities,
        client::Health,
        failure::{Failure, Trouble},
        same_name,
    },
};

use super::Finding;

/// A clock that differs by more is told; by much more, tokens may be taken for ended, or not yet good.
const SKEW_TOLD: Duration = Duration::from_secs(30);
const SKEW_HARMFUL: Duration = Duration::from_secs(300);

const TENANT: &str = "tenant";
const TLS: &str = "tls";
const CLOCK: &str = "clock";
const TOKEN: &str = "token";
const SERVICE_USER: &str = "service_user";

/// The tenant's address, the way there, and its clock.
pub(super) async fn findings(tenant: &Tenant) -> Vec<Finding> {
    let asked = Timestamp::now();
    let health = tenant.platform.client.health().await;
    vec![reachable(&health), encrypted(tenant, &health), clock(asked, &health)]
}

fn reachable(health: &Result<Health, Failure>) -> Finding {
    match health {
        Ok(health) if health.status.is_success() => Finding::ok(TENANT, "the tenant answers"),
        Ok(health) if health.status.is_redirection() => Finding::problem(
            TENANT,
            format!("the tenant answers with a redirect (HTTP {})", health.status.as_u16()),
            "set PLATFORM_URL to the address that a browser ends at, such as https://example.delinea.app; a redirect is \
             never followed with a token",
        ),
        Ok(health) => Finding::warning(
            TENANT,
            format!(
                "something answers, but not with a healthy tenant's /health (HTTP {})",
                health.status.as_u16()
            ),
            "see whether PLATFORM_URL names the tenant, and the tenant is provisioned",
        ),
        Err(failure) => Finding::problem(
            TENANT,
            format!("the tenant cannot be reached: {}", Chain(failure)),
            "check PLATFORM_URL, the name's DNS entry, and what stands between here and there (proxy, firewall)",
        ),
    }
}

fn encrypted(tenant: &Tenant, health: &Result<Health, Failure>) -> Finding {
    let url = tenant.config.platform_url.as_deref().unwrap_or_default();
    if !url.starts_with("https://") {
        return Finding::warning(
            TLS,
            "PLATFORM_URL begins with http://: secret and tokens go in the clear",
            "do so with a simulated Platform only",
        );
    }
    match health {
        Ok(health) => Finding::ok(TLS, format!("the certificate is good; {:?} is spoken", health.version)),
        Err(failure) if is_about_certificate(failure) => Finding::problem(
            TLS,
            format!("no connection that can be trusted: {}", Chain(failure)),
            "if a proxy of yours breaks TLS open, exempt the tenant, or add its authority to the system's certificates",
        ),
        Err(_) => Finding::unknown(TLS, "no connection came about", "settle the finding `tenant` first"),
    }
}

fn is_about_certificate(failure: &Failure) -> bool {
    let words = Chain(failure).to_string().to_lowercase();
    words.contains("certificate") || words.contains("tls") || words.contains("handshake")
}

fn clock(asked: Timestamp, health: &Result<Health, Failure>) -> Finding {
    let Ok(Health { date: Some(date), .. }) = health else {
        return Finding::unknown(
            CLOCK,
            "no answer with a time came",
            "see that this machine's clock is set by NTP",
        );
    };
    let skew = SignedDuration::from_secs(date.as_second() - asked.as_second());
    let seconds = skew.as_secs().unsigned_abs();
    let which = if skew.is_negative() { "ahead of" } else { "behind" };
    let found = format!("this machine's clock is {seconds} s {which} the tenant's");
    let todo = "set this machine's clock by NTP";
    match Duration::from_secs(seconds) {
        skew if skew > SKEW_HARMFUL => Finding::problem(CLOCK, found, todo),
        skew if skew > SKEW_TOLD => Finding::warning(CLOCK, found, todo),
        _ => Finding::ok(CLOCK, "this machine's clock agrees with the tenant's"),
    }
}

/// Whether the service user gets a token.
pub(super) fn token(tenant: &Tenant, token: &Result<(), Failure>) -> Finding {
    let path = &tenant.config.token_path;
    match token {
        Ok(()) => Finding::ok(TOKEN, "the service user gets a token"),
        Err(Failure::Credentials { status, .. }) => Finding::problem(
            TOKEN,
            format!("the tenant refuses the service user (HTTP {status})"),
            "check PLATFORM_CLIENT_ID (the login name with its suffix) and the secret, that the service user is not \
             disabled, and PLATFORM_SCOPE",
        ),
        Err(failure @ Failure::Secret(_)) => Finding::problem(
            TOKEN,
            Chain(failure).to_string(),
            "check PLATFORM_CLIENT_SECRET_FILE and who may read it",
        ),
        Err(Failure::Unavailable {
            trouble: Trouble::NotAnEnvelope(404),
            ..
        }) => Finding::problem(
            TOKEN,
            format!(
                "there is no token endpoint at {path} (HTTP 404): the tenant is not provisioned, or it is elsewhere"
            ),
            "check PLATFORM_URL and TOKEN_PATH",
        ),
        Err(failure) => Finding::problem(
            TOKEN,
            failure.words(),
            "settle the finding `tenant` first; else repeat the check",
        ),
    }
}

/// Whether the service user is what it should be.
pub(super) async fn service_user(tenant: &Tenant, capabilities: &Capabilities) -> Finding {
    let Some(id) = &capabilities.caller_id else {
        return Finding::unknown(
            SERVICE_USER,
            "the tenant does not tell who calls; the account is kept from harm by its name alone",
            "none; add it to PROTECTED_NAMES if it may be renamed",
        );
    };
    let account = match tenant.platform.account(id).await {
        Ok(Some(account)) => account,
        Ok(None) => return Finding::unknown(SERVICE_USER, "its account is not listed", "none"),
        Err(failure) => return super::unreadable(SERVICE_USER, &failure),
    };
    let name = tenant.config.platform_client_id.as_deref().unwrap_or_default();
    if !same_name(&account.name, name) {
        return Finding::warning(
            SERVICE_USER,
            "the tenant answers with an account of another name than PLATFORM_CLIENT_ID",
            "set PLATFORM_CLIENT_ID to the service user's present login name",
        );
    }
    match tenant.platform.is_system_administrator(id).await {
        Ok(Some(true)) => Finding::warning(
            SERVICE_USER,
            "the service user is a system administrator, which is more than it needs",
            "give it the rights to manage users and groups, and take it out of System Administrator",
        ),
        _ => Finding::ok(
            SERVICE_USER,
            "the service user is known, and never touched by a delivery",
        ),
    }
}

#[cfg(test)]
mod tests {
    use http::{StatusCode, Version};

    use super::{super::Verdict, *};

    fn health(seconds: i64, status: u16) -> Result<Health, Failure> {
        Ok(Health {
            status: StatusCode::from_u16(status).unwrap(),
            date: Some(Timestamp::from_second(1_000_000 + seconds).unwrap()),
            version: Version::HTTP_2,
        })
    }

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off() {
        let asked = Timestamp::from_second(1_000_000).unwrap();
        for (seconds, verdict) in [
            (0, Verdict::Ok),
            (-29, Verdict::Ok),
            (31, Verdict::Warning),
            (-200, Verdict::Warning),
            (301, Verdict::Problem),
            (-4000, Verdict::Problem),
        ] {
            assert_eq!(clock(asked, &health(seconds, 200)).verdict, verdict, "{seconds}");
        }
        let nothing = Err(Failure::unavailable("health", Trouble::Connect));
        assert_eq!(clock(asked, &nothing).verdict, Verdict::Unknown);
    }

    #[test]
    fn an_address_that_is_not_the_tenants_is_told() {
        for (status, verdict) in [(200, Verdict::Ok), (302, Verdict::Problem), (404, Verdict::Warning)] {
            assert_eq!(reachable(&health(0, status)).verdict, verdict, "{status}");
        }
        let nothing = Err(Failure::unavailable("health", Trouble::Connect));
        assert_eq!(reachable(&nothing).verdict, Verdict::Problem);
    }
}
