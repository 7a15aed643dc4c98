//! A client that behaves as Microsoft Entra ID's provisioning service does, and rehearses any SCIM endpoint.
//!
//! It holds a made-up Entra directory, runs provisioning cycles against a tenant URL, and afterwards compares the
//! directory with what the endpoint shows and, where it is given, with the simulated Platform behind it.
//! It knows HTTP and Entra's habits (the ids R01–R19 name them) and nothing else: no SCIM library, no service of this
//! project. That is what makes its verdict worth something.

mod client;
mod command;
mod directory;
mod endpoint;
mod error;
mod issuer;
mod job;
mod knobs;
mod mapping;
mod progress;
mod rehearsal;
mod report;
mod sign_in;
mod state;
mod verify;

pub use client::{Acknowledged, AcknowledgedFn, Answer, Client, Counts, RequestKind, Tally};
pub use command::{command, run};
pub use directory::{Churn, Directory, Group, User};
pub use endpoint::TenantUrl;
pub use error::{Error, Failure};
pub use issuer::{Issuer, KeySetFault};
pub use job::{Action, CycleReport, Escrowed, Job, OnDemandReport, Progress, ProgressFn};
pub use knobs::{Booleans, Dialect, GroupMatching, Knobs, ManagerClear, ManagerSet, Matching, QueryCoding};
pub use progress::Bar;
pub use rehearsal::{Rehearsal, sync};
pub use report::Report;
pub use sign_in::{Placed, SignIn};
pub use state::SavedState;
pub use verify::{Before, Difference, Held, Verification, VerifyOptions, verify};
