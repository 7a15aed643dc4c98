//! The promises of identity-service's library, one module for each kind of them: what every store keeps, what the rules of
//! users and groups make of requests, and what the service as a whole does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod directory;
mod moving;
mod relay;
mod service;
mod store;
