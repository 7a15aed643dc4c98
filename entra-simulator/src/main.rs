//! The `entra-simulator` program; everything is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    entra_simulator::run(std::env::args_os()).await
}
