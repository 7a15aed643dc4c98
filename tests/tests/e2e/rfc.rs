//! Rules of RFC 7643 and RFC 7644 that no provider's conversation happens to show. docs/conformance.md names the test of
//! each rule, these and others.

mod messages;
mod patch;
mod queries;
mod resources;
