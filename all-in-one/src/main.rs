//! The all-in-one process.

use std::process::ExitCode;

fn main() -> ExitCode {
    all_in_one::main()
}
