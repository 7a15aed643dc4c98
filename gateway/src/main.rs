//! The gateway as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::main::<gateway::Service>()
}
