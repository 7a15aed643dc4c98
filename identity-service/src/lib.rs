//! Owns users, groups and memberships, and knows what is still to be delivered.
//!
//! A request becomes one atomic step in the [`store`]; what it changed is in the outbox from that moment on, and the relay
//! ([`delivery`]) brings it to the Platform through delinea-adapter, as often as it takes. This service knows what is
//! wanted, versions, uniqueness and membership. It must never know HTTP, nor the Platform's fields.

mod compact;
pub mod config;
pub mod credentials;
pub mod delivery;
pub mod directory;
pub mod drift;
mod engine;
pub mod error;
mod figures;
pub mod id;
pub mod index;
mod metrics;
pub mod moving;
pub mod pulse;
pub mod query;
pub mod record;
pub mod relink;
mod service;
mod start;
pub mod store;
mod sweep;
pub mod tenants;
pub mod wake;

pub use config::Config;
pub use engine::Engine;
pub use start::{IdentityService, StartError, start, start_on};
