//! The gateway as a process; `gateway token` makes a bearer token instead of serving.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "token") {
        return gateway::token::print_new();
    }
    service_runtime::main::<gateway::Service>()
}
