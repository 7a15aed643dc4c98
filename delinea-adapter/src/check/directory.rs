//! Who signs in how: the identity provider, what that means for new accounts, and the login suffixes.

use std::collections::BTreeSet;

use crate::{
    apply::Tenant,
    config::DirectoryPolicy,
    platform::{
        capabilities::Capabilities,
        rpc::tenant::{Federation, Suffixes},
    },
};

use super::Finding;

const IDENTITY_PROVIDER: &str = "identity_provider";
const DIRECTORY_POLICY: &str = "directory_policy";
const SUFFIXES: &str = "suffixes";

const DECIDE: &str = "set DIRECTORY_POLICY: create_local makes local accounts beside federated logins (try with one person first \
                      whether the tenant merges them), adopt_only takes accounts that exist";

pub(super) fn findings(tenant: &Tenant, known: &Capabilities, in_use: &[String]) -> Vec<Finding> {
    vec![provider(known), policy(tenant, known), suffixes(tenant, known, in_use)]
}

fn provider(known: &Capabilities) -> Finding {
    match known.federation {
        Federation::Present => Finding::ok(IDENTITY_PROVIDER, "the tenant has a federation"),
        Federation::Absent => Finding::warning(
            IDENTITY_PROVIDER,
            "the tenant has no federation: who is provisioned has a local account with a password that nobody knows",
            "configure Entra ID as identity provider of the Platform, or have people reset their password",
        ),
        Federation::Unknown => Finding::unknown(
            IDENTITY_PROVIDER,
            "the service user may not list federations",
            "look it up on the Platform (Settings, Federation), and set DIRECTORY_POLICY by it",
        ),
    }
}

fn policy(tenant: &Tenant, known: &Capabilities) -> Finding {
    match (tenant.config.directory_policy, known.federation) {
        (DirectoryPolicy::CreateLocal, Federation::Present) => Finding::warning(
            DIRECTORY_POLICY,
            "local accounts are created although the tenant has a federation: a person may have two accounts",
            "see with one person that both logins lead to one account",
        ),
        (DirectoryPolicy::CreateLocal, _) => Finding::ok(DIRECTORY_POLICY, "local accounts are created"),
        (DirectoryPolicy::AdoptOnly, _) => Finding::ok(
            DIRECTORY_POLICY,
            "no accounts are created; existing ones are taken as adoption allows",
        ),
        (DirectoryPolicy::Ask, Federation::Absent) => Finding::ok(
            DIRECTORY_POLICY,
            "the tenant has no federation; local accounts are created",
        ),
        (DirectoryPolicy::Ask, Federation::Present) => Finding::problem(
            DIRECTORY_POLICY,
            "the tenant has a federation, so no accounts are created",
            DECIDE,
        ),
        (DirectoryPolicy::Ask, Federation::Unknown) => Finding::problem(
            DIRECTORY_POLICY,
            "whether the tenant has a federation cannot be told, so no accounts are created",
            DECIDE,
        ),
    }
}

fn suffixes(tenant: &Tenant, known: &Capabilities, in_use: &[String]) -> Finding {
    let config = &tenant.config;
    let plain = |suffix: &String| suffix.trim().trim_start_matches('@').to_lowercase();
    let mapped = |suffix: String| {
        let mapping = config.suffix_map.iter().find(|mapping| mapping.old == suffix);
        mapping.map_or(suffix, |mapping| plain(&mapping.new))
    };
    let settings = config
        .default_suffix
        .iter()
        .chain(config.suffix_map.iter().map(|mapping| &mapping.new));
    let wanted: BTreeSet<String> = settings
        .map(plain)
        .chain(in_use.iter().map(plain).map(mapped))
        .filter(|suffix| !suffix.is_empty())
        .collect();
    let Suffixes::Known(known) = &known.suffixes else {
        return Finding::unknown(
            SUFFIXES,
            "the tenant does not tell its login suffixes; they are not checked before an account is created",
            "see on the Platform that each domain of your users' names is a login suffix",
        );
    };
    let missing: Vec<_> = wanted
        .iter()
        .filter(|suffix| !known.contains(suffix))
        .cloned()
        .collect();
    if missing.is_empty() {
        return Finding::ok(
            SUFFIXES,
            format!("the tenant has the login suffixes {}", known.join(", ")),
        );
    }
    Finding::problem(
        SUFFIXES,
        format!(
            "the tenant lacks the login suffixes {}; it has {}",
            missing.join(", "),
            known.join(", ")
        ),
        "add them on the Platform, or map them to ones that exist (SUFFIX_MAP)",
    )
}
