//! The arguments as clap reads them. Their texts are the help.

use std::{num::NonZeroU64, time::Duration};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use jiff::Timestamp;
use service_runtime::{GrpcCallArgs, settings::parse_duration};

const EXIT_CODES: &str = "\
A RESOURCE is the id of a user or group, a user's userName, or a group's displayName. What was deleted goes by its id.

Exit codes:
  0   done
  1   the service said no, or failed; or you said no
  3   nothing found: no such resource, or nothing to release with --all;
      `status --check`: something is refused or held, deliveries are paused, nothing is written
      (DRY_RUN), or the last comparison with the Platform raised an alarm;
      `drift plan --check`: something differs; `drift apply`: an alarm left something unrepaired
  64  wrong usage, such as --yes missing where nobody can be asked
  69  identity-service cannot be reached, or did not answer in time";

/// Tells an operator what has reached the Platform, what has not and why, and lets them act on it.
#[derive(Debug, Parser)]
#[command(name = "admin", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Name of the tenant that is asked about.
    #[arg(long, env = "TENANT", default_value = "default", global = true)]
    pub(crate) tenant: String,
    /// Address of identity-service, as `http://host:port` or `https://host:port`.
    #[arg(
        long,
        env = "IDENTITY_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:50051",
        global = true
    )]
    pub(crate) identity_url: String,
    /// How identity-service is called.
    #[command(flatten)]
    pub(crate) grpc: GrpcCallArgs,
    /// How long each answer is waited for, such as 10s; 0 waits for ever.
    #[arg(long, value_parser = parse_duration, default_value = "10s", global = true)]
    pub(crate) timeout: Duration,
    /// Who you are, for the audit trail and for whoever sees a pause.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "operator", global = true)]
    pub(crate) by: String,
    /// Print JSON for programs, one document on each line, with the names of the gRPC contract.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell how many deliveries are pending, refused, held and planned, how old the oldest pending one is, and whether all are paused
    /// or only planned.
    Status(StatusArgs),
    /// List what is still to be delivered, or being tried again.
    Pending(ListArgs),
    /// List what the Platform, or a rule of ours, said no to, with the reason.
    Refused(ListArgs),
    /// List what a brake holds.
    Held(ListArgs),
    /// List what would be written to the Platform, were it not for DRY_RUN.
    Planned(ListArgs),
    /// Tell all about the delivery of one resource.
    Show {
        /// Which one.
        resource: String,
    },
    /// Try again now. What is applied is delivered once more, which repairs what another hand changed on the Platform.
    Retry {
        /// Which ones.
        #[arg(required = true, value_name = "RESOURCE")]
        resources: Vec<String>,
    },
    /// Let go on what a brake holds. Asks first.
    Release(ReleaseArgs),
    /// Take back what is held or refused: the resource is again what was last applied on the Platform. Asks first.
    Discard(DiscardArgs),
    /// Have nothing delivered until it is resumed; changes are taken and kept meanwhile. Asks first.
    Pause(PauseArgs),
    /// Deliver again after a pause.
    Resume,
    /// Compare what was applied with what the Platform holds: what another hand changed, deleted or added there.
    Drift {
        /// What to do about it.
        #[command(subcommand)]
        command: DriftCommand,
    },
    /// Rebuild what ties users and groups to Platform objects, after the store was lost.
    #[command(subcommand)]
    Relink(RelinkCommand),
    /// Tell what the policies of adoption would do.
    #[command(subcommand)]
    Adopt(AdoptCommand),
    /// Bearer tokens by which Entra calls SCIM, and the list of all credentials.
    #[command(subcommand)]
    Token(TokenCommand),
    /// OAuth clients as which Entra calls SCIM.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Show each change of a user or group as it happens, until Ctrl-C. Says on standard error where to go on.
    Watch(WatchArgs),
    /// Show the audit trail: what changed and who asked, what became of it on the Platform, and what operators did.
    Audit(AuditArgs),
    /// Print a script that completes this command line; source it in the shell.
    Completion {
        /// For which shell.
        shell: Shell,
    },
}

/// `token`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a bearer token. It is shown here and never again.
    New(NewTokenArgs),
    /// List every credential of the tenant, clients included: when it ends, and when it was last used.
    List,
    /// End a credential of any kind. Gateways let it in for ten seconds more at most. Asks first.
    Revoke(RevokeArgs),
}

/// `token new`.
#[derive(Debug, Args)]
pub(crate) struct NewTokenArgs {
    /// What it shall be called: letters, digits and -_.
    pub(crate) name: String,
    /// When it shall end, such as 365d; 0 is never.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "365d")]
    pub(crate) expires: Duration,
    /// The id that was told when no answer came: the request is the same one, and what nobody received is replaced.
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
}

/// `token revoke` and `client revoke`.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The credential's name or id.
    pub(crate) credential: String,
    /// Only this secret of a client, by its id.
    #[arg(long, value_name = "ID")]
    pub(crate) secret: Option<String>,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `client`.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Make an OAuth client: with a secret, which is shown here and never again, or, with --entra-tenant, one that Entra signs in as by
    /// its own assertions (workload identity).
    New(NewClientArgs),
    /// Make another secret of a client. The one before it stays good until it ends or is revoked; a third ends the oldest.
    Rotate(RotateArgs),
    /// List the clients and their secrets.
    List,
    /// End a client, or one secret of it, with the access tokens that came of it. Asks first.
    Revoke(RevokeArgs),
    /// Have access tokens signed by a new key. That is done by itself from time to time (SIGNING_KEY_ROTATION).
    RotateKey {
        /// End all access tokens at once, as after a leak; Entra gets new ones by itself.
        #[arg(long)]
        end_tokens: bool,
    },
}

