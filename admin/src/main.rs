//! The `admin` program; everything is in the library.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    Box::pin(admin::run(std::env::args_os())).await
}
