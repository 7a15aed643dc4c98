//! One command: the three services in one process and, unless a real tenant is given, the simulated Platform besides.
//!
//! It is a composition, not another architecture: each service is started by its own `start`, and they talk to each other
//! over gRPC on loopback as they would on three hosts. This crate knows every service's settings and nothing of what they
//! do.

mod command;
mod data_folder;
mod deployment;
mod endpoints;
mod error;
mod rehearsal;
mod settings;
mod token;

pub use command::main;
pub use deployment::{Deployment, start};
pub use endpoints::Endpoints;
pub use error::Error;
pub use settings::{Options, Settings};
