//! End-to-end tests, one binary: whole conversations over HTTP, checked on the simulated Platform.
//!
//! `deployment` starts the real services in this process on free ports; `processes` starts them as processes of their own,
//! so that they can be killed;
//! `balancer` stands before several of one kind. Everything else is a module for each behaviour.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod balancer;
mod deployment;
mod processes;
mod programs;

mod admin;
mod answers;
mod bad_input;
mod brakes;
mod bulk;
mod callers;
mod connections;
mod credentials;
mod deliveries;
mod documented;
mod drift;
mod dry_run;
mod entra;
mod faults;
mod groups;
mod kills;
mod limits;
mod mapping;
mod metrics;
mod observability;
mod page;
mod providers;
mod rehearsal;
mod relink;
mod replicas;
mod rfc;
mod schemas;
mod search;
mod tenant_check;
mod tenants;
mod traces;
mod users;