/// `client new`.
#[derive(Debug, Args)]
pub(crate) struct NewClientArgs {
    /// What it shall be called: letters, digits and -_.
    pub(crate) name: String,
    /// When its secret shall end, such as 365d; 0 is never.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "365d")]
    pub(crate) expires: Duration,
    /// The id that was told when no answer came: the request is the same one, and what nobody received is replaced.
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
    /// Entra tenant whose assertions stand in for a secret, a UUID.
    #[arg(long, value_name = "UUID", requires_all = ["subject", "audience"])]
    pub(crate) entra_tenant: Option<String>,
    /// Object id of the service principal that provisions, a UUID.
    #[arg(long, value_name = "UUID", requires = "entra_tenant")]
    pub(crate) subject: Option<String>,
    /// Audience that its assertions have, as `api://ID` or `ID`, or as Entra shows it, `api://ID/.default`; may be given several times.
    #[arg(long, value_name = "ID", requires = "entra_tenant")]
    pub(crate) audience: Vec<String>,
    /// Application that its assertions are made for, a UUID; Entra's provisioning service, unless given.
    #[arg(long, value_name = "UUID", requires = "entra_tenant")]
    pub(crate) application: Vec<String>,
}

/// `client rotate`.
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// The client's name or id.
    pub(crate) client: String,
    /// When the new secret shall end, such as 365d; 0 is never.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "365d")]
    pub(crate) expires: Duration,
    /// The id that was told when no answer came: the request is the same one, and what nobody received is replaced.
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
}

/// `relink`.
#[derive(Debug, Subcommand)]
pub(crate) enum RelinkCommand {
    /// Show the accounts and groups that have the names which those of ours would have that have none, and which of them would be
    /// linked. Changes nothing. Reads the Platform's lists, which may take minutes.
    Plan,
    /// Link what a plan showed; then what differs is written. Asks first.
    Apply(RelinkApplyArgs),
}

/// `relink apply`.
#[derive(Debug, Args)]
pub(crate) struct RelinkApplyArgs {
    /// The plan's digest; where the Platform or the store differ from that plan by now, nothing is done.
    pub(crate) digest: String,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `adopt`.
#[derive(Debug, Subcommand)]
pub(crate) enum AdoptCommand {
    /// Show what ADOPT=matching and ADOPT=listed would take over of the accounts and groups that ours meet, and why not. Changes
    /// nothing. Reads the Platform's lists, and some more for each, which may take minutes.
    Plan,
}

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// End with 3 when something is refused or held, deliveries are paused, nothing is written (DRY_RUN), or the last comparison
    /// with the Platform raised an alarm; for monitoring.
    #[arg(long)]
    pub(crate) check: bool,
}

/// The lists.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// List no more than so many.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<NonZeroU64>,
}

/// `release`.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// Which ones.
    #[arg(required_unless_present = "all", value_name = "RESOURCE")]
    pub(crate) resources: Vec<String>,
    /// All that is held now.
    #[arg(long, conflicts_with = "resources")]
    pub(crate) all: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `discard`.
#[derive(Debug, Args)]
pub(crate) struct DiscardArgs {
    /// Which ones.
    #[arg(required = true, value_name = "RESOURCE")]
    pub(crate) resources: Vec<String>,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `pause`.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// Why, for whoever looks: at most 1000 characters.
    #[arg(long)]
    pub(crate) reason: String,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `drift`.
#[derive(Debug, Subcommand)]
pub(crate) enum DriftCommand {
    /// Show what differs now, and change nothing.
    Plan(DriftPlanArgs),
    /// Set right what differs. Asks first.
    Apply(DriftApplyArgs),
}

/// `drift plan`.
#[derive(Debug, Args)]
pub(crate) struct DriftPlanArgs {
    /// List no more than so many; all are counted.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<NonZeroU64>,
    /// End with 3 when something differs; for monitoring.
    #[arg(long)]
    pub(crate) check: bool,
}

/// `drift apply`.
#[derive(Debug, Args)]
pub(crate) struct DriftApplyArgs {
    /// Repair also what is so much that the Platform's list itself is to be doubted. Look there first.
    #[arg(long)]
    pub(crate) despite_alarm: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Go on after the change that has this token; without it only changes from now on are shown.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) from: Option<String>,
    /// Begin with the oldest change that is kept.
    #[arg(long, conflicts_with = "from")]
    pub(crate) oldest: bool,
    /// End after so many changes.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<NonZeroU64>,
}

/// `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only what is about this one.
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) resource: Option<String>,
    /// Only what was written at that time or later: in RFC 3339, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) from: Option<Timestamp>,
    /// Only what was written before that time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) until: Option<Timestamp>,
    /// Only what comes after the entry that has this `position`.
    #[arg(long, value_name = "POSITION")]
    pub(crate) after: Option<String>,
    /// Show no more than so many.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<NonZeroU64>,
}

/// A time, or how long ago it was.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let wrong =
        || format!("{text:?} is no time; write 2026-11-23T10:00:00Z, or how long ago, such as 90s, 5m, 2h or 1d");
    let ago = parse_duration(text).map_err(|_| wrong())?;
    Timestamp::now().checked_sub(ago).map_err(|_| wrong())
}
