//! The fault campaign: an Entra directory changes through cycles in both dialects while the simulated Platform answers in every
//! bad way and the real programs are killed at random moments. In the end nothing may have come of it.
//!
//! A [`Plan`] follows from a seed, a [`campaign()`] carries it out, and says what differs from what was promised. docs/reliability.md
//! says how to run one, and how to play one again. It starts the programs of this workspace as processes, talks to them as their
//! clients and operators do, and must not know their code.

mod apart;
mod balancer;
mod campaign;
mod changes;
mod journal;
mod links;
mod neighbours;
mod plan;
mod platform;
mod process;
mod profile;
mod services;
mod settings;
mod store;
mod story;
mod tenant;
mod trail;
mod verdict;
mod weather;

use std::time::Duration;

pub use campaign::{Outcome, Settings, campaign};
pub use plan::{Absence, Away, Blow, Cycle, Edit, Manner, NAMES, Plan, ROUNDS, Share, Victim, What};
pub use profile::Profile;
pub use store::Store;
pub use weather::{Rule, Weather};

/// How long a state is waited for. Generous: it is only reached when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
