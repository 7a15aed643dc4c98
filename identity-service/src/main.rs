//! The identity-service process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::main::<identity_service::IdentityService>()
}
