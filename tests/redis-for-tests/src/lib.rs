//! Real Redis servers for tests: children on free ports, each with a temporary folder of its own, killed when they are
//! dropped, also by a test that panics. One alone ([`RedisServer`], with TLS and users), a master with replicas
//! ([`Replicated`]), one that Sentinels watch over ([`SentinelTrio`]), a [`Cluster`].
//!
//! It needs `redis-server` and `redis-cli`, 7.0 or newer, and no service of the system. It must not know who uses it: no
//! key, no tenant, and no client library; what it asks a server, it asks by `redis-cli`.
#![allow(clippy::unwrap_used, reason = "a test whose servers do not start has failed")]

mod cluster;
mod options;
mod port;
mod process;
mod replicated;
mod sentinel;
mod server;
mod tls;
mod until;

use std::time::Duration;

pub use cluster::Cluster;
pub use options::{Appendfsync, Options, User};
pub use port::free_port;
pub use replicated::Replicated;
pub use sentinel::SentinelTrio;
pub use server::RedisServer;
pub use until::until;

/// How long a state is waited for. Generous: it is only reached when something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(5);
