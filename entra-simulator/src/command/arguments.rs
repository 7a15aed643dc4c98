//! The command line as clap reads it, and the rehearsal that it describes.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use service_runtime::settings::parse_duration;

use crate::{
    directory::names,
    endpoint::TenantUrl,
    knobs::{Dialect, Knobs},
    rehearsal::Rehearsal,
    verify::VerifyOptions,
};

use super::{Failed, sign_in::SignInArgs};

/// Behaves as Microsoft Entra ID's provisioning service does, against any SCIM endpoint.
#[derive(Debug, Parser)]
#[command(name = "entra-simulator", version)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs an initial cycle, cycles after random changes, one cycle and one restart with nothing to do; then compares.
    Sync(SyncArgs),
    /// Provisions one user or group of the directory now, in the default dialect.
    OnDemand(OnDemandArgs),
    /// Compares directory, SCIM and Platform.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    #[command(flatten)]
    pub(super) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(super) directory: DirectoryArgs,
    /// For how long a cycle is repeated until nothing is in the escrow (such as 30s); 0 means never.
    #[arg(long, env = "ENTRA_RETRY_FOR", default_value = "0", value_parser = parse_duration)]
    pub(super) retry_for: Duration,
}

#[derive(Debug, Args)]
pub(super) struct OnDemandArgs {
    /// The userPrincipalName or displayName of a user, or the displayName of a group.
    #[arg(value_name = "USER|GROUP")]
    pub(super) name: String,
    /// A member to provision with a group; may be given five times. Without it the first five members are taken.
    #[arg(long = "member", value_name = "USER")]
    pub(super) members: Vec<String>,
    #[command(flatten)]
    pub(super) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(super) directory: DirectoryArgs,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    pub(super) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(super) directory: DirectoryArgs,
}

#[derive(Debug, Args)]
pub(super) struct EndpointArgs {
    /// The SCIM base URL, as it would be typed into Entra; `?aadOptscim062020` at its end selects the flagged dialect.
    #[arg(long, env = "SCIM_BASE_URL")]
    base_url: String,
    #[command(flatten)]
    sign_in: SignInArgs,
    /// Base URL of the simulated Platform; with it the comparison includes the Platform.
    #[arg(long, env = "PLATFORM_SIMULATOR_URL")]
    platform_url: Option<String>,
    /// How long directory, SCIM and Platform may take to agree (such as 60s).
    #[arg(long, env = "ENTRA_SETTLE", default_value = "60s", value_parser = parse_duration)]
    settle: Duration,
    /// Name of a user or group that was there before and is not compared; may be given several times.
    #[arg(long, env = "ENTRA_IGNORE", value_delimiter = ',')]
    ignore: Vec<String>,
    /// How long one answer is waited for (such as 30s).
    #[arg(long, env = "ENTRA_REQUEST_TIMEOUT", default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
    /// The wire dialect of PATCH requests; the default follows the flag of the base URL.
    #[arg(long, env = "ENTRA_DIALECT", value_enum)]
    dialect: Option<Dialect>,
}

#[derive(Debug, Args)]
pub(super) struct DirectoryArgs {
    /// Users of a new directory.
    #[arg(long, env = "ENTRA_USERS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    users: u32,
    /// Groups of a new directory.
    #[arg(long, env = "ENTRA_GROUPS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    groups: u32,
    /// Domain of a new directory's login names; directories of different domains have no name in common.
    #[arg(long, env = "ENTRA_DOMAIN", default_value = names::DOMAIN)]
    domain: String,
    /// Where all chance comes from: the same seed gives the same directory and the same changes.
    #[arg(long, env = "ENTRA_SEED", default_value_t = 1)]
    seed: u64,
    /// Rounds of random changes: `sync` makes them, the other commands start from the directory after them.
    #[arg(long, env = "ENTRA_CYCLES", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    cycles: u64,
    /// File that holds directory and job between runs; with it a later run goes on as the same Entra tenant.
    #[arg(long, env = "ENTRA_STATE")]
    state: Option<PathBuf>,
}

/// What the flags describe.
pub(super) async fn rehearsal(endpoint: &EndpointArgs, directory: &DirectoryArgs) -> Result<Rehearsal, Failed> {
    let sign_in = endpoint.sign_in.read().await?;
    let by_flag = if TenantUrl::parse(&endpoint.base_url)?.is_flagged() {
        Dialect::Flagged
    } else {
        Dialect::Default
    };
    let knobs = Knobs {
        timeout: endpoint.timeout,
        ..Knobs::of(endpoint.dialect.unwrap_or(by_flag))
    };
    Ok(Rehearsal {
        users: directory.users as usize,
        groups: directory.groups as usize,
        domain: directory.domain.clone(),
        seed: directory.seed,
        cycles: directory.cycles,
        knobs,
        verify: VerifyOptions {
            platform_url: endpoint.platform_url.clone(),
            settle: endpoint.settle,
            ignore: endpoint.ignore.clone(),
            ..VerifyOptions::default()
        },
        state: directory.state.clone(),
        ..Rehearsal::new(endpoint.base_url.clone(), sign_in)
    })
}
