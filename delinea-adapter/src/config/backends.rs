//! Which of the Platform's interfaces are used, and for what.

use std::time::Duration;

use clap::ValueEnum;
use service_runtime::settings::parse_duration;

/// The settings of the interfaces.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Delinea Platform: interfaces")]
pub struct BackendConfig {
    /// What accounts are created by: `rpc` calls, the Platform's own `scim` endpoint, or what a probe finds: rpc, and scim where
    /// those calls are not exposed. An account stays with what created or adopted it.
    #[arg(long, env = "USER_BACKEND", value_name = "BACKEND", value_enum, default_value_t = UserBackend::Auto)]
    pub user_backend: UserBackend,
    /// What groups are created by: the `roles` or the `saas` family of RPC calls, the Platform's own `scim` endpoint, or what a
    /// probe finds, in this order; `off` refuses groups. A group stays with rpc or scim, whichever created or adopted it.
    #[arg(long, env = "GROUP_BACKEND", value_name = "BACKEND", value_enum, default_value_t = GroupBackend::Auto)]
    pub group_backend: GroupBackend,
    /// Path of the Platform's own SCIM endpoint.
    #[arg(long, env = "SCIM_BASE_PATH", value_name = "PATH", default_value = "/scim/v2")]
    pub scim_base_path: String,
    /// What disables and enables an account that is reached by rpc. Of `set_user_state` and `change_user_state` the other follows
    /// where one is not exposed; `cloud_lock` and `scim` are used only where they are set. Where none is exposed, a leaver is locked,
    /// and a person told.
    #[arg(long, env = "STATE_CALL", value_name = "CALL", value_enum, default_value_t = StateCall::SetUserState)]
    pub state_call: StateCall,
    /// Whether disabling an account also sets the cloud lock, which ends sessions and revokes tokens, and enabling clears it.
    #[arg(long, env = "CLOUD_LOCK_ON_DISABLE", value_name = "BOOL", default_value_t = false,
          action = clap::ArgAction::Set)]
    pub cloud_lock_on_disable: bool,
    /// Whether accounts of other directories, which a person listed for adoption, are disabled (by the cloud lock) and removed.
    /// Their attributes are never written.
    #[arg(long, env = "TOUCH_NON_CDS", value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set)]
    pub touch_non_cds: bool,
    /// Newer REST reads: `lookup` finds an account by its name with them where no report does; `list` also lists accounts with
    /// them.
    #[arg(long, env = "REST_V3", value_name = "USE", value_enum, default_value_t = RestV3::Off)]
    pub rest_v3: RestV3,
    /// How often the tenant is asked anew which calls it exposes; also after a call that is unexpectedly not there. 0 asks at the
    /// start only.
    #[arg(long, env = "PROBE_INTERVAL", value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    pub probe_interval: Duration,
}

/// What accounts are created by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UserBackend {
    /// What the probe finds.
    Auto,
    /// RPC calls.
    Rpc,
    /// The Platform's own SCIM endpoint.
    Scim,
}

/// What groups are created by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupBackend {
    /// What the probe finds.
    Auto,
    /// `Roles/*`.
    Roles,
    /// `SaasManage/*`.
    Saas,
    /// The Platform's own SCIM endpoint.
    Scim,
    /// Nothing: groups are refused.
    Off,
}

/// What disables and enables an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum StateCall {
    /// `CDirectoryService/SetUserState`.
    SetUserState,
    /// `CDirectoryService/ChangeUserState`.
    ChangeUserState,
    /// `UserMgmt/SetCloudLock`.
    CloudLock,
    /// PATCH of `active` at the SCIM endpoint.
    Scim,
}

/// What the newer REST reads are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum RestV3 {
    /// Nothing.
    Off,
    /// Finding an account by its name.
    Lookup,
    /// Listing as well.
    List,
}
