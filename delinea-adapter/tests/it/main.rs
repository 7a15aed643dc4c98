//! The adapter through its gRPC interface, with the simulated Platform at the far end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

mod accounts;
mod adoption;
mod check;
mod documented;
mod fallbacks;
mod faults;

mod groups;
mod interfaces;
mod leavers;
mod lists;
mod mapping;
mod pace;
mod passwords;
mod plans;
mod profiles;
mod refusals;
mod tenant;
mod tenants;
mod world;
