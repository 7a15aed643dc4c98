//! The commands: each asks identity-service, and prints what it said.

mod acts;
mod audit;
pub(crate) mod credentials;
mod deliveries;
mod drift;
mod pause;
pub(crate) mod relink;
mod status;
mod watch;

pub(crate) use acts::{discard, release, retry};
pub(crate) use audit::audit;
pub(crate) use deliveries::{HELD, PENDING, PLANNED, REFUSED, list, show};
pub(crate) use drift::{apply as drift_apply, plan as drift_plan};
pub(crate) use pause::{pause, resume};
pub(crate) use status::status;
pub(crate) use watch::watch;
