//! The requests that Entra sends, as fast as they are answered, and what that says of speed and size.
//!
//! `load bench` starts the system as processes of the release build, a floor to judge it by, fills both, lets a closed loop
//! run on the one and the other in turn, and writes tables of ratios. docs/performance.md says how to repeat it. It talks to
//! the services as their clients do and must not know their code.

pub mod bench;
pub mod client;
pub mod collector;
pub mod fill;
pub mod floor;
mod people;
mod processes;
mod redis;
pub mod report;
pub mod requests;
pub mod slice;
pub mod system;
pub mod workload;
