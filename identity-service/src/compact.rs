//! The command `compact`: makes the embedded store's file as small as may be, while no service has it open.

use std::{
    error::Error as StdError,
    io::{self, Write},
};

use clap::Command;

use crate::{Config, engine};

pub(crate) const NAME: &str = "compact";

/// The command, for `service_runtime::main`.
pub(crate) fn command() -> Command {
    Command::new(NAME).about(
        "Make the embedded store's file as small as may be, while identity-service is stopped; see docs/operations.md",
    )
}

/// Runs it.
pub(crate) async fn run(config: &Config) -> Result<(), Box<dyn StdError>> {
    if config.redis.settings().is_some() {
        return Err("REDIS_URL is set: there is no file to make smaller".into());
    }
    let compacted = engine::compact(config).await?;
    writeln!(
        io::stdout(),
        "{} bytes, before it was {}",
        compacted.after,
        compacted.before
    )?;
    Ok(())
}
